//! The exact signed-rank test of a centre of symmetry (Wilcoxon 1945).
//!
//! Exact up to [`EXACT_MAX`] values, with ties as well: midranks are halves, so twice a midrank is a
//! whole number and the sign-flip distribution of their sum can be counted out. The usual normal
//! approximation is wrong by a tenth at the levels and sizes that decide here.

use crate::index;
use crate::student;

/// Up to how many values probabilities are exact; above, they are normal with continuity correction.
pub const EXACT_MAX: usize = 300;

/// The distribution of a sum of ranks, each of which enters with probability one half.
#[derive(Debug, Clone)]
pub struct NullDistribution {
    /// `P(sum <= i)` in units of the weights.
    cumulative: Vec<f64>,
}

impl NullDistribution {
    /// Counts out the distribution for the ranks 1 to `n`.
    pub fn untied(n: usize) -> Self {
        Self::of_weights(1..=n)
    }

    /// Counts out the distribution for any whole weights.
    fn of_weights(weights: impl Iterator<Item = usize>) -> Self {
        let mut probability = vec![1.0];
        for weight in weights {
            let reach = probability.len();
            probability.resize(reach + weight, 0.0);
            for sum in (0..reach + weight).rev() {
                let with = if sum >= weight { probability[sum - weight] } else { 0.0 };
                probability[sum] = 0.5 * (probability[sum] + with);
            }
        }
        let mut total = 0.0;
        for value in &mut probability {
            total += *value;
            *value = total;
        }
        Self { cumulative: probability }
    }

    /// Returns `P(sum <= k)`.
    pub fn at_most(&self, k: usize) -> f64 {
        self.cumulative[k.min(self.cumulative.len() - 1)]
    }

    /// Returns `P(sum >= k)`, from the symmetry of the law: a small tail keeps its digits.
    pub fn at_least(&self, k: usize) -> f64 {
        (self.cumulative.len() - 1).checked_sub(k).map_or(0.0, |mirrored| self.at_most(mirrored))
    }

    /// Returns the largest `k` with `P(sum <= k) <= level`, if there is one.
    pub fn critical(&self, level: f64) -> Option<usize> {
        self.cumulative.partition_point(|p| *p <= level).checked_sub(1)
    }
}

/// Returns, for each value, its sign times the midrank of its size among the non-zero ones.
///
/// Zeros get 0: they say nothing about the direction.
pub fn signed_midranks(values: &[f64]) -> Vec<f64> {
    let mut by_size: Vec<usize> = (0..values.len()).filter(|&i| values[i] != 0.0).collect();
    by_size.sort_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs()));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    let same_size = |a: &usize, b: &usize| values[*a].abs().total_cmp(&values[*b].abs()).is_eq();
    for tied in by_size.chunk_by(same_size) {
        let midrank = first as f64 + f64::midpoint(tied.len() as f64, 1.0);
        for &i in tied {
            ranks[i] = midrank.copysign(values[i]);
        }
        first += tied.len();
    }
    ranks
}

/// Returns the sum of signed ranks in units of its standard deviation under random signs.
pub fn z(signed_ranks: &[f64]) -> f64 {
    let norm = norm(signed_ranks);
    if norm == 0.0 { 0.0 } else { signed_ranks.iter().sum::<f64>() / norm }
}

/// Returns the root of the sum of squares: the standard deviation of the sum under random signs.
pub fn norm(signed_ranks: &[f64]) -> f64 {
    signed_ranks.iter().map(|rank| rank * rank).sum::<f64>().sqrt()
}

/// Returns the sum of the positive ranks, W+.
pub fn w_plus(signed_ranks: &[f64]) -> f64 {
    signed_ranks.iter().filter(|rank| **rank > 0.0).sum()
}

/// Returns the probability, under signs drawn by coin, of a W+ at least as large as seen.
///
/// Small where the values lie above 0. Assumes only that each value was as likely to have the other
/// sign; with ties it is exact given the sizes.
pub fn p_greater(signed_ranks: &[f64]) -> f64 {
    let used = signed_ranks.iter().filter(|rank| **rank != 0.0).count();
    if used > EXACT_MAX {
        return p_greater_normal(signed_ranks);
    }
    let doubled = |rank: &f64| index(2.0 * rank.abs());
    NullDistribution::of_weights(signed_ranks.iter().map(doubled))
        .at_least(index(2.0 * w_plus(signed_ranks)))
}

/// Returns [`p_greater`] by the normal approximation with continuity correction.
pub fn p_greater_normal(signed_ranks: &[f64]) -> f64 {
    let norm = norm(signed_ranks);
    if norm == 0.0 {
        return 1.0;
    }
    student::normal_upper_tail(z(signed_ranks) - 1.0 / norm)
}

/// Returns the probability of values so far inside `low` to `high` if their centre were outside (two
/// one-sided tests, Schuirmann 1987).
pub fn p_equivalent(values: &[f64], low: f64, high: f64) -> f64 {
    let above: Vec<f64> = values.iter().map(|value| value - low).collect();
    let below: Vec<f64> = values.iter().map(|value| high - value).collect();
    let p = |values: &[f64]| p_greater(&signed_midranks(values));
    p(&above).max(p(&below))
}

/// Returns the largest `k` with `P(W+ <= k) <= level` for `n` untied values, if there is one.
pub fn critical(n: usize, level: f64) -> Option<usize> {
    if n <= EXACT_MAX {
        return NullDistribution::untied(n).critical(level);
    }
    let n = n as f64;
    let deviation = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
    let k = n * (n + 1.0) / 4.0 - 0.5 + student::normal_quantile(level) * deviation;
    (k >= 0.0).then(|| index(k.floor()))
}
