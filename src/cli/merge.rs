//! Joins what several machines measured of one suite.

use std::io::Write;
use std::path::PathBuf;

use crate::app;
use crate::app::merge::MergeOptions;
use crate::app::run::RunOutcome;
use crate::cli::Exit;
use crate::cli::output::{self, FailOnFlag, ReportFormat};
use crate::cli::reporter::{ProgressForm, Reporter};

/// Join the runs of all shards of a suite and judge them as one
///
/// The verdicts are those of one run of all scenarios: the error rate is shared by all of them. Shards that
/// differ in builds, configuration or rules, that are there twice, or that are missing are refused.
///
/// Exit codes: 0 fine, 1 regressed or a limit broken, 2 records that do not belong together, 3 a shard could
/// not measure, 4 inconclusive (only with `--fail-on inconclusive`).
#[derive(Debug, clap::Args)]
pub(super) struct MergeArgs {
    /// Records that `compare --shard` or `run --shard` wrote, or folders with a `run.json` each
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Folder for the joined run and its reports
    #[arg(long, value_name = "DIR", default_value = ".xmlperf")]
    out: PathBuf,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
    format: ReportFormat,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOnFlag::Regression)]
    fail_on: FailOnFlag,
}

/// Prints the report of the joined run; its outcome decides the exit code.
pub(super) fn run(args: &MergeArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let options = MergeOptions { files: args.runs.clone(), out: args.out.clone() };
    let RunOutcome { comparison, lost, .. } =
        app::merge::merge(&options, &mut Reporter::new(ProgressForm::Plain))?;
    output::show(out, &comparison, args.format)?;
    output::ensure_kept(out, lost)?;
    Ok(output::exit(&comparison.outcome, args.fail_on))
}
