//! Compares two unpaired samples by ranks.
//!
//! No verdict of ours rests on these: base and head are always paired. They are what other tools
//! decide by, and are shown beside ours on the same noise.

use crate::index;
use crate::student;

/// Product of the sample sizes up to which untied probabilities are exact.
const EXACT_MAX: usize = 2_500;

/// Returns the number of pairs in which `head` exceeds `base`, ties counting one half: U.
pub fn u_statistic(base: &[f64], head: &[f64]) -> f64 {
    let won = |h: &f64| {
        let halves = base.iter().map(|b| match h.total_cmp(b) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        });
        halves.sum::<f64>()
    };
    head.iter().map(won).sum()
}

/// Returns how much likelier `head` exceeds `base` than the reverse, in -1 to 1 (Cliff 1993).
pub fn cliffs_delta(base: &[f64], head: &[f64]) -> f64 {
    2.0 * u_statistic(base, head) / pairs(base, head) - 1.0
}

/// Returns the probability of a U at least as large if both samples were of one law (Mann and
/// Whitney 1947).
///
/// Exact for small samples without ties, else normal with continuity correction.
pub fn p_greater(base: &[f64], head: &[f64]) -> f64 {
    if base.len() * head.len() > EXACT_MAX || tie_term(base, head) > 0.0 {
        return p_greater_normal(base, head);
    }
    // Without ties U is whole, and its law is the same from either end.
    let mirrored = pairs(base, head) - u_statistic(base, head);
    let cumulative = cumulative(base.len(), head.len());
    cumulative[index(mirrored)]
}

/// Returns [`p_greater`] by the normal approximation with continuity correction.
pub fn p_greater_normal(base: &[f64], head: &[f64]) -> f64 {
    let n = (base.len() + head.len()) as f64;
    let pairs = pairs(base, head);
    let variance = pairs / 12.0 * (n + 1.0 - tie_term(base, head) / (n * (n - 1.0)));
    if variance == 0.0 {
        return 1.0;
    }
    let above = u_statistic(base, head) - pairs / 2.0;
    student::normal_upper_tail((above - 0.5) / variance.sqrt())
}

/// Returns the largest `k` with `P(U <= k) <= level` for untied samples of these sizes, if any.
pub fn critical(base: usize, head: usize, level: f64) -> Option<usize> {
    cumulative(base, head).partition_point(|p| *p <= level).checked_sub(1)
}

fn pairs(base: &[f64], head: &[f64]) -> f64 {
    base.len() as f64 * head.len() as f64
}

/// The sum of t³ - t over the groups of t equal values.
fn tie_term(base: &[f64], head: &[f64]) -> f64 {
    let mut all: Vec<f64> = base.iter().chain(head).copied().collect();
    all.sort_by(f64::total_cmp);
    let groups = all.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|group| group.len() as f64);
    groups.map(|t| t.powi(3) - t).sum()
}

/// `P(U <= i)` for untied samples: the place of the next-larger value is drawn, one value at a time.
fn cumulative(base: usize, head: usize) -> Vec<f64> {
    // `laws[j]` is the law of U with the values so far, `j` of them from head; a value of head that
    // comes after `i` values of base exceeds those `i`.
    let mut laws = vec![vec![0.0; base * head + 1]; head + 1];
    laws[0][0] = 1.0;
    for seen in 0..base + head {
        for j in (0..=head.min(seen)).rev() {
            let below = seen - j;
            if below > base {
                continue;
            }
            let left = (base + head - seen) as f64;
            let (to_head, to_base) = ((head - j) as f64 / left, (base - below) as f64 / left);
            let law = std::mem::replace(&mut laws[j], vec![0.0; base * head + 1]);
            if j < head {
                for (u, p) in law.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                    laws[j + 1][u + below] += p * to_head;
                }
            }
            for (kept, p) in laws[j].iter_mut().zip(&law) {
                *kept += p * to_base;
            }
        }
    }
    let law = laws.swap_remove(head);
    let sum = law.iter().scan(0.0, |total, p| {
        *total += p;
        Some(*total)
    });
    sum.collect()
}
