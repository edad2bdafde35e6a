//! What the metrics were in the stored runs, with this run as the last point.

use compare::level_history::{HistoryLevel, LevelHistory};
use compare::{Comparison, MetricResult};

use super::view::{FigureView, TableColumn, TableView};
use crate::figure::axis;
use crate::figure::drawing::{Coordinate, DrawingPoint, SvgDrawing, TextAnchor};
use crate::figure::marks::{self, MarkShape};
use crate::figure::paint::PaintRole;
use crate::figure::scale::LinearScale;
use crate::wording::quoted;

const SIZE: (f64, f64) = (360.0, 130.0);
const LEFT: f64 = 62.0;
/// Histories at most, those that decide first.
const FIGURES_MAX: usize = 12;
/// Commits are named by so many characters.
const COMMIT_CHARS: usize = 10;

/// Returns a small figure for each metric that was held against stored runs.
pub(crate) fn figures(comparison: &Comparison) -> Vec<FigureView> {
    let of = |history: &LevelHistory| {
        let row = comparison.rows.iter().find(|row| {
            row.scenario == history.scenario
                && row.operation == history.operation
                && row.metric == history.metric
        })?;
        Some((row.verdict().is_none(), figure(row, history)))
    };
    let mut figures: Vec<(bool, FigureView)> = comparison.histories.iter().filter_map(of).collect();
    figures.sort_by_key(|(is_quiet, _)| *is_quiet);
    figures.into_iter().map(|(_, figure)| figure).take(FIGURES_MAX).collect()
}

fn figure(row: &MetricResult, history: &LevelHistory) -> FigureView {
    let name = format!("{} {}", quoted(&row.subject()), row.label());
    let last = history.runs.last().map_or(history.head, |run| run.level);
    let description = format!(
        "{}, the last {}; now {}.",
        units::text::plural(history.runs.len(), "stored run"),
        row.format(last),
        row.format(history.head)
    );
    let mut drawing = SvgDrawing::new(SIZE, &name.replace('`', ""), &description);
    draw(&mut drawing, row, history);
    FigureView {
        title: name,
        how: how(history).to_owned(),
        svg: drawing.render(),
        table: table(row, history),
    }
}

fn how(history: &LevelHistory) -> &'static str {
    match history.levels.len() {
        0 | 1 => "Stored runs ○, oldest left, and this one ●. No change of their level was found.",
        _ => {
            "Stored runs ○, oldest left, and this one ●. A dashed line is where their level changed; this run \
             is held against those since the last one."
        }
    }
}

fn draw(drawing: &mut SvgDrawing, row: &MetricResult, history: &LevelHistory) {
    let count = history.runs.len();
    let across = LinearScale::new((-0.5, count as f64 + 0.5), (LEFT, SIZE.0 - 10.0));
    let levels = history.runs.iter().map(|run| run.level).chain([history.head]);
    let scale = LinearScale::around(levels, (SIZE.1 - 24.0, 8.0));
    let ticks = axis::named(&scale.ticks(3), |value| row.format(value));
    axis::left(drawing, &scale, &ticks, across.places());
    let at =
        |place: usize, level: f64| DrawingPoint { x: across.at(place as f64), y: scale.at(level) };
    changes(drawing, history, &across, &scale);
    let stored = || history.runs.iter().enumerate().map(|(place, run)| at(place, run.level));
    drawing.line(stored().map(Some), PaintRole::Base, 1.2);
    drawing.rings(stored(), PaintRole::Base, 3.0);
    marks::shape(drawing, MarkShape::Full, at(count, history.head), PaintRole::Head);
    let name = |place: usize, anchor, text: &str, drawing: &mut SvgDrawing| {
        let at = DrawingPoint { x: across.at(place as f64), y: SIZE.1 - 6.0 };
        drawing.text(at, anchor, PaintRole::Text, text);
    };
    let first = history.runs.first().map_or("", |run| day(&run.started));
    name(0, TextAnchor::Start, first, drawing);
    name(count, TextAnchor::End, "this run", drawing);
}

/// A line at each level, and an upright one with the size of the change where it became another.
fn changes(
    drawing: &mut SvgDrawing,
    history: &LevelHistory,
    across: &LinearScale,
    scale: &LinearScale,
) {
    let ends = history.levels.iter().skip(1).map(|it| it.first).chain([history.runs.len()]);
    for (HistoryLevel { first, level, change_ln }, end) in history.levels.iter().zip(ends) {
        let (from, to) = (across.at(*first as f64 - 0.5), across.at(end as f64 - 0.5));
        let y = Coordinate(scale.at(*level));
        let path = format!("M{} {y}H{}", Coordinate(from), Coordinate(to));
        drawing.path(&path, PaintRole::Same, 2.0);
        if let Some(change_ln) = change_ln {
            let path = format!("M{} 8V{}", Coordinate(from), Coordinate(SIZE.1 - 24.0));
            drawing.dashed(&path, PaintRole::Open, 1.2);
            // On the side that has more room.
            let (x, anchor) = if from > SIZE.0 / 2.0 {
                (from - 4.0, TextAnchor::End)
            } else {
                (from + 4.0, TextAnchor::Start)
            };
            let at = DrawingPoint { x, y: 18.0 };
            drawing.text(at, anchor, PaintRole::Text, &units::change(*change_ln));
        }
    }
}

/// The day of a time in RFC 3339.
fn day(started: &str) -> &str {
    started.split('T').next().unwrap_or_default()
}

fn table(row: &MetricResult, history: &LevelHistory) -> TableView {
    let line = |build: String, started: &str, level: f64, change: Option<f64>| {
        let change = change.map(units::change).unwrap_or_default();
        vec![build, day(started).to_owned(), row.format(level), change]
    };
    let stored = history.runs.iter().enumerate().map(|(place, run)| {
        let build = run.build.chars().take(COMMIT_CHARS).collect();
        let begun = history.levels.iter().find(|level| level.first == place);
        line(build, &run.started, run.level, begun.and_then(|level| level.change_ln))
    });
    let now = line("this run".to_owned(), "", history.head, None);
    TableView {
        caption: format!("{} {} by run", quoted(&row.subject()), row.label()),
        columns: vec![
            TableColumn::Code("Run"),
            TableColumn::Words("Day"),
            TableColumn::Numbers("Level"),
            TableColumn::Numbers("Change of level"),
        ],
        rows: stored.chain([now]).collect(),
    }
}
