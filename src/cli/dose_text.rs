//! What was sent, and what of it was seen.

use std::io::Write;

use compare::ComparisonNote;
use compare::decision::Verdict;
use compare::{ComparisonOutcome, MetricResult};
use record::metric::Metric;
use stats::offset::COMPARISONS_MIN;

use crate::app::dose::DoseOutcome;
use crate::cli::Exit;

pub(super) fn show(out: &mut impl Write, outcome: &DoseOutcome) -> std::io::Result<()> {
    let DoseOutcome { sent, uncounted_every, comparison, twins } = outcome;
    match uncounted_every {
        Some(every) => writeln!(out, "sent +{sent}: one request in {every} was not counted")?,
        None => writeln!(out, "sent nothing: both sides are one build")?,
    }
    if let ComparisonOutcome::NotMeasured(reason) = &comparison.outcome {
        return writeln!(out, "could not measure: {reason}");
    }
    for row in comparison.rows.iter().filter(|row| is_moved(row)) {
        writeln!(out, "{} {}: seen {}", row.scenario, row.label(), report::sentence(row))?;
    }
    show_offset(out, *twins, comparison.machine_offsets())
}

/// Shows what comparisons of a build with itself say of this machine, once they are enough.
pub(super) fn show_offset(
    out: &mut impl Write,
    twins: usize,
    offsets: Option<&ComparisonNote>,
) -> std::io::Result<()> {
    match offsets {
        Some(note) => writeln!(out, "{}", note.to_string().replace('`', "")),
        None if twins == 0 => Ok(()),
        None => writeln!(
            out,
            "the machine's own offset of one build is known after {COMPARISONS_MIN} comparisons with \
             itself; {twins} kept"
        ),
    }
}

/// Whether a dose moves the metric: what a unit costs, and not how long a request takes.
fn is_moved(row: &MetricResult) -> bool {
    matches!(row.metric, Metric::Cpu | Metric::Throughput)
}

pub(super) fn exit(outcome: &DoseOutcome) -> Exit {
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
