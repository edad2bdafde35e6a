//! Counts the wrong verdicts of comparisons with stored runs.

use std::io::Write;

use calibration::SimulationPlan;
use calibration::stored::StoredCell;
use serde_json::{Value, json};
use stats::proportion::Proportion;

use super::SelftestFormat;
use super::json::share_json;
use super::tables::{add, percent};
use crate::app::error_rate::{self, StoredCalibration, is_kept};
use crate::cli::Exit;
use crate::cli::reporter::Reporter;

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

/// Simulates, shows the counts, and fails if they contradict the promise.
pub(super) fn run(args: &SelftestStoredArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let outcome = error_rate::calibrate_stored(args.sessions, args.seed, &mut Reporter::default());
    let StoredCalibration { plan, cells } = &outcome;
    match args.format {
        SelftestFormat::Table => tables(out, plan, cells)?,
        SelftestFormat::Json => {
            let cells: Vec<Value> = cells.iter().map(as_json).collect();
            let all =
                json!({"schema": 1, "sessions": plan.sessions, "seed": plan.seed, "cells": cells});
            serde_json::to_writer_pretty(&mut *out, &all)?;
            writeln!(out)?;
        }
    }
    Ok(if outcome.holds() { Exit::Success } else { Exit::Regressed })
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
            match (is_kept(cell), cell.days.is_promised) {
                (true, true) => "yes",
                (true, false) => "side by side",
                (false, _) => "NO",
            }
            .to_owned(),
        ]
    });
    add(out, &header, rows)?;
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
    add(out, &header, rows)
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
        "holds": is_kept(cell),
    })
}
