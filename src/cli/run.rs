//! Measures one build alone: its numbers, and whether its limits hold.

use std::io::Write;

use crate::app;
use crate::app::run::{RunOptions, RunOutcome};
use crate::app::selection::SuiteSelection;
use crate::cli::Exit;
use crate::cli::invocation::InvocationWords;
use crate::cli::output::{self, FailOnFlag, ReportFormat};
use crate::cli::process;
use crate::cli::selection::SelectionFlags;
use crate::cli::shard::ShardFlags;
use crate::cli::timings::TimingsFlag;

/// Run scenarios against one build and check its limits
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    invocation: InvocationWords,
    /// Command that starts the target, instead of the configuration's
    #[arg(long, value_name = "CMD")]
    start: Option<String>,
    /// Launches of the target [default: 5, or the configuration's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    launches: Option<u16>,
    #[command(flatten)]
    shard: ShardFlags,
    #[command(flatten)]
    selection: SelectionFlags,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
    format: ReportFormat,
    #[command(flatten)]
    timings: TimingsFlag,
}

/// Runs the scenarios and prints the report; a broken limit decides the exit code.
pub(super) fn run(args: &RunArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let selection = args.invocation.of(args.selection.selection()?);
    let options = RunOptions {
        selection: SuiteSelection { shard: args.shard.choice(), ..selection },
        start: args.start.clone(),
        launches: args.launches,
    };
    let cancel = process::cancel_on_signals()?;
    let mut reporter = args.selection.reporter();
    let outcome = app::run::run(&options, &mut reporter, &cancel)?;
    let RunOutcome { comparison, stages, lost } = outcome;
    output::show(out, &comparison, args.format)?;
    output::show_page(out, args.selection.out(), args.format)?;
    args.timings.show(&stages, comparison.method.launches, &mut reporter);
    output::ensure_kept(out, lost)?;
    Ok(output::exit(&comparison.outcome, FailOnFlag::Regression))
}
