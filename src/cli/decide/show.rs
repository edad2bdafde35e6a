//! Shows verdicts on numbers that have no unit and no machine.

use std::io::{self, Write};

use comfy_table::{Cell, Color};
use compare::decision::Verdict;
use record::metric::BetterDirection;
use report::decision_page::{self, PairedVerdict};
use report::terminal::{self, ColorMode, TerminalScreen};
use report::{json, markdown};
use serde::Serialize;
use units::Ratio;

use crate::app::decide::{Decision, DecisionMethod, MetricVerdict};
use crate::cli::terminal_text::sanitize;

/// Writes a table as wide as the screen.
pub(super) fn terminal(
    out: &mut impl Write,
    decision: &Decision,
    screen: TerminalScreen,
) -> io::Result<()> {
    let mut table = terminal::table(screen);
    let numbers = ["pairs", "change", "interval, %"].map(terminal::right);
    let header = [Cell::new("metric")].into_iter().chain(numbers);
    table.set_header(header.chain([Cell::new("verdict")]));
    for metric in &decision.metrics {
        let verdict = Cell::new(verdict(metric));
        let verdict = match (screen.paint, colour(metric.judgement.verdict)) {
            (ColorMode::Colours, Some(colour)) => verdict.fg(colour),
            (ColorMode::Colours, None) | (ColorMode::Plain, _) => verdict,
        };
        let [change, interval] = change(metric);
        table.add_row([
            Cell::new(sanitize(&metric.metric)),
            terminal::right(&metric.judgement.sample.to_string()),
            terminal::right(&change),
            terminal::right(&interval),
            verdict,
        ]);
    }
    writeln!(out, "{}\n\n{}", table.trim_fmt(), method(decision))?;
    Ok(())
}

/// Writes a GitHub-flavoured table.
pub(super) fn markdown(out: &mut impl Write, decision: &Decision) -> io::Result<()> {
    writeln!(out, "| Metric | Pairs | Change | Interval | Verdict |\n|:--|--:|--:|:-:|:--|")?;
    for metric in &decision.metrics {
        let [change, interval] = change(metric);
        let verdict = match metric.judgement.verdict {
            Verdict::Regressed => format!("**{}**", verdict(metric)),
            Verdict::Improved | Verdict::Unchanged | Verdict::Inconclusive => verdict(metric),
        };
        let name = markdown::escape(&metric.metric);
        let pairs = metric.judgement.sample;
        writeln!(out, "| {name} | {pairs} | {change} | {interval} | {verdict} |")?;
    }
    writeln!(out, "\n{}", method(decision))?;
    Ok(())
}

/// Writes a page with all metrics on one axis.
pub(super) fn html(out: &mut impl Write, decision: &Decision) -> io::Result<()> {
    let verdicts = decision.metrics.iter().map(|it| PairedVerdict {
        name: &it.metric,
        better: it.better,
        hypothesis: it.hypothesis,
        judgement: &it.judgement,
        differences_ln: &it.differences,
    });
    let verdicts: Vec<_> = verdicts.collect();
    let page = decision_page::render(&verdicts, &method(decision), &decision.outcome);
    out.write_all(page.as_bytes())
}

/// Everything, as other programs read it. Shares are ratios; what is unbounded is null.
#[derive(Serialize)]
struct DecisionReport<'a> {
    schema: u32,
    outcome: &'a str,
    alpha: f64,
    comparisons: usize,
    pairs: usize,
    metrics: Vec<DecisionRow<'a>>,
}

#[derive(Serialize)]
struct DecisionRow<'a> {
    metric: &'a str,
    better: &'a str,
    tolerance: f64,
    floor: f64,
    verdict: &'a str,
    change: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    p_slower: f64,
    p_faster: f64,
    p_unchanged: f64,
    detectable: Option<f64>,
    pairs: usize,
}

/// Writes everything.
pub(super) fn json(out: &mut impl Write, decision: &Decision) -> io::Result<()> {
    let Decision { metrics, method, outcome } = decision;
    let report = DecisionReport {
        schema: 1,
        outcome: json::outcome(outcome),
        alpha: method.alpha,
        comparisons: metrics.len(),
        pairs: method.pairs,
        metrics: metrics.iter().map(row).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn row(metric: &MetricVerdict) -> DecisionRow<'_> {
    let judgement = &metric.judgement;
    let ratio = |ln: f64| ln.is_finite().then(|| Ratio::from_ln(ln).0);
    let [estimate, low, high] = metric.change_ln();
    DecisionRow {
        metric: &metric.metric,
        better: match metric.better {
            BetterDirection::Lower => "lower",
            BetterDirection::Higher => "higher",
        },
        tolerance: metric.hypothesis.tolerance,
        floor: metric.hypothesis.floor,
        verdict: judgement.verdict.key(),
        change: ratio(estimate),
        low: ratio(low),
        high: ratio(high),
        p_slower: judgement.p_slower,
        p_faster: judgement.p_faster,
        p_unchanged: judgement.p_unchanged,
        detectable: ratio(judgement.mde_ln),
        pairs: judgement.sample,
    }
}

fn verdict(metric: &MetricVerdict) -> String {
    report::judged(&metric.judgement, metric.hypothesis)
}

/// The change and its interval in words.
fn change(metric: &MetricVerdict) -> [String; 2] {
    let [estimate, low, high] = metric.change_ln();
    [units::change(estimate), units::interval(low, high)]
}

fn method(decision: &Decision) -> String {
    let DecisionMethod { alpha, pairs } = &decision.method;
    let over = units::text::plural(decision.metrics.len(), "metric");
    format!(
        "{pairs} pairs, a look after each · chance of a false alarm ≤ {} over {over}",
        Ratio(*alpha)
    )
}

fn colour(verdict: Verdict) -> Option<Color> {
    match verdict {
        Verdict::Regressed => Some(Color::Red),
        Verdict::Improved => Some(Color::Green),
        Verdict::Inconclusive => Some(Color::Yellow),
        Verdict::Unchanged => None,
    }
}
