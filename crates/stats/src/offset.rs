//! The offset that a bench gives to one of two equal things: how far apart comparisons of a thing with
//! itself lie, beyond what their own errors explain.
//!
//! Each comparison estimates 0 with an error that its scatter tells. Where a bench holds an offset, drawn
//! anew for each comparison, the squares of the estimates are larger by its variance (the method of
//! moments of `DerSimonian` and Laird 1986, about a centre that is known).

use std::f64::consts::PI;

/// Fewer comparisons do not tell an offset from nothing.
pub const COMPARISONS_MIN: usize = 5;

/// What a comparison of a thing with itself found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NullEstimate {
    /// The estimate of the difference, which is none.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// Returns the standard error of a Hodges-Lehmann estimate from so many values with a standard deviation:
/// of a normal law, it has 3 / pi of the information that the mean has.
pub fn standard_error(deviation: f64, values: usize) -> f64 {
    deviation * (PI / 3.0 / values as f64).sqrt()
}

/// Returns the standard deviation of the offset, 0 where the errors explain all; none from fewer than
/// [`COMPARISONS_MIN`] estimates. All numbers are finite.
///
/// ```
/// use xmlperf_stats::offset::{NullEstimate, deviation};
///
/// let of = |value| NullEstimate { value, error: 0.003 };
/// let tau = deviation(&[0.004, -0.006, 0.005, -0.005, 0.004].map(of));
/// assert!((tau.expect("five are enough") - 0.0038).abs() < 1e-4);
/// assert_eq!(deviation(&[of(0.01)]), None);
/// ```
pub fn deviation(estimates: &[NullEstimate]) -> Option<f64> {
    if estimates.len() < COMPARISONS_MIN {
        return None;
    }
    let excess = |estimate: &NullEstimate| estimate.value.powi(2) - estimate.error.powi(2);
    let variance = estimates.iter().map(excess).sum::<f64>() / estimates.len() as f64;
    Some(variance.max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::draw;

    /// The root mean square of what is found in 400 benches whose offset has a standard deviation.
    fn found(tau: f64) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let error = 0.003;
        let mut bench = || {
            let estimates: Vec<NullEstimate> = (0..12)
                .map(|_| {
                    let value = tau * draw::normal(&mut rng) + error * draw::normal(&mut rng);
                    NullEstimate { value, error }
                })
                .collect();
            deviation(&estimates).unwrap()
        };
        ((0..400).map(|_| bench().powi(2)).sum::<f64>() / 400.0).sqrt()
    }

    #[test]
    fn an_offset_is_found_and_chance_is_not_taken_for_one() {
        assert!((found(0.01) - 0.01).abs() < 0.0005, "{}", found(0.01));
        // What is cut off at 0 on one side remains on the other.
        assert!(found(0.0) < 0.0016, "{}", found(0.0));
    }

    #[test]
    fn errors_shrink_with_the_root_of_the_number() {
        assert!((standard_error(0.01, 16) / standard_error(0.01, 64) - 2.0).abs() < 1e-12);
        assert!((standard_error(0.01, 1) - 0.010_233).abs() < 1e-6);
    }
}
