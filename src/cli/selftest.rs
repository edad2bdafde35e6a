//! Proves the error rate on the machine it is asked on.

mod stored;

use std::io::Write;

use anyhow::Context as _;
use comfy_table::Cell as TableCell;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::output;
use calibration::peers::PeerRule;
use calibration::promise::{self, CalibrationPromise, PromiseObservation};
use calibration::regime::Regime;
use calibration::{CalibrationCell, FAMILY, FamilyCell, SimulationPlan};
use compare::decision::design::ALPHA;
use compare::decision::sequential::SequentialComparison;
use compare::decision::{DecisionProtocol, SequentialDesign, Verdict};
use report::terminal;
use stats::proportion::Proportion;
use units::Ratio;

/// Check that xmlperf keeps what it promises
#[derive(Debug, clap::Args)]
pub(super) struct SelftestArgs {
    #[command(subcommand)]
    command: SelftestCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SelftestCommand {
    Calibration(CalibrationArgs),
    Stored(stored::SelftestStoredArgs),
}

/// Simulate comparisons whose truth is known, and count the wrong verdicts
///
/// Eight kinds of noise go through the code that decides. Fails with exit code 1 if a promise about
/// the error rate is broken.
#[derive(Debug, clap::Args)]
struct CalibrationArgs {
    /// Comparisons in each cell: kind of noise, metric and true change
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    sessions: u64,
    /// One kind of noise; may be repeated [default: all]
    #[arg(long, value_name = "REGIME", value_parser = regime)]
    regime: Vec<Regime>,
    /// Judge as `compare --until-decided` does, for at most so many launch pairs
    #[arg(long, value_name = "N")]
    until_decided: Option<usize>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = SelftestFormat::Table)]
    format: SelftestFormat,
    /// What the noise and the coins are drawn from
    #[arg(long, value_name = "S", default_value_t = 42)]
    seed: u64,
}

/// How the result is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SelftestFormat {
    /// Tables for people
    Table,
    /// Every count, for other programs
    Json,
}

fn regime(name: &str) -> Result<Regime, String> {
    let known = || Regime::ALL.map(|regime| regime.name).join(", ");
    Regime::from_name(name).ok_or_else(|| format!("known are {}", known()))
}

/// Everything that was counted.
struct SelftestCounts {
    cells: Vec<CalibrationCell>,
    families: Vec<FamilyCell>,
    peers: Vec<(Regime, [Proportion; 5])>,
}

/// Simulates, shows the counts, and fails if they contradict a promise.
pub(super) fn run(args: &SelftestArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let args = match &args.command {
        SelftestCommand::Calibration(args) => args,
        SelftestCommand::Stored(args) => return stored::run(args, out),
    };
    let rule = match args.until_decided {
        Some(launch_pairs) => DecisionProtocol::UntilDecided(
            SequentialComparison::new(ALPHA, launch_pairs).context("unusable `--until-decided`")?,
        ),
        None => DecisionProtocol::PlannedLooks(SequentialDesign::default()),
    };
    let regimes = if args.regime.is_empty() { Regime::ALL.to_vec() } else { args.regime.clone() };
    let plan = SimulationPlan { rule, sessions: args.sessions, seed: args.seed };
    let counted = count(&plan, &regimes);
    let promises = promise::check(&counted.cells, &counted.families);
    match args.format {
        SelftestFormat::Table => show_tables(out, &plan, &counted, &promises)?,
        SelftestFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &as_json(&plan, &counted, &promises))?;
            writeln!(out)?;
        }
    }
    let kept = promises.iter().all(|promise| promise.holds);
    Ok(if kept { Exit::Success } else { Exit::Regressed })
}

fn count(plan: &SimulationPlan, regimes: &[Regime]) -> SelftestCounts {
    let mut counted = SelftestCounts { cells: Vec::new(), families: Vec::new(), peers: Vec::new() };
    let bar = ProgressBar::new(3 * regimes.len() as u64);
    for regime in regimes {
        counted.cells.extend(plan.single_metrics(*regime));
        bar.inc(1);
        counted.families.push(plan.family(*regime));
        bar.inc(1);
        counted.peers.push((*regime, plan.peers(*regime)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    counted
}

fn show_tables(
    out: &mut impl Write,
    plan: &SimulationPlan,
    counted: &SelftestCounts,
    promises: &[CalibrationPromise],
) -> anyhow::Result<()> {
    writeln!(
        out,
        "{} · {} comparisons a cell · seed {} · shares in %, with 95 % limits\n",
        rule_words(&plan.rule),
        units::count(units::exact(plan.sessions)),
        plan.seed
    )?;
    let nulls = counted.cells.iter().filter(|cell| cell.change == 0.0);
    let header = ["no change", "", "slower", "regressed", "unchanged", "launch pairs", "minutes"];
    let rows = nulls.map(|cell| {
        let share = |verdict| percent(cell.tally.proportion(verdict));
        vec![
            cell.regime.name.to_owned(),
            cell.metric.to_string(),
            cell.slower.map_or_else(String::new, percent),
            share(Verdict::Regressed),
            share(Verdict::Unchanged),
            format!("{:.1}", cell.tally.launch_pairs_mean()),
            format!("{:.1}", cell.minutes_mean()),
        ]
    });
    show(out, &header, rows)?;
    show_changes(out, &counted.cells)?;
    let header = ["nothing changed in 24", "any slower", "any regressed"];
    let rows = counted.families.iter().map(|family| {
        vec![family.regime.name.to_owned(), percent(family.slower), percent(family.regressed)]
    });
    show(out, &header, rows)?;
    let labels = PeerRule::ALL.map(PeerRule::label);
    let header: Vec<&str> = ["other tools: slower"].into_iter().chain(labels).collect();
    let rows = counted.peers.iter().map(|(regime, peers)| {
        let shares = peers.iter().map(|share| format!("{:.1}", 100.0 * share.share()));
        [regime.name.to_owned()].into_iter().chain(shares).collect()
    });
    show(out, &header, rows)?;
    let rows = promises.iter().map(|promise| {
        let seen = match promise.seen {
            PromiseObservation::Share(share) => percent(share),
            PromiseObservation::Minutes(minutes) => format!("{minutes:.1} min"),
        };
        let holds = if promise.holds { "yes" } else { "NO" };
        vec![promise.text.to_owned(), promise.cell.clone(), seen, holds.to_owned()]
    });
    show(out, &["promise", "worst", "seen", "holds"], rows)
}

/// One row for each regime and metric, a column for each true change.
fn show_changes(out: &mut impl Write, cells: &[CalibrationCell]) -> anyhow::Result<()> {
    let changed: Vec<&CalibrationCell> = cells.iter().filter(|cell| cell.change > 0.0).collect();
    let mut names: Vec<(&Regime, _)> = Vec::new();
    for cell in &changed {
        if !names.contains(&(&cell.regime, cell.metric)) {
            names.push((&cell.regime, cell.metric));
        }
    }
    let header = ["regressed at", "", "+1 %", "+2 %", "+3 %", "+5 %", "+10 %", "+3 %: unchanged"];
    let rows = names.into_iter().map(|(regime, metric)| {
        let row = changed.iter().filter(|cell| cell.regime == *regime && cell.metric == metric);
        let found = row.clone().map(|cell| percent(cell.tally.proportion(Verdict::Regressed)));
        let missed = row.clone().find(|cell| Ratio(cell.change) == Ratio(0.03));
        let missed = missed.map(|cell| percent(cell.tally.proportion(Verdict::Unchanged)));
        [regime.name.to_owned(), metric.to_string()]
            .into_iter()
            .chain(found)
            .chain(missed)
            .collect()
    });
    show(out, &header, rows)
}

fn show(
    out: &mut impl Write,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> anyhow::Result<()> {
    let mut table = terminal::table(output::screen());
    table.set_header(header.iter().map(TableCell::new));
    for row in rows {
        table.add_row(row);
    }
    writeln!(out, "{}\n", table.trim_fmt())?;
    Ok(())
}

fn rule_words(rule: &DecisionProtocol) -> String {
    match rule {
        DecisionProtocol::PlannedLooks(design) => {
            let looks: Vec<String> = design.looks.iter().map(ToString::to_string).collect();
            format!("looks at {} launch pairs · alpha {}", looks.join(", "), Ratio(design.alpha))
        }
        DecisionProtocol::UntilDecided(until) => format!(
            "until decided, at most {} launch pairs · alpha {}",
            until.launch_pairs_max,
            Ratio(until.alpha)
        ),
    }
}

/// `0.95 [0.83, 1.10]`.
fn percent(share: Proportion) -> String {
    let (low, high) = share.limits(0.025);
    format!("{:.2} [{:.2}, {:.2}]", 100.0 * share.share(), 100.0 * low, 100.0 * high)
}

fn as_json(
    plan: &SimulationPlan,
    counted: &SelftestCounts,
    promises: &[CalibrationPromise],
) -> Value {
    let cells = counted.cells.iter().map(|cell| {
        let verdict = |verdict| share_json(cell.tally.proportion(verdict));
        json!({
            "regime": cell.regime.name,
            "metric": cell.metric.key(),
            "change": cell.change,
            "slower": cell.slower.map(share_json),
            "regressed": verdict(Verdict::Regressed),
            "improved": verdict(Verdict::Improved),
            "unchanged": verdict(Verdict::Unchanged),
            "inconclusive": verdict(Verdict::Inconclusive),
            "launch_pairs": cell.tally.launch_pairs_mean(),
            "minutes": cell.minutes_mean(),
        })
    });
    let families = counted.families.iter().map(|family| {
        json!({
            "regime": family.regime.name,
            "hypotheses": FAMILY,
            "slower": share_json(family.slower),
            "regressed": share_json(family.regressed),
        })
    });
    let peers = counted.peers.iter().map(|(regime, peers)| {
        let slower = PeerRule::ALL.iter().zip(peers);
        let slower: Vec<Value> = slower
            .map(|(peer, share)| json!({"rule": peer.label(), "slower": share_json(*share)}))
            .collect();
        json!({"regime": regime.name, "rules": slower})
    });
    let promises = promises.iter().map(|promise| {
        let seen = match promise.seen {
            PromiseObservation::Share(share) => share_json(share),
            PromiseObservation::Minutes(minutes) => json!({"minutes": minutes}),
        };
        json!({"promise": promise.text, "worst": promise.cell, "seen": seen, "holds": promise.holds})
    });
    json!({
        "schema": 1,
        "rule": rule_words(&plan.rule),
        "sessions": plan.sessions,
        "seed": plan.seed,
        "cells": cells.collect::<Vec<_>>(),
        "families": families.collect::<Vec<_>>(),
        "peers": peers.collect::<Vec<_>>(),
        "promises": promises.collect::<Vec<_>>(),
    })
}

fn share_json(share: Proportion) -> Value {
    let (low, high) = share.limits(0.025);
    json!({"count": share.count, "of": share.of, "share": share.share(), "low": low, "high": high})
}
