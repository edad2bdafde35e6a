//! What both sides did over the run, with the machine's noise below on the same axis.

use std::fmt::Write as _;

use compare::Comparison;
use compare::timeline::{LaunchReading, LaunchTimeline, MemoryTrace, TimelinePair};
use record::Side;
use units::Ratio;

use super::view::{FigureView, TableColumn, TableView};
use crate::figure::axis;
use crate::figure::drawing::{Coordinate, DrawingBox, DrawingPoint, SvgDrawing, TextAnchor};
use crate::figure::paint::PaintRole;
use crate::figure::scale::LinearScale;
use crate::wording::quoted;

/// Memory takes all that is written.
const STRING: &str = "writing to a string does not fail";

const SIZE: (f64, f64) = (720.0, 330.0);
const LEFT: f64 = 64.0;
/// Upper and lower edges of the plots: times, CPU time, noise.
const TIMES: (f64, f64) = (20.0, 128.0);
const CPU: (f64, f64) = (164.0, 228.0);
const NOISE: (f64, f64) = (262.0, 300.0);
/// The share of the time under load that fills the strip of noise, at least.
const NOISE_MIN: f64 = 0.01;
/// Rows of numbers at most.
const LISTED_MAX: usize = 40;

/// Returns the figure of a scenario; nothing of fewer than two launches.
pub(crate) fn figure(comparison: &Comparison, scenario: &str) -> Option<FigureView> {
    let timeline = comparison.timelines.iter().find(|it| it.scenario == scenario)?;
    if timeline.launches.len() < 2 {
        return None;
    }
    let name = format!("{}: over time", quoted(scenario));
    let worst = timeline.launches.iter().map(noise).fold(0.0, f64::max);
    let description = format!(
        "{} in order; at most {} of a launch's time was stolen or throttled.",
        units::text::plural(timeline.launches.len(), "launch pair"),
        Ratio((worst * 1e3).round() / 1e3)
    );
    let mut drawing = SvgDrawing::new(SIZE, &name.replace('`', ""), &description);
    draw(&mut drawing, timeline);
    Some(FigureView {
        title: name,
        how: if timeline.launches.iter().any(|it| it.base.is_some()) { HOW } else { HOW_ALONE }
            .to_owned(),
        svg: drawing.render(),
        table: table(timeline),
    })
}

const HOW: &str = "One clock: launch pair by launch pair, and within each slice by slice. Base ○ and head ●. A spike \
    that both sides have, above a bar of time that the host stole or a quota took away, is the machine's.";

const HOW_ALONE: &str = "One clock: launch by launch, and within each slice by slice. A spike above a bar of time that \
    the host stole or a quota took away is the machine's.";

/// The share of a launch pair's time that others took.
fn noise(pair: &TimelinePair) -> f64 {
    let of =
        |reading: &LaunchReading| reading.stolen.unwrap_or(0.0) + reading.throttled.unwrap_or(0.0);
    // Both launches are alive together: what one has seen the other has as well.
    pair.base.as_ref().map_or(0.0, of).max(of(&pair.head))
}

fn draw(drawing: &mut SvgDrawing, timeline: &LaunchTimeline) {
    let count = timeline.launches.len() as f64;
    let across = LinearScale::new((0.0, count), (LEFT + 10.0, SIZE.0 - 12.0));
    times(drawing, timeline, &across);
    cpu(drawing, timeline, &across);
    strip(drawing, timeline, &across);
    let (left, _) = across.places();
    for (text, y) in [
        ("time of a request", TIMES.0),
        ("CPU time of a request", CPU.0),
        ("stolen or throttled", NOISE.0),
    ] {
        let at = DrawingPoint { x: left, y: y - 7.0 };
        drawing.text(at, TextAnchor::Start, PaintRole::Text, text);
    }
    let every = timeline.launches.len().div_ceil(12).max(1);
    for number in (1..=timeline.launches.len()).filter(|n| *n == 1 || n % every == 0) {
        let at = DrawingPoint { x: across.at(number as f64 - 0.5), y: NOISE.1 + 18.0 };
        drawing.text(at, TextAnchor::Middle, PaintRole::Text, &number.to_string());
    }
}

/// A launch of each pair, with the place of the pair.
fn readings(timeline: &LaunchTimeline, side: Side) -> impl Iterator<Item = (f64, &LaunchReading)> {
    timeline.launches.iter().enumerate().filter_map(move |(place, pair)| {
        let reading = match side {
            Side::Base => pair.base.as_ref(),
            Side::Head => Some(&pair.head),
        };
        Some((place as f64, reading?))
    })
}

fn times(drawing: &mut SvgDrawing, timeline: &LaunchTimeline, across: &LinearScale) {
    let all: Vec<f64> = [Side::Base, Side::Head]
        .into_iter()
        .flat_map(|side| readings(timeline, side))
        .flat_map(|(_, reading)| reading.slices_ns.iter().copied())
        .collect();
    let scale = LinearScale::around(without_outliers(all), (TIMES.1, TIMES.0));
    let ticks = axis::named(&scale.ticks(4), units::time_ns);
    axis::left(drawing, &scale, &ticks, across.places());
    for (side, role) in [(Side::Base, PaintRole::Base), (Side::Head, PaintRole::Head)] {
        let slices = readings(timeline, side).flat_map(|(place, reading)| {
            let count = reading.slices_ns.len() as f64;
            let at = move |(i, ns): (usize, &f64)| (place + (i as f64 + 0.5) / count, *ns);
            reading.slices_ns.iter().enumerate().map(at)
        });
        let dots = slices.map(|(x, ns)| DrawingPoint { x: across.at(x), y: scale.at(ns) });
        drawing.dots(dots, role, 2.6);
        let mut means = String::new();
        for (place, reading) in readings(timeline, side) {
            let (from, to) = (across.at(place + 0.06), across.at(place + 0.94));
            let y = Coordinate(scale.at(reading.mean_ns));
            write!(means, "M{} {y}H{}", Coordinate(from), Coordinate(to)).expect(STRING);
        }
        drawing.path(&means, role, 2.2);
    }
}

/// Values without those so high that the rest would be a line; they are drawn at the edge.
fn without_outliers(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    let usual = values.get(values.len() * 95 / 100).copied().unwrap_or(0.0);
    values.retain(|value| *value <= usual * 1.6);
    values
}

fn cpu(drawing: &mut SvgDrawing, timeline: &LaunchTimeline, across: &LinearScale) {
    let points = |side| {
        let of = |(place, reading): (f64, &LaunchReading)| Some((place + 0.5, reading.cpu_ns?));
        readings(timeline, side).filter_map(of).collect::<Vec<_>>()
    };
    let (base, head) = (points(Side::Base), points(Side::Head));
    let all = base.iter().chain(&head).map(|(_, ns)| *ns);
    let scale = LinearScale::around(all, (CPU.1, CPU.0));
    if head.is_empty() {
        let at = DrawingPoint { x: across.places().0 + 8.0, y: f64::midpoint(CPU.0, CPU.1) };
        drawing.text(
            at,
            TextAnchor::Start,
            PaintRole::Text,
            "not known of a process that is not ours",
        );
        return;
    }
    let ticks = axis::named(&scale.ticks(3), units::time_ns);
    axis::left(drawing, &scale, &ticks, across.places());
    let at = |(x, ns): &(f64, f64)| DrawingPoint { x: across.at(*x), y: scale.at(*ns) };
    drawing.line(base.iter().map(|it| Some(at(it))), PaintRole::Base, 1.2);
    drawing.line(head.iter().map(|it| Some(at(it))), PaintRole::Head, 1.2);
    drawing.rings(base.iter().map(at), PaintRole::Base, 3.6);
    drawing.dots(head.iter().map(at), PaintRole::Head, 6.5);
}

fn strip(drawing: &mut SvgDrawing, timeline: &LaunchTimeline, across: &LinearScale) {
    let shares: Vec<f64> = timeline.launches.iter().map(noise).collect();
    let highest = shares.iter().copied().fold(NOISE_MIN, f64::max);
    let scale = LinearScale::new((0.0, highest), (NOISE.1, NOISE.0));
    let percent = |share: f64| Ratio((share * 1e4).round() / 1e4).to_string();
    let ticks = axis::named(&[0.0, highest], percent);
    axis::left(drawing, &scale, &ticks, across.places());
    for (place, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        let (from, to) = (across.at(place as f64 + 0.1), across.at(place as f64 + 0.9));
        let top = scale.at(*share);
        let bar = DrawingBox { x: from, y: top, width: to - from, height: NOISE.1 - top };
        drawing.fill_box(bar, PaintRole::Queued);
    }
}

fn table(timeline: &LaunchTimeline) -> TableView {
    let count = timeline.launches.len();
    let every = count.div_ceil(LISTED_MAX);
    let share = |share: f64| Ratio((share * 1e4).round() / 1e4).to_string();
    let time = |ns: Option<f64>| ns.map_or_else(|| "–".to_owned(), units::time_ns);
    let line = |(place, pair): (usize, &TimelinePair)| {
        let base = pair.base.as_ref();
        let preempted = pair.head.preempted_per_s;
        vec![
            (place + 1).to_string(),
            time(base.map(|it| it.mean_ns)),
            units::time_ns(pair.head.mean_ns),
            time(base.and_then(|it| it.cpu_ns)),
            time(pair.head.cpu_ns),
            share(noise(pair)),
            preempted.map_or_else(|| "–".to_owned(), |per_s| format!("{}/s", units::count(per_s))),
        ]
    };
    let listed = timeline.launches.iter().enumerate().step_by(every);
    TableView {
        caption: "Means of a request by launch pair, and what the machine did".to_owned(),
        columns: vec![
            TableColumn::Numbers("Launch pair"),
            TableColumn::Numbers("Base"),
            TableColumn::Numbers("Head"),
            TableColumn::Numbers("Base, CPU"),
            TableColumn::Numbers("Head, CPU"),
            TableColumn::Numbers("Stolen, throttled"),
            TableColumn::Numbers("Head preempted"),
        ],
        rows: listed.map(line).collect(),
    }
}

/// Returns the figure of memory over the time of a launch, where a limit is on its growth.
pub(crate) fn memory(comparison: &Comparison, scenario: &str) -> Option<FigureView> {
    let timeline = comparison.timelines.iter().find(|it| it.scenario == scenario)?;
    let traces = &timeline.memory;
    if traces.iter().all(|it| it.points.len() < 2) {
        return None;
    }
    let name = format!("{}: memory over the last launch", quoted(scenario));
    let said: Vec<String> = traces.iter().map(growth).collect();
    let mut drawing =
        SvgDrawing::new((SIZE.0, 190.0), &name.replace('`', ""), &format!("{}.", said.join("; ")));
    draw_memory(&mut drawing, traces);
    let line = |trace: &MemoryTrace| {
        let bytes = |point: Option<&(f64, f64)>| {
            point.map_or_else(|| "–".to_owned(), |(_, bytes)| units::bytes(*bytes))
        };
        let slope = trace.slope.map_or_else(|| "–".to_owned(), per_s);
        let name = trace.side.name().to_owned();
        vec![name, bytes(trace.points.first()), bytes(trace.points.last()), slope]
    };
    let sides = if traces.len() > 1 { " of base (thin) and head (bold)" } else { "" };
    Some(FigureView {
        title: name,
        how: format!(
            "Resident memory{sides}. The growth is that of the second half, once pools are filled; its line is dashed."
        ),
        svg: drawing.render(),
        table: TableView {
            caption: "Resident memory".to_owned(),
            columns: vec![
                TableColumn::Words("Side"),
                TableColumn::Numbers("At the beginning"),
                TableColumn::Numbers("At the end"),
                TableColumn::Numbers("Growth"),
            ],
            rows: traces.iter().map(line).collect(),
        },
    })
}

fn growth(trace: &MemoryTrace) -> String {
    let slope = trace
        .slope
        .map_or_else(|| "by too little to tell".to_owned(), |it| format!("by {}", per_s(it)));
    format!("{} grew {slope}", trace.side.name())
}

fn per_s(bytes: f64) -> String {
    format!("{}/s", units::bytes(bytes))
}

fn draw_memory(drawing: &mut SvgDrawing, traces: &[MemoryTrace]) {
    const PLOT: (f64, f64) = (14.0, 154.0);
    let points = || traces.iter().flat_map(|it| it.points.iter().copied());
    let across = LinearScale::around(points().map(|it| it.0), (LEFT + 10.0, SIZE.0 - 12.0));
    let scale = LinearScale::around(points().map(|it| it.1), (PLOT.1, PLOT.0));
    axis::left(drawing, &scale, &axis::named(&scale.ticks(4), units::bytes), across.places());
    let seconds = axis::named(&across.ticks(8), |s| units::time_ns(s * 1e9));
    axis::bottom(drawing, &across, &seconds, PLOT);
    let at = |(x, bytes): (f64, f64)| DrawingPoint { x: across.at(x), y: scale.at(bytes) };
    for trace in traces {
        let (role, width) = match trace.side {
            Side::Base => (PaintRole::Base, 1.2),
            Side::Head => (PaintRole::Head, 2.2),
        };
        drawing.line(trace.points.iter().map(|it| Some(at(*it))), role, width);
        let settled = &trace.points[trace.points.len() / 2..];
        if let (Some(slope), Some(first), Some(last)) =
            (trace.slope, settled.first(), settled.last())
        {
            // Through the middle of the half that it is the slope of.
            let middle = settled[settled.len() / 2];
            let on_line = |x: f64| (x, middle.1 + slope * (x - middle.0));
            let (from, to) = (at(on_line(first.0)), at(on_line(last.0)));
            let [x, y, to_x, to_y] = [from.x, from.y, to.x, to.y].map(Coordinate);
            drawing.dashed(&format!("M{x} {y}L{to_x} {to_y}"), PaintRole::Slower, 1.6);
        }
    }
}
