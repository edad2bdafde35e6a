//! Renders the history of metrics: a line and its levels, with the commits between which they changed.

use std::fmt::Write as _;
use std::io;
use std::io::Write;

use serde_json::{Value, json};
use units::text::plural;

use crate::markup::escaped;
use crate::page::document::document;
use history::trend::{ChangePoint, LevelDrift, MetricSeries, Trend, TrendPoint};

/// Heights of a sparkline's bars.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Size of a chart.
const CHART: (f64, f64) = (720.0, 160.0);
/// Room around the line of a chart.
const MARGIN: f64 = 12.0;

const STRING: &str = "writing to a string does not fail";

/// Writes each series as a line of bars, and below it what changed and between which commits.
pub fn terminal(out: &mut impl Write, trends: &[Trend], width: usize) -> io::Result<()> {
    for (i, trend) in trends.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        let series = &trend.series;
        writeln!(out, "{}, {}", series.name, range(series))?;
        writeln!(out, "  {}", sparkline(series, width.saturating_sub(2).max(8)))?;
        for line in findings(trend) {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

/// Returns everything as JSON; changes are ratios, and what is unbounded is null.
pub fn json(trends: &[Trend]) -> String {
    let series: Vec<Value> = trends.iter().map(as_json).collect();
    let mut text = serde_json::to_string_pretty(&json!({"schema": 1, "series": series}))
        .expect("a trend has only string keys");
    text.push('\n');
    text
}

/// Returns a page with a chart of each series; it needs nothing beside itself.
pub fn html(trends: &[Trend]) -> String {
    let mut page = "<h1>Trend</h1>\n".to_owned();
    for trend in trends {
        let (name, range) = (escaped(&trend.series.name), escaped(&range(&trend.series)));
        write!(page, "<section>\n<h2>{name}</h2>\n<p>{range}</p>\n{}<ul>\n", svg(trend))
            .expect(STRING);
        for line in findings(trend) {
            writeln!(page, "<li>{}</li>", escaped(&line)).expect(STRING);
        }
        page.push_str("</ul>\n</section>\n");
    }
    document("trend", &page)
}

/// Returns the chart of a series: every run, the levels, and a mark where a new one begins.
pub fn svg(trend: &Trend) -> String {
    let values: Vec<f64> = trend.series.points.iter().map(|point| point.value).collect();
    let (width, height) = CHART;
    let (low, high) = bounds(&values);
    let x = |i: usize| {
        let share = i as f64 / values.len().saturating_sub(1).max(1) as f64;
        MARGIN + share * (width - 2.0 * MARGIN)
    };
    let y = |value: f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        height - MARGIN - share * (height - 2.0 * MARGIN)
    };
    let mut chart = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{}\" fill=\"none\" stroke=\"currentColor\">\n",
        escaped(&trend.series.name)
    );
    let line: Vec<String> =
        values.iter().enumerate().map(|(i, v)| format!("{:.1},{:.1}", x(i), y(*v))).collect();
    writeln!(chart, "<polyline opacity=\"0.5\" points=\"{}\"/>", line.join(" ")).expect(STRING);
    for (start, end) in levels(trend) {
        let mut sorted = values[start..end].to_vec();
        sorted.sort_by(f64::total_cmp);
        let level = y(sorted[sorted.len() / 2]);
        writeln!(
            chart,
            "<path stroke-width=\"3\" d=\"M{:.1} {level:.1}H{:.1}\"/>",
            x(start),
            x(end - 1)
        )
        .expect(STRING);
    }
    for step in &trend.steps {
        writeln!(
            chart,
            "<path stroke-dasharray=\"4 4\" d=\"M{x:.1} 0V{height}\"><title>{}</title></path>",
            escaped(&step_words(&trend.series, step)),
            x = x(step.at),
        )
        .expect(STRING);
    }
    for (i, point) in trend.series.points.iter().enumerate() {
        let title = format!("{} {} {}", point.build, point.started, value(&trend.series, point));
        writeln!(
            chart,
            "<circle r=\"3\" cx=\"{:.1}\" cy=\"{:.1}\" fill=\"currentColor\"><title>{}</title></circle>",
            x(i),
            y(point.value),
            escaped(&title),
        )
        .expect(STRING);
    }
    chart.push_str("</svg>\n");
    chart
}

/// First and last run of each level, the last one excluded.
fn levels(trend: &Trend) -> Vec<(usize, usize)> {
    let places = trend.steps.iter().map(|step| step.at);
    let ends = places.clone().chain([trend.series.points.len()]);
    [0].into_iter().chain(places).zip(ends).collect()
}

fn bounds(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
}

/// A bar for each run; the newest, if there are more than fit.
fn sparkline(series: &MetricSeries, width: usize) -> String {
    let skipped = series.points.len().saturating_sub(width);
    let values: Vec<f64> = series.points[skipped..].iter().map(|point| point.value).collect();
    let (low, high) = bounds(&values);
    let bar = |value: &f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.0 };
        let height = units::whole((share * 7.0).round()).and_then(|h| usize::try_from(h).ok());
        BARS[height.unwrap_or(0).min(7)]
    };
    values.iter().map(bar).collect()
}

fn range(series: &MetricSeries) -> String {
    let count = series.points.len();
    let runs = plural(count, "run");
    match (series.points.first(), series.points.last()) {
        (Some(first), Some(last)) if count > 1 => {
            format!("{runs}: {} to {}", value(series, first), value(series, last))
        }
        (Some(only), _) => format!("{runs}: {}", value(series, only)),
        (None, _) => runs,
    }
}

fn value(series: &MetricSeries, point: &TrendPoint) -> String {
    match series.metric {
        Some(metric) => metric.format(point.value, &series.unit),
        None => units::count(point.value),
    }
}

/// What there is to say about a series, the oldest change first.
fn findings(trend: &Trend) -> Vec<String> {
    let steps = trend.steps.iter().map(|step| step_words(&trend.series, step));
    let creep = trend.creep.iter().map(|creep| creep_words(trend, creep));
    let lines: Vec<String> = steps.chain(creep).collect();
    if lines.is_empty() { vec!["no change of level".to_owned()] } else { lines }
}

fn step_words(series: &MetricSeries, step: &ChangePoint) -> String {
    let (before, after) = (&series.points[step.at - 1], &series.points[step.at]);
    let day = after.started.split('T').next().unwrap_or_default();
    let day = if day.is_empty() { String::new() } else { format!(" ({day})") };
    format!(
        "{} {} between {} and {}{day}",
        units::change(step.change_ln),
        units::interval(step.low_ln, step.high_ln),
        short(&before.build),
        short(&after.build),
    )
}

fn creep_words(trend: &Trend, creep: &LevelDrift) -> String {
    let runs = trend.series.points.len() - creep.from;
    format!(
        "creeping: {} a run, {} over the last {runs} (p {:.2e})",
        units::change(creep.per_run_ln),
        units::change(creep.total_ln),
        creep.p
    )
}

/// A commit's first digits; other names stay as they are.
fn short(build: &str) -> String {
    let is_hash = build.len() >= 40 && build.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { build.chars().take(10).collect() } else { build.to_owned() }
}

fn as_json(trend: &Trend) -> Value {
    let series = &trend.series;
    let ratio = |ln: f64| ln.is_finite().then(|| ln.exp_m1());
    let steps: Vec<Value> = trend
        .steps
        .iter()
        .map(|step| {
            json!({
                "at": step.at,
                "after": series.points[step.at - 1].build,
                "until": series.points[step.at].build,
                "change": ratio(step.change_ln),
                "low": ratio(step.low_ln),
                "high": ratio(step.high_ln),
                "delta": step.delta,
                "q": step.q,
            })
        })
        .collect();
    let points: Vec<Value> = series
        .points
        .iter()
        .map(|point| json!({"build": point.build, "started": point.started, "value": point.value}))
        .collect();
    let creep = trend.creep.map(|creep| {
        json!({
            "from": creep.from,
            "per_run": ratio(creep.per_run_ln),
            "total": ratio(creep.total_ln),
            "p": creep.p,
        })
    });
    json!({"name": series.name, "points": points, "changes": steps, "creep": creep})
}
