//! Prints the table of a list of releases.

use std::io::Write;

use comfy_table::Cell;
use compare::{ComparisonOutcome, MetricResult};
use record::metric::gate::MetricPolicy;
use report::terminal;

use crate::app::matrix::{MatrixOutcome, ReleaseStep};
use crate::cli::{output, terminal_text};

/// Prints a row for each metric that decides, step by step.
pub(super) fn show(out: &mut impl Write, outcome: &MatrixOutcome) -> anyhow::Result<()> {
    let steps = &outcome.steps;
    let mut table = terminal::table(output::screen());
    let header = ["base", "head", "scenario", "metric"].map(Cell::new).into_iter();
    let numbers = ["change", "interval, %", "since the first"].map(terminal::right);
    table.set_header(header.chain(numbers).chain([Cell::new("verdict")]));
    for (index, step) in steps.iter().enumerate() {
        let shown = |row: &&MetricResult| {
            row.rule.policy == MetricPolicy::Gate && row.judgement().is_some()
        };
        for row in step.comparison.rows.iter().filter(shown) {
            let Some(change) = row.change() else { continue };
            table.add_row([
                Cell::new(&step.range.base),
                Cell::new(&step.range.head),
                Cell::new(&row.scenario),
                Cell::new(row.label()),
                terminal::right(&units::change(change.estimate_ln)),
                terminal::right(&units::interval(change.low_ln, change.high_ln)),
                terminal::right(&units::change(since_first(&steps[..=index], row))),
                Cell::new(report::verdict(row)),
            ]);
        }
        if step.comparison.identical.is_some() {
            let title = report::title(&step.comparison);
            table.add_row([&step.range.base, &step.range.head, "all", title.as_str()]);
        }
        if let ComparisonOutcome::NotMeasured(reason) = &step.comparison.outcome {
            let summary = reason.summary.as_str();
            table.add_row([&step.range.base, &step.range.head, "could not measure", summary]);
        }
    }
    let table = table.trim_fmt();
    terminal_text::write(out, output::screen().paint, |out| writeln!(out, "{table}"))?;
    writeln!(out, "\nchance of a false alarm ≤ {} over all steps", outcome.alpha)?;
    Ok(())
}

/// The changes of a metric over all steps so far, added up on the logarithmic scale.
fn since_first(steps: &[ReleaseStep], row: &MetricResult) -> f64 {
    let same = |other: &&MetricResult| other.is_same(row);
    let change = |step: &ReleaseStep| step.comparison.rows.iter().find(same)?.change();
    steps.iter().filter_map(change).map(|change| change.estimate_ln).sum()
}
