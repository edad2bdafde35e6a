//! Joins the records of shards, and judges all of them as one run.

use std::path::{Path, PathBuf};

use anyhow::Result;
use compare::Comparison;
use record::Run;
use record::merge::{self, RunFile};

use crate::app::event::EventSink;
use crate::app::failure::UseCaseError;
use crate::app::out_lock;
use crate::app::result_files;
use crate::app::run::RunOutcome;
use crate::app::selection;

/// What is joined.
#[derive(Debug, Clone)]
pub struct MergeOptions {
    /// Records of the shards, or folders that hold a `run.json` each.
    pub files: Vec<PathBuf>,
    /// Folder for the joined run and its reports.
    pub out: PathBuf,
}

/// Joins, writes the run and its reports, and returns what it says.
pub fn merge(options: &MergeOptions, events: &mut dyn EventSink) -> Result<RunOutcome> {
    let files = options.files.iter().map(|path| run_file(path));
    let run = merge::merge(files.collect::<Result<_>>()?)?;
    let comparison = Comparison::of(&run)?;
    selection::prepare_out(&options.out)?;
    out_lock::take(&options.out)?;
    let lost = result_files::keep_in(&options.out, &run, &comparison, events);
    Ok(RunOutcome { comparison, stages: run.stages, lost })
}

fn run_file(path: &Path) -> Result<RunFile> {
    let path = if path.is_dir() { path.join("run.json") } else { path.to_path_buf() };
    if !path.exists() {
        return Err(UseCaseError::NoRunFile { path }.into());
    }
    let run = Run::load(&path)?;
    Ok(RunFile { path, run })
}
