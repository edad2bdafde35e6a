//! Made-up runs for the tests of whatever reads records.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use payload::PayloadKind;

use crate::calls::{CallSlice, DependencyRecord, LaunchCalls, SideCalls};
use crate::causes::{
    HunkEvidence, HunkGrowth, HunkPlace, LineGrowth, LineSpan, RevertCounts, RevertOutcome,
    WorkCauses,
};
use crate::evidence::EvidenceState;
use crate::history::{PastRun, PastScenario, RunHistory};
use crate::instruction_counts::{self, BuildCounts, CountOutcome, FunctionCost, InstructionCounts};
use crate::metric::Metric;
use crate::metric::gate::{GateRules, MetricPolicy, MetricRule};
use crate::metric::limit::Limit;
use crate::shard::{ShardNumber, ShardRecord};
use crate::workload::{LoadAmount, LoadRecord, LoadSettings, Workload};
use crate::{
    CallProtocol, LatencyBasis, LaunchPair, LaunchResult, LaunchResults, Machine, Revision, Run,
    SCHEMA, ScenarioRun, Side, SliceTotals, StatementCount, histogram,
};

use units::Ratio;

/// The evidence of a comparison at its first attempt.
pub fn evidence_state() -> EvidenceState {
    let (key, run) = ("k1".to_owned(), "77".to_owned());
    EvidenceState { key, number: 1, run, since: 1, gap: None, earlier: Vec::new() }
}

/// A run as a release with each schema wrote it, but for names of the machine, and the part of that
/// release's report that says what it concluded.
pub const RUNS_OF_OLD: [(&[u8], &str); 2] = [
    (
        include_bytes!("../fixtures/run-schema-1.json"),
        include_str!("../fixtures/judged-schema-1.json"),
    ),
    (
        include_bytes!("../fixtures/run-schema-2.json"),
        include_str!("../fixtures/judged-schema-2.json"),
    ),
];

/// What a made-up launch is like.
#[derive(Debug, Clone, Copy)]
pub struct SampleLaunch {
    /// Mean service time of a request, in microseconds.
    pub latency_us: u64,
    /// CPU time of a request, in microseconds.
    pub cpu_us: u64,
    /// Peak memory, in MiB.
    pub rss_mib: u64,
}

/// A level that most tests start from.
pub const LEVEL: SampleLaunch = SampleLaunch { latency_us: 1_900, cpu_us: 520, rss_mib: 24 };

/// A launch of 1 000 requests of 100 XML pairs; `wobble` moves its times by so many millionths.
pub fn trial(level: SampleLaunch, wobble: i64) -> LaunchResult {
    let moved = |us: u64| {
        us * u64::try_from(1_000_000 + wobble).expect("a wobble is far below a million") / 1_000
    };
    let service_ns = moved(level.latency_us);
    let mut times = Histogram::new_with_bounds(1, 3_600_000_000_000, 3)
        .expect("bounds that HdrHistogram takes");
    for request in 0..1_000_u64 {
        times.record(service_ns * (900 + request / 5) / 1_000).expect("a time within the bounds");
    }
    LaunchResult {
        ready_ns: 20_000_000,
        wall_ns: service_ns * 1_000,
        requests: 1_000,
        pairs: 100_000,
        cpu_ns: Some(moved(level.cpu_us) * 1_000),
        rss_bytes_max: Some(level.rss_mib << 20),
        memory_bytes_max: None,
        memory_bytes_proportional: None,
        body_levels_ns: vec![Some(service_ns)],
        flow_level_ns: None,
        first_answer_ns: None,
        bytes_sent: 26_000_000,
        bytes_received: 9_000_000,
        slices: vec![SliceTotals { requests: 100, service_ns: service_ns * 100 }; 10],
        slice_cpu_ns: Vec::new(),
        warm_up: None,
        histogram: histogram::encode(&times),
        failures: Vec::new(),
        response: None,
        generator: None,
        probes: None,
        steps: Vec::new(),
        capacity: None,
        network: None,
        calls: None,
        operations: Vec::new(),
    }
}

/// Has every launch call `db`: each statement so many times a request, by base and by head.
pub fn call(run: &mut Run, statements: &[(&str, u64, u64)]) {
    const REQUESTS: u64 = 100;
    const SLICES: usize = 10;
    for metric in [Metric::Queries, Metric::RoundTrips] {
        run.gate.rules.insert(metric, GateRules::default().rule(metric));
    }
    let scenario = &mut run.scenarios[0];
    let launch = |calls: u64| LaunchCalls {
        slices: vec![
            CallSlice {
                requests: REQUESTS,
                queries: calls * REQUESTS,
                round_trips: REQUESTS
            };
            SLICES
        ],
        has_queries: true,
        hidden: Vec::new(),
    };
    let side = |of: fn(&(&str, u64, u64)) -> u64| {
        let requests = REQUESTS * SLICES as u64;
        let executed = statements.iter().filter(|it| of(it) > 0);
        let count = executed
            .map(|it| StatementCount { statement: it.0.to_owned(), count: of(it) * requests });
        let calls = statements.iter().map(of).sum::<u64>();
        let side = SideCalls {
            requests,
            queries: calls * requests,
            round_trips: requests,
            connections: 1,
            bytes: 1_000 * requests,
            statements: count.collect(),
        };
        (calls, side)
    };
    let ((in_base, base), (in_head, head)) = (side(|it| it.1), side(|it| it.2));
    match &mut scenario.trials {
        LaunchResults::Paired(pairs) => {
            for pair in pairs {
                pair.base.calls = Some(launch(in_base));
                pair.head.calls = Some(launch(in_head));
            }
        }
        LaunchResults::Single(launches) => {
            for alone in launches {
                alone.calls = Some(launch(in_head));
            }
        }
    }
    scenario.dependencies = vec![DependencyRecord {
        name: "db".to_owned(),
        protocol: Some(CallProtocol::PostgreSql),
        obstacle: None,
        base: Some(base),
        head: Some(head),
    }];
}

/// What was counted of `smoke`: so many instructions per XML pair in base and head, each launch a
/// little different, all of the difference in one function.
pub fn counted(base: f64, head: f64) -> CountOutcome {
    let count = |instructions: f64, wobble: f64| {
        let parser = instructions - 20_000.0;
        let function = |name: &str, own: f64| FunctionCost {
            name: name.to_owned(),
            file: "src/xml.rs".to_owned(),
            own,
            inclusive: own,
        };
        let stack = |name: &str, own: f64| {
            (format!("main;{name}"), units::whole(own * 1_000.0).expect("a count of instructions"))
        };
        BuildCounts {
            toolchain: "rustc version 1.95.0, glibc 2.36".to_owned(),
            instructions: (0..5).map(|i| instructions + wobble * f64::from(i % 3)).collect(),
            allocations: vec![4.0; 5],
            functions: vec![function("api::parse", parser), function("memcpy", 20_000.0)],
            stacks: instruction_counts::pack(&BTreeMap::from([
                stack("api::parse", parser),
                stack("api::parse;memcpy", 20_000.0),
            ])),
        }
    };
    CountOutcome::Counted(Box::new(InstructionCounts {
        counter: "valgrind-3.19.0".to_owned(),
        pairs_per_request: 100,
        requests: 20,
        base: Some(count(base, 31.0)),
        head: count(head, 27.0),
        causes: None,
    }))
}

/// Where made-up runs were measured.
pub fn machine() -> Machine {
    Machine {
        arch: "x86_64".to_owned(),
        cpu: "AMD EPYC".to_owned(),
        cores: 2,
        memory_bytes: 24 << 30,
        kernel: "Linux 6.1".to_owned(),
        image: "Debian GNU/Linux 12".to_owned(),
    }
}

/// What `smoke` sends.
pub fn workload() -> Workload {
    Workload {
        kind: PayloadKind::XmlCompareBatch,
        path: Some("/compare".to_owned()),
        payload: "d1ge57".to_owned(),
        load: LoadRecord::Summary(LoadSettings::closed(1, LoadAmount::Time).summary()),
        network: None,
        operations: None,
    }
}

/// Limits as a configuration has them.
pub fn limits(written: &[(&str, &str)]) -> Vec<Limit> {
    let limit = |(key, text): &(&str, &str)| Limit::parse(key, text).expect("a limit is written");
    written.iter().map(limit).collect()
}

/// The rules of the versions that knew fewer metrics, so that a test of a report is about its rows and
/// not about how many there are.
fn earlier_rules() -> GateRules {
    let gate = |metric, tolerance| {
        let floor = if metric == Metric::Work { Ratio(0.005) } else { Ratio(0.01) };
        let policy = MetricPolicy::Gate;
        (metric, MetricRule { policy, tolerance: Ratio(tolerance), floor, minimum: None })
    };
    let report = |metric, tolerance| {
        let (metric, rule) = gate(metric, tolerance);
        (metric, MetricRule { policy: MetricPolicy::Report, ..rule })
    };
    let rules = [
        gate(Metric::Work, 0.01),
        gate(Metric::Cpu, 0.03),
        gate(Metric::Latency, 0.03),
        report(Metric::P50, 0.03),
        report(Metric::P95, 0.05),
        report(Metric::P99, 0.10),
        report(Metric::Throughput, 0.03),
        gate(Metric::Rss, 0.05),
        gate(Metric::Leak, 0.05),
        report(Metric::Allocations, 0.01),
    ];
    GateRules { rules: BTreeMap::from(rules), ..GateRules::default() }
}

/// A paired run of `smoke` with so many launch pairs, each a little different from the others.
pub fn paired(launch_pairs: usize, base: SampleLaunch, head: SampleLaunch) -> Run {
    let wobble = |i: usize, step: i64| {
        (i64::try_from(i).expect("a number of launch pairs") * step) % 4_000 - 2_000
    };
    let pair = |i: usize| LaunchPair {
        first: if i.is_multiple_of(2) { Side::Base } else { Side::Head },
        base: trial(base, wobble(i, 1_709)),
        head: trial(head, wobble(i, 2_311)),
    };
    let scenario = ScenarioRun {
        name: "smoke".to_owned(),
        workload: workload(),
        pairs_per_request: 100,
        requests_per_unit: 1,
        unit: None,
        limits: limits(&[("errors", "<= 0 %"), ("throughput", ">= 333 pairs/s")]),
        times: LatencyBasis::Service,
        trials: LaunchResults::Paired((0..launch_pairs).map(pair).collect()),
        work: None,
        absent_in_base: None,
        oracle: Vec::new(),
        dependencies: Vec::new(),
        operation_limits: BTreeMap::new(),
        fitted_load: None,
        is_settled: false,
    };
    let revision = |label: &str, commit: &str| Revision {
        label: label.to_owned(),
        commit: Some(commit.to_owned()),
        dirty: false,
        start: "./api".to_owned(),
        is_reference: false,
    };
    Run {
        schema: SCHEMA,
        tool: "0.1.0".to_owned(),
        started: "2026-11-23T10:00:00Z".to_owned(),
        wall_ns: 52_000_000_000,
        counting_ns: 0,
        stages: BTreeMap::new(),
        invocation: None,
        seed: 7,
        generator: 1,
        config: "c0nf1g".to_owned(),
        machine: machine(),
        machine_id: None,
        base: Some(revision("main", "1d20e770aa")),
        head: revision("head", "9f3c2ab0bb"),
        gate: earlier_rules(),
        launches_planned: 40,
        budget_ns: None,
        soft_budget_ns: None,
        network_cost: None,
        confinement: None,
        placement: None,
        identical: None,
        ended: None,
        scenarios: vec![scenario],
        yardstick: None,
        history: None,
        evidence: None,
        offsets: Vec::new(),
        confirms: None,
        confirming: None,
        shard: None,
        shards: Vec::new(),
        cost: None,
    }
}

/// A paired run of `a` to `d`, and the three shards of that suite: `a` and `c`, `b`, `d`.
pub fn shards(launch_pairs: usize, base: SampleLaunch, head: SampleLaunch) -> (Run, Vec<Run>) {
    let mut whole = paired(launch_pairs, base, head);
    let smoke = whole.scenarios[0].clone();
    let names = ["a", "b", "c", "d"];
    whole.scenarios =
        names.map(|name| ScenarioRun { name: name.to_owned(), ..smoke.clone() }).to_vec();
    let shard = |(at, own): (usize, &[&str])| {
        let part = ShardNumber::parse(&format!("{}/3", at + 1)).expect("a number up to three");
        let is_own = |it: &&ScenarioRun| own.contains(&it.name.as_str());
        Run {
            scenarios: whole.scenarios.iter().filter(is_own).cloned().collect(),
            shard: Some(ShardRecord { part, suite: names.map(str::to_owned).to_vec() }),
            ..whole.clone()
        }
    };
    let parts: [&[&str]; 3] = [&["a", "c"], &["b"], &["d"]];
    let parts = parts.into_iter().enumerate().map(shard).collect();
    (whole, parts)
}

/// A run of `smoke` alone, with five launches.
pub fn alone(head: SampleLaunch) -> Run {
    let mut run = paired(5, head, head);
    run.base = None;
    run.launches_planned = 5;
    for scenario in &mut run.scenarios {
        scenario.trials = LaunchResults::Single(scenario.head().into_iter().cloned().collect());
    }
    run
}

/// A run of `smoke` that is set against runs of other days, each of which differed from [`LEVEL`] by
/// so many parts in a thousand.
pub fn remembered(days: &[i32], head: SampleLaunch) -> Run {
    let mut run = alone(head);
    let past = |(day, per_mille): (usize, &i32)| {
        let factor = 1.0 + f64::from(*per_mille) / 1_000.0;
        let metrics = [
            (Metric::Cpu, 5_200.0),
            (Metric::Latency, 1_900_000.0),
            (Metric::P50, 1_900_000.0),
            (Metric::P95, 2_070_000.0),
            (Metric::P99, 2_090_000.0),
            (Metric::Rss, 25_165_824.0),
        ];
        let levels = metrics.map(|(metric, level)| (metric, level * factor));
        PastRun {
            digest: format!("{day:012x}"),
            started: format!("2026-11-{:02}T10:00:00Z", day % 20 + 1),
            revision: Revision { commit: Some(format!("{day:040x}")), ..run.head.clone() },
            machine: run.machine.clone(),
            yardstick: None,
            scenarios: vec![PastScenario {
                name: "smoke".to_owned(),
                workload: run.scenarios[0].workload.clone(),
                launches: 5,
                levels: BTreeMap::from(levels),
            }],
        }
    };
    run.history = Some(RunHistory {
        name: "main".to_owned(),
        store: "baselines".to_owned(),
        notes: Vec::new(),
        runs: days.iter().enumerate().map(past).collect(),
    });
    run
}

/// Returns counts as [`counted`] does, with a hunk of `src/xml.rs` whose revert takes instructions to `variant`.
pub fn explained(base: f64, head: f64, variant: f64) -> CountOutcome {
    let mut work = counted(base, head);
    let CountOutcome::Counted(counted) = &mut work else { unreachable!("it was counted") };
    let hunk = HunkPlace {
        path: "src/xml.rs".to_owned(),
        base: LineSpan { start: 118, count: 2 },
        head: LineSpan { start: 118, count: 14 },
    };
    let growth = head - base;
    let other = HunkPlace { path: "src/a_b.rs".to_owned(), ..hunk.clone() };
    let values = |value: f64| vec![value; 5];
    counted.causes = Some(Box::new(WorkCauses {
        lines: vec![LineGrowth {
            file: "src/xml.rs".to_owned(),
            line: 120,
            touched: true,
            function: "api::parse".to_owned(),
            base: 0.0,
            head: growth,
        }],
        hunks: vec![
            HunkGrowth { hunk: hunk.clone(), growth, evidence: HunkEvidence::Line },
            HunkGrowth { hunk: other.clone(), growth: 0.0, evidence: HunkEvidence::None },
        ],
        reverts: vec![RevertCounts {
            hunks: vec![hunk, other],
            outcome: RevertOutcome::Counted {
                base: values(base),
                head: values(head),
                variant: values(variant),
            },
        }],
        ..WorkCauses::default()
    }));
    work
}
