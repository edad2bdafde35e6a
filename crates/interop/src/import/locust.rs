//! Locust 2: `PREFIX_stats.csv`, a row an endpoint and one for all. Times are in milliseconds, percentiles of more
//! than 100 ms rounded to two digits.

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::fields::{CsvRow, CsvTable, parse_number};
use crate::import::format::ImportFormat;
use crate::import::series::{ImportedRun, ImportedSeries, MissingFact, TimeSummary};

const MILLISECOND: f64 = 1e6;
const RANKS: [&str; 11] =
    ["50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%"];

pub(super) fn parse(text: &str) -> Result<ImportedRun, ImportError> {
    let mut series = Vec::new();
    for row in CsvTable::of(text)?.rows() {
        let endpoint = endpoint(row)?;
        if endpoint.requests > Some(0) {
            series.push(endpoint);
        }
    }
    Ok(ImportedRun {
        missing: vec![MissingFact::WallTime],
        ..ImportedRun::new(
            ImportFormat::Locust,
            MeasureContract::SUMMARY.rounded_to(MILLISECOND),
            series,
        )
    })
}

fn endpoint(row: CsvRow<'_>) -> Result<ImportedSeries, ImportError> {
    let method = row.get("Type").unwrap_or_default();
    let name = format!("{method} {}", row.need("Name")?);
    let requests = row.count("Request Count")?;
    if requests == 0 {
        return Ok(ImportedSeries { requests: Some(0), ..ImportedSeries::default() });
    }
    let time = |column: &str| Ok::<_, ImportError>(Some(row.number(column)? * MILLISECOND));
    let mut percentiles = Vec::new();
    for column in RANKS {
        if let Some(value) = row.get(column).filter(|value| *value != "N/A") {
            let rank = parse_number(column.trim_end_matches('%'), || column.to_owned())?;
            percentiles
                .push((rank, parse_number(value, || format!("column `{column}`"))? * MILLISECOND));
        }
    }
    Ok(ImportedSeries {
        name: if method.is_empty() { "all".to_owned() } else { name },
        requests: Some(requests),
        failures: Some(row.count("Failure Count")?),
        rate: Some(row.number("Requests/s")?),
        wall_s: None,
        times: TimeSummary {
            mean: time("Average Response Time")?,
            deviation: None,
            min: time("Min Response Time")?,
            max: time("Max Response Time")?,
            percentiles,
        },
        values_ns: Vec::new(),
    })
}
