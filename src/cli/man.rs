//! Writes the manual, a page for each command.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Command;

use crate::cli::Exit;

/// Write the manual, a page for each command, into a folder
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// The folder, such as `~/.local/share/man/man1`
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes the pages of `program`.
pub(super) fn run(args: &ManArgs, program: Command, out: &mut impl Write) -> anyhow::Result<Exit> {
    let failed = || format!("failed to write the manual into `{}`", args.folder.display());
    fs::create_dir_all(&args.folder).with_context(failed)?;
    clap_mangen::generate_to(program, &args.folder).with_context(failed)?;
    writeln!(out, "wrote the manual into {}", args.folder.display())?;
    Ok(Exit::Success)
}
