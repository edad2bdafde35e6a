//! The axis of the forest plot, and a row on it.

use std::fmt::Write as _;

use compare::decision::{Judgement, Verdict};

use crate::figure::drawing::{Coordinate, DrawingBox, DrawingPoint, SvgDrawing, TextAnchor};
use crate::figure::marks::{self, MarkShape};
use crate::figure::paint::PaintRole;
use crate::figure::scale::{self, LinearScale};

/// Memory takes all that is written.
const STRING: &str = "writing to a string does not fail";

/// Size of a row's picture.
const ROW: (f64, f64) = (340.0, 30.0);
/// Height of the interval and its mark in it, and of the launch pairs below, which they would hide.
const INTERVAL: f64 = 10.0;
const DOTS: f64 = 23.0;
/// Height of the axis at the head of the table.
const AXIS_HEIGHT: f64 = 34.0;
/// Room at both ends of the axis.
const MARGIN: f64 = 24.0;

/// What the name of a tick takes, with some room.
const NAME_WIDTH: f64 = 46.0;

/// What of a row is drawn. Logarithms are of head over base, above 0 worse.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AxisRow {
    pub(crate) tolerance_ln: f64,
    pub(crate) floor_ln: f64,
    /// Whether it decides.
    pub(crate) is_deciding: bool,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) judgement: Option<Judgement>,
    /// The differences of the launch pairs.
    pub(crate) differences_ln: Vec<f64>,
}

/// The axis that all rows share: logarithms of head over base, worse to the right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ForestAxis {
    scale: LinearScale,
    limit_ln: f64,
}

impl ForestAxis {
    /// Returns the axis that rows fit on.
    pub(crate) fn of(rows: &[AxisRow]) -> Self {
        let limit_ln = limit(rows);
        let scale = LinearScale::new((-limit_ln, limit_ln), (MARGIN, ROW.0 - MARGIN));
        Self { scale, limit_ln }
    }

    /// Returns the names of the axis, for the head of the table.
    pub(crate) fn head(&self) -> String {
        let mut drawing = SvgDrawing::new((ROW.0, AXIS_HEIGHT), "", "");
        let shares = self.ticks();
        let bottom = AXIS_HEIGHT - 5.0;
        let mut path = format!("M{} {bottom}v5", Coordinate(self.scale.at(0.0)));
        let mut name = |ln: f64, text: &str| {
            let at = DrawingPoint { x: self.scale.at(ln), y: bottom - 4.0 };
            drawing.text(at, TextAnchor::Middle, PaintRole::Text, text);
        };
        name(0.0, "0");
        for share in shares {
            let ln = share.ln_1p();
            name(ln, &format!("+{}\u{a0}%", share * 100.0));
            // Half as much is as far as twice as much, and has the name that it has: so the tolerance, which is as
            // wide on both sides, ends at the names of both.
            name(-ln, &format!("−{}\u{a0}%", two_digits(-(-ln).exp_m1() * 100.0)));
            for ln in [ln, -ln] {
                write!(path, "M{} {bottom}v5", Coordinate(self.scale.at(ln))).expect(STRING);
            }
        }
        drawing.path(&path, PaintRole::Grid, 1.0);
        let edge = |x| DrawingPoint { x, y: 11.0 };
        drawing.text(edge(2.0), TextAnchor::Start, PaintRole::Text, "← better");
        drawing.text(edge(ROW.0 - 2.0), TextAnchor::End, PaintRole::Text, "worse →");
        drawing.render_hidden()
    }

    /// The shares that are named: the largest inside, and a smaller one where both names have room.
    fn ticks(&self) -> Vec<f64> {
        let place = |share: f64| self.scale.at(share.ln_1p());
        let mut right = f64::INFINITY;
        let mut ticks = scale::change_ticks(self.limit_ln, 4);
        ticks.reverse();
        ticks.retain(|share| {
            let has_room = place(*share) - self.scale.at(0.0) >= NAME_WIDTH
                && right - place(*share) >= NAME_WIDTH;
            right = if has_room { place(*share) } else { right };
            has_room
        });
        ticks.truncate(2);
        ticks
    }

    /// Returns where the axis ends on both sides.
    pub(crate) fn limit_ln(&self) -> f64 {
        self.limit_ln
    }

    /// Returns one row; only the grid where there is no change to draw.
    pub(crate) fn row(&self, row: &AxisRow) -> String {
        let mut drawing = SvgDrawing::new(ROW, "", "");
        self.frame(&mut drawing, row);
        let Some(judgement) = &row.judgement else { return drawing.render_hidden() };
        let (shape, role) = look(row.verdict);
        if shape == MarkShape::Broken && judgement.mde_ln.is_finite() {
            let to = self.scale.at(judgement.mde_ln);
            marks::hatched(&mut drawing, self.scale.at(0.0), to, INTERVAL, PaintRole::Open);
        }
        let inside = row.differences_ln.iter().filter(|d| self.scale.holds(**d));
        let dots = inside.enumerate().map(|(i, d)| {
            // Spread over four heights, so that equal launch pairs do not hide each other.
            let y = DOTS + [-3.0, 1.0, -1.0, 3.0][i % 4];
            DrawingPoint { x: self.scale.at(*d), y }
        });
        drawing.dots(dots, PaintRole::Quiet, 2.6);
        self.change(&mut drawing, judgement, shape, role);
        drawing.render_hidden()
    }

    /// The tolerance, the floor and zero.
    fn frame(&self, drawing: &mut SvgDrawing, row: &AxisRow) {
        let (tolerance, floor) = (row.tolerance_ln, row.floor_ln);
        let zero = Coordinate(self.scale.at(0.0));
        let mut path = format!("M{zero} 0v{}", ROW.1);
        if row.is_deciding {
            let (left, right) = (self.scale.at(-tolerance), self.scale.at(tolerance));
            let band = DrawingBox { x: left, y: 0.0, width: right - left, height: ROW.1 };
            drawing.fill_box(band, PaintRole::Band);
            for floor in [-floor, floor].into_iter().filter(|floor| self.scale.holds(*floor)) {
                write!(path, "M{} {}v8", Coordinate(self.scale.at(floor)), INTERVAL - 4.0)
                    .expect(STRING);
            }
        }
        drawing.path(&path, PaintRole::Grid, 1.0);
        let ticks = self.ticks().into_iter();
        let ticks = ticks.flat_map(|share| [share.ln_1p(), -share.ln_1p()]);
        let lines = ticks.filter(|ln| self.scale.holds(*ln));
        let mut path = String::new();
        for ln in lines {
            write!(path, "M{} 0v{}", Coordinate(self.scale.at(ln)), ROW.1).expect(STRING);
        }
        drawing.dashed(&path, PaintRole::Grid, 0.6);
    }

    fn change(
        &self,
        drawing: &mut SvgDrawing,
        judgement: &Judgement,
        shape: MarkShape,
        role: PaintRole,
    ) {
        let Judgement { estimate_ln, low_ln, high_ln, .. } = *judgement;
        marks::interval(drawing, &self.scale, (low_ln, high_ln), INTERVAL, role);
        let x = self.scale.at(estimate_ln);
        marks::shape(drawing, shape, DrawingPoint { x, y: INTERVAL }, role);
        if !self.scale.holds(estimate_ln) {
            // Beyond the edge: an arrow, and the number inside.
            let (left, right) = self.scale.places();
            let change = units::change(estimate_ln);
            let (x, anchor, text) = if estimate_ln > 0.0 {
                (right - 10.0, TextAnchor::End, format!("{change} →"))
            } else {
                (left + 10.0, TextAnchor::Start, format!("← {change}"))
            };
            drawing.text(DrawingPoint { x, y: INTERVAL + 17.0 }, anchor, role, &text);
        }
    }
}

/// A percentage with two digits, and without those that are zero.
fn two_digits(percent: f64) -> f64 {
    let scale = 10_f64.powf(1.0 - percent.log10().floor());
    (percent * scale).round() / scale
}

/// The shape and the colour of a verdict.
fn look(verdict: Option<Verdict>) -> (MarkShape, PaintRole) {
    match verdict {
        Some(Verdict::Regressed) => (MarkShape::Up, PaintRole::Slower),
        Some(Verdict::Improved) => (MarkShape::Down, PaintRole::Faster),
        Some(Verdict::Unchanged) => (MarkShape::Full, PaintRole::Same),
        Some(Verdict::Inconclusive) => (MarkShape::Broken, PaintRole::Open),
        None => (MarkShape::Hollow, PaintRole::Quiet),
    }
}

/// Where the axis ends: all that changed is inside if it can be, and the tolerances of most rows are wide
/// enough to be seen. What is left out has an arrow with its number.
fn limit(rows: &[AxisRow]) -> f64 {
    const LIMIT_LN_MAX: f64 = 0.7;
    const TOLERANCE_USUAL: f64 = 0.03;
    let deciding: Vec<&AxisRow> = rows.iter().filter(|row| row.verdict.is_some()).collect();
    let mut tolerances: Vec<f64> = deciding.iter().map(|row| row.tolerance_ln).collect();
    tolerances.sort_by(f64::total_cmp);
    let usual = tolerances.get(tolerances.len() / 2).copied().unwrap_or(TOLERANCE_USUAL);
    let reach = |row: &&AxisRow| {
        let judgement = row.judgement?;
        let limits = [judgement.low_ln.abs(), judgement.high_ln.abs()];
        limits.into_iter().filter(|limit| limit.is_finite()).reduce(f64::max)
    };
    // By its interval alone: one that the family does not let decide is no less far away.
    let is_changed = |row: &&&AxisRow| {
        let beyond = |it: Judgement| it.low_ln > row.floor_ln || it.high_ln < -row.floor_ln;
        row.judgement.is_some_and(beyond)
    };
    let changed = deciding.iter().filter(is_changed).filter_map(reach).fold(0.0, f64::max);
    let mut all: Vec<f64> = deciding.iter().filter_map(reach).collect();
    all.sort_by(f64::total_cmp);
    let most = all.get(all.len() * 3 / 4).copied().unwrap_or(0.0);
    (usual * 2.0).max(most.min(usual * 6.0)).max(changed).min(LIMIT_LN_MAX) * 1.1
}

/// Returns how to read the plot.
pub(crate) fn key() -> String {
    let mark = |shape, role| {
        let mut drawing = SvgDrawing::new((16.0, 14.0), "", "");
        marks::shape(&mut drawing, shape, DrawingPoint { x: 8.0, y: 7.0 }, role);
        drawing.render_hidden()
    };
    format!(
        "<p class=\"how key\">Further right is worse. {} slower {} faster {} unchanged {} can't tell {} does not decide · small dots: \
         launch pairs · bar: interval · shaded: tolerance · short ticks: floor · hatched: changes too small to be \
         seen in this noise</p>\n",
        mark(MarkShape::Up, PaintRole::Slower),
        mark(MarkShape::Down, PaintRole::Faster),
        mark(MarkShape::Full, PaintRole::Same),
        mark(MarkShape::Broken, PaintRole::Open),
        mark(MarkShape::Hollow, PaintRole::Quiet),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict, low_ln: f64, high_ln: f64) -> AxisRow {
        let estimate_ln = f64::midpoint(low_ln, high_ln);
        let judgement = Judgement {
            verdict,
            before: Verdict::Inconclusive,
            estimate_ln,
            is_one_machine: false,
            low_ln,
            high_ln,
            p_slower: 1.0,
            p_faster: 1.0,
            p_unchanged: 1.0,
            mde_ln: 0.04,
            visible_ln: 0.05,
            spread_ln: 0.01,
            sample: 10,
        };
        AxisRow {
            tolerance_ln: 0.03,
            floor_ln: 0.01,
            is_deciding: true,
            verdict: Some(verdict),
            judgement: Some(judgement),
            differences_ln: vec![estimate_ln; 10],
        }
    }

    #[test]
    fn what_changed_is_inside_and_what_is_wide_does_not_squash_it() {
        let unchanged = row(Verdict::Unchanged, -0.004, 0.003);
        let alone = ForestAxis::of(std::slice::from_ref(&unchanged));
        assert!((alone.limit_ln() - 0.066).abs() < 1e-9, "{alone:?}");
        let slower = row(Verdict::Regressed, 0.09, 0.11);
        assert!(ForestAxis::of(&[unchanged.clone(), slower]).scale.holds(0.11));
        let wide = row(Verdict::Inconclusive, -0.5, 0.9);
        let calm = vec![unchanged; 5];
        let few = ForestAxis::of(&[calm, vec![wide.clone()]].concat());
        assert!(few.limit_ln() < 0.1, "{few:?}");
        assert!(few.row(&wide).contains("→</text>"), "it has an arrow and its number");
    }

    #[test]
    fn names_of_the_axis_do_not_touch_on_an_axis_of_any_length() {
        for thousandths in 20..800 {
            let limit_ln = f64::from(thousandths) / 1e3;
            let scale = LinearScale::new((-limit_ln, limit_ln), (MARGIN, ROW.0 - MARGIN));
            let axis = ForestAxis { scale, limit_ln };
            let mut places: Vec<f64> =
                axis.ticks().iter().map(|share| axis.scale.at(share.ln_1p())).collect();
            places.push(axis.scale.at(0.0));
            places.sort_by(f64::total_cmp);
            assert!(places.len() > 1, "{limit_ln} has no name but 0");
            assert!(
                places.windows(2).all(|it| it[1] - it[0] >= NAME_WIDTH),
                "{limit_ln}: {places:?}"
            );
        }
    }

    #[test]
    fn the_tolerance_ends_where_the_axis_names_it_on_both_sides() {
        let wide =
            AxisRow { tolerance_ln: 0.05_f64.ln_1p(), ..row(Verdict::Unchanged, -0.01, 0.01) };
        let axis = ForestAxis::of(std::slice::from_ref(&wide));
        let band = |ln: f64| format!("{}", Coordinate(axis.scale.at(ln)));
        let (head, svg) = (axis.head(), axis.row(&wide));
        assert!(head.contains("+5\u{a0}%") && head.contains("−4.8\u{a0}%"), "{head}");
        for ln in [wide.tolerance_ln, -wide.tolerance_ln] {
            assert!(head.contains(&format!("M{} ", band(ln))), "{head}");
            assert!(svg.contains(&format!("M{} 0v", band(ln))), "{svg}");
        }
    }

    #[test]
    fn limits_that_are_infinite_are_drawn_to_the_edge() {
        let open = row(Verdict::Inconclusive, f64::NEG_INFINITY, f64::INFINITY);
        let axis = ForestAxis::of(std::slice::from_ref(&open));
        assert!(axis.limit_ln().is_finite());
        let svg = axis.row(&AxisRow {
            judgement: open.judgement.map(|it| Judgement { estimate_ln: 0.0, ..it }),
            ..open
        });
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
