//! Lists the runs that were kept.

use std::io::Write;
use std::path::PathBuf;

use comfy_table::{Table, presets};
use report::terminal::ColorMode;
use serde::Serialize;

use crate::app;
use crate::app::runs::{ArchivedRun, RunSummary};
use crate::cli::{Exit, terminal_text};

/// List the runs of this folder, the newest last: each is kept under `.xmlperf/runs`
///
/// `xmlperf report NAME` shows one of them again. The oldest go when there are more than 100, or more than
/// 512 MiB.
#[derive(Debug, clap::Args)]
pub(super) struct RunsArgs {
    /// Folder that the runs wrote to
    #[arg(long, value_name = "DIR", default_value = ".xmlperf")]
    out: PathBuf,
    /// Form of the list
    #[arg(long, value_enum, default_value_t = ListFormat::Terminal)]
    format: ListFormat,
}

/// How the list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ListFormat {
    /// A table
    Terminal,
    /// An array, for other programs
    Json,
}

/// A run, for other programs.
#[derive(Serialize)]
struct JsonRun<'a> {
    name: &'a str,
    folder: String,
    bytes: u64,
    #[serde(flatten)]
    summary: Option<&'a RunSummary>,
}

/// Prints the list.
pub(super) fn run(args: &RunsArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let runs = app::runs::list(&args.out)?;
    match args.format {
        ListFormat::Json => {
            let rows: Vec<_> = runs.iter().map(JsonRun::of).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        }
        ListFormat::Terminal if runs.is_empty() => {
            writeln!(out, "no runs in `{}`", args.out.join("runs").display())?;
        }
        ListFormat::Terminal => {
            let table = table(&runs);
            terminal_text::write(out, ColorMode::Plain, |out| writeln!(out, "{table}"))?;
        }
    }
    Ok(Exit::Success)
}

fn table(runs: &[ArchivedRun]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(vec!["run", "base", "head", "result"]);
    for run in runs {
        let row = match &run.summary {
            Some(RunSummary { base, head, headline, .. }) => {
                let base = base.as_ref().map_or_else(|| "–".to_owned(), report::revision);
                [run.name.clone(), base, report::revision(head), headline.clone()]
            }
            None => [run.name.clone(), "–".to_owned(), "–".to_owned(), "unreadable".to_owned()],
        };
        table.add_row(row);
    }
    table
}

impl<'a> JsonRun<'a> {
    fn of(run: &'a ArchivedRun) -> Self {
        Self {
            name: &run.name,
            folder: run.folder.display().to_string(),
            bytes: run.bytes,
            summary: run.summary.as_ref(),
        }
    }
}
