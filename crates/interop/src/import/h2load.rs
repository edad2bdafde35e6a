//! h2load 1: its text. Times go from when a request was sent to the end of its answer.

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::format::ImportFormat;
use crate::import::printed::PrintedReport;
use crate::import::series::{ImportedRun, ImportedSeries, TimeSummary};

pub(super) fn parse(text: &str) -> Result<ImportedRun, ImportError> {
    let report = PrintedReport::of(text);
    let finished = report.need("finished in")?;
    // `requests: 100 total, 100 started, 100 done, 100 succeeded, 0 failed, 0 errored, 0 timeout`
    let requests = report.need("requests:")?;
    let (total, succeeded) = (requests.count(0)?, requests.count(6)?);
    // `min max mean sd +/- sd`; columns named by the line above.
    let times = report.need("time for request:")?;
    let series = ImportedSeries {
        name: "all".to_owned(),
        requests: Some(total),
        failures: Some(total.saturating_sub(succeeded)),
        rate: Some(finished.number(1)?),
        wall_s: Some(finished.time_ns(0)? / 1e9),
        times: TimeSummary {
            mean: Some(times.time_ns(2)?),
            deviation: Some(times.time_ns(3)?),
            min: Some(times.time_ns(0)?),
            max: Some(times.time_ns(1)?),
            percentiles: Vec::new(),
        },
        values_ns: Vec::new(),
    };
    Ok(ImportedRun::new(ImportFormat::H2load, MeasureContract::SUMMARY, vec![series]))
}
