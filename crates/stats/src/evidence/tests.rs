//! The evidence against its reference values, and what must hold whatever the values are.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;

use super::{Wealth, closed_by_means, limits, values_needed};
use crate::draw;
use crate::hodges_lehmann::Estimate;

/// Computed by another program, in plain Python.
fn vectors(kind: &str) -> Vec<Value> {
    let text = include_str!("../../../../tests/data/evidence_vectors.json");
    serde_json::from_str::<Value>(text).unwrap()[kind].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[track_caller]
fn close(found: &[f64], expected: &[f64], name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{name}: {found} is not {expected}");
    }
}

#[test]
fn wealth_agrees_with_the_reference() {
    for case in vectors("gambler") {
        let mut wealth = Wealth::default();
        let found: Vec<f64> =
            numbers(&case["values"]).into_iter().map(|value| wealth.see(value)).collect();
        close(&found, &numbers(&case["ln_wealth"]), case["name"].as_str().unwrap());
    }
}

#[test]
fn families_agree_with_the_reference() {
    for case in vectors("closed") {
        let found = closed_by_means(&numbers(&case["ln_wealth"]));
        close(&found, &numbers(&case["family"]), &case.to_string());
    }
}

#[test]
fn the_fewest_values_are_those_of_the_design() {
    let needed = [1, 2, 3, 4, 6, 8, 12, 24, 48].map(|family| values_needed(0.01, family));
    assert_eq!(needed, [8, 9, 10, 10, 11, 11, 12, 13, 14]);
}

/// Ville's bound, on values of heavy tails, with a look after each of 200: 80 sessions in 4 000 are
/// expected to reach 50 at most, and 117 would be four standard errors more.
#[test]
fn wealth_is_rarely_large_without_cause() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut is_fooled = || {
        let mut wealth = Wealth::default();
        (0..200).any(|_| {
            let ratio = draw::normal(&mut rng) / draw::normal(&mut rng).abs().max(1e-3);
            wealth.see(ratio) >= 50.0_f64.ln()
        })
    };
    let fooled = (0..4_000).filter(|_| is_fooled()).count();
    assert!(fooled <= 117, "{fooled} of 4 000");
}

fn ln_wealth(values: &[f64]) -> f64 {
    let mut wealth = Wealth::default();
    values.iter().fold(0.0, |_, value| wealth.see(*value))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-7 || a.total_cmp(&b).is_eq()
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    (-0.05..0.05_f64, 0.001..0.05_f64, 1..30_usize).prop_flat_map(|(shift, noise, n)| {
        vec((-1.0..1.0).prop_map(move |x: f64| shift + noise * x), n)
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The mean of the factors over all signs is 1 or less: what makes the wealth a martingale.
    #[test]
    fn no_bet_gains_on_average(sizes in vec(0.0..1.0_f64, 1..10)) {
        let signs = 1_u32 << sizes.len();
        let mean = (0..signs).map(|signs| {
            let signed = |(i, size): (usize, &f64)| if signs >> i & 1 == 0 { *size } else { -size };
            ln_wealth(&sizes.iter().enumerate().map(signed).collect::<Vec<_>>()).exp()
        }).sum::<f64>() / f64::from(signs);
        prop_assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn the_unit_of_the_values_does_not_matter(values in values(), unit in 1e-6..1e6_f64) {
        let scaled: Vec<f64> = values.iter().map(|value| value * unit).collect();
        prop_assert!(near(ln_wealth(&values), ln_wealth(&scaled)));
    }

    #[test]
    fn a_family_never_strengthens_the_evidence(wealths in vec(-20.0..20.0_f64, 1..12)) {
        let family = closed_by_means(&wealths);
        for (alone, shared) in wealths.iter().zip(&family) {
            prop_assert!(*shared <= alone + 1e-9);
            prop_assert!(*shared >= alone - (wealths.len() as f64).ln() - 1e-9);
        }
        let fewer = closed_by_means(&wealths[1..]);
        for (fewer, all) in fewer.iter().zip(&family[1..]) {
            prop_assert!(all <= &(fewer + 1e-12));
        }
    }

    #[test]
    fn the_order_of_a_family_does_not_matter(wealths in vec(-20.0..20.0_f64, 1..12)) {
        let mut reversed = wealths.clone();
        reversed.reverse();
        let mut back = closed_by_means(&reversed);
        back.reverse();
        for (there, back) in closed_by_means(&wealths).iter().zip(&back) {
            prop_assert!(near(*there, *back));
        }
    }

    #[test]
    fn limits_hold_the_estimate_and_mirror(values in values()) {
        let Estimate { value, low, high } = limits(&[&values], 0.01);
        prop_assert!(low <= value && value <= high);
        let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
        let back = limits(&[&mirrored], 0.01);
        prop_assert!(near(value, -back.value) && near(low, -back.high) && near(high, -back.low));
    }

    #[test]
    fn a_shift_moves_the_limits_by_it(values in values(), shift in -0.5..0.5_f64) {
        let there = limits(&[&values], 0.01);
        let moved: Vec<f64> = values.iter().map(|value| value + shift).collect();
        let moved = limits(&[&moved], 0.01);
        prop_assert!(near(moved.value, there.value + shift));
        prop_assert!(near(moved.low, there.low + shift) && near(moved.high, there.high + shift));
    }

    /// Whatever was refuted stays refuted: looking again widens nothing, as long as the estimate itself
    /// was never refuted.
    #[test]
    fn limits_only_narrow(values in values()) {
        let mut low = f64::NEG_INFINITY;
        for seen in 1..=values.len() {
            let estimate = limits(&[&values[..seen]], 0.01);
            prop_assert!(estimate.low >= low - 1e-6 || low > estimate.value);
            low = low.max(estimate.low);
        }
    }

    #[test]
    fn too_few_values_bound_nothing(values in vec(-1.0..1.0_f64, 1..8)) {
        let estimate = limits(&[&values], 0.01);
        prop_assert!(estimate.low == f64::NEG_INFINITY && estimate.high == f64::INFINITY);
    }
}

/// Sizes are learnt anew, so that noise ten times as large does not wipe out what was earned.
#[test]
fn an_attempt_keeps_the_wealth_and_forgets_the_sizes() {
    let mut wealth = Wealth::default();
    let earned = (0..8).fold(0.0, |_, _| wealth.see(0.02));
    wealth.begin_attempt();
    assert_eq!(wealth.ln().to_bits(), earned.to_bits());
    let next = wealth.see(0.2);
    let mut fresh = Wealth::default();
    let mut same = earned;
    for _ in 0..8 {
        fresh.see(0.02);
    }
    // In the first attempt the same value would be winsorized; in the second it is the scale.
    same += fresh.see(0.2) - earned;
    assert!(next < same);
}

/// Two machines that disagree leave no centre unrefuted; the limits still hold the estimate.
#[test]
fn limits_of_values_that_contradict_themselves_hold_the_estimate() {
    let (slow, same) = (vec![0.03; 12], vec![0.0; 40]);
    let Estimate { value, low, high } = limits(&[&slow, &same], 0.01);
    assert!(low <= value && value <= high, "{low} {value} {high}");
}
