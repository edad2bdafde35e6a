//! The main job: finds the base, measures both builds in turn, says what changed.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::app;
use crate::app::builds::CommitRange;
use crate::app::compare::{BaselineMode, CompareOptions, CompareOutcome, ComparisonBase};
use crate::app::matrix::MatrixOptions;
use crate::app::measure::ComparisonEnding;
use crate::app::selection::SuiteSelection;
use crate::cli::identity::IdentityFlag;
use crate::cli::invocation::InvocationWords;
use crate::cli::output::{self, FailOnFlag, ReportFormat};
use crate::cli::selection::SelectionFlags;
use crate::cli::shard::ShardFlags;
use crate::cli::sides::SideFlags;
use crate::cli::store::StoreFlag;
use crate::cli::timings::TimingsFlag;
use crate::cli::{Exit, matrix, process};
use compare::stopping::EarlyStopping;

/// Compare with a base and say whether anything became slower
///
/// Base and head run side by side, in fresh launches and short alternating slices. The base is
/// given by a flag, or built from the git ref that `--baseline` names. Where neither is possible, or with
/// `--mode stored`, head is compared with runs that `xmlperf baseline save` kept under that name.
///
/// Where both builds are one program and only documentation changed between the commits, nothing is
/// measured.
///
/// Exit codes: 0 fine, 1 regressed or a limit broken, 2 wrong usage or configuration, 3 could not
/// measure, 4 inconclusive (only with `--fail-on inconclusive`).
#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    invocation: InvocationWords,
    /// Two commits to compare, such as `v1.2..main`; both are built away from the checkout
    #[arg(value_name = "REF1..REF2", conflicts_with_all = ["baseline", "base_bin", "base_start", "base_url", "head_start", "no_build"])]
    range: Option<CommitRange>,
    /// Releases to compare, each with the one before it, the oldest first
    #[arg(long, value_name = "REF", num_args = 2.., conflicts_with_all = ["range", "baseline", "confirm", "base_bin", "base_start", "base_url", "head_start", "no_build", "format", "shard"])]
    matrix: Vec<String>,
    /// What to compare with: a branch, a tag, a commit; a stored baseline; the file of a run
    #[arg(long, value_name = "NAME", default_value = "main")]
    baseline: String,
    /// Whether base is measured beside head or remembered
    #[arg(long, value_enum, value_name = "MODE", default_value_t = CompareMode::Auto, conflicts_with_all = ["range", "matrix"])]
    mode: CompareMode,
    #[command(flatten)]
    store: StoreFlag,
    #[command(flatten)]
    sides: SideFlags,
    #[command(flatten)]
    shard: ShardFlags,
    #[command(flatten)]
    selection: SelectionFlags,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
    format: ReportFormat,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOnFlag::Regression)]
    fail_on: FailOnFlag,
    #[command(flatten)]
    identity: IdentityFlag,
    #[command(flatten)]
    timings: TimingsFlag,
    /// Time for measuring, such as `3m`; what is not decided by then stays inconclusive
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    budget: Option<Duration>,
    /// Stop at the first regression instead of deciding every metric
    #[arg(long)]
    fail_fast: bool,
    /// Repeat only what this run of another machine flagged, and judge both
    #[arg(long, value_name = "FILE", conflicts_with = "shard")]
    confirm: Option<PathBuf>,
    /// Add to the evidence of the earlier attempts at this comparison, which is kept in this folder, or in
    /// the store at this URL [default: `[baseline] attempts` of xmlperf.toml]
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["matrix", "shard"])]
    attempts: Option<String>,
}

/// What head is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CompareMode {
    /// The base, side by side, where it can be had; else the runs that were kept under its name
    Auto,
    /// The base, side by side
    Paired,
    /// The runs that were kept, and the base only for what they make suspicious
    Stored,
}

impl From<CompareMode> for BaselineMode {
    fn from(mode: CompareMode) -> Self {
        match mode {
            CompareMode::Auto => Self::Auto,
            CompareMode::Paired => Self::Paired,
            CompareMode::Stored => Self::Stored,
        }
    }
}

/// Runs the comparison, prints it, and turns its outcome into an exit code.
pub(super) fn run(args: &CompareArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let cancel = process::cancel_on_signals()?;
    let mut reporter = args.selection.reporter();
    if !args.matrix.is_empty() {
        let outcome = app::matrix::matrix(&args.matrix_options()?, &mut reporter, &cancel)?;
        matrix::show(out, &outcome)?;
        output::ensure_kept(out, outcome.lost)?;
        return Ok(output::exit(&outcome.outcome, args.fail_on));
    }
    let outcome = app::compare::compare(&args.options()?, &mut reporter, &cancel)?;
    let CompareOutcome { comparison, confirmation, stages, lost } = outcome;
    output::show(out, &comparison, args.format)?;
    output::show_page(out, args.selection.out(), args.format)?;
    args.timings.show(&stages, comparison.method.launches, &mut reporter);
    output::ensure_kept(out, lost)?;
    let outcome = match &confirmation {
        Some(both) => {
            let title = report::confirmation::title(both);
            reporter.note(&format!("with the first machine: {title}"));
            &both.outcome
        }
        None => &comparison.outcome,
    };
    Ok(output::exit(outcome, args.fail_on))
}

impl CompareArgs {
    fn options(&self) -> anyhow::Result<CompareOptions> {
        let base = match &self.range {
            Some(range) => ComparisonBase::Range(range.clone()),
            None => ComparisonBase::Named { name: self.baseline.clone(), mode: self.mode.into() },
        };
        let selection = self.invocation.of(self.selection.selection()?);
        Ok(CompareOptions {
            selection: SuiteSelection { shard: self.shard.choice(), ..selection },
            base,
            builds: self.sides.choice(),
            store: self.store.choice()?,
            ending: self.ending(),
            confirm: self.confirm.clone(),
            attempts: process::attempt(self.attempts.clone()),
            identical: self.identity.choice(),
        })
    }

    /// Returns what is measured and how it is judged, and the words that say so.
    #[cfg(test)]
    pub(super) fn measured(&self) -> (String, Vec<String>) {
        let mut options = self.options().expect("the current folder is known");
        let selection = &mut options.selection;
        let words = selection.invocation.take().unwrap_or_default();
        // Where results go, the order of the coins, the time of day.
        (selection.out, selection.assignment_seed) = (PathBuf::new(), None);
        options.attempts.now.clear();
        (format!("{options:?}"), words)
    }

    fn matrix_options(&self) -> anyhow::Result<MatrixOptions> {
        Ok(MatrixOptions {
            selection: self.selection.selection()?,
            releases: self.matrix.clone(),
            ending: self.ending(),
            identical: self.identity.choice(),
        })
    }

    fn ending(&self) -> ComparisonEnding {
        let early =
            if self.fail_fast { EarlyStopping::FirstRegression } else { EarlyStopping::Decided };
        ComparisonEnding { budget: self.budget, early }
    }
}
