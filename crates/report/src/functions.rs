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
    let cells: Vec<FunctionCells> = changes.iter().map(FunctionCells::of).collect();
    // What no function has, and on a narrow screen what can do without, leaves its columns to the names.
    let fates = cells.iter().map(|it| it.fate.len() + 1).filter(|it| *it > 1).max().unwrap_or(0);
    let is_wide = width >= WIDE_MIN;
    let line = |[base, head, own, inclusive]: [&str; 4], fate: &str, place: &str| {
        let numbers = if is_wide {
            format!("{base:>9} {head:>9} {own:>9} {inclusive:>10}")
        } else {
            format!("{own:>9} {inclusive:>10}")
        };
        format!("{numbers}  {fate:fates$}{place}")
    };
    let before = if is_wide { 42 } else { 22 } + fates;
    writeln!(out, "{}", line(["base", "head", "change", "with calls"], "", "function"))?;
    for (change, cells) in changes.iter().zip(&cells) {
        let FunctionCells { base, head, own, inclusive, fate } = cells;
        let place = place(&change.name, &change.file, width, before);
        writeln!(out, "{}", line([base, head, own, inclusive], fate, &place))?;
    }
    Ok(())
}

/// Columns from which on there is room for the numbers of both sides.
const WIDE_MIN: usize = 72;

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

/// Returns the function that changed most, in a sentence.
pub(super) fn largest(breakdown: &InstructionBreakdown) -> Option<String> {
    let change = breakdown.functions.first()?;
    let (name, unit) = (change.name.replace('`', "'"), &breakdown.unit);
    Some(format!("`{name}` takes {} instructions per {unit} itself", signed(change.own())))
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
    let (all, file_length) = (width.saturating_sub(before), file.chars().count());
    // A file that leaves the name no room is left out: the name tells more.
    if all < file_length + NAME_MIN.min(name.chars().count()) {
        return shortened(name, all.max(NAME_MIN));
    }
    format!("{}{file}", shortened(name, all - file_length))
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
