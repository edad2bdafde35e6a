//! Renders again what was recorded.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use report::html::{self, AssetPlacement};
use report::index_page;

use crate::app;
use crate::cli::Exit;
use crate::cli::output::{self, FailOnFlag, ReportFormat};
use crate::cli::process;
use crate::cli::report_github::{self, ReportGithubArgs};
use crate::cli::terminal_text::sanitize;

/// Render a recorded run again; the verdicts are drawn anew from its numbers
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    to: Option<ReportDestination>,
    /// The run, as `compare` and `run` write it: a file, or the name that `xmlperf runs` lists; of several, an
    /// index [default: the last one]
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Folder that the runs wrote to
    #[arg(long, value_name = "DIR", default_value = ".xmlperf")]
    out: PathBuf,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
    format: ReportFormat,
    /// Folder for the style sheet of a page, if it must not stand inside
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
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
    /// The records to render, one at least.
    fn files(&self) -> Vec<PathBuf> {
        if self.runs.is_empty() {
            return vec![app::runs::find(&self.out, None)];
        }
        self.runs.iter().map(|run| self.file(run)).collect()
    }

    /// The record of a run: a file goes before a run of that name.
    fn file(&self, run: &Path) -> PathBuf {
        if run.exists() {
            return run.to_path_buf();
        }
        let archived = app::runs::find(&self.out, run.to_str());
        if archived.exists() { archived } else { run.to_path_buf() }
    }
}

/// Prints the report; the exit code is the one that the run had, or has under other rules.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    if let Some(ReportDestination::Github(args)) = &args.to {
        return report_github::run(args, out);
    }
    ensure!(
        args.assets.is_none() || args.format == ReportFormat::Html,
        "`--assets` has no effect without `--format html`"
    );
    let files = args.files();
    if let [file] = files.as_slice() {
        let comparison = app::report::report(file)?;
        match &args.assets {
            Some(folder) => {
                let [stylesheet, script] = app::report::write_assets(folder)?;
                let placement = AssetPlacement::Beside { stylesheet: &stylesheet, script: &script };
                let page = html::render_with(&comparison, placement);
                out.write_all(page.as_bytes()).context("failed to write the report")?;
            }
            None => output::show(out, &comparison, args.format)?,
        }
        return Ok(output::exit(&comparison.outcome, args.fail_on));
    }
    index(args, &files, out)
}

/// Prints a line or a row for each of several runs; the gravest of them decides the exit code.
fn index(args: &ReportArgs, files: &[PathBuf], out: &mut impl Write) -> anyhow::Result<Exit> {
    ensure!(args.assets.is_none(), "`--assets` is for the page of one run");
    let entries = app::report::index(files, &process::current_folder()?)?;
    let text = match args.format {
        ReportFormat::Terminal => sanitize(&index_page::text(&entries)).into_owned(),
        ReportFormat::Html => index_page::html(&entries),
        ReportFormat::Markdown
        | ReportFormat::Json
        | ReportFormat::Agent
        | ReportFormat::Junit
        | ReportFormat::Bencher
        | ReportFormat::BenchmarkSmaller
        | ReportFormat::BenchmarkBigger
        | ReportFormat::OpenMetrics
        | ReportFormat::CodeQuality => {
            bail!("several runs have the formats `terminal` and `html` only")
        }
    };
    out.write_all(text.as_bytes()).context("failed to write the report")?;
    let exits = entries.iter().map(|entry| &entry.comparison.outcome);
    let gravest = exits.min().context("there is no run")?;
    Ok(output::exit(gravest, args.fail_on))
}
