//! Renders a comparison as one page that needs nothing beside itself: no network, no script of its
//! own, light or dark as the reader's system is.
//!
//! The flame graphs bring a script to zoom with. Each is a document of its own inside the page, so
//! that none can reach the others or the page.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::flame::{self, FlameCaption};
use crate::functions::{self, FunctionCells};
use crate::markup::escaped;
use crate::{anatomy, details, wording};
use compare::decision::Verdict;
use compare::{ChangeEstimate, Comparison, ComparisonOutcome, InstructionBreakdown, MetricResult};
use record::instruction_counts;

/// Returns the page.
pub fn render(comparison: &Comparison) -> String {
    let headline = wording::headline(comparison);
    let title = escaped(&headline.text.replace('`', ""));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>xmlperf: {title}</title>\n<style>{STYLE}</style>\n\
         <main>\n<header class=\"{}\">\n<h1><span aria-hidden=\"true\">{}</span> {title}</h1>\n",
        tone(&comparison.outcome),
        headline.sign,
    );
    let revisions = wording::revisions(comparison);
    let method = wording::method(comparison);
    add(&mut page, &format!("<p>{} · {}</p>\n</header>\n", escaped(&revisions), escaped(&method)));
    if let Some(attempts) = wording::attempts(comparison) {
        let plain = attempts.replace('*', "");
        add(&mut page, &format!("<p class=\"note\">{}</p>\n", escaped(&plain)));
    }
    if let Some(identity) = wording::identity(comparison, escaped) {
        add(&mut page, &format!("<p class=\"note\">{identity}.</p>\n"));
    }
    if let ComparisonOutcome::NotMeasured(reason) = &comparison.outcome {
        add(&mut page, &format!("<pre>{}</pre>\n", escaped(&reason.to_string())));
    }
    let failures = wording::failure_lines(comparison).join("\n");
    if !failures.is_empty() {
        add(&mut page, &format!("<pre>{}</pre>\n", escaped(&failures)));
    }
    for note in &comparison.notes {
        add(&mut page, &format!("<p class=\"note\">{}</p>\n", escaped(&note.to_string())));
    }
    metrics(&mut page, comparison);
    promises(&mut page, comparison);
    add(&mut page, &anatomy::section(comparison));
    for breakdown in &comparison.breakdowns {
        functions_of(&mut page, comparison, breakdown);
    }
    closing(&mut page, comparison);
    page
}

const STYLE: &str = include_str!("report.css");

/// Width and height of an interval's picture.
const PLOT: (f64, f64) = (120.0, 22.0);

fn add(page: &mut String, text: &str) {
    page.push_str(text);
}

fn tone(outcome: &ComparisonOutcome) -> &'static str {
    match outcome {
        ComparisonOutcome::NotMeasured(_) | ComparisonOutcome::Regressed => "bad",
        ComparisonOutcome::Inconclusive => "open",
        ComparisonOutcome::Improved | ComparisonOutcome::Pass => "good",
    }
}

fn tone_of(row: &MetricResult) -> &'static str {
    match row.verdict() {
        Some(Verdict::Regressed) => "bad",
        Some(Verdict::Improved | Verdict::Unchanged) => "good",
        Some(Verdict::Inconclusive) => "open",
        None if row.is_lost() => "open",
        None => "quiet",
    }
}

fn metrics(page: &mut String, comparison: &Comparison) {
    if comparison.rows.is_empty() {
        return;
    }
    let paired = comparison.base.is_some();
    add(page, "<section>\n<h2>Metrics</h2>\n<div class=\"wide\"><table>\n<thead><tr>");
    add(page, "<th>Scenario<th>Metric");
    add(
        page,
        if paired { "<th class=\"n\">Base<th class=\"n\">Head" } else { "<th class=\"n\">Value" },
    );
    if paired {
        add(page, "<th class=\"n\">Change<th class=\"n\">Interval, %");
        add(
            page,
            "<th><span title=\"the band is the tolerance\">Faster · slower</span><th>Verdict",
        );
    }
    add(page, "</thead>\n<tbody>\n");
    for row in &comparison.rows {
        let (scenario, label) = (escaped(&row.scenario), row.label());
        write!(page, "<tr class=\"{}\"><td>{scenario}<td>{label}", tone_of(row)).expect(STRING);
        if paired {
            write!(page, "<td class=\"n\">{}", wording::value(row, row.base)).expect(STRING);
        }
        write!(page, "<td class=\"n\">{}", wording::value(row, row.head)).expect(STRING);
        if paired {
            let (change, interval) = (wording::change(row), wording::interval(row));
            let (plot, verdict) = (plot(row), escaped(&wording::verdict(row)));
            write!(
                page,
                "<td class=\"n\">{change}<td class=\"n\">{interval}<td>{plot}\
                 <td><span class=\"verdict\">{verdict}</span>"
            )
            .expect(STRING);
        }
        add(page, "\n");
    }
    add(page, "</tbody></table></div>\n</section>\n");
}

const STRING: &str = "writing to a string does not fail";

/// The interval against the tolerance, which is two fifths of the way to the edge.
fn plot(row: &MetricResult) -> String {
    let Some(ChangeEstimate { estimate_ln, low_ln, high_ln }) = row.change() else {
        return String::new();
    };
    let (width, height) = PLOT;
    let tolerance = row.rule.tolerance.0.ln_1p();
    let x = |ln: f64| (ln / tolerance * 0.2 + 0.5).clamp(0.0, 1.0) * width;
    let (band, middle) = (x(-tolerance), height / 2.0);
    format!(
        "<svg class=\"plot\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"{label}\"><rect class=\"band\" x=\"{band:.1}\" y=\"0\" width=\"{inside:.1}\" \
         height=\"{height}\"/><line class=\"zero\" x1=\"{zero}\" x2=\"{zero}\" y1=\"0\" \
         y2=\"{height}\"/><line class=\"reach\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle}\" \
         y2=\"{middle}\"/><circle cx=\"{at:.1}\" cy=\"{middle}\" r=\"3.5\"/></svg>",
        label = escaped(&wording::interval(row)),
        inside = x(tolerance) - band,
        zero = width / 2.0,
        low = x(low_ln),
        high = x(high_ln),
        at = x(estimate_ln),
    )
}

fn promises(page: &mut String, comparison: &Comparison) {
    if comparison.promises.is_empty() {
        return;
    }
    add(page, "<section>\n<h2>Limits</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>Scenario");
    add(
        page,
        "<th>Limit<th class=\"n\">Promised<th class=\"n\">Measured<th>Holds</thead>\n<tbody>\n",
    );
    for promise in &comparison.promises {
        let measured = promise.measured_text();
        let (tone, holds) = if promise.holds() { ("good", "yes") } else { ("bad", "no") };
        writeln!(
            page,
            "<tr class=\"{tone}\"><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}\
             <td><span class=\"verdict\">{holds}</span>",
            escaped(&promise.scenario),
            promise.label(),
            escaped(&promise.promised()),
            measured.as_deref().unwrap_or("not measured"),
        )
        .expect(STRING);
    }
    add(page, "</tbody></table></div>\n</section>\n");
}

/// Where the instructions of a scenario are, as a table and as a flame graph.
fn functions_of(page: &mut String, comparison: &Comparison, breakdown: &InstructionBreakdown) {
    let scenario = escaped(&breakdown.scenario);
    let total = match breakdown.base {
        Some(base) => format!("{} → {}", units::count(base), units::count(breakdown.head)),
        None => units::count(breakdown.head),
    };
    let changed = comparison.changed_breakdowns().any(|it| it == breakdown);
    let heading = if changed || breakdown.base.is_none() {
        functions::heading(breakdown)
    } else {
        "Where the work is".to_owned()
    };
    writeln!(
        page,
        "<section>\n<h2>{heading} in {scenario}</h2>\n<p>{total} instructions per {}, counted \
         under callgrind.</p>",
        breakdown.unit
    )
    .expect(STRING);
    if breakdown.functions.is_empty() {
        add(page, "<p>No function changed by more than counts do by themselves.</p>\n");
    } else {
        table_of(page, breakdown);
    }
    if breakdown.functions.iter().any(|it| it.fate().is_some()) && breakdown.base.is_some() {
        writeln!(page, "<p class=\"small\">{}</p>", functions::ABOUT_FATES).expect(STRING);
    }
    if let Some(svg) = flame_graph(breakdown) {
        writeln!(
            page,
            "<iframe title=\"Flame graph of {scenario}\" loading=\"lazy\" \
             src=\"data:image/svg+xml;base64,{}\"></iframe>",
            STANDARD.encode(svg)
        )
        .expect(STRING);
    }
    add(page, "</section>\n");
}

fn table_of(page: &mut String, breakdown: &InstructionBreakdown) {
    const FUNCTIONS_MAX: usize = 15;
    let paired = breakdown.base.is_some();
    add(page, "<div class=\"wide\"><table>\n<thead><tr><th>Function");
    add(
        page,
        if paired {
            "<th class=\"n\">Base<th class=\"n\">Head<th class=\"n\">Δ<th class=\"n\">Δ with calls"
        } else {
            "<th class=\"n\">Itself<th class=\"n\">With calls"
        },
    );
    add(page, "</thead>\n<tbody>\n");
    for change in breakdown.functions.iter().take(FUNCTIONS_MAX) {
        let FunctionCells { base, head, own, inclusive, fate } = FunctionCells::of(change);
        let (name, file) = (escaped(&change.name), escaped(&change.file));
        let tone = if own.starts_with('−') { "good" } else { "bad" };
        let fate = if paired { fate } else { "" };
        write!(
            page,
            "<tr class=\"{}\"><td><code>{name}</code> <b>{fate}</b><small>{file}</small>",
            if paired { tone } else { "quiet" }
        )
        .expect(STRING);
        if paired {
            write!(page, "<td class=\"n\">{base}<td class=\"n\">{head}").expect(STRING);
            writeln!(page, "<td class=\"n verdict\">{own}<td class=\"n\">{inclusive}")
                .expect(STRING);
        } else {
            let inclusive = change.head.unwrap_or_default().inclusive;
            writeln!(page, "<td class=\"n\">{head}<td class=\"n\">{}", units::count(inclusive))
                .expect(STRING);
        }
    }
    add(page, "</tbody></table></div>\n");
}

/// The picture, if the record holds stacks that this version understands.
fn flame_graph(breakdown: &InstructionBreakdown) -> Option<String> {
    let head = instruction_counts::unpack(&breakdown.head_stacks).ok()?;
    let base =
        breakdown.base_stacks.as_ref().and_then(|stacks| instruction_counts::unpack(stacks).ok());
    let count = format!("instructions per 1000 {}s", breakdown.unit);
    let caption = FlameCaption { title: &breakdown.scenario, count: &count };
    flame::svg(base.as_ref(), &head, caption)
}

fn closing(page: &mut String, comparison: &Comparison) {
    let lines = comparison.details.iter().flat_map(details::lines).collect::<Vec<_>>();
    if !lines.is_empty() {
        let text = escaped(&lines.join("\n"));
        add(page, &format!("<section>\n<h2>Details</h2>\n<pre>{text}</pre>\n</section>\n"));
    }
    let provenance = wording::provenance(comparison, escaped);
    let baseline = wording::baseline(comparison, escaped);
    let baseline = baseline.map_or_else(String::new, |baseline| format!("{baseline}<br>"));
    let placement = wording::placement(comparison, escaped);
    let placement = placement.map_or_else(String::new, |placement| format!("{placement}<br>"));
    add(page, &format!("<footer>{baseline}{placement}{provenance}</footer>\n</main>\n</html>\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, SampleLaunch, counted, paired};

    fn page() -> String {
        let mut run = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
        run.scenarios[0].name = "<script>alert(1)</script>".to_owned();
        run.scenarios[0].work = Some(counted(64_800.0, 66_420.0));
        render(&Comparison::of(&run).unwrap())
    }

    #[test]
    fn the_page_shows_verdicts_functions_and_a_flame_graph() {
        let page = page();
        for expected in [
            "<h1><span aria-hidden=\"true\">🔴</span> 2 regressions",
            "<code>api::parse</code>",
            "<td class=\"n verdict\">+1620",
            "src=\"data:image/svg+xml;base64,",
            "regressed (tolerance 3 %)",
        ] {
            assert!(page.contains(expected), "{expected} is not in {page}");
        }
    }

    #[test]
    fn the_page_loads_nothing_and_names_cannot_become_markup() {
        let page = page();
        assert!(!page.contains("<script"), "{page}");
        for place in ["src=\"http", "href=", "url(", "@import"] {
            assert!(!page.contains(place), "{place}");
        }
    }
}
