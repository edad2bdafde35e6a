//! A recorded run, as `compare` writes it.

use std::collections::BTreeMap;
use std::path::Path;

use hdrhistogram::Histogram;
use record::metric::Metric;
use record::metric::gate::{GateRules, MetricPolicy};
use record::metric::limit::Limit;
use record::workload::{LoadAmount, LoadRecord, LoadSettings, Workload};
use record::{
    LatencyBasis, LaunchPair, LaunchResult, LaunchResults, Machine, Revision, Run, SCHEMA,
    ScenarioRun, Side, SliceTotals, histogram,
};

/// Fourteen launch pairs in which head needs `percent` more than base.
pub(crate) fn slower_by(percent: u64) -> Run {
    let pair = |n: u64| LaunchPair {
        first: if n.is_multiple_of(2) { Side::Base } else { Side::Head },
        base: trial(1_000_000 + n * 37 % 1_000),
        head: trial((1_000_000 + n * 53 % 1_000) * (100 + percent) / 100),
    };
    let scenario = ScenarioRun {
        name: "nominal".to_owned(),
        workload: workload(),
        pairs_per_request: 100,
        requests_per_unit: 1,
        unit: None,
        limits: vec![Limit::parse("throughput", ">= 333 pairs/s").unwrap()],
        times: LatencyBasis::Service,
        trials: LaunchResults::Paired((0..14).map(pair).collect()),
        work: None,
        absent_in_base: None,
        oracle: Vec::new(),
        dependencies: Vec::new(),
        operation_limits: BTreeMap::new(),
        fitted_load: None,
    };
    let revision = |label: &str| Revision {
        label: label.to_owned(),
        commit: Some(label.to_owned()),
        dirty: false,
        start: "./api".to_owned(),
        is_reference: false,
    };
    // What a report says of other metrics is not what these tests are about.
    let mut gate = GateRules::default();
    gate.rules.retain(|metric, _| {
        !matches!(metric, Metric::Tail | Metric::Memory | Metric::Ready | Metric::AnswerBytes)
    });
    gate.rules.entry(Metric::Rss).and_modify(|rule| rule.policy = MetricPolicy::Gate);
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
        config: "4567".to_owned(),
        machine: machine(),
        machine_id: None,
        base: Some(revision(super::job_environment::BASE)),
        head: revision("2ffea6db2ffea6db2ffea6db2ffea6db2ffea6db"),
        gate,
        launches_planned: 14,
        budget_ns: None,
        soft_budget_ns: None,
        network_cost: None,
        confinement: None,
        placement: None,
        identical: None,
        ended: None,
        yardstick: None,
        history: None,
        evidence: None,
        offsets: Vec::new(),
        confirms: None,
        confirming: None,
        shard: None,
        shards: Vec::new(),
        cost: None,
        scenarios: vec![scenario],
    }
}

fn machine() -> Machine {
    Machine {
        arch: "x86_64".to_owned(),
        cpu: "AMD EPYC".to_owned(),
        cores: 2,
        memory_bytes: 16 << 30,
        kernel: "Linux 6.1".to_owned(),
        image: "Ubuntu 24.04".to_owned(),
    }
}

fn trial(service_ns: u64) -> LaunchResult {
    let mut times = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
    (0..1_000).for_each(|n| times.record(service_ns * (900 + n / 5) / 1_000).unwrap());
    LaunchResult {
        ready_ns: 20_000_000,
        wall_ns: service_ns * 1_000,
        requests: 1_000,
        pairs: 100_000,
        cpu_ns: Some(service_ns * 500),
        rss_bytes_max: Some(24 << 20),
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

fn workload() -> Workload {
    Workload {
        kind: payload::PayloadKind::XmlCompareBatch,
        path: Some("/compare".to_owned()),
        payload: "0123".to_owned(),
        load: LoadRecord::Settings(LoadSettings::closed(1, LoadAmount::Requests(1_000))),
        network: None,
        operations: None,
    }
}

/// Writes the run where `report github` looks for it.
pub(crate) fn save(run: &Run, folder: &Path) {
    run.save(&folder.join("run.json")).unwrap();
}
