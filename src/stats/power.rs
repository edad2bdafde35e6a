//! How small a shift a test could have seen, or will be able to see.

use crate::stats::hodges_lehmann;
use crate::stats::student;

/// How often a shift of the returned size would be found.
const POWER: f64 = 0.8;
/// One-sided error of the interval that the standard error is read from.
const SPREAD_LEVEL: f64 = 0.05;

/// Returns the shift beyond `floor` that four samples like `values` in five would show at `level`.
///
/// The standard error is read from the width of the 90 % Hodges-Lehmann interval, so that a wild
/// value does not blow it up. Infinite with fewer than five values.
pub fn detectable(values: &[f64], floor: f64, level: f64) -> f64 {
    let interval = hodges_lehmann::one_sample(values, SPREAD_LEVEL);
    let width = student::normal_quantile(1.0 - SPREAD_LEVEL) * 2.0;
    let standard_error = (interval.high - interval.low) / width;
    if !standard_error.is_finite() {
        return f64::INFINITY;
    }
    floor + quantiles(values.len(), level) * standard_error
}

/// Returns what [`detectable`] is expected to be for `n` values of the given standard deviation.
///
/// For a plan made before anything is measured. Infinite with fewer than two values.
pub fn predicted(n: usize, deviation: f64, floor: f64, level: f64) -> f64 {
    // The Hodges-Lehmann estimate of normal values has π/3 times the variance of their mean.
    let standard_error = deviation * (std::f64::consts::FRAC_PI_3 / n as f64).sqrt();
    if n < 2 { f64::INFINITY } else { floor + quantiles(n, level) * standard_error }
}

fn quantiles(n: usize, level: f64) -> f64 {
    let freedom = n as f64 - 1.0;
    student::t_quantile(1.0 - level, freedom) + student::t_quantile(POWER, freedom)
}
