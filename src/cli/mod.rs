//! Turns arguments into plain options, prints what the use cases of [`crate::app`] say and return,
//! and picks the exit code.
//!
//! One file a subcommand; the only place, beside `main`, that prints.

mod baseline;
mod bisect;
mod check;
mod compare;
mod completions;
mod dashboard;
mod decide;
mod doctor;
mod dose_text;
mod event_text;
mod export;
mod failure;
mod help;
mod identity;
mod import;
mod init;
mod input;
mod invocation;
mod link_shim;
mod man;
mod matrix;
mod mcp;
mod merge;
mod output;
mod payload;
mod process;
mod profile;
mod report;
mod report_github;
mod reporter;
mod run;
mod runs;
mod selection;
mod selftest;
mod serve;
mod shard;
mod sides;
mod store;
mod terminal_text;
mod timings;
mod trend;
mod usage;
mod workflow_flags;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

pub use crate::cli::failure::explain;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "xmlperf",
    version,
    about,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Results: `xmlperf help exit-codes`, `xmlperf help verdicts`, `xmlperf help metrics`."
)]
pub struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    Baseline(baseline::BaselineArgs),
    Check(check::CheckArgs),
    // Boxed: its flags would make every other command as large.
    Compare(Box<compare::CompareArgs>),
    Completions(completions::CompletionsArgs),
    Bisect(bisect::BisectArgs),
    Trend(trend::TrendArgs),
    Decide(decide::DecideArgs),
    Doctor(doctor::DoctorArgs),
    Export(export::ExportArgs),
    Help(help::HelpArgs),
    Import(import::ImportArgs),
    Init(init::InitArgs),
    #[command(hide = true)]
    LinkShim(link_shim::LinkShimArgs),
    Man(man::ManArgs),
    Mcp(mcp::McpArgs),
    Merge(merge::MergeArgs),
    Payload(payload::PayloadArgs),
    Profile(profile::ProfileArgs),
    Report(report::ReportArgs),
    Run(run::RunArgs),
    Runs(runs::RunsArgs),
    Selftest(selftest::SelftestArgs),
    Serve(serve::ServeArgs),
}

impl Cli {
    /// Returns whether the subcommand starts processes that must not outlive this one.
    pub fn starts_processes(&self) -> bool {
        match &self.command {
            CliCommand::Check(_)
            | CliCommand::Compare(_)
            | CliCommand::Bisect(_)
            | CliCommand::Doctor(_)
            | CliCommand::Mcp(_)
            | CliCommand::Profile(_)
            | CliCommand::Run(_)
            | CliCommand::Selftest(_) => true,
            CliCommand::Baseline(_)
            | CliCommand::Completions(_)
            | CliCommand::Help(_)
            | CliCommand::Man(_)
            | CliCommand::Trend(_)
            | CliCommand::Decide(_)
            | CliCommand::Export(_)
            | CliCommand::Import(_)
            | CliCommand::Init(_)
            | CliCommand::LinkShim(_)
            | CliCommand::Merge(_)
            | CliCommand::Payload(_)
            | CliCommand::Report(_)
            | CliCommand::Runs(_)
            | CliCommand::Serve(_) => false,
        }
    }
}

/// What the process reports to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Nothing is worse than was promised.
    Success = 0,
    /// A metric regressed, or a limit is broken.
    Regressed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The target did not start, crashed, answered wrongly, or failed too often.
    NotMeasured = 3,
    /// Nothing was decided, and `--fail-on inconclusive` was given.
    Inconclusive = 4,
    /// The reader of the output has gone: as a shell shows a program that SIGPIPE has ended.
    ClosedPipe = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs the subcommand; results go to `out`, progress and warnings to standard error.
pub fn run(cli: &Cli, out: &mut impl Write) -> anyhow::Result<Exit> {
    match &cli.command {
        CliCommand::Baseline(args) => baseline::run(args, out),
        CliCommand::Check(args) => check::run(args, out),
        CliCommand::Compare(args) => compare::run(args, out),
        CliCommand::Completions(args) => completions::run(args, Cli::command(), out),
        CliCommand::Bisect(args) => bisect::run(args, out),
        CliCommand::Trend(args) => trend::run(args, out),
        CliCommand::Decide(args) => decide::run(args, out),
        CliCommand::Doctor(args) => doctor::run(args, out),
        CliCommand::Export(args) => export::run(args, out),
        CliCommand::Help(args) => help::run(args, Cli::command(), out),
        CliCommand::Import(args) => import::run(args, out),
        CliCommand::Init(args) => init::run(args, out),
        CliCommand::LinkShim(args) => Err(link_shim::run(args)),
        CliCommand::Man(args) => man::run(args, Cli::command(), out),
        CliCommand::Mcp(args) => mcp::run(args, out),
        CliCommand::Merge(args) => merge::run(args, out),
        CliCommand::Payload(args) => payload::run(args, out),
        CliCommand::Profile(args) => profile::run(args, out),
        CliCommand::Report(args) => report::run(args, out),
        CliCommand::Run(args) => run::run(args, out),
        CliCommand::Runs(args) => runs::run(args, out),
        CliCommand::Selftest(args) => selftest::run(args, out),
        CliCommand::Serve(args) => serve::run(args, out),
    }
}
