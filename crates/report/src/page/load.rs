//! How the load was made, and what came of each of its levels.

use compare::Comparison;
use compare::details::StepRow;
use record::LoadLevel;
use record::metric::Metric;
use record::metric::limit::LimitQuantity;

use super::view::{self, FigureView, TableColumn, TableView};
use crate::details;
use crate::figure::axis;
use crate::figure::drawing::{Coordinate, DrawingPoint, SvgDrawing, TextAnchor};
use crate::figure::paint::PaintRole;
use crate::figure::scale::LinearScale;
use crate::markup::escaped;
use crate::wording::quoted;

const SIZE: (f64, f64) = (720.0, 230.0);
const PLOT: (f64, f64) = (14.0, 180.0);
const LEFT: f64 = 64.0;
/// Scenarios whose load is not folded.
const OPEN_MAX: usize = 2;

/// Returns what was done in each scenario and what was seen: a line each, never a paragraph.
pub(crate) fn lines(comparison: &Comparison) -> String {
    let open = comparison.details.len() <= OPEN_MAX;
    let mut html = String::new();
    for scenario in &comparison.details {
        let lines = details::lines(scenario).join("\n");
        let text = format!("<pre>{}</pre>\n", escaped(&crate::unbroken::unbroken(&lines)));
        let summary = format!("{}: load, target, failures", quoted(&scenario.scenario));
        html += &if open { text } else { view::folded(&summary, &text) };
    }
    html
}

/// Returns the figure of a scenario whose load has several levels.
pub(crate) fn figure(comparison: &Comparison, scenario: &str) -> Option<FigureView> {
    let details = comparison.details.iter().find(|it| it.scenario == scenario)?;
    let timed: Vec<&StepRow> = details.steps.iter().filter(|it| it.p95_ns.is_some()).collect();
    if timed.len() < 2 {
        return None;
    }
    let name = format!("{}: level of the load against its p95", quoted(&details.scenario));
    let last = timed[timed.len() - 1];
    let description = format!(
        "{} levels; at {} the p95 is {}.",
        timed.len(),
        level(last.level),
        units::time_ns(last.p95_ns?)
    );
    let mut drawing = SvgDrawing::new(SIZE, &name.replace('`', ""), &description);
    draw(&mut drawing, &timed, limit(comparison, &details.scenario));
    Some(FigureView {
        title: name,
        how: "Each level that was tried, over all launches that tried it: ● most of them held the limits, ○ most did \
              not or there are none. The dashed line is the limit on the p95."
            .to_owned(),
        svg: drawing.render(),
        table: table(&details.steps),
    })
}

fn level(level: LoadLevel) -> String {
    match level {
        LoadLevel::Connections(count) => units::text::plural(count, "connection"),
        LoadLevel::PerSecond(per_s) => format!("{} requests/s", units::count(per_s)),
    }
}

fn height(level: LoadLevel) -> f64 {
    match level {
        LoadLevel::Connections(count) => f64::from(count),
        LoadLevel::PerSecond(per_s) => per_s,
    }
}

/// The limit on the 95th percentile of a scenario, in nanoseconds.
fn limit(comparison: &Comparison, scenario: &str) -> Option<f64> {
    let limits = comparison.limits.iter().filter(|it| it.scenario == scenario);
    let mut of_p95 = limits.filter(|it| it.limit.quantity == LimitQuantity::Metric(Metric::P95));
    of_p95.next().map(|it| it.limit.value)
}

/// The axis of levels: of rates a logarithmic one, as a search doubles them.
struct LevelAxis {
    scale: LinearScale,
    is_logarithmic: bool,
}

impl LevelAxis {
    fn of(steps: &[&StepRow]) -> Self {
        let is_logarithmic =
            steps.iter().all(|it| matches!(it.level, LoadLevel::PerSecond(per_s) if per_s > 0.0));
        let values: Vec<f64> = steps.iter().map(|it| place(it.level, is_logarithmic)).collect();
        let ends = (LEFT + 16.0, SIZE.0 - 20.0);
        let (low, high) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
                (low.min(*it), high.max(*it))
            });
        let scale = if is_logarithmic {
            LinearScale::new((low, high), ends)
        } else {
            LinearScale::around(values, ends)
        };
        Self { scale, is_logarithmic }
    }

    fn at(&self, level: LoadLevel) -> f64 {
        self.scale.at(place(level, self.is_logarithmic))
    }

    fn ticks(&self) -> Vec<axis::AxisTick> {
        if !self.is_logarithmic {
            return axis::named(&self.scale.ticks(6), units::count);
        }
        let decades = (0..9).map(|power| 10.0_f64.powi(power));
        let rates = decades.flat_map(|ten| [ten, 2.0 * ten, 5.0 * ten]);
        let inside = rates.filter(|rate| self.scale.holds(rate.ln()));
        let name = |rate: f64| if rate < 1e4 { format!("{rate:.0}") } else { units::count(rate) };
        inside.map(|rate| axis::AxisTick { value: rate.ln(), name: name(rate) }).collect()
    }
}

fn place(level: LoadLevel, is_logarithmic: bool) -> f64 {
    if is_logarithmic { height(level).ln() } else { height(level) }
}

fn draw(drawing: &mut SvgDrawing, steps: &[&StepRow], limit_ns: Option<f64>) {
    let across = LevelAxis::of(steps);
    let times = steps.iter().filter_map(|it| it.p95_ns).chain(limit_ns).chain([0.0]);
    let scale = LinearScale::around(times, (PLOT.1, PLOT.0));
    axis::left(
        drawing,
        &scale,
        &axis::named(&scale.ticks(4), units::time_ns),
        // The names of both axes do not meet where the first level is at the edge.
        (LEFT - 4.0, across.scale.places().1),
    );
    axis::bottom(drawing, &across.scale, &across.ticks(), PLOT);
    if let Some(limit_ns) = limit_ns {
        let (left, right) = across.scale.places();
        let y = Coordinate(scale.at(limit_ns));
        drawing.dashed(&format!("M{left} {y}H{right}"), PaintRole::Slower, 1.6);
    }
    let at = |it: &StepRow| Some(DrawingPoint { x: across.at(it.level), y: scale.at(it.p95_ns?) });
    drawing.line(steps.iter().map(|it| at(it)), PaintRole::Head, 1.4);
    let (held, not): (Vec<&StepRow>, Vec<&StepRow>) =
        steps.iter().partition(|it| it.held.is_some_and(|(held, of)| held * 2 > of));
    drawing.dots(held.into_iter().filter_map(at), PaintRole::Head, 8.0);
    drawing.rings(not.into_iter().filter_map(at), PaintRole::Slower, 4.5);
    let unit = match steps[0].level {
        LoadLevel::Connections(_) => "connections",
        LoadLevel::PerSecond(_) => "requests per second",
    };
    let label = DrawingPoint { x: SIZE.0 - 14.0, y: PLOT.1 + 34.0 };
    drawing.text(label, TextAnchor::End, PaintRole::Text, unit);
}

fn table(steps: &[StepRow]) -> TableView {
    let time = |ns: Option<f64>| ns.map_or_else(|| "–".to_owned(), units::time_ns);
    let line = |it: &StepRow| {
        let held = it.held.map_or_else(|| "–".to_owned(), |(held, of)| format!("{held} of {of}"));
        let failed = format!("{} of {}", it.failed, it.requests);
        let per_s = format!("{}/s", units::count(it.per_s));
        vec![level(it.level), per_s, time(it.p50_ns), time(it.p95_ns), failed, held]
    };
    TableView {
        caption: "Levels of the load, over all launches of head".to_owned(),
        columns: vec![
            TableColumn::Words("Level"),
            TableColumn::Numbers("Answered"),
            TableColumn::Numbers("p50"),
            TableColumn::Numbers("p95"),
            TableColumn::Numbers("Failed"),
            TableColumn::Numbers("Held"),
        ],
        rows: steps.iter().map(line).collect(),
    }
}
