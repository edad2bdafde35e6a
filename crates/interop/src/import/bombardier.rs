//! bombardier 1 and 2: JSON of `-p result -o json`. Times are in microseconds.
//!
//! Requests without an answer are `others`; their times, until they were given up, are among the others.

use serde_json::Value;

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::fields::JsonPlace;
use crate::import::format::ImportFormat;
use crate::import::series::{ImportedRun, ImportedSeries, TimeSummary};

const MICROSECOND: f64 = 1e3;

pub(super) fn parse(value: &Value) -> Result<ImportedRun, ImportError> {
    let root = JsonPlace::root(value);
    let result = root.need("result")?;
    let count = |key: &str| Ok::<_, ImportError>(result.counted(key)?.unwrap_or(0));
    let good = count("req1xx")? + count("req2xx")? + count("req3xx")?;
    let failures = count("req4xx")? + count("req5xx")? + count("others")?;
    let latency = result.need("latency")?;
    let mut percentiles = Vec::new();
    // They are there with `-l` only.
    if let Some(ranks) = latency.get("percentiles") {
        for (rank, time) in ranks.fields()? {
            let rank = rank.parse().map_err(|_| time.wrong("a percentile"))?;
            percentiles.push((rank, time.number()? * MICROSECOND));
        }
    }
    percentiles.sort_by(|a: &(f64, f64), b| a.0.total_cmp(&b.0));
    let wall = result.scaled("timeTakenSeconds", 1.0)?;
    let requests = good + failures;
    let series = ImportedSeries {
        name: "all".to_owned(),
        requests: Some(requests),
        failures: Some(failures),
        // Its own `rps` is a mean over 10 ms windows, which is another number.
        rate: wall.filter(|wall| *wall > 0.0).map(|wall| units::exact(requests) / wall),
        wall_s: wall,
        times: TimeSummary {
            mean: latency.scaled("mean", MICROSECOND)?,
            deviation: latency.scaled("stddev", MICROSECOND)?,
            min: None,
            max: latency.scaled("max", MICROSECOND)?,
            percentiles,
        },
        values_ns: Vec::new(),
    };
    let contract = MeasureContract::SUMMARY.rounded_to(MICROSECOND);
    Ok(ImportedRun::new(ImportFormat::Bombardier, contract, vec![series]))
}
