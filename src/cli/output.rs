//! Keeps what a run yielded and shows it in the form that was asked for.

use std::env;
use std::io;
use std::io::{IsTerminal as _, Write};
use std::path::Path;

use anyhow::Context as _;

use crate::cli::Exit;
use crate::compare::{Comparison, Outcome};
use crate::record;
use crate::record::Run;
use crate::report::terminal::{Paint, Screen};
use crate::report::{html, json, markdown, terminal};

/// How a comparison is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A table as wide as the screen
    Terminal,
    /// GitHub-flavoured markdown, as in a pull-request comment
    Markdown,
    /// A page for a browser, with flame graphs
    Html,
    /// Everything, for other programs
    Json,
}

/// Which outcomes make the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FailOn {
    /// A regression or a broken limit
    Regression,
    /// That, or a metric that could not be decided
    Inconclusive,
    /// Nothing that was measured
    Never,
}

/// Writes the run and its reports into `folder`: `run.json`, `report.md`, `report.html`,
/// `report.json`.
pub(super) fn keep(folder: &Path, run: &Run, comparison: &Comparison) -> anyhow::Result<()> {
    run.save(&folder.join("run.json"))?;
    record::write_atomically(&folder.join("report.md"), markdown::render(comparison).as_bytes())?;
    record::write_atomically(&folder.join("report.html"), html::render(comparison).as_bytes())?;
    record::write_atomically(&folder.join("report.json"), json::render(comparison).as_bytes())?;
    Ok(())
}

/// Writes the comparison in a form.
pub(super) fn show(
    out: &mut impl Write,
    comparison: &Comparison,
    format: Format,
) -> anyhow::Result<()> {
    match format {
        Format::Terminal => terminal::write(out, comparison, screen()),
        Format::Markdown => out.write_all(markdown::render(comparison).as_bytes()),
        Format::Html => out.write_all(html::render(comparison).as_bytes()),
        Format::Json => out.write_all(json::render(comparison).as_bytes()),
    }
    .context("failed to write the report")
}

/// The terminal that standard output is, or one of 100 columns without colours.
pub(super) fn screen() -> Screen {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return Screen { width: columns().unwrap_or(100), paint: Paint::Plain };
    }
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let size = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| size.ws_col);
    let width = size.filter(|&width| width > 0).or_else(columns).unwrap_or(100);
    Screen { width, paint: if plain { Paint::Plain } else { Paint::Colours } }
}

fn columns() -> Option<u16> {
    env::var_os("COLUMNS")?.to_str()?.parse().ok()
}

/// Returns the exit code that an outcome asks for.
pub(super) fn exit(outcome: &Outcome, fail_on: FailOn) -> Exit {
    match (outcome, fail_on) {
        (Outcome::NotMeasured(_), _) => Exit::NotMeasured,
        (Outcome::Regressed, FailOn::Regression | FailOn::Inconclusive) => Exit::Regressed,
        (Outcome::Inconclusive, FailOn::Inconclusive) => Exit::Inconclusive,
        (Outcome::Regressed, FailOn::Never)
        | (Outcome::Inconclusive, FailOn::Regression | FailOn::Never)
        | (Outcome::Improved | Outcome::Pass, _) => Exit::Fine,
    }
}
