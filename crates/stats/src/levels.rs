//! Finds where a series of one number per run changed its level, whatever the law of the noise.
//!
//! The values are replaced by their ranks, so a wild run weighs no more than the largest of the others,
//! and what is to be expected of a series without a change is the same for every noise: it is found by
//! shuffling ranks, once for each length. Splits are looked for not only in the whole series but in
//! parts of all lengths (seeded binary segmentation, Kovács et al. 2023), and the split of the shortest
//! part that shows one is taken (narrowest over threshold, Baranowski et al. 2019): a level that rises
//! and falls again is invisible in the whole series and plain in a part of it. Both sides are searched
//! in turn.
//!
//! Neighbouring runs are alike (a correlation of 0.6 to 0.7 between launches of one machine), and shuffling
//! takes that for levels: it finds some in every second flat series of 40 values at 0.6. So a split
//! has to be seen again in the series without what each value has of the one before, fitted beside the
//! split: then it is 4 % at 0.6, 2 % at 0.4, 1 % at 0.2, 0.4 % without any.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::SliceRandom as _;

use crate::quantile;
use crate::{autoregression, trend};

/// Shuffled series that a critical value is found from.
const SHUFFLES: usize = 5_000;
/// Values that a search shuffles in all: 5 000 series of 2 000, or of 40 for each of 50 lengths.
const SHUFFLED_MAX: usize = 10_000_000;
/// By how much the parts shrink from one length to the next: the inverse of the root of two.
const SHRINK: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// A search for changes, with the critical values it has found so far.
#[derive(Debug)]
pub struct LevelSearch<R> {
    shortest: usize,
    level: f64,
    rng: R,
    /// By the length of a series, the largest splits that chance shows, rising.
    chance: BTreeMap<usize, Vec<f64>>,
    /// Values that were shuffled for those.
    shuffled: usize,
    neighbours: NeighbourModel,
}

/// What is assumed of values that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourModel {
    /// They may be alike: correlation is not taken for a change, and a small change not always found.
    Correlated,
    /// They have nothing in common: correlation is taken for changes. Where a change that is missed costs more
    /// than a level that is cut short.
    Independent,
}

/// A part of a series and the best split in it.
struct SeriesSplit {
    length: usize,
    place: usize,
    z: f64,
}

impl<R: Rng + Clone> LevelSearch<R> {
    /// Returns a search for levels that hold for at least `shortest` values, two or more, which splits
    /// a series of one level with probability `level`. What chance does is drawn from copies of `rng`.
    pub fn new(shortest: usize, level: f64, neighbours: NeighbourModel, rng: R) -> Self {
        assert!(shortest >= 2, "a level holds for two values or more");
        Self { shortest, level, rng, chance: BTreeMap::new(), shuffled: 0, neighbours }
    }

    /// Finds what chance shows in series of a length, before any are searched that are not longer: of their
    /// lengths, those that take too long are judged as if they were of this one.
    pub fn prepare(&mut self, length: usize) {
        if length >= 2 * self.shortest {
            self.chance(length);
        }
    }

    /// Returns where new levels begin, rising; the first one, at 0, is not listed.
    ///
    /// Drift is taken for changes; correlation between neighbours by the model of the search.
    pub fn change_points(&mut self, values: &[f64]) -> Vec<usize> {
        let mut points = Vec::new();
        self.search(values, 0, &mut points);
        points.sort_unstable();
        points
    }

    /// Returns the chance of a split as clear as the clearest one of the series if it has none; 1 where it
    /// is too short.
    pub fn p(&mut self, values: &[f64]) -> f64 {
        let of = |search: &mut Self, values: &[f64]| {
            let largest = splits(&ranks(values), search.shortest).into_iter().map(|it| it.z);
            let largest = largest.fold(0.0, f64::max);
            let chance = search.chance(values.len());
            let as_large = chance.len() - chance.partition_point(|it| *it < largest);
            (as_large + 1) as f64 / (chance.len() + 1) as f64
        };
        match self.narrowest(values) {
            Some(place) => {
                let series = self.whitened(values, place);
                if series.len() < 2 * self.shortest { 1.0 } else { of(self, &series) }
            }
            None if values.len() < 2 * self.shortest => 1.0,
            None => of(self, values),
        }
    }

    fn search(&mut self, values: &[f64], offset: usize, points: &mut Vec<usize>) {
        let Some(place) = self.narrowest(values) else { return };
        let series = self.whitened(values, place);
        if self.narrowest(&series).is_none() {
            return;
        }
        points.push(offset + place);
        self.search(&values[..place], offset, points);
        self.search(&values[place..], offset + place, points);
    }

    /// The series without what each value has of the one before, as it is beside a split.
    fn whitened(&self, values: &[f64], place: usize) -> Vec<f64> {
        let coefficient = match self.neighbours {
            NeighbourModel::Correlated => {
                autoregression::beside_split(values, place, self.shortest)
            }
            NeighbourModel::Independent => 0.0,
        };
        if coefficient > 0.0 {
            autoregression::whitened(values, coefficient)
        } else {
            values.to_vec()
        }
    }

    /// The split of the shortest part that shows one, as if neighbours had nothing in common.
    fn narrowest(&mut self, values: &[f64]) -> Option<usize> {
        if values.len() < 2 * self.shortest {
            return None;
        }
        let place = 1.0 - self.level;
        let critical = quantile::type7(self.chance(values.len()), place);
        let splits = splits(&ranks(values), self.shortest);
        let visible = splits.into_iter().filter(|split| split.z > critical);
        let narrowest = visible.min_by(|a, b| a.length.cmp(&b.length).then(b.z.total_cmp(&a.z)));
        narrowest.map(|split| split.place)
    }

    /// The largest splits that chance shows in series of this length, rising. Where all that may be shuffled was,
    /// those of a longer one stand for them, which are larger.
    fn chance(&mut self, n: usize) -> &[f64] {
        let Self { shortest, rng, chance, shuffled, .. } = self;
        let shuffles = SHUFFLES.min(SHUFFLED_MAX / n.max(1)).max(1);
        let is_affordable = *shuffled + shuffles * n <= SHUFFLED_MAX;
        let longer = chance.range(n..).next().map(|(length, _)| *length);
        let n = if is_affordable { n } else { longer.unwrap_or(n) };
        chance.entry(n).or_insert_with(|| {
            *shuffled += shuffles * n;
            let mut rng = rng.clone();
            let mut shuffled: Vec<f64> = (1..=n).map(|rank| rank as f64).collect();
            let mut largest: Vec<f64> = (0..shuffles)
                .map(|_| {
                    shuffled.shuffle(&mut rng);
                    let splits = splits(&centred(&shuffled), *shortest);
                    splits.into_iter().map(|split| split.z).fold(0.0, f64::max)
                })
                .collect();
            largest.sort_by(f64::total_cmp);
            largest
        })
    }
}

/// Returns the chance of a rise or fall as steady as that of the series if it has none, two-sided: of what
/// is left without what each value has of the one before, fitted beside a line of this slope.
pub fn drift_p(values: &[f64], slope: f64) -> f64 {
    let coefficient = autoregression::beside_line(values, slope);
    let rising = trend::mann_kendall(&autoregression::whitened(values, coefficient)).p_rising();
    (2.0 * rising.min(1.0 - rising)).min(1.0)
}

/// Midranks, centred and of variance 1.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut rank = 0;
    for tied in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        let middle = (2 * rank + tied.len() + 1) as f64 / 2.0;
        for &place in tied {
            ranks[place] = middle;
        }
        rank += tied.len();
    }
    centred(&ranks)
}

fn centred(ranks: &[f64]) -> Vec<f64> {
    let n = ranks.len() as f64;
    let mean = ranks.iter().sum::<f64>() / n;
    let variance = ranks.iter().map(|rank| (rank - mean).powi(2)).sum::<f64>() / n;
    // A flat series has no split, whatever it is divided by.
    let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    ranks.iter().map(|rank| (rank - mean) / deviation).collect()
}

/// The best split of every part.
fn splits(ranks: &[f64], shortest: usize) -> Vec<SeriesSplit> {
    let n = ranks.len();
    let mut sums = Vec::with_capacity(n + 1);
    sums.push(0.0);
    for rank in ranks {
        sums.push(sums[sums.len() - 1] + rank);
    }
    let mut found = Vec::new();
    let mut length = n;
    loop {
        let step = (length / 2).max(1);
        let mut start = 0;
        loop {
            found.extend(best_split(&sums, start, (start + length).min(n), shortest));
            if start + length >= n {
                break;
            }
            start += step;
        }
        if length <= 2 * shortest {
            return found;
        }
        let shorter = crate::index((length as f64 * SHRINK).floor());
        length = shorter.max(2 * shortest);
    }
}

/// The split of a part whose sides differ most, in standard deviations.
fn best_split(sums: &[f64], start: usize, end: usize, shortest: usize) -> Option<SeriesSplit> {
    let length = end - start;
    let last = length.checked_sub(shortest)?;
    let whole = sums[end] - sums[start];
    let split = |left: usize| {
        let (before, after) = (left as f64, (length - left) as f64);
        let share = whole * before / length as f64;
        let excess = sums[start + left] - sums[start] - share;
        let z = excess.abs() / (before * after / length as f64).sqrt();
        SeriesSplit { length, place: start + left, z }
    };
    (shortest..=last).map(split).max_by(|a, b| a.z.total_cmp(&b.z))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::draw;

    fn search() -> LevelSearch<ChaCha8Rng> {
        LevelSearch::new(3, 0.01, NeighbourModel::Correlated, ChaCha8Rng::seed_from_u64(1))
    }

    /// Noise of 1 around levels, each given with its length.
    fn series(levels: &[(usize, f64)], seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let level = |&(length, level): &(usize, f64)| vec![level; length];
        let levels: Vec<f64> = levels.iter().flat_map(level).collect();
        levels.into_iter().map(|level| level + draw::normal(&mut rng)).collect()
    }

    #[test]
    fn lengths_beyond_what_may_be_shuffled_are_judged_as_longer_ones() {
        let mut search = search();
        search.prepare(60);
        let of_longest = search.chance(60).to_vec();
        search.shuffled = SHUFFLED_MAX;
        assert_eq!(search.chance(40), of_longest);
        let values = series(&[(20, 0.0), (20, 9.0)], 1);
        assert_eq!(search.change_points(&values), [20]);
        assert_eq!(search.chance.len(), 1);
    }

    #[test]
    fn a_series_of_one_level_is_split_as_rarely_as_promised() {
        let mut search = search();
        let split = |seed: &u64| !search.change_points(&series(&[(40, 0.0)], *seed)).is_empty();
        let splits = (0..2_000).filter(split).count();
        // Twenty by shuffling; most of these look like correlation, and four in a thousand are left.
        assert!((1..=20).contains(&splits), "{splits} of 2000 at a level of 1 %");
    }

    /// Noise of which each value has a part of the one before.
    fn correlated(n: usize, coefficient: f64, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut value = draw::normal(&mut rng);
        let fresh = (1.0 - coefficient * coefficient).sqrt();
        (0..n)
            .map(|_| {
                value = coefficient * value + fresh * draw::normal(&mut rng);
                value
            })
            .collect()
    }

    /// 3.8 % of 20 000 simulated by another program, where shuffling alone finds levels in 49 %.
    #[test]
    fn neighbours_that_are_alike_are_no_levels() {
        let mut search = search();
        let is_split = |seed: &u64| !search.change_points(&correlated(40, 0.6, *seed)).is_empty();
        let splits = (0..500).filter(is_split).count();
        assert!((5..=35).contains(&splits), "{splits} of 500");
        let drifts = (0..500).filter(|seed| {
            let values = correlated(40, 0.6, *seed);
            let runs: Vec<f64> = (0..40).map(f64::from).collect();
            drift_p(&values, trend::theil_sen(&runs, &values, 0.025).slope) <= 0.01
        });
        let drifts = drifts.count();
        assert!(drifts <= 25, "{drifts} of 500");
    }

    #[test]
    fn the_chance_of_a_series_is_that_of_its_clearest_split() {
        let mut search = search();
        let below = (0..400).filter(|seed| search.p(&series(&[(30, 0.0)], *seed)) <= 0.1).count();
        assert!((20..=60).contains(&below), "{below} of 400 at 10 %");
        assert!(search.p(&series(&[(15, 0.0), (15, 4.0)], 3)) < 0.001);
        assert!((search.p(&[1.0, 2.0]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_level_that_comes_and_goes_is_found_where_it_is() {
        let values = series(&[(30, 0.0), (12, 4.0), (30, 0.0)], 7);
        assert_eq!(search().change_points(&values), [30, 42]);
    }

    #[test]
    fn one_wild_value_is_no_level() {
        let mut values = series(&[(40, 0.0)], 3);
        values[20] = 1e6;
        assert!(search().change_points(&values).is_empty());
    }

    #[test]
    fn flat_and_short_series_have_no_change() {
        assert!(search().change_points(&[2.0; 30]).is_empty());
        assert!(search().change_points(&[1.0, 2.0, 9.0]).is_empty());
        assert!(search().change_points(&[]).is_empty());
    }

    #[test]
    fn neither_unit_nor_direction_of_time_matter() {
        let values = series(&[(20, 0.0), (15, 3.0), (25, -2.0)], 11);
        let points = search().change_points(&values);
        assert_eq!(points, [20, 35]);
        let scaled: Vec<f64> = values.iter().map(|value| (value / 3.0).exp()).collect();
        assert_eq!(search().change_points(&scaled), points);
        let reversed: Vec<f64> = values.iter().rev().copied().collect();
        let mirrored: Vec<usize> = points.iter().rev().map(|point| 60 - point).collect();
        assert_eq!(search().change_points(&reversed), mirrored);
    }
}
