//! Rows of a CSV text with their lines, for messages that name the place.

use csv::{ReaderBuilder, StringRecord, Trim};

/// Returns the rows of a CSV text with their lines, from 1, the header among them; rows may have any
/// number of fields. Blank lines are left out.
pub(super) fn rows(text: &str) -> impl Iterator<Item = (usize, StringRecord)> {
    let mut reader = ReaderBuilder::new();
    reader.has_headers(false).flexible(true).trim(Trim::All);
    let records = reader.from_reader(text.as_bytes()).into_records();
    let row = |record: csv::Result<StringRecord>| {
        let record = record.expect("it is text, and a row may have any number of fields");
        let line = record.position().and_then(|at| usize::try_from(at.line()).ok());
        (line.expect("a reader knows where a row begins"), record)
    };
    let is_blank = |fields: &StringRecord| fields.iter().all(str::is_empty) && fields.len() == 1;
    records.map(row).filter(move |(_, fields)| !is_blank(fields))
}
