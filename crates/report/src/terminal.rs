//! Renders a comparison for a terminal: the verdict, a table as wide as the screen, what to do next.

use std::io;
use std::io::Write;

use comfy_table::{
    Cell, CellAlignment, Color, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle,
};
use unicode_width::UnicodeWidthStr as _;

use crate::calls;
use crate::causes;
use crate::cost;
use crate::details;
use crate::explanation;
use crate::functions;
use crate::interval_bar;
use crate::page::forest;
use crate::reasons;
use crate::unbroken::{breakable, unbroken};
use crate::wording;
use compare::decision::Verdict;
use compare::{Comparison, ComparisonOutcome, MetricFinding, MetricResult};

/// Whether colours are used. Nothing is said by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorMode {
    /// Verdicts are coloured.
    Colours,
    /// Text only.
    Plain,
}

/// The screen.
#[derive(Debug, Clone, Copy)]
pub struct TerminalScreen {
    /// Its width in columns.
    pub width: u16,
    /// Whether it shows colours.
    pub paint: ColorMode,
}

/// Writes the comparison.
pub fn write(
    out: &mut impl Write,
    comparison: &Comparison,
    screen: TerminalScreen,
) -> io::Result<()> {
    let (revisions, method) = (wording::revisions(comparison), wording::method(comparison));
    let measured = format!("{revisions} · {method}");
    writeln!(out, "{}", wrapped(&measured, screen.width.into(), 4))?;
    if let Some(attempts) = wording::attempts(comparison) {
        let plain = attempts.replace('*', "");
        writeln!(out, "{}", wrapped(&plain, screen.width.into(), 0))?;
    }
    if let Some(identity) = wording::identity(comparison, str::to_owned) {
        writeln!(out, "\n{}\n", wrapped(&identity, screen.width.into(), 0))?;
    }
    if let Some(baseline) = wording::baseline(comparison, str::to_owned) {
        writeln!(out, "{}", wrapped(&baseline, screen.width.into(), 0))?;
    }
    if !comparison.rows.is_empty() {
        writeln!(out, "\n{}\n", breakable(&metrics(comparison, screen).trim_fmt()))?;
    }
    if !comparison.limits.is_empty() {
        writeln!(out, "{}\n", breakable(&limits(comparison, screen).trim_fmt()))?;
    }
    let explanations = explanation::lines(comparison);
    for line in &explanations {
        writeln!(out, "{}", wrapped(&line.replace('`', ""), screen.width.into(), 4))?;
    }
    if !explanations.is_empty() {
        writeln!(out)?;
    }
    let sentences = reasons::sentences(comparison).into_iter();
    for sentence in sentences.chain(cost::sentences(comparison)) {
        let sentence = sentence.replace('`', "");
        writeln!(out, "{}\n", wrapped(&sentence, screen.width.into(), 0))?;
    }
    called(out, comparison, screen)?;
    for scenario in &comparison.details {
        for line in details::lines(scenario) {
            writeln!(out, "{}", wrapped(&line, screen.width.into(), 4))?;
        }
    }
    if !comparison.details.is_empty() {
        writeln!(out)?;
    }
    if let Some(placement) = wording::placement(comparison, str::to_owned) {
        writeln!(out, "{}\n", wrapped(&placement, screen.width.into(), 0))?;
    }
    if let Some(visible) = wording::visible(comparison) {
        writeln!(out, "{}\n", wrapped(&visible.replace('`', ""), screen.width.into(), 0))?;
    }
    breakdowns(out, comparison, screen)?;
    for note in &comparison.notes {
        writeln!(out, "{}\n", wrapped(&format!("note: {note}"), screen.width.into(), 0))?;
    }
    let headline = wording::headline(comparison).text.replace('`', "");
    // In one line, by which programs find it: a terminal breaks it as it likes.
    writeln!(out, "{headline}")?;
    for line in wording::failure_lines(comparison) {
        writeln!(out, "{}", wrapped(&format!("  {line}"), screen.width.into(), 4))?;
    }
    if let ComparisonOutcome::NotMeasured(reason) = &comparison.outcome {
        let details = reason.details();
        if !details.is_empty() {
            writeln!(out, "\n{details}")?;
        }
    }
    Ok(())
}

/// Which statements changed, service by service.
fn called(out: &mut impl Write, comparison: &Comparison, screen: TerminalScreen) -> io::Result<()> {
    for service in calls::changed_services(comparison) {
        writeln!(out, "{}:\n", calls::heading(service, str::to_owned))?;
        let mut table = table(screen);
        let (base, head) = (right("base"), right("head"));
        table.set_header(vec![Cell::new("statement"), base, head, Cell::new("")]);
        for [statement, base, head, fate] in calls::rows(service) {
            table.add_row(vec![Cell::new(statement), right(&base), right(&head), Cell::new(fate)]);
        }
        writeln!(out, "{}\n", breakable(&table.trim_fmt()))?;
    }
    Ok(())
}

/// Where the work of a scenario changed, if a reader would ask.
fn breakdowns(
    out: &mut impl Write,
    comparison: &Comparison,
    screen: TerminalScreen,
) -> io::Result<()> {
    const FUNCTIONS_MAX: usize = 5;
    for breakdown in comparison.changed_breakdowns() {
        let (heading, name) = (functions::heading(breakdown), &breakdown.scenario);
        writeln!(out, "{heading} in {name}, in instructions per {}:\n", breakdown.unit)?;
        let shown = &breakdown.functions[..breakdown.functions.len().min(FUNCTIONS_MAX)];
        functions::differences(out, shown, screen.width.into())?;
        writeln!(out)?;
        if breakdown.causes.is_some() {
            for sentence in causes::sentences(breakdown) {
                let sentence = sentence.replace('`', "");
                writeln!(out, "{}", wrapped(&sentence, screen.width.into(), 4))?;
            }
            causes::text(out, breakdown, screen.width.into())?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// Text broken between words and never inside a quantity, so that no line is wider than the screen unless a
/// word is. What follows the first line is indented by so many columns more than it.
pub fn wrapped(text: &str, width: usize, hang: usize) -> String {
    breakable(&broken(&unbroken(text), width, hang))
}

fn broken(text: &str, width: usize, hang: usize) -> String {
    let indent = text.chars().take_while(|c| *c == ' ').count();
    let mut wrapped = " ".repeat(indent);
    let mut column = indent;
    for (place, word) in text.trim_start().split(' ').enumerate() {
        let length = word.width();
        if place > 0 && column + 1 + length > width {
            column = indent + hang;
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(column));
        } else if place > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// A line under the header and nothing else: rows of numbers read best without fences.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─'))
    .content_lines(ContentLineStyle::none());

/// Widths in columns below which the values, and then the intervals, make room for the verdicts.
const VALUES_WIDTH_MIN: u16 = 90;
const INTERVALS_WIDTH_MIN: u16 = 66;

/// Widths in columns from which on intervals are drawn as well, from which on base stands beside them again, and
/// from which on they have more room. On a narrower screen each row would take two lines.
const BARS_WIDTH_MIN: u16 = 100;
const BASE_AND_BARS_WIDTH_MIN: u16 = 120;
const WIDE_BARS_WIDTH_MIN: u16 = 140;

/// What the table of metrics shows beside their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricColumn {
    Base,
    Head,
    /// The value of a build alone.
    Value,
    Change,
    Interval,
    /// The interval as a picture of so many columns.
    Bar(usize),
    Verdict,
}

impl MetricColumn {
    /// The columns that a screen has room for.
    fn shown(comparison: &Comparison, width: u16) -> Vec<Self> {
        if comparison.base.is_none() {
            return vec![Self::Value];
        }
        // Odd numbers, so that no change lies in the middle.
        let bar = match width {
            0..BARS_WIDTH_MIN => None,
            BARS_WIDTH_MIN..BASE_AND_BARS_WIDTH_MIN => Some(Self::Bar(13)),
            BASE_AND_BARS_WIDTH_MIN..WIDE_BARS_WIDTH_MIN => Some(Self::Bar(15)),
            WIDE_BARS_WIDTH_MIN.. => Some(Self::Bar(27)),
        };
        // Head and the change say what base was; the picture of the interval says more.
        let has_base = bar.is_none() || width >= BASE_AND_BARS_WIDTH_MIN;
        let columns = [
            (width >= VALUES_WIDTH_MIN && has_base).then_some(Self::Base),
            (width >= VALUES_WIDTH_MIN).then_some(Self::Head),
            Some(Self::Change),
            (width >= INTERVALS_WIDTH_MIN).then_some(Self::Interval),
            bar,
            Some(Self::Verdict),
        ];
        columns.into_iter().flatten().collect()
    }

    fn header(self) -> Cell {
        match self {
            Self::Base => right("base"),
            Self::Head => right("head"),
            Self::Value => right("value"),
            Self::Change => right("change"),
            Self::Interval => right("interval, %"),
            Self::Bar(columns) => Cell::new(interval_bar::title(columns)),
            Self::Verdict => Cell::new("verdict"),
        }
    }
}

/// Returns an empty table in the style of every report, as wide as the screen.
pub fn table(screen: TerminalScreen) -> Table {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(screen.width);
    if screen.paint == ColorMode::Colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

fn metrics(comparison: &Comparison, screen: TerminalScreen) -> Table {
    let mut table = table(screen);
    let columns = MetricColumn::shown(comparison, screen.width);
    let names = [Cell::new("scenario"), Cell::new("metric")];
    table.set_header(names.into_iter().chain(columns.iter().map(|column| column.header())));
    let limit_ln = forest::axis(comparison).limit_ln();
    let cell = |row: &MetricResult, column: MetricColumn| match column {
        MetricColumn::Base => right(&wording::value(row, row.base)),
        MetricColumn::Head | MetricColumn::Value => right(&wording::value(row, row.head)),
        MetricColumn::Change => right(&wording::change(row)),
        MetricColumn::Interval => right(&wording::interval(row)),
        MetricColumn::Bar(columns) => {
            let row = forest::on_axis(comparison, row);
            Cell::new(interval_bar::bar(&row, limit_ln, columns))
        }
        MetricColumn::Verdict => painted(row, unbroken(&wording::verdict(row)), screen.paint),
    };
    for row in &comparison.rows {
        let names = [Cell::new(&row.scenario), Cell::new(row.label())];
        table.add_row(names.into_iter().chain(columns.iter().map(|column| cell(row, *column))));
    }
    table
}

/// Returns a cell for a number.
pub fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn painted(row: &MetricResult, text: String, paint: ColorMode) -> Cell {
    let cell = Cell::new(text);
    let colour = match (&row.finding, row.verdict()) {
        (_, Some(Verdict::Regressed)) => Color::Red,
        (_, Some(Verdict::Improved)) => Color::Green,
        (_, Some(Verdict::Inconclusive)) => Color::Yellow,
        (MetricFinding::Missing(_), _) if row.is_lost() => Color::Yellow,
        (
            MetricFinding::Alone
            | MetricFinding::Judged(_)
            | MetricFinding::Reported(_)
            | MetricFinding::Recalled(_)
            | MetricFinding::Undecidable(_)
            | MetricFinding::Missing(_),
            _,
        ) => return cell,
    };
    if paint == ColorMode::Colours { cell.fg(colour) } else { cell }
}

fn limits(comparison: &Comparison, screen: TerminalScreen) -> Table {
    let mut table = table(screen);
    table.set_header(vec![
        Cell::new("scenario"),
        Cell::new("limit"),
        right("promised"),
        right("measured"),
        Cell::new("holds"),
    ]);
    for check in &comparison.limits {
        let measured = check.measured_text();
        let holds = Cell::new(if check.holds() { "yes" } else { "NO" });
        let holds = match (check.holds(), screen.paint) {
            (false, ColorMode::Colours) => holds.fg(Color::Red),
            (true, _) | (false, ColorMode::Plain) => holds,
        };
        table.add_row(vec![
            Cell::new(&check.scenario),
            Cell::new(check.label()),
            right(&check.bound()),
            right(measured.as_deref().unwrap_or("not measured")),
            holds,
        ]);
    }
    table
}
