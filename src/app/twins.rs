//! Remembers what comparisons of a build with itself found on this machine: its own offset.
//!
//! Each is a line in the user's folder for caches, apart for each configuration, so that any of them adds
//! to what is known here. A record carries what was known when it was measured: it is judged alike
//! wherever it is read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use compare::{Comparison, MetricResult};
use record::bounds::TABLE_BYTES_MAX;
use record::file::read_text_bounded;
use record::metric::Metric;
use record::{MachineOffset, Run};
use runner::machine;
use serde::{Deserialize, Serialize};
use stats::offset::{self, NullEstimate};

use crate::app::builds::BuildFinder;

/// Older comparisons are forgotten: a machine changes.
const REMEMBERED: usize = 50;

/// Fewer launch pairs do not tell their scatter.
const LAUNCH_PAIRS_MIN: usize = 5;

/// What one comparison of a build with itself found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TwinComparison {
    machine_id: String,
    started: String,
    scenarios: BTreeMap<String, BTreeMap<Metric, TwinEstimate>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TwinEstimate {
    change_ln: f64,
    error_ln: f64,
}

/// Keeps a comparison of a build with itself, and lets its run say what is known of this machine with it.
/// Returns how many are kept.
pub(super) fn keep(finder: &BuildFinder<'_>, run: &mut Run) -> Result<usize> {
    let (Some(path), Some(found)) = (path(finder), of_run(run)?) else { return Ok(0) };
    let mut known = read(finder);
    known.push(found);
    known.drain(..known.len().saturating_sub(REMEMBERED));
    let line =
        |it: &TwinComparison| serde_json::to_string(it).context("a comparison is plain data");
    let lines: Vec<String> = known.iter().map(line).collect::<Result<_>>()?;
    record::write_atomically(&path, (lines.join("\n") + "\n").as_bytes())?;
    run.offsets = of_comparisons(&known);
    Ok(known.len())
}

/// Returns what is known of this machine's offsets under the configuration; nothing with too few
/// comparisons.
pub(super) fn offsets(finder: &BuildFinder<'_>) -> Vec<MachineOffset> {
    of_comparisons(&read(finder))
}

fn path(finder: &BuildFinder<'_>) -> Option<PathBuf> {
    let folder = finder.selection.workplace.cache.as_ref()?.join("xmlperf/twins");
    Some(folder.join(format!("{}.jsonl", record::digest(finder.suite.digest.as_bytes()))))
}

/// The comparisons of this machine, oldest first. What cannot be read is a comparison less.
fn read(finder: &BuildFinder<'_>) -> Vec<TwinComparison> {
    let text = path(finder).and_then(|path| read_text_bounded(&path, TABLE_BYTES_MAX).ok());
    let here = machine::identity(finder.selection.workplace.lifetime);
    let text = text.unwrap_or_default();
    let known = text.lines().filter_map(|line| serde_json::from_str::<TwinComparison>(line).ok());
    known.filter(|it| Some(&it.machine_id) == here.as_ref()).collect()
}

/// None of a run that measured too little, or on a machine that does not say which one it is.
fn of_run(run: &Run) -> Result<Option<TwinComparison>> {
    let comparison = Comparison::of(run)?;
    let Some(machine_id) = run.machine_id.clone() else { return Ok(None) };
    if comparison.method.launches < LAUNCH_PAIRS_MIN {
        return Ok(None);
    }
    let mut scenarios = BTreeMap::<String, BTreeMap<Metric, TwinEstimate>>::new();
    for row in comparison.rows.iter().filter(|row| row.metric.is_timed()) {
        if let Some(estimate) = estimate(row) {
            scenarios.entry(row.scenario.clone()).or_default().insert(row.metric, estimate);
        }
    }
    Ok(Some(TwinComparison { machine_id, started: run.started.clone(), scenarios }))
}

fn estimate(row: &MetricResult) -> Option<TwinEstimate> {
    let judgement = row.judgement()?;
    let error_ln = offset::standard_error(judgement.spread_ln, judgement.sample);
    let change_ln = judgement.estimate_ln;
    error_ln.is_finite().then_some(TwinEstimate { change_ln, error_ln })
}

fn of_comparisons(known: &[TwinComparison]) -> Vec<MachineOffset> {
    let mut estimates = BTreeMap::<(&str, Metric), Vec<NullEstimate>>::new();
    for (scenario, metrics) in known.iter().flat_map(|it| &it.scenarios) {
        for (metric, TwinEstimate { change_ln, error_ln }) in metrics {
            let estimate = NullEstimate { value: *change_ln, error: *error_ln };
            estimates.entry((scenario, *metric)).or_default().push(estimate);
        }
    }
    let offset = |((scenario, metric), estimates): ((&str, Metric), Vec<NullEstimate>)| {
        let scenario = scenario.to_owned();
        let (deviation_ln, comparisons) = (offset::deviation(&estimates)?, estimates.len());
        Some(MachineOffset { scenario, metric, deviation_ln, comparisons })
    };
    estimates.into_iter().filter_map(offset).collect()
}

#[cfg(test)]
mod tests {
    use record::fixtures::{LEVEL, paired};

    use super::*;

    #[test]
    fn five_comparisons_of_a_build_with_itself_tell_the_offset() {
        let mut run = paired(12, LEVEL, LEVEL);
        run.machine_id = Some("m".to_owned());
        let found = of_run(&run).unwrap().unwrap();
        let cpu = found.scenarios["smoke"][&Metric::Cpu];
        assert!(cpu.error_ln > 0.0 && cpu.change_ln.abs() < 0.01, "{cpu:?}");
        let twin = |change_ln: f64| {
            let mut twin = found.clone();
            let metrics = twin.scenarios.get_mut("smoke").unwrap();
            metrics.insert(Metric::Cpu, TwinEstimate { change_ln, error_ln: 0.001 });
            twin
        };
        let known = [0.01, -0.01, 0.01, -0.01, 0.01].map(twin);
        assert!(of_comparisons(&known[..4]).is_empty());
        let offsets = of_comparisons(&known);
        let cpu = offsets.iter().find(|it| it.metric == Metric::Cpu).unwrap();
        assert!((cpu.deviation_ln - 0.009_95).abs() < 1e-4 && cpu.comparisons == 5, "{cpu:?}");
    }

    #[test]
    fn what_was_measured_too_shortly_or_nowhere_is_not_kept() {
        assert_eq!(of_run(&paired(12, LEVEL, LEVEL)).unwrap(), None);
        let mut short = paired(4, LEVEL, LEVEL);
        short.machine_id = Some("m".to_owned());
        assert_eq!(of_run(&short).unwrap(), None);
    }
}
