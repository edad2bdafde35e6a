//! What the rule promises whatever the numbers are.

#![expect(clippy::unwrap_used, reason = "a design that cannot be made must fail the test")]

use std::collections::BTreeSet;

use compare::decision::design::LOOKS;
use compare::decision::sequential::SequentialComparison;
use compare::decision::{self, DesignError, Hypothesis, Judgement, SequentialDesign, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::RngSeed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use stats::draw;
use stats::power;
use stats::sequential;

const USUAL: Hypothesis = Hypothesis { floor: 0.01, tolerance: 0.03 };

/// Both rules, so that what holds must hold for both.
#[derive(Debug, Clone, Copy)]
enum DecisionRule {
    PlannedLooks,
    UntilDecided,
}

impl DecisionRule {
    fn judge(self, differences: &[Vec<f64>]) -> Vec<Judgement> {
        let hypotheses = vec![USUAL; differences.len()];
        match self {
            Self::PlannedLooks => {
                decision::judge(&SequentialDesign::default(), &hypotheses, differences, 7)
            }
            Self::UntilDecided => {
                SequentialComparison::new(0.01, 40).unwrap().judge(&hypotheses, differences)
            }
        }
    }
}

fn rule() -> impl Strategy<Value = DecisionRule> {
    prop_oneof![Just(DecisionRule::PlannedLooks), Just(DecisionRule::UntilDecided)]
}

/// One to three metrics over the same 1 to 20 launch pairs, of any size of effect and noise.
fn differences() -> impl Strategy<Value = Vec<Vec<f64>>> {
    (1..=3_usize, 1..=20_usize).prop_flat_map(|(metrics, launch_pairs)| {
        let metric = (-0.08..0.08, 0.001..0.05).prop_flat_map(move |(shift, noise): (f64, f64)| {
            vec((-1.0..1.0).prop_map(move |x: f64| shift + noise * x), launch_pairs)
        });
        vec(metric, metrics)
    })
}

fn mirrored(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Regressed => Verdict::Improved,
        Verdict::Improved => Verdict::Regressed,
        Verdict::Unchanged => Verdict::Unchanged,
        Verdict::Inconclusive => Verdict::Inconclusive,
    }
}

fn map(differences: &[Vec<f64>], f: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
    differences.iter().map(|row| row.iter().map(|d| f(*d)).collect()).collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9 || a.total_cmp(&b).is_eq()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn swapping_base_and_head_mirrors_every_judgement(d in differences(), rule in rule()) {
        let there = rule.judge(&d);
        let back = rule.judge(&map(&d, |d| -d));
        for (there, back) in there.iter().zip(&back) {
            prop_assert_eq!(there.verdict, mirrored(back.verdict));
            prop_assert!(near(there.estimate_ln, -back.estimate_ln));
            prop_assert!(near(there.low_ln, -back.high_ln) && near(there.high_ln, -back.low_ln));
            prop_assert!(near(there.p_slower, back.p_faster) && near(there.p_faster, back.p_slower));
            prop_assert!(near(there.mde_ln, back.mde_ln));
        }
    }

    #[test]
    fn the_unit_of_the_measurements_does_not_matter(
        d in differences(), rule in rule(), base in 1e-3..1e3_f64, unit in 1e-9..1e9_f64,
    ) {
        let in_unit = |unit: f64| map(&d, |d| (d.exp() * base * unit / (base * unit)).ln());
        for (plain, scaled) in rule.judge(&in_unit(1.0)).iter().zip(&rule.judge(&in_unit(unit))) {
            prop_assert_eq!(plain.verdict, scaled.verdict);
            prop_assert!(near(plain.estimate_ln, scaled.estimate_ln));
        }
    }

    #[test]
    fn a_factor_on_head_moves_the_estimate_and_its_limits_by_it(
        d in vec(-0.05..0.05_f64, 10), factor in 0.5..2.0_f64,
    ) {
        let judge = |d: &[f64]| {
            let design = SequentialDesign::fixed(0.01, 10).unwrap();
            decision::judge(&design, &[USUAL], &[d.to_vec()], 1)[0]
        };
        let moved: Vec<f64> = d.iter().map(|d| d + factor.ln()).collect();
        let (plain, moved) = (judge(&d), judge(&moved));
        prop_assert!(near(moved.estimate_ln, plain.estimate_ln + factor.ln()));
        prop_assert!(near(moved.low_ln, plain.low_ln + factor.ln()));
        prop_assert!(near(moved.high_ln, plain.high_ln + factor.ln()));
        prop_assert!(near(moved.mde_ln, plain.mde_ln));
    }

    #[test]
    fn a_verdict_never_contradicts_its_interval(d in differences(), rule in rule()) {
        for j in rule.judge(&d) {
            prop_assert!(j.low_ln <= j.estimate_ln && j.estimate_ln <= j.high_ln);
            match j.verdict {
                Verdict::Regressed => prop_assert!(j.low_ln >= 0.01_f64.ln_1p()),
                Verdict::Improved => prop_assert!(j.high_ln <= -0.01_f64.ln_1p()),
                Verdict::Unchanged => {
                    prop_assert!(j.low_ln >= -0.03_f64.ln_1p() && j.high_ln <= 0.03_f64.ln_1p());
                }
                Verdict::Inconclusive => {}
            }
        }
    }

    #[test]
    fn later_launch_pairs_never_take_a_verdict_back(d in differences(), rule in rule()) {
        let all = rule.judge(&d);
        for seen in 1..d[0].len() {
            let earlier: Vec<_> = d.iter().map(|row| row[..seen].to_vec()).collect();
            for (earlier, all) in rule.judge(&earlier).iter().zip(&all) {
                if earlier.verdict != Verdict::Inconclusive {
                    prop_assert_eq!(earlier, all);
                }
            }
        }
    }

    #[test]
    fn what_lies_between_two_looks_waits(d in vec(-0.05..0.05_f64, 1..28)) {
        let seen = LOOKS.into_iter().rfind(|look| *look <= d.len());
        let there = DecisionRule::PlannedLooks.judge(std::slice::from_ref(&d))[0];
        if let Some(seen) = seen {
            prop_assert_eq!(there, DecisionRule::PlannedLooks.judge(&[d[..seen].to_vec()])[0]);
        } else {
            prop_assert_eq!(there.verdict, Verdict::Inconclusive);
        }
    }

    #[test]
    fn a_further_metric_never_strengthens_the_evidence_for_another(
        d in vec(vec(-0.05..0.1_f64, 10), 2..5),
    ) {
        let all = DecisionRule::PlannedLooks.judge(&d);
        for (fewer, all) in DecisionRule::PlannedLooks.judge(&d[1..]).iter().zip(&all[1..]) {
            prop_assert!(fewer.p_slower <= all.p_slower && fewer.p_faster <= all.p_faster);
        }
    }

    #[test]
    fn the_order_of_the_metrics_does_not_matter(d in vec(vec(-0.05..0.1_f64, 14), 2..5)) {
        let there = DecisionRule::PlannedLooks.judge(&d);
        let mut back = DecisionRule::PlannedLooks.judge(&d.iter().rev().cloned().collect::<Vec<_>>());
        back.reverse();
        prop_assert_eq!(there, back);
    }

    /// A further look costs every look some level: who looks more often must ask for more evidence.
    /// The grain of 2 000 walks, of which 100 lie below the level, is what the factor allows for.
    #[test]
    fn more_looks_never_widen_validity(
        fewer in subsequence((16..30_usize).collect::<Vec<_>>(), 1..5), extra in 16..30_usize,
    ) {
        let level = |looks: &[usize]| {
            sequential::constant_level(0.05, looks, 2_000, &mut ChaCha8Rng::seed_from_u64(3))
        };
        let last = [30];
        let with = |extra: &[usize]| {
            let looks: BTreeSet<usize> = fewer.iter().chain(extra).chain(&last).copied().collect();
            level(&looks.into_iter().collect::<Vec<_>>())
        };
        prop_assert!(with(&[extra]) <= 1.02 * with(&[]));
    }
}

/// The table's levels come from another program's simulation of 400 000 walks. Ours, of as many, must
/// find levels that keep the same error: the share of walks at a level has a standard error of
/// sqrt(alpha / 400 000), which is 1.6 % of an alpha of 1 %; the law is discrete on top of that.
#[test]
fn simulated_levels_agree_with_the_table() {
    for alpha in [0.01, 0.05] {
        let known = SequentialDesign::new(alpha, LOOKS.to_vec()).unwrap().level;
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let ours = sequential::constant_level(alpha, &LOOKS, 400_000, &mut rng);
        assert!((ours / known - 1.0).abs() < 0.05, "{ours} is not {known}");
    }
}

#[test]
fn looks_follow_from_what_can_be_afforded() {
    let looks =
        |launch_pairs| SequentialDesign::within(0.01, launch_pairs).map(|design| design.looks);
    assert_eq!(looks(7), Ok(vec![7]));
    assert_eq!(looks(12), Ok(vec![10, 12]));
    assert_eq!(looks(25), Ok(vec![10, 14, 20, 25]));
    assert_eq!(looks(40), Ok(LOOKS.to_vec()));
    assert_eq!(looks(100), Ok(vec![10, 14, 20, 28, 40, 56, 80, 100]));
}

#[test]
fn a_design_that_cannot_be_kept_is_refused_with_what_would_be_right() {
    let refused = |design: Result<SequentialDesign, DesignError>| design.unwrap_err().to_string();
    insta::assert_snapshot!(refused(SequentialDesign::within(0.01, 6)), @r"
    6 launch pairs cannot decide at an error rate of 0.01

    hint: it takes at least 7
    ");
    insta::assert_snapshot!(refused(SequentialDesign::fixed(0.0, 40)),
        @"an error rate of 0 is not between 0.001 and 0.2");
    insta::assert_snapshot!(refused(SequentialDesign::new(0.01, vec![14, 10])),
        @"looks must be rising numbers of launch pairs, from 1 to 2000");
}

/// Draws 400 comparisons of normal noise with a true change of the size that was predicted to be
/// found four times in five. The prediction leaves the earlier looks out, so more are found.
#[test]
fn a_change_of_the_predicted_size_is_found_four_times_in_five() {
    let design = SequentialDesign::within(0.01, 20).unwrap();
    let (spread, hypothesis) = (0.02, Hypothesis { floor: 0.01, tolerance: 0.01 });
    let shift = design.predicted_mde_ln(spread, hypothesis, 1);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut found = 0;
    for seed in 0..400 {
        let d = (0..20).map(|_| shift + spread * draw::normal(&mut rng)).collect();
        let judgement = decision::judge(&design, &[hypothesis], &[d], seed)[0];
        found += u32::from(judgement.verdict == Verdict::Regressed);
    }
    assert!((320..=360).contains(&found), "{found} of 400");
}

/// The spread of a run is what a prediction for the next one takes: the two must fit.
#[test]
fn the_spread_of_a_run_predicts_what_its_like_can_detect() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let d: Vec<f64> = (0..28).map(|_| 0.02 * draw::normal(&mut rng)).collect();
    let predicted = power::predicted(28, power::spread(&d), 0.01, 0.003);
    assert!(near(predicted, power::detectable(&d, 0.01, 0.003)));
}

#[test]
fn nothing_to_judge_is_no_reason_to_fail() {
    assert_eq!(decision::judge(&SequentialDesign::default(), &[], &[], 1), vec![]);
}
