//! Writes a configuration to begin with, and a workflow that makes it a gate.
//!
//! What the configuration says of the program is what the files beside it show; what it says of the requests is
//! from a description of the API or a recording, if one is given.

use std::path::{Path, PathBuf};

use suite::config;
use suite::project::{self, ProjectGuess};

use crate::app::description::{self, DescribedRequests};
use crate::app::failure::UseCaseError;
use crate::app::github_workflow::{WorkflowOptions, WorkflowText};

/// What is written.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// The current folder.
    pub folder: PathBuf,
    /// Where the configuration goes.
    pub path: PathBuf,
    /// What becomes of files that are there.
    pub existing: ExistingFiles,
    /// The workflows for GitHub, if they are written as well.
    pub workflows: Option<WorkflowOptions>,
    /// What describes the requests, if something does.
    pub description: Option<PathBuf>,
}

/// What becomes of a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingFiles {
    /// It stays, and nothing is written.
    Keep,
    /// It is overwritten.
    Overwrite,
}

/// A file that was written.
#[derive(Debug)]
pub enum InitialFile {
    /// A file of the workflows.
    Workflow {
        /// Its path from the root.
        path: &'static str,
    },
    /// The configuration, and what it is from.
    Configuration(Box<ConfigurationOrigin>),
}

/// What a configuration was made from.
#[derive(Debug)]
pub struct ConfigurationOrigin {
    /// What the folder shows of its program.
    pub guess: ProjectGuess,
    /// The requests, if they were described.
    pub requests: Option<DescribedRequests>,
}

/// Writes the files and returns which, in order. A configuration that is there will do for a
/// workflow.
pub fn init(options: &InitOptions) -> anyhow::Result<Vec<InitialFile>> {
    let mut written = Vec::new();
    if let Some(workflows) = &options.workflows {
        ensure_at_root(&options.folder)?;
        let files = workflows.files()?;
        // All or none: half of a gate would look like one.
        files.iter().try_for_each(|file| ensure_free(Path::new(file.path), options.existing))?;
        for WorkflowText { path, text } in files {
            write(Path::new(path), &text, options.existing)?;
            written.push(InitialFile::Workflow { path });
        }
        let is_there = options.path.exists() && options.existing == ExistingFiles::Keep;
        if is_there && options.description.is_none() {
            return Ok(written);
        }
    }
    let origin = write_configuration(options)?;
    written.push(InitialFile::Configuration(Box::new(origin)));
    Ok(written)
}

/// Writes the configuration and the bodies that it names.
fn write_configuration(options: &InitOptions) -> anyhow::Result<ConfigurationOrigin> {
    let folder = options.folder.join(&options.path);
    let folder = folder.parent().unwrap_or(&options.folder);
    let guess = project::look(folder);
    let requests = options.description.as_deref().map(description::read).transpose()?;
    let bodies = requests.as_ref().map_or(&[][..], |it| it.tables.files.as_slice());
    let bodies = || bodies.iter().map(|body| (folder.join(&body.path), body.text.as_str()));
    // All of them before any is written: half a configuration is none.
    for path in bodies().map(|(path, _)| path).chain([options.path.clone()]) {
        if path.exists() && options.existing == ExistingFiles::Keep {
            return Err(UseCaseError::FileExists { path }.into());
        }
    }
    for (path, text) in bodies() {
        write(&path, text, options.existing)?;
    }
    let tables = requests.as_ref().map(|it| it.tables.text.as_str());
    write(&options.path, &config::initial(&guess, tables), options.existing)?;
    Ok(ConfigurationOrigin { guess, requests })
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
    ensure_free(path, existing)?;
    Ok(record::write_atomically(path, text.as_bytes())?)
}

fn ensure_free(path: &Path, existing: ExistingFiles) -> Result<(), UseCaseError> {
    if path.exists() && existing == ExistingFiles::Keep {
        return Err(UseCaseError::FileExists { path: path.to_path_buf() });
    }
    Ok(())
}
