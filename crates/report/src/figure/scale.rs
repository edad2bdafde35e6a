//! Maps values to places in a picture, and finds round values to name.

/// A straight map from an interval of values to an interval of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LinearScale {
    values: (f64, f64),
    places: (f64, f64),
}

/// What the name of a tick takes of an upright axis, with some room.
const NAME_HEIGHT: f64 = 17.0;

/// The least length of a scale around values above 0, as a share of the highest.
const SPAN_MIN: f64 = 0.05;

impl LinearScale {
    /// Returns the scale. An interval of values without length gets one around it.
    pub(crate) fn new(values: (f64, f64), places: (f64, f64)) -> Self {
        let (low, high) = values;
        let values = if high > low {
            values
        } else {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.05 };
            (low - room, low + room)
        };
        Self { values, places }
    }

    /// Returns the scale of all finite values with some room at both ends; of none, from 0 to 1.
    pub(crate) fn around(values: impl IntoIterator<Item = f64>, places: (f64, f64)) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let bounds = finite.fold(None, |bounds: Option<(f64, f64)>, value| {
            let (low, high) = bounds.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        let Some((low, high)) = bounds else { return Self::new((0.0, 1.0), places) };
        // Of values that hardly differ the ticks have to: they are named by three digits.
        let wanting = (SPAN_MIN * high - (high - low)).max(0.0);
        let (low, high) = if low > 0.0 {
            ((low - wanting / 2.0).max(0.0), high + wanting / 2.0)
        } else {
            (low, high)
        };
        let room = (high - low) * 0.06;
        // What cannot be below zero does not get an axis that is.
        let low = if low >= 0.0 { (low - room).max(0.0) } else { low - room };
        Self::new((low, high + room), places)
    }

    /// Returns the place of a value, at the edge if it lies outside.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let (from, to) = self.places;
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        from + share * (to - from)
    }

    /// Returns whether a value lies inside.
    pub(crate) fn holds(&self, value: f64) -> bool {
        (self.values.0..=self.values.1).contains(&value)
    }

    /// Returns both ends in the picture.
    pub(crate) fn places(&self) -> (f64, f64) {
        self.places
    }

    /// Returns about so many changes inside that are round in percent, as logarithms, rising. Of those whose names
    /// would touch, as +50 and +100 % do on a logarithmic axis, the smaller one is kept.
    pub(crate) fn round_changes(&self, count: usize) -> Vec<f64> {
        let (low, high) = self.values;
        let percents = Self::new((low.exp_m1() * 100.0, high.exp_m1() * 100.0), self.places);
        let changes = percents.ticks(count).into_iter().map(|percent| (percent / 100.0).ln_1p());
        let mut changes: Vec<f64> = changes.collect();
        changes.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let mut kept: Vec<f64> = Vec::new();
        for change in changes {
            let is_apart = |other: &f64| (self.at(*other) - self.at(change)).abs() >= NAME_HEIGHT;
            if kept.iter().all(is_apart) {
                kept.push(change);
            }
        }
        kept.sort_by(f64::total_cmp);
        kept
    }

    /// Returns about so many round values inside, rising.
    pub(crate) fn ticks(&self, count: usize) -> Vec<f64> {
        let (low, high) = self.values;
        let step = round_step((high - low) / count.max(1) as f64);
        let first = (low / step).ceil();
        let ticks = (0..=count * 3).map(|i| (first + i as f64) * step);
        ticks.take_while(|tick| *tick <= high + step * 1e-9).collect()
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is no smaller.
fn round_step(step: f64) -> f64 {
    let power = 10.0_f64.powf(step.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|it| it * power >= step * (1.0 - 1e-9));
    round.unwrap_or(10.0) * power
}

/// Shares that a reader knows, rising.
const SHARES: [f64; 13] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Returns round changes up to a logarithm, at most so many: shares that are named on both sides of zero.
pub(crate) fn change_ticks(limit_ln: f64, count: usize) -> Vec<f64> {
    let inside = SHARES.into_iter().filter(|share| share.ln_1p() <= limit_ln * 0.98);
    let all: Vec<f64> = inside.collect();
    all[all.len().saturating_sub(count)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(found: &[f64], expected: &[f64]) {
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(near && found.len() == expected.len(), "{found:?}");
    }

    #[test]
    fn a_value_outside_lies_at_the_edge() {
        let scale = LinearScale::new((0.0, 10.0), (100.0, 200.0));
        same(
            &[-5.0, 0.0, 5.0, 20.0, f64::INFINITY].map(|value| scale.at(value)),
            &[100.0, 100.0, 150.0, 200.0, 200.0],
        );
        assert!(scale.holds(10.0) && !scale.holds(10.1));
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let check = |low, high, expected: &[f64]| {
            let ticks = LinearScale::new((low, high), (0.0, 1.0)).ticks(4);
            same(&ticks, expected);
        };
        check(0.0, 10.0, &[0.0, 5.0, 10.0]);
        check(0.93, 2.2, &[1.0, 1.5, 2.0]);
        check(-3.0, 3.0, &[-2.0, 0.0, 2.0]);
        check(1e6, 1.9e6, &[1e6, 1.5e6]);
    }

    #[test]
    fn changes_are_round_in_percent() {
        let scale = LinearScale::new((-0.03, 0.11), (0.0, 100.0));
        let percents: Vec<f64> = scale
            .round_changes(4)
            .into_iter()
            .map(|ln| (ln.exp_m1() * 1e4).round() / 100.0)
            .collect();
        same(&percents, &[0.0, 5.0, 10.0]);
    }

    #[test]
    fn changes_whose_names_would_touch_are_not_both_named() {
        let scale = LinearScale::new((-0.2, 0.75), (60.0, 0.0));
        let names = scale.round_changes(4);
        let places: Vec<f64> = names.iter().map(|change| scale.at(*change)).collect();
        assert!(places.windows(2).all(|it| it[0] - it[1] >= 17.0), "{places:?}");
        assert!(names.len() >= 2 && names.contains(&0.0), "{names:?}");
    }

    #[test]
    fn values_that_hardly_differ_have_ticks_that_do() {
        let ticks = LinearScale::around([1.9, 1.9001], (0.0, 1.0)).ticks(3);
        assert!(ticks.windows(2).all(|it| it[1] - it[0] > 0.009), "{ticks:?}");
    }

    #[test]
    fn equal_values_and_none_have_a_scale() {
        let at =
            |values: &[f64], value| LinearScale::around(values.to_vec(), (0.0, 10.0)).at(value);
        same(&[at(&[], 0.5), at(&[0.0, f64::NAN], 0.0)], &[5.0, 5.0]);
        assert!((0.0..10.0).contains(&at(&[5.0, 5.0], 5.0)));
    }

    #[test]
    fn changes_are_named_at_shares_that_a_reader_knows() {
        same(&change_ticks(0.05_f64.ln_1p(), 2), &[0.01, 0.02]);
        same(&change_ticks(0.30, 3), &[0.05, 0.1, 0.2]);
        same(&change_ticks(1e-6, 3), &[]);
    }
}
