//! What was set against what, and where: what differs stands open, the rest is folded.

use compare::{Comparison, ComparisonMode};
use record::{Machine, Revision};

use super::view::{self, TableColumn, TableView};
use crate::wording;

/// One thing on both sides.
struct EnvironmentLine {
    name: &'static str,
    base: String,
    head: String,
}

/// Returns the table of what differs between base and head, and folded what does not.
pub(crate) fn tables(comparison: &Comparison) -> String {
    let lines = lines(comparison);
    let paired = comparison.base.is_some();
    let (differ, alike): (Vec<_>, Vec<_>) = lines.into_iter().partition(|it| it.base != it.head);
    if !paired {
        return table("What was measured, and where", differ.into_iter().chain(alike), false)
            .to_string();
    }
    let mut html = String::new();
    if differ.is_empty() {
        html += &view::paragraph("", "base and head differ in nothing that the record names");
    } else {
        html += &table("What differs between base and head", differ, true).to_string();
    }
    if !alike.is_empty() {
        let summary = format!("{} alike on both sides", units::text::plural(alike.len(), "thing"));
        html += &view::folded(&summary, &table("What is alike", alike, false).to_string());
    }
    html
}

fn table(caption: &str, lines: impl IntoIterator<Item = EnvironmentLine>, both: bool) -> TableView {
    let line = |it: EnvironmentLine| {
        let name = it.name.to_owned();
        if both { vec![name, it.base, it.head] } else { vec![name, it.head] }
    };
    let columns = if both {
        vec![TableColumn::Words("What"), TableColumn::Code("Base"), TableColumn::Code("Head")]
    } else {
        vec![TableColumn::Words("What"), TableColumn::Code("Value")]
    };
    TableView { caption: caption.to_owned(), columns, rows: lines.into_iter().map(line).collect() }
}

fn lines(comparison: &Comparison) -> Vec<EnvironmentLine> {
    let (base, head) = (comparison.base.as_ref(), &comparison.head);
    let of_revision = |name, of: fn(&Revision) -> String| EnvironmentLine {
        name,
        base: base.map_or_else(|| "–".to_owned(), of),
        head: of(head),
    };
    let mut lines = vec![
        of_revision("revision", |it| it.label.clone()),
        of_revision("commit", |it| it.commit.clone().unwrap_or_else(|| "unknown".to_owned())),
        of_revision("changes without a commit", |it| {
            if it.dirty { "yes" } else { "no" }.to_owned()
        }),
        of_revision("start", |it| it.start.clone()),
    ];
    let there = match (comparison.method.mode, &comparison.baseline) {
        (ComparisonMode::Stored, Some(baseline)) => &baseline.machine,
        _ => &comparison.machine,
    };
    let of_machine = |name, of: fn(&Machine) -> String| EnvironmentLine {
        name,
        base: of(there),
        head: of(&comparison.machine),
    };
    lines.extend([
        of_machine("processor", |it| it.cpu.clone()),
        of_machine("cores", |it| it.cores.to_string()),
        of_machine("memory", |it| units::bytes(units::exact(it.memory_bytes))),
        of_machine("kernel", |it| it.kernel.clone()),
        of_machine("system", |it| it.image.clone()),
        of_machine("architecture", |it| it.arch.clone()),
    ]);
    lines
}

/// Returns where the code of both sides lay and which stored run stood for the base, a sentence each.
pub(crate) fn sentences(comparison: &Comparison) -> Vec<String> {
    let said =
        [wording::baseline(comparison, plain_name), wording::placement(comparison, plain_name)];
    said.into_iter().flatten().collect()
}

/// A name without the mark of code, which is escaped where it is written.
fn plain_name(name: &str) -> String {
    name.replace('`', "'")
}
