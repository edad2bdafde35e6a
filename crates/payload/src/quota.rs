//! Deals classes out in exact shares, evenly spread.
//!
//! Drawing each class at random would give a request of 100 XML pairs 60 ± 5 of depth 2, and so
//! make requests of one scenario cost different amounts. Dealing them out in turn makes every
//! request cost the same, and costs a table look-up.

/// A repeating order of classes.
///
/// Any prefix holds every class within one of its exact share, and every full period holds exactly
/// its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuotaCycle(Vec<u16>);

impl QuotaCycle {
    /// Deals out class `i` with weight `weights[i]`. The sum of the weights must be positive; they
    /// are reduced by their common divisor, so that the period, [`period`], is as short as can be.
    ///
    /// The k-th turn of a class may be taken between the moments at which its exact share passes k
    /// and k + 1. Taking the earliest end first meets them all: one turn a step, and the shares add
    /// up to one.
    pub(super) fn new(weights: &[u64]) -> Self {
        let divisor = weights.iter().copied().fold(0, common_divisor);
        assert!(divisor > 0, "every weight is zero");
        let weights: Vec<u64> = weights.iter().map(|weight| weight / divisor).collect();
        let period: u64 = weights.iter().sum();
        if weights.iter().all(|weight| *weight == 1) {
            return Self((0..).take(weights.len()).collect());
        }
        let mut taken = vec![0_u64; weights.len()];
        let turn = |step: u64| {
            let due = |&class: &usize| ((taken[class] + 1) * period).div_ceil(weights[class]);
            let open = |&class: &usize| {
                weights[class] > 0 && taken[class] * period / weights[class] <= step
            };
            let class = (0..weights.len()).filter(open).min_by_key(due);
            let class = class.expect("shares add up to one, so a class is open at every step");
            taken[class] += 1;
            u16::try_from(class).expect("there are fewer than 65 536 classes")
        };
        Self((0..period).map(turn).collect())
    }

    /// Returns after how many steps the order repeats.
    pub(super) fn period(&self) -> u64 {
        u64::try_from(self.0.len()).expect("a length fits 64 bits")
    }

    /// Returns the class at `step`, which may lie beyond the first period.
    pub(super) fn at(&self, step: u64) -> usize {
        let step = usize::try_from(step % self.period()).expect("less than a length");
        usize::from(self.0[step])
    }
}

/// Two cycles side by side, turned against each other so that every combination gets its share.
///
/// Without the turn, two cycles of ten would meet in ten combinations for ever, and documents of
/// one depth would never differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CyclePair {
    first: QuotaCycle,
    second: QuotaCycle,
    together: u64,
}

impl CyclePair {
    pub(super) fn new(first: QuotaCycle, second: QuotaCycle) -> Self {
        let (a, b) = (first.period(), second.period());
        Self { first, second, together: a / common_divisor(a, b) * b }
    }

    /// Returns the classes at `step`: the first in its own order, the second one place further on
    /// each time that both periods have come to an end.
    pub(super) fn at(&self, step: u64) -> (usize, usize) {
        (self.first.at(step), self.second.at(step % self.together + step / self.together))
    }
}

/// Returns the period of the cycle that has these weights.
pub(super) fn period(weights: &[u64]) -> u64 {
    weights.iter().sum::<u64>() / weights.iter().copied().fold(0, common_divisor).max(1)
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_prefix_is_within_one_of_every_share(
            weights in prop::collection::vec(0_u64..40, 1..6)
        ) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let cycle = QuotaCycle::new(&weights);
            let total: u64 = weights.iter().sum();
            let mut counts = vec![0_u64; weights.len()];
            for step in 0..2 * cycle.period() {
                counts[cycle.at(step)] += 1;
                for (count, weight) in counts.iter().zip(&weights) {
                    let off = (count * total).abs_diff((step + 1) * weight);
                    prop_assert!(off < total, "{weights:?} at {step}");
                }
            }
        }

        #[test]
        fn every_combination_gets_its_share(
            first in prop::collection::vec(1_u64..8, 1..4),
            second in prop::collection::vec(1_u64..8, 1..4),
        ) {
            let both = CyclePair::new(QuotaCycle::new(&first), QuotaCycle::new(&second));
            let (a, b) = (both.first.period(), both.second.period());
            let mut counts = vec![vec![0_u64; second.len()]; first.len()];
            for step in 0..a * b {
                let (i, j) = both.at(step);
                counts[i][j] += 1;
            }
            let (all, others) = (first.iter().sum::<u64>(), second.iter().sum::<u64>());
            for (i, row) in counts.iter().enumerate() {
                for (j, count) in row.iter().enumerate() {
                    prop_assert_eq!(count * all * others, first[i] * second[j] * a * b);
                }
            }
        }
    }
}
