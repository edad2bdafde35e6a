//! Compares a list of releases, each with the one before it.

use std::io::Write;

use anyhow::{Context as _, ensure};
use comfy_table::Cell;

use crate::cli::Exit;
use crate::cli::compare::CompareArgs;
use crate::cli::output;
use crate::cli::selection::note;
use crate::cli::sides::{CommitRange, SideFlags};
use compare::{Comparison, ComparisonOutcome, MetricResult};
use record::metric::gate::{ERROR_RATES, MetricPolicy};
use report::terminal;
use suite::Suite;
use units::Ratio;
use units::cancel::Cancel;

/// One release against the one before it.
struct ReleaseStep {
    range: CommitRange,
    comparison: Comparison,
}

/// Measures every step and prints a table of them; one regression makes the whole fail.
///
/// The steps share the chance of a false alarm in equal parts.
pub(super) fn run(
    args: &CompareArgs,
    suite: &mut Suite,
    cancel: &Cancel,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let steps: Vec<CommitRange> = args.matrix.windows(2).map(CommitRange::of).collect();
    ensure!(!steps.is_empty(), "`--matrix` needs two releases or more");
    for name in &args.matrix {
        SideFlags::resolve(&suite.target, name)?;
    }
    let alpha = Ratio(suite.gate.alpha);
    suite.gate.alpha /= steps.len() as f64;
    ensure!(
        suite.gate.alpha >= *ERROR_RATES.start(),
        "{} steps share an error rate of {alpha}: the part of each is too small\n\n\
         hint: raise `[gate] alpha`, or compare fewer releases",
        steps.len()
    );
    let mut measured = Vec::new();
    for (range, number) in steps.into_iter().zip(1..) {
        note(&format!("{range} ({number} of {})", args.matrix.len() - 1))?;
        let builds = SideFlags::between(&range, suite, cancel)
            .with_context(|| format!("cannot build {range}"))?;
        let folder = args.out().join(format!("matrix/{number}"));
        let run = args.measure(suite, &builds, &folder, cancel)?;
        let comparison = Comparison::of(&run)?;
        output::keep(&folder.join("report"), &run, &comparison)?;
        let stop = run.ended.is_some();
        measured.push(ReleaseStep { range, comparison });
        if stop {
            break;
        }
    }
    show(out, &measured).context("failed to write the table")?;
    writeln!(out, "\nchance of a false alarm ≤ {alpha} over all steps")?;
    Ok(output::exit(&gravest(&measured), args.fail_on()))
}

fn show(out: &mut impl Write, steps: &[ReleaseStep]) -> anyhow::Result<()> {
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
                Cell::new(row.metric.label()),
                terminal::right(&units::change(change.estimate_ln)),
                terminal::right(&units::interval(change.low_ln, change.high_ln)),
                terminal::right(&units::change(since_first(&steps[..=index], row))),
                Cell::new(row.judgement().map_or_else(String::new, |judgement| {
                    report::judged(judgement, row.rule.tolerance)
                })),
            ]);
        }
        if let ComparisonOutcome::NotMeasured(reason) = &step.comparison.outcome {
            let reason = reason.lines().next().unwrap_or_default();
            table.add_row([&step.range.base, &step.range.head, "could not measure", reason]);
        }
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(())
}

/// The changes of a metric over all steps so far, added up on the logarithmic scale.
fn since_first(steps: &[ReleaseStep], row: &MetricResult) -> f64 {
    let same = |other: &&MetricResult| other.scenario == row.scenario && other.metric == row.metric;
    let change = |step: &ReleaseStep| step.comparison.rows.iter().find(same)?.change();
    steps.iter().filter_map(change).map(|change| change.estimate_ln).sum()
}

/// What follows from all steps: the gravest of their outcomes.
fn gravest(steps: &[ReleaseStep]) -> ComparisonOutcome {
    let outcomes = steps.iter().map(|step| step.comparison.outcome.clone());
    outcomes.min().expect("a matrix has a step")
}
