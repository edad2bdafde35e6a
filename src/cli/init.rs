//! Writes a commented configuration to begin with, and a workflow that makes it a gate.

use std::io::Write;
use std::path::PathBuf;

use suite::config::FILE_NAME;

use crate::app;
use crate::app::init::{ExistingFiles, InitOptions, InitialFile, WORKFLOW_PATH, WorkflowFile};
use crate::cli::Exit;
use crate::cli::process;

/// Write a commented `xmlperf.toml`
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// Where to write it
    #[arg(default_value = FILE_NAME)]
    path: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
    /// Write a workflow for GitHub as well, which measures every pull request
    #[arg(long)]
    github: bool,
}

/// Writes the files, and prints what to do with them.
pub(super) fn run(args: &InitArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let written = app::init::init(&InitOptions {
        folder: process::current_folder()?,
        path: args.path.clone(),
        existing: if args.force { ExistingFiles::Overwrite } else { ExistingFiles::Keep },
        workflow: if args.github { WorkflowFile::Write } else { WorkflowFile::Omit },
    })?;
    for file in written {
        match file {
            InitialFile::Workflow => {
                writeln!(out, "wrote {WORKFLOW_PATH}: commit it, and open a pull request")?;
            }
            InitialFile::Configuration => writeln!(
                out,
                "wrote {}: set `[target] build` and `start`, then run `xmlperf check`",
                args.path.display()
            )?,
        }
    }
    Ok(Exit::Success)
}
