//! Writes what a run yielded into the folder of results.

use std::path::Path;

use compare::Comparison;
use record::stage::{RunStage, StageTimes};
use record::{RecordError, Run};
use report::{html, json, markdown};

use crate::app::event::{Event, EventSink, WarningKind};
use crate::app::failure::UseCaseError;
use crate::app::result_room::ResultRoom;
use crate::app::runs::{self, FILES};
use crate::app::selection::SuiteSelection;

/// Writes the run and its reports into the folder `report` of the results, in the place of the room that was
/// reserved for them, and keeps them in the archive of runs. Returns what was lost where the disk is full or
/// refuses: the verdict stands without it.
pub(super) fn keep(
    selection: &SuiteSelection,
    room: ResultRoom,
    run: &Run,
    comparison: &Comparison,
    events: &mut dyn EventSink,
) -> Option<UseCaseError> {
    drop(room);
    selection.clock.time(RunStage::Write, || keep_in(&selection.out, run, comparison, events))
}

/// Likewise, of a run that was not measured here, in a folder of results.
pub(super) fn keep_in(
    out: &Path,
    run: &Run,
    comparison: &Comparison,
    events: &mut dyn EventSink,
) -> Option<UseCaseError> {
    let report = out.join("report");
    let lost = write(&report, run, comparison);
    if lost.is_none()
        && let Err(error) = runs::keep(out, &report, run, comparison)
    {
        events.emit(Event::Warning(WarningKind::NotArchived { error: &error.to_string() }));
    }
    lost
}

/// Returns where the time of a run went, together with what went by since it was recorded.
pub(super) fn stages(selection: &SuiteSelection, run: &Run) -> StageTimes {
    let mut stages = run.stages.clone();
    for (stage, ns) in selection.clock.take() {
        *stages.entry(stage).or_default() += ns;
    }
    stages
}

/// Writes the run and its reports into `folder`: `run.json`, `report.md`, `report.html`,
/// `report.json`. Returns what was lost.
pub(super) fn write(folder: &Path, run: &Run, comparison: &Comparison) -> Option<UseCaseError> {
    let lost = |source| UseCaseError::ResultsLost { folder: folder.to_path_buf(), source };
    write_each(folder, run, comparison).err().map(lost)
}

fn write_each(folder: &Path, run: &Run, comparison: &Comparison) -> Result<(), RecordError> {
    let [record, markdown, html, json] = FILES;
    run.save(&folder.join(record))?;
    let reports = [
        (markdown, markdown::render(comparison)),
        (html, html::render(comparison)),
        (json, json::render(comparison)),
    ];
    for (name, text) in reports {
        record::write_atomically(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}
