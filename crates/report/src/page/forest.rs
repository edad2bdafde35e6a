//! *Is it slower?* All rows of all scenarios on one axis.
//!
//! A row of the table is a row of the plot, so that a filter or a narrow screen moves both at once, and a page
//! without its style sheet is still a table. Worse is to the right, also where more is better.

use std::fmt::Write as _;

use compare::decision::Verdict;
use compare::{Comparison, ComparisonMode, LimitCheck, MetricResult};
use record::metric::BetterDirection;
use record::metric::gate::MetricPolicy;
use units::text::plural;

use super::focus;
use super::forest_axis::{self, AxisRow, ForestAxis};
use super::rule;
use super::view::{self, TableColumn, TableView, prose};
use crate::markup::escaped;
use crate::wording;

/// Rows from which on those without news are folded at first.
const FOLDED_FROM: usize = 20;
/// Limits that stand open though all of them hold.
const LIMITS_OPEN_MAX: usize = 6;
/// Scenarios that a reader can choose one of, at most.
const CHIPS_MAX: usize = 24;
/// Scenarios up to which that choice stands open.
const CHIPS_OPEN_MAX: usize = 4;

const STRING: &str = "writing to a string does not fail";

/// Returns the table of all metrics, with the plot in it and filters above it; nothing without rows.
pub(crate) fn section(comparison: &Comparison) -> String {
    if comparison.rows.is_empty() {
        return String::new();
    }
    if comparison.method.mode == ComparisonMode::Alone {
        return values(comparison).to_string();
    }
    let scenarios = focus::scenarios(comparison);
    let mut html = filters(comparison, &scenarios);
    let axis = axis(comparison);
    write!(
        html,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"All metrics\">\
         <table class=\"forest\"><caption>{}</caption>\n<thead><tr><th scope=\"col\">Metric</th>\
         <th scope=\"col\" class=\"n\">Base → head</th><th scope=\"col\" class=\"n\">Change, %</th>\
         <th scope=\"col\" class=\"plot\"><span class=\"sr\">Interval on one axis</span>{}</th>\
         <th scope=\"col\">Verdict</th></tr></thead>\n",
        prose(wording::TYPICAL),
        axis.head(),
    )
    .expect(STRING);
    for (number, scenario) in scenarios.iter().enumerate() {
        group(&mut html, comparison, &axis, (number, scenario));
    }
    html += "</table></div>\n";
    html += &forest_axis::key();
    html
}

/// Returns what makes a row slower or unchanged, in a sentence, for a reader who meets floor and tolerance first;
/// nothing where no row decides.
pub(crate) fn rule_in_words(comparison: &Comparison) -> Option<&'static str> {
    (comparison.method.family > 0 && comparison.base.is_some()).then_some(
        "slower: the evidence puts the change beyond the row's floor, the smallest that counts. Unchanged: the whole interval \
         lies within the row's tolerance, the largest that is none. Can't tell: neither is shown yet",
    )
}

/// The axis that all rows of a comparison fit on.
pub(crate) fn axis(comparison: &Comparison) -> ForestAxis {
    let rows: Vec<AxisRow> = comparison.rows.iter().map(|row| on_axis(comparison, row)).collect();
    ForestAxis::of(&rows)
}

/// What of a row is drawn.
pub(crate) fn on_axis(comparison: &Comparison, row: &MetricResult) -> AxisRow {
    let pairs = comparison.evidence.row(row);
    let differences = pairs.iter().flat_map(|it| it.differences_ln.iter().flatten());
    AxisRow {
        tolerance_ln: row.rule.tolerance.ln(),
        floor_ln: row.rule.floor.ln(),
        is_deciding: row.rule.policy == MetricPolicy::Gate,
        verdict: row.verdict(),
        judgement: row.judgement().copied(),
        differences_ln: differences.copied().collect(),
    }
}

/// Filters that the style sheet alone applies.
fn filters(comparison: &Comparison, scenarios: &[&str]) -> String {
    let rows = &comparison.rows;
    let reported = rows.iter().filter(|row| focus::gravity(row) > 4).count();
    let calm = rows.iter().filter(|row| focus::gravity(row) == 4).count();
    let news = rows.iter().any(focus::is_news);
    let mut html = String::new();
    if reported > 0 && reported < rows.len() {
        writeln!(
            html,
            "<label><input type=\"checkbox\" id=\"f-all\"> with {} that {} not decide</label>",
            plural(reported, "metric"),
            if reported == 1 { "does" } else { "do" }
        )
        .expect(STRING);
    }
    if news && calm > 0 {
        let checked = if rows.len() - reported > FOLDED_FROM { " checked" } else { "" };
        writeln!(html, "<label><input type=\"checkbox\" id=\"f-news\"{checked}> without {calm} unchanged</label>").expect(STRING);
    }
    if (2..=CHIPS_MAX).contains(&scenarios.len()) {
        let is_folded = scenarios.len() > CHIPS_OPEN_MAX;
        html += if is_folded { "<details><summary>One scenario</summary><div>" } else { "" };
        html += "<label><input type=\"radio\" name=\"scenario\" id=\"f-s\" checked> all scenarios</label>\n";
        for (number, scenario) in scenarios.iter().enumerate() {
            writeln!(
                html,
                "<label><input type=\"radio\" name=\"scenario\" id=\"f-s{number}\"> {}</label>",
                escaped(scenario)
            )
            .expect(STRING);
        }
        html += if is_folded { "</div></details>\n" } else { "" };
    }
    if html.is_empty() {
        return html;
    }
    format!("<fieldset class=\"filters\"><legend>Show</legend>\n{html}</fieldset>\n")
}

/// Returns the rules by which the style sheet shows one scenario, for as many as there can be to choose from.
pub(crate) fn filter_styles() -> String {
    let rule = |n| format!("main:has(#f-s{n}:checked) .forest tbody:not(.s{n}){{display:none}}\n");
    (0..CHIPS_MAX).map(rule).collect()
}

/// The rows of one scenario, the gravest first.
fn group(html: &mut String, comparison: &Comparison, axis: &ForestAxis, scenario: (usize, &str)) {
    let (number, name) = scenario;
    let mut rows: Vec<&MetricResult> =
        comparison.rows.iter().filter(|row| row.scenario == name).collect();
    rows.sort_by_key(|row| focus::gravity(row));
    writeln!(
        html,
        "<tbody class=\"s{number}\"><tr><th colspan=\"5\" scope=\"rowgroup\">{} <small>{}</small></th></tr>",
        escaped(name),
        counted(&rows)
    )
    .expect(STRING);
    for row in rows {
        line(html, comparison, axis, row);
    }
    html.push_str("</tbody>\n");
}

/// How many rows of a group are what.
fn counted(rows: &[&MetricResult]) -> String {
    let count = |verdict| rows.iter().filter(|row| row.verdict() == Some(verdict)).count();
    let counts = [
        (count(Verdict::Regressed), "slower"),
        (count(Verdict::Inconclusive), "can't tell"),
        (count(Verdict::Improved), "faster"),
        (count(Verdict::Unchanged), "unchanged"),
    ];
    let words = counts.into_iter().filter(|(count, _)| *count > 0);
    words.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

fn line(html: &mut String, comparison: &Comparison, axis: &ForestAxis, row: &MetricResult) {
    let class = match focus::gravity(row) {
        0 => "bad",
        1 | 2 => "open",
        3 => "good",
        4 => "calm",
        _ => "quiet",
    };
    let more = match row.metric.better() {
        BetterDirection::Higher => " <small>more is better</small>",
        BetterDirection::Lower => "",
    };
    let value = |value| view::quantity(value, &wording::value(row, value));
    let values = match row.base {
        Some(_) => format!("{} → {}", value(row.base), value(row.head)),
        None => value(row.head),
    };
    // Of calls the words say a number, not the share that programs read.
    let change = row.change().filter(|_| !row.metric.is_of_calls());
    let change = change.map(|change| change.estimate_ln.exp_m1());
    let distance = rule::distance(comparison, row);
    let explained: Vec<String> =
        distance.into_iter().chain(rule::rule(row)).chain(rule::remark(row)).collect();
    writeln!(
        html,
        "<tr class=\"{class}\"><th scope=\"row\">{}{more}</th><td class=\"n\">{}</td>\
         <td class=\"n\">{} <small>{}</small></td><td class=\"plot\">{}</td>\
         <td><b>{}</b> <small>{}</small></td></tr>",
        escaped(&row.label()),
        values,
        view::quantity(change, &wording::change(row)),
        escaped(&wording::interval(row)),
        axis.row(&on_axis(comparison, row)),
        prose(&wording::verdict(row)),
        prose(&explained.join(" · ")),
    )
    .expect(STRING);
}

/// The values of a build alone.
fn values(comparison: &Comparison) -> TableView {
    let has_notes = comparison.rows.iter().any(|row| !wording::verdict(row).is_empty());
    let row = |row: &MetricResult| {
        let value = wording::value(row, row.head);
        let note = has_notes.then(|| wording::verdict(row));
        [row.label(), row.scenario.clone(), value].into_iter().chain(note).collect()
    };
    let columns = [
        TableColumn::Words("Metric"),
        TableColumn::Words("Scenario"),
        TableColumn::Numbers("Value"),
    ];
    TableView {
        caption: "Medians over launches, and of percentiles all requests together".to_owned(),
        columns: columns
            .into_iter()
            .chain(has_notes.then_some(TableColumn::Words("Note")))
            .collect(),
        rows: comparison.rows.iter().map(row).collect(),
    }
}

/// Returns the table of all limits; nothing without any.
pub(crate) fn limits(comparison: &Comparison) -> String {
    if comparison.limits.is_empty() {
        return String::new();
    }
    let row = |check: &LimitCheck| {
        let holds = if check.holds() { "holds" } else { "broken" };
        let measured = check.measured_text();
        vec![
            format!("{} {}", check.scenario, check.label()),
            check.bound(),
            measured.unwrap_or_else(|| "not measured".to_owned()),
            holds.to_owned(),
        ]
    };
    let mut limits: Vec<&LimitCheck> = comparison.limits.iter().collect();
    limits.sort_by_key(|check| check.holds());
    let table = TableView {
        caption: "Limits hold for head whatever base does. They are measured over all launches together: all requests \
                  over all their time, the most memory of any; the rows of metrics are typical launches."
            .to_owned(),
        columns: vec![
            TableColumn::Words("Limit"),
            TableColumn::Numbers("Promised"),
            TableColumn::Numbers("Measured"),
            TableColumn::Words("Kept"),
        ],
        rows: limits.into_iter().map(row).collect(),
    };
    let all = comparison.limits.len();
    let is_calm = all > LIMITS_OPEN_MAX && comparison.broken().next().is_none();
    let table = if is_calm {
        view::folded(&format!("All {all} limits hold"), &table.to_string())
    } else {
        table.to_string()
    };
    format!("<h3>Limits</h3>\n{table}")
}
