//! Writes a commented configuration to begin with, and a workflow that makes it a gate.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::cli::Exit;
use crate::config;
use crate::record;

/// What a repository needs to judge its pull requests. `docs/` shows the same file.
const WORKFLOW: &str = include_str!("../../docs/workflows/xmlperf.yml");
const WORKFLOW_PATH: &str = ".github/workflows/xmlperf.yml";

/// Write a commented `xmlperf.toml`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write it
    #[arg(default_value = config::FILE_NAME)]
    path: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
    /// Write a workflow for GitHub as well, which measures every pull request
    #[arg(long)]
    github: bool,
}

/// Writes the files, unless one of them is there. A configuration that is there will do for a
/// workflow.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<Exit> {
    let path = args.path.display();
    let workflow = Path::new(WORKFLOW_PATH);
    if args.github {
        refuse_to_overwrite(args, workflow)?;
        record::write_atomically(workflow, WORKFLOW.as_bytes())?;
        writeln!(out, "wrote {WORKFLOW_PATH}: commit it, and open a pull request")?;
        if args.path.exists() && !args.force {
            return Ok(Exit::Fine);
        }
    }
    refuse_to_overwrite(args, &args.path)?;
    record::write_atomically(&args.path, config::TEMPLATE.as_bytes())?;
    writeln!(out, "wrote {path}: set `[target] build` and `start`, then run `xmlperf compare`")?;
    Ok(Exit::Fine)
}

fn refuse_to_overwrite(args: &Args, path: &Path) -> anyhow::Result<()> {
    if path.exists() && !args.force {
        bail!("`{}` exists\n\nhint: `--force` overwrites it", path.display());
    }
    Ok(())
}
