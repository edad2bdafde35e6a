//! Renders again what was recorded.

use std::io::Write;
use std::path::PathBuf;

use crate::app;
use crate::cli::Exit;
use crate::cli::output::{self, FailOnFlag, ReportFormat};
use crate::cli::report_github::{self, ReportGithubArgs};

/// Render a recorded run again; the verdicts are drawn anew from its numbers
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    to: Option<ReportDestination>,
    /// The run, as `compare` and `run` write it: a file, or the name that `xmlperf runs` lists [default: the
    /// last one]
    #[arg(value_name = "RUN")]
    run: Option<PathBuf>,
    /// Folder that the runs wrote to
    #[arg(long, value_name = "DIR", default_value = ".xmlperf")]
    out: PathBuf,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
    format: ReportFormat,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOnFlag::Regression)]
    fail_on: FailOnFlag,
}

/// Where a report goes, if not to standard output.
#[derive(Debug, clap::Subcommand)]
enum ReportDestination {
    Github(ReportGithubArgs),
}

impl ReportArgs {
    /// The record to render: a file goes before a run of that name.
    fn file(&self) -> PathBuf {
        match &self.run {
            Some(run) if run.exists() => run.clone(),
            Some(run) => {
                let archived = app::runs::find(&self.out, run.to_str());
                if archived.exists() { archived } else { run.clone() }
            }
            None => app::runs::find(&self.out, None),
        }
    }
}

/// Prints the report; the exit code is the one that the run had, or has under other rules.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    if let Some(ReportDestination::Github(args)) = &args.to {
        return report_github::run(args, out);
    }
    let comparison = app::report::report(&args.file())?;
    output::show(out, &comparison, args.format)?;
    Ok(output::exit(&comparison.outcome, args.fail_on))
}
