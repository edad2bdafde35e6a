//! Criterion 0.3 to 0.8: `estimates.json`.
//!
//! All its samples are of one process, whose layout in memory none of them redraws. So it has numbers, and a
//! ratio of two such numbers, but nothing that could show a change.

use serde_json::Value;

use crate::import::contract::{DelayCorrection, FailureTimes, MeasureContract};
use crate::import::failure::ImportError;
use crate::import::fields::JsonPlace;
use crate::import::format::ImportFormat;
use crate::import::series::{ImportedRun, ImportedSeries, MissingFact, TimeSummary};

pub(super) fn parse(value: &Value) -> Result<ImportedRun, ImportError> {
    let root = JsonPlace::root(value);
    let point = |key: &str| root.need(key)?.need("point_estimate")?.number();
    let series = ImportedSeries {
        name: "all".to_owned(),
        times: TimeSummary {
            mean: Some(point("mean")?),
            deviation: Some(point("std_dev")?),
            min: None,
            max: None,
            percentiles: vec![(50.0, point("median")?)],
        },
        ..ImportedSeries::default()
    };
    let contract = MeasureContract {
        corrected: DelayCorrection::No,
        failures: FailureTimes::Unknown,
        ..MeasureContract::SUMMARY
    };
    Ok(ImportedRun {
        missing: vec![MissingFact::WallTime],
        ..ImportedRun::new(ImportFormat::Criterion, contract, vec![series])
    })
}
