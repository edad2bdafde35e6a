//! Writes what a run yielded into the folder of results.

use std::path::Path;

use compare::Comparison;
use record::Run;
use report::{html, json, markdown};

/// Writes the run and its reports into `folder`: `run.json`, `report.md`, `report.html`,
/// `report.json`.
pub(super) fn write(folder: &Path, run: &Run, comparison: &Comparison) -> anyhow::Result<()> {
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
