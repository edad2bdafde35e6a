use super::*;
use record::evidence::EvidenceState;
use record::fixtures::{LEVEL, SampleLaunch, counted, evidence_state, limits, paired, shards};
use record::instruction_counts::CountOutcome;
use record::merge::{RunFile, merge};
use record::metric::gate::RuleOverride;
use record::{LaunchResults, OperationResult, Side};
use serde_json::json;

fn comparison(run: &Run) -> Comparison {
    Comparison::of(run).unwrap()
}

fn verdict(comparison: &Comparison, metric: Metric) -> Option<Verdict> {
    comparison.rows.iter().find(|row| row.metric == metric).unwrap().verdict()
}

const SLOWER_CPU: SampleLaunch = SampleLaunch { cpu_us: 572, ..LEVEL };

#[test]
fn nothing_changed_is_shown_equal_and_passes() {
    let comparison = comparison(&paired(10, LEVEL, LEVEL));
    assert_eq!(comparison.outcome, ComparisonOutcome::Pass);
    assert_eq!(comparison.method.family, 3);
    assert_eq!(verdict(&comparison, Metric::Cpu), Some(Verdict::Unchanged));
    assert!(comparison.is_decided());
}

#[test]
fn ten_percent_of_cpu_is_a_regression_of_cpu_and_of_nothing_else() {
    let comparison = comparison(&paired(10, LEVEL, SLOWER_CPU));
    assert_eq!(comparison.outcome, ComparisonOutcome::Regressed);
    assert_eq!(verdict(&comparison, Metric::Cpu), Some(Verdict::Regressed));
    assert_eq!(verdict(&comparison, Metric::Latency), Some(Verdict::Unchanged));
    let row = comparison.rows.iter().find(|row| row.metric == Metric::Cpu).unwrap();
    assert!((row.change().unwrap().estimate_ln.exp() - 1.1).abs() < 0.003);
}

#[test]
fn less_throughput_is_worse_and_is_shown_as_less() {
    let comparison = comparison(&paired(10, LEVEL, SampleLaunch { latency_us: 2_090, ..LEVEL }));
    let row = comparison.rows.iter().find(|row| row.metric == Metric::Throughput).unwrap();
    assert!(row.judgement().unwrap().estimate_ln > 0.08, "worse is above 0");
    assert!(row.change().unwrap().estimate_ln < -0.08, "the number itself fell");
}

#[test]
fn fewer_launch_pairs_than_a_verdict_takes_decide_nothing() {
    let comparison = comparison(&paired(7, LEVEL, SLOWER_CPU));
    assert_eq!(comparison.outcome, ComparisonOutcome::Inconclusive);
    assert!(!comparison.is_decided());
}

#[test]
fn a_failed_launch_is_never_a_verdict() {
    let mut run = paired(10, LEVEL, SLOWER_CPU);
    let reason = "exited with status 7".into();
    run.ended =
        Some(EarlyEnd::Failed { side: Side::Head, scenario: Some("smoke".to_owned()), reason });
    let expected = "head in `smoke`: exited with status 7".to_owned();
    assert_eq!(comparison(&run).outcome, ComparisonOutcome::NotMeasured(expected.into()));
}

#[test]
fn an_interrupted_run_says_how_far_it_came() {
    let mut run = paired(7, LEVEL, LEVEL);
    run.ended = Some(EarlyEnd::Interrupted);
    let expected = "interrupted after 7 of 40 launches".to_owned();
    assert_eq!(comparison(&run).outcome, ComparisonOutcome::NotMeasured(expected.into()));
}

#[test]
fn the_floor_of_a_scenario_takes_the_place_of_the_one_of_all() {
    let mut run = paired(14, LEVEL, SLOWER_CPU);
    assert_eq!(comparison(&run).outcome, ComparisonOutcome::Regressed);
    let wide = RuleOverride {
        floor: Some(Ratio(0.5)),
        tolerance: Some(Ratio(0.6)),
        ..RuleOverride::default()
    };
    let own = std::collections::BTreeMap::from([(Metric::Cpu, wide)]);
    run.gate.scenarios.insert("other".to_owned(), own.clone());
    assert_eq!(comparison(&run).outcome, ComparisonOutcome::Regressed);
    run.gate.scenarios.insert("smoke".to_owned(), own);
    let comparison = comparison(&run);
    let cpu = comparison.rows.iter().find(|row| row.metric == Metric::Cpu).unwrap();
    assert_eq!(cpu.verdict(), Some(Verdict::Unchanged));
    run.gate.scenarios.get_mut("smoke").unwrap().get_mut(&Metric::Cpu).unwrap().floor =
        Some(Ratio(-1.0));
    assert!(Comparison::of(&run).is_err(), "a record of others may say anything");
}

fn one_program() -> record::IdenticalProgram {
    record::IdenticalProgram { sha256: "0123456789abcdef".repeat(4), executable: None }
}

#[test]
fn one_program_on_both_sides_passes_without_numbers_and_shares_no_error_rate() {
    let run = Run { identical: Some(one_program()), ..paired(0, LEVEL, LEVEL) };
    let comparison = comparison(&run);
    assert_eq!(comparison.outcome, ComparisonOutcome::Pass);
    assert_eq!((comparison.rows.len(), comparison.limits.len()), (0, 0));
    assert_eq!((comparison.method.family, comparison.identical), (0, Some(one_program())));
}

#[test]
fn numbers_decide_whatever_a_record_says_of_its_programs() {
    let measured = Run { identical: Some(one_program()), ..paired(12, LEVEL, SLOWER_CPU) };
    assert_eq!(comparison(&measured).outcome, ComparisonOutcome::Regressed);
    assert_eq!(comparison(&measured).identical, None);
    let interrupted = Some(EarlyEnd::Interrupted);
    let alone = Run { base: None, identical: Some(one_program()), ..paired(0, LEVEL, LEVEL) };
    let ended =
        Run { identical: Some(one_program()), ended: interrupted, ..paired(0, LEVEL, LEVEL) };
    for run in [alone, ended] {
        let outcome = comparison(&run).outcome;
        assert!(matches!(outcome, ComparisonOutcome::NotMeasured(_)), "{outcome:?}");
    }
}

#[test]
fn a_run_without_a_launch_is_not_green() {
    let run = paired(0, LEVEL, LEVEL);
    assert_eq!(
        comparison(&run).outcome,
        ComparisonOutcome::NotMeasured("nothing was measured".into())
    );
}

#[test]
fn a_broken_limit_fails_even_if_nothing_changed() {
    let mut run = paired(10, LEVEL, LEVEL);
    run.scenarios[0].limits = limits(&[("rss", "<= 8 MiB")]);
    let comparison = comparison(&run);
    assert_eq!(comparison.outcome, ComparisonOutcome::Regressed);
    assert_eq!(comparison.broken().count(), 1);
}

#[test]
fn a_gating_metric_without_numbers_is_not_green() {
    let mut run = paired(10, LEVEL, LEVEL);
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    pairs[3].head.cpu_ns = None;
    let comparison = comparison(&run);
    assert_eq!(comparison.outcome, ComparisonOutcome::Inconclusive);
    assert_eq!(comparison.method.family, 2);
}

#[test]
fn a_percentile_gates_only_with_enough_requests_in_every_launch() {
    let mut run = paired(10, LEVEL, LEVEL);
    for metric in [Metric::P95, Metric::P99] {
        run.gate.rules.get_mut(&metric).unwrap().policy = MetricPolicy::Gate;
    }
    let comparison = comparison(&run);
    // 1 000 requests a launch hold ten beyond the 99th percentile: just enough.
    assert_eq!(verdict(&comparison, Metric::P99), Some(Verdict::Unchanged));
    assert_eq!(comparison.method.family, 5);
}

#[test]
fn swapping_base_and_head_mirrors_every_verdict() {
    let there = comparison(&paired(14, LEVEL, SLOWER_CPU));
    let mut run = paired(14, LEVEL, SLOWER_CPU);
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    for pair in pairs {
        std::mem::swap(&mut pair.base, &mut pair.head);
    }
    let back = comparison(&run);
    for (there, back) in there.rows.iter().zip(&back.rows) {
        let (a, b) = (there.judgement().unwrap(), back.judgement().unwrap());
        assert!((a.estimate_ln + b.estimate_ln).abs() < 1e-12, "{}", there.metric);
        assert!((a.low_ln + b.high_ln).abs() < 1e-12, "{}", there.metric);
    }
    assert_eq!(verdict(&back, Metric::Cpu), Some(Verdict::Improved));
}

#[test]
fn a_record_that_makes_no_sense_is_refused() {
    let check = |change: fn(&mut Run), hint: &str| {
        let mut run = paired(10, LEVEL, LEVEL);
        change(&mut run);
        let error = Comparison::of(&run).unwrap_err();
        let error = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(error.contains(hint), "{error}");
    };
    check(|run| run.gate.alpha = 7.0, "alpha 7");
    check(|run| *run = paired(2_001, LEVEL, LEVEL), "LaunchPairs");
    check(|run| run.gate.rules.get_mut(&Metric::Cpu).unwrap().floor.0 = -1.0, "of `cpu`");
    check(
        |run| {
            let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
            pairs[0].base.histogram = "AAAA".into();
        },
        "histogram",
    );
}

/// A paired run with what was counted.
fn with_work(work: CountOutcome) -> Run {
    let mut run = paired(10, LEVEL, LEVEL);
    run.scenarios[0].work = Some(work);
    run
}

#[test]
fn three_percent_more_instructions_is_a_regression_of_work_alone() {
    let run = with_work(counted(64_800.0, 66_750.0));
    let comparison = comparison(&run);
    assert_eq!(comparison.outcome, ComparisonOutcome::Regressed);
    assert_eq!(verdict(&comparison, Metric::Work), Some(Verdict::Regressed));
    assert_eq!(verdict(&comparison, Metric::Allocations), None, "reported only");
    assert_eq!(verdict(&comparison, Metric::Cpu), Some(Verdict::Unchanged));
    assert_eq!(comparison.method.family, 4);
}

#[test]
fn the_lanes_share_the_error_only_where_both_decide() {
    let limits = |run: &Run| {
        let comparison = comparison(run);
        let row = comparison.rows.iter().find(|row| row.metric == Metric::Work).unwrap().clone();
        row.judgement().map(|judgement| judgement.high_ln - judgement.low_ln).unwrap()
    };
    let both = with_work(counted(64_800.0, 64_800.0));
    let mut work_alone = both.clone();
    work_alone.scenarios[0].trials = LaunchResults::Paired(Vec::new());
    work_alone.launches_planned = 0;
    assert!(limits(&both) > limits(&work_alone));
    assert_eq!(comparison(&work_alone).outcome, ComparisonOutcome::Pass);
    let timed = comparison(&paired(10, LEVEL, LEVEL));
    let p = |comparison: &Comparison| {
        let row = comparison.rows.iter().find(|row| row.metric == Metric::Cpu).unwrap();
        let judgement = row.judgement().unwrap();
        judgement.high_ln - judgement.low_ln
    };
    assert!(p(&comparison(&both)) >= p(&timed), "less error asks for more evidence");
}

#[test]
fn a_lane_that_cannot_run_is_a_note_unless_it_is_required() {
    let without = |required| {
        let reason = "`valgrind` is not installed".into();
        comparison(&with_work(CountOutcome::Unavailable { reason, required }))
    };
    assert_eq!(without(false).outcome, ComparisonOutcome::Pass);
    let notes: Vec<String> = without(false).notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["work lane not available: `valgrind` is not installed"]);
    let expected = "no work lane in `smoke`: `valgrind` is not installed".to_owned();
    assert_eq!(without(true).outcome, ComparisonOutcome::NotMeasured(expected.into()));
}

#[test]
fn allocations_can_decide() {
    let CountOutcome::Counted(mut work) = counted(64_800.0, 64_800.0) else { unreachable!() };
    work.head.allocations = vec![5.0; 5];
    let mut run = with_work(CountOutcome::Counted(work));
    run.gate.rules.get_mut(&Metric::Allocations).unwrap().policy = MetricPolicy::Gate;
    let judged = comparison(&run);
    assert_eq!(verdict(&judged, Metric::Allocations), Some(Verdict::Regressed));
    assert_eq!(verdict(&judged, Metric::Work), Some(Verdict::Unchanged));

    let mut of = |base: f64, head: f64| {
        let Some(CountOutcome::Counted(work)) = &mut run.scenarios[0].work else { unreachable!() };
        work.base.as_mut().unwrap().allocations = vec![base; 5];
        work.head.allocations = vec![head; 5];
        let judged = comparison(&run);
        (verdict(&judged, Metric::Allocations), judged.outcome)
    };
    assert_eq!(of(0.0, 0.0), (Some(Verdict::Unchanged), ComparisonOutcome::Pass));
    assert_eq!(of(0.0, 2.0).0, Some(Verdict::Regressed));
    assert_eq!(of(2.0, 0.0).0, Some(Verdict::Improved));
}

/// A launch whose memory settles at 100 MiB, then grows by so many bytes a second, for 20 s.
fn soaked(trial: &mut record::LaunchResult, bytes_per_s: u64) {
    let point = |tenth: u64| {
        let settling = if tenth < 60 { tenth << 20 } else { 60 << 20 };
        let wobble = (tenth * 7_919 % 13) * 4_096;
        let rss_bytes = (40 << 20) + settling + wobble + bytes_per_s * tenth / 10;
        record::ResourcePoint { at_ns: tenth * 100_000_000, rss_bytes, cpu_ns: tenth }
    };
    trial.probes = Some(record::ResourceProbes {
        queued_ns: None,
        user_ns: 0,
        system_ns: 0,
        counters: record::ProcessCounters::default(),
        threads: 1,
        files: 1,
        series: (0..200).map(point).collect(),
        cost_ns: 0,
        steal_ns: 0,
        throttled_ns: 0,
    });
}

fn soak(base_bytes_per_s: u64, head_bytes_per_s: u64) -> Comparison {
    let mut run = paired(10, LEVEL, LEVEL);
    run.scenarios[0].limits = limits(&[("growth", "<= 5 %")]);
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    for pair in pairs {
        soaked(&mut pair.base, base_bytes_per_s);
        soaked(&mut pair.head, head_bytes_per_s);
    }
    comparison(&run)
}

#[test]
fn a_leak_of_the_head_alone_is_a_regression_and_a_broken_limit() {
    let leaking = soak(0, 1 << 20);
    assert_eq!(verdict(&leaking, Metric::Leak), Some(Verdict::Regressed));
    assert_eq!(leaking.broken().count(), 1);
    let growth = leaking.limits[0].measured.unwrap();
    assert!((growth - 0.09).abs() < 0.01, "9.9 s of 1 MiB on 110 MiB, not {growth}");
}

#[test]
fn memory_that_settles_is_no_leak_and_one_that_base_has_too_is_no_regression() {
    let settled = soak(0, 0);
    assert_eq!(verdict(&settled, Metric::Leak), Some(Verdict::Unchanged));
    assert_eq!(settled.broken().count(), 0);
    let both = soak(1 << 20, 1 << 20);
    assert_eq!(verdict(&both, Metric::Leak), Some(Verdict::Unchanged));
    assert_eq!(both.broken().count(), 1, "the limit is broken all the same");
}

#[test]
fn capacity_is_the_median_of_the_launches_with_their_range() {
    use crate::details::CapacityEstimate;
    use record::Capacity;
    let mut run = paired(5, LEVEL, LEVEL);
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    for (pair, per_s) in pairs.iter_mut().zip([410.0, 400.0, 390.0, 420.0, 405.0]) {
        pair.head.capacity = Some(Capacity::Held { per_s, precision: 0.05 });
    }
    let found = comparison(&run).details[0].capacity.clone();
    let Some(CapacityEstimate::Interval { median_per_s, low_per_s, high_per_s, coverage, .. }) =
        found
    else {
        panic!("{found:?}");
    };
    assert!((median_per_s - 405.0).abs() < 1e-9 && (low_per_s - 390.0).abs() < 1e-9);
    assert!((high_per_s - 441.0).abs() < 1e-9 && (coverage.0 - 0.9375).abs() < 1e-9);
}

#[test]
fn under_an_open_load_what_a_user_waits_is_shown() {
    use record::{LatencyBasis, histogram};
    let mut run = paired(10, LEVEL, LEVEL);
    run.scenarios[0].times = LatencyBasis::Response;
    let waited = |pair: &mut record::LaunchPair| {
        for (trial, factor) in [(&mut pair.base, 2), (&mut pair.head, 3)] {
            let mut times =
                hdrhistogram::Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
            times.record_n(factor * 1_000_000, 1_000).unwrap();
            trial.response = Some(histogram::encode(&times));
            trial.body_levels_ns = vec![Some(factor * 1_000_000)];
        }
    };
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    pairs.iter_mut().for_each(waited);
    let comparison = comparison(&run);
    assert_eq!(verdict(&comparison, Metric::Latency), Some(Verdict::Regressed));
    let row = comparison.rows.iter().find(|row| row.metric == Metric::P95).unwrap();
    assert!((row.head.unwrap() - 3e6).abs() < 1e4);
}

/// A run under the rules of today, with a number for each metric.
fn complete() -> record::Run {
    let mut run = paired(14, LEVEL, LEVEL);
    run.gate = GateRules::default();
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    for pair in pairs {
        for trial in [&mut pair.base, &mut pair.head] {
            trial.response = Some(trial.histogram.clone());
            trial.memory_bytes_max = Some(20 << 20);
            trial.first_answer_ns = Some(5_000_000);
        }
    }
    run
}

/// What is said of a metric after each launch of head was changed.
fn changed(metric: Metric, change: fn(&mut record::LaunchResult)) -> Option<Verdict> {
    let mut run = complete();
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    for pair in pairs {
        change(&mut pair.head);
    }
    verdict(&comparison(&run), metric)
}

#[test]
fn what_users_feel_decides() {
    let same = comparison(&complete());
    for metric in [
        Metric::Cpu,
        Metric::Latency,
        Metric::Tail,
        Metric::Memory,
        Metric::Ready,
        Metric::FirstAnswers,
        Metric::AnswerBytes,
    ] {
        assert_eq!(verdict(&same, metric), Some(Verdict::Unchanged), "{metric}");
    }
    let regressed = Some(Verdict::Regressed);
    assert_eq!(changed(Metric::Ready, |head| head.ready_ns += 2_000_000_000), regressed);
    assert_eq!(
        changed(Metric::FirstAnswers, |head| head.first_answer_ns = Some(1_500_000_000)),
        regressed
    );
    assert_eq!(changed(Metric::AnswerBytes, |head| head.bytes_received += 2_800_000), regressed);
    assert_eq!(changed(Metric::Memory, |head| head.memory_bytes_max = Some(24 << 20)), regressed);
    assert_eq!(
        changed(Metric::Memory, |head| head.rss_bytes_max = Some(99 << 20)),
        Some(Verdict::Unchanged)
    );
}

#[test]
fn a_change_below_the_absolute_minimum_never_decides() {
    let unchanged = Some(Verdict::Unchanged);
    assert_eq!(changed(Metric::Ready, |head| head.ready_ns += 40_000_000), unchanged);
    assert_eq!(
        changed(Metric::FirstAnswers, |head| head.first_answer_ns = Some(20_000_000)),
        unchanged
    );
}

#[test]
fn a_record_without_a_number_has_no_row_of_it() {
    let mut run = complete();
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    for trial in pairs.iter_mut().flat_map(|pair| [&mut pair.base, &mut pair.head]) {
        trial.memory_bytes_max = None;
        trial.body_levels_ns = Vec::new();
    }
    let comparison = comparison(&run);
    let has = |metric| comparison.rows.iter().any(|row| row.metric == metric);
    assert!(!has(Metric::Memory) && !has(Metric::Latency) && has(Metric::Cpu));
    assert_eq!(comparison.outcome, ComparisonOutcome::Pass);
}

#[test]
fn answers_without_cpu_time_are_not_those_of_the_process_that_was_measured() {
    let mut run = complete();
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    pairs[3].head.cpu_ns = Some(0);
    assert!(matches!(comparison(&run).outcome, ComparisonOutcome::NotMeasured(_)));
}

#[test]
fn requests_that_head_alone_fails_are_a_regression() {
    let mut run = complete();
    let example =
        |detail: &str| record::FailureExample { detail: detail.to_owned(), answer: String::new() };
    run.ended = Some(EarlyEnd::HeadFailed(Box::new(record::FailureContrast {
        scenario: "smoke".to_owned(),
        kind: record::FailureKind::Status(500),
        failed: 1,
        requests: 500,
        base_requests: 1_500,
        head: example("status 500"),
        reason: "1 of 500 requests failed".into(),
        base: Some(example("status 200")),
    })));
    let comparison = comparison(&run);
    assert_eq!(comparison.outcome, ComparisonOutcome::Regressed);
    assert_eq!(comparison.failure.unwrap().failed, 1);
}

/// The run that shards are joined to.
fn joined(parts: Vec<Run>) -> Run {
    let file = |(at, run): (usize, Run)| RunFile { path: format!("{at}.json").into(), run };
    merge(parts.into_iter().enumerate().map(file).collect()).unwrap()
}

#[test]
fn three_shards_joined_are_judged_as_one_run_of_all() {
    for head in [LEVEL, SLOWER_CPU, SampleLaunch { latency_us: 1_840, ..LEVEL }] {
        for launch_pairs in [7, 10, 14] {
            let (whole, parts) = shards(launch_pairs, LEVEL, head);
            let families: Vec<usize> =
                parts.iter().map(|part| comparison(part).method.family).collect();
            let (one, all) = (comparison(&whole), comparison(&joined(parts)));
            assert_eq!(format!("{:?}", one.rows), format!("{:?}", all.rows));
            assert_eq!((one.method.family, &one.outcome), (all.method.family, &all.outcome));
            // Four scenarios of three metrics; a shard counts those that it does not have.
            assert_eq!((one.method.family, families), (12, vec![12; 3]));
        }
    }
}

#[test]
fn the_launch_pairs_of_a_shard_are_not_cut_by_those_of_another() {
    let (_, mut parts) = shards(10, LEVEL, SLOWER_CPU);
    let (_, longer) = shards(16, LEVEL, SLOWER_CPU);
    parts[1] = longer[1].clone();
    let all = comparison(&joined(parts));
    let sample = |scenario: &str| {
        let mut rows = all.rows.iter().filter(|row| row.scenario == scenario);
        let row = rows.find(|row| row.metric == Metric::Cpu).unwrap();
        row.judgement().unwrap().sample
    };
    assert_eq!(["a", "b", "c", "d"].map(sample), [10, 16, 10, 10]);
    let notes: Vec<String> = all.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["joined from 3 shards, measured on AMD EPYC, 2 cores, Debian GNU/Linux 12"]);
}

/// Ten percent of one scenario are found beside nothing of the others in the joined run, and a shard alone
/// needs as much evidence.
#[test]
fn a_shard_needs_the_evidence_of_the_whole_family() {
    let (_, parts) = shards(10, LEVEL, SLOWER_CPU);
    let alone = Run { shard: None, ..parts[1].clone() };
    assert_eq!(verdict(&comparison(&alone), Metric::Cpu), Some(Verdict::Regressed));
    assert_eq!(verdict(&comparison(&parts[1]), Metric::Cpu), Some(Verdict::Inconclusive));
}

#[test]
fn readiness_is_a_metric_of_the_first_scenario_of_the_suite() {
    let (whole, parts) = shards(10, LEVEL, LEVEL);
    let with_ready = |mut run: Run| {
        let rule = run.gate.rules[&Metric::Cpu];
        run.gate.rules.insert(Metric::Ready, rule);
        run
    };
    let ready = |run: &Run| -> Vec<String> {
        let rows = comparison(run).rows;
        let ready = rows.iter().filter(|row| row.metric == Metric::Ready);
        ready.map(|row| row.scenario.clone()).collect()
    };
    let parts: Vec<Run> = parts.into_iter().map(with_ready).collect();
    assert_eq!(parts.iter().map(ready).collect::<Vec<_>>(), [vec!["a"], vec![], vec![]]);
    assert_eq!(ready(&with_ready(whole)), ready(&joined(parts)));
}

#[test]
fn typical_launches_that_differ_otherwise_than_launch_pairs_are_named() {
    let rows = comparison(&paired(10, LEVEL, LEVEL)).rows;
    let mut row = rows.into_iter().find(|row| row.metric == Metric::Cpu).unwrap();
    assert_eq!(row.quotient_outside_ln(), None);
    row.head = row.base.map(|base| base * 1.2);
    assert!((row.quotient_outside_ln().unwrap() - 1.2_f64.ln()).abs() < 1e-9);
    row.head = None;
    assert_eq!(row.quotient_outside_ln(), None);
}

/// Two operations of a mix, the first of them not sent at all in some launches of head.
fn with_operations(launch_pairs: usize, unsent: impl Fn(usize) -> bool) -> Run {
    let mut run = paired(launch_pairs, LEVEL, LEVEL);
    let operation = |name: &str| json!({ "name": name, "method": "GET", "path": "/", "kind": "raw-xml", "payload": "" });
    let plan = json!({ "operations": [operation("read"), operation("search")], "order": { "flow": [0, 1] } });
    run.scenarios[0].workload.operations = serde_json::from_value(plan).unwrap();
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    for (place, pair) in pairs.iter_mut().enumerate() {
        for (launch, is_head) in [(&mut pair.base, false), (&mut pair.head, true)] {
            let sent = OperationResult {
                requests: 10,
                body_levels_ns: launch.body_levels_ns.clone(),
                histogram: launch.histogram.clone(),
                response: launch.histogram.clone(),
                failures: Vec::new(),
                calls: None,
            };
            let none = OperationResult { requests: 0, body_levels_ns: vec![None], ..sent.clone() };
            let first = if is_head && unsent(place) { none } else { sent.clone() };
            launch.operations = vec![first, sent];
        }
    }
    run
}

fn latency_of<'a>(comparison: &'a Comparison, name: &str) -> &'a MetricResult {
    let is_it = |row: &&MetricResult| {
        row.operation.as_ref().is_some_and(|it| it.as_str() == name)
            && row.metric == Metric::Latency
    };
    comparison.rows.iter().find(is_it).unwrap()
}

#[test]
fn a_launch_without_a_request_of_an_operation_costs_its_launch_pair_and_not_the_row() {
    let comparison = comparison(&with_operations(13, |place| place == 3));
    let sample = |name| latency_of(&comparison, name).judgement().unwrap().sample;
    assert_eq!((sample("read"), sample("search")), (12, 13));
    for name in ["read", "search"] {
        let row = latency_of(&comparison, name);
        assert_eq!(row.verdict(), Some(Verdict::Unchanged), "{name}");
        assert!(row.base.is_some() && row.head.is_some(), "{row:?}");
    }
    let path = comparison.evidence.paths(&[latency_of(&comparison, "read")]).remove(0).unwrap();
    let numbers: Vec<usize> = path.points.iter().map(|point| point.number).collect();
    assert_eq!(numbers, [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
}

#[test]
fn an_operation_that_head_never_sends_is_missing() {
    let comparison = comparison(&with_operations(13, |_| true));
    let row = latency_of(&comparison, "read");
    assert!(matches!(row.finding, MetricFinding::Missing(_)), "{row:?}");
    assert_eq!(latency_of(&comparison, "search").verdict(), Some(Verdict::Unchanged));
}

#[test]
fn a_later_attempt_builds_on_the_launch_pairs_that_had_the_operation() {
    let state = evidence_state();
    let first = Run { evidence: Some(state.clone()), ..with_operations(7, |place| place == 0) };
    let earlier = attempts::attempt(&first).unwrap().into_iter().collect();
    let second = EvidenceState { number: 2, earlier, ..state };
    let run = Run { evidence: Some(second), ..with_operations(6, |_| false) };
    let comparison = comparison(&run);
    assert_eq!(latency_of(&comparison, "read").judgement().unwrap().sample, 6 + 6);
}

#[test]
fn a_soft_budget_leaves_an_operation_the_launch_pairs_that_it_needs() {
    let most = |unsent: fn(usize) -> bool| {
        let soft = Run { soft_budget_ns: Some(1), ..with_operations(5, unsent) };
        stopping::launch_pairs_max(&soft)
    };
    let needed = most(|_| false);
    assert_eq!(most(|place| place < 2), needed + 2);
    assert_eq!(most(|_| true), needed, "there will never be evidence about it");
}
