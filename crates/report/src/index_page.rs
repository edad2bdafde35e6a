//! Renders several runs on one page: a line for each, the newest first, their gravest rows on one axis.

use std::fmt::Write as _;

use compare::decision::Verdict;
use compare::{Comparison, ComparisonOutcome, MetricResult};
use record::metric::gate::MetricPolicy;

use crate::markup::escaped;
use crate::page::document::document;
use crate::page::focus;
use crate::page::forest;
use crate::page::forest_axis::{self, AxisRow, ForestAxis};
use crate::page::view::prose;
use crate::wording;

/// Memory takes all that is written.
const STRING: &str = "writing to a string does not fail";

/// Runs that the matrix has a column for, and metrics that it has a row for, at most.
const COLUMNS_MAX: usize = 12;
const ROWS_MAX: usize = 60;

/// A run among several.
#[derive(Debug)]
pub struct IndexEntry {
    /// What it is called: the file that it was read from.
    pub name: String,
    /// Where its own page is, from the index; none where there is none.
    pub page: Option<String>,
    /// When it began, RFC 3339.
    pub started: String,
    /// What it says.
    pub comparison: Comparison,
}

/// Returns the page. Its runs are sorted here, the newest first.
pub fn html(entries: &[IndexEntry]) -> String {
    let entries = newest_first(entries);
    let gravest: Vec<Option<&MetricResult>> =
        entries.iter().map(|entry| gravest(&entry.comparison)).collect();
    let rows: Vec<Option<AxisRow>> = entries
        .iter()
        .zip(&gravest)
        .map(|(entry, row)| row.map(|row| forest::on_axis(&entry.comparison, row)))
        .collect();
    let axis = ForestAxis::of(&rows.iter().flatten().cloned().collect::<Vec<_>>());
    let title = units::text::plural(entries.len(), "run");
    let mut body =
        format!("<header>\n<h1>{title}</h1>\n</header>\n<section>\n<h2>Newest first</h2>\n");
    write!(
        body,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Runs\"><table class=\"forest runs\">\n\
         <caption>Of each run the gravest row that decides.</caption>\n<thead><tr><th scope=\"col\">Run</th>\
         <th scope=\"col\">Metric</th><th scope=\"col\" class=\"n\">Change, %</th><th scope=\"col\" class=\"plot\">\
         <span class=\"sr\">Interval on one axis</span>{}</th><th scope=\"col\">Outcome</th></tr></thead>\n<tbody>",
        axis.head()
    )
    .expect(STRING);
    for ((entry, row), drawn) in entries.iter().zip(gravest).zip(&rows) {
        line(&mut body, entry, row, drawn.as_ref().map(|drawn| axis.row(drawn)));
    }
    body += "</tbody></table></div>\n";
    body += &forest_axis::key();
    body += "</section>\n";
    body += &matrix(&entries);
    document(&title, &body)
}

/// The metrics that decide in any of the runs, each named once, in the order of the runs.
fn metrics(entries: &[&IndexEntry]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let rows = entries.iter().flat_map(|entry| &entry.comparison.rows);
    for row in rows.filter(|row| row.rule.policy == MetricPolicy::Gate) {
        let name = metric_name(row);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn metric_name(row: &MetricResult) -> String {
    format!("{} {}", row.subject(), row.label())
}

/// All metrics by run, the oldest left: how each of them went from release to release. Nothing of one run, which has
/// no course.
fn matrix(newest_first: &[&IndexEntry]) -> String {
    let names = metrics(newest_first);
    if newest_first.len() < 2 || names.is_empty() {
        return String::new();
    }
    let mut columns: Vec<&IndexEntry> = newest_first.iter().take(COLUMNS_MAX).copied().collect();
    columns.reverse();
    let left_out = names.len().saturating_sub(ROWS_MAX);
    let mut html = "<section>\n<h2>By metric</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" \
                    aria-label=\"Metrics by run\"><table class=\"matrix\">\n<caption>Runs from left to right, \
                    the newest last: the change of each metric that decides.</caption>\n<thead><tr>\
                    <th scope=\"col\">Metric</th>"
        .to_owned();
    for entry in &columns {
        let revision = wording::revision(&entry.comparison.head);
        let day = entry.started.split('T').next().unwrap_or_default();
        let (revision, day) = (escaped(&revision), escaped(day));
        write!(html, "<th scope=\"col\" class=\"n\">{revision} <small>{day}</small></th>")
            .expect(STRING);
    }
    html += "</tr></thead>\n<tbody>";
    for name in names.iter().take(ROWS_MAX) {
        write!(html, "<tr><th scope=\"row\">{}</th>", escaped(name)).expect(STRING);
        for entry in &columns {
            let row = entry.comparison.rows.iter().find(|row| metric_name(row) == *name);
            html += &matrix_cell(row);
        }
        html += "</tr>\n";
    }
    html += "</tbody></table></div>\n";
    if left_out > 0 {
        let more = units::text::plural(left_out, "metric");
        writeln!(html, "<p class=\"how\">{more} more are on the pages of the runs.</p>")
            .expect(STRING);
    }
    html += "<p class=\"how\">▲ slower ▼ faster ● unchanged ◌ can't tell – not judged</p>\n</section>\n";
    html
}

/// The change of a metric with the shape of its verdict.
fn matrix_cell(row: Option<&MetricResult>) -> String {
    let Some((row, verdict)) = row.and_then(|row| Some((row, row.verdict()?))) else {
        return "<td class=\"n\">–</td>".to_owned();
    };
    let (class, mark, word) = match verdict {
        Verdict::Regressed => ("bad", '▲', "slower"),
        Verdict::Improved => ("good", '▼', "faster"),
        Verdict::Inconclusive => ("open", '◌', "can't tell"),
        Verdict::Unchanged => ("calm", '●', "unchanged"),
    };
    let change = prose(&wording::change(row));
    format!(
        "<td class=\"n {class}\"><b aria-hidden=\"true\">{mark}</b> {change} <span class=\"sr\">{word}</span></td>"
    )
}

/// Returns a line for each run, the newest first.
pub fn text(entries: &[IndexEntry]) -> String {
    let line = |entry: &&IndexEntry| {
        let headline = wording::headline(&entry.comparison);
        let text = headline.text.replace('`', "");
        format!("{}  {}  {text}\n", entry.started, entry.name)
    };
    newest_first(entries).iter().map(line).collect()
}

fn newest_first(entries: &[IndexEntry]) -> Vec<&IndexEntry> {
    let mut entries: Vec<&IndexEntry> = entries.iter().collect();
    entries.sort_by(|a, b| b.started.cmp(&a.started));
    entries
}

/// The row that a reader would ask about: of equal gravity the one that changed most.
fn gravest(comparison: &Comparison) -> Option<&MetricResult> {
    let deciding = comparison.rows.iter().filter(|row| row.verdict().is_some());
    let size = |row: &MetricResult| row.judgement().map_or(0.0, |it| it.estimate_ln.abs());
    deciding
        .min_by(|a, b| focus::gravity(a).cmp(&focus::gravity(b)).then(size(b).total_cmp(&size(a))))
}

fn line(html: &mut String, entry: &IndexEntry, row: Option<&MetricResult>, plot: Option<String>) {
    let comparison = &entry.comparison;
    let class = match &comparison.outcome {
        ComparisonOutcome::NotMeasured(_) | ComparisonOutcome::Regressed => "bad",
        ComparisonOutcome::Inconclusive => "open",
        ComparisonOutcome::Improved => "good",
        ComparisonOutcome::Pass => "calm",
    };
    let name = escaped(&entry.name);
    let name = match &entry.page {
        Some(page) => format!("<a href=\"{}\">{name}</a>", escaped(page)),
        None => name,
    };
    let (label, change, interval) = match row {
        Some(row) => (
            format!("{} {}", row.subject(), row.label()),
            wording::change(row),
            wording::interval(row),
        ),
        None => ("–".to_owned(), String::new(), String::new()),
    };
    let day = entry.started.replace('T', " ");
    writeln!(
        html,
        "<tr class=\"{class}\"><th scope=\"row\">{name} <small>{} · {}</small></th><td>{}</td>\
         <td class=\"n\">{} <small>{}</small></td><td class=\"plot\">{}</td><td><b>{}</b></td></tr>",
        escaped(day.trim_end_matches('Z')),
        escaped(&wording::revisions(comparison)),
        escaped(&label),
        prose(&change),
        escaped(&interval),
        plot.unwrap_or_default(),
        prose(&wording::headline(comparison).text),
    )
    .expect(STRING);
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    fn entry(name: &str, started: &str, head: SampleLaunch) -> IndexEntry {
        let comparison = Comparison::of(&paired(10, LEVEL, head)).unwrap();
        let page = Some("a/report.html".to_owned());
        IndexEntry { name: name.to_owned(), page, started: started.to_owned(), comparison }
    }

    #[test]
    fn the_newest_run_stands_first_with_its_gravest_row() {
        let entries = [
            entry("old", "2026-11-20T10:00:00Z", LEVEL),
            entry("<new>", "2026-11-21T10:00:00Z", SampleLaunch { cpu_us: 572, ..LEVEL }),
        ];
        let page = html(&entries);
        let (new, old) = (page.find("&lt;new&gt;").unwrap(), page.find(">old<").unwrap());
        assert!(new < old, "{page}");
        assert!(page.contains("smoke CPU per XML pair") && page.contains("href=\"a/report.html\""));
        let matrix = page.split("<table class=\"matrix\">").nth(1).unwrap();
        let of = |metric: &str| {
            let row = matrix.split(&format!(">{metric}</th>")).nth(1).unwrap();
            crate::unbroken::breakable(row.split("</tr>").next().unwrap())
        };
        let cpu = of("smoke CPU per XML pair");
        let (old, new) = cpu.split_at(cpu.find("▲").unwrap());
        assert!(old.contains("unchanged") && new.contains("+10.0 %"), "{cpu}");
        assert!(!matrix.contains(">smoke p50<"), "it does not decide");
        insta::assert_snapshot!(text(&entries), @"
        2026-11-21T10:00:00Z  <new>  1 regression — smoke CPU per XML pair +10.0 %
        2026-11-20T10:00:00Z  old  no regression ≥ 5 % in 1 scenario (52.0 s)
        ");
    }
}
