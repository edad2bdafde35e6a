//! hey 0.1: its text and its CSV.
//!
//! Times are rounded to 0.1 ms, and a percentile of which there are too few requests is printed as `0%`. What was
//! not answered stands in no row of the CSV.

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::fields::{CsvTable, parse_count};
use crate::import::format::ImportFormat;
use crate::import::oha::is_failure;
use crate::import::printed::{PrintedLine, PrintedReport};
use crate::import::series::{ImportedRun, ImportedSeries, MissingFact, TimeSummary};

const GRID_NS: f64 = 1e5;

pub(super) fn parse(text: &str) -> Result<ImportedRun, ImportError> {
    let report = PrintedReport::of(text);
    let mut percentiles = Vec::new();
    for line in report.lines().filter(|line| line.rest.contains("% in ")) {
        let rank = line.percent(0)?;
        if rank > 0.0 {
            percentiles.push((rank, line.number(2)? * 1e9));
        }
    }
    let (mut answered, mut failures) = (0, 0);
    for line in report.lines().filter(|line| line.rest.ends_with(" responses")) {
        let count = line.count(1)?;
        answered += count;
        failures += if is_failure(line.word(0)?.trim_matches(['[', ']'])) { count } else { 0 };
    }
    let unanswered = unanswered(report)?;
    let seconds = |start: &str| report.find(start).map(|line| line.number(0)).transpose();
    let nanos = |start: &str| Ok::<_, ImportError>(seconds(start)?.map(|time| time * 1e9));
    // Without an answer the summary is full of zeros and infinities.
    let times = if answered == 0 {
        TimeSummary::default()
    } else {
        TimeSummary {
            mean: nanos("Average:")?,
            deviation: None,
            min: nanos("Fastest:")?,
            max: nanos("Slowest:")?,
            percentiles,
        }
    };
    let series = ImportedSeries {
        name: "all".to_owned(),
        requests: Some(answered + unanswered),
        failures: Some(failures + unanswered),
        rate: seconds("Requests/sec:").ok().flatten(),
        wall_s: seconds("Total:")?,
        times,
        values_ns: Vec::new(),
    };
    let contract = MeasureContract::SUMMARY.rounded_to(GRID_NS);
    Ok(run(ImportFormat::Hey, contract, series, Vec::new()))
}

/// Lines of the error distribution: `[8]  Get "http://…": connection refused`.
fn unanswered(report: PrintedReport<'_>) -> Result<u64, ImportError> {
    let below = report.lines().skip_while(|line| line.rest != "Error distribution:").skip(1);
    let counted = |line: PrintedLine<'_>| {
        let count = line.rest.strip_prefix('[')?.split(']').next()?;
        Some(parse_count(count, || line.place()))
    };
    below.filter_map(counted).sum()
}

/// Reads one row a request that was answered.
pub(super) fn parse_csv(text: &str) -> Result<ImportedRun, ImportError> {
    let table = CsvTable::of(text)?;
    let (mut times, mut failures) = (Vec::new(), 0);
    for row in table.rows() {
        times.push(row.number("response-time")? * 1e9);
        failures += u64::from(is_failure(row.need("status-code")?));
    }
    if times.is_empty() {
        return Err(ImportError::NoRequests { format: ImportFormat::HeyCsv });
    }
    // Of requests without an answer there are no rows: that none failed is not known.
    let failures = (failures > 0).then_some(failures);
    let series = ImportedSeries::of_values("all", times, failures);
    let contract = MeasureContract::REQUESTS.rounded_to(GRID_NS);
    Ok(run(ImportFormat::HeyCsv, contract, series, vec![MissingFact::Failures]))
}

fn run(
    format: ImportFormat,
    contract: MeasureContract,
    series: ImportedSeries,
    missing: Vec<MissingFact>,
) -> ImportedRun {
    ImportedRun { missing, ..ImportedRun::new(format, contract, vec![series]) }
}
