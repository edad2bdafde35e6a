//! The main job: finds the base, measures both builds in turn, says what changed.

use std::io::Write;

use crate::cli::output::{self, FailOn, Format};
use crate::cli::sides::Sides;
use crate::cli::suite::Selection;
use crate::cli::watch::{Patience, Watch};
use crate::cli::{Exit, interrupt};
use crate::compare::Comparison;
use crate::runner::{self, Plan};

/// Compare with a base and say whether anything became slower
///
/// Base and head run side by side, in fresh launches and short alternating slices. The base is
/// given by a flag, or built from the git ref that `--baseline` names.
///
/// Exit codes: 0 fine, 1 regressed or a limit broken, 2 wrong usage or configuration, 3 could not
/// measure, 4 inconclusive (only with `--fail-on inconclusive`).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to compare with: a branch, a tag, a commit
    #[arg(long, value_name = "NAME", default_value = "main")]
    baseline: String,
    #[command(flatten)]
    sides: Sides,
    #[command(flatten)]
    selection: Selection,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOn::Regression)]
    fail_on: FailOn,
    /// Stop at the first regression instead of deciding every metric
    #[arg(long)]
    fail_fast: bool,
}

/// Runs the comparison, keeps it, prints it, and turns its outcome into an exit code.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<Exit> {
    let suite = args.selection.suite()?;
    let coins = args.selection.coins()?;
    args.selection.prepare_out()?;
    let cancel = interrupt()?;
    let builds = args.sides.find(&args.baseline, &args.selection, &suite, &cancel)?;

    let logs = args.selection.out.join("logs");
    let plan = Plan {
        suite: &suite,
        base: Some(builds.base.clone()),
        head: builds.head.clone(),
        coins,
        logs,
    };
    let patience = if args.fail_fast { Patience::FailFast } else { Patience::Decided };
    let mut watch = Watch::new(args.selection.plain, patience, "launch pair");
    let run = runner::run(&plan, &mut watch, &cancel)?;
    drop(watch);

    let comparison = Comparison::of(&run)?;
    output::keep(&args.selection.out.join("report"), &run, &comparison)?;
    output::show(out, &comparison, args.format)?;
    Ok(output::exit(&comparison.outcome, args.fail_on))
}
