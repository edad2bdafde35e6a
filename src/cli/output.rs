//! Shows what a run says, in the form that was chosen.

use std::env;
use std::ffi::OsString;
use std::io;
use std::io::{IsTerminal as _, Write};
use std::path::Path;

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
    /// A page for a browser: verdicts, causes, evidence
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

/// Names the page of a run below its table, as a link (OSC 8), where a person looks at a terminal with colours.
pub(super) fn show_page(
    out: &mut impl Write,
    folder: &Path,
    format: ReportFormat,
) -> anyhow::Result<()> {
    let page = folder.join("report/report.html");
    let is_seen = format == ReportFormat::Terminal && io::stdout().is_terminal();
    let Ok(target) = page.canonicalize() else { return Ok(()) };
    if is_seen && screen().paint == ColorMode::Colours {
        writeln!(out, "{}", link(&target, &page)).context("failed to write the report")?;
    }
    Ok(())
}

/// A path as a link to a file. What a path may hold and an address may not is written as its bytes, so that
/// no name ends the sequence.
fn link(target: &Path, shown: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let address = target.as_os_str().as_encoded_bytes().iter();
    let address: String = address
        .map(
            |byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") },
        )
        .collect();
    let shown = shown.display().to_string();
    format!(
        "\u{1b}]8;;file://{address}\u{1b}\\{}\u{1b}]8;;\u{1b}\\",
        terminal_text::sanitize(&shown)
    )
}

/// Fails, once the verdict is shown, if the files of a run could not be written.
pub(super) fn ensure_kept(out: &mut impl Write, lost: Option<UseCaseError>) -> anyhow::Result<()> {
    out.flush().context("failed to write the report")?;
    lost.map_or(Ok(()), |lost| Err(lost.into()))
}

/// The terminal that standard output is, or one of 100 columns without colours.
pub(super) fn screen() -> TerminalScreen {
    let stdout = io::stdout();
    let is_terminal = stdout.is_terminal();
    let size = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| size.ws_col);
    let size = size.filter(|&width| is_terminal && width > 0);
    let width = size.or_else(columns).unwrap_or(100);
    TerminalScreen { width, paint: paint(is_terminal, |name| env::var_os(name)) }
}

/// Whether colours are shown: `NO_COLOR` forbids them (no-color.org), `CLICOLOR_FORCE` asks for them where
/// there is no terminal (bixense.com/clicolors).
fn paint(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> ColorMode {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let is_forced = variable("CLICOLOR_FORCE").is_some_and(|it| !it.is_empty() && it != "0");
    if !is_set("NO_COLOR") && (is_terminal || is_forced) {
        ColorMode::Colours
    } else {
        ColorMode::Plain
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_the_link_that_it_is_in() {
        let path = Path::new("/a b/\u{1b}]é/report.html");
        let link = link(path, path);
        assert_eq!(
            link,
            "\u{1b}]8;;file:///a%20b/%1B%5D%C3%A9/report.html\u{1b}\\/a b/é/report.html\u{1b}]8;;\u{1b}\\"
        );
    }

    #[test]
    fn no_color_forbids_colours_and_clicolor_force_asks_for_them() {
        let check = |is_terminal, set: &[(&str, &str)], expected| {
            let variable = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(paint(is_terminal, variable), expected, "{set:?}");
        };
        check(true, &[], ColorMode::Colours);
        check(false, &[], ColorMode::Plain);
        check(true, &[("NO_COLOR", "1")], ColorMode::Plain);
        check(true, &[("NO_COLOR", "")], ColorMode::Colours);
        check(false, &[("CLICOLOR_FORCE", "1")], ColorMode::Colours);
        check(false, &[("CLICOLOR_FORCE", "0")], ColorMode::Plain);
        check(false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], ColorMode::Plain);
    }
}
