//! `xmlperf decide` as a user calls it.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs `xmlperf decide - ARGS` on a text, and returns what it printed, on both streams, with the exit
/// code before it.
fn decide(text: &str, args: &[&str]) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args(["decide", "-"])
        .args(args)
        .env("COLUMNS", "100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(printed).unwrap())
}

fn cases(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stat_vectors.json");
    let mut all: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    all[name].take()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Pairs of a metric whose differences are `d`, in milliseconds around 5.
fn csv(metric: &str, d: &[f64]) -> String {
    let mut text = "pair,metric,base,head\n".to_owned();
    for (d, pair) in d.iter().zip(1..) {
        writeln!(text, "{pair},{metric},5,{}", 5.0 * d.exp()).unwrap();
    }
    text
}

#[track_caller]
fn close(ours: &Value, theirs_ln: &Value, what: &str) {
    let (ours, theirs) = (ours.as_f64().unwrap().ln_1p(), theirs_ln.as_f64().unwrap());
    assert!((ours - theirs).abs() < 1e-9, "{what}: {ours} is not {theirs}");
}

#[test]
fn the_cases_of_the_vectors_get_their_verdicts() {
    for case in cases("decision_single_metric").as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let expected = case["verdict"].as_str().unwrap().replace("equivalent", "unchanged");
        let (code, printed) = decide(&csv("latency", &numbers(&case["d"])), &["--format", "json"]);
        let report: Value = serde_json::from_str(&printed).unwrap();
        let metric = &report["metrics"][0];
        assert_eq!(metric["verdict"], Value::from(expected.as_str()), "{name}");
        assert_eq!(metric["pairs"], case["pairs_used"], "{name}");
        close(&metric["change"], &case["estimate"], name);
        close(&metric["low"], &case["lower"], name);
        close(&metric["high"], &case["upper"], name);
        assert_eq!(code, i32::from(expected == "regressed"), "{name}");
    }
}

#[test]
fn each_look_of_the_vectors_has_its_limits() {
    let case = cases("group_sequential");
    let d = numbers(&case["d"]);
    for look in case["rci"].as_array().unwrap() {
        // The tolerance of 0 and a floor that nothing reaches: no verdict falls before the last look.
        let seen = usize::try_from(look["n"].as_u64().unwrap()).unwrap();
        let args = ["--format", "json", "--tolerance", "0%", "--floor", "900%"];
        let (code, printed) = decide(&csv("latency", &d[..seen]), &args);
        let report: Value = serde_json::from_str(&printed).unwrap();
        let metric = &report["metrics"][0];
        assert_eq!((code, &metric["pairs"]), (0, &look["n"]));
        close(&metric["change"], &look["estimate"], "estimate");
        close(&metric["low"], &look["lower"], "lower limit");
        close(&metric["high"], &look["upper"], "upper limit");
    }
}

/// Three metrics over 25 pairs: one slower, one equal, one of which more is better and which fell.
fn three_metrics() -> String {
    let mut text = "pair,metric,base,head\n".to_owned();
    for pair in 1..=25_u32 {
        let wave = f64::from(pair * 7 % 11) / 1000.0 - 0.005;
        writeln!(text, "{pair},latency,5,{:.5}", 5.0 * (0.05 + wave).exp()).unwrap();
        writeln!(text, "{pair},rss,812,{:.3}", 812.0 * wave.exp()).unwrap();
        writeln!(text, "{pair},cache hits,90,{:.4}", 90.0 * (4.0 * wave - 0.02).exp()).unwrap();
    }
    text
}

#[test]
fn people_get_a_table() {
    let args = ["--tolerance", "rss=5%", "--higher-is-better", "cache hits"];
    let (code, printed) = decide(&three_metrics(), &args);
    insta::assert_snapshot!(format!("? {code}\n{printed}"), @"
    ? 1
     metric      pairs   change     interval, %  verdict
    ───────────────────────────────────────────────────────────────────────
     latency        10   +5.2 %    [+4.8, +5.5]  regressed (tolerance 3 %)
     rss            10  +0.05 %  [−0.30, +0.40]  unchanged (±5 %)
     cache hits     20   −1.8 %   [−2.8, −0.99]  unchanged (±3 %)

    25 pairs, looks at 10, 14, 20, 28, 40 · chance of a false alarm ≤ 1 % over 3 metrics
    ");
    let (_, printed) = decide(&three_metrics(), &[&args[..], &["--format", "markdown"]].concat());
    insta::assert_snapshot!(printed, @"
    | Metric | Pairs | Change | Interval | Verdict |
    |:--|--:|--:|:-:|:--|
    | latency | 10 | +5.2 % | [+4.8, +5.5] | **regressed (tolerance 3 %)** |
    | rss | 10 | +0.05 % | [−0.30, +0.40] | unchanged (±5 %) |
    | cache hits | 20 | −1.8 % | [−2.8, −0.99] | unchanged (±3 %) |

    25 pairs, looks at 10, 14, 20, 28, 40 · chance of a false alarm ≤ 1 % over 3 metrics
    ");
}

#[test]
fn doubt_fails_only_if_asked_to() {
    let text = csv("latency", &[0.0; 5]);
    insta::assert_snapshot!(decide(&text, &[]).1, @"
     metric   pairs  change  interval, %  verdict
    ────────────────────────────────────────────────────────────────
     latency      5   0.0 %    unbounded  can't tell: needs ≥ 1.0 %

    5 pairs, looks at 10, 14, 20, 28, 40 · chance of a false alarm ≤ 1 % over 1 metric
    ");
    assert_eq!(decide(&text, &[]).0, 0);
    assert_eq!(decide(&text, &["--fail-on", "inconclusive"]).0, 4);
}

#[test]
fn mistakes_are_named_with_a_way_out() {
    let text = csv("latency", &[0.0; 12]);
    let refused = |text: &str, args: &[&str]| {
        let (code, printed) = decide(text, args);
        assert_eq!(code, 2, "{printed}");
        printed
    };
    insta::assert_snapshot!(refused("pair,metric,base,head\n1,latency,5,-1\n", &[]), @"error: unusable `standard input`: line 2, column 4 (`head`): `-1` is not a number above 0");
    insta::assert_snapshot!(refused("[{\"pair\": 1}]", &[]), @"error: unusable `standard input`: not a list of pairs: missing field `metric` at line 1 column 12");
    insta::assert_snapshot!(refused(&text, &["--tolerance", "latnecy=5%"]), @"error: `--tolerance latnecy`: no such metric; known are latency");
    insta::assert_snapshot!(refused(&text, &["--alpha", "0"]), @"error: cannot decide: an error rate of 0 is not between 0.001 and 0.2");
    insta::assert_snapshot!(refused(&text, &["--looks", "3,5"]), @"
    error: cannot decide: 5 launch pairs cannot decide at an error rate of 0.01

    hint: it takes at least 7
    ");
}

#[test]
fn the_other_rules_decide_as_well() {
    let text = csv("latency", &[0.048, 0.052, 0.05, 0.047, 0.053, 0.049, 0.051, 0.046]);
    assert_eq!(decide(&text, &[]).0, 0);
    assert_eq!(decide(&text, &["--looks", "all"]).0, 1);
    assert_eq!(decide(&text, &["--until-decided"]).0, 0);
    let longer = csv("latency", &[0.048, 0.052, 0.05, 0.047, 0.053].repeat(3));
    assert_eq!(decide(&longer, &["--until-decided"]).0, 1);
}
