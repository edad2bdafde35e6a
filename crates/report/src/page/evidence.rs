//! How the evidence came about: estimate and wealth after each launch pair, with the coins below.

use compare::evidence_path::{EvidencePath, EvidencePoint};
use compare::{Comparison, MetricResult};
use record::Side;

use super::focus;
use super::view::{FigureView, TableColumn, TableView};
use crate::figure::axis::{self, AxisTick};
use crate::figure::drawing::{Coordinate, DrawingBox, DrawingPoint, SvgDrawing, TextAnchor};
use crate::figure::marks::{self, MarkShape};
use crate::figure::paint::PaintRole;
use crate::figure::scale::LinearScale;
use crate::wording::{self, quoted};

const SIZE: (f64, f64) = (720.0, 310.0);
/// Left edge of the plots, with room for names of ticks.
const LEFT: f64 = 68.0;
/// The interval's plot, the wealth's, and the height of the coins: upper and lower edges.
const CHANGE: (f64, f64) = (18.0, 132.0);
const WEALTH: (f64, f64) = (166.0, 246.0);
const COINS: f64 = 270.0;

/// Rows of numbers beyond which only every so many launch pairs are listed.
const LISTED_MAX: usize = 40;

/// Returns a figure for each of the rows that a reader asks about first.
pub(crate) fn figures(comparison: &Comparison) -> Vec<FigureView> {
    let rows = focus::evidence_rows(comparison);
    let paths = comparison.evidence.paths(&rows);
    let drawn = rows.into_iter().zip(paths).filter_map(|(row, path)| Some((row, path?)));
    // A path of one point is no path.
    let drawn = drawn.filter(|(_, path)| path.points.len() > 1);
    drawn.map(|(row, path)| figure(row, &path)).collect()
}

fn figure(row: &MetricResult, path: &EvidencePath) -> FigureView {
    let name = format!("{} {}: evidence over launch pairs", quoted(&row.subject()), row.label());
    let last = path.points.last().expect("a path has points");
    let description = format!(
        "After {} launch pairs the change is {}, interval {}.",
        path.launch_pairs,
        units::change(last.estimate_ln),
        units::interval(last.low_ln, last.high_ln)
    );
    let mut drawing = SvgDrawing::new(SIZE, &name.replace('`', ""), &description);
    let count = path.points.iter().map(|point| point.number).max().unwrap_or(1);
    let ends = (LEFT + 10.0, SIZE.0 - 12.0);
    let across = LinearScale::new((0.5, count as f64 + 0.5), ends);
    changes(&mut drawing, &across, row, path);
    wealths(&mut drawing, &across, path);
    coins(&mut drawing, &across, path);
    FigureView { title: name, how: HOW.to_owned(), svg: drawing.render(), table: table(row, path) }
}

const HOW: &str = "Above: each launch pair as a dot, the estimate after it as a line, its interval as a bar; worse is \
    up. Below: the evidence as odds, of slower ▲, faster ▼ and within the tolerance ●; a verdict falls \
    at the dashed line. ○ the coin put base first, ● head; an upright line is where another attempt begins. Without a \
    bar the interval has no end yet.";

/// Launch pairs, estimates and intervals.
fn changes(
    drawing: &mut SvgDrawing,
    across: &LinearScale,
    row: &MetricResult,
    path: &EvidencePath,
) {
    let scale = change_scale(row, path);
    let (tolerance, floor) = (row.rule.tolerance.ln(), row.rule.floor.ln());
    let (left, right) = across.places();
    let band = (scale.at(tolerance), scale.at(-tolerance));
    let band = DrawingBox { x: left, y: band.0, width: right - left, height: band.1 - band.0 };
    drawing.fill_box(band, PaintRole::Band);
    let ticks = axis::named(&scale.round_changes(4), units::change);
    axis::left(drawing, &scale, &ticks, (left, right));
    for floor in [floor, -floor] {
        let y = Coordinate(scale.at(floor));
        drawing.dashed(&format!("M{left} {y}H{right}"), PaintRole::Grid, 1.0);
    }
    let bounded = |it: &&EvidencePoint| it.low_ln.is_finite() && it.high_ln.is_finite();
    for point in path.points.iter().filter(bounded) {
        let x = across.at(point.number as f64);
        marks::upright_interval(drawing, &scale, (point.low_ln, point.high_ln), x, PaintRole::Head);
    }
    let at = |point: &EvidencePoint, ln: f64| DrawingPoint {
        x: across.at(point.number as f64),
        y: scale.at(ln),
    };
    let line = path.points.iter().map(|point| Some(at(point, point.estimate_ln)));
    drawing.line(line, PaintRole::Head, 1.6);
    let dots = path.points.iter().filter(|point| scale.holds(point.difference_ln));
    drawing.rings(dots.map(|point| at(point, point.difference_ln)), PaintRole::Base, 3.0);
    let title = DrawingPoint { x: left, y: CHANGE.0 - 6.0 };
    drawing.text(title, TextAnchor::Start, PaintRole::Text, "change and its interval");
}

/// From the farthest launch pair or limit to the other, without those that are far off.
fn change_scale(row: &MetricResult, path: &EvidencePath) -> LinearScale {
    let last = path.points.last().expect("a path has points");
    let tolerance = row.rule.tolerance.ln();
    let spread = (last.high_ln - last.low_ln).min(1.0);
    let spread = if spread.is_finite() { spread } else { tolerance };
    let near = |ln: &f64| (ln - last.estimate_ln).abs() <= (4.0 * spread).max(2.0 * tolerance);
    let all = path.points.iter().flat_map(|it| [it.difference_ln, it.low_ln, it.high_ln]);
    let all = all.filter(near).chain([tolerance, -tolerance]);
    LinearScale::around(all, (CHANGE.1, CHANGE.0))
}

/// The wealths as odds on a logarithmic axis.
fn wealths(drawing: &mut SvgDrawing, across: &LinearScale, path: &EvidencePath) {
    let (left, right) = across.places();
    let digits = |ln: f64| (ln / std::f64::consts::LN_10).clamp(-2.0, 12.0);
    let needed = digits(path.needed_ln);
    let all = path.points.iter().flat_map(|it| [it.slower_ln, it.faster_ln, it.unchanged_ln]);
    let highest = all.map(digits).fold(needed, f64::max);
    let scale = LinearScale::new((-1.0, highest + 0.4), (WEALTH.1, WEALTH.0));
    let ticks: Vec<f64> = scale.ticks(3).into_iter().filter(|it| it.fract() == 0.0).collect();
    let named = ticks.into_iter().map(|value| AxisTick { value, name: odds(value) });
    let ticks: Vec<AxisTick> = named.collect();
    axis::left(drawing, &scale, &ticks, (left, right));
    let y = Coordinate(scale.at(needed));
    drawing.dashed(&format!("M{left} {y}H{right}"), PaintRole::Same, 1.4);
    let of = |it: &EvidencePoint, role| match role {
        PaintRole::Slower => it.slower_ln,
        PaintRole::Faster => it.faster_ln,
        _ => it.unchanged_ln,
    };
    for (role, shape) in [
        (PaintRole::Same, MarkShape::Full),
        (PaintRole::Faster, MarkShape::Down),
        (PaintRole::Slower, MarkShape::Up),
    ] {
        let at = |it: &EvidencePoint| DrawingPoint {
            x: across.at(it.number as f64),
            y: scale.at(digits(of(it, role))),
        };
        drawing.line(path.points.iter().map(|it| Some(at(it))), role, 1.8);
        let last = path.points.last().expect("a path has points");
        marks::shape(drawing, shape, at(last), role);
    }
    let title = DrawingPoint { x: left, y: WEALTH.0 - 6.0 };
    let text = format!("evidence; a verdict needs {}, dashed", odds(needed));
    drawing.text(title, TextAnchor::Start, PaintRole::Text, &text);
}

/// Decimal digits of odds as a reader writes them.
fn odds(digits: f64) -> String {
    let odds = 10.0_f64.powf(digits.abs());
    // Without decimals: `11.0 : 1` would claim what no evidence has.
    let odds = if odds < 9_999.5 { format!("{odds:.0}") } else { units::count(odds) };
    if digits < 0.0 { format!("1 : {odds}") } else { format!("{odds} : 1") }
}

/// Which side came first, and where attempts begin.
fn coins(drawing: &mut SvgDrawing, across: &LinearScale, path: &EvidencePath) {
    let of = |side: Side| {
        let points = path.points.iter().filter(move |it| it.origin.first == side);
        points.map(|it| DrawingPoint { x: across.at(it.number as f64), y: COINS })
    };
    drawing.rings(of(Side::Base), PaintRole::Base, 3.6);
    drawing.dots(of(Side::Head), PaintRole::Head, 8.0);
    let (left, _) = across.places();
    let label = DrawingPoint { x: left - 6.0, y: COINS + 4.0 };
    drawing.text(label, TextAnchor::End, PaintRole::Text, "first");
    let mut attempt = path.points.first().map_or(1, |it| it.origin.attempt);
    for point in &path.points {
        if point.origin.attempt != attempt {
            attempt = point.origin.attempt;
            let x = Coordinate(across.at(point.number as f64 - 0.5));
            let path = format!("M{x} {}V{}", CHANGE.0, COINS + 8.0);
            drawing.dashed(&path, PaintRole::Text, 1.0);
        }
    }
    let count = path.points.len();
    let every = count.div_ceil(12).max(1);
    let shown = path.points.iter().filter(|it| it.number == 1 || it.number % every == 0);
    for point in shown {
        let at = DrawingPoint { x: across.at(point.number as f64), y: COINS + 22.0 };
        drawing.text(at, TextAnchor::Middle, PaintRole::Text, &point.number.to_string());
    }
}

fn table(row: &MetricResult, path: &EvidencePath) -> TableView {
    let count = path.points.len();
    let every = count.div_ceil(LISTED_MAX);
    let listed = path.points.iter().enumerate().filter(|(i, _)| i % every == 0 || i + 1 == count);
    let line = |(_, it): (usize, &EvidencePoint)| {
        vec![
            it.number.to_string(),
            format!("{}, machine {}", it.origin.attempt, it.origin.machine),
            it.origin.first.name().to_owned(),
            units::change(it.difference_ln),
            units::change(it.estimate_ln),
            units::interval(it.low_ln, it.high_ln),
            odds(it.slower_ln / std::f64::consts::LN_10),
            odds(it.unchanged_ln / std::f64::consts::LN_10),
        ]
    };
    TableView {
        caption: format!(
            "{} {} after each launch pair; above 0 is worse",
            quoted(&row.subject()),
            row.label()
        ),
        columns: vec![
            TableColumn::Numbers("Launch pair"),
            TableColumn::Words("Attempt"),
            TableColumn::Words("First"),
            TableColumn::Numbers("Its own"),
            TableColumn::Numbers("Estimate"),
            TableColumn::Numbers("Interval, %"),
            TableColumn::Numbers("Slower"),
            TableColumn::Numbers("Within tolerance"),
        ],
        rows: listed.map(line).collect(),
    }
}

/// Returns how the launch pairs were ordered and where they ran, in a sentence; nothing without any.
pub(crate) fn order(comparison: &Comparison) -> Option<String> {
    let basis = &comparison.evidence;
    let last = basis.launch_pairs.last()?;
    let machines = basis.launch_pairs.iter().map(|it| it.machine).max()?;
    let coins = basis.coins();
    let attempts = match last.attempt {
        1 => "in one attempt".to_owned(),
        number => format!("in {number} attempts"),
    };
    let machines = units::text::plural(machines, "machine");
    Some(format!(
        "The coin put base first in {} launch pairs and head first in {}, {attempts} on {machines}; {}",
        coins.base,
        coins.head,
        wording::seed(comparison),
    ))
}
