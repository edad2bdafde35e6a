//! Writes what a shell needs to complete the command line.

use std::io::Write;

use clap::Command;
use clap_complete::Shell;

use crate::cli::Exit;

/// Write the completions of a shell to standard output
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the completions of `program`.
pub(super) fn run(
    args: &CompletionsArgs,
    mut program: Command,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let name = program.get_name().to_owned();
    // Into memory first: the generator panics where its output cannot be written.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut script);
    out.write_all(&script)?;
    Ok(Exit::Success)
}
