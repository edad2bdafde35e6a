//! Measures one build alone: its numbers, and whether its limits hold.

use std::io::Write;

use crate::cli::output::{self, FailOnFlag, ReportFormat};
use crate::cli::selection::SelectionFlags;
use crate::cli::sides;
use crate::cli::{Exit, interrupt};
use compare::Comparison;

/// Run scenarios against one build and check its limits
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Command that starts the target, instead of the configuration's
    #[arg(long, value_name = "CMD")]
    start: Option<String>,
    /// Launches of the target [default: 5, or the configuration's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    launches: Option<u16>,
    #[command(flatten)]
    selection: SelectionFlags,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
    format: ReportFormat,
}

/// Runs the scenarios, keeps the run, prints it; a broken limit decides the exit code.
pub(super) fn run(args: &RunArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let mut suite = args.selection.suite()?;
    if let Some(launches) = args.launches {
        suite.sampling.launches = launches.into();
    }
    args.selection.prepare_out()?;
    let cancel = interrupt()?;
    let head = sides::head(args.start.as_deref(), &args.selection, &suite, &cancel)?;
    let run = sides::measure_alone(head, &args.selection, &suite, &cancel)?;

    let comparison = Comparison::of(&run)?;
    output::keep(&args.selection.out.join("report"), &run, &comparison)?;
    output::show(out, &comparison, args.format)?;
    Ok(output::exit(&comparison.outcome, FailOnFlag::Regression))
}
