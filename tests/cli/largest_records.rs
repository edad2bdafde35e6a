//! Records and tables at the bounds of what is read, and what commands take for them.
//!
//! Prints the table of `docs/reliability.md`:
//! `XMLPERF_PROGRAM=target/release/xmlperf cargo test --test cli largest_records -- --ignored --nocapture
//! --test-threads 1`.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]
#![expect(clippy::print_stdout, reason = "the table is for people")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use hdrhistogram::Histogram;
use record::causes::{
    HunkEvidence, HunkGrowth, HunkPlace, LineGrowth, LineSpan, RevertCounts, RevertOutcome,
    WorkCauses,
};
use record::fixtures::{LEVEL, SampleLaunch, paired};
use record::instruction_counts::{
    self, BuildCounts, CountOutcome, FoldedStacks, FunctionCost, InstructionCounts,
};
use record::metric::limit::Limit;
use record::{
    LaunchPair, LaunchResult, LaunchResults, LoadLevel, LoadStep, ProcessCounters, ResourcePoint,
    ResourceProbes, Run, ScenarioRun, SliceTotals, histogram,
};
use tempfile::TempDir;

/// What a command may take, in seconds of processors and in MiB.
const CPU_S_MAX: f64 = 5.0;
const MEMORY_MIB_MAX: f64 = 512.0;

/// Runs a command, and prints its exit code, the seconds and the KiB that it took.
pub(super) const MEASURING: &str = "
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss)
";

/// What a command came to, and what it took.
pub(super) struct MeasuredCommand {
    pub(super) code: f64,
    pub(super) cpu_s: f64,
    pub(super) memory_kib: f64,
    pub(super) error: String,
}

/// Runs a command in a folder, with an event of GitHub for those that want one.
pub(super) fn measured(folder: &Path, arguments: &[&str]) -> MeasuredCommand {
    let mut command = Command::new("python3");
    command.args(["-c", MEASURING]).arg(crate::program()).args(arguments);
    let environment = [
        ("GITHUB_EVENT_NAME", "workflow_dispatch"),
        ("GITHUB_EVENT_PATH", "event.json"),
        ("GITHUB_REPOSITORY", "owner/name"),
        ("GITHUB_RUN_ID", "1"),
        ("GITHUB_SHA", "0123456789012345678901234567890123456789"),
    ];
    command.envs(environment).current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let numbers: Vec<f64> = printed.split_whitespace().map(|it| it.parse().unwrap()).collect();
    let [code, cpu_s, memory_kib] = numbers[..] else { panic!("{printed}{error}") };
    MeasuredCommand { code, cpu_s, memory_kib, error }
}

/// Runs a command in a folder, and asserts that it ends within both bounds.
fn check(name: &str, folder: &Path, arguments: &[&str]) {
    let MeasuredCommand { code, cpu_s, memory_kib, error } = measured(folder, arguments);
    let (memory_mib, said) = (memory_kib / 1024.0, error.lines().next().unwrap_or_default());
    let command = arguments.join(" ");
    println!("| {name} | `{command}` | {code} | {cpu_s:.1} s | {memory_mib:.0} MiB | {said:.90} |");
    assert!((0.0..=4.0).contains(&code), "{name}, {command}: {error}");
    assert!(cpu_s < CPU_S_MAX, "{name}, {command}: {cpu_s} s");
    assert!(memory_mib < MEMORY_MIB_MAX, "{name}, {command}: {memory_mib} MiB");
}

/// So many scenarios of so many launch pairs.
fn run(scenarios: usize, pairs: usize) -> Run {
    let mut run = paired(pairs, LEVEL, SampleLaunch { cpu_us: 530, ..LEVEL });
    let one = run.scenarios.remove(0);
    let named = |i: usize| ScenarioRun { name: format!("s{i}"), ..one.clone() };
    run.scenarios = (0..scenarios).map(named).collect();
    run
}

fn pairs(run: &mut Run) -> impl Iterator<Item = &mut LaunchPair> {
    run.scenarios.iter_mut().flat_map(|scenario| match &mut scenario.trials {
        LaunchResults::Paired(pairs) => pairs.iter_mut(),
        LaunchResults::Single(_) => panic!("a comparison has pairs"),
    })
}

pub(super) fn each_launch(run: &mut Run, change: impl Fn(&mut LaunchResult)) {
    for pair in pairs(run) {
        change(&mut pair.base);
        change(&mut pair.head);
    }
}

/// The text of a histogram with a time in so many bins.
fn filled(bins: u64) -> String {
    let mut times = Histogram::new_with_bounds(1, 86_400_000_000_000, 3).unwrap();
    let mut time = 1;
    for _ in 0..bins {
        times.record(time).unwrap();
        time = times.next_non_equivalent(time);
    }
    histogram::encode(&times)
}

/// The memory of a target at so many moments.
fn series(points: u64) -> ResourceProbes {
    let point = |it| ResourcePoint { at_ns: it * 1_000_000, rss_bytes: (1 << 28) + it, cpu_ns: it };
    ResourceProbes {
        user_ns: 1_000_000,
        system_ns: 1_000_000,
        queued_ns: None,
        counters: ProcessCounters::default(),
        threads: 2,
        files: 5,
        series: (0..points).map(point).collect(),
        cost_ns: 1_000,
        steal_ns: 0,
        throttled_ns: 0,
    }
}

/// A folder that holds a record where the commands look for it.
pub(super) fn saved(run: &Run) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("event.json"), "{}").unwrap();
    run.save(&folder.path().join(".xmlperf/report/run.json")).unwrap();
    folder
}

fn check_record(name: &str, run: &Run) {
    let folder = saved(run);
    for arguments in [
        &["report"][..],
        &["report", "--format", "html"],
        &["report", "github", "--dry-run"],
        &["baseline", "save", "main"],
        &["trend", "main"],
    ] {
        check(name, folder.path(), arguments);
    }
}

#[test]
#[ignore = "judges records of 32 MiB, which takes an optimised build"]
fn a_record_at_its_bounds_is_judged_in_seconds_or_refused_by_name() {
    check_record("5 scenarios of 2 000 launch pairs", &run(5, 2_000));
    check_record("200 scenarios of 50 launch pairs", &run(200, 50));

    let mut histograms = run(5, 1_000);
    let full = filled(30_000);
    each_launch(&mut histograms, |launch| {
        launch.histogram.clone_from(&full);
        launch.response = Some(full.clone());
    });
    check_record("20 000 histograms of 30 000 times, 60 MB", &histograms);

    let mut steps = run(1, 2);
    each_launch(&mut steps, |launch| {
        let step = |level| LoadStep {
            level: LoadLevel::Connections(level),
            requests: 30_000,
            failed: 0,
            wall_ns: 1_000_000_000,
            held: None,
            histogram: full.clone(),
        };
        launch.steps = (0..2_500).map(step).collect();
    });
    check_record("10 000 levels of load", &steps);

    let growth = Limit::parse("growth", "<= 1 %").unwrap();
    let mut memory = run(1, 950);
    memory.scenarios[0].limits = vec![growth; 100];
    each_launch(&mut memory, |launch| launch.probes = Some(series(512)));
    check_record("memory of 1 900 launches at 512 moments", &memory);
    let mut memory = run(1, 2);
    memory.scenarios[0].limits = vec![growth];
    each_launch(&mut memory, |launch| launch.probes = Some(series(100_000)));
    check_record("memory of a launch at 100 000 moments", &memory);

    let mut slices = run(1, 10);
    each_launch(&mut slices, |launch| {
        launch.slices = vec![SliceTotals { requests: 1, service_ns: 2 }; 60_000];
        launch.slice_cpu_ns = vec![1; 60_000];
    });
    check_record("1.2 million slices", &slices);
}

/// The counts of a build whose functions and stacks are these.
fn build_counts(instructions: f64, functions: Vec<FunctionCost>, stacks: &str) -> BuildCounts {
    BuildCounts {
        toolchain: "rustc 1.95.0".to_owned(),
        instructions: vec![instructions; 5],
        allocations: vec![4.0; 5],
        functions,
        stacks: stacks.to_owned(),
    }
}

/// So many scenarios in which head does more work than base.
fn worked(
    scenarios: usize,
    functions: &[Vec<FunctionCost>; 2],
    stacks: &str,
    causes: Option<&WorkCauses>,
) -> Run {
    let mut run = run(scenarios, 10);
    for scenario in &mut run.scenarios {
        let [base, head] = functions.clone();
        scenario.work = Some(CountOutcome::Counted(Box::new(InstructionCounts {
            counter: "valgrind-3.19.0".to_owned(),
            pairs_per_request: 100,
            requests: 20,
            base: Some(build_counts(60_000.0, base, stacks)),
            head: build_counts(66_000.0, head, stacks),
            causes: causes.cloned().map(Box::new),
        })));
    }
    run
}

/// So many functions whose names begin and end alike.
fn functions(count: usize, name: impl Fn(usize) -> String) -> Vec<FunctionCost> {
    let function = |i: usize| FunctionCost {
        name: name(i),
        file: String::new(),
        own: 100.0 * (1.0 + i as f64),
        inclusive: 200.0 * (1.0 + i as f64),
    };
    (0..count).map(function).collect()
}

#[test]
#[ignore = "judges records of 32 MiB, which takes an optimised build"]
fn counts_at_their_bounds_are_judged_in_seconds_or_refused_by_name() {
    // Every line begins with a function of its own, so that each of its frames is one more.
    let deep = |lines: usize| -> FoldedStacks {
        (0..lines).map(|i| (format!("f{i}{}", ";x".repeat(47)), 1)).collect()
    };
    let few = [functions(1, |i| format!("f{i}")), functions(2, |i| format!("f{i}"))];
    let packed = instruction_counts::pack(&deep(4_000));
    check_record("two call stacks of 192 000 frames", &worked(1, &few, &packed, None));
    let packed = instruction_counts::pack(&deep(75_000));
    check_record("call stacks of 3.6 million frames", &worked(1, &few, &packed, None));
    let repeated: FoldedStacks =
        (0..200_000_u64).map(|i| (format!("main;f{};{i}", i % 7), i)).collect();
    let packed = instruction_counts::pack(&repeated);
    check_record("call stacks of 200 000 lines", &worked(1, &few, &packed, None));
    let inflating = FoldedStacks::from([("a".repeat(7 << 20), 1), ("b".to_owned(), 2)]);
    let packed = instruction_counts::pack(&inflating);
    check_record("400 call stacks that inflate to 7 MiB each", &worked(200, &few, &packed, None));

    let packed = instruction_counts::pack(&deep(1));
    let apart = [functions(100_000, |i| format!("a{i}")), functions(100_000, |i| format!("b{i}"))];
    check_record("200 000 functions of other names", &worked(1, &apart, &packed, None));
    let generic = |side: char| functions(100_000, move |i| format!("parse<T{i}{side}>"));
    let generic = [generic('a'), generic('b')];
    check_record("200 000 copies of a function", &worked(1, &generic, &packed, None));
    let long = [functions(1, |_| "x".repeat(8 << 20)), functions(1, |_| "<a".repeat(6 << 20))];
    check_record("functions with names of 8 and 12 MiB", &worked(1, &long, &packed, None));

    let hunk = |i: u32| HunkPlace {
        path: format!("src/f{i}.rs"),
        base: LineSpan { start: i, count: 1 },
        head: LineSpan { start: i, count: 1 },
    };
    let line = |i: u32| LineGrowth {
        file: format!("src/f{i}.rs"),
        line: i,
        touched: true,
        function: "parse".to_owned(),
        base: 1.0,
        head: 2.0 + f64::from(i),
    };
    let revert = |i: u32| RevertCounts {
        hunks: vec![hunk(i)],
        outcome: RevertOutcome::Counted {
            base: vec![60_000.0; 5],
            head: vec![66_000.0; 5],
            variant: vec![65_000.0; 5],
        },
    };
    let growth = |i: u32| HunkGrowth {
        hunk: hunk(i),
        growth: 6_000.0 - f64::from(i % 7),
        evidence: HunkEvidence::Line,
    };
    let causes = WorkCauses {
        lines: (0..60_000).map(line).collect(),
        hunks: (0..60_000).map(growth).collect(),
        reverts: (0..60_000).map(revert).collect(),
        ..WorkCauses::default()
    };
    check_record("60 000 lines, hunks and reverts", &worked(1, &few, &packed, Some(&causes)));
}

#[test]
#[ignore = "judges records of 32 MiB, which takes an optimised build"]
fn calls_at_their_bounds_are_judged_in_seconds_or_refused_by_name() {
    let name = |i: u32| format!("SELECT a{i:06} FROM t WHERE b = ?");
    let names: Vec<String> = (0..150_000).map(name).collect();
    let statements: Vec<(&str, u64, u64)> = names.iter().map(|it| (it.as_str(), 1, 2)).collect();
    let mut many = run(1, 10);
    record::fixtures::call(&mut many, &statements);
    check_record("150 000 statements", &many);
    // As many as a run may have.
    let mut spread = run(50, 10);
    record::fixtures::call(&mut spread, &statements[..1_000]);
    let services = spread.scenarios[0].dependencies.clone();
    for scenario in &mut spread.scenarios {
        scenario.dependencies.clone_from(&services);
    }
    check_record("100 000 statements at 50 services", &spread);
    let long = "x".repeat(6 << 20);
    let mut wide = run(1, 10);
    record::fixtures::call(&mut wide, &[(&long, 1, 2)]);
    check_record("a statement of 6 MiB", &wide);
}

/// A table of so many metrics that are measured in so many pairs.
fn decision_table(metrics: usize, pairs: usize) -> String {
    let mut table = "pair,metric,base,head\n".to_owned();
    for pair in 0..pairs {
        for metric in 0..metrics {
            let noise = (pair * 7_919 + metric * 104_729) % 1_000;
            writeln!(table, "{pair},m{metric},{},{}", 1_000 + noise, 1_010 + (noise * 31) % 997)
                .unwrap();
        }
    }
    table
}

#[test]
#[ignore = "judges tables of 16 MiB, which takes an optimised build"]
fn a_table_at_its_bounds_is_judged_in_seconds_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (metrics, pairs) in [(50, 2_000), (2_000, 50), (10_000, 10)] {
        fs::write(folder.path().join("table.csv"), decision_table(metrics, pairs)).unwrap();
        let name = format!("{pairs} pairs of {metrics} metrics");
        check(&name, folder.path(), &["decide", "table.csv"]);
        check(&name, folder.path(), &["decide", "table.csv", "--format", "html"]);
    }
    for (metrics, rows) in [(1, 5_000), (300, 5_000), (3_000, 500)] {
        let mut table = "commit".to_owned();
        for metric in 0..metrics {
            write!(table, ",m{metric}").unwrap();
        }
        table.push('\n');
        for row in 0..rows {
            write!(table, "c{row}").unwrap();
            for metric in 0..metrics {
                write!(table, ",{}", 1_000 + (row * 7_919 + metric * 104_729) % 97).unwrap();
            }
            table.push('\n');
        }
        fs::write(folder.path().join("history.csv"), table).unwrap();
        let name = format!("{rows} rows of {metrics} metrics");
        for format in ["terminal", "html"] {
            let arguments = ["trend", "--csv", "history.csv", "--format", format];
            check(&name, folder.path(), &arguments);
        }
    }
}
