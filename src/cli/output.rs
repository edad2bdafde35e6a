//! Shows what a run says, in the form that was chosen.

use std::env;
use std::io;
use std::io::{IsTerminal as _, Write};

use anyhow::Context as _;
use compare::{Comparison, ComparisonOutcome};
use record::metric::BetterDirection;
use report::terminal::{ColorMode, TerminalScreen};
use report::{agent, code_quality, html, json, junit, markdown, terminal, tracking};

use crate::app::failure::UseCaseError;
use crate::cli::{Exit, terminal_text};

/// How a comparison is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ReportFormat {
    /// A table as wide as the screen
    Terminal,
    /// GitHub-flavoured markdown, as in a pull-request comment
    Markdown,
    /// A page for a browser, with flame graphs
    Html,
    /// Everything, for other programs
    Json,
    /// Text of 8 KiB at most for a program that acts on it: verdict, causes, next commands
    Agent,
    /// A document for the test views of CI servers
    Junit,
    /// The values in the Bencher Metric Format
    Bencher,
    /// The values of which less is better, for `customSmallerIsBetter` of github-action-benchmark
    BenchmarkSmaller,
    /// The values of which more is better, for its `customBiggerIsBetter`
    BenchmarkBigger,
    /// The values and verdicts as OpenMetrics text, for the metrics report of GitLab
    OpenMetrics,
    /// What is worse as a Code Quality report, for merge requests of GitLab
    CodeQuality,
}

/// Which outcomes make the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FailOnFlag {
    /// A regression or a broken limit
    Regression,
    /// That, or a metric that could not be decided
    Inconclusive,
    /// Nothing that was measured
    Never,
}

/// Writes the comparison in a form.
pub(super) fn show(
    out: &mut impl Write,
    comparison: &Comparison,
    format: ReportFormat,
) -> anyhow::Result<()> {
    match format {
        ReportFormat::Terminal => {
            let screen = screen();
            terminal_text::write(out, screen.paint, |out| terminal::write(out, comparison, screen))
        }
        ReportFormat::Markdown => out.write_all(markdown::render(comparison).as_bytes()),
        ReportFormat::Html => out.write_all(html::render(comparison).as_bytes()),
        ReportFormat::Json => out.write_all(json::render(comparison).as_bytes()),
        ReportFormat::Agent => out.write_all(agent::render(comparison).as_bytes()),
        ReportFormat::Junit => out.write_all(junit::render(comparison).as_bytes()),
        ReportFormat::Bencher => out.write_all(tracking::bencher(comparison).as_bytes()),
        ReportFormat::BenchmarkSmaller => action_benchmark(out, comparison, BetterDirection::Lower),
        ReportFormat::BenchmarkBigger => action_benchmark(out, comparison, BetterDirection::Higher),
        ReportFormat::CodeQuality => out.write_all(code_quality::render(comparison).as_bytes()),
        ReportFormat::OpenMetrics => out.write_all(tracking::open_metrics(comparison).as_bytes()),
    }
    .context("failed to write the report")
}

fn action_benchmark(
    out: &mut impl Write,
    comparison: &Comparison,
    better: BetterDirection,
) -> io::Result<()> {
    out.write_all(tracking::action_benchmark(comparison, better).as_bytes())
}

/// Fails, once the verdict is shown, if the files of a run could not be written.
pub(super) fn ensure_kept(out: &mut impl Write, lost: Option<UseCaseError>) -> anyhow::Result<()> {
    out.flush().context("failed to write the report")?;
    lost.map_or(Ok(()), |lost| Err(lost.into()))
}

/// The terminal that standard output is, or one of 100 columns without colours.
pub(super) fn screen() -> TerminalScreen {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return TerminalScreen { width: columns().unwrap_or(100), paint: ColorMode::Plain };
    }
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let size = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| size.ws_col);
    let width = size.filter(|&width| width > 0).or_else(columns).unwrap_or(100);
    TerminalScreen { width, paint: if plain { ColorMode::Plain } else { ColorMode::Colours } }
}

fn columns() -> Option<u16> {
    env::var_os("COLUMNS")?.to_str()?.parse().ok()
}

/// Returns the exit code that an outcome has.
pub(super) fn exit(outcome: &ComparisonOutcome, fail_on: FailOnFlag) -> Exit {
    match (outcome, fail_on) {
        (ComparisonOutcome::NotMeasured(_), _) => Exit::NotMeasured,
        (ComparisonOutcome::Regressed, FailOnFlag::Regression | FailOnFlag::Inconclusive) => {
            Exit::Regressed
        }
        (ComparisonOutcome::Inconclusive, FailOnFlag::Inconclusive) => Exit::Inconclusive,
        (ComparisonOutcome::Regressed, FailOnFlag::Never)
        | (ComparisonOutcome::Inconclusive, FailOnFlag::Regression | FailOnFlag::Never)
        | (ComparisonOutcome::Improved | ComparisonOutcome::Pass, _) => Exit::Success,
    }
}
