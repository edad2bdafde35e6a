use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn sample(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)).unwrap()
}

fn import(name: &str) -> ImportedRun {
    read(&sample(name), None).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A line a sample: format, requests, failures, rate, mean, p50, p95, p99, max.
fn table(names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        let run = import(name);
        for series in &run.series {
            let count =
                |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
            let time = |time: Option<f64>| time.map_or("-".to_owned(), units::time_ns);
            let times = &series.times;
            writeln!(
                text,
                "{name}: {} {} {}/{} {} mean {} p50 {} p95 {} p99 {} max {}",
                run.format,
                series.name,
                count(series.failures),
                count(series.requests),
                series.rate.map_or("-".to_owned(), units::count),
                time(times.mean),
                time(times.percentile(50.0)),
                time(times.percentile(95.0)),
                time(times.percentile(99.0)),
                time(times.max),
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn a_printed_summary_is_read_as_the_tool_means_it() {
    insta::assert_snapshot!(table(&[
        "wrk.txt", "wrk_404.txt", "wrk2.txt", "wrk2_U.txt", "wrk_time.txt", "hey.txt", "hey_404.txt", "hey_rate.txt",
        "ab.txt", "ab_404.txt", "ab_length.txt", "h2load.txt", "h2load_404.txt", "locust_stats.csv",
    ]), @"
    wrk.txt: wrk all 0/111825 101 669 mean 28.3 µs p50 13.0 µs p95 - p99 216 µs max 3.08 ms
    wrk_404.txt: wrk all 31914/31914 29 011 mean 64.0 µs p50 64.0 µs p95 - p99 105 µs max 2.06 ms
    wrk2.txt: wrk2 all 0/401 200 mean 639 µs p50 594 µs p95 - p99 1.31 ms max 1.53 ms
    wrk2_U.txt: wrk2 all 0/401 200 mean 671 µs p50 648 µs p95 - p99 1.31 ms max 6.00 ms
    wrk_time.txt: wrk all 0/7353 6933 mean 5.92 ms p50 27.0 µs p95 - p99 68.5 ms max 104 ms
    hey.txt: hey all 0/40 9463 mean 300 µs p50 100 µs p95 2.30 ms p99 - max 2.60 ms
    hey_404.txt: hey all 8/8 8112 mean 200 µs p50 100 µs p95 - p99 - max 700 µs
    hey_rate.txt: hey all 0/60 150 mean 1.50 ms p50 400 µs p95 8.00 ms p99 - max 8.10 ms
    ab.txt: ab all 0/200 1632 mean 2.45 ms p50 0 ns p95 12.0 ms p99 16.0 ms max 58.0 ms
    ab_404.txt: ab all 40/40 927 mean 2.16 ms p50 0 ns p95 17.0 ms p99 17.0 ms max 17.0 ms
    ab_length.txt: ab all 182/200 6024 mean 332 µs p50 0 ns p95 3.00 ms p99 4.00 ms max 11.0 ms
    h2load.txt: h2load all 0/100 4088 mean 479 µs p50 - p95 - p99 - max 11.7 ms
    h2load_404.txt: h2load all 40/40 7402 mean 249 µs p50 - p95 - p99 - max 4.48 ms
    locust_stats.csv: locust GET / 0/222 31.6 mean 12.9 ms p50 9.00 ms p95 29.0 ms p99 38.0 ms max 216 ms
    locust_stats.csv: locust GET /nope 228/228 32.5 mean 12.4 ms p50 12.0 ms p95 26.0 ms p99 46.0 ms max 87.1 ms
    locust_stats.csv: locust all 228/450 64.1 mean 12.6 ms p50 11.0 ms p95 28.0 ms p99 46.0 ms max 216 ms
    ");
}

#[test]
fn a_json_summary_is_read_as_the_tool_means_it() {
    insta::assert_snapshot!(table(&[
        "oha.json", "oha_404.json", "oha_refused.json", "oha_q_lc.json", "vegeta.json",
        "vegeta_refused.json", "bombardier.json", "bombardier_refused.json", "autocannon.json",
        "autocannon_404.json", "autocannon_rate.json",
        "k6_summary_export.json", "k6_summary_export_404.json", "k6_summary_new.json",
        "k6_summary_new_full.json", "k6_handleSummary_thresholds.json", "hyperfine.json", "hyperfine_failing.json",
    ]), @"
    oha.json: oha all 0/40 8550 mean 156 µs p50 69.0 µs p95 744 µs p99 872 µs max 872 µs
    oha_404.json: oha all 8/8 5710 mean 157 µs p50 42.6 µs p95 543 µs p99 543 µs max 543 µs
    oha_refused.json: oha all 8/8 5254 mean - p50 - p95 - p99 - max -
    oha_q_lc.json: oha all 0/100 50.5 mean 135 µs p50 100 µs p95 304 µs p99 1.44 ms max 1.44 ms
    vegeta.json: vegeta all 0/40 20.5 mean 447 µs p50 348 µs p95 788 µs p99 2.69 ms max 2.69 ms
    vegeta_refused.json: vegeta all 4/4 5.34 mean 750 µs p50 658 µs p95 1.23 ms p99 1.23 ms max 1.23 ms
    bombardier.json: bombardier all 0/40 10 884 mean 200 µs p50 7.00 µs p95 1.54 ms p99 3.06 ms max 3.06 ms
    bombardier_refused.json: bombardier all 8/8 11 720 mean 121 µs p50 43.0 µs p95 397 µs p99 397 µs max 397 µs
    autocannon.json: autocannon all 0/40 39.6 mean 1.73 ms p50 0 ns p95 - p99 9.00 ms max 9.00 ms
    autocannon_404.json: autocannon all 40/40 37.0 mean 2.33 ms p50 0 ns p95 - p99 36.0 ms max 36.0 ms
    autocannon_rate.json: autocannon all 0/200 192 mean 9.16 ms p50 4.00 ms p95 - p99 49.0 ms max 51.0 ms
    k6_summary_export.json: k6 all 0/41 20.5 mean 235 µs p50 201 µs p95 367 µs p99 702 µs max 913 µs
    k6_summary_export_404.json: k6 all 41/41 20.5 mean 413 µs p50 344 µs p95 721 µs p99 1.20 ms max 1.49 ms
    k6_summary_new.json: k6-machine all 0/41 20.5 mean 253 µs p50 218 µs p95 385 µs p99 - max 501 µs
    k6_summary_new_full.json: k6-machine all 0/41 20.5 mean 290 µs p50 249 µs p95 579 µs p99 - max 613 µs
    k6_handleSummary_thresholds.json: k6 all 0/3 614 mean 1.15 ms p50 48.5 µs p95 3.04 ms p99 - max 3.37 ms
    hyperfine.json: hyperfine true 0/12 - mean 2.43 ms p50 497 µs p95 9.85 ms p99 14.4 ms max 15.5 ms
    hyperfine.json: hyperfine sleep 0.002 0/12 - mean 28.7 ms p50 23.8 ms p95 59.6 ms p99 66.1 ms max 67.7 ms
    hyperfine_failing.json: hyperfine false 10/10 - mean 9.42 ms p50 792 µs p95 40.1 ms p99 46.0 ms max 47.5 ms
    ");
}

#[test]
fn single_values_are_summed_up_here() {
    insta::assert_snapshot!(table(&[
        "hey.csv", "hey_rate.csv", "k6_out_head.csv", "k6_out_head.ndjson", "vegeta_encode.ndjson",
    ]), @"
    hey.csv: hey-csv all -/40 - mean 230 µs p50 200 µs p95 520 µs p99 900 µs max 900 µs
    hey_rate.csv: hey-csv all -/60 - mean 2.66 ms p50 600 µs p95 11.5 ms p99 20.6 ms max 20.8 ms
    k6_out_head.csv: k6-csv all 0/1 - mean 367 µs p50 367 µs p95 367 µs p99 367 µs max 367 µs
    k6_out_head.ndjson: k6-json all 0/2 - mean 345 µs p50 345 µs p95 365 µs p99 366 µs max 367 µs
    vegeta_encode.ndjson: vegeta-json all 0/5 - mean 922 µs p50 539 µs p95 2.30 ms p99 2.61 ms max 2.69 ms
    ");
}

#[test]
fn wrk2_is_read_from_its_corrected_histogram() {
    let run = import("wrk2_U.txt");
    assert_eq!(run.contract.corrected, DelayCorrection::Yes);
    let text = sample("wrk2_U.txt");
    let second = text.split("Uncorrected Latency").nth(1).expect("the sample has a second one");
    let uncorrected = second.lines().find(|line| line.trim_start().starts_with("50.000%")).unwrap();
    let corrected = units::time_ns(run.series[0].times.percentile(50.0).unwrap());
    assert!(!uncorrected.contains(&corrected), "{corrected}: {uncorrected}");
}

#[test]
fn a_threshold_of_k6_is_true_where_it_was_crossed_and_ok_where_it_was_kept() {
    let kept = |name: &str| {
        let thresholds = import(name).thresholds;
        thresholds.into_iter().map(|it| (it.metric, it.condition, it.is_kept)).collect::<Vec<_>>()
    };
    let exported = kept("k6_summary_export.json");
    let of = |condition: &str| exported.iter().find(|it| it.1 == condition).unwrap().2;
    assert!(of("p(99)<900") && of("p(95)<500"), "{exported:?}");
    assert!(!of("avg<0.000001"), "{exported:?}");
    assert!(!kept("k6_handleSummary_thresholds.json").is_empty());
}

#[test]
fn both_spellings_of_the_machine_summary_are_read() {
    let text = sample("k6_summary_new.json");
    let other = text.replace("\"p90\"", "\"p(90)\"").replace("\"p95\"", "\"p(95)\"");
    assert_ne!(text, other);
    assert_eq!(read(&text, None).unwrap(), read(&other, None).unwrap());
}

#[test]
fn formats_without_a_sample_are_read_by_their_documented_shape() {
    let jmeter = "timeStamp,elapsed,label,responseCode,success\n1,12,GET /,200,true\n2,30,GET /,500,false\n3,5,POST /,200,true\n";
    let run = read(jmeter, None).unwrap();
    assert_eq!(run.format, ImportFormat::JmeterCsv);
    assert_eq!((run.series[0].requests, run.series[0].failures), (Some(2), Some(1)));
    assert_eq!(run.series[0].times.max, Some(30e6));
    let without = read("elapsed,label\n12,GET /\n", None).unwrap();
    assert_eq!(without.missing, [MissingFact::Failures]);
    assert_eq!(without.series[0].failure_share(), None, "a limit on errors cannot be checked");

    let xml = r#"<?xml version="1.0"?><testResults version="1.2">
        <httpSample t="12" lb="a &amp; b" s="true"><httpSample t="7" lb="redirect" s="true"/></httpSample>
        <sample t="40" lb="a &amp; b" s="false"/></testResults>"#;
    let run = read(xml, None).unwrap();
    assert_eq!((run.series.len(), run.series[0].name.as_str()), (1, "a & b"));
    assert_eq!((run.series[0].requests, run.series[0].failures), (Some(2), Some(1)));

    let log = "RUN\tsim\tid\t1700000000000\t \t3.9.5\nREQUEST\t\tlogin\t100\t130\tOK\t \nREQUEST\tcart\tpay\t100\t190\tKO\tstatus 500\n";
    let run = read(log, None).unwrap();
    assert_eq!(
        run.series.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(),
        ["login", "cart/pay"]
    );
    assert_eq!((run.series[1].failures, run.series[1].times.max), (Some(1), Some(90e6)));

    let stats = r#"{"name": "All Requests", "numberOfRequests": {"total": 9, "ok": 8, "ko": 1},
        "meanResponseTime": {"total": 12, "ok": 11, "ko": 20}, "percentiles1": {"total": 10, "ok": 10, "ko": 20}}"#;
    let run = read(stats, None).unwrap();
    assert_eq!((run.series[0].failures, run.series[0].times.mean), (Some(1), Some(12e6)));
    assert!(run.missing.contains(&MissingFact::PercentileRanks));
    assert!(run.series[0].times.percentiles.is_empty(), "their ranks are not in the file");

    let locust = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,95%,99.9%\nGET,/,10,1,3,4,1,9,2,5.0,0.5,3,8,9\n,Aggregated,10,1,3,4,1,9,2,5.0,0.5,3,8,N/A\n";
    let run = read(locust, None).unwrap();
    assert_eq!(run.series.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["GET /", "all"]);
    assert_eq!(run.series[1].times.percentile(99.9), None);
}

#[test]
fn what_cannot_be_read_says_where_and_why() {
    let error = |text: &str| read(text, None).unwrap_err().to_string();
    insta::assert_snapshot!(error(""), @"no known tool writes this: it is empty");
    insta::assert_snapshot!(error("hello\nthere"), @"no known tool writes this: it is text that begins with `hello`");
    insta::assert_snapshot!(error(r#"{"a": 1}"#), @"no known tool writes this: it is JSON with `a`");
    insta::assert_snapshot!(error("\0\0\u{3}"), @"this is Gatling's binary log, which it writes since 3.12.1 and describes nowhere");
    insta::assert_snapshot!(error("elapsed,label\n12\n"), @"line 2: 1 fields in place of 2");
    insta::assert_snapshot!(error("elapsed,label\nfast,a\n"), @"line 2, column `elapsed`: `fast` is not a number from 0 to 1e15");
    insta::assert_snapshot!(
        error(&sample("vegeta.json").replace("347532", "\"347532\"")),
        @"`latencies.50th`: `\"347532\"` is not a number from 0 to 1e15"
    );
    let huge = sample("oha.json").replace("\"200\": 40", "\"200\": 18446744073709551615");
    insta::assert_snapshot!(error(&huge), @"`statusCodeDistribution.200`: `18446744073709551615` is not a number from 0 to 1e15");
    insta::assert_snapshot!(error(&sample("hey_refused.csv")), @"the result of `hey-csv` has no request in it");
    let wrong = read(&sample("wrk.txt"), Some(ImportFormat::Ab)).unwrap_err().to_string();
    insta::assert_snapshot!(wrong, @"this is not the form of `ab`: it looks like that of `wrk`");
}

#[test]
fn no_sample_fits_two_formats() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert_eq!(Content::of(&text).formats().len(), 1, "{text:.100}");
    }
}

proptest! {
    #[test]
    fn a_damaged_sample_is_read_or_refused_without_a_panic(
        index in 0_usize..64,
        cut in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut names: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        let mut bytes = fs::read(&names[index % names.len()]).unwrap();
        let at = cut.index(bytes.len());
        bytes[at] = byte;
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(run) = read(&text, None) {
            let times = run.series.iter().flat_map(|series| &series.times.percentiles);
            prop_assert!(times.into_iter().all(|(_, time)| time.is_finite()));
        }
        let _ = read(&text[..text.floor_char_boundary(at)], None);
    }
}
