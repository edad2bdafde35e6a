//! Which functions the instructions of a scenario are in: a table, and the stacks of both builds.

use compare::{Comparison, InstructionBreakdown};

use super::icicle::{self, StackRoom};
use super::view::{self, TableColumn, TableView, paragraph};
use crate::causes;
use crate::functions::{self, FunctionCells};
use crate::wording::quoted;

/// Functions in the table.
const FUNCTIONS_MAX: usize = 15;
/// Frames of all pictures of a page together.
const FRAMES_MAX: usize = 480;

/// Returns the scenarios whose instructions were counted: those that changed, or where there is nothing to
/// compare with, with a picture; the others folded.
pub(crate) fn parts(comparison: &Comparison) -> String {
    let changed: Vec<&InstructionBreakdown> = comparison.changed_breakdowns().collect();
    let is_open = |it: &InstructionBreakdown| it.base.is_none() || changed.contains(&it);
    let (open, calm): (Vec<_>, Vec<_>) =
        comparison.breakdowns.iter().partition(|breakdown| is_open(breakdown));
    let frames_max = FRAMES_MAX / open.len().max(1);
    let mut stack_room = StackRoom::PAGE;
    let mut html = String::new();
    for breakdown in open {
        html += &part(breakdown, frames_max, &mut stack_room);
    }
    for breakdown in calm {
        let summary = format!("{}: {}", quoted(&breakdown.scenario), total(breakdown));
        html += &view::folded(&summary, &functions_of(breakdown));
    }
    html
}

fn part(breakdown: &InstructionBreakdown, frames_max: usize, stack_room: &mut StackRoom) -> String {
    let heading = format!("{} in {}", functions::heading(breakdown), quoted(&breakdown.scenario));
    let mut html = format!("<h3>{}</h3>\n", view::prose(&heading));
    html += &paragraph("answer", &total(breakdown));
    html += &causes_of(breakdown);
    html += &functions_of(breakdown);
    match icicle::figure(breakdown, frames_max, stack_room) {
        Ok(figure) => html += &figure.to_string(),
        Err(obstacle) => {
            html += &obstacle.sentence().map(|it| paragraph("", &it)).unwrap_or_default();
        }
    }
    html
}

/// Which hunks and lines the difference is in, where it was looked into.
fn causes_of(breakdown: &InstructionBreakdown) -> String {
    let mut html = String::new();
    for sentence in causes::sentences(breakdown) {
        html += &paragraph("answer", &sentence);
    }
    let name = quoted(&breakdown.scenario);
    let (hunks, lines) = (causes::hunk_rows(breakdown), causes::line_rows(breakdown));
    if !hunks.is_empty() {
        let table = TableView {
            caption: format!("Hunks of {name}, ranked by the costs of their lines"),
            columns: vec![
                TableColumn::Code("Hunk"),
                TableColumn::Numbers("Δ"),
                TableColumn::Numbers("Of the growth"),
                TableColumn::Words("By"),
            ],
            rows: hunks,
        };
        html += &table.to_string();
    }
    if !lines.is_empty() {
        let table = TableView {
            caption: format!("Growth of {name} by line and function"),
            columns: vec![
                TableColumn::Code("Line"),
                TableColumn::Code("Function"),
                TableColumn::Numbers("Base"),
                TableColumn::Numbers("Head"),
                TableColumn::Numbers("Δ"),
                TableColumn::Words("Changed"),
            ],
            rows: lines,
        };
        html += &table.to_string();
    }
    html
}

fn total(breakdown: &InstructionBreakdown) -> String {
    let head = units::count(breakdown.head);
    let total = match breakdown.base {
        Some(base) => format!("{} → {head}", units::count(base)),
        None => head,
    };
    format!("{total} instructions per {}, counted under callgrind", breakdown.unit)
}

fn functions_of(breakdown: &InstructionBreakdown) -> String {
    if breakdown.functions.is_empty() {
        return paragraph("", "no function changed by more than counts do by themselves");
    }
    let mut html = table(breakdown).to_string();
    if breakdown.functions.iter().any(|it| it.fate().is_some()) && breakdown.base.is_some() {
        html += &paragraph("how", functions::ABOUT_FATES);
    }
    html
}

fn table(breakdown: &InstructionBreakdown) -> TableView {
    let paired = breakdown.base.is_some();
    let mut rows = Vec::new();
    for change in breakdown.functions.iter().take(FUNCTIONS_MAX) {
        let FunctionCells { base, head, own, inclusive, fate } = FunctionCells::of(change);
        let (name, place) = (change.name.clone(), change.file.clone());
        rows.push(if paired {
            let delta = if fate.is_empty() { own } else { format!("{own} {fate}") };
            vec![name, place, base, head, delta, inclusive]
        } else {
            let with_calls = change.head.unwrap_or_default().inclusive;
            vec![name, place, head, units::count(with_calls)]
        });
    }
    let mut columns = vec![TableColumn::Code("Function"), TableColumn::Code("File")];
    columns.extend(if paired {
        vec![
            TableColumn::Numbers("Base"),
            TableColumn::Numbers("Head"),
            TableColumn::Numbers("Δ"),
            TableColumn::Numbers("Δ with calls"),
        ]
    } else {
        vec![TableColumn::Numbers("Itself"), TableColumn::Numbers("With calls")]
    });
    TableView {
        caption: format!(
            "Functions of {}, in instructions per {}",
            quoted(&breakdown.scenario),
            breakdown.unit
        ),
        columns,
        rows,
    }
}
