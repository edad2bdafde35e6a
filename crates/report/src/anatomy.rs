//! What the time of a request went into: a sentence for every format, and a figure for the page.

use compare::Comparison;
use compare::anatomy::{ChangedPart, RequestAnatomy, RequestTime, TimePart};

use crate::figure::drawing::{DrawingBox, DrawingPoint, SvgDrawing, TextAnchor};
use crate::figure::paint::PaintRole;
use crate::page::view::{FigureView, TableColumn, TableView};
use crate::wording;

/// Width of the figure's bars, and height of each, in its own units.
const BAR: (f64, f64) = (640.0, 24.0);

/// Room for the name of a side, before its bar.
const LABEL: f64 = 64.0;

/// Where the key of each part begins, with room for its name and its change.
const KEYS: [f64; 4] = [0.0, 165.0, 305.0, 505.0];

/// Between both bars, and the height of the whole with its key.
const GAP: f64 = 8.0;
const HEIGHT: f64 = 2.0 * (BAR.1 + GAP) + 18.0;

/// Returns a sentence for each scenario whose change is in one part of the time.
pub(super) fn sentences(comparison: &Comparison) -> Vec<String> {
    comparison.anatomies.iter().filter_map(sentence).collect()
}

fn sentence(anatomy: &RequestAnatomy) -> Option<String> {
    let ChangedPart { part, part_ns, total_ns } = anatomy.changed?;
    let share = match part_ns / total_ns {
        1.0 => String::new(),
        // Another part has changed the other way.
        1.0.. => format!("with {} ", signed(part_ns)),
        _ => format!("of which {} ", units::time_ns(part_ns.abs())),
    };
    let (scenario, total) = (wording::quoted(&anatomy.scenario), signed(total_ns));
    Some(format!("{scenario}: {total} a request, {share}{}", meaning(part)))
}

/// A difference of times with its sign.
fn signed(ns: f64) -> String {
    let sign = if ns < 0.0 { '−' } else { '+' };
    format!("{sign}{}", units::time_ns(ns.abs()))
}

fn meaning(part: TimePart) -> &'static str {
    match part {
        TimePart::User => "in user space: it computes",
        TimePart::System => "in the system: calls, faults, copies",
        TimePart::Queued => "ready without a processor: other threads or processes have it",
        TimePart::Blocked => "blocked: it waits, and does not compute",
    }
}

fn name(part: TimePart) -> &'static str {
    match part {
        TimePart::User => "user space",
        TimePart::System => "system",
        TimePart::Queued => "ready, no processor",
        TimePart::Blocked => "blocked",
    }
}

/// Returns the figure of a scenario; nothing if its target was not watched.
pub(super) fn figure(comparison: &Comparison, scenario: &str) -> Option<FigureView> {
    let anatomy = comparison.anatomies.iter().find(|it| it.scenario == scenario)?;
    let name = format!("{}: what the time of a request went into", wording::quoted(scenario));
    let description = format!(
        "Base {}, head {}.",
        units::time_ns(anatomy.base.total_ns()),
        units::time_ns(anatomy.head.total_ns())
    );
    let mut drawing =
        SvgDrawing::new((LABEL + BAR.0, HEIGHT), &name.replace('`', ""), &description);
    draw(&mut drawing, anatomy);
    Some(FigureView {
        title: name,
        how: HOW.to_owned(),
        svg: drawing.render(),
        table: table(anatomy),
    })
}

const HOW: &str = "Means over the requests of a launch, medians over launch pairs; the change is the centre of the \
    differences within them. Computing and queueing are the \
    kernel's accounts of all threads of the target; the rest of the service time is blocked: in the target, on the \
    network or in the load generator.";

/// A bar for each side on one scale, and a key.
fn draw(drawing: &mut SvgDrawing, anatomy: &RequestAnatomy) {
    let scale = BAR.0 / anatomy.base.total_ns().max(anatomy.head.total_ns()).max(1.0);
    for (side, time, top) in
        [("base ○", &anatomy.base, 0.0), ("head ●", &anatomy.head, BAR.1 + GAP)]
    {
        let at = DrawingPoint { x: 0.0, y: top + 0.7 * BAR.1 };
        drawing.text(at, TextAnchor::Start, PaintRole::Text, side);
        bar(drawing, time, scale, top);
    }
    let top = 2.0 * (BAR.1 + GAP) + 4.0;
    for (part, offset) in TimePart::ALL.into_iter().zip(KEYS) {
        let left = LABEL + offset;
        let key = DrawingBox { x: left, y: top, width: 10.0, height: 10.0 };
        drawing.fill_box(key, role(part));
        let at = DrawingPoint { x: left + 15.0, y: top + 10.0 };
        let key = format!("{} {}", name(part), signed(anatomy.change.part(part)));
        drawing.text(at, TextAnchor::Start, PaintRole::Text, &key);
    }
}

fn bar(drawing: &mut SvgDrawing, time: &RequestTime, scale: f64, top: f64) {
    let mut left = LABEL;
    for part in TimePart::ALL {
        let width = time.part(part) * scale;
        drawing.fill_box(DrawingBox { x: left, y: top, width, height: BAR.1 }, role(part));
        left += width;
    }
}

fn role(part: TimePart) -> PaintRole {
    match part {
        TimePart::User => PaintRole::User,
        TimePart::System => PaintRole::System,
        TimePart::Queued => PaintRole::Queued,
        TimePart::Blocked => PaintRole::Blocked,
    }
}

fn table(anatomy: &RequestAnatomy) -> TableView {
    let line = |part: TimePart| {
        let time = |side: &RequestTime| units::time_ns(side.part(part));
        let change = signed(anatomy.change.part(part));
        vec![name(part).to_owned(), time(&anatomy.base), time(&anatomy.head), change]
    };
    TableView {
        caption: "Time of a request by part".to_owned(),
        columns: vec![
            TableColumn::Words("Part"),
            TableColumn::Numbers("Base"),
            TableColumn::Numbers("Head"),
            TableColumn::Numbers("Change"),
        ],
        rows: TimePart::ALL.into_iter().map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_and_its_largest_part_are_said() {
        let none = RequestTime { user_ns: 0.0, system_ns: 0.0, queued_ns: 0.0, blocked_ns: 0.0 };
        let said = |part, part_ns, total_ns| {
            let changed = Some(ChangedPart { part, part_ns, total_ns });
            let scenario = "smoke".to_owned();
            let sentence = sentence(&RequestAnatomy {
                scenario,
                base: none,
                head: none,
                change: none,
                changed,
            });
            sentence.unwrap().replace('`', "")
        };
        assert_eq!(
            said(TimePart::User, 1.1e6, 1.2e6),
            "smoke: +1.20 ms a request, of which 1.10 ms in user space: it computes"
        );
        assert_eq!(
            said(TimePart::User, -5e4, -5e4),
            "smoke: −50.0 µs a request, in user space: it computes"
        );
        assert_eq!(
            said(TimePart::User, 5e4, 2e4),
            "smoke: +20.0 µs a request, with +50.0 µs in user space: it computes"
        );
    }
}
