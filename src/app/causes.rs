//! Finds out which lines and hunks of a change more work is in, once it was counted.
//!
//! Nothing is done where the work did not change. Where it shrank, lines are compared; where it grew, hunks are
//! ranked too, and those that come first are reverted, as only a revert proves anything.

use std::path::{Path, PathBuf};

use compare::{Comparison, WorkChange};
use profile::hunks::diff::SourceHunk;
use profile::hunks::line_profile::LineProfile;
use profile::hunks::{line_growth, rank};
use record::causes::{CauseObstacle, HunkEvidence, HunkGrowth, WorkCauses};
use record::instruction_counts::{CountOutcome, InstructionCounts};
use record::{Run, ScenarioRun};
use suite::Scenario;

use crate::app::builds::{BuildFinder, BuildPair};
use crate::app::event::{CauseEvent, Event, EventSink};
use crate::app::proof::HunkProver;
use crate::app::source_change::SourceChange;

/// Adds to a run that was measured side by side what explains the scenarios whose work changed. `logs` has
/// what was counted, `own` are folders of this program.
pub(super) fn explain(
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    run: &mut Run,
    logs: &Path,
    own: &[PathBuf],
    events: &mut dyn EventSink,
) {
    // What cannot be judged, or was not measured to its end, is reported as that.
    let Ok(comparison) = Comparison::of(run) else { return };
    let changes = comparison.work_changes(run);
    if changes.is_empty() || run.ended.is_some() {
        return;
    }
    // A run is worth more than its explanation: without git's answer there is none.
    let sources = SourceChange::read(finder, builds, own).ok().flatten();
    let mut prover = HunkProver::new(finder, builds, own);
    for (name, change) in changes {
        let found = finder.suite.scenarios.iter().find(|scenario| scenario.name == name);
        let of_run = run.scenarios.iter_mut().find(|scenario| scenario.name == name);
        let (Some(scenario), Some(counted)) = (found, of_run.and_then(counted)) else { continue };
        let mut causes = match &sources {
            Some(sources) => by_lines(sources, scenario, counted, change, logs),
            None => obstructed(CauseObstacle::NoDiff),
        };
        let is_ranked =
            !matches!(causes.obstacle, Some(CauseObstacle::NoDiff | CauseObstacle::NoCounts));
        if let (Some(sources), WorkChange::More, true) = (&sources, change, is_ranked) {
            let hunks = causes.hunks.len();
            events.emit(Event::Cause(CauseEvent::Sought { scenario: &name, hunks }));
            prover.prove(sources, scenario, &mut causes, events);
        }
        counted.causes = Some(Box::new(causes));
    }
}

fn counted(scenario: &mut ScenarioRun) -> Option<&mut InstructionCounts> {
    match scenario.work.as_mut()? {
        CountOutcome::Counted(counted) => Some(counted),
        CountOutcome::Unavailable { .. } => None,
    }
}

fn obstructed(obstacle: CauseObstacle) -> WorkCauses {
    WorkCauses { obstacle: Some(obstacle), ..WorkCauses::default() }
}

/// What the counts say by lines: which differ, and which hunks these are put down to.
fn by_lines(
    sources: &SourceChange,
    scenario: &Scenario,
    counted: &InstructionCounts,
    change: WorkChange,
    logs: &Path,
) -> WorkCauses {
    let launches = counted.head.instructions.len();
    let Ok([base, head]) = runner::counted_graphs(logs, scenario, launches) else {
        return obstructed(CauseObstacle::NoCounts);
    };
    let launches = u64::try_from(launches).unwrap_or(u64::MAX);
    let requests = counted.requests * launches;
    let units = counted.pairs_per_request * requests / scenario.requests_per_unit();
    let base = LineProfile::resolve(&base, &sources.base_root, units);
    let head = LineProfile::resolve(&head, &sources.head_root, units);
    let SourceChange { map, hunks, texts, .. } = sources;
    if !base.has_lines() || !head.has_lines() {
        // Without an order, but they can be reverted all the same.
        let unranked = |hunk: &SourceHunk| {
            let (hunk, evidence) = (hunk.place.clone(), HunkEvidence::None);
            HunkGrowth { hunk, growth: 0.0, evidence }
        };
        let hunks = hunks.iter().map(unranked).collect();
        return WorkCauses { hunks, ..obstructed(CauseObstacle::NoLineTables) };
    }
    WorkCauses {
        lines: line_growth(&base, &head, map, hunks),
        hunks: match change {
            WorkChange::More => rank([&base, &head], map, hunks, texts),
            WorkChange::Less => Vec::new(),
        },
        ..WorkCauses::default()
    }
}
