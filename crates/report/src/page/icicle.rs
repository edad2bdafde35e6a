//! Call stacks of both builds, mirrored around a common axis.
//!
//! Base grows up, head down; a function has one place for both, as wide as the larger side needs. So a frame
//! that is gone has its width above, one that appeared below, and what did not change is symmetric.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use compare::InstructionBreakdown;
use record::bounds::{PAGE_FRAMES_MAX, PAGE_STACKS_BYTES_MAX, STACKS_BYTES_MAX};
use record::instruction_counts::{self, StackLines, StacksError};

use super::view::{FigureView, TableColumn, TableView};
use crate::figure::drawing::{Coordinate, DrawingBox, DrawingPoint, SvgDrawing, TextAnchor};
use crate::figure::paint::PaintRole;
use crate::functions;
use crate::markup::escaped;
use crate::wording::quoted;

const WIDTH: f64 = 1000.0;
/// Height of a frame.
const FRAME: f64 = 18.0;
/// Height of the strip between both sides.
const AXIS: f64 = 22.0;
/// Narrower frames are left out.
const WIDTH_MIN: f64 = 2.0;
/// Callers that are kept apart; what is deeper counts for the deepest of them.
const DEPTH_MAX: usize = 48;
/// How the element of a frame begins, by which the script finds it.
pub(crate) const FRAME_MARK: &str = "<g data-w=";
/// Columns that a letter takes.
const LETTER: f64 = 6.6;
/// Changes of a frame below this share of the whole are the counter's own scatter.
const CHANGE_MIN: f64 = 0.001;
/// Frames in the table.
const LISTED_MAX: usize = 25;
/// Letters of a function's name beside its frame.
const NAME_CHARS_MAX: usize = 400;

/// What the call stacks of a page may still take. It is one for all scenarios: a record that is within
/// its bounds could hold 3 GB of stacks, packed.
#[derive(Debug)]
pub(crate) struct StackRoom {
    bytes: u64,
    frames: usize,
}

impl StackRoom {
    /// The room of a page.
    pub(crate) const PAGE: Self = Self { bytes: PAGE_STACKS_BYTES_MAX, frames: PAGE_FRAMES_MAX };

    /// Unpacks stacks; nothing if there is no room for them, nor for any that follow.
    fn unpack(&mut self, packed: &str) -> Result<StackLines, StackObstacle> {
        let bytes_max = self.bytes.min(STACKS_BYTES_MAX);
        match instruction_counts::unpack(packed, bytes_max) {
            Ok(lines) => {
                self.bytes -= lines.bytes();
                Ok(lines)
            }
            // As much was unpacked to see that.
            Err(StacksError::TooLarge { .. }) => {
                self.bytes -= bytes_max;
                Err(StackObstacle::NoRoom)
            }
            Err(_) => Err(StackObstacle::NoStacks),
        }
    }
}

/// Why there is no picture of a scenario's stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StackObstacle {
    /// There are none, or they cannot be read.
    NoStacks,
    /// They are more than a page may have.
    NoRoom,
}

impl StackObstacle {
    /// What is shown in their place.
    pub(crate) fn sentence(self) -> Option<String> {
        let bytes = units::bytes(units::exact(PAGE_STACKS_BYTES_MAX));
        match self {
            Self::NoStacks => None,
            Self::NoRoom => Some(format!(
                "its call stacks are not drawn: those of a page have at most {bytes} and {} frames together",
                units::count(PAGE_FRAMES_MAX as f64)
            )),
        }
    }
}

/// A function below its caller, on both sides.
#[derive(Debug, Default, PartialEq)]
struct StackNode {
    base: u64,
    head: u64,
    calls: BTreeMap<String, StackNode>,
}

impl StackNode {
    /// Adds a stack, with what it counts for at each of its functions; fails where that takes more frames
    /// than there is room for.
    fn add(
        &mut self,
        stack: &str,
        frames_left: &mut usize,
        count: impl Fn(&mut Self),
    ) -> Result<(), StackObstacle> {
        count(self);
        let mut node = self;
        for name in stack.split(';').take(DEPTH_MAX) {
            node = match node.calls.entry(name.to_owned()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(fresh) => {
                    *frames_left = frames_left.checked_sub(1).ok_or(StackObstacle::NoRoom)?;
                    fresh.insert(Self::default())
                }
            };
            count(node);
        }
        Ok(())
    }

    /// The width that it needs, in counts: of the larger side, or of all that it calls.
    fn room(&self) -> u64 {
        let calls = self.calls.values().map(Self::room).fold(0, u64::saturating_add);
        self.base.max(self.head).max(calls)
    }
}

/// A frame and its place.
#[derive(Debug, Clone, PartialEq)]
struct StackFrame {
    name: String,
    depth: usize,
    left: f64,
    /// The width of its place, which is that of the wider side or of all that it calls.
    room: f64,
    base: u64,
    head: u64,
}

/// Returns the figure of a scenario whose stacks are known, of at most so many frames, as long as there is room
/// on the page.
pub(crate) fn figure(
    breakdown: &InstructionBreakdown,
    frames_max: usize,
    stack_room: &mut StackRoom,
) -> Result<FigureView, StackObstacle> {
    let head = stack_room.unpack(&breakdown.head_stacks)?;
    let base = breakdown.base_stacks.as_ref().map(|stacks| stack_room.unpack(stacks));
    let base = match base {
        Some(Err(StackObstacle::NoRoom)) => return Err(StackObstacle::NoRoom),
        Some(Err(StackObstacle::NoStacks)) | None => None,
        Some(Ok(lines)) => Some(lines),
    };
    let root = tree(base.as_ref(), &head, &mut stack_room.frames)?;
    let room = root.room();
    if room == 0 {
        return Err(StackObstacle::NoStacks);
    }
    let frames = frames(&root, WIDTH / units::exact(room), frames_max);
    let name = format!("{}: where the instructions are", quoted(&breakdown.scenario));
    let description = match breakdown.base {
        Some(base) => format!(
            "{} instructions per {} in base, {} in head.",
            units::count(base),
            breakdown.unit,
            units::count(breakdown.head)
        ),
        None => format!("{} instructions per {}.", units::count(breakdown.head), breakdown.unit),
    };
    let picture = IciclePicture { frames: &frames, root: &root, room, is_pair: base.is_some() };
    Ok(FigureView {
        title: name.clone(),
        how: if base.is_some() { HOW_PAIR } else { HOW_ALONE }.to_owned(),
        svg: picture.draw(&name.replace('`', ""), &description),
        table: picture.table(&breakdown.unit.to_string()),
    })
}

const HOW_PAIR: &str = "Callers at the axis, what they call away from it: base above, head below, one place for both. \
    Width is instructions. ▲ more than in base, ▼ less, + appeared, × gone; grey is what the counter scatters by.";
const HOW_ALONE: &str = "Callers above, what they call below. Width is instructions.";

fn tree(
    base: Option<&StackLines>,
    head: &StackLines,
    frames_left: &mut usize,
) -> Result<StackNode, StackObstacle> {
    let mut root = StackNode::default();
    for (stack, count) in base.into_iter().flat_map(StackLines::iter) {
        root.add(stack, frames_left, |node| node.base = node.base.saturating_add(count))?;
    }
    for (stack, count) in head.iter() {
        root.add(stack, frames_left, |node| node.head = node.head.saturating_add(count))?;
    }
    Ok(root)
}

/// The widest frames with their places, each after its caller.
fn frames(root: &StackNode, scale: f64, frames_max: usize) -> Vec<StackFrame> {
    let mut frames = Vec::new();
    place(root, 0, 0.0, scale, &mut frames);
    let width = |it: &StackFrame| it.base.max(it.head);
    if frames.len() > frames_max {
        let mut widths: Vec<u64> = frames.iter().map(width).collect();
        widths.sort_unstable_by(|a, b| b.cmp(a));
        let least = widths[frames_max];
        frames.retain(|it| width(it) > least);
    }
    frames
}

fn place(node: &StackNode, depth: usize, left: f64, scale: f64, frames: &mut Vec<StackFrame>) {
    let mut left = left;
    for (name, call) in &node.calls {
        let width = units::exact(call.room()) * scale;
        if width >= WIDTH_MIN {
            let (base, head) = (call.base, call.head);
            frames.push(StackFrame { name: name.clone(), depth, left, room: width, base, head });
            place(call, depth + 1, left, scale, frames);
        }
        left += width;
    }
}

/// What is drawn and listed.
struct IciclePicture<'a> {
    frames: &'a [StackFrame],
    root: &'a StackNode,
    room: u64,
    is_pair: bool,
}

impl IciclePicture<'_> {
    fn draw(&self, name: &str, description: &str) -> String {
        let depth = |count: fn(&StackFrame) -> u64| {
            let drawn = self.frames.iter().filter(|it| count(it) > 0);
            drawn.map(|it| it.depth as f64 + 1.0).fold(0.0, f64::max)
        };
        let above = if self.is_pair { depth(|it| it.base) * FRAME } else { 0.0 };
        let axis = if self.is_pair { AXIS } else { 0.0 };
        let height = above + axis + depth(|it| it.head) * FRAME;
        let mut drawing = SvgDrawing::new((WIDTH, height), name, description);
        for frame in self.frames {
            let down = frame.depth as f64 * FRAME;
            if self.is_pair && frame.base > 0 {
                self.frame(&mut drawing, frame, above - down - FRAME, frame.base);
            }
            if frame.head > 0 {
                self.frame(&mut drawing, frame, above + axis + down, frame.head);
            }
        }
        if self.is_pair {
            let label = |y, text: &str, drawing: &mut SvgDrawing| {
                let at = DrawingPoint { x: 4.0, y };
                drawing.text(at, TextAnchor::Start, PaintRole::Text, text);
            };
            label(above + 15.0, "↑ base ○     ↓ head ●", &mut drawing);
        }
        drawing.render()
    }

    fn frame(&self, drawing: &mut SvgDrawing, frame: &StackFrame, y: f64, count: u64) {
        let width = units::exact(count) * WIDTH / units::exact(self.room);
        if width < WIDTH_MIN {
            return;
        }
        let (sign, role) = self.change(frame);
        let name = functions::shortened(&frame.name, NAME_CHARS_MAX);
        let name = if sign.is_empty() { name } else { format!("{sign} {name}") };
        let title = escaped(&format!("{name}: {}", self.numbers(frame)));
        let inner =
            DrawingBox { x: frame.left + 0.5, y: y + 0.5, width: width - 1.0, height: FRAME - 1.0 };
        let [x, top, wide, high] = [inner.x, inner.y, inner.width, inner.height].map(Coordinate);
        let room = Coordinate(frame.room);
        drawing.add(format_args!(
            "{FRAME_MARK}\"{room}\"><rect x=\"{x}\" y=\"{top}\" width=\"{wide}\" height=\"{high}\" rx=\"2\" {}><title>{title}</title></rect>",
            TintAttributes(role)
        ));
        if let Some(letters) =
            units::whole((width / LETTER - 1.0).max(0.0).floor()).filter(|n| *n >= 4)
        {
            let letters = usize::try_from(letters).unwrap_or(usize::MAX);
            let text = functions::shortened(&name, letters);
            let at = DrawingPoint { x: frame.left + 4.0, y: y + 13.0 };
            drawing.text(at, TextAnchor::Start, PaintRole::Label, &text);
        }
        drawing.add(format_args!("</g>"));
    }

    /// The sign of a frame's change, and its tint.
    fn change(&self, frame: &StackFrame) -> (&'static str, PaintRole) {
        if !self.is_pair {
            return ("", PaintRole::Quiet);
        }
        let least = CHANGE_MIN * units::exact(self.room);
        let change = units::exact(frame.head) - units::exact(frame.base);
        match (frame.base, frame.head) {
            _ if change.abs() < least => ("", PaintRole::Quiet),
            (0, _) => ("+", PaintRole::Slower),
            (_, 0) => ("×", PaintRole::Faster),
            _ if change > 0.0 => ("▲", PaintRole::Slower),
            _ => ("▼", PaintRole::Faster),
        }
    }

    fn numbers(&self, frame: &StackFrame) -> String {
        let share = |count: u64| {
            let share = units::exact(count) / units::exact(self.root.head.max(self.root.base));
            units::Ratio((share * 1e3).round() / 1e3).to_string()
        };
        if self.is_pair {
            format!("{} in base, {} in head", share(frame.base), share(frame.head))
        } else {
            share(frame.head)
        }
    }

    /// The frames that changed most, or are the widest, as text.
    fn table(&self, unit: &str) -> TableView {
        let weight = |it: &&StackFrame| {
            if self.is_pair { it.base.abs_diff(it.head) } else { it.head }
        };
        let mut frames: Vec<&StackFrame> = self.frames.iter().collect();
        frames.sort_by_key(|it| std::cmp::Reverse(weight(it)));
        frames.truncate(LISTED_MAX);
        // Stacks count instructions of a thousand units.
        let count = |count: u64| units::count(units::exact(count) / 1_000.0);
        let line = |it: &StackFrame| {
            let name = functions::shortened(&it.name, NAME_CHARS_MAX);
            let mut cells = vec![name, (it.depth + 1).to_string()];
            if self.is_pair {
                cells.push(count(it.base));
            }
            cells.push(count(it.head));
            cells
        };
        let mut columns = vec![TableColumn::Code("Function"), TableColumn::Numbers("Depth")];
        if self.is_pair {
            columns.push(TableColumn::Numbers("Base"));
        }
        columns.push(TableColumn::Numbers("Head"));
        TableView {
            caption: format!("Frames with all that they call, in instructions per {unit}"),
            columns,
            rows: frames.into_iter().map(line).collect(),
        }
    }
}

/// Attributes of a frame: a light tint, so that words on it are read.
struct TintAttributes(PaintRole);

impl std::fmt::Display for TintAttributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (class, fill, stroke) = match self.0 {
            PaintRole::Slower => ("t-slower", "#ffd9c2", "#c8500a"),
            PaintRole::Faster => ("t-faster", "#c6ecdf", "#00815c"),
            _ => ("t-same", "#eceef1", "#c3c8d0"),
        };
        write!(f, "class=\"{class}\" fill=\"{fill}\" stroke=\"{stroke}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks(lines: &[(&str, u64)]) -> StackLines {
        let folded = lines.iter().map(|(stack, cost)| ((*stack).to_owned(), *cost)).collect();
        instruction_counts::unpack(&instruction_counts::pack(&folded), STACKS_BYTES_MAX).unwrap()
    }

    #[test]
    fn a_frame_that_is_gone_has_its_width_and_moves_nothing_over_another() {
        let base = stacks(&[("main;a", 40), ("main;gone", 20), ("main;z", 40)]);
        let head = stacks(&[("main;a", 40), ("main;new", 10), ("main;z", 60)]);
        let root = tree(Some(&base), &head, &mut 100).unwrap();
        assert_eq!((root.base, root.head, root.room()), (100, 110, 130));
        let frames = frames(&root, 10.0, 100);
        let placed: Vec<(&str, f64, u64, u64)> =
            frames.iter().map(|it| (it.name.as_str(), it.left, it.base, it.head)).collect();
        assert_eq!(
            frames.iter().map(|it| it.room).collect::<Vec<_>>(),
            [1300.0, 400.0, 200.0, 100.0, 600.0]
        );
        assert_eq!(
            placed,
            [
                ("main", 0.0, 100, 110),
                ("a", 0.0, 40, 40),
                ("gone", 400.0, 20, 0),
                ("new", 600.0, 0, 10),
                ("z", 700.0, 40, 60),
            ]
        );
    }

    #[test]
    fn of_many_frames_the_widest_are_drawn() {
        let lines: Vec<(String, u64)> = (1..=50).map(|i| (format!("main;f{i}"), i)).collect();
        let lines: Vec<(&str, u64)> = lines.iter().map(|(line, i)| (line.as_str(), *i)).collect();
        let head = stacks(&lines);
        let root = tree(None, &head, &mut 100).unwrap();
        let drawn = frames(&root, 1.0, 10);
        assert!(drawn.len() <= 10 && drawn.iter().any(|it| it.name == "f50"), "{drawn:?}");
        assert!(drawn.iter().all(|it| it.name != "f1"));
    }

    fn breakdown(stacks: &[(&str, u64)]) -> InstructionBreakdown {
        let folded = stacks.iter().map(|(stack, cost)| ((*stack).to_owned(), *cost)).collect();
        InstructionBreakdown {
            scenario: "smoke".to_owned(),
            unit: record::work_unit::WorkUnit::request(),
            base: None,
            head: 1.0,
            functions: Vec::new(),
            base_stacks: None,
            head_stacks: instruction_counts::pack(&folded),
            causes: None,
        }
    }

    #[test]
    fn stacks_are_drawn_as_long_as_there_is_room_for_them_on_the_page() {
        let drawn = |stacks: &[(&str, u64)], room: &mut StackRoom| {
            figure(&breakdown(stacks), 100, room).map(|figure| figure.title)
        };
        let twice = [("main;a", u64::MAX), ("main;b", u64::MAX)];
        let mut frames = StackRoom { bytes: 1_000, frames: 7 };
        assert!(drawn(&twice, &mut frames).is_ok() && drawn(&twice, &mut frames).is_ok());
        assert_eq!(drawn(&twice, &mut frames), Err(StackObstacle::NoRoom));
        let mut bytes = StackRoom { bytes: 15, frames: 100 };
        assert_eq!(drawn(&[("main", 1), ("other", 2)], &mut bytes).map(drop), Ok(()));
        assert_eq!(drawn(&[("main", 1)], &mut bytes), Err(StackObstacle::NoRoom));
        // What had no room has used up what was left: unpacking takes time.
        assert_eq!(bytes.bytes, 0);
        assert_eq!(drawn(&[], &mut bytes), Err(StackObstacle::NoStacks));
        let sentence = StackObstacle::NoRoom.sentence().unwrap();
        assert!(
            sentence.ends_with("at most 32.0 MiB and 200\u{202f}000 frames together"),
            "{sentence}"
        );
    }
}
