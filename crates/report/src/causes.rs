//! Renders which lines and hunks a difference of work is in, in every format.
//!
//! What was proven is said as such; a ranking by the costs of lines is shown beside it, and called one.

use std::fmt::Write as _;
use std::io;
use std::io::Write;

use compare::proof::RevertFinding;
use compare::{CauseSummary, InstructionBreakdown, RankedHunk};
use record::causes::{
    CauseObstacle, HunkEvidence, HunkPlace, LineGrowth, ProofObstacle, WorkCauses,
};
use unicode_width::UnicodeWidthStr as _;
use units::text::plural;

use crate::functions;
use crate::markup::code;

/// Lines of a table, at most.
const LINES_MAX: usize = 12;

/// Hunks without an order that a sentence names, at most.
const UNRANKED_MAX: usize = 5;

/// The most of a function's name that a cell has room for.
const NAME_CHARS_MAX: usize = 60;

/// `src/xml.rs:118–131`, the lines of head; of a deletion, the line before it.
pub fn place(hunk: &HunkPlace) -> String {
    let HunkPlace { path, head, .. } = hunk;
    match head.count {
        0 => format!("{path}:{} (deletion)", head.start.max(1)),
        1 => format!("{path}:{}", head.start),
        _ => format!("{path}:{}–{}", head.start, head.end()),
    }
}

/// The place in backticks.
fn quoted(hunk: &HunkPlace) -> String {
    format!("`{}`", place(hunk).replace('`', "'"))
}

/// What a revert proved: "6.6 of +6.8 % of the work goes when this is reverted (measured, 5 launches)". The
/// names of places are in backticks.
pub fn proof(finding: &RevertFinding) -> String {
    let growth = units::change(finding.growth.ln_1p());
    let removed = units::change(finding.removed.ln_1p());
    let removed = removed.trim_start_matches('+').trim_end_matches(" %");
    let launches = plural(finding.launches, "launch");
    let mut text = format!(
        "{removed} of {growth} of the work goes when this is reverted (measured, {launches})"
    );
    if let [_, joined @ ..] = finding.hunks.as_slice()
        && !joined.is_empty()
    {
        let names: Vec<String> = joined.iter().map(quoted).collect();
        let names = names.join(", ");
        write!(text, ", together with {names}, without which it does not build").expect(STRING);
    }
    text
}

const STRING: &str = "writing to a string does not fail";

/// Returns the hunks that a change is in: those that are proven, else the one that is ranked first.
pub fn hunks(summary: &CauseSummary) -> Vec<String> {
    let proven: Vec<String> =
        proven_hunks(summary).iter().map(|line| line.replace('`', "")).collect();
    match (proven.is_empty(), summary.ranked.first()) {
        (true, Some(RankedHunk { hunk, share })) => {
            let by = evidence(hunk.evidence);
            let place = place(&hunk.hunk);
            vec![format!(
                "{place}: ranked first, {} % of the growth by {by}, not proven",
                percent(*share)
            )]
        }
        (true, None) | (false, _) => proven,
    }
}

/// Returns where a change is whose hunks could not be ranked; nothing of a change without any.
pub fn unranked(hunks: &[HunkPlace]) -> Option<String> {
    match hunks {
        [] => None,
        [only] => Some(format!("in its one hunk, {}", place(only))),
        [..] => {
            let named: Vec<String> = hunks.iter().take(UNRANKED_MAX).map(place).collect();
            let more = hunks.len().saturating_sub(UNRANKED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(format!("in one of its {} hunks, {}{more}", hunks.len(), named.join(", ")))
        }
    }
}

/// Each hunk that was proven, with what that says; the names of places are in backticks.
pub(super) fn proven(breakdown: &InstructionBreakdown) -> Vec<String> {
    breakdown.causes.as_ref().map(proven_hunks).unwrap_or_default()
}

fn proven_hunks(summary: &CauseSummary) -> Vec<String> {
    let line = |finding: &RevertFinding| {
        let first = finding.hunks.first().map(quoted).unwrap_or_default();
        format!("{first}: {}", proof(finding))
    };
    summary.proven.iter().map(line).collect()
}

/// What a reader has to know about what is not proven; nothing if it is.
pub(super) fn remark(breakdown: &InstructionBreakdown) -> Option<String> {
    let summary = breakdown.causes.as_ref()?;
    if !summary.proven.is_empty() {
        return None;
    }
    let WorkCauses { obstacle, unproven, reverts, hunks, .. } = &summary.causes;
    if let Some(obstacle) = obstacle {
        return Some(without_lines(*obstacle).to_owned());
    }
    if breakdown.base.is_none_or(|base| breakdown.head <= base) {
        return None;
    }
    let tried = plural(reverts.len(), "hunk");
    Some(match unproven {
        Some(obstacle) => {
            format!("Hunks are ranked by the costs of their lines, not proven: {}.", why(*obstacle))
        }
        None if hunks.is_empty() => {
            "The change has no hunk of code but comments and shape.".to_owned()
        }
        None => format!("Not explained by one hunk: {tried} reverted alone, and halves of all."),
    })
}

fn without_lines(obstacle: CauseObstacle) -> &'static str {
    match obstacle {
        CauseObstacle::NoLineTables => {
            "Known by functions only: the programs have no line tables (cargo builds get them; for C and \
             C++ add `-g1`, and do not strip)."
        }
        CauseObstacle::NoDiff => {
            "Known by functions only: base and head are not known to be of two commits, so there is no diff."
        }
        CauseObstacle::NoCounts => "Known by functions only: the counts by line are gone.",
    }
}

fn why(obstacle: ProofObstacle) -> &'static str {
    match obstacle {
        ProofObstacle::SwitchedOff => "`[work] prove = false`",
        ProofObstacle::NoTree => "base was not built from a commit",
        ProofObstacle::NotBuilt => "head could not be built in another folder",
        ProofObstacle::TimeOver => "the time for reverting was over",
        ProofObstacle::Interrupted => "reverting was interrupted",
    }
}

/// The hunks that a table shows.
fn ranked(breakdown: &InstructionBreakdown) -> &[RankedHunk] {
    breakdown.causes.as_ref().map_or(&[], |summary| &summary.ranked)
}

fn lines(breakdown: &InstructionBreakdown) -> &[LineGrowth] {
    let lines = breakdown.causes.as_ref().map_or(&[][..], |summary| &summary.causes.lines);
    &lines[..lines.len().min(LINES_MAX)]
}

fn evidence(evidence: HunkEvidence) -> &'static str {
    match evidence {
        HunkEvidence::Line => "its lines",
        HunkEvidence::Function => "lines around it",
        HunkEvidence::Name => "lines that name it",
        HunkEvidence::Caller => "what it calls",
        HunkEvidence::None => "",
    }
}

/// A line's numbers as text.
struct LineCells {
    place: String,
    touched: &'static str,
    function: String,
    base: String,
    head: String,
    growth: String,
}

impl LineCells {
    fn of(line: &LineGrowth) -> Self {
        Self {
            place: format!("{}:{}", line.file, line.line),
            touched: if line.touched { "changed" } else { "" },
            function: functions::shortened(&line.function, NAME_CHARS_MAX),
            base: units::count(line.base),
            head: units::count(line.head),
            growth: functions::signed(line.head - line.base),
        }
    }
}

/// What is said above the tables: what is proven, or what a reader has to know where nothing is.
pub(super) fn sentences(breakdown: &InstructionBreakdown) -> Vec<String> {
    proven(breakdown).into_iter().chain(remark(breakdown)).collect()
}

/// Writes the tables for a terminal.
pub(super) fn text(
    out: &mut impl Write,
    breakdown: &InstructionBreakdown,
    width: usize,
) -> io::Result<()> {
    let hunks = ranked(breakdown);
    if !hunks.is_empty() {
        writeln!(out, "\n{:>9} {:>9}  hunk, ranked by", "change", "share")?;
    }
    for RankedHunk { hunk, share } in hunks {
        let growth = functions::signed(hunk.growth);
        let (place, by) = (place(&hunk.hunk), evidence(hunk.evidence));
        let share = format!("{} %", percent(*share));
        writeln!(out, "{growth:>9} {share:>9}  {}", within(&[&place, by], width, 21))?;
    }
    if !lines(breakdown).is_empty() {
        writeln!(out, "\n{:>9} {:>9} {:>9}  line", "base", "head", "change")?;
    }
    for line in lines(breakdown) {
        let LineCells { place, touched, function, base, head, growth } = LineCells::of(line);
        let place = within(&[&place, touched, &function], width, 31);
        writeln!(out, "{base:>9} {head:>9} {growth:>9}  {place}")?;
    }
    Ok(())
}

/// As many of the parts as a line has room for after `before` columns; the first one in any case.
fn within(parts: &[&str], width: usize, before: usize) -> String {
    let mut line = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let has_room = before + line.width() + 2 + part.width() <= width;
        if line.is_empty() {
            (*part).clone_into(&mut line);
        } else if has_room {
            line = format!("{line}  {part}");
        }
    }
    line
}

fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

/// Adds the tables of a comment, which are folded with the functions.
pub(super) fn markdown(text: &mut String, breakdown: &InstructionBreakdown) {
    let hunks = ranked(breakdown);
    if !hunks.is_empty() {
        text.push_str(
            "| Hunk, ranked by costs of lines | Δ | of the growth | by |\n|:--|--:|--:|:--|\n",
        );
    }
    for RankedHunk { hunk, share } in hunks {
        let growth = functions::signed(hunk.growth);
        let (place, by) = (code(&place(&hunk.hunk)), evidence(hunk.evidence));
        writeln!(text, "| {place} | **{growth}** | {} % | {by} |", percent(*share)).expect(STRING);
    }
    if !hunks.is_empty() {
        text.push('\n');
    }
    if lines(breakdown).is_empty() {
        return;
    }
    text.push_str("| Line |  | Function | base | PR | Δ |\n|:--|:--|:--|--:|--:|--:|\n");
    for line in lines(breakdown) {
        let LineCells { place, touched, function, base, head, growth } = LineCells::of(line);
        let (place, function) = (code(&place), code(&function));
        writeln!(text, "| {place} | {touched} | {function} | {base} | {head} | **{growth}** |")
            .expect(STRING);
    }
    text.push('\n');
}

/// Returns the rows of the table of hunks on the page: place, growth, share, evidence.
pub(super) fn hunk_rows(breakdown: &InstructionBreakdown) -> Vec<Vec<String>> {
    let row = |RankedHunk { hunk, share }: &RankedHunk| {
        let growth = functions::signed(hunk.growth);
        let by = evidence(hunk.evidence).to_owned();
        vec![place(&hunk.hunk), growth, format!("{} %", percent(*share)), by]
    };
    ranked(breakdown).iter().map(row).collect()
}

/// Returns the rows of the table of lines on the page: line, function, base, head, growth, whether it was changed.
pub(super) fn line_rows(breakdown: &InstructionBreakdown) -> Vec<Vec<String>> {
    let row = |line: &LineGrowth| {
        let LineCells { place, touched, function, base, head, growth } = LineCells::of(line);
        vec![place, function, base, head, growth, touched.to_owned()]
    };
    lines(breakdown).iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use record::causes::LineSpan;

    use super::*;

    #[test]
    fn hunks_without_an_order_are_named_up_to_five() {
        let hunk = |line: u32| {
            let head = LineSpan { start: line, count: line % 3 };
            HunkPlace { path: "a.rs".to_owned(), base: LineSpan { start: 1, count: 1 }, head }
        };
        let named = |count: u32| unranked(&(1..=count).map(hunk).collect::<Vec<_>>());
        assert_eq!(named(0), None);
        let lines = [1, 2, 5, 7].map(|count| named(count).unwrap());
        insta::assert_snapshot!(lines.join("\n"), @r"
        in its one hunk, a.rs:1
        in one of its 2 hunks, a.rs:1, a.rs:2–3
        in one of its 5 hunks, a.rs:1, a.rs:2–3, a.rs:3 (deletion), a.rs:4, a.rs:5–6
        in one of its 7 hunks, a.rs:1, a.rs:2–3, a.rs:3 (deletion), a.rs:4, a.rs:5–6 and 2 more
        ");
    }
}
