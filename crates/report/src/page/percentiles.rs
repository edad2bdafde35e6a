//! Where in the times a change is: in all requests, or in the slowest only.

use compare::Comparison;
use compare::latency_shift::{LatencyShift, ShiftPoint};
use record::LatencyBasis;

use super::view::{FigureView, TableColumn, TableView};
use crate::figure::axis::{self, AxisTick};
use crate::figure::drawing::{Coordinate, DrawingPoint, SvgDrawing, TextAnchor};
use crate::figure::marks;
use crate::figure::paint::PaintRole;
use crate::figure::scale::LinearScale;
use crate::wording::quoted;

const SIZE: (f64, f64) = (720.0, 310.0);
const LEFT: f64 = 64.0;
/// Upper and lower edges of the times' plot and of the changes'.
const TIMES: (f64, f64) = (20.0, 140.0);
const CHANGES: (f64, f64) = (172.0, 270.0);

/// Returns the figure of a scenario; nothing where it has fewer than two percentiles on both sides.
pub(crate) fn figure(comparison: &Comparison, scenario: &str) -> Option<FigureView> {
    let shift = comparison.shifts.iter().find(|it| it.scenario == scenario)?;
    let points = shift.points(comparison.evidence.alpha);
    if points.len() < 2 {
        return None;
    }
    let name = format!("{}: shift by percentile", quoted(scenario));
    let last = points[points.len() - 1];
    let description = format!(
        "At {} base is {}, head {}, change {}.",
        percentile(last.quantile),
        units::time_ns(last.base_ns),
        units::time_ns(last.head_ns),
        units::change(last.estimate_ln)
    );
    let mut drawing = SvgDrawing::new(SIZE, &name.replace('`', ""), &description);
    draw(&mut drawing, &points);
    Some(FigureView { title: name, how: how(shift), svg: drawing.render(), table: table(&points) })
}

fn how(shift: &LatencyShift) -> String {
    let times = match shift.times {
        LatencyBasis::Service => "from when a request was sent",
        LatencyBasis::Response => "from when it was due",
    };
    format!(
        "Above: times of base ○ and head ● {times}, by percentile. Below: the change at each of them with its \
         interval, each by itself. Beyond the last one a launch has fewer than ten requests."
    )
}

/// p95, p99.9.
fn percentile(quantile: f64) -> String {
    format!("p{}", (quantile * 1e4).round() / 100.0)
}

fn draw(drawing: &mut SvgDrawing, points: &[ShiftPoint]) {
    let ends = (LEFT + 10.0, SIZE.0 - 20.0);
    // By requests that are slower: each step of ten has one width.
    let place = |quantile: f64| -(1.0 - quantile).ln();
    let last = place(points[points.len() - 1].quantile);
    let across = LinearScale::new((place(points[0].quantile) - 0.2, last + 0.3), ends);
    let names: Vec<AxisTick> = points
        .iter()
        .map(|it| AxisTick { value: place(it.quantile), name: percentile(it.quantile) })
        .collect();
    let times = points.iter().flat_map(|it| [it.base_ns, it.head_ns]);
    let scale = LinearScale::around(times, (TIMES.1, TIMES.0));
    let ticks = axis::named(&scale.ticks(4), units::time_ns);
    axis::left(drawing, &scale, &ticks, ends);
    let at =
        |quantile: f64, ns: f64| DrawingPoint { x: across.at(place(quantile)), y: scale.at(ns) };
    drawing.line(points.iter().map(|it| Some(at(it.quantile, it.base_ns))), PaintRole::Base, 1.6);
    drawing.line(points.iter().map(|it| Some(at(it.quantile, it.head_ns))), PaintRole::Head, 1.6);
    drawing.rings(points.iter().map(|it| at(it.quantile, it.base_ns)), PaintRole::Base, 4.0);
    drawing.dots(points.iter().map(|it| at(it.quantile, it.head_ns)), PaintRole::Head, 7.0);
    changes(drawing, points, &across, &names);
    for (text, y) in [("time", TIMES.0), ("change", CHANGES.0)] {
        let title = DrawingPoint { x: ends.0, y: y - 7.0 };
        drawing.text(title, TextAnchor::Start, PaintRole::Text, text);
    }
}

fn changes(
    drawing: &mut SvgDrawing,
    points: &[ShiftPoint],
    across: &LinearScale,
    names: &[AxisTick],
) {
    let limits = points.iter().flat_map(|it| [it.low_ln, it.high_ln, it.estimate_ln]);
    let scale = LinearScale::around(limits.chain([0.01, -0.01]), (CHANGES.1, CHANGES.0));
    let ticks = axis::named(&scale.round_changes(4), units::change);
    axis::left(drawing, &scale, &ticks, across.places());
    axis::bottom(drawing, across, names, CHANGES);
    let (left, right) = across.places();
    let zero = Coordinate(scale.at(0.0));
    drawing.path(&format!("M{left} {zero}H{right}"), PaintRole::Text, 1.0);
    for (point, name) in points.iter().zip(names) {
        let x = across.at(name.value);
        marks::upright_interval(drawing, &scale, (point.low_ln, point.high_ln), x, PaintRole::Head);
    }
    let at = |it: &ShiftPoint, name: &AxisTick| DrawingPoint {
        x: across.at(name.value),
        y: scale.at(it.estimate_ln),
    };
    let dots = points.iter().zip(names).map(|(point, name)| at(point, name));
    drawing.dots(dots, PaintRole::Head, 7.0);
}

fn table(points: &[ShiftPoint]) -> TableView {
    let line = |it: &ShiftPoint| {
        vec![
            percentile(it.quantile),
            units::time_ns(it.base_ns),
            units::time_ns(it.head_ns),
            units::change(it.estimate_ln),
            units::interval(it.low_ln, it.high_ln),
        ]
    };
    TableView {
        caption: "Times by percentile, and the change within launch pairs".to_owned(),
        columns: vec![
            TableColumn::Words("Percentile"),
            TableColumn::Numbers("Base"),
            TableColumn::Numbers("Head"),
            TableColumn::Numbers("Change"),
            TableColumn::Numbers("Interval, %"),
        ],
        rows: points.iter().map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_named_as_people_do() {
        assert_eq!([0.5, 0.95, 0.999].map(percentile), ["p50", "p95", "p99.9"]);
    }
}
