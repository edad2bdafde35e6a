//! Marks with a meaning of their own: shapes that tell verdicts apart without colour, and intervals.

use std::fmt::Write as _;

use super::drawing::{Coordinate, DrawingPoint, SvgDrawing};
use super::paint::PaintRole;
use super::scale::LinearScale;

/// Memory takes all that is written.
const STRING: &str = "writing to a string does not fail";

/// Shapes, each for one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkShape {
    /// A triangle that points up: worse.
    Up,
    /// A triangle that points down: better.
    Down,
    /// A full circle: unchanged.
    Full,
    /// A broken circle: not decided.
    Broken,
    /// A hollow diamond: does not decide.
    Hollow,
    /// A cross: there is nothing to decide by.
    Cross,
}

/// Draws a shape around a place.
pub(crate) fn shape(drawing: &mut SvgDrawing, shape: MarkShape, at: DrawingPoint, role: PaintRole) {
    let (x, y) = (Coordinate(at.x), Coordinate(at.y));
    match shape {
        MarkShape::Up => {
            let top = Coordinate(at.y - 6.0);
            drawing.add(format_args!("<path d=\"M{x} {top}l6 10.5h-12z\" {}/>", role.fill()));
        }
        MarkShape::Down => {
            let bottom = Coordinate(at.y + 6.0);
            drawing.add(format_args!("<path d=\"M{x} {bottom}l6-10.5h-12z\" {}/>", role.fill()));
        }
        MarkShape::Full => {
            drawing.add(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"4.5\" {}/>", role.fill()));
        }
        MarkShape::Broken => drawing.add(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"4.5\" {} stroke-width=\"2\" stroke-dasharray=\"2.4 2.3\"/>",
            role.stroke()
        )),
        MarkShape::Hollow => {
            let left = Coordinate(at.x - 4.5);
            drawing.add(format_args!(
                "<path d=\"M{left} {y}l4.5-4.5 4.5 4.5-4.5 4.5z\" {} stroke-width=\"1.4\"/>",
                role.stroke()
            ));
        }
        MarkShape::Cross => {
            let (left, top) = (Coordinate(at.x - 4.5), Coordinate(at.y - 4.5));
            drawing.add(format_args!(
                "<path d=\"M{left} {top}l9 9m0-9l-9 9\" {} stroke-width=\"2.6\"/>",
                role.stroke()
            ));
        }
    }
}

/// The length of an interval from which on its ends are drawn.
const ENDS_FROM: f64 = 15.0;

/// Draws an interval on a level scale, with an end where it has one and none where it leaves the picture.
pub(crate) fn interval(
    drawing: &mut SvgDrawing,
    scale: &LinearScale,
    limits: (f64, f64),
    y: f64,
    role: PaintRole,
) {
    let (low, high) = limits;
    // Of a short one the mark would hide the ends, and be hidden by them.
    let has_ends = scale.at(high) - scale.at(low) >= ENDS_FROM;
    let (left, right) = (Coordinate(scale.at(low)), Coordinate(scale.at(high)));
    let mut path = format!("M{left} {}H{right}", Coordinate(y));
    for (limit, x) in [(low, left), (high, right)] {
        if has_ends && scale.holds(limit) {
            write!(path, "M{x} {}v7", Coordinate(y - 3.5)).expect(STRING);
        }
    }
    drawing.path(&path, role, 2.0);
}

/// Draws an interval on an upright scale.
pub(crate) fn upright_interval(
    drawing: &mut SvgDrawing,
    scale: &LinearScale,
    limits: (f64, f64),
    x: f64,
    role: PaintRole,
) {
    let (low, high) = limits;
    let (bottom, top) = (Coordinate(scale.at(low)), Coordinate(scale.at(high)));
    let mut path = format!("M{} {bottom}V{top}", Coordinate(x));
    for (limit, y) in [(low, bottom), (high, top)] {
        if scale.holds(limit) {
            write!(path, "M{} {y}h6", Coordinate(x - 3.0)).expect(STRING);
        }
    }
    drawing.path(&path, role, 1.6);
}

/// Draws a hatched stretch: values that could have hidden in it.
pub(crate) fn hatched(drawing: &mut SvgDrawing, from: f64, to: f64, y: f64, role: PaintRole) {
    if to - from < 0.5 {
        return;
    }
    let (from, to, y) = (Coordinate(from), Coordinate(to), Coordinate(y));
    drawing.add(format_args!(
        "<path d=\"M{from} {y}H{to}\" {} stroke-width=\"9\" stroke-dasharray=\"1.5 2.5\" opacity=\"0.55\"/>",
        role.stroke()
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_no_end_where_it_leaves_the_picture() {
        let scale = LinearScale::new((-1.0, 1.0), (0.0, 200.0));
        let mut drawing = SvgDrawing::new((200.0, 20.0), "", "");
        interval(&mut drawing, &scale, (-0.5, f64::INFINITY), 10.0, PaintRole::Slower);
        assert!(drawing.render().contains("d=\"M50 10H200M50 6.5v7\""), "{}", drawing.render());
    }

    #[test]
    fn every_shape_differs_from_the_others() {
        let shapes = [
            MarkShape::Up,
            MarkShape::Down,
            MarkShape::Full,
            MarkShape::Broken,
            MarkShape::Hollow,
            MarkShape::Cross,
        ];
        let drawn: std::collections::BTreeSet<String> = shapes
            .map(|it| {
                let mut drawing = SvgDrawing::new((9.0, 9.0), "", "");
                shape(&mut drawing, it, DrawingPoint { x: 4.0, y: 4.0 }, PaintRole::Same);
                drawing.render()
            })
            .into();
        assert_eq!(drawn.len(), shapes.len());
    }
}
