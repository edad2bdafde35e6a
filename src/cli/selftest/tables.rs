//! What was counted, in tables for people.

use std::io::Write;

use calibration::CalibrationCell;
use calibration::anytime::AnytimeCell;
use calibration::attempts::AttemptsCell;
use calibration::known_noise::NoiseCell;
use calibration::layout::LayoutCell;
use calibration::peers::PeerRule;
use calibration::promise::PromiseObservation;
use calibration::regime::Regime;
use comfy_table::Cell as TableCell;
use compare::decision::{DecisionRule, Verdict};
use report::terminal;
use stats::proportion::Proportion;
use units::Ratio;

use crate::app::error_rate::CalibrationOutcome;
use crate::cli::output;

/// Shows what was counted, and what is stated of it.
pub(super) fn show(out: &mut impl Write, outcome: &CalibrationOutcome) -> anyhow::Result<()> {
    let CalibrationOutcome { plan, counts, peers, promises } = outcome;
    writeln!(
        out,
        "{} · {} comparisons a cell · seed {} · shares in %, with 95 % limits\n",
        rule_words(&plan.rule),
        units::count(units::exact(plan.sessions)),
        plan.seed
    )?;
    let nulls = counts.cells.iter().filter(|cell| cell.change == 0.0);
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
    add(out, &header, rows)?;
    show_changes(out, &counts.cells)?;
    let header = ["nothing changed in 24", "any slower", "any regressed"];
    let rows = counts.families.iter().map(|family| {
        vec![family.regime.name.to_owned(), percent(family.slower), percent(family.regressed)]
    });
    add(out, &header, rows)?;
    show_anytime(out, &counts.anytime)?;
    show_noise(out, &counts.noise)?;
    show_layouts(out, &counts.layouts)?;
    show_attempts(out, &counts.attempts)?;
    let labels = PeerRule::ALL.map(PeerRule::label);
    let header: Vec<&str> = ["other tools: slower"].into_iter().chain(labels).collect();
    let rows = peers.iter().map(|(regime, peers)| {
        let shares = peers.iter().map(|share| format!("{:.1}", 100.0 * share.share()));
        [regime.name.to_owned()].into_iter().chain(shares).collect()
    });
    add(out, &header, rows)?;
    let rows = promises.iter().map(|promise| {
        let seen = match promise.seen {
            PromiseObservation::Share(share) => percent(share),
            PromiseObservation::LaunchPairs(mean) => format!("{mean:.1} launch pairs"),
        };
        let holds = if promise.holds { "yes" } else { "NO" };
        vec![promise.text.to_owned(), promise.cell.clone(), seen, holds.to_owned()]
    });
    add(out, &["promise", "worst", "seen", "holds"], rows)
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
    add(out, &header, rows)
}

fn show_anytime(out: &mut impl Write, cells: &[AnytimeCell]) -> anyhow::Result<()> {
    let rows = cells.iter().flat_map(|cell| {
        cell.slower
            .iter()
            .map(|(by, share)| vec![cell.regime.name.to_owned(), by.to_string(), percent(*share)])
    });
    add(out, &["nothing changed in three", "launch pairs", "ever slower"], rows)
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
    add(out, &header, rows)
}

fn show_layouts(out: &mut impl Write, cells: &[LayoutCell]) -> anyhow::Result<()> {
    let rows = cells.iter().map(|cell| {
        let question = cell.case.question;
        let case = [question.floor, question.tolerance, cell.case.offset, cell.case.change];
        let shares = [Verdict::Regressed, Verdict::Unchanged].map(|it| cell.tally.proportion(it));
        let case = case.map(|share| Ratio(share).to_string()).into_iter();
        case.chain(shares.map(percent))
            .chain([format!("{:.1}", cell.tally.launch_pairs_mean())])
            .collect()
    });
    let header = [
        "layout: floor",
        "tolerance",
        "SD of the offset",
        "change of one of six",
        "regressed",
        "unchanged",
        "launch pairs",
    ];
    add(out, &header, rows)
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
    add(out, &header, rows)
}

/// Adds a table.
pub(super) fn add(
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

pub(super) fn rule_words(rule: &DecisionRule) -> String {
    let DecisionRule { alpha, launch_pairs_max } = rule;
    format!("a look after every launch pair, at most {launch_pairs_max} · alpha {}", Ratio(*alpha))
}

/// `0.95 [0.83, 1.10]`.
pub(super) fn percent(share: Proportion) -> String {
    let (low, high) = share.limits(0.025);
    format!("{:.2} [{:.2}, {:.2}]", 100.0 * share.share(), 100.0 * low, 100.0 * high)
}
