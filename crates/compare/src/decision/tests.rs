//! What the rule promises whatever the numbers are, and what its reference implementation says.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use stats::draw;
use stats::evidence::Wealth;

use super::family::{FamilyEvidence, PlacementTrust};
use super::{DecisionRule, Hypothesis, Judgement, MachineEvidence, RuleError, Verdict, measured};

/// Rows of an attempt in which every launch pair has all.
type Rows = Vec<Vec<f64>>;

const USUAL: Hypothesis = Hypothesis { floor: 0.01, tolerance: 0.03 };

fn judge_attempts(attempts: &[Rows]) -> Vec<Judgement> {
    let hypotheses = vec![USUAL; attempts.first().map_or(0, Vec::len)];
    let attempts: Vec<_> = attempts.iter().map(|rows| measured(rows)).collect();
    DecisionRule::default().judge(&hypotheses, &attempts)
}

fn judge(differences: &[Vec<f64>]) -> Vec<Judgement> {
    judge_attempts(&[differences.to_vec()])
}

/// One to three metrics over the same 1 to 20 launch pairs, of any size of effect and noise.
fn differences() -> impl Strategy<Value = Rows> {
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

fn map(differences: &[Vec<f64>], f: impl Fn(f64) -> f64) -> Rows {
    differences.iter().map(|row| row.iter().map(|d| f(*d)).collect()).collect()
}

fn seen(differences: &[Vec<f64>], launch_pairs: usize) -> Rows {
    differences.iter().map(|row| row[..launch_pairs].to_vec()).collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-7 || a.total_cmp(&b).is_eq()
}

#[test]
fn verdicts_are_those_of_the_reference_after_every_launch_pair() {
    let text = include_str!("../../../../tests/data/evidence_vectors.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    for case in vectors["record"].as_array().unwrap() {
        let share = |key: &str| case[key].as_f64().unwrap();
        let attempts: Vec<Vec<Vec<f64>>> =
            serde_json::from_value(case["attempts"].clone()).unwrap();
        let words: Vec<Vec<String>> = serde_json::from_value(case["words"].clone()).unwrap();
        let hypothesis = Hypothesis { floor: share("floor"), tolerance: share("tolerance") };
        let mut family = FamilyEvidence::new(share("alpha"), &vec![hypothesis; words[0].len()]);
        let mut words = words.iter();
        for attempt in &attempts {
            family.begin_attempt(0);
            for launch_pair in attempt {
                family.see(&launch_pair.iter().copied().map(Some).collect::<Vec<_>>());
                let found: Vec<&str> = family.verdicts().map(Verdict::key).collect();
                assert_eq!(found, *words.next().unwrap(), "{}", case["name"]);
            }
        }
        assert!(words.next().is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn swapping_base_and_head_mirrors_every_judgement(d in differences()) {
        for (there, back) in judge(&d).iter().zip(&judge(&map(&d, |d| -d))) {
            prop_assert_eq!(there.verdict, mirrored(back.verdict));
            prop_assert!(near(there.estimate_ln, -back.estimate_ln));
            prop_assert!(near(there.low_ln, -back.high_ln) && near(there.high_ln, -back.low_ln));
            prop_assert!(near(there.p_slower, back.p_faster) && near(there.p_faster, back.p_slower));
            prop_assert!(near(there.mde_ln, back.mde_ln) && near(there.visible_ln, back.visible_ln));
        }
    }

    #[test]
    fn the_unit_of_the_measurements_does_not_matter(
        d in differences(), base in 1e-3..1e3_f64, unit in 1e-9..1e9_f64,
    ) {
        let in_unit = |unit: f64| map(&d, |d| (d.exp() * base * unit / (base * unit)).ln());
        for (plain, scaled) in judge(&in_unit(1.0)).iter().zip(&judge(&in_unit(unit))) {
            prop_assert_eq!(plain.verdict, scaled.verdict);
            prop_assert!(near(plain.estimate_ln, scaled.estimate_ln));
        }
    }

    #[test]
    fn a_factor_on_head_moves_the_estimate_and_its_limits_by_it(
        d in vec(-0.05..0.05_f64, 12), factor in 0.5..2.0_f64,
    ) {
        // A verdict narrows the limits to its floor, so what moves is looked at where there is none.
        let none = Hypothesis { floor: 100.0, tolerance: 0.0 };
        let judge = |d: Vec<f64>| DecisionRule::default().judge(&[none], &[measured(&[d])])[0];
        let moved = judge(d.iter().map(|d| d + factor.ln()).collect());
        let plain = judge(d);
        prop_assert!(near(moved.estimate_ln, plain.estimate_ln + factor.ln()));
        prop_assert!(near(moved.low_ln, plain.low_ln + factor.ln()));
        prop_assert!(near(moved.high_ln, plain.high_ln + factor.ln()));
        prop_assert!(near(moved.mde_ln, plain.mde_ln));
    }

    #[test]
    fn limits_hold_the_estimate(d in differences()) {
        for j in judge(&d) {
            prop_assert!(j.low_ln <= j.estimate_ln && j.estimate_ln <= j.high_ln);
        }
    }

    #[test]
    fn a_verdict_does_not_contradict_its_interval_when_it_falls(d in differences()) {
        let mut before = vec![Verdict::Inconclusive; d.len()];
        for n in 1..=d[0].len() {
            for (before, j) in before.iter_mut().zip(judge(&seen(&d, n))) {
                let has_fallen = *before != j.verdict;
                *before = j.verdict;
                match j.verdict {
                    Verdict::Regressed if has_fallen => prop_assert!(j.high_ln >= 0.01_f64.ln_1p()),
                    Verdict::Improved if has_fallen => prop_assert!(j.low_ln <= -0.01_f64.ln_1p()),
                    Verdict::Unchanged if has_fallen => {
                        prop_assert!(j.low_ln >= -0.03_f64.ln_1p() - 1e-9);
                        prop_assert!(j.high_ln <= 0.03_f64.ln_1p() + 1e-9);
                    }
                    _ => {}
                }
            }
        }
    }

    /// *Unchanged* is final, and nothing turns from worse to better without an *inconclusive* between.
    #[test]
    fn a_later_launch_pair_takes_a_verdict_back_only_by_refuting_it(d in differences()) {
        let mut before = vec![Verdict::Inconclusive; d.len()];
        for n in 1..=d[0].len() {
            for (before, j) in before.iter_mut().zip(judge(&seen(&d, n))) {
                match (*before, j.verdict) {
                    (Verdict::Unchanged, now) => prop_assert_eq!(now, Verdict::Unchanged),
                    (Verdict::Regressed, now) => prop_assert!(now != Verdict::Improved),
                    (Verdict::Improved, now) => prop_assert!(now != Verdict::Regressed),
                    (Verdict::Inconclusive, _) => {}
                }
                *before = j.verdict;
            }
        }
    }

    /// Split into attempts, launch pairs of one machine say what they say in one go, up to the sizes
    /// that every attempt learns anew: no verdict comes out reversed.
    #[test]
    fn an_attempt_takes_up_where_the_last_one_ended(d in differences(), at in 0.0..1.0_f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 20")]
        let at = (at * d[0].len() as f64) as usize;
        let first = seen(&d, at);
        let second: Rows = d.iter().map(|row| row[at..].to_vec()).collect();
        let both = judge_attempts(&[first.clone(), second]);
        for (before, after) in judge(&first).iter().zip(&both) {
            prop_assert_eq!(before.verdict, after.before);
            prop_assert_eq!(after.sample, d[0].len());
        }
    }

    #[test]
    fn a_further_metric_never_strengthens_the_evidence_for_another(
        d in vec(vec(-0.05..0.1_f64, 10), 2..5),
    ) {
        for (fewer, all) in judge(&d[1..]).iter().zip(&judge(&d)[1..]) {
            prop_assert!(fewer.p_slower <= all.p_slower + 1e-12);
            prop_assert!(fewer.p_faster <= all.p_faster + 1e-12);
        }
    }

    #[test]
    fn the_order_of_the_metrics_does_not_matter(d in vec(vec(-0.05..0.1_f64, 14), 2..5)) {
        let mut back = judge(&d.iter().rev().cloned().collect::<Vec<_>>());
        back.reverse();
        for (there, back) in judge(&d).iter().zip(&back) {
            prop_assert_eq!(there.verdict, back.verdict);
            prop_assert!(near(there.p_slower, back.p_slower) && near(there.low_ln, back.low_ln));
        }
    }
}

/// A metric that an attempt did not measure keeps what it had, and its place in the family.
#[test]
fn a_metric_that_is_left_out_of_an_attempt_keeps_its_verdict() {
    let slow: Vec<f64> = (0..12).map(|i| 0.08 + 0.001 * f64::from(i % 3)).collect();
    let same: Vec<f64> = (0..12).map(|i| 0.001 * f64::from(i % 3)).collect();
    let first = vec![slow.clone(), same];
    let both = judge_attempts(&[first, vec![slow, Vec::new()]]);
    assert_eq!(both[0].verdict, Verdict::Regressed);
    assert_eq!((both[1].verdict, both[1].sample), (Verdict::Unchanged, 12));
}

#[test]
fn a_rule_that_cannot_be_kept_is_refused_with_what_would_be_right() {
    assert_eq!(
        DecisionRule::new(0.01, 7),
        Err(RuleError::TooFew { launch_pairs: 7, alpha: 0.01, needed: 8 })
    );
    assert!(DecisionRule::new(0.01, 8).is_ok());
    assert_eq!(DecisionRule::new(0.0, 40), Err(RuleError::Alpha { alpha: 0.0 }));
    assert_eq!(DecisionRule::new(0.01, 0), Err(RuleError::LaunchPairs { launch_pairs: 0 }));
    assert_eq!(DecisionRule::new(0.01, 2_001), Err(RuleError::LaunchPairs { launch_pairs: 2_001 }));
}

/// Draws 400 comparisons of normal noise with a true change of the size that is detectable four
/// times in five: the fit errs on the side of a larger change.
#[test]
fn a_change_of_the_detectable_size_is_found_four_times_in_five() {
    let rule = DecisionRule { launch_pairs_max: 20, ..DecisionRule::default() };
    let hypothesis = Hypothesis { floor: 0.01, tolerance: 0.01 };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut noise = |n: usize| (0..n).map(|_| 0.02 * draw::normal(&mut rng)).collect::<Vec<f64>>();
    let calm = rule.judge(&[hypothesis], &[measured(&[noise(400)])])[0];
    assert!((calm.spread_ln - 0.02).abs() < 0.002, "{}", calm.spread_ln);
    let is_found = |noise: Vec<f64>| {
        let d = noise.into_iter().map(|noise| noise + calm.mde_ln).collect();
        rule.judge(&[hypothesis], &[measured(&[d])])[0].verdict == Verdict::Regressed
    };
    let found = (0..400).filter(|_| is_found(noise(20))).count();
    assert!((310..=370).contains(&found), "{found} of 400");
}

#[test]
fn nothing_to_judge_is_no_reason_to_fail() {
    assert_eq!(DecisionRule::default().judge(&[], &[]), vec![]);
    assert_eq!(judge_attempts(&[vec![Vec::new()]])[0].verdict, Verdict::Inconclusive);
}

/// However often it comes back, one machine does not show a change of what it may hold an offset for.
#[test]
fn a_suspect_metric_takes_two_machines() {
    let hypothesis = Hypothesis { floor: 0.01, tolerance: 0.03 };
    let judge = |machines: &[usize], d: f64| {
        let attempts = vec![measured(&[vec![d; 14]]); machines.len()];
        let trust = vec![PlacementTrust::Suspect];
        let on = MachineEvidence { trust, machines: machines.to_vec() };
        let judged = DecisionRule::default().judge_on_machines(&[hypothesis], &attempts, on)[0];
        (judged.verdict, judged.is_one_machine)
    };
    for alone in [&[0][..], &[0; 5]] {
        assert_eq!(judge(alone, 0.05), (Verdict::Inconclusive, true), "{alone:?}");
    }
    assert_eq!(judge(&[0, 1], 0.05), (Verdict::Regressed, false));
    assert_eq!(judge(&[0, 0, 1], -0.05), (Verdict::Improved, false));
    assert_eq!(judge(&[0], 0.0), (Verdict::Unchanged, false));
}

/// Six metrics of three shards whose true change is the floor, which is no regression. Each shard ends as soon as its
/// own evidence looks like one, at a launch pair of its own, so that evidence is kept while it is high. By Ville's
/// inequality at most 5 % of the families may alarm: 50 of 1 000, and 71 by three standard deviations.
#[test]
fn shards_that_end_when_it_suits_them_keep_the_error_rate_of_one_run() {
    let rule = DecisionRule { alpha: 0.05, launch_pairs_max: 30 };
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut shard = || -> Rows {
        let mut rows = vec![Vec::new(); 2];
        let mut wealths = [Wealth::default(), Wealth::default()];
        let floor = USUAL.floor.ln_1p();
        while rows[0].len() < rule.launch_pairs_max && wealths.iter().all(|it| it.p() > 0.2) {
            for (row, wealth) in rows.iter_mut().zip(&mut wealths) {
                let above = 0.02 * draw::normal(&mut random);
                wealth.see(above);
                row.push(floor + above);
            }
        }
        rows
    };
    let mut lengths = BTreeSet::new();
    let alarms = (0..1_000).filter(|_| {
        let rows = [shard(), shard(), shard()].concat();
        lengths.extend(rows.iter().map(Vec::len));
        let judged = rule.judge(&[USUAL; 6], &[measured(&rows)]);
        judged.iter().any(|it| it.verdict == Verdict::Regressed)
    });
    let alarms = alarms.count();
    assert!(alarms <= 71, "{alarms} of 1 000 families");
    assert!(lengths.len() > 20, "shards end at different launch pairs: {lengths:?}");
}
