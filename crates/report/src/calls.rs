//! Renders what a target calls of the services behind it: which statements are new, gone or executed more often.

use std::fmt::Write as _;

use compare::Comparison;
use compare::calls::{ServiceCalls, StatementChange, StatementFate};
use record::CallObstacle;

use crate::markup::code;
use crate::page::view::{self, TableColumn, TableView};
use crate::wording::{call_difference, call_number, quoted};

/// Statements of a table, at most, and of a sentence.
const ROWS_MAX: usize = 15;
const NAMED_MAX: usize = 2;

/// The most of a statement that a sentence, and a cell of the terminal or a comment, has room for.
const NAMED_CHARS_MAX: usize = 80;
const CELL_CHARS_MAX: usize = 160;

const STRING: &str = "writing to a string does not fail";

/// Returns a sentence for each service whose statements changed, and for each whose calls could not be counted. Names
/// are in backticks.
pub(super) fn sentences(comparison: &Comparison) -> Vec<String> {
    let hidden = comparison.calls.iter().filter_map(hidden);
    comparison.calls.iter().filter_map(changed).chain(hidden).collect()
}

fn changed(calls: &ServiceCalls) -> Option<String> {
    let mut changes = calls.changes();
    let named: Vec<String> = changes.by_ref().take(NAMED_MAX).map(named).collect();
    if named.is_empty() {
        return None;
    }
    let more = changes.count();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (scenario, service) = (quoted(&calls.scenario), quoted(&calls.service));
    let total = calls.base.zip(calls.head).map_or_else(String::new, |(base, head)| {
        format!(" {} → {} calls a request,", call_number(base.queries), call_number(head.queries))
    });
    Some(format!("{scenario} to {service}:{total} {}{more}", named.join(", ")))
}

fn named(change: &StatementChange) -> String {
    let statement = quoted(&shortened(&change.statement, NAMED_CHARS_MAX));
    match change.fate {
        StatementFate::New => format!("new {statement} {}", call_number(change.head)),
        StatementFate::Gone => format!("gone {statement} {}", call_number(change.base)),
        StatementFate::MoreOften | StatementFate::LessOften | StatementFate::Same => {
            format!("{statement} {} → {}", call_number(change.base), call_number(change.head))
        }
    }
}

/// Why the calls to a service are not counted, if they are not.
fn hidden(calls: &ServiceCalls) -> Option<String> {
    let why = match calls.obstacle? {
        CallObstacle::Encrypted => "encrypted",
        CallObstacle::Compressed => "compressed",
        CallObstacle::Unreadable => "not readable as what their first bytes promise",
    };
    let (scenario, service) = (quoted(&calls.scenario), quoted(&calls.service));
    Some(format!("{scenario}: calls to {service} are {why}, and not counted"))
}

fn shortened(statement: &str, chars_max: usize) -> String {
    if statement.chars().count() <= chars_max {
        return statement.to_owned();
    }
    statement.chars().take(chars_max - 1).chain(['…']).collect()
}

fn fate(fate: StatementFate) -> &'static str {
    match fate {
        StatementFate::New => "new",
        StatementFate::Gone => "gone",
        StatementFate::MoreOften => "more often",
        StatementFate::LessOften => "less often",
        StatementFate::Same => "",
    }
}

/// Returns `Calls of smoke to db, postgresql, for each request`, names as `name` writes them.
pub(super) fn heading(calls: &ServiceCalls, name: fn(&str) -> String) -> String {
    let (scenario, service) = (name(&calls.scenario), name(&calls.service));
    let protocol = calls.protocol.map_or_else(String::new, |it| format!(", {}", it.key()));
    format!("Calls of {scenario} to {service}{protocol}, for each request")
}

/// Returns the cells of the statements that changed most: the statement, base, head, what became of it.
pub(super) fn rows(calls: &ServiceCalls) -> impl Iterator<Item = [String; 4]> {
    calls.changes().take(ROWS_MAX).map(|change| cells(change, CELL_CHARS_MAX))
}

fn cells(change: &StatementChange, chars_max: usize) -> [String; 4] {
    [
        shortened(&change.statement, chars_max),
        call_number(change.base),
        call_number(change.head),
        fate(change.fate).to_owned(),
    ]
}

/// Returns the services of which statements changed.
pub(super) fn changed_services(comparison: &Comparison) -> impl Iterator<Item = &ServiceCalls> {
    comparison.calls.iter().filter(|calls| calls.changes().next().is_some())
}

/// Adds the statements that changed as a table for each service.
pub(super) fn markdown(text: &mut String, comparison: &Comparison, base: &str) {
    for calls in changed_services(comparison) {
        let heading = heading(calls, code);
        write!(text, "{heading}:\n\n|  | Statement | {base} | PR | Δ |\n|:--|:--|--:|--:|--:|\n")
            .expect(STRING);
        for change in calls.changes().take(ROWS_MAX) {
            let [statement, base, head, fate] = cells(change, CELL_CHARS_MAX);
            let (statement, delta) = (code(&statement), call_difference(change.difference()));
            writeln!(text, "| {fate} | {statement} | {base} | {head} | **{delta}** |")
                .expect(STRING);
        }
        let hidden = calls.changes().count().saturating_sub(ROWS_MAX);
        if hidden > 0 {
            writeln!(text, "\n{hidden} more statements changed.").expect(STRING);
        }
        text.push('\n');
    }
}

/// Returns the statements of each service: those that changed, the others folded.
pub(super) fn parts(comparison: &Comparison) -> String {
    let mut html = String::new();
    for calls in changed_services(comparison) {
        html += &table(calls, calls.changes().take(ROWS_MAX)).to_string();
    }
    for calls in &comparison.calls {
        let is_paired = calls.base.is_some() && calls.head.is_some();
        let same = calls.statements.iter().filter(|it| it.fate == StatementFate::Same);
        let executed: Vec<_> = same.filter(|it| it.head > 0.0).take(ROWS_MAX).collect();
        if executed.is_empty() {
            continue;
        }
        let which = if is_paired { "unchanged" } else { "most often" };
        let summary = format!("{}: {which}", heading(calls, quoted));
        html += &view::folded(&summary, &table(calls, executed.into_iter()).to_string());
    }
    html
}

fn table<'a>(
    calls: &ServiceCalls,
    statements: impl Iterator<Item = &'a StatementChange>,
) -> TableView {
    let row = |change: &StatementChange| {
        let [statement, base, head, fate] = cells(change, usize::MAX);
        if calls.base.is_some() {
            vec![statement, base, head, call_difference(change.difference()), fate]
        } else {
            vec![statement, head]
        }
    };
    let columns = if calls.base.is_some() {
        vec![
            TableColumn::Code("Statement"),
            TableColumn::Numbers("Base"),
            TableColumn::Numbers("Head"),
            TableColumn::Numbers("Δ"),
            TableColumn::Words("Changed"),
        ]
    } else {
        vec![TableColumn::Code("Statement"), TableColumn::Numbers("For each request")]
    };
    TableView { caption: heading(calls, quoted), columns, rows: statements.map(row).collect() }
}
