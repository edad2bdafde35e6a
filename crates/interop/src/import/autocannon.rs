//! autocannon 7 and 8: times in whole milliseconds, so that a fast API has percentiles of 0.
//!
//! `errors` has `timeouts` in it; answers from 400 on are `non2xx` and keep their times among the others.

use serde_json::Value;

use crate::import::contract::{DelayCorrection, MeasureContract};
use crate::import::failure::ImportError;
use crate::import::fields::JsonPlace;
use crate::import::format::ImportFormat;
use crate::import::series::{ImportedRun, ImportedSeries, TimeSummary};

const MILLISECOND: f64 = 1e6;

pub(super) fn parse(value: &Value) -> Result<ImportedRun, ImportError> {
    let root = JsonPlace::root(value);
    let latency = root.need("latency")?;
    let answered = root.need("requests")?.need("total")?.count()?;
    let unanswered = root.need("errors")?.count()?;
    let mut percentiles = Vec::new();
    for (key, time) in latency.fields()? {
        let rank = key.strip_prefix('p').map(|rank| rank.replace('_', "."));
        if let Some(rank) = rank.and_then(|rank| rank.parse::<f64>().ok()) {
            percentiles.push((rank, time.number()? * MILLISECOND));
        }
    }
    percentiles.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wall = root.scaled("duration", 1.0)?;
    let requests = answered + unanswered;
    let series = ImportedSeries {
        name: "all".to_owned(),
        requests: Some(requests),
        failures: Some(root.need("non2xx")?.count()? + unanswered),
        // Its own `requests.average` is a mean over whole seconds, which is another number.
        rate: wall.filter(|wall| *wall > 0.0).map(|wall| units::exact(requests) / wall),
        wall_s: wall,
        times: TimeSummary {
            mean: latency.scaled("mean", MILLISECOND)?,
            deviation: latency.scaled("stddev", MILLISECOND)?,
            min: latency.scaled("min", MILLISECOND)?,
            max: latency.scaled("max", MILLISECOND)?,
            percentiles,
        },
        values_ns: Vec::new(),
    };
    // With `--rate` it corrects for coordinated omission unless `--ignoreCoordinatedOmission` is set; neither
    // is recorded.
    let contract =
        MeasureContract { corrected: DelayCorrection::Unknown, ..MeasureContract::SUMMARY };
    Ok(ImportedRun::new(ImportFormat::Autocannon, contract.rounded_to(MILLISECOND), vec![series]))
}
