//! `JMeter`'s JTL, as CSV (read by its header, as every column can be switched off) and as XML. Times are whole
//! milliseconds, those of failures among them.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::fields::{CsvTable, parse_number};
use crate::import::format::ImportFormat;
use crate::import::series::{ImportedRun, LabelledTimes};

const MILLISECOND: f64 = 1e6;

pub(super) fn parse_csv(text: &str) -> Result<ImportedRun, ImportError> {
    let mut labels = LabelledTimes::default();
    for row in CsvTable::of(text)?.rows() {
        let has_failed = row.get("success").map(|success| success == "false");
        labels.add(row.need("label")?, row.number("elapsed")? * MILLISECOND, has_failed);
    }
    Ok(run(ImportFormat::JmeterCsv, labels))
}

/// Reads `httpSample` and `sample` elements. Those within another one are parts of it and not counted.
pub(super) fn parse_xml(text: &str) -> Result<ImportedRun, ImportError> {
    let mut reader = Reader::from_str(text);
    let mut labels = LabelledTimes::default();
    let mut within = 0_u32;
    loop {
        let event = reader.read_event().map_err(|error| ImportError::Xml {
            byte: reader.error_position(),
            reason: error.to_string(),
        })?;
        match event {
            Event::Start(element) if is_sample(&element) => {
                if within == 0 {
                    add_sample(&mut labels, &element, reader.buffer_position())?;
                }
                within += 1;
            }
            Event::Empty(element) if is_sample(&element) && within == 0 => {
                add_sample(&mut labels, &element, reader.buffer_position())?;
            }
            Event::End(element) if is_sample_name(element.name().as_ref()) => {
                within = within.saturating_sub(1);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    Ok(run(ImportFormat::JmeterXml, labels))
}

fn is_sample(element: &BytesStart<'_>) -> bool {
    is_sample_name(element.name().as_ref())
}

fn is_sample_name(name: &[u8]) -> bool {
    name == b"httpSample" || name == b"sample"
}

fn add_sample(
    labels: &mut LabelledTimes,
    element: &BytesStart<'_>,
    byte: u64,
) -> Result<(), ImportError> {
    let attribute = |name: &str| {
        let found = element.try_get_attribute(name).ok().flatten();
        let value = found?.decoded_and_normalized_value(XmlVersion::Implicit1_0, element.decoder());
        value.ok().map(Cow::into_owned)
    };
    let missing = |name: &str| ImportError::Missing {
        place: format!("the attribute `{name}` at byte {byte}"),
    };
    let elapsed = attribute("t").ok_or_else(|| missing("t"))?;
    let elapsed = parse_number(&elapsed, || format!("attribute `t` at byte {byte}"))?;
    let label = attribute("lb").ok_or_else(|| missing("lb"))?;
    let has_failed = attribute("s").map(|success| success == "false");
    labels.add(&label, elapsed * MILLISECOND, has_failed);
    Ok(())
}

fn run(format: ImportFormat, labels: LabelledTimes) -> ImportedRun {
    let missing = labels.missing();
    let contract = MeasureContract::REQUESTS.rounded_to(MILLISECOND);
    ImportedRun { missing, ..ImportedRun::new(format, contract, labels.series()) }
}
