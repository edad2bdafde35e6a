//! Says in which scenarios the work changed, so that it is worth looking for what changed it.

use record::Run;
use record::metric::Metric;

use crate::decision::Verdict;
use crate::suspicion::Suspicion;
use crate::{Comparison, MetricResult};

/// How the work of a scenario differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkChange {
    /// It is more: red, or suspected.
    More,
    /// It is less.
    Less,
}

impl Comparison {
    /// Returns the scenarios whose work changed, or is suspected to have, in the order of the run.
    pub fn work_changes(&self, run: &Run) -> Vec<(String, WorkChange)> {
        let rows = self.rows.iter().filter(|row| row.metric == Metric::Work);
        let change = |row: &MetricResult| {
            let change = match (row.verdict(), row.suspicion) {
                (Some(Verdict::Regressed), _) | (_, Some(Suspicion::CodeGeneration)) => {
                    WorkChange::More
                }
                (Some(Verdict::Improved), _) => WorkChange::Less,
                (Some(Verdict::Unchanged | Verdict::Inconclusive) | None, _) => return None,
            };
            Some((row.scenario.clone(), change))
        };
        let changes: Vec<_> = rows.filter_map(change).collect();
        let of_run = |name: &str| changes.iter().find(|(it, _)| it == name).cloned();
        run.scenarios.iter().filter_map(|scenario| of_run(&scenario.name)).collect()
    }
}
