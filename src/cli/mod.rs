//! Turns arguments into domain values, calls the library, and picks the exit code.
//!
//! One file a subcommand; the only place, beside `main`, that prints.

mod baseline;
mod init;
mod output;
mod payload;
mod report;
mod serve;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "xmlperf", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Baseline(baseline::Args),
    Init(init::Args),
    Payload(payload::Args),
    Report(report::Args),
    Serve(serve::Args),
}

/// What the process reports to whoever called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Nothing is worse than was promised.
    Fine = 0,
    /// A metric regressed, or a limit is broken.
    Regressed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The target did not start, crashed, answered wrongly, or failed too often.
    NotMeasured = 3,
    /// Nothing was decided, and `--fail-on inconclusive` was given.
    Inconclusive = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs the subcommand; results go to `out`, progress and warnings to standard error.
pub fn run(cli: &Cli, out: &mut impl Write) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Baseline(args) => baseline::run(args, out),
        Command::Init(args) => init::run(args, out),
        Command::Payload(args) => payload::run(args, out),
        Command::Report(args) => report::run(args, out),
        Command::Serve(args) => serve::run(args, out),
    }
}

/// Returns what to tell a person about a failure, and the exit code that goes with it.
pub fn explain(error: &anyhow::Error) -> (String, Exit) {
    if is_closed_pipe(error) {
        return ("the reader of the output went away".to_owned(), Exit::Usage);
    }
    (format!("{error:#}"), Exit::Usage)
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
