//! k6's single points, as JSON lines and as CSV. Times are in milliseconds.
//!
//! A request is a point of `http_req_duration`; whether it failed is the point of `http_req_failed` that follows.

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::fields::{CsvTable, JsonPlace, json_lines};
use crate::import::format::ImportFormat;
use crate::import::series::{ImportedRun, ImportedSeries, MissingFact};

const MILLISECOND: f64 = 1e6;

/// What the points add up to.
#[derive(Debug, Default)]
struct PointTotals {
    times_ns: Vec<f64>,
    /// None as long as no point says of a request whether it failed.
    failures: Option<u64>,
}

impl PointTotals {
    fn add(&mut self, metric: &str, value: f64) {
        match metric {
            "http_req_duration" => self.times_ns.push(value * MILLISECOND),
            "http_req_failed" => {
                self.failures = Some(self.failures.unwrap_or(0) + u64::from(value > 0.0));
            }
            _ => {}
        }
    }

    fn run(self, format: ImportFormat) -> Result<ImportedRun, ImportError> {
        if self.times_ns.is_empty() {
            return Err(ImportError::NoRequests { format });
        }
        let missing =
            if self.failures.is_none() { vec![MissingFact::Failures] } else { Vec::new() };
        let series = ImportedSeries::of_values("all", self.times_ns, self.failures);
        let contract = MeasureContract::REQUESTS;
        Ok(ImportedRun { missing, ..ImportedRun::new(format, contract, vec![series]) })
    }
}

pub(super) fn parse_json(text: &str) -> Result<ImportedRun, ImportError> {
    let mut totals = PointTotals::default();
    for value in json_lines(text) {
        let value = value?;
        let point = JsonPlace::root(&value);
        if point.need("type")?.text()? == "Point" {
            let value = point.need("data")?.need("value")?.number()?;
            totals.add(point.need("metric")?.text()?, value);
        }
    }
    totals.run(ImportFormat::K6Json)
}

pub(super) fn parse_csv(text: &str) -> Result<ImportedRun, ImportError> {
    let mut totals = PointTotals::default();
    for row in CsvTable::of(text)?.rows() {
        totals.add(row.need("metric_name")?, row.number("metric_value")?);
    }
    totals.run(ImportFormat::K6Csv)
}
