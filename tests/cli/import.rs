//! `xmlperf import` as a user calls it.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::process::Command;

/// Runs `xmlperf import ARGS` among the samples; returns the exit code and what both streams say.
fn import(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .arg("import")
        .args(args)
        .env("COLUMNS", "100")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/crates/interop/samples"))
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(printed).unwrap())
}

#[test]
fn a_result_is_shown_with_what_its_numbers_are() {
    let (exit, text) = import(&["wrk.txt"]);
    assert_eq!(exit, 0, "{text}");
    insta::assert_snapshot!(text, @"
    wrk: a summary of one process; times from when a request was sent, so a stall is seen once; failures
      among the times

     series  requests  failed  requests/s     mean      p50  p95     p99      max
    ──────────────────────────────────────────────────────────────────────────────
     all       111825       0     101 669  28.3 µs  13.0 µs    –  216 µs  3.08 ms
    ");
}

#[test]
fn two_results_of_one_process_each_get_no_verdict() {
    let (exit, text) = import(&["vegeta.json", "vegeta_encode.ndjson"]);
    assert_eq!(exit, 0, "{text}");
    insta::assert_snapshot!(text, @"
    base: vegeta: a summary of one process; times from when a request was sent, so a stall is seen once;
      failures among the times
    head: vegeta-json: a value a request of one process; times from when a request was sent, so a stall
      is seen once; failures among the times

     series  requests  failed  requests/s    mean     p50      p95      p99      max
    ─────────────────────────────────────────────────────────────────────────────────
     all            5       0           –  922 µs  539 µs  2.30 ms  2.61 ms  2.69 ms

     series  time     base     head   change  p
    ───────────────────────────────────────────────
     all     mean   447 µs   922 µs   +106 %  –
     all     p50    348 µs   539 µs  +55.0 %  –
     all     p95    788 µs  2.30 ms   +192 %  –
     all     p99   2.69 ms  2.61 ms   −2.9 %  –

    no verdict: each side is one process, which shows nothing of what the next one would have had
    ");
}

#[test]
fn commands_of_hyperfine_are_set_beside_each_other() {
    let (exit, text) = import(&["hyperfine.json"]);
    assert_eq!(exit, 0, "{text}");
    insta::assert_snapshot!(text, @"
    hyperfine: a value a fresh process, one side after the other; times of whole processes; failures
      among the times

     series       requests  failed  requests/s     mean      p50      p95      p99      max
    ────────────────────────────────────────────────────────────────────────────────────────
     true               12       0           –  2.43 ms   497 µs  9.85 ms  14.4 ms  15.5 ms
     sleep 0.002        12       0           –  28.7 ms  23.8 ms  59.6 ms  66.1 ms  67.7 ms

     series       time     base     head   change          p
    ────────────────────────────────────────────────────────────────────
     sleep 0.002  mean  2.43 ms  28.7 ms  +1080 %  p < 0.001  suspected
     sleep 0.002  p50    497 µs  23.8 ms  +4689 %          –
     sleep 0.002  p95   9.85 ms  59.6 ms   +504 %          –
     sleep 0.002  p99   14.4 ms  66.1 ms   +360 %          –

    no verdict: one side ran after the other, so what changed with time may look like a change of the
      program; `xmlperf decide` judges values measured in turns
    ");
}

#[test]
fn a_limit_that_is_broken_or_cannot_be_checked_has_its_exit_code() {
    assert_eq!(
        import(&["oha.json", "--limit", "p95 <= 1 ms", "--limit", "throughput >= 333 requests/s"])
            .0,
        0
    );
    assert_eq!(import(&["oha_404.json", "--limit", "errors 0 %"]).0, 1);
    let (exit, text) = import(&["wrk.txt", "--limit", "p95 <= 1 ms"]);
    assert_eq!(exit, 3, "{text}");
    assert!(text.contains("limit not checked: p95 <= 1.00 ms in `all`: not in the file"), "{text}");
    let (exit, text) = import(&["wrk.txt", "--limit", "rss <= 1 GiB"]);
    assert!(
        exit == 2 && text.contains("limits can be on throughput, p50, p95, p99 and errors"),
        "{text}"
    );
}

#[test]
fn what_is_no_result_says_what_would_be() {
    let (exit, text) = import(&["../Cargo.toml"]);
    assert_eq!(exit, 2, "{text}");
    insta::assert_snapshot!(text, @"
    error: cannot import `../Cargo.toml`: no known tool writes this: it is text that begins with `[package]`

    hint: known are ab, autocannon, bombardier, criterion, gatling-log, gatling-stats, h2load, hey, hey-csv, hyperfine, jmeter-csv, jmeter-xml, k6, k6-machine, k6-json, k6-csv, k6-operator, locust, oha, vegeta, vegeta-json, wrk, wrk2
    ");
    let (exit, text) = import(&["wrk.txt", "--from", "k7"]);
    assert!(exit == 2 && text.contains("expected one of ab, autocannon"), "{text}");
}
