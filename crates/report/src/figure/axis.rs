//! Axes: lines to read values by, and their names.

use super::drawing::{Coordinate, DrawingPoint, SvgDrawing, TextAnchor};
use super::paint::PaintRole;
use super::scale::LinearScale;

/// A tick: a value and its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AxisTick {
    pub(crate) value: f64,
    pub(crate) name: String,
}

/// Names values; zero has no unit.
pub(crate) fn named(values: &[f64], name: impl Fn(f64) -> String) -> Vec<AxisTick> {
    let name = |value: f64| if value == 0.0 { "0".to_owned() } else { name(value) };
    values.iter().map(|&value| AxisTick { value, name: name(value) }).collect()
}

/// Draws ticks of a level axis: a grid line through `span`, and names below it.
pub(crate) fn bottom(
    drawing: &mut SvgDrawing,
    scale: &LinearScale,
    ticks: &[AxisTick],
    span: (f64, f64),
) {
    let (top, bottom) = span;
    grid(
        drawing,
        ticks.iter().map(|tick| {
            let x = Coordinate(scale.at(tick.value));
            format!("M{x} {}V{}", Coordinate(top), Coordinate(bottom))
        }),
    );
    for tick in ticks {
        let at = DrawingPoint { x: scale.at(tick.value), y: bottom + 14.0 };
        drawing.text(at, TextAnchor::Middle, PaintRole::Text, &tick.name);
    }
}

/// Draws ticks of an upright axis: a grid line through `span`, and names left of it.
pub(crate) fn left(
    drawing: &mut SvgDrawing,
    scale: &LinearScale,
    ticks: &[AxisTick],
    span: (f64, f64),
) {
    let (start, end) = span;
    grid(
        drawing,
        ticks.iter().map(|tick| {
            let y = Coordinate(scale.at(tick.value));
            format!("M{} {y}H{}", Coordinate(start), Coordinate(end))
        }),
    );
    for tick in ticks {
        let at = DrawingPoint { x: start - 6.0, y: scale.at(tick.value) + 4.0 };
        drawing.text(at, TextAnchor::End, PaintRole::Text, &tick.name);
    }
}

/// One path of all lines of a grid.
fn grid(drawing: &mut SvgDrawing, lines: impl Iterator<Item = String>) {
    let path: String = lines.collect();
    if !path.is_empty() {
        drawing.path(&path, PaintRole::Grid, 1.0);
    }
}
