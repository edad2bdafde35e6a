//! Renders a comparison as GitHub-flavoured markdown: the verdict first, changed rows, the rest folded.

use std::fmt::Write as _;

use crate::calls;
use crate::causes;
use crate::cost;
use crate::details;
use crate::explanation;
use crate::functions::{self, FunctionCells};
use crate::markup::{code, turns_direction};
use crate::reasons;
use crate::reproduction;
use crate::wording;
use compare::decision::Verdict;
use compare::{Comparison, ComparisonMode, ComparisonOutcome, MetricResult};

/// Where more is to be seen than markdown shows. The addresses are made by this program, and become links as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportLink {
    /// The page, which a browser opens.
    Page(String),
    /// A place that has the record to download.
    Artifacts(String),
}

/// Returns the comparison as markdown, without a marker or anything else that knows where it goes.
pub fn render(comparison: &Comparison) -> String {
    render_linked(comparison, None)
}

/// Returns the comparison as markdown, with where more of it is to be seen.
pub fn render_linked(comparison: &Comparison, link: Option<&ReportLink>) -> String {
    let headline = wording::headline(comparison);
    let mut text = format!("### {} xmlperf: {}\n", headline.sign, escape_but_code(&headline.text));
    let revisions = escape(&wording::revisions(comparison));
    let line = format!("{revisions} · {}{}", wording::method(comparison), counts(comparison));
    writeln!(text, "<sub>{}{line}</sub>\n", self::link(link)).expect(STRING);
    if let Some(attempts) = wording::attempts(comparison) {
        writeln!(text, "{attempts}.\n").expect(STRING);
    }
    if let Some(identity) = wording::identity(comparison, escape) {
        writeln!(text, "{identity}.\n").expect(STRING);
    }
    if let ComparisonOutcome::NotMeasured(reason) = &comparison.outcome {
        block(&mut text, &reason.to_string());
    }
    let failures = wording::failure_lines(comparison).join("\n");
    if !failures.is_empty() {
        block(&mut text, &failures);
    }
    let measured = !matches!(comparison.outcome, ComparisonOutcome::NotMeasured(_));
    let (open, folded): (Vec<&MetricResult>, Vec<&MetricResult>) =
        comparison.rows.iter().partition(|row| measured && is_news(row));
    let mut open = sorted(open);
    let rest = open.split_off(open.len().min(OPEN_MAX));
    if !open.is_empty() {
        table(&mut text, comparison, &open);
        text.push('\n');
    }
    if !rest.is_empty() {
        let more = units::text::plural(rest.len(), "more row");
        write!(text, "{more} changed or could not be decided, under *All metrics*.\n\n")
            .expect(STRING);
    }
    if let Some(sentence) = explanation::noise(comparison).filter(|_| measured) {
        write!(text, "{}.\n\n", escape_but_code(&sentence)).expect(STRING);
    }
    let sentences = reasons::sentences(comparison).into_iter();
    for sentence in sentences.chain(cost::sentences(comparison)) {
        write!(text, "{}.\n\n", escape_but_code(&sentence)).expect(STRING);
    }
    let base = comparison.base.as_ref().map_or("", |base| base.label.as_str());
    calls::markdown(&mut text, comparison, &escape(base));
    for sentence in comparison.breakdowns.iter().flat_map(causes::proven) {
        write!(text, "{}.\n\n", escape_but_code(&sentence)).expect(STRING);
    }
    if comparison.broken().next().is_some() {
        limits(&mut text, comparison);
        text.push('\n');
    }
    if matches!(comparison.outcome, ComparisonOutcome::Regressed | ComparisonOutcome::Inconclusive)
    {
        reproduce(&mut text, comparison);
    }
    let folded: Vec<&MetricResult> = rest.into_iter().chain(folded).collect();
    fold(&mut text, comparison, &folded);
    text
}

/// The link at the beginning of the second line: where it takes no line of its own, and is seen.
pub(crate) fn link(link: Option<&ReportLink>) -> String {
    match link {
        Some(ReportLink::Page(url)) => format!("**[Open the report]({url})** · "),
        Some(ReportLink::Artifacts(url)) => format!("[Artifacts with the report]({url}) · "),
        None => String::new(),
    }
}

/// Rows that are open at once: with more of them a comment fills the screen.
const OPEN_MAX: usize = 5;

const STRING: &str = "writing to a string does not fail";

/// Adds lines as they are, which cannot end the block that they are in.
fn block(text: &mut String, lines: &str) {
    let safe: String = lines.chars().filter(|c| !turns_direction(*c)).collect();
    write!(text, "```text\n{}\n```\n\n", safe.replace("```", "'''")).expect(STRING);
}

/// Rows that a reader came for: what changed, what could not be decided.
fn is_news(row: &MetricResult) -> bool {
    row.is_lost() || row.verdict().is_some_and(|verdict| verdict != Verdict::Unchanged)
}

fn sorted(mut rows: Vec<&MetricResult>) -> Vec<&MetricResult> {
    rows.sort_by_key(|row| match row.verdict() {
        Some(Verdict::Regressed) => 0,
        Some(Verdict::Improved) => 1,
        Some(Verdict::Inconclusive) | None => 2,
        Some(Verdict::Unchanged) => 3,
    });
    rows
}

fn counts(comparison: &Comparison) -> String {
    if comparison.method.family == 0 {
        return String::new();
    }
    let count = |verdict| comparison.count(verdict);
    format!(
        " · {} slower, {} faster, {} can't tell, {} unchanged",
        count(Verdict::Regressed),
        count(Verdict::Improved),
        count(Verdict::Inconclusive),
        count(Verdict::Unchanged),
    )
}

fn table(text: &mut String, comparison: &Comparison, rows: &[&MetricResult]) {
    let Some(base) = &comparison.base else {
        text.push_str("| Scenario | Metric | Value |\n|:--|:--|--:|\n");
        for row in rows {
            let value = wording::value(row, row.head);
            writeln!(text, "| {} | {} | {value} |", code(&row.scenario), row.label())
                .expect(STRING);
        }
        return;
    };
    let label = escape(&base.label);
    writeln!(text, "|  | Scenario | Metric | {label} | PR | Change | Interval | Verdict |")
        .expect(STRING);
    text.push_str("|:-:|:--|:--|--:|--:|--:|:-:|:--|\n");
    for row in rows {
        let (sign, bold) = match row.verdict() {
            Some(Verdict::Regressed) => ("🔴", "**"),
            Some(Verdict::Improved) => ("🟢", ""),
            Some(Verdict::Unchanged) => ("✅", ""),
            Some(Verdict::Inconclusive) => ("⚪", ""),
            None => ("", ""),
        };
        let change = wording::change(row);
        let bold = if change.is_empty() { "" } else { bold };
        writeln!(
            text,
            "| {sign} | {} | {} | {} | {} | {bold}{change}{bold} | {} | {} |",
            code(&row.scenario),
            row.label(),
            wording::value(row, row.base),
            wording::value(row, row.head),
            wording::interval(row),
            escape(&wording::verdict(row)),
        )
        .expect(STRING);
    }
}

fn limits(text: &mut String, comparison: &Comparison) {
    text.push_str("|  | Scenario | Limit | Promised | Measured |\n|:-:|:--|:--|--:|--:|\n");
    for check in &comparison.limits {
        let sign = if check.holds() { "✅" } else { "🔴" };
        let measured = check.measured_text();
        writeln!(
            text,
            "| {sign} | {} | {} | {} | {} |",
            code(&check.scenario),
            check.label(),
            check.bound().replace('<', "&lt;").replace('>', "&gt;"),
            measured.as_deref().unwrap_or("not measured"),
        )
        .expect(STRING);
    }
}

/// The command that measures the same again.
pub(super) fn reproduce(text: &mut String, comparison: &Comparison) {
    let Some(command) = reproduction::command(comparison) else { return };
    let caveat = reproduction::caveat(comparison).map(|it| format!(", {it}"));
    let caveat = caveat.unwrap_or_default();
    write!(text, "> [!TIP]\n> Reproduce: {}{caveat}\n\n", code(&command)).expect(STRING);
}

/// Which functions the work changed in, folded: most readers want the verdict only.
fn breakdowns(text: &mut String, comparison: &Comparison) {
    const FUNCTIONS_MAX: usize = 10;
    const NAME_CHARS_MAX: usize = 90;
    for breakdown in comparison.changed_breakdowns() {
        let (heading, name) = (functions::heading(breakdown), code(&breakdown.scenario));
        let of =
            if comparison.breakdowns.len() > 1 { format!(" in {name}") } else { String::new() };
        let base = comparison.base.as_ref().map_or("", |base| base.label.as_str());
        write!(
            text,
            "<details><summary>{heading}{of} (callgrind)</summary>\n\n\
             | Function | File | {} | PR | Δ | Δ with calls |\n|:--|:--|--:|--:|--:|--:|\n",
            escape(base)
        )
        .expect(STRING);
        for change in breakdown.functions.iter().take(FUNCTIONS_MAX) {
            let FunctionCells { base, head, own, inclusive, fate } = FunctionCells::of(change);
            let name = code(&functions::shortened(&change.name, NAME_CHARS_MAX));
            let fate = if fate.is_empty() { String::new() } else { format!(" *{fate}*") };
            let file = escape(&change.file);
            writeln!(text, "| {name}{fate} | {file} | {base} | {head} | **{own}** | {inclusive} |")
                .expect(STRING);
        }
        let about = if breakdown.functions.iter().any(|change| change.fate().is_some()) {
            functions::ABOUT_FATES
        } else {
            ""
        };
        write!(text, "\nInstructions per {}. {about}\n\n", breakdown.unit).expect(STRING);
        if let Some(remark) = causes::remark(breakdown) {
            write!(text, "{}\n\n", escape_but_code(&remark)).expect(STRING);
        }
        causes::markdown(text, breakdown);
        text.push_str("</details>\n");
    }
}

fn fold(text: &mut String, comparison: &Comparison, folded: &[&MetricResult]) {
    breakdowns(text, comparison);
    if !folded.is_empty() && comparison.method.launches > 0 {
        text.push_str("<details><summary>All metrics</summary>\n\n");
        table(text, comparison, folded);
        text.push_str("\n</details>\n");
    }
    if !comparison.limits.is_empty() && comparison.broken().next().is_none() {
        text.push_str("<details><summary>Limits: all hold</summary>\n\n");
        limits(text, comparison);
        text.push_str("\n</details>\n");
    }
    let lines: Vec<String> = comparison.details.iter().flat_map(details::lines).collect();
    if !lines.is_empty() && comparison.method.launches > 0 {
        text.push_str("<details><summary>Load, target, failures</summary>\n\n");
        block(text, &lines.join("\n").replace('`', "'"));
        text.push_str("</details>\n");
    }
    let method = &comparison.method;
    text.push_str("<details><summary>Method and machine</summary>\n\n");
    for note in &comparison.notes {
        writeln!(text, "{}.\n", escape_but_code(&note.to_string())).expect(STRING);
    }
    if method.counted.is_some() {
        text.push_str(
            "Work and allocations were counted under callgrind, apart from the launches that were \
             timed; a t on logarithms decides, its scatter shrunk towards 0.1 %.\n\n",
        );
    }
    if let Some(baseline) = wording::baseline(comparison, escape) {
        writeln!(text, "{baseline}.\n").expect(STRING);
        text.push_str(
            "A run is one number a metric, the mean of the better half of its launches. It is held \
             against the runs since the level last changed by a prediction t, its scatter shrunk \
             towards 3 %; what one run makes suspicious is measured again before it counts.\n\n",
        );
    }
    if method.mode == ComparisonMode::Paired && method.launches > 0 {
        let rule = "Evidence from one number per launch pair, which may be looked at after each of them and \
                    adds up over attempts (test martingales); the family is closed by means; limits \
                    that hold at any time, Hodges-Lehmann estimates.";
        writeln!(
            text,
            "Base and head ran side by side in fresh launches; which came first was drawn by coin for \
             every launch pair and every slice. {typical} {rule}\n",
            typical = wording::TYPICAL,
        )
        .expect(STRING);
        if let Some(visible) = wording::visible(comparison) {
            writeln!(text, "{}.\n", escape_but_code(&visible)).expect(STRING);
        }
    }
    if let Some(placement) = wording::placement(comparison, escape) {
        writeln!(text, "{placement}\n").expect(STRING);
    }
    writeln!(text, "{}\n", wording::provenance(comparison, escape)).expect(STRING);
    text.push_str("</details>\n");
}

/// Text that cannot be anything but text in GitHub-flavoured markdown: no mention, no table cell, no
/// tag, no link, no emphasis.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !turns_direction(*c)) {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // A zero-width non-joiner ends a mention or a link before it begins.
            '@' | '#' => {
                safe.push(c);
                safe.push('\u{200c}');
            }
            ':' => safe.push_str("&#58;"),
            '`' => safe.push('\''),
            '|' | '*' | '_' | '~' | '[' | ']' | '!' | '\\' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Makes everything between the code spans of a headline plain text, and escapes the spans.
pub(super) fn escape_but_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(i, part)| if i % 2 == 0 { escape(part) } else { code(part) }).collect()
}
