//! Writes a configuration to begin with, and a workflow that makes it a gate.

use std::path::{Path, PathBuf};

use crate::app::failure::UseCaseError;
use suite::config;

/// What a repository needs to judge its pull requests. `docs/` shows the same file.
const WORKFLOW: &str = include_str!("../../docs/workflows/xmlperf.yml");
/// Where GitHub reads it.
pub const WORKFLOW_PATH: &str = ".github/workflows/xmlperf.yml";

/// What is written.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// The current folder.
    pub folder: PathBuf,
    /// Where the configuration goes.
    pub path: PathBuf,
    /// What becomes of files that are there.
    pub existing: ExistingFiles,
    /// Whether a workflow is written as well.
    pub workflow: WorkflowFile,
}

/// What becomes of a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingFiles {
    /// It stays, and nothing is written.
    Keep,
    /// It is overwritten.
    Overwrite,
}

/// Whether a workflow for GitHub is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkflowFile {
    /// It is.
    Write,
    /// The configuration alone is written.
    Omit,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitialFile {
    /// The workflow.
    Workflow,
    /// The configuration.
    Configuration,
}

/// Writes the files and returns which, in order. A configuration that is there will do for a
/// workflow.
pub fn init(options: &InitOptions) -> anyhow::Result<Vec<InitialFile>> {
    let mut written = Vec::new();
    if options.workflow == WorkflowFile::Write {
        ensure_at_root(&options.folder)?;
        write(Path::new(WORKFLOW_PATH), WORKFLOW, options.existing)?;
        written.push(InitialFile::Workflow);
        if options.path.exists() && options.existing == ExistingFiles::Keep {
            return Ok(written);
        }
    }
    write(&options.path, config::TEMPLATE, options.existing)?;
    written.push(InitialFile::Configuration);
    Ok(written)
}

/// GitHub reads workflows at the root of a repository only.
fn ensure_at_root(here: &Path) -> Result<(), UseCaseError> {
    let root = here.ancestors().find(|folder| folder.join(".git").exists());
    match root.and_then(|root| here.strip_prefix(root).ok()) {
        Some(below) if below != Path::new("") => Err(UseCaseError::WorkflowBelowRoot {
            folder: below.to_path_buf(),
            file: config::FILE_NAME,
        }),
        Some(_) | None => Ok(()),
    }
}

fn write(path: &Path, text: &str, existing: ExistingFiles) -> anyhow::Result<()> {
    if path.exists() && existing == ExistingFiles::Keep {
        return Err(UseCaseError::FileExists { path: path.to_path_buf() }.into());
    }
    Ok(record::write_atomically(path, text.as_bytes())?)
}
