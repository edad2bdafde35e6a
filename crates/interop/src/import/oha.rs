//! oha 1.
//!
//! Its `successRate` counts every answer, a 500 too, and its times are of all answers; so failures are counted by
//! status here. What was not answered has no time.

use serde_json::Value;

use crate::import::contract::{DelayCorrection, MeasureContract};
use crate::import::failure::ImportError;
use crate::import::fields::JsonPlace;
use crate::import::format::ImportFormat;
use crate::import::series::{ImportedRun, ImportedSeries, TimeSummary};

/// What was under way when the time was over, which is no failure.
const CUT_AT_THE_END: &str = "aborted due to deadline";

pub(super) fn parse(value: &Value) -> Result<ImportedRun, ImportError> {
    let root = JsonPlace::root(value);
    let summary = root.need("summary")?;
    let (mut answered, mut refused) = (0, 0);
    for (status, count) in root.need("statusCodeDistribution")?.fields()? {
        let count = count.count()?;
        answered += count;
        refused += if is_failure(status) { count } else { 0 };
    }
    let mut unanswered = 0;
    for (error, count) in root.need("errorDistribution")?.fields()? {
        if error != CUT_AT_THE_END {
            unanswered += count.count()?;
        }
    }
    let mut percentiles = Vec::new();
    for (name, place) in root.need("latencyPercentiles")?.fields()? {
        let rank: Option<f64> = name.strip_prefix('p').and_then(|rank| rank.parse().ok());
        // Without an answer every percentile is null.
        if let (Some(rank), Some(time)) = (rank, place.time()?) {
            percentiles.push((rank, time));
        }
    }
    percentiles.sort_by(|a, b| a.0.total_cmp(&b.0));
    let series = ImportedSeries {
        name: "all".to_owned(),
        requests: Some(answered + unanswered),
        failures: Some(refused + unanswered),
        rate: summary.scaled("requestsPerSec", 1.0)?,
        wall_s: summary.scaled("total", 1.0)?,
        times: TimeSummary {
            mean: summary.scaled("average", 1e9)?,
            deviation: None,
            min: summary.scaled("fastest", 1e9)?,
            max: summary.scaled("slowest", 1e9)?,
            percentiles,
        },
        values_ns: Vec::new(),
    };
    // `--latency-correction` is not recorded.
    let contract =
        MeasureContract { corrected: DelayCorrection::Unknown, ..MeasureContract::SUMMARY };
    Ok(ImportedRun::new(ImportFormat::Oha, contract, vec![series]))
}

/// Whether a status, or what stands in place of one, is a failure.
pub(super) fn is_failure(status: &str) -> bool {
    status.parse().map_or(true, |status: u32| !(100..400).contains(&status))
}

impl JsonPlace<'_> {
    /// Seconds as nanoseconds, if there are any.
    fn time(&self) -> Result<Option<f64>, ImportError> {
        if self.is_null() { Ok(None) } else { Ok(Some(self.number()? * 1e9)) }
    }
}
