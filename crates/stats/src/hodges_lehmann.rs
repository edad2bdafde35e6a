//! Estimates a shift and bounds it by the values the signed-rank test does not reject.
//!
//! Half the means of two values lie below the estimate, and the limits are order statistics of the
//! same means (Hodges and Lehmann 1963): one wild value in ten moves neither far, and limits and
//! test can never disagree about untied values.

use crate::rank_sum;
use crate::signed_rank;

/// An estimate and the limits that hold it, each with the same one-sided error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// The lower limit; minus infinity where there are too few values for the level.
    pub low: f64,
    /// The upper limit; infinity where there are too few values for the level.
    pub high: f64,
}

/// Returns the centre of `values` and its limits, each wrong with probability `level` at most.
///
/// `values` must hold at least one number, and finite ones only. Takes O(n²) memory and time.
pub fn one_sample(values: &[f64], level: f64) -> Estimate {
    let mut means = walsh_means(values);
    bounded(&mut means, signed_rank::critical(values.len(), level))
}

/// Returns the shift from `base` to `head`, unpaired, and its limits, each wrong with probability
/// `level` at most if the two laws differ by a shift only.
///
/// Both must hold at least one number, and finite ones only. Takes the product of the sizes in memory.
pub fn two_sample(base: &[f64], head: &[f64], level: f64) -> Estimate {
    let mut shifts: Vec<f64> =
        head.iter().flat_map(|head| base.iter().map(move |base| head - base)).collect();
    bounded(&mut shifts, rank_sum::critical(base.len(), head.len(), level))
}

/// The means of all pairs of values, each value with itself as well.
fn walsh_means(values: &[f64]) -> Vec<f64> {
    let mut means = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (i, a) in values.iter().enumerate() {
        means.extend(values[i..].iter().map(|b| f64::midpoint(*a, *b)));
    }
    means
}

/// The median, and the values number `k` (from 0) from either end.
fn bounded(values: &mut [f64], k: Option<usize>) -> Estimate {
    assert!(!values.is_empty(), "an estimate needs at least one value");
    let last = values.len() - 1;
    let mut at = |i: usize| *values.select_nth_unstable_by(i, f64::total_cmp).1;
    let value = f64::midpoint(at(last / 2), at(last - last / 2));
    let (low, high) = match k {
        Some(k) => (at(k), at(last - k)),
        None => (f64::NEG_INFINITY, f64::INFINITY),
    };
    Estimate { value, low, high }
}
