//! hyperfine 1: one series a command, one value a process.
//!
//! All processes of one command run before those of the next, so what changes with time (a machine that gets
//! warm) looks like a change of the command.

use serde_json::Value;

use crate::import::contract::{
    DelayCorrection, FailureTimes, MeasureContract, MeasureOrder, MeasureUnit,
};
use crate::import::failure::ImportError;
use crate::import::fields::JsonPlace;
use crate::import::format::ImportFormat;
use crate::import::series::{ImportedRun, ImportedSeries, TimeSummary};

const SECOND: f64 = 1e9;

pub(super) fn parse(value: &Value) -> Result<ImportedRun, ImportError> {
    let results = JsonPlace::root(value).need("results")?.list()?;
    let series: Vec<ImportedSeries> = results.iter().map(command).collect::<Result<_, _>>()?;
    let has_values = series.iter().all(|series| !series.values_ns.is_empty());
    let contract = MeasureContract {
        unit: if has_values { MeasureUnit::Process } else { MeasureUnit::Summary },
        order: MeasureOrder::Blocked,
        corrected: DelayCorrection::No,
        failures: FailureTimes::Included,
        grid_ns: None,
    };
    Ok(ImportedRun::new(ImportFormat::Hyperfine, contract, series))
}

fn command(result: &JsonPlace<'_>) -> Result<ImportedSeries, ImportError> {
    let name = result.need("command")?.text()?;
    let times = result.get("times").map(|times| times.list()).transpose()?.unwrap_or_default();
    let times: Vec<f64> =
        times.iter().map(|time| Ok(time.number()? * SECOND)).collect::<Result<_, ImportError>>()?;
    let codes = result.get("exit_codes").map(|codes| codes.list()).transpose()?;
    // A process that a signal ended has no code.
    let failures = codes.map(|codes| codes.iter().filter(|code| !code.is_zero()).count() as u64);
    if times.is_empty() {
        let times = TimeSummary {
            mean: result.scaled("mean", SECOND)?,
            deviation: result.scaled("stddev", SECOND)?,
            min: result.scaled("min", SECOND)?,
            max: result.scaled("max", SECOND)?,
            percentiles: result
                .scaled("median", SECOND)?
                .map(|time| (50.0, time))
                .into_iter()
                .collect(),
        };
        return Ok(ImportedSeries {
            name: name.to_owned(),
            failures,
            times,
            ..ImportedSeries::default()
        });
    }
    Ok(ImportedSeries::of_values(name, times, failures))
}
