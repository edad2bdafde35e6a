//! Gatling 3: `simulation.log` as text, which it wrote up to 3.12.0, and the JSON of its reports.
//!
//! Times are whole milliseconds. The JSON has failures apart (`ko`), its `total` has both; the ranks of its four
//! percentiles are a setting that the file does not have.

use serde_json::Value;

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::fields::{JsonPlace, parse_number};
use crate::import::format::ImportFormat;
use crate::import::series::{ImportedRun, ImportedSeries, LabelledTimes, MissingFact, TimeSummary};

const MILLISECOND: f64 = 1e6;

/// Reads `REQUEST`, groups, name, start, end, `OK` or `KO`, message, apart by tabs. A series a name.
pub(super) fn parse_log(text: &str) -> Result<ImportedRun, ImportError> {
    let mut names = LabelledTimes::default();
    for (index, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        if fields.first() != Some(&"REQUEST") {
            continue;
        }
        let [_, groups, name, start, end, status, ..] = fields[..] else {
            return Err(ImportError::Fields {
                line: index as u64 + 1,
                found: fields.len(),
                wanted: 7,
            });
        };
        let place = || format!("line {}", index + 1);
        let elapsed = parse_number(end, place)? - parse_number(start, place)?;
        let name = if groups.is_empty() { name.to_owned() } else { format!("{groups}/{name}") };
        names.add(&name, elapsed.max(0.0) * MILLISECOND, Some(status == "KO"));
    }
    Ok(ImportedRun::new(
        ImportFormat::GatlingLog,
        MeasureContract::REQUESTS.rounded_to(MILLISECOND),
        names.series(),
    ))
}

pub(super) fn parse_stats(value: &Value) -> Result<ImportedRun, ImportError> {
    let root = JsonPlace::root(value);
    let mut series = Vec::new();
    add_stats(&root, &mut series)?;
    Ok(ImportedRun {
        missing: vec![MissingFact::PercentileRanks, MissingFact::WallTime],
        ..ImportedRun::new(
            ImportFormat::GatlingStats,
            MeasureContract::SUMMARY.rounded_to(MILLISECOND),
            series,
        )
    })
}

/// `global_stats.json` is the statistics alone; `stats.json` has them in a tree of groups and requests.
fn add_stats(node: &JsonPlace<'_>, series: &mut Vec<ImportedSeries>) -> Result<(), ImportError> {
    let stats = node.get("stats").unwrap_or_else(|| node.clone());
    let name = stats.get("name").or_else(|| node.get("name"));
    let name = name.and_then(|name| name.text().ok()).unwrap_or("all");
    let count = stats.need("numberOfRequests")?;
    let total =
        |key: &str| stats.get(key).map_or(Ok(None), |place| place.scaled("total", MILLISECOND));
    series.push(ImportedSeries {
        name: name.to_owned(),
        requests: count.counted("total")?,
        failures: count.counted("ko")?,
        rate: stats
            .get("meanNumberOfRequestsPerSecond")
            .map_or(Ok(None), |it| it.scaled("total", 1.0))?,
        wall_s: None,
        times: TimeSummary {
            mean: total("meanResponseTime")?,
            deviation: total("standardDeviation")?,
            min: total("minResponseTime")?,
            max: total("maxResponseTime")?,
            percentiles: Vec::new(),
        },
        values_ns: Vec::new(),
    });
    for (_, inner) in node.get("contents").map_or(Ok(Vec::new()), |contents| contents.fields())? {
        add_stats(&inner, series)?;
    }
    Ok(())
}
