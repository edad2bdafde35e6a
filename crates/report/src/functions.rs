//! Renders which functions a difference is in, as text.

use std::io;
use std::io::Write;

use compare::InstructionBreakdown;
use compare::function_changes::{FunctionChange, FunctionPresence, FunctionUsage};

/// Writes the functions with what each took itself in both builds, and by how much it grew, by
/// itself and with all that it calls.
pub fn differences(
    out: &mut impl Write,
    changes: &[FunctionChange],
    width: usize,
) -> io::Result<()> {
    let head = ["base", "head", "change", "with calls"];
    writeln!(
        out,
        "{:>9} {:>9} {:>9} {:>10}  {:8} function",
        head[0], head[1], head[2], head[3], ""
    )?;
    for change in changes {
        let FunctionCells { base, head, own, inclusive, fate } = FunctionCells::of(change);
        let place = place(&change.name, &change.file, width, 51);
        writeln!(out, "{base:>9} {head:>9} {own:>9} {inclusive:>10}  {fate:8} {place}")?;
    }
    Ok(())
}

/// Writes functions of one build with what each took, itself and with all that it calls.
pub fn totals(out: &mut impl Write, functions: &[FunctionChange], width: usize) -> io::Result<()> {
    writeln!(out, "{:>10} {:>10}  function", "itself", "with calls")?;
    for function in functions {
        let took = function.head.unwrap_or_default();
        let (own, inclusive) = (units::count(took.own), units::count(took.inclusive));
        let place = place(&function.name, &function.file, width, 23);
        writeln!(out, "{own:>10} {inclusive:>10}  {place}")?;
    }
    Ok(())
}

/// A function's numbers as text.
pub(super) struct FunctionCells {
    pub(super) base: String,
    pub(super) head: String,
    pub(super) own: String,
    pub(super) inclusive: String,
    pub(super) fate: &'static str,
}

impl FunctionCells {
    pub(super) fn of(change: &FunctionChange) -> Self {
        let own = |side: Option<FunctionUsage>| {
            side.map_or("–".to_owned(), |took| units::count(took.own))
        };
        Self {
            base: own(change.base),
            head: own(change.head),
            own: signed(change.own()),
            inclusive: signed(change.inclusive()),
            fate: change.fate().map_or("", FunctionPresence::word),
        }
    }
}

/// What a breakdown is headed by.
pub(super) fn heading(breakdown: &InstructionBreakdown) -> String {
    let verb = match breakdown.base {
        None => return "Where the work is".to_owned(),
        Some(base) if breakdown.head > base => "grew",
        Some(_) => "shrank",
    };
    format!("Where the work {verb}")
}

/// What a reader has to know about functions that are in one build only.
pub(super) const ABOUT_FATES: &str = "A function that appeared or is gone may have been renamed, or \
    be inlined in one build and not in the other: then its caller changed the other way.";

pub(super) fn signed(value: f64) -> String {
    let digits = units::count(value.abs());
    match value {
        value if value > 0.0 => format!("+{digits}"),
        value if value < 0.0 => format!("−{digits}"),
        _ => digits,
    }
}

/// Name and file, without the beginning of the name if both do not fit: the end tells more.
fn place(name: &str, file: &str, width: usize, before: usize) -> String {
    const NAME_MIN: usize = 20;
    let file = if file.is_empty() { String::new() } else { format!("  {file}") };
    let room = width.saturating_sub(before + file.chars().count()).max(NAME_MIN);
    format!("{}{file}", shortened(name, room))
}

/// The end of a name that is longer than there is room.
pub(super) fn shortened(name: &str, room: usize) -> String {
    let length = name.chars().count();
    if length <= room {
        return name.to_owned();
    }
    let end = name.chars().skip(length + 1 - room).collect::<String>();
    format!("…{end}")
}
