//! The level that a test may use at each of several looks, so that all looks together keep theirs.
//!
//! One constant level for every look (Pocock 1977), found for the exact signed-rank test rather than
//! for a normal walk: its p-values are discrete, and at ten values the normal one would be wrong. The
//! limits at a constant level hold at every look at once (Jennison and Turnbull 1989), and so hold
//! at the look at which somebody stopped.

use rand_chacha::rand_core::Rng;

use crate::signed_rank::NullDistribution;

/// Returns the largest one-sided level that signed-rank tests at all `looks` may use together.
///
/// `looks` are rising numbers of values, each counting all values so far; `alpha`, in (0, 1), is the
/// probability that any look rejects when signs are coins. Found from `simulations` random walks: the
/// attained probability has a standard error of `sqrt(alpha / simulations)`. Zero if no level keeps
/// `alpha`.
///
/// Sizes are exchangeable whatever their law, so the rank of each new size among those before it is
/// uniform: the walk needs no values, only insertions at random places.
pub fn constant_level(alpha: f64, looks: &[usize], simulations: usize, rng: &mut impl Rng) -> f64 {
    let nulls: Vec<NullDistribution> = looks.iter().map(|&n| NullDistribution::untied(n)).collect();
    let mut smallest: Vec<f64> = (0..simulations).map(|_| smallest_p(looks, &nulls, rng)).collect();
    smallest.sort_by(f64::total_cmp);
    largest_kept(&smallest, alpha)
}

/// The smallest p over the looks of one walk.
fn smallest_p(looks: &[usize], nulls: &[NullDistribution], rng: &mut impl Rng) -> f64 {
    let mut positive_by_size: Vec<bool> = Vec::with_capacity(looks.last().copied().unwrap_or(0));
    let mut smallest: f64 = 1.0;
    for (&look, null) in looks.iter().zip(nulls) {
        while positive_by_size.len() < look {
            let place = below(positive_by_size.len() + 1, rng.next_u32());
            positive_by_size.insert(place, rng.next_u32() >> 31 == 1);
        }
        let ranked = positive_by_size.iter().zip(1..);
        let w_plus = ranked.filter(|(positive, _)| **positive).map(|(_, rank)| rank).sum();
        smallest = smallest.min(null.at_least(w_plus));
    }
    smallest
}

/// A place in `0..end` for 32 random bits; uneven by `end / 2^32`.
fn below(end: usize, bits: u32) -> usize {
    let scaled = (u128::from(bits) * end as u128) >> 32;
    usize::try_from(scaled).expect("smaller than `end`")
}

/// The largest value that at most a share `alpha` of the sorted values do not exceed.
fn largest_kept(sorted: &[f64], alpha: f64) -> f64 {
    let allowed = alpha * sorted.len() as f64;
    let mut kept = 0.0;
    let mut count = 0;
    for equal in sorted.chunk_by(|a, b| a.total_cmp(b).is_eq()) {
        count += equal.len();
        if count as f64 > allowed {
            break;
        }
        kept = equal[0];
    }
    kept
}
