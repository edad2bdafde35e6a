//! `xmlperf decide` as a user calls it.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

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

/// Pairs of a metric whose differences are `d`, in milliseconds around 5.
fn csv(metric: &str, d: &[f64]) -> String {
    let mut text = "pair,metric,base,head\n".to_owned();
    for (d, pair) in d.iter().zip(1..) {
        writeln!(text, "{pair},{metric},5,{}", 5.0 * d.exp()).unwrap();
    }
    text
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
     metric      pairs  change     interval, %  verdict
    ──────────────────────────────────────────────────────────────────────
     latency        25  +5.1 %    [+4.9, +5.4]  regressed (tolerance 3 %)
     rss            25   0.0 %  [−0.26, +0.27]  unchanged (±5 %)
     cache hits     25  −2.0 %   [−3.0, −0.91]  can't tell: needs ≥ 2.5 %

    25 pairs, a look after each · chance of a false alarm ≤ 1 % over 3 metrics
    ");
    let (_, printed) = decide(&three_metrics(), &[&args[..], &["--format", "markdown"]].concat());
    insta::assert_snapshot!(printed, @"
    | Metric | Pairs | Change | Interval | Verdict |
    |:--|--:|--:|:-:|:--|
    | latency | 25 | +5.1 % | [+4.9, +5.4] | **regressed (tolerance 3 %)** |
    | rss | 25 | 0.0 % | [−0.26, +0.27] | unchanged (±5 %) |
    | cache hits | 25 | −2.0 % | [−3.0, −0.91] | can't tell: needs ≥ 2.5 % |

    25 pairs, a look after each · chance of a false alarm ≤ 1 % over 3 metrics
    ");
}

#[test]
fn browsers_get_a_page_with_all_metrics_on_one_axis() {
    let (code, page) = decide(&three_metrics(), &["--format", "html"]);
    assert_eq!(code, 1);
    assert_eq!(page.matches("<td class=\"plot\"><svg").count(), 3, "{page}");
    assert!(page.contains("regressed (tolerance 3\u{a0}%)") && !page.contains("<script"));
}

#[test]
fn doubt_fails_only_if_requested() {
    let text = csv("latency", &[0.0; 5]);
    insta::assert_snapshot!(decide(&text, &[]).1, @"
     metric   pairs  change  interval, %  verdict
    ────────────────────────────────────────────────────────────────
     latency      5   0.0 %    unbounded  can't tell: too few pairs

    5 pairs, a look after each · chance of a false alarm ≤ 1 % over 1 metric
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
    insta::assert_snapshot!(refused(&text, &["--alpha", "0"]), @"error: cannot decide: an error rate of 0 is not between 0.000001 and 0.2");
}

/// A pair more is a look more: the verdict falls at the eighth, and stands.
#[test]
fn every_pair_is_a_look() {
    let pairs = [0.048, 0.052, 0.05, 0.047, 0.053, 0.049, 0.051, 0.046];
    assert_eq!(decide(&csv("latency", &pairs[..7]), &[]).0, 0);
    assert_eq!(decide(&csv("latency", &pairs), &[]).0, 1);
    let longer = csv("latency", &[&pairs[..], &[0.0, 0.1, -0.02]].concat());
    assert_eq!(decide(&longer, &[]).0, 1);
}
