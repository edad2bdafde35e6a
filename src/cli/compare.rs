//! The main job: finds the base, measures both builds in turn, says what changed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::baseline_history;
use crate::cli::baseline_history::BaselineHistory;
use crate::cli::budget::{ComparisonBudget, every_look};
use crate::cli::first_run::FirstRun;
use crate::cli::matrix;
use crate::cli::output::{self, FailOnFlag, ReportFormat};
use crate::cli::progress::{EarlyStopping, ProgressWatch};
use crate::cli::selection::{self, SelectionFlags, note};
use crate::cli::sides::{CommitRange, SideBuilds, SideFlags};
use crate::cli::store::StoreFlag;
use crate::cli::{Exit, interrupt};
use compare::Comparison;
use record::metric::gate::StoppingRule;
use record::{Revision, Run};
use runner::machine;
use suite::Suite;
use units::cancel::Cancel;

/// Compare with a base and say whether anything became slower
///
/// Base and head run side by side, in fresh launches and short alternating slices. The base is
/// given by a flag, or built from the git ref that `--baseline` names. Where neither is possible, or with
/// `--mode stored`, head is held against runs that `xmlperf baseline save` kept under that name.
///
/// Exit codes: 0 fine, 1 regressed or a limit broken, 2 wrong usage or configuration, 3 could not
/// measure, 4 inconclusive (only with `--fail-on inconclusive`).
#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {
    /// Two commits to compare, such as `v1.2..main`; both are built away from the checkout
    #[arg(value_name = "REF1..REF2", conflicts_with_all = ["baseline", "base_bin", "base_start", "base_url", "head_start", "no_build"])]
    range: Option<CommitRange>,
    /// Releases to compare, each with the one before it, the oldest first
    #[arg(long, value_name = "REF", num_args = 2.., conflicts_with_all = ["range", "baseline", "confirm", "base_bin", "base_start", "base_url", "head_start", "no_build", "format"])]
    pub(super) matrix: Vec<String>,
    /// What to compare with: a branch, a tag, a commit; a stored baseline; the file of a run
    #[arg(long, value_name = "NAME", default_value = "main")]
    baseline: String,
    /// Whether base is measured beside head or remembered
    #[arg(long, value_enum, value_name = "MODE", default_value_t = CompareMode::Auto, conflicts_with_all = ["range", "matrix"])]
    mode: CompareMode,
    #[command(flatten)]
    place: StoreFlag,
    #[command(flatten)]
    pub(super) sides: SideFlags,
    #[command(flatten)]
    pub(super) selection: SelectionFlags,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
    format: ReportFormat,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOnFlag::Regression)]
    fail_on: FailOnFlag,
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

/// What head is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CompareMode {
    /// The base, side by side, where it can be had; else the runs that were kept under its name
    Auto,
    /// The base, side by side
    Paired,
    /// The runs that were kept, and the base only for what they make suspicious
    Stored,
}

/// Runs the comparison, keeps it, prints it, and turns its outcome into an exit code.
pub(super) fn run(args: &CompareArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let mut suite = args.selection.suite()?;
    let first = args.confirm.as_deref().map(FirstRun::load).transpose()?;
    if let Some(first) = &first {
        first.narrow(&mut suite)?;
    }
    until_decided(args, &mut suite)?;
    if args.budget.is_none() && args.until_decided.is_none() {
        selection::judgeable(&suite)?;
    }
    args.selection.prepare_out()?;
    let cancel = interrupt()?;
    if !args.matrix.is_empty() {
        return matrix::run(args, &mut suite, &cancel, out);
    }
    let builds = match &args.range {
        Some(range) => SideFlags::between(range, &suite, &cancel)?,
        None => match args.against(&suite)? {
            BaselineSource::Beside(name) => {
                args.sides.find(&name, &args.selection, &suite, &cancel)?
            }
            BaselineSource::Remembered(memory) => {
                return baseline_history::run(args, &suite, memory, first.as_ref(), &cancel, out);
            }
        },
    };
    foresee(args, &suite)?;
    let run = args.measure(&suite, &builds, args.out(), &cancel)?;
    args.conclude(&run, first.as_ref(), out)
}

/// Where the other side of a comparison comes from.
enum BaselineSource {
    /// It is built, or given, and measured beside head; its name.
    Beside(String),
    /// It was measured on other days.
    Remembered(BaselineHistory),
}

impl CompareArgs {
    /// Finds out what head is to be held against. A name that git does not know may still be that of runs
    /// that were kept, of a commit that can be built.
    fn against(&self, suite: &Suite) -> anyhow::Result<BaselineSource> {
        let (name, file) = (&self.baseline, Path::new(&self.baseline));
        let store = || self.place.open(self.selection.config());
        match self.mode {
            CompareMode::Auto | CompareMode::Paired if self.sides.give_base() => {
                return Ok(BaselineSource::Beside(name.clone()));
            }
            CompareMode::Auto | CompareMode::Stored if file.is_file() => {
                return BaselineHistory::of_file(file).map(BaselineSource::Remembered);
            }
            CompareMode::Stored => {
                return BaselineHistory::of(&store()?, name).map(BaselineSource::Remembered);
            }
            CompareMode::Auto | CompareMode::Paired => {}
        }
        let Some(hindrance) = SideFlags::hindrance(name, suite) else {
            return Ok(BaselineSource::Beside(name.clone()));
        };
        let store = store()?;
        let Some(newest) = store.entries(name)?.and_then(|mut entries| entries.pop()) else {
            return Ok(BaselineSource::Beside(name.clone()));
        };
        let Revision { commit, dirty, .. } = store.load(&newest)?.head;
        let can_be_built =
            |commit: &String| !dirty && SideFlags::hindrance(commit, suite).is_none();
        match commit.filter(can_be_built) {
            Some(commit) => {
                note(&format!("git does not know `{name}`; its newest kept run is of {commit}"))?;
                Ok(BaselineSource::Beside(commit))
            }
            None if self.mode == CompareMode::Paired => Ok(BaselineSource::Beside(name.clone())),
            None => {
                note(&format!("kept runs stand in for the base: {hindrance}"))?;
                BaselineHistory::of(&store, name).map(BaselineSource::Remembered)
            }
        }
    }

    /// Keeps the run, prints what it says, and turns it into an exit code.
    pub(super) fn conclude(
        &self,
        run: &Run,
        first: Option<&FirstRun>,
        out: &mut impl Write,
    ) -> anyhow::Result<Exit> {
        let comparison = Comparison::of(run)?;
        output::keep(&self.selection.out.join("report"), run, &comparison)?;
        output::show(out, &comparison, self.format)?;
        if let Some(first) = first {
            let both = first.judge(run)?;
            note(&format!("with the first machine: {}", report::confirmation::title(&both)))?;
            return Ok(output::exit(&both.outcome, self.fail_on));
        }
        Ok(output::exit(&comparison.outcome, self.fail_on))
    }

    /// Returns the folder for results.
    pub(super) fn out(&self) -> &Path {
        &self.selection.out
    }

    /// Returns what makes the command fail.
    pub(super) fn fail_on(&self) -> FailOnFlag {
        self.fail_on
    }

    /// Measures two builds in turn; the targets' output goes into `folder`.
    pub(super) fn measure(
        &self,
        suite: &Suite,
        builds: &SideBuilds,
        folder: &Path,
        cancel: &Cancel,
    ) -> anyhow::Result<Run> {
        let live = self.selection.live()?;
        let coins = self.selection.coins()?;
        let patience =
            if self.fail_fast { EarlyStopping::FailFast } else { EarlyStopping::Decided };
        let watch = ProgressWatch::new(self.selection.plain, patience, "launch pair", &live);
        let watch = watch.within(ComparisonBudget::of(&suite.gate, self.budget));
        builds.measure(suite, coins, folder.join("logs"), watch, live, cancel)
    }
}

/// Turns `--until-decided` into the suite's rule and looks.
fn until_decided(args: &CompareArgs, suite: &mut Suite) -> anyhow::Result<()> {
    if let Some(launch_pairs) = args.until_decided {
        suite.gate.stopping = StoppingRule::UntilDecided;
        suite.sampling.looks =
            every_look(suite.gate.alpha, launch_pairs).context("unusable `--until-decided`")?;
    }
    Ok(())
}

/// Says what will be visible, if the last run of the same configuration tells.
fn foresee(args: &CompareArgs, suite: &Suite) -> anyhow::Result<()> {
    let last = args.selection.out.join("report/run.json");
    // Without an earlier run, or with one of another version, there is nothing to foresee from.
    let Ok(earlier) = Run::load(&last) else { return Ok(()) };
    if earlier.config != suite.digest || earlier.machine != machine::read() {
        return Ok(());
    }
    let horizon = ComparisonBudget::of(&suite.gate, args.budget);
    let foreseen = horizon.foresee(&earlier, &suite.sampling.looks);
    Ok(foreseen.map_or(Ok(()), |foreseen| note(&foreseen))?)
}
