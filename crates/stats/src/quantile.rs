//! Quantiles of a handful of values. Requests are many and live in histograms instead.

use crate::index;

/// Returns the quantile of `p`, in 0 to 1, interpolated between the two values next to it
/// (type 7 of Hyndman and Fan 1996).
///
/// `values` must hold at least one number, in any order.
pub fn type7(values: &[f64], p: f64) -> f64 {
    assert!(!values.is_empty(), "a quantile needs at least one value");
    assert!((0.0..=1.0).contains(&p), "{p} is not between 0 and 1");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = p * (sorted.len() - 1) as f64;
    let below = index(place.floor());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - place.floor()) * (sorted[above] - sorted[below])
}

/// Returns the median of at least one value.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    let last = values.len().checked_sub(1).expect("a median needs at least one value");
    let mut at = |i: usize| *values.select_nth_unstable_by(i, f64::total_cmp).1;
    f64::midpoint(at(last / 2), at(last - last / 2))
}

/// Returns the median of ln(head / base) over neighbours: the level of two series that were taken in
/// turns, on which neither drift nor a few wild values have a hold.
///
/// Both hold the same number of values, at least one, all above 0.
pub fn median_ln_ratio(base: &[f64], head: &[f64]) -> f64 {
    assert_eq!(base.len(), head.len(), "every value has its neighbour");
    let ratios: Vec<f64> = base.iter().zip(head).map(|(base, head)| (head / base).ln()).collect();
    median(&ratios)
}
