use crate::decision::Verdict;
use crate::decision::history::{HistoryClaim, HistoryJudgement};
use crate::{Comparison, ComparisonMode, ComparisonOutcome, MetricFinding, MetricResult};
use record::Run;
use record::fixtures::{LEVEL, SampleLaunch, counted, limits, paired, remembered};
use record::history::{Yardstick, YardstickReading};
use record::instruction_counts::CountOutcome;
use record::metric::Metric;

/// Ten days that scatter by about 2 %.
const DAYS: [i32; 10] = [0, 14, -22, 31, -9, 18, -27, 5, -16, 8];

fn slower(percent: u64) -> SampleLaunch {
    let more = |of: u64| of * (100 + percent) / 100;
    SampleLaunch { latency_us: more(LEVEL.latency_us), cpu_us: more(LEVEL.cpu_us), ..LEVEL }
}

fn row(comparison: &Comparison, metric: Metric) -> &MetricResult {
    comparison.rows.iter().find(|row| row.metric == metric).unwrap()
}

fn of(run: &Run) -> Comparison {
    Comparison::of(run).unwrap()
}

fn claim(comparison: &Comparison, metric: Metric) -> HistoryClaim {
    match &row(comparison, metric).finding {
        MetricFinding::Recalled(HistoryJudgement { claim, .. }) => *claim,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_ordinary_day_finds_no_regression_and_says_from_which_on_it_would() {
    let comparison = of(&remembered(&DAYS, LEVEL));
    assert_eq!(comparison.method.mode, ComparisonMode::Stored);
    assert_eq!(comparison.outcome, ComparisonOutcome::Pass);
    assert_eq!(claim(&comparison, Metric::Latency), HistoryClaim::NotFound);
    let latency = row(&comparison, Metric::Latency);
    assert_eq!((latency.verdict(), latency.judgement().unwrap().sample), (None, 10));
    let mde_ln = latency.judgement().unwrap().mde_ln;
    assert!((0.07..0.11).contains(&mde_ln), "{mde_ln}");
    assert!((latency.base.unwrap() / latency.head.unwrap() - 1.0).abs() < 0.01);
}

#[test]
fn what_one_run_shows_depends_on_how_far_it_is_from_the_others() {
    let claims = [5, 8, 12].map(|percent| {
        let comparison = of(&remembered(&DAYS, slower(percent)));
        (claim(&comparison, Metric::Cpu), comparison.outcome)
    });
    assert_eq!(claims[0], (HistoryClaim::NotFound, ComparisonOutcome::Pass));
    assert_eq!(claims[1], (HistoryClaim::Suspected, ComparisonOutcome::Inconclusive));
    assert_eq!(claims[2], (HistoryClaim::Shown, ComparisonOutcome::Regressed));
}

#[test]
fn a_suspicion_gives_way_to_what_was_measured_side_by_side() {
    let mut run = remembered(&DAYS, slower(8));
    run.confirming = Some(Box::new(paired(14, LEVEL, LEVEL)));
    let comparison = of(&run);
    assert_eq!(comparison.outcome, ComparisonOutcome::Pass);
    assert_eq!(row(&comparison, Metric::Cpu).verdict(), Some(Verdict::Unchanged));
    assert_eq!(comparison.method.confirming, Some(14));
    assert!(
        comparison
            .notes
            .iter()
            .any(|note| note.to_string().contains("suspected by 10 stored runs"))
    );

    run.confirming = Some(Box::new(paired(14, LEVEL, slower(8))));
    assert_eq!(of(&run).outcome, ComparisonOutcome::Regressed);
    let mut broken = paired(2, LEVEL, LEVEL);
    broken.ended = Some(record::EarlyEnd::Interrupted);
    run.confirming = Some(Box::new(broken));
    assert!(matches!(of(&run).outcome, ComparisonOutcome::NotMeasured(_)));
}

#[test]
fn a_second_job_confirms_a_suspicion_and_a_quiet_one_clears_it() {
    use crate::confirmation::Confirmation;
    let first = remembered(&DAYS, slower(8));
    let again = Confirmation::of(&first, &remembered(&DAYS, slower(8))).unwrap();
    assert_eq!(again.outcome, ComparisonOutcome::Regressed);
    let quiet = Confirmation::of(&first, &remembered(&DAYS, LEVEL)).unwrap();
    assert_eq!(quiet.outcome, ComparisonOutcome::Inconclusive);
}

#[test]
fn times_of_another_machine_or_of_too_few_days_decide_nothing() {
    let check = |change: &dyn Fn(&mut Run), expected: &str| {
        let mut run = remembered(&DAYS, slower(12));
        change(&mut run);
        let comparison = of(&run);
        let MetricFinding::Undecidable(reason) = &row(&comparison, Metric::Cpu).finding else {
            panic!("{comparison:?}")
        };
        let notes = comparison.notes.iter().map(ToString::to_string);
        let said = notes.chain([reason.clone()]).collect::<Vec<_>>().join("\n");
        assert!(said.contains(expected), "{said}");
        assert_eq!(comparison.outcome, ComparisonOutcome::Inconclusive);
        assert_eq!(row(&comparison, Metric::P50).verdict(), None, "it is reported only");
    };
    check(&|run| run.machine.cpu = "Xeon".to_owned(), "this machine is Xeon");
    check(
        &|run| run.machine.cores = 4,
        "4 cores, Debian GNU/Linux 12; that of the newest stored run",
    );
    check(&|run| run.machine.image = "Ubuntu".to_owned(), "Ubuntu");
    check(&|run| run.history.as_mut().unwrap().runs.truncate(2), "2 stored runs");
}

#[test]
fn work_and_limits_decide_on_any_machine() {
    let mut run = remembered(&DAYS, LEVEL);
    run.machine.cpu = "Xeon".to_owned();
    run.scenarios[0].work = Some(counted(64_800.0, 66_420.0));
    assert_eq!(row(&of(&run), Metric::Work).verdict(), Some(Verdict::Regressed));
    assert_eq!(of(&run).outcome, ComparisonOutcome::Regressed);

    run.scenarios[0].work = None;
    run.scenarios[0].limits = limits(&[("throughput", ">= 9000000 pairs/s")]);
    assert_eq!(of(&run).outcome, ComparisonOutcome::Regressed);
}

#[test]
fn work_that_no_stored_run_counted_alike_is_never_silent() {
    let mut run = remembered(&DAYS, LEVEL);
    let mut work = counted(64_800.0, 64_800.0);
    if let CountOutcome::Counted(counted) = &mut work {
        counted.base = None;
    }
    run.scenarios[0].work = Some(work);
    assert_eq!(of(&run).outcome, ComparisonOutcome::Inconclusive);
}

#[test]
fn what_one_side_lacks_is_said() {
    let mut run = remembered(&DAYS, LEVEL);
    for past in &mut run.history.as_mut().unwrap().runs {
        let mut other = past.scenarios[0].clone();
        other.name = "stress".to_owned();
        past.scenarios.push(other);
        past.scenarios[0].levels.remove(&Metric::Rss);
    }
    let comparison = of(&run);
    assert!(
        comparison.notes.iter().any(|note| note.to_string().contains("`stress` of the baseline"))
    );
    assert!(row(&comparison, Metric::Rss).is_lost());
    assert_eq!(comparison.outcome, ComparisonOutcome::Inconclusive);

    run.scenarios[0].workload.payload = "other".to_owned();
    let MetricFinding::Missing(reason) = &row(&of(&run), Metric::Cpu).finding.clone() else {
        panic!()
    };
    assert!(reason.contains("another payload"), "{reason}");
}

#[test]
fn the_level_since_the_last_change_is_what_counts() {
    let days: Vec<i32> = DAYS.iter().map(|day| day - 200).chain(DAYS).collect();
    let comparison = of(&remembered(&days, LEVEL));
    assert_eq!(row(&comparison, Metric::Cpu).judgement().unwrap().sample, 10);
    assert_eq!(comparison.outcome, ComparisonOutcome::Pass);
}

fn reading(percent: u64) -> Yardstick {
    let ns = 2_000_000 * (100 + percent);
    Yardstick {
        version: 1,
        readings: vec![YardstickReading { integer_ns: ns, memory_ns: ns, loopback_ns: ns }; 6],
    }
}

/// Days on which the machine itself was faster and slower by up to 20 %, and a yardstick that says so.
#[test]
fn a_slow_day_is_not_held_against_the_change_where_a_yardstick_tells() {
    let days = [0, 100, 200, 50, 150, 0, 200, 100];
    let mut run = remembered(&days, slower(20));
    let blind = of(&run);
    for (past, day) in run.history.as_mut().unwrap().runs.iter_mut().zip(days) {
        past.yardstick = Some(reading(u64::try_from(day).unwrap() / 10));
    }
    run.yardstick = Some(reading(20));
    let informed = of(&run);
    let estimate = |it: &Comparison| row(it, Metric::Cpu).judgement().unwrap().estimate_ln;
    assert!(estimate(&blind) > 0.05 && estimate(&informed).abs() < 0.01);
    let mde = |it: &Comparison| row(it, Metric::Cpu).judgement().unwrap().mde_ln;
    assert!(mde(&informed) < mde(&blind) / 2.0);
    let base = row(&informed, Metric::Cpu).base.unwrap();
    assert!((base / 6_240.0 - 1.0).abs() < 0.01, "as it would be today: {}", units::time_ns(base));
    let memory = |it: &Comparison| row(it, Metric::Rss).judgement().unwrap().estimate_ln;
    assert!((memory(&informed) - memory(&blind)).abs() < 1e-12, "memory has no speed");
}

/// Where it would only add to the scatter, it is left aside, whatever it would make of the candidate.
#[test]
fn a_yardstick_that_was_disturbed_itself_is_left_aside() {
    let mut run = remembered(&DAYS, LEVEL);
    let wild = [0, 90, 10, 300, 40, 0, 150, 20, 0, 70];
    for (past, percent) in run.history.as_mut().unwrap().runs.iter_mut().zip(wild) {
        past.yardstick = Some(reading(percent));
    }
    run.yardstick = Some(reading(200));
    let judgement = *row(&of(&run), Metric::Cpu).judgement().unwrap();
    assert!(judgement.estimate_ln.abs() < 0.01, "{judgement:?}");
}
