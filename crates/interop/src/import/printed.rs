//! Lines of a printed report.

use crate::import::failure::ImportError;
use crate::import::fields::{parse_count, parse_number};

/// A printed report, with lines that are looked for by how they begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct PrintedReport<'a> {
    text: &'a str,
}

/// A line, without its indentation, and its number from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct PrintedLine<'a> {
    /// What stands behind what was looked for, or all of it.
    pub(super) rest: &'a str,
    line: usize,
}

impl<'a> PrintedReport<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text }
    }

    pub(super) fn lines(self) -> impl Iterator<Item = PrintedLine<'a>> {
        let line =
            |(index, text): (usize, &'a str)| PrintedLine { rest: text.trim(), line: index + 1 };
        self.text.lines().enumerate().map(line)
    }

    /// The first line that begins so.
    pub(super) fn find(self, start: &str) -> Option<PrintedLine<'a>> {
        self.lines().find_map(|line| line.after(start))
    }

    pub(super) fn need(self, start: &str) -> Result<PrintedLine<'a>, ImportError> {
        self.find(start)
            .ok_or_else(|| ImportError::Missing { place: format!("the line `{start}`") })
    }
}

impl<'a> PrintedLine<'a> {
    /// The line behind how it begins, if it does.
    pub(super) fn after(self, start: &str) -> Option<Self> {
        let rest = self.rest.strip_prefix(start)?.trim_start();
        Some(Self { rest, ..self })
    }

    /// A word of the line, from 0.
    pub(super) fn word(self, index: usize) -> Result<&'a str, ImportError> {
        self.rest.split_whitespace().nth(index).ok_or_else(|| ImportError::Missing {
            place: format!("word {} of line {}", index + 1, self.line),
        })
    }

    pub(super) fn number(self, index: usize) -> Result<f64, ImportError> {
        parse_number(self.word(index)?, || self.place())
    }

    pub(super) fn count(self, index: usize) -> Result<u64, ImportError> {
        parse_count(self.word(index)?.trim_end_matches(','), || self.place())
    }

    /// A time with its unit, such as `13.00us`, in nanoseconds; a comma may follow.
    pub(super) fn time_ns(self, index: usize) -> Result<f64, ImportError> {
        let word = self.word(index)?.trim_end_matches(',');
        let digits = word.trim_end_matches(|c: char| c.is_alphabetic() || c == 'µ');
        let unit = match &word[digits.len()..] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            _ => return Err(self.wrong(word, "a time such as `1.50ms`")),
        };
        Ok(parse_number(digits, || self.place())? * unit)
    }

    /// A share such as `99.5%`, as the number before the sign.
    pub(super) fn percent(self, index: usize) -> Result<f64, ImportError> {
        let word = self.word(index)?;
        let digits =
            word.strip_suffix('%').ok_or_else(|| self.wrong(word, "a share such as `99%`"))?;
        parse_number(digits, || self.place())
    }

    pub(super) fn place(self) -> String {
        format!("line {}", self.line)
    }

    fn wrong(self, found: &str, wanted: &'static str) -> ImportError {
        ImportError::Field { place: self.place(), found: found.to_owned(), wanted }
    }
}
