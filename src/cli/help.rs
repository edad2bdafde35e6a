//! Shows the help of a command, or a page about what its results mean.

use std::io::Write;
use std::iter;

use clap::Command;
use clap::error::ErrorKind;

use crate::app::concepts;
use crate::cli::Exit;
use crate::cli::usage::UsageError;

/// Show the help of a command, or the page about a concept
///
/// Concepts: configuration, exit-codes, metrics, troubleshooting, verdicts.
#[derive(Debug, clap::Args)]
pub(super) struct HelpArgs {
    /// A command, with its subcommand if it has one; or a concept
    #[arg(value_name = "COMMAND | CONCEPT")]
    words: Vec<String>,
}

/// Prints the page or the help of `program`.
pub(super) fn run(args: &HelpArgs, program: Command, out: &mut impl Write) -> anyhow::Result<Exit> {
    if let [word] = args.words.as_slice()
        && let Some(page) = concepts::find(word)
    {
        out.write_all(page.text.as_bytes())?;
        return Ok(Exit::Success);
    }
    let words = args.words.iter().map(String::as_str);
    let command_line = iter::once("xmlperf").chain(words).chain(iter::once("--help"));
    match program.try_get_matches_from(command_line) {
        Err(help) if help.kind() == ErrorKind::DisplayHelp => write!(out, "{}", help.render())?,
        Ok(_) | Err(_) => return Err(UsageError::NoHelp { word: args.words.join(" ") }.into()),
    }
    Ok(Exit::Success)
}
