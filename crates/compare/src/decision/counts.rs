//! The rule for counts: few values, whose scatter is known before they are taken.
//!
//! Five launches a side cannot carry a rank test at these levels. But what is counted repeats to a
//! part in a thousand on any machine, so the scatter of the values is shrunk towards that, worth three
//! values, and a t on logarithms decides. Where a program scatters more than that, the expectation is
//! wrong about it and is dropped: shrinking would claim changes up to four times as often as promised.
//!
//! More than the floor is *regressed*, also within the tolerance. Fewer is *improved* outside the tolerance only:
//! a compiler makes code of the same source by up to 1.4 % shorter, and nothing checks a gain.
//!
//! Counting may end before its last launch, but only where nothing changed ([`crate::counting`]). What ends early is
//! never *regressed*, so the alarms of all launches bound those of a comparison that may end early.

use stats::hodges_lehmann::Estimate;
use stats::means::{self, TEstimate, VariancePrior};

use super::{Hypothesis, Judgement, Verdict, within_limits};

/// What callgrind counts of one program scatters by, from launch to launch.
const SCATTER: VariancePrior = VariancePrior { deviation: 0.001, freedom: 3.0 };

/// The part of the family-wise error that goes to what is counted, where launch pairs are timed as
/// well.
pub const SHARE: f64 = 0.25;

/// What was counted on both builds: positive numbers, one a launch, at least one a side.
#[derive(Debug, Clone, PartialEq)]
pub struct CountSamples {
    /// Of base.
    pub base: Vec<f64>,
    /// Of head.
    pub head: Vec<f64>,
}

impl CountSamples {
    /// The difference of the logarithms.
    fn estimate(&self) -> TEstimate {
        let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<_>>();
        let (base, head) = (logs(&self.base), logs(&self.head));
        assert!(base.iter().chain(&head).all(|ln| ln.is_finite()), "counts are positive");
        estimate(&base, &head, SCATTER)
    }
}

/// How probable what was counted is, at most, if a count differs by the floor and its counting ends early.
const OVERLOOKED: f64 = 0.01;

/// Whether a count is as good as certain to be *unchanged* after more launches: it is so now at `alpha`, and lies
/// within the floor by two one-sided tests (Schuirmann 1987). What lies further from the floor than it scatters is
/// overlooked in at most one comparison of a hundred for each time that it is looked at.
pub(crate) fn is_settled(alpha: f64, hypothesis: Hypothesis, counts: &CountSamples) -> bool {
    let floor = hypothesis.floor.ln_1p();
    alone(alpha, hypothesis, counts).verdict == Verdict::Unchanged
        && counts.estimate().p_equivalent(-floor, floor) <= OVERLOOKED
}

/// Judges all hypotheses at a family-wise error of `alpha` a direction, by Holm's steps: what was
/// counted of several scenarios and metrics shares no flips, so their joint law is not known.
pub fn judge(alpha: f64, hypotheses: &[Hypothesis], counts: &[CountSamples]) -> Vec<Judgement> {
    assert_eq!(hypotheses.len(), counts.len(), "one pair of samples a hypothesis");
    let mut judgements: Vec<Judgement> = hypotheses
        .iter()
        .zip(counts)
        .map(|(&hypothesis, counts)| alone(alpha, hypothesis, counts))
        .collect();
    super::share_by_holm(&mut judgements);
    for judgement in &mut judgements {
        let withheld = match judgement.verdict {
            Verdict::Regressed => judgement.p_slower > alpha,
            Verdict::Improved => judgement.p_faster > alpha,
            Verdict::Unchanged | Verdict::Inconclusive => false,
        };
        if withheld {
            judgement.verdict = Verdict::Inconclusive;
        }
    }
    judgements
}

/// The judgement on one hypothesis as if it were the only one.
fn alone(alpha: f64, hypothesis: Hypothesis, counts: &CountSamples) -> Judgement {
    let estimate = counts.estimate();
    let (low, high) = estimate.limits(alpha);
    let (floor, tolerance) = (hypothesis.floor.ln_1p(), hypothesis.tolerance.ln_1p());
    // Unlike a time, a count is known so exactly that most changes within the tolerance are shown to lie
    // within it, so more than the floor comes first. Whether it is news is said by what else has changed.
    let verdict = if low > floor {
        Verdict::Regressed
    } else {
        within_limits(&Estimate { value: estimate.value, low, high }, hypothesis)
    };
    Judgement {
        verdict,
        before: Verdict::Inconclusive,
        estimate_ln: estimate.value,
        low_ln: low,
        high_ln: high,
        p_slower: estimate.p_greater(floor),
        p_faster: estimate.p_less(-floor),
        is_one_machine: false,
        p_unchanged: estimate.p_equivalent(-tolerance, tolerance),
        mde_ln: floor + estimate.detectable(alpha),
        visible_ln: f64::INFINITY,
        spread_ln: f64::INFINITY,
        sample: counts.base.len().min(counts.head.len()),
    }
}

/// Returns the difference of two means by the expected scatter, or by that of the values where it is larger.
pub(super) fn estimate(base: &[f64], head: &[f64], expected: VariancePrior) -> TEstimate {
    let shrunken = means::pooled(base, head, expected);
    if base.len() + head.len() <= 2 {
        return shrunken;
    }
    // Both are standard errors of the same difference; the larger scatter has the larger one.
    let plain = means::pooled(base, head, VariancePrior::NONE);
    if plain.standard_error > shrunken.standard_error { plain } else { shrunken }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use stats::draw;

    const RULE: Hypothesis = Hypothesis { floor: 0.005, tolerance: 0.01 };

    fn of(base: [f64; 5], head: [f64; 5]) -> Judgement {
        let counts = CountSamples { base: base.to_vec(), head: head.to_vec() };
        judge(0.0025, &[RULE], &[counts])[0]
    }

    const BASE: [f64; 5] = [64_746.0, 64_810.0, 64_793.0, 64_886.0, 64_801.0];

    #[test]
    fn the_figures_of_the_design_are_distinguished() {
        assert_eq!(of(BASE, BASE).verdict, Verdict::Unchanged);
        let more = [65_656.0, 65_700.0, 65_756.0, 65_690.0, 65_711.0];
        let judgement = of(BASE, more);
        assert_eq!(judgement.verdict, Verdict::Regressed);
        assert!((judgement.estimate_ln.exp() - 1.0138).abs() < 0.0001, "{judgement:?}");
        assert_eq!(of(more, BASE).verdict, Verdict::Improved);
    }

    #[test]
    fn more_than_the_floor_is_a_regression_within_the_tolerance_and_less_is_no_gain() {
        let judged = |factor: f64| {
            let head = BASE.map(|count| count * factor).to_vec();
            let counts = CountSamples { base: BASE.to_vec(), head };
            judge(0.0025, &[Hypothesis { floor: 0.005, tolerance: 0.03 }], &[counts])[0].verdict
        };
        for (factor, verdict) in [
            (1.004, Verdict::Unchanged),
            (1.010, Verdict::Regressed),
            (1.028, Verdict::Regressed),
            (1.100, Verdict::Regressed),
            (0.975, Verdict::Unchanged),
            (0.960, Verdict::Improved),
        ] {
            assert_eq!(judged(factor), verdict, "{factor}");
        }
    }

    #[test]
    fn a_program_that_scatters_gets_wider_limits() {
        let wild = [60_000.0, 66_000.0, 64_000.0, 69_000.0, 65_000.0];
        assert_eq!(of(wild, wild).verdict, Verdict::Inconclusive);
        assert!(of(wild, wild).mde_ln > 0.1);
    }

    #[test]
    fn two_metrics_share_the_error() {
        let head = BASE.map(|count| count * 1.008);
        let counts = CountSamples { base: BASE.to_vec(), head: head.to_vec() };
        let one = judge(0.0025, &[RULE], std::slice::from_ref(&counts))[0];
        let two = judge(0.0025, &[RULE, RULE], &[counts.clone(), counts])[0];
        assert!((two.p_slower / one.p_slower - 2.0).abs() < 1e-9);
    }

    /// Without a floor, *slower* may be claimed of programs that are the same in 100 of 40 000
    /// comparisons. The expectation counts as three values that never err, so it is half as often
    /// where the scatter is as expected, and does not count where it is larger.
    #[test]
    fn alarms_are_as_rare_as_promised() {
        let rule = Hypothesis { floor: 0.0, tolerance: 1e-9 };
        let alarms = |deviation: f64| {
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let mut counts =
                || (0..5).map(|_| (deviation * draw::normal(&mut rng)).exp()).collect();
            let mut alarm = || {
                let counts = CountSamples { base: counts(), head: counts() };
                judge(0.0025, &[rule], &[counts])[0].verdict == Verdict::Regressed
            };
            (0..40_000).filter(|_| alarm()).count()
        };
        let alarms = [0.0005, 0.001, 0.002].map(alarms);
        assert_eq!(alarms, [2, 42, 93]);
    }
}
