//! Writes a commented configuration to begin with, and a workflow that makes it a gate.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::cli::Exit;
use suite::config;

/// What a repository needs to judge its pull requests. `docs/` shows the same file.
const WORKFLOW: &str = include_str!("../../docs/workflows/xmlperf.yml");
const WORKFLOW_PATH: &str = ".github/workflows/xmlperf.yml";

/// Write a commented `xmlperf.toml`
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
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
pub(super) fn run(args: &InitArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let path = args.path.display();
    let workflow = Path::new(WORKFLOW_PATH);
    if args.github {
        refuse_below_the_root()?;
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

/// GitHub reads workflows at the root of a repository only.
fn refuse_below_the_root() -> anyhow::Result<()> {
    let here = env::current_dir().context("failed to find the current folder")?;
    let root = here.ancestors().find(|folder| folder.join(".git").exists());
    match root.and_then(|root| here.strip_prefix(root).ok()) {
        Some(below) if below != Path::new("") => bail!(
            "GitHub reads workflows at the root of the repository only, not in `{0}`\n\n\
             hint: `xmlperf init --github {0}/{1}` there, and `working-directory: {0}` in the workflow",
            below.display(),
            config::FILE_NAME
        ),
        Some(_) | None => Ok(()),
    }
}

fn refuse_to_overwrite(args: &InitArgs, path: &Path) -> anyhow::Result<()> {
    if path.exists() && !args.force {
        bail!("`{}` exists\n\nhint: `--force` overwrites it", path.display());
    }
    Ok(())
}
