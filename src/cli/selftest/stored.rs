//! Counts the wrong verdicts of comparisons with stored runs.

use std::io::Write;

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{SelftestFormat, percent, share_json, show};
use crate::cli::Exit;
use calibration::SimulationPlan;
use calibration::regime::Regime;
use calibration::stored::{CHANGES, DayRegime, RUNS, StoredCell};
use compare::decision::history::SECOND_JOB_ALARMS;
use compare::decision::{ALPHA, DecisionRule};
use stats::proportion::Proportion;

/// Simulate comparisons with stored runs whose truth is known, and count the wrong verdicts
///
/// Histories of seven kinds of days go through the code that decides. Fails with exit code 1 if a
/// promise about the error rate is broken.
#[derive(Debug, clap::Args)]
pub(super) struct SelftestStoredArgs {
    /// Comparisons in each cell: kind of days, length of the history and true change
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    sessions: u64,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = SelftestFormat::Table)]
    format: SelftestFormat,
    /// What days and coins are drawn from
    #[arg(long, value_name = "S", default_value_t = 42)]
    seed: u64,
}

/// Largest share of false alarms after a suspicion was followed up, and how sure one must be that it is
/// larger.
const FALSE_ALARMS_MAX: f64 = SECOND_JOB_ALARMS * ALPHA;
const DOUBT: f64 = 0.001;

/// Simulates, shows the counts, and fails if they contradict the promise.
pub(super) fn run(args: &SelftestStoredArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let rule = DecisionRule::default();
    let plan = SimulationPlan { rule, sessions: args.sessions, seed: args.seed };
    let noise = Regime::from_name("ci").expect("a regime that is there");
    let bar = ProgressBar::new((DayRegime::ALL.len() * RUNS.len() * CHANGES.len()) as u64);
    let mut cells = Vec::new();
    for days in DayRegime::ALL {
        for runs in RUNS {
            for change in CHANGES {
                cells.push(plan.stored(ALPHA, days, runs, change, noise));
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    match args.format {
        SelftestFormat::Table => tables(out, &plan, &cells)?,
        SelftestFormat::Json => {
            let cells: Vec<Value> = cells.iter().map(as_json).collect();
            let all =
                json!({"schema": 1, "sessions": plan.sessions, "seed": plan.seed, "cells": cells});
            serde_json::to_writer_pretty(&mut *out, &all)?;
            writeln!(out)?;
        }
    }
    Ok(if cells.iter().all(holds) { Exit::Success } else { Exit::Regressed })
}

/// Whether a cell keeps the promise, as far as so many comparisons can tell.
fn holds(cell: &StoredCell) -> bool {
    let kept = |share: Proportion| share.limits(DOUBT).0 <= FALSE_ALARMS_MAX;
    let second_job = !cell.days.is_promised || kept(cell.second_job);
    cell.change > 0.0 || (second_job && kept(cell.side_by_side))
}

fn tables(out: &mut impl Write, plan: &SimulationPlan, cells: &[StoredCell]) -> anyhow::Result<()> {
    writeln!(
        out,
        "stored runs · {} comparisons a cell · seed {} · shares in %, with 95 % limits\n",
        units::count(units::exact(plan.sessions)),
        plan.seed
    )?;
    let nulls = cells.iter().filter(|cell| cell.change == 0.0);
    let header = [
        "no change",
        "runs",
        "flagged",
        "regressed at once",
        "with a second job",
        "side by side",
        "visible from",
        "holds",
    ];
    let rows = nulls.map(|cell| {
        vec![
            cell.days.name.to_owned(),
            cell.runs.to_string(),
            percent(cell.flagged),
            percent(cell.at_once),
            percent(cell.second_job),
            percent(cell.side_by_side),
            format!("{:.1} %", 100.0 * cell.mde_ln.exp_m1()),
            match (holds(cell), cell.days.is_promised) {
                (true, true) => "yes",
                (true, false) => "side by side",
                (false, _) => "NO",
            }
            .to_owned(),
        ]
    });
    show(out, &header, rows)?;
    let header = ["flagged, then regressed side by side", "runs", "+5 %", "+8 %", "+10 %", "+15 %"];
    let changed: Vec<&StoredCell> = cells.iter().filter(|cell| cell.change > 0.0).collect();
    let rows = changed.chunk_by(|a, b| (a.days, a.runs) == (b.days, b.runs)).map(|cells| {
        let found = cells.iter().map(|cell| {
            let share = |share: Proportion| format!("{:.1}", 100.0 * share.share());
            format!("{} → {}", share(cell.flagged), share(cell.side_by_side))
        });
        [cells[0].days.name.to_owned(), cells[0].runs.to_string()]
            .into_iter()
            .chain(found)
            .collect()
    });
    show(out, &header, rows)
}

fn as_json(cell: &StoredCell) -> Value {
    json!({
        "days": cell.days.name,
        "runs": cell.runs,
        "change": cell.change,
        "flagged": share_json(cell.flagged),
        "at_once": share_json(cell.at_once),
        "second_job": share_json(cell.second_job),
        "side_by_side": share_json(cell.side_by_side),
        "visible": cell.mde_ln.exp_m1(),
        "holds": holds(cell),
    })
}
