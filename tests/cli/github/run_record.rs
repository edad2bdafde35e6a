//! A recorded run, as `compare` writes it.

use std::path::Path;

use record::fixtures::{self, SampleLaunch};
use record::metric::Metric;
use record::metric::gate::{GateRules, MetricPolicy};
use record::{Revision, Run};

/// Fourteen launch pairs in which head needs `percent` more than base.
pub(crate) fn slower_by(percent: u64) -> Run {
    let base = SampleLaunch { latency_us: 1_000, cpu_us: 500, rss_mib: 24 };
    let slower = |us: u64| us * (100 + percent) / 100;
    let (latency_us, cpu_us) = (slower(base.latency_us), slower(base.cpu_us));
    let mut run = fixtures::paired(14, base, SampleLaunch { latency_us, cpu_us, ..base });
    let revision = |label: &str| Revision {
        label: label.to_owned(),
        commit: Some(label.to_owned()),
        ..run.head.clone()
    };
    let base = revision(super::job_environment::BASE);
    let head = revision("2ffea6db2ffea6db2ffea6db2ffea6db2ffea6db");
    run.base = Some(base);
    run.head = head;
    run.launches_planned = 14;
    "nominal".clone_into(&mut run.scenarios[0].name);
    // What a report says of other metrics is not what these tests are about.
    run.gate = GateRules::default();
    run.gate.rules.retain(|metric, _| {
        !matches!(metric, Metric::Tail | Metric::Memory | Metric::Ready | Metric::AnswerBytes)
    });
    run.gate.rules.entry(Metric::Rss).and_modify(|rule| rule.policy = MetricPolicy::Gate);
    run
}

/// Writes the run where `report github` looks for it.
pub(crate) fn save(run: &Run, folder: &Path) {
    run.save(&folder.join("run.json")).unwrap();
}
