//! The statistics against values computed by scipy and statsmodels.

#![expect(clippy::unwrap_used, reason = "a vector that cannot be read must fail the test")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use xmlperf::compare::decision::{self, Design, Hypothesis, Verdict};
use xmlperf::stats::hodges_lehmann;
use xmlperf::stats::power;
use xmlperf::stats::signed_rank::{self, Null};
use xmlperf::stats::stepdown::{self, Flips};
use xmlperf::stats::student;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn vectors(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stat_vectors.json");
    let mut all: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    all[name].take()
}

fn cases(name: &str) -> Vec<Value> {
    vectors(name).as_array().unwrap().clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[track_caller]
fn close(ours: f64, theirs: f64, what: &str) {
    assert!(
        (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1e-3),
        "{what}: {ours} is not {theirs}"
    );
}

#[test]
fn signed_rank_probabilities() {
    for case in cases("wilcoxon_signed_rank") {
        let name = case["name"].as_str().unwrap();
        let d = numbers(&case["d"]);
        let ranks = signed_rank::signed_midranks(&d);
        let opposite: Vec<f64> = ranks.iter().map(|rank| -rank).collect();
        close(signed_rank::w_plus(&ranks), number(&case["w_plus"]), name);
        let by_alternative = |p: fn(&[f64]) -> f64| match case["alternative"].as_str().unwrap() {
            "greater" => p(&ranks),
            "less" => p(&opposite),
            _ => 2.0 * p(&ranks).min(p(&opposite)),
        };
        let exact = case.get("p_exact").unwrap_or(&case["p_exact_conditional_enumeration"]);
        close(by_alternative(signed_rank::p_greater), number(exact), name);
        let uncorrected = |ranks: &[f64]| student::normal_upper_tail(signed_rank::z(ranks));
        close(by_alternative(uncorrected), number(&case["p_normal_nocorr"]), name);
        if let Some(corrected) = case.get("p_normal_corr") {
            close(by_alternative(signed_rank::p_greater_normal), number(corrected), name);
        }
    }
}

#[test]
fn signed_rank_null_and_critical_values() {
    for case in cases("signed_rank_null") {
        let n = usize::try_from(case["n"].as_u64().unwrap()).unwrap();
        let null = Null::untied(n);
        for (w, p) in case["upper_tail_p_at_w"].as_object().unwrap() {
            close(null.at_least(w.parse().unwrap()), number(p), &format!("n {n}, w {w}"));
        }
        for (level, k) in case["crit_k"].as_object().unwrap() {
            let expected = usize::try_from(k.as_i64().unwrap()).ok();
            assert_eq!(
                signed_rank::critical(n, level.parse().unwrap()),
                expected,
                "{n} at {level}"
            );
        }
    }
}

#[test]
fn hodges_lehmann_of_one_sample() {
    for case in cases("hodges_lehmann_one_sample") {
        let estimate =
            hodges_lehmann::one_sample(&numbers(&case["d"]), number(&case["alpha_one_sided"]));
        close(estimate.value, number(&case["estimate"]), "estimate");
        close(estimate.low, number(&case["lower"]), "lower limit");
        close(estimate.high, number(&case["upper"]), "upper limit");
    }
}

#[test]
fn step_down_over_all_flips() {
    let case = vectors("signflip_stepdown_maxT");
    let rows: Vec<Vec<f64>> = case["d"].as_array().unwrap().iter().map(numbers).collect();
    let columns: Vec<Vec<f64>> = (0..3).map(|m| rows.iter().map(|row| row[m]).collect()).collect();
    let z: Vec<f64> =
        columns.iter().map(|d| signed_rank::z(&signed_rank::signed_midranks(d))).collect();
    let flips = Flips::new(8, 256, &mut ChaCha8Rng::seed_from_u64(1));
    let adjusted = stepdown::adjusted_p_greater(&columns, &flips);
    for m in 0..3 {
        close(z[m], numbers(&case["z"])[m], "z");
        let plain = stepdown::adjusted_p_greater(&columns[m..=m], &flips)[0];
        close(plain, numbers(&case["p_raw"])[m], "plain p");
        close(adjusted[m], numbers(&case["p_adjusted"])[m], "adjusted p");
    }
}

#[test]
fn normal_and_t_quantiles() {
    for case in cases("normal") {
        close(student::normal_quantile(number(&case["p"])), number(&case["z"]), "z");
    }
    for case in cases("t_quantiles") {
        let t = student::t_quantile(number(&case["p"]), number(&case["df"]));
        close(t, number(&case["t"]), &format!("t, {case}"));
    }
}

#[test]
fn detectable_change() {
    let case = vectors("mde80");
    let (floor, level) = (0.01_f64.ln_1p(), number(&case["local_level"]));
    let ours = power::detectable(&numbers(&case["d"]), floor, level);
    let stated_floor = number(&case["mde_ln"]) - ours;
    assert!(stated_floor.abs() < 1e-9, "off by {stated_floor}");
}

#[test]
fn verdicts_on_one_metric() {
    for case in cases("decision_single_metric") {
        let name = case["name"].as_str().unwrap();
        let hypothesis =
            Hypothesis { floor: number(&case["floor"]), tolerance: number(&case["tolerance"]) };
        let differences = [numbers(&case["d"])];
        let judgement = decision::judge(&Design::default(), &[hypothesis], &differences, 1)[0];
        let expected = match case["verdict"].as_str().unwrap() {
            "regressed" => Verdict::Regressed,
            "improved" => Verdict::Improved,
            "equivalent" => Verdict::Unchanged,
            _ => Verdict::Inconclusive,
        };
        assert_eq!(judgement.verdict, expected, "{name}");
        assert_eq!(judgement.launch_pairs as u64, case["pairs_used"].as_u64().unwrap(), "{name}");
        close(judgement.estimate_ln, number(&case["estimate"]), name);
        close(judgement.low_ln, number(&case["lower"]), name);
        close(judgement.high_ln, number(&case["upper"]), name);
    }
}
