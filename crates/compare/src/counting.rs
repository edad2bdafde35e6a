//! When counting ends.
//!
//! After two launches of each side, and after every further one, a scenario that is as good as certain to stay
//! *unchanged* is counted no more. Whatever may have changed gets all its launches: no error rate is spent.

use record::evidence::EvidenceState;
use record::instruction_counts::CountedMetric;
use record::metric::gate::{GateRules, MetricPolicy};

use crate::decision::counts::{self, CountSamples};
use crate::row_context::RowEvidence;
use crate::{hypothesis, work};

/// Launches of each side before counting may end: one shows no scatter.
const LAUNCHES_MIN: usize = 2;

/// Whether the counting of a scenario goes on.
#[derive(Debug, Clone, Copy)]
pub struct CountingRule<'a> {
    gate: &'a GateRules,
    /// The error rate of one metric of one scenario, no larger than what it is judged at.
    alpha: f64,
}

impl<'a> CountingRule<'a> {
    /// The rule of a comparison of so many scenarios, and of the attempts before it.
    pub fn of(gate: &'a GateRules, scenarios: usize, attempts: Option<&EvidenceState>) -> Self {
        // Calls to services may share what counts have.
        const LANES: f64 = 2.0;
        let rows = scenarios.max(1) * work::METRICS.len();
        let of_attempt = |it: &EvidenceState| it.error_share() * it.count_share();
        let share = counts::SHARE / LANES * attempts.map_or(1.0, of_attempt);
        Self { gate, alpha: gate.alpha * share / rows as f64 }
    }

    /// Whether no further launch is needed to call everything that was counted of a scenario unchanged.
    pub fn is_settled(&self, scenario: &str, counted: &[CountedMetric<'_>]) -> bool {
        counted.iter().all(|it| {
            let rule = work::rule(self.gate, scenario, it.metric);
            rule.policy == MetricPolicy::Off || {
                let (_, rests_on) = work::finding(it.metric, Some(it.base), it.head, false);
                matches!(rests_on, RowEvidence::Counts(counts)
                    if has_least(&counts) && counts::is_settled(self.alpha, hypothesis(rule), &counts))
            }
        })
    }
}

fn has_least(counts: &CountSamples) -> bool {
    counts.base.len().min(counts.head.len()) >= LAUNCHES_MIN
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use record::metric::Metric;
    use record::metric::gate::MetricRule;
    use stats::draw;
    use units::Ratio;

    use super::*;
    use crate::decision::Verdict;

    const LAUNCHES: usize = 5;

    fn settled(gate: &GateRules, base: &[f64], head: &[f64]) -> bool {
        let counted = [CountedMetric { metric: Metric::Work, base, head }];
        CountingRule::of(gate, 3, None).is_settled("medium", &counted)
    }

    #[test]
    fn what_may_have_changed_is_counted_to_the_end() {
        let gate = GateRules::default();
        let base = [64_746.0, 64_810.0, 64_793.0];
        let times = |factor: f64| base.map(|count| count * factor);
        assert!(settled(&gate, &base, &base));
        assert!(settled(&gate, &base[..2], &base[..2]));
        assert!(!settled(&gate, &base[..1], &base[..1]), "one launch");
        for factor in [1.1, 1.01, 1.004, 0.996, 0.9] {
            assert!(!settled(&gate, &base, &times(factor)), "{factor}");
        }
        assert!(!settled(&gate, &base, &[63_000.0, 66_000.0, 64_793.0]), "it scatters");
        assert!(!settled(&gate, &base, &[0.0; 3]), "there is no ratio");
    }

    #[test]
    fn a_metric_that_is_off_is_not_waited_for() {
        let mut gate = GateRules::default();
        let rule = MetricRule { policy: MetricPolicy::Off, ..gate.rule(Metric::Work) };
        gate.rules.insert(Metric::Work, rule);
        assert!(settled(&gate, &[1.0; 3], &[2.0; 3]));
    }

    #[test]
    fn a_tolerance_that_few_launches_cannot_show_asks_for_all() {
        let mut gate = GateRules::default();
        let rule = gate.rule(Metric::Work);
        let tolerance = Ratio(0.003);
        gate.rules.insert(Metric::Work, MetricRule { tolerance, ..rule });
        let count = [64_746.0, 64_810.0, 64_793.0];
        assert!(!settled(&gate, &count, &count));
    }

    /// Comparisons of one metric whose counts differ by `change` and scatter by `deviation`: in how many of 2 000 head is
    /// *regressed* with all launches, in how many where the rule may end the counting, and what part of the launches
    /// that takes.
    fn outcomes(change: f64, deviation: f64) -> (usize, usize, f64) {
        const COMPARISONS: usize = 2_000;
        let gate = GateRules::default();
        let rule = CountingRule::of(&gate, 1, None);
        let work = [hypothesis(gate.rule(Metric::Work))];
        let is_red = |base: &[f64], head: &[f64]| {
            let counts = CountSamples { base: base.to_vec(), head: head.to_vec() };
            let judged = counts::judge(gate.alpha * counts::SHARE, &work, &[counts])[0];
            usize::from(judged.verdict == Verdict::Regressed)
        };
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut red_of_all, mut red, mut launches) = (0, 0, 0);
        for _ in 0..COMPARISONS {
            let mut side = |change: f64| {
                let mut count = || (change + deviation * draw::normal(&mut rng)).exp();
                [(); LAUNCHES].map(|()| count())
            };
            let (base, head) = (side(0.0), side(change.ln_1p()));
            let ends = |taken: &usize| {
                let (base, head) = (&base[..*taken], &head[..*taken]);
                let counted = CountedMetric { metric: Metric::Work, base, head };
                rule.is_settled("medium", &[counted])
            };
            let taken = (1..LAUNCHES).find(ends).unwrap_or(LAUNCHES);
            red_of_all += is_red(&base, &head);
            red += is_red(&base[..taken], &head[..taken]);
            launches += taken;
        }
        (red_of_all, red, launches as f64 / (COMPARISONS * LAUNCHES) as f64)
    }

    #[test]
    fn ending_early_costs_neither_alarms_nor_power() {
        let unchanged = [0.000_5, 0.001, 0.002, 0.005].map(|deviation| outcomes(0.0, deviation));
        insta::assert_compact_debug_snapshot!(unchanged, @"[(0, 0, 0.4045), (0, 0, 0.502), (0, 0, 0.8203), (0, 0, 0.9907)]");
        let small = [0.005, 0.006, 0.008, 0.01, 0.015].map(|change| outcomes(change, 0.001));
        insta::assert_compact_debug_snapshot!(small, @"[(1, 1, 0.9968), (92, 92, 1.0), (1544, 1544, 1.0), (1993, 1993, 1.0), (2000, 2000, 1.0)]");
        let wild = [0.005, 0.01, 0.02, 0.03].map(|change| outcomes(change, 0.003));
        insta::assert_compact_debug_snapshot!(wild, @"[(3, 3, 0.9854), (438, 438, 1.0), (1993, 1993, 1.0), (2000, 2000, 1.0)]");
    }
}
