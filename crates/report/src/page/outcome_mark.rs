//! The sign of an outcome, as a drawing: a font need not have it, and no hue is needed to tell it from others.

use compare::{Comparison, ComparisonOutcome};

use crate::figure::drawing::{DrawingPoint, SvgDrawing};
use crate::figure::marks::{self, MarkShape};
use crate::figure::paint::PaintRole;

/// Size of the sign; the style sheet fits it to the words beside it.
const SIZE: (f64, f64) = (16.0, 16.0);

/// Returns the sign of what a comparison came to: the shape that its rows have in the figures, and a cross where
/// there is no verdict on speed.
pub(crate) fn of(comparison: &Comparison) -> String {
    match comparison.outcome {
        ComparisonOutcome::Regressed if comparison.failure.is_some() => drawn(failed()),
        ref outcome => of_outcome(outcome),
    }
}

/// Returns the sign of an outcome.
pub(crate) fn of_outcome(outcome: &ComparisonOutcome) -> String {
    drawn(match outcome {
        ComparisonOutcome::NotMeasured(_) => failed(),
        ComparisonOutcome::Regressed => (MarkShape::Up, PaintRole::Slower),
        ComparisonOutcome::Inconclusive => (MarkShape::Broken, PaintRole::Open),
        ComparisonOutcome::Improved => (MarkShape::Down, PaintRole::Faster),
        ComparisonOutcome::Pass => (MarkShape::Full, PaintRole::Faster),
    })
}

fn failed() -> (MarkShape, PaintRole) {
    (MarkShape::Cross, PaintRole::Slower)
}

fn drawn((shape, role): (MarkShape, PaintRole)) -> String {
    let mut drawing = SvgDrawing::new(SIZE, "", "");
    marks::shape(&mut drawing, shape, DrawingPoint { x: SIZE.0 / 2.0, y: SIZE.1 / 2.0 }, role);
    drawing.render_hidden()
}
