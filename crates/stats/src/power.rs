//! How small a shift a test could have seen, or will be able to see.

use crate::hodges_lehmann;
use crate::student;

/// How often a shift of the returned size would be found.
const POWER: f64 = 0.8;
/// One-sided error of the interval that the standard error is read from.
const SPREAD_LEVEL: f64 = 0.05;

/// Variance of the Hodges-Lehmann estimate of normal values over that of their mean.
const VARIANCE_RATIO: f64 = std::f64::consts::FRAC_PI_3;

/// Returns the shift beyond `floor` that four samples like `values` in five would show at `level`.
///
/// The standard error is read from the width of the 90 % Hodges-Lehmann interval, so that a wild
/// value does not blow it up. Infinite with fewer than five values.
pub fn detectable(values: &[f64], floor: f64, level: f64) -> f64 {
    let standard_error = standard_error(values);
    if standard_error.is_infinite() {
        return f64::INFINITY;
    }
    floor + quantiles(values.len(), level) * standard_error
}

/// Returns the part of a detectable shift that makes a test succeed more often than not.
///
/// Infinite with fewer than five values.
pub fn allowance(values: &[f64]) -> f64 {
    let standard_error = standard_error(values);
    if standard_error.is_infinite() {
        return f64::INFINITY;
    }
    student::t_quantile(POWER, values.len() as f64 - 1.0) * standard_error
}

/// Returns the standard deviation of one value that [`predicted`] takes, on which wild values have
/// little hold.
///
/// Infinite with fewer than five values.
pub fn spread(values: &[f64]) -> f64 {
    standard_error(values) / (VARIANCE_RATIO / values.len() as f64).sqrt()
}

/// Returns what [`detectable`] is expected to be for `n` values of the given standard deviation.
///
/// For a plan made before anything is measured. Infinite with fewer than two values.
pub fn predicted(n: usize, deviation: f64, floor: f64, level: f64) -> f64 {
    let standard_error = deviation * (VARIANCE_RATIO / n as f64).sqrt();
    if n < 2 { f64::INFINITY } else { floor + quantiles(n, level) * standard_error }
}

/// The standard error of the Hodges-Lehmann estimate, as its 90 % interval shows it.
fn standard_error(values: &[f64]) -> f64 {
    let interval = hodges_lehmann::one_sample(values, SPREAD_LEVEL);
    (interval.high - interval.low) / (2.0 * student::normal_quantile(1.0 - SPREAD_LEVEL))
}

fn quantiles(n: usize, level: f64) -> f64 {
    let freedom = n as f64 - 1.0;
    student::t_quantile(1.0 - level, freedom) + student::t_quantile(POWER, freedom)
}
