//! Judges again what was recorded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use compare::Comparison;
use record::Run;
use report::html;
use report::index_page::IndexEntry;

use crate::app::failure::UseCaseError;

/// The style sheet and the script of pages, in the folder of their assets.
const STYLESHEET: &str = "xmlperf.css";
const SCRIPT: &str = "xmlperf.js";

/// The page that stands beside a record.
const PAGE: &str = "report.html";

/// Reads a run and draws its verdicts anew from its numbers.
pub fn report(file: &Path) -> anyhow::Result<Comparison> {
    judge(&read(file)?, file)
}

fn read(file: &Path) -> anyhow::Result<Run> {
    if !file.exists() {
        return Err(UseCaseError::NoRunFile { path: file.to_path_buf() }.into());
    }
    Ok(Run::load(file)?)
}

fn judge(run: &Run, file: &Path) -> anyhow::Result<Comparison> {
    Comparison::of(run).with_context(|| format!("unusable `{}`", file.display()))
}

/// Reads several runs, for one report of all of them.
pub fn index(files: &[PathBuf]) -> anyhow::Result<Vec<IndexEntry>> {
    let entry = |file: &PathBuf| {
        let run = read(file)?;
        let page = file.with_file_name(PAGE);
        Ok(IndexEntry {
            name: file.display().to_string(),
            page: page.exists().then(|| page.display().to_string()),
            comparison: judge(&run, file)?,
            started: run.started,
        })
    };
    files.iter().map(entry).collect()
}

/// Writes what pages need beside themselves into a folder, and returns how a page beside that folder refers
/// to its style sheet and its script.
pub fn write_assets(folder: &Path) -> anyhow::Result<[String; 2]> {
    let failed = |path: &Path| format!("failed to write `{}`", path.display());
    fs::create_dir_all(folder).with_context(|| failed(folder))?;
    let write = |name, content: &str| {
        let path = folder.join(name);
        record::write_atomically(&path, content.as_bytes()).with_context(|| failed(&path))?;
        anyhow::Ok(path.display().to_string())
    };
    Ok([write(STYLESHEET, &html::stylesheet())?, write(SCRIPT, html::SCRIPT)?])
}
