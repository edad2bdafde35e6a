//! What could have been seen: the smallest change by the number of launch pairs.

use compare::sensitivity::SensitivityPoint;
use compare::{Comparison, MetricResult};

use super::focus;
use super::view::{FigureView, TableColumn, TableView};
use crate::figure::axis;
use crate::figure::drawing::{Coordinate, DrawingPoint, SvgDrawing, TextAnchor};
use crate::figure::paint::PaintRole;
use crate::figure::scale::LinearScale;
use crate::wording::quoted;

const SIZE: (f64, f64) = (720.0, 190.0);
const LEFT: f64 = 64.0;
const PLOT: (f64, f64) = (20.0, 150.0);

/// Returns a figure of the row that a reader asks about first; nothing where launch pairs decide nothing.
pub(crate) fn figure(comparison: &Comparison) -> Option<FigureView> {
    let row = focus::evidence_rows(comparison).into_iter().next()?;
    let points = comparison.sensitivity(row);
    if points.len() < 2 {
        return None;
    }
    let name =
        format!("{} {}: what so many launch pairs show", quoted(&row.subject()), row.label());
    let done = row.judgement().map_or(0, |judgement| judgement.sample);
    let description = format!("{}; this run had {done} launch pairs.", sentence(comparison, row)?);
    let mut drawing = SvgDrawing::new(SIZE, &name.replace('`', ""), &description);
    draw(&mut drawing, &points, done, row);
    Some(FigureView {
        title: name,
        how: "The smallest change that is seen four times in five, by launch pairs; the upright line is this \
              run, the dashed one the tolerance. The scatter is that of this run."
            .to_owned(),
        svg: drawing.render(),
        table: table(&points),
    })
}

/// Returns how long it would take to see twice the floor of a row.
pub(crate) fn sentence(comparison: &Comparison, row: &MetricResult) -> Option<String> {
    let twice = units::Ratio(row.rule.floor.0 * 2.0);
    let needed = comparison.launch_pairs_to_see(row, twice.ln());
    let (subject, label) = (quoted(&row.subject()), row.label());
    let Some(needed) = needed else {
        comparison.evidence.row(row)?;
        return Some(format!(
            "A change of {twice} in {subject} {label} is too small for this machine's scatter"
        ));
    };
    Some(format!(
        "To see a change of {twice} in {subject} {label} four times in five takes about {}, {}",
        units::text::plural(needed.launch_pairs, "launch pair"),
        units::time_ns(needed.time_ns)
    ))
}

fn draw(drawing: &mut SvgDrawing, points: &[SensitivityPoint], done: usize, row: &MetricResult) {
    let (top, bottom) = PLOT;
    let ends = (LEFT + 10.0, SIZE.0 - 16.0);
    let ln = |launch_pairs: usize| (launch_pairs as f64).ln();
    let most = points[points.len() - 1].launch_pairs;
    let across = LinearScale::new((ln(points[0].launch_pairs), ln(most)), ends);
    let tolerance = row.rule.tolerance.ln();
    // Where the scatter is large, the first numbers show next to nothing and would hide the rest.
    let all = points.iter().map(|it| it.detectable_ln.min(4.0 * tolerance));
    let scale = LinearScale::around(all.chain([0.0, tolerance]), (bottom, top));
    let ticks = axis::named(&scale.round_changes(4), units::change);
    axis::left(drawing, &scale, &ticks, ends);
    let names: Vec<axis::AxisTick> = points
        .iter()
        .map(|it| axis::AxisTick { value: ln(it.launch_pairs), name: it.launch_pairs.to_string() })
        .collect();
    axis::bottom(drawing, &across, &names, (top, bottom));
    let y = Coordinate(scale.at(tolerance));
    drawing.dashed(&format!("M{} {y}H{}", ends.0, ends.1), PaintRole::Same, 1.4);
    let at = |it: &SensitivityPoint| DrawingPoint {
        x: across.at(ln(it.launch_pairs)),
        y: scale.at(it.detectable_ln),
    };
    drawing.line(points.iter().map(|it| Some(at(it))), PaintRole::Head, 2.0);
    drawing.dots(points.iter().map(at), PaintRole::Head, 6.0);
    if done > 0 {
        let x = Coordinate(across.at(ln(done)));
        drawing.path(&format!("M{x} {top}V{bottom}"), PaintRole::Base, 1.5);
    }
    let label = DrawingPoint { x: ends.1, y: bottom + 32.0 };
    drawing.text(label, TextAnchor::End, PaintRole::Text, "launch pairs");
}

fn table(points: &[SensitivityPoint]) -> TableView {
    let line = |it: &SensitivityPoint| {
        let (time, change) = (units::time_ns(it.time_ns), units::change(it.detectable_ln));
        vec![it.launch_pairs.to_string(), time, change]
    };
    TableView {
        caption: "The smallest change that is seen four times in five".to_owned(),
        columns: vec![
            TableColumn::Numbers("Launch pairs"),
            TableColumn::Numbers("Time"),
            TableColumn::Numbers("Change"),
        ],
        rows: points.iter().map(line).collect(),
    }
}
