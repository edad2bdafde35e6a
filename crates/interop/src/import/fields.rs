//! Numbers of JSON and CSV, with their places.

use csv::{ReaderBuilder, StringRecord};
use serde_json::Value;

use crate::import::failure::ImportError;

/// The largest number that is believed: milliseconds since 1970 are a thousandth of it, and sums of such numbers
/// stay finite.
const NUMBER_MAX: f64 = 1e15;

/// The largest count that is believed: as many of them as a file can hold add up without an overflow.
const COUNT_MAX: u64 = 1_000_000_000_000;

/// A value of JSON, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct JsonPlace<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> JsonPlace<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    /// The value of a key; none where it is missing or null.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self { value, path: self.inner(key) })
    }

    pub(super) fn need(&self, key: &str) -> Result<Self, ImportError> {
        self.get(key)
            .ok_or_else(|| ImportError::Missing { place: format!("`{}`", self.inner(key)) })
    }

    /// The elements of a list.
    pub(super) fn list(&self) -> Result<Vec<Self>, ImportError> {
        let Value::Array(list) = self.value else { return Err(self.wrong("a list")) };
        let place = |(index, value)| Self { value, path: self.inner(&format!("{index}")) };
        Ok(list.iter().enumerate().map(place).collect())
    }

    /// The fields of an object, by name.
    pub(super) fn fields(&self) -> Result<Vec<(&'a str, Self)>, ImportError> {
        let Value::Object(fields) = self.value else { return Err(self.wrong("an object")) };
        let place = |(key, value): (&'a String, &'a Value)| {
            (key.as_str(), Self { value, path: self.inner(key) })
        };
        Ok(fields.iter().map(place).collect())
    }

    pub(super) fn text(&self) -> Result<&'a str, ImportError> {
        self.value.as_str().ok_or_else(|| self.wrong("a text"))
    }

    /// The value as true or false, if it is that.
    pub(super) fn flag(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// Whether it is the number 0.
    pub(super) fn is_zero(&self) -> bool {
        self.value.as_i64() == Some(0)
    }

    pub(super) fn number(&self) -> Result<f64, ImportError> {
        let number = self.value.as_f64().filter(|number| (0.0..=NUMBER_MAX).contains(number));
        number.ok_or_else(|| self.wrong("a number from 0 to 1e15"))
    }

    pub(super) fn count(&self) -> Result<u64, ImportError> {
        let count = units::whole(self.number()?).filter(|count| *count <= COUNT_MAX);
        count.ok_or_else(|| self.wrong("a whole number up to 1e12"))
    }

    /// The number of a key times a unit, if it is there.
    pub(super) fn scaled(&self, key: &str, unit: f64) -> Result<Option<f64>, ImportError> {
        self.get(key).map(|place| Ok(place.number()? * unit)).transpose()
    }

    pub(super) fn counted(&self, key: &str) -> Result<Option<u64>, ImportError> {
        self.get(key).map(|place| place.count()).transpose()
    }

    pub(super) fn wrong(&self, wanted: &'static str) -> ImportError {
        let found = self.value.to_string().chars().take(60).collect();
        ImportError::Field { place: format!("`{}`", self.path), found, wanted }
    }

    fn inner(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// The JSON values of a text that has one a line; blank lines are left out.
pub(super) fn json_lines(text: &str) -> impl Iterator<Item = Result<Value, ImportError>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, line)| {
        serde_json::from_str(line).map_err(|_| ImportError::Field {
            place: format!("line {}", index + 1),
            found: line.chars().take(60).collect(),
            wanted: "a JSON object",
        })
    })
}

/// Rows of a CSV text by the names of its columns.
#[derive(Debug)]
pub(super) struct CsvTable {
    columns: Vec<String>,
    rows: Vec<(u64, StringRecord)>,
}

/// A row of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct CsvRow<'a> {
    columns: &'a [String],
    line: u64,
    fields: &'a StringRecord,
}

impl CsvTable {
    /// Reads a table. A last line that was cut off is an error, like any other of too few fields.
    pub(super) fn of(text: &str) -> Result<Self, ImportError> {
        let mut records = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes())
            .into_records();
        let header = records.next().and_then(Result::ok).unwrap_or_default();
        let columns: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        let mut rows = Vec::new();
        for record in records {
            let fields = record.expect("it is text, and a row may have any number of fields");
            let line = fields.position().map_or(0, csv::Position::line);
            if fields.len() != columns.len() {
                let (found, wanted) = (fields.len(), columns.len());
                return Err(ImportError::Fields { line, found, wanted });
            }
            rows.push((line, fields));
        }
        Ok(Self { columns, rows })
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = CsvRow<'_>> {
        let columns = &self.columns;
        self.rows.iter().map(move |(line, fields)| CsvRow { columns, line: *line, fields })
    }
}

impl<'a> CsvRow<'a> {
    /// The field of a column, if the table has that.
    pub(super) fn get(&self, column: &str) -> Option<&'a str> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.fields.get(index)
    }

    pub(super) fn need(&self, column: &str) -> Result<&'a str, ImportError> {
        self.get(column)
            .ok_or_else(|| ImportError::Missing { place: format!("the column `{column}`") })
    }

    pub(super) fn number(&self, column: &str) -> Result<f64, ImportError> {
        parse_number(self.need(column)?, || format!("line {}, column `{column}`", self.line))
    }

    pub(super) fn count(&self, column: &str) -> Result<u64, ImportError> {
        let text = self.need(column)?;
        parse_count(text, || format!("line {}, column `{column}`", self.line))
    }
}

/// Reads a number from 0 on.
pub(super) fn parse_number(text: &str, place: impl FnOnce() -> String) -> Result<f64, ImportError> {
    let number = text.trim().parse().ok().filter(|number| (0.0..=NUMBER_MAX).contains(number));
    number.ok_or_else(|| ImportError::Field {
        place: place(),
        found: text.chars().take(60).collect(),
        wanted: "a number from 0 to 1e15",
    })
}

/// Reads a whole number.
pub(super) fn parse_count(text: &str, place: impl FnOnce() -> String) -> Result<u64, ImportError> {
    let count = text.trim().parse().ok().filter(|count| *count <= COUNT_MAX);
    count.ok_or_else(|| ImportError::Field {
        place: place(),
        found: text.chars().take(60).collect(),
        wanted: "a whole number up to 1e12",
    })
}
