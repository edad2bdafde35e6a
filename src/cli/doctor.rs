//! Tries on the user's own API whether a change of a known size is found.

use std::io::Write;
use std::time::Duration;

use compare::decision::Verdict;
use compare::stopping::EarlyStopping;
use compare::{ComparisonOutcome, MetricResult};
use record::metric::Metric;
use units::Ratio;

use crate::app;
use crate::app::doctor::{DoctorOptions, DoctorOutcome};
use crate::app::measure::ComparisonEnding;
use crate::cli::selection::SelectionFlags;
use crate::cli::{Exit, process};

/// Send a change of a known size to your own API, and see whether it is found here
///
/// The build of the checkout is compared with itself. Of the requests to one side, some are sent and not
/// counted, so that a unit of work costs more by the dose. Exit codes: 0 found in every scenario, or with
/// `--twin` nothing found; 1 not so; 2 wrong usage or configuration; 3 could not measure.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// By how much a unit costs more, such as `3%`
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = Ratio::parse)]
    dose: Ratio,
    /// Send none: what two equal builds look like on this machine
    #[arg(long, conflicts_with = "dose")]
    twin: bool,
    /// Time for measuring, such as `3m`
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    budget: Option<Duration>,
    #[command(flatten)]
    selection: SelectionFlags,
}

/// Measures, says what was sent and what was seen.
pub(super) fn run(args: &DoctorArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    args.selection.refuse(&["--lane"])?;
    let options = DoctorOptions {
        selection: args.selection.selection()?,
        dose: (!args.twin).then_some(args.dose),
        ending: ComparisonEnding { budget: args.budget, early: EarlyStopping::Decided },
    };
    let cancel = process::cancel_on_signals()?;
    let outcome = app::doctor::doctor(&options, &mut args.selection.reporter(), &cancel)?;
    show(out, &outcome)?;
    Ok(exit(&outcome))
}

fn show(out: &mut impl Write, outcome: &DoctorOutcome) -> std::io::Result<()> {
    let DoctorOutcome { sent, uncounted_every, comparison } = outcome;
    match uncounted_every {
        Some(every) => writeln!(out, "sent +{sent}: one request in {every} was not counted")?,
        None => writeln!(out, "sent nothing: both sides are one build")?,
    }
    if let ComparisonOutcome::NotMeasured(reason) = &comparison.outcome {
        return writeln!(out, "could not measure: {reason}");
    }
    for row in comparison.rows.iter().filter(|row| is_moved(row)) {
        writeln!(out, "{} {}: seen {}", row.scenario, row.metric.label(), report::sentence(row))?;
    }
    Ok(())
}

/// Whether a dose moves the metric: what a unit costs, and not how long a request takes.
fn is_moved(row: &MetricResult) -> bool {
    matches!(row.metric, Metric::Cpu | Metric::Throughput)
}

fn exit(outcome: &DoctorOutcome) -> Exit {
    let comparison = &outcome.comparison;
    if matches!(comparison.outcome, ComparisonOutcome::NotMeasured(_)) {
        return Exit::NotMeasured;
    }
    let verdicts = comparison.rows.iter().filter(|row| row.metric == Metric::Cpu);
    let verdicts: Vec<Option<Verdict>> = verdicts.map(MetricResult::verdict).collect();
    let is_right = if outcome.uncounted_every.is_some() {
        !verdicts.is_empty() && verdicts.iter().all(|it| *it == Some(Verdict::Regressed))
    } else {
        comparison.count(Verdict::Regressed) + comparison.count(Verdict::Improved) == 0
    };
    if is_right { Exit::Success } else { Exit::Regressed }
}
