//! Writes what a run yielded into the folder of results.

use std::path::Path;

use compare::Comparison;
use record::{RecordError, Run};
use report::{html, json, markdown};

use crate::app::failure::UseCaseError;

/// Writes the run and its reports into `folder`: `run.json`, `report.md`, `report.html`,
/// `report.json`. Returns what was lost where the disk is full or refuses: the verdict stands without it.
pub(super) fn write(folder: &Path, run: &Run, comparison: &Comparison) -> Option<UseCaseError> {
    let lost = |source| UseCaseError::ResultsLost { folder: folder.to_path_buf(), source };
    write_each(folder, run, comparison).err().map(lost)
}

fn write_each(folder: &Path, run: &Run, comparison: &Comparison) -> Result<(), RecordError> {
    run.save(&folder.join("run.json"))?;
    let reports = [
        ("report.md", markdown::render(comparison)),
        ("report.html", html::render(comparison)),
        ("report.json", json::render(comparison)),
    ];
    for (name, text) in reports {
        record::write_atomically(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}
