//! Proves the error rate on the machine it runs on.

mod stored;

use std::io::Write;

use anyhow::anyhow;
use comfy_table::Cell as TableCell;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::output;
use calibration::anytime::AnytimeCell;
use calibration::attempts::{AttemptsCase, AttemptsCell};
use calibration::known_noise::{NoiseCase, NoiseCell};
use calibration::peers::PeerRule;
use calibration::promise::{self, CalibrationCounts, CalibrationPromise, PromiseObservation};
use calibration::regime::Regime;
use calibration::{CalibrationCell, FAMILY, SimulationPlan};
use compare::decision::{DecisionRule, Verdict};
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
    /// Where nothing changed, go on to 400 launch pairs instead of 50; takes eight times as long
    #[arg(long)]
    long: bool,
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

fn regime(name: &str) -> anyhow::Result<Regime> {
    let known = || Regime::ALL.map(|regime| regime.name).join(", ");
    Regime::from_name(name).ok_or_else(|| anyhow!("known are {}", known()))
}

/// Comparisons that are attempted ten times: what is promised of them is stated for so many.
const REPEATED_MAX: u64 = 2_000;

/// Everything that was counted.
struct SelftestCounts {
    counts: CalibrationCounts,
    peers: Vec<(Regime, [Proportion; 5])>,
}

/// Simulates, shows the counts, and fails if they contradict a promise.
pub(super) fn run(args: &SelftestArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let args = match &args.command {
        SelftestCommand::Calibration(args) => args,
        SelftestCommand::Stored(args) => return stored::run(args, out),
    };
    let rule = DecisionRule::default();
    let regimes = if args.regime.is_empty() { Regime::ALL.to_vec() } else { args.regime.clone() };
    let plan = SimulationPlan { rule, sessions: args.sessions, seed: args.seed };
    let counted = count(&plan, &regimes, if args.long { [50, 400] } else { [25, 50] });
    let promises = promise::check(&counted.counts);
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

fn count(plan: &SimulationPlan, regimes: &[Regime], launch_pairs: [usize; 2]) -> SelftestCounts {
    let mut counted = SelftestCounts { counts: CalibrationCounts::default(), peers: Vec::new() };
    let cases = NoiseCase::ALL.len() + AttemptsCase::ALL.len();
    let bar = ProgressBar::new((4 * regimes.len() + cases) as u64);
    for regime in regimes {
        counted.counts.cells.extend(plan.single_metrics(*regime));
        bar.inc(1);
        counted.counts.families.push(plan.family(*regime));
        bar.inc(1);
        counted.counts.anytime.push(plan.anytime(*regime, launch_pairs));
        bar.inc(1);
        counted.peers.push((*regime, plan.peers(*regime)));
        bar.inc(1);
    }
    for case in NoiseCase::ALL {
        counted.counts.noise.push(plan.known_noise(case));
        bar.inc(1);
    }
    let repeated = SimulationPlan { sessions: plan.sessions.min(REPEATED_MAX), ..plan.clone() };
    for case in AttemptsCase::ALL {
        counted.counts.attempts.push(repeated.attempts(case));
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
    let nulls = counted.counts.cells.iter().filter(|cell| cell.change == 0.0);
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
    show_changes(out, &counted.counts.cells)?;
    let header = ["nothing changed in 24", "any slower", "any regressed"];
    let rows = counted.counts.families.iter().map(|family| {
        vec![family.regime.name.to_owned(), percent(family.slower), percent(family.regressed)]
    });
    show(out, &header, rows)?;
    show_anytime(out, &counted.counts.anytime)?;
    show_noise(out, &counted.counts.noise)?;
    show_attempts(out, &counted.counts.attempts)?;
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
            PromiseObservation::LaunchPairs(mean) => format!("{mean:.1} launch pairs"),
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

fn show_anytime(out: &mut impl Write, cells: &[AnytimeCell]) -> anyhow::Result<()> {
    let rows = cells.iter().flat_map(|cell| {
        cell.slower
            .iter()
            .map(|(by, share)| vec![cell.regime.name.to_owned(), by.to_string(), percent(*share)])
    });
    show(out, &["nothing changed in three", "launch pairs", "ever slower"], rows)
}

fn show_noise(out: &mut impl Write, cells: &[NoiseCell]) -> anyhow::Result<()> {
    let rows = cells.iter().map(|cell| {
        vec![
            cell.case.family.to_string(),
            Ratio(cell.case.deviation).to_string(),
            Ratio(cell.case.change).to_string(),
            percent(cell.tally.proportion(Verdict::Regressed)),
            percent(cell.tally.proportion(Verdict::Unchanged)),
            format!("{:.2}", cell.tally.launch_pairs_mean()),
        ]
    });
    let header = ["metrics", "SD", "change of one", "regressed", "unchanged", "launch pairs"];
    show(out, &header, rows)
}

fn show_attempts(out: &mut impl Write, cells: &[AttemptsCell]) -> anyhow::Result<()> {
    let rows = cells.iter().map(|cell| {
        let shares = [cell.red_then_green, cell.ever_green, cell.ever_red, cell.last_red];
        let case = [cell.case.change, cell.case.deviation, cell.case.offset].map(Ratio);
        let case = case.map(|share| share.to_string());
        case.into_iter().chain(shares.map(percent)).collect()
    });
    let header =
        ["ten attempts: change", "SD", "offset", "red, then not", "green", "red", "red at last"];
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

fn rule_words(rule: &DecisionRule) -> String {
    let DecisionRule { alpha, launch_pairs_max } = rule;
    format!("a look after every launch pair, at most {launch_pairs_max} · alpha {}", Ratio(*alpha))
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
    let cells = counted.counts.cells.iter().map(|cell| {
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
    let families = counted.counts.families.iter().map(|family| {
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
    let anytime = counted.counts.anytime.iter().flat_map(|cell| {
        cell.slower.iter().map(|(by, share)| {
            json!({"regime": cell.regime.name, "launch_pairs": by, "slower": share_json(*share)})
        })
    });
    let noise = counted.counts.noise.iter().map(noise_json);
    let attempts = counted.counts.attempts.iter().map(attempts_json);
    let promises = promises.iter().map(|promise| {
        let seen = match promise.seen {
            PromiseObservation::Share(share) => share_json(share),
            PromiseObservation::LaunchPairs(mean) => json!({"launch_pairs": mean}),
        };
        json!({"promise": promise.text, "worst": promise.cell, "seen": seen, "holds": promise.holds})
    });
    json!({
        "schema": 2,
        "rule": rule_words(&plan.rule),
        "sessions": plan.sessions,
        "seed": plan.seed,
        "cells": cells.collect::<Vec<_>>(),
        "families": families.collect::<Vec<_>>(),
        "anytime": anytime.collect::<Vec<_>>(),
        "noise": noise.collect::<Vec<_>>(),
        "attempts": attempts.collect::<Vec<_>>(),
        "peers": peers.collect::<Vec<_>>(),
        "promises": promises.collect::<Vec<_>>(),
    })
}

fn noise_json(cell: &NoiseCell) -> Value {
    json!({
        "metrics": cell.case.family,
        "deviation": cell.case.deviation,
        "change": cell.case.change,
        "regressed": share_json(cell.tally.proportion(Verdict::Regressed)),
        "unchanged": share_json(cell.tally.proportion(Verdict::Unchanged)),
        "launch_pairs": cell.tally.launch_pairs_mean(),
    })
}

fn attempts_json(cell: &AttemptsCell) -> Value {
    json!({
        "change": cell.case.change,
        "deviation": cell.case.deviation,
        "offset": cell.case.offset,
        "red_then_green": share_json(cell.red_then_green),
        "ever_green": share_json(cell.ever_green),
        "ever_red": share_json(cell.ever_red),
        "last_red": share_json(cell.last_red),
    })
}

fn share_json(share: Proportion) -> Value {
    let (low, high) = share.limits(0.025);
    json!({"count": share.count, "of": share.of, "share": share.share(), "low": low, "high": high})
}
