//! What a value of a series has of the one before it.
//!
//! Runs of a machine follow each other: what is warm, full or busy stays so for a while. Neighbours
//! that are alike look like levels and trends, so the correlation is fitted beside what is looked for
//! and taken out of the series first (an autoregression of order one).

/// How much better a fit with a second split has to be before it is believed, in units of the logarithm
/// of the number of values: two parameters more, and the search for their place.
const SECOND_SPLIT_PRICE: f64 = 6.0;
/// The largest coefficient: a random walk has 1, and nothing is left of a level in it.
const COEFFICIENT_MAX: f64 = 0.9;

/// An autoregression beside levels or a line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Autoregression {
    coefficient: f64,
    /// Sum of squares of what neither it nor the levels explain.
    innovations: f64,
    /// Sum of squares of what the levels do not explain.
    residuals: f64,
}

/// Returns the coefficient beside a split of the series, 0 to 0.9.
///
/// A level that comes and goes has two splits: the second one is looked for, and believed where it
/// explains far more than the correlation does. Levels hold for at least `shortest` values.
pub(super) fn beside_split(values: &[f64], place: usize, shortest: usize) -> f64 {
    let one = beside_levels(values, &[place]);
    let other = |second: usize| {
        let places = [place.min(second), place.max(second)];
        (second.abs_diff(place) >= shortest).then(|| beside_levels(values, &places))
    };
    let seconds = shortest..=values.len().saturating_sub(shortest);
    let two = seconds.filter_map(other).min_by(|a, b| a.residuals.total_cmp(&b.residuals));
    let n = values.len() as f64;
    match two {
        Some(two) if n * (one.innovations / two.innovations).ln() > SECOND_SPLIT_PRICE * n.ln() => {
            two.coefficient
        }
        Some(_) | None => one.coefficient,
    }
}

/// Returns the coefficient beside a line, 0 to 0.9.
pub(super) fn beside_line(values: &[f64], slope: f64) -> f64 {
    let level: Vec<f64> = values.iter().enumerate().map(|(i, v)| v - slope * i as f64).collect();
    // The line has two parameters, as two levels have.
    of_residuals(&centred(&level), 2).coefficient
}

/// Returns what is left of a series without what each value has of the one before; one value fewer.
pub(super) fn whitened(values: &[f64], coefficient: f64) -> Vec<f64> {
    values.windows(2).map(|pair| pair[1] - coefficient * pair[0]).collect()
}

fn beside_levels(values: &[f64], places: &[usize]) -> Autoregression {
    let starts = [0].iter().chain(places).copied();
    let ends = places.iter().copied().chain([values.len()]);
    let residuals: Vec<f64> =
        starts.zip(ends).flat_map(|(start, end)| centred(&values[start..end])).collect();
    of_residuals(&residuals, places.len() + 1)
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| value - mean).collect()
}

/// The residuals of a fit are less alike than the noise, the more parameters the fit has (Marriott and
/// Pope 1954); that is put right.
fn of_residuals(residuals: &[f64], parameters: usize) -> Autoregression {
    let squares = residuals.iter().map(|it| it * it).sum::<f64>();
    let products = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>();
    let found = if squares > 0.0 { products / squares } else { 0.0 };
    let bias = parameters as f64 / residuals.len() as f64;
    let coefficient = ((found + bias) / (1.0 - 3.0 * bias).max(0.3)).clamp(0.0, COEFFICIENT_MAX);
    let innovations = whitened(residuals, coefficient).iter().map(|it| it * it).sum();
    Autoregression { coefficient, innovations, residuals: squares }
}
