//! Turns arguments into domain values, calls the library, and picks the exit code.
//!
//! One file a subcommand; the only place, beside `main`, that prints.

mod baseline;
mod baseline_history;
mod bisect;
mod budget;
mod compare;
mod decide;
mod first_run;
mod init;
mod live;
mod matrix;
mod output;
mod payload;
mod profile;
mod progress;
mod publication;
mod report;
mod report_github;
mod run;
mod selection;
mod selftest;
mod serve;
mod sides;
mod store;
mod trend;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use thiserror::Error;

use ::profile::ProfileError;
use checkout::BaseError;
use runner::RunnerError;
use units::cancel::Cancel;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "xmlperf", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    Baseline(baseline::BaselineArgs),
    Compare(compare::CompareArgs),
    Bisect(bisect::BisectArgs),
    Trend(trend::TrendArgs),
    Decide(decide::DecideArgs),
    Init(init::InitArgs),
    Payload(payload::PayloadArgs),
    Profile(profile::ProfileArgs),
    Report(report::ReportArgs),
    Run(run::RunArgs),
    Selftest(selftest::SelftestArgs),
    Serve(serve::ServeArgs),
}

/// What the process reports to whoever called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
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
    /// Who read the output went away: as a shell shows a program that SIGPIPE has ended.
    ClosedPipe = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs the subcommand; results go to `out`, progress and warnings to standard error.
pub(crate) fn run(cli: &Cli, out: &mut impl Write) -> anyhow::Result<Exit> {
    match &cli.command {
        CliCommand::Baseline(args) => baseline::run(args, out),
        CliCommand::Compare(args) => compare::run(args, out),
        CliCommand::Bisect(args) => bisect::run(args, out),
        CliCommand::Trend(args) => trend::run(args, out),
        CliCommand::Decide(args) => decide::run(args, out),
        CliCommand::Init(args) => init::run(args, out),
        CliCommand::Payload(args) => payload::run(args, out),
        CliCommand::Profile(args) => profile::run(args, out),
        CliCommand::Report(args) => report::run(args, out),
        CliCommand::Run(args) => run::run(args, out),
        CliCommand::Selftest(args) => selftest::run(args, out),
        CliCommand::Serve(args) => serve::run(args, out),
    }
}

/// Returns what to tell a person about a failure, and the exit code that goes with it.
///
/// Nobody is told that the reader of the output went away: whoever reads by `head` knows.
pub(crate) fn explain(error: &anyhow::Error) -> (Option<String>, Exit) {
    if is_closed_pipe(error) {
        return (None, Exit::ClosedPipe);
    }
    let exit = if could_not_measure(error) { Exit::NotMeasured } else { Exit::Usage };
    (Some(causes_then_hints(error)), exit)
}

/// A failure with its causes in a line, and the hints of all of them behind it.
fn causes_then_hints(error: &anyhow::Error) -> String {
    const HINT: &str = "\n\nhint: ";
    let texts: Vec<String> = error.chain().map(ToString::to_string).collect();
    let parts = texts.iter().map(|text| text.split_once(HINT).unwrap_or((text, "")));
    let (causes, mut hints): (Vec<_>, Vec<_>) = parts.unzip();
    hints.retain(|hint| !hint.is_empty());
    let hints = hints.into_iter().map(|hint| format!("{HINT}{hint}"));
    causes.join(": ") + &hints.collect::<String>()
}

/// What was asked for is right, and could not be measured.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct MeasurementFailure(String);

/// Whether everything was written as it should be, and the measurement failed all the same.
fn could_not_measure(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        // A budget that is too small is a mistake of whoever gave it.
        cause
            .downcast_ref::<RunnerError>()
            .is_some_and(|error| !matches!(error, RunnerError::TooLittleTime(_)))
            || cause.is::<ProfileError>()
            || cause.is::<MeasurementFailure>()
            || matches!(
                cause.downcast_ref::<BaseError>(),
                Some(BaseError::BuildFailed { .. } | BaseError::Cancelled)
            )
    })
}

/// Returns the flag that Ctrl-C and SIGTERM raise. The second signal ends the program at once, and
/// the targets' guards do the rest.
fn interrupt() -> anyhow::Result<Cancel> {
    const ENDED_BY_SIGNAL: i32 = 130;
    let cancel = Cancel::default();
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, ENDED_BY_SIGNAL, cancel.flag())
            .and_then(|_| flag::register(signal, cancel.flag()))
            .context("failed to listen for Ctrl-C")?;
    }
    Ok(cancel)
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
