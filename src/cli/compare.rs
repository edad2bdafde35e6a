//! The main job: finds the base, measures both builds in turn, says what changed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::cancel::Cancel;
use crate::cli::first::First;
use crate::cli::horizon::{Horizon, every_look};
use crate::cli::matrix;
use crate::cli::output::{self, FailOn, Format};
use crate::cli::sides::{Builds, Range, Sides};
use crate::cli::suite::{Selection, note};
use crate::cli::watch::{Patience, Watch};
use crate::cli::{Exit, interrupt};
use crate::compare::Comparison;
use crate::metric::gate::Stopping;
use crate::record::Run;
use crate::report;
use crate::runner::machine;
use crate::scenario::Suite;
use crate::units;

/// Compare with a base and say whether anything became slower
///
/// Base and head run side by side, in fresh launches and short alternating slices. The base is
/// given by a flag, or built from the git ref that `--baseline` names.
///
/// Exit codes: 0 fine, 1 regressed or a limit broken, 2 wrong usage or configuration, 3 could not
/// measure, 4 inconclusive (only with `--fail-on inconclusive`).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Two commits to compare, such as `v1.2..main`; both are built away from the checkout
    #[arg(value_name = "REF1..REF2", conflicts_with = "baseline")]
    range: Option<Range>,
    /// Releases to compare, each with the one before it, the oldest first
    #[arg(long, value_name = "REF", num_args = 2.., conflicts_with_all = ["range", "baseline", "confirm"])]
    pub(super) matrix: Vec<String>,
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
    /// Time for measuring, such as `3m`: the number of launch pairs and looks follow from it
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    budget: Option<Duration>,
    /// Look after every launch pair, and go on until every metric is decided, for at most N of them
    /// [default: 100]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "100")]
    until_decided: Option<usize>,
    /// Stop at the first regression instead of deciding every metric
    #[arg(long)]
    fail_fast: bool,
    /// Repeat only what this run of another machine flagged, and judge both
    #[arg(long, value_name = "FILE")]
    confirm: Option<PathBuf>,
}

/// Runs the comparison, keeps it, prints it, and turns its outcome into an exit code.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<Exit> {
    let mut suite = args.selection.suite()?;
    let first = args.confirm.as_deref().map(First::load).transpose()?;
    if let Some(first) = &first {
        first.narrow(&mut suite)?;
    }
    until_decided(args, &mut suite)?;
    args.selection.prepare_out()?;
    let cancel = interrupt()?;
    if !args.matrix.is_empty() {
        return matrix::run(args, &mut suite, &cancel, out);
    }
    let builds = match &args.range {
        Some(range) => Sides::between(range, &suite, &cancel)?,
        None => args.sides.find(&args.baseline, &args.selection, &suite, &cancel)?,
    };
    foresee(args, &suite)?;
    let run = args.measure(&suite, &builds, args.out(), &cancel)?;

    let comparison = Comparison::of(&run)?;
    output::keep(&args.selection.out.join("report"), &run, &comparison)?;
    output::show(out, &comparison, args.format)?;
    if let Some(first) = &first {
        let both = first.judge(&run)?;
        note(&format!("with the first machine: {}", report::confirmation::title(&both)))?;
        return Ok(output::exit(&both.outcome, args.fail_on));
    }
    Ok(output::exit(&comparison.outcome, args.fail_on))
}

impl Args {
    /// Returns the folder for results.
    pub(super) fn out(&self) -> &Path {
        &self.selection.out
    }

    /// Returns what makes the command fail.
    pub(super) fn fail_on(&self) -> FailOn {
        self.fail_on
    }

    /// Measures two builds in turn; the targets' output goes into `folder`.
    pub(super) fn measure(
        &self,
        suite: &Suite,
        builds: &Builds,
        folder: &Path,
        cancel: &Cancel,
    ) -> anyhow::Result<Run> {
        let live = self.selection.live()?;
        let coins = self.selection.coins()?;
        let patience = if self.fail_fast { Patience::FailFast } else { Patience::Decided };
        let watch = Watch::new(self.selection.plain, patience, "launch pair", &live);
        let watch = watch.within(Horizon::of(&suite.gate, self.budget));
        builds.measure(suite, coins, folder.join("logs"), watch, live, cancel)
    }
}

/// Turns `--until-decided` into the suite's rule and looks.
fn until_decided(args: &Args, suite: &mut Suite) -> anyhow::Result<()> {
    if let Some(launch_pairs) = args.until_decided {
        suite.gate.stopping = Stopping::UntilDecided;
        suite.sampling.looks =
            every_look(suite.gate.alpha, launch_pairs).context("unusable `--until-decided`")?;
    }
    Ok(())
}

/// Says what will be visible, if the last run of the same configuration tells.
fn foresee(args: &Args, suite: &Suite) -> anyhow::Result<()> {
    let last = args.selection.out.join("report/run.json");
    // Without an earlier run, or with one of another version, there is nothing to foresee from.
    let Ok(earlier) = Run::load(&last) else { return Ok(()) };
    if earlier.config != suite.digest || earlier.machine != machine::read() {
        return Ok(());
    }
    let horizon = Horizon::of(&suite.gate, args.budget);
    let foreseen = horizon.foresee(&earlier, &suite.sampling.looks);
    Ok(foreseen.map_or(Ok(()), |foreseen| note(&foreseen))?)
}
