//! The checks of this program on itself, in a table with times.

use std::io::Write;

use anyhow::Context as _;
use comfy_table::Cell as TableCell;
use report::terminal;
use serde_json::{Value, json};
use units::Ratio;

use super::SelftestFormat;
use crate::app::event::SelfCheck;
use crate::app::selftest::{self, CheckFinding, CheckResult, Component, SelftestOptions};
use crate::cli::event_text::check_title;
use crate::cli::reporter::{ProgressForm, Reporter};
use crate::cli::{Exit, failure, output, process, terminal_text};

/// How the checks are shown.
#[derive(Debug, clap::Args)]
pub(super) struct ChecksArgs {
    /// Form of the result
    #[arg(long, value_enum, default_value_t = SelftestFormat::Table)]
    format: SelftestFormat,
    /// Plain lines on standard error, even on a terminal
    #[arg(long)]
    plain: bool,
}

impl ChecksArgs {
    /// Returns what prints the events.
    pub(super) fn reporter(&self) -> Reporter {
        Reporter::new(if self.plain { ProgressForm::Plain } else { ProgressForm::Auto })
    }
}

/// Runs all checks, shows them, and fails if one did not find what it must.
pub(super) fn run(args: &ChecksArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let folder = tempfile::tempdir().context("failed to create a folder")?;
    let options =
        SelftestOptions { workplace: process::workplace()?, folder: folder.path().to_path_buf() };
    let cancel = process::cancel_on_signals()?;
    let results = selftest::selftest(&options, &mut args.reporter(), &cancel)?;
    match args.format {
        SelftestFormat::Table => show(out, &results)?,
        SelftestFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &as_json(&results))?;
            writeln!(out)?;
        }
    }
    Ok(if results.iter().all(CheckResult::holds) { Exit::Success } else { Exit::Regressed })
}

fn show(out: &mut impl Write, results: &[CheckResult]) -> anyhow::Result<()> {
    let screen = output::screen();
    let mut table = terminal::table(screen);
    table.set_header(["check", "found", "time", "holds"]);
    for result in results {
        let found = terminal_text::sanitize(&found(result)).into_owned();
        table.add_row([
            TableCell::new(check_title(result.check)),
            TableCell::new(found),
            terminal::right(&units::duration(result.took)),
            TableCell::new(if result.holds() { "yes" } else { "NO" }),
        ]);
    }
    writeln!(out, "{table}")?;
    let took = results.iter().map(|result| result.took).sum();
    writeln!(out, "{} checks in {}", results.len(), units::duration(took))?;
    Ok(())
}

/// What a check found, in a few words.
fn found(result: &CheckResult) -> String {
    match &result.finding {
        Ok(finding) => finding_text(result.check, finding),
        Err(error) => failure::explain(error).0.unwrap_or_default(),
    }
}

fn finding_text(check: SelfCheck, finding: &CheckFinding) -> String {
    match finding {
        CheckFinding::Payloads { presets, is_pinned: true } => {
            format!("{presets} kinds as on every machine")
        }
        CheckFinding::Payloads { .. } => "other bytes than on other machines".to_owned(),
        CheckFinding::Ready(after) => format!("ready after {}", units::duration(*after)),
        CheckFinding::Answered { requests, failed } => {
            format!("{requests} requests answered rightly, {failed} not")
        }
        CheckFinding::Components { wrong } if wrong.is_empty() => {
            "decision rule, histograms, records".to_owned()
        }
        CheckFinding::Components { wrong } => {
            let names: Vec<&str> = wrong.iter().map(|it| component_text(*it)).collect();
            format!("wrong: {}", names.join(", "))
        }
        CheckFinding::SameBuild { launch_pairs, is_regressed } => {
            let verdict = if *is_regressed { "called slower" } else { "not called slower" };
            format!("{verdict} in {launch_pairs} launch pairs")
        }
        CheckFinding::Dose { sent_ln, estimate_ln, limits_ln: [low, high], is_regressed } => {
            let verdict = if *is_regressed { "regressed" } else { "not found" };
            let sent = Ratio::from_ln(*sent_ln);
            let seen = units::change(*estimate_ln);
            format!("sent +{sent}, seen {seen} {}, {verdict}", units::interval(*low, *high))
        }
        CheckFinding::HeadFails { is_regressed: true, reason } => format!("regressed: {reason}"),
        CheckFinding::HeadFails { reason, .. } if reason.is_empty() => match check {
            SelfCheck::Crash => "the crash was not seen".to_owned(),
            _ => "the answers were not seen to be wrong".to_owned(),
        },
        CheckFinding::HeadFails { reason, .. } => format!("not held against head: {reason}"),
        CheckFinding::Kept { is_same: true } => "a run came back as it was".to_owned(),
        CheckFinding::Kept { .. } => "a run did not come back as it was".to_owned(),
    }
}

fn component_text(component: Component) -> &'static str {
    match component {
        Component::Decision => "decision rule",
        Component::Histogram => "histograms",
        Component::Record => "records",
    }
}

fn as_json(results: &[CheckResult]) -> Value {
    let checks = results.iter().map(|result| {
        json!({
            "check": result.check.key(),
            "holds": result.holds(),
            "took_ns": units::nanos(result.took),
            "found": found(result),
            "values": values(result),
        })
    });
    json!({
        "schema": 1,
        "holds": results.iter().all(CheckResult::holds),
        "checks": checks.collect::<Vec<_>>(),
    })
}

/// The numbers of a check.
fn values(result: &CheckResult) -> Value {
    let Ok(finding) = &result.finding else { return Value::Null };
    match finding {
        CheckFinding::Ready(after) => json!({"ready_ns": units::nanos(*after)}),
        CheckFinding::Answered { requests, failed } => {
            json!({"requests": requests, "failed": failed})
        }
        CheckFinding::SameBuild { launch_pairs, .. } => json!({"launch_pairs": launch_pairs}),
        CheckFinding::Dose { sent_ln, estimate_ln, limits_ln: [low_ln, high_ln], .. } => json!({
            "sent": sent_ln.exp_m1(),
            "estimate": estimate_ln.exp_m1(),
            "low": low_ln.exp_m1(),
            "high": high_ln.exp_m1(),
        }),
        CheckFinding::Payloads { .. }
        | CheckFinding::Components { .. }
        | CheckFinding::HeadFails { .. }
        | CheckFinding::Kept { .. } => Value::Null,
    }
}
