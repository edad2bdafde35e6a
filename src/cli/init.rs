//! Writes a commented configuration to begin with.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;

use crate::cli::Exit;
use crate::config;
use crate::record;

/// Write a commented `xmlperf.toml`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write it
    #[arg(default_value = config::FILE_NAME)]
    path: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

/// Writes the file, unless there is one.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<Exit> {
    let path = args.path.display();
    if args.path.exists() && !args.force {
        bail!("`{path}` exists\n\nhint: `--force` overwrites it");
    }
    record::write_atomically(&args.path, config::TEMPLATE.as_bytes())?;
    writeln!(out, "wrote {path}: set `[target] build` and `start`, then run `xmlperf compare`")?;
    Ok(Exit::Fine)
}
