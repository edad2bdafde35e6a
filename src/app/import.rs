//! Reads results of other tools, holds them to limits, and sets two beside each other.
//!
//! Other tools rarely redraw what a verdict needs redrawn, so nothing here is ever *regressed*: what stands out
//! among values of fresh processes is *suspected*, and everything else is a number.

use anyhow::Context as _;
use interop::import::{self, ImportFormat, ImportedRun, ImportedSeries, MeasureUnit};
use record::metric::Metric;
use record::metric::limit::{Limit, LimitQuantity};
use record::work_unit::WorkUnit;
use serde::{Serialize, Serializer};
use stats::{means, multiple};
use units::Ratio;

use crate::app::failure::UseCaseError;

/// Fewest processes of each side that can raise a suspicion.
const UNITS_MIN: usize = 10;

/// What is read, and what it is held to.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The result of the base, if there are two.
    pub base: Option<ImportText>,
    /// The result, or that of the head.
    pub head: ImportText,
    /// Which form they have, if it is not to be seen from the content.
    pub format: Option<ImportFormat>,
    /// What every series of the head must keep.
    pub limits: Vec<Limit>,
    /// Chance that anything is suspected when nothing changed.
    pub alpha: Ratio,
}

/// A text with its name in messages.
#[derive(Debug, Clone)]
pub struct ImportText {
    /// Where it came from.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// What was read, and what follows.
#[derive(Debug, Serialize)]
pub struct ImportReport {
    /// The result of the base, if there are two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<ImportedRun>,
    /// The result.
    pub head: ImportedRun,
    /// Every limit on every series.
    pub limits: Vec<ImportedLimit>,
    /// Every number that both sides have.
    pub changes: Vec<ImportedChange>,
    /// What keeps the changes from being verdicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caution: Option<ImportCaution>,
}

/// A limit on a series.
#[derive(Debug, Serialize)]
pub struct ImportedLimit {
    /// Name of the series.
    pub series: String,
    /// What must hold.
    #[serde(serialize_with = "limit_text")]
    pub limit: Limit,
    /// What the file has, in the limit's unit; none if it does not have it.
    pub measured: Option<f64>,
}

/// What a number of a series was and is.
#[derive(Debug, Serialize)]
pub struct ImportedChange {
    /// Name of the series.
    pub series: String,
    /// What the number is.
    pub statistic: TimeStatistic,
    /// Of the base, nanoseconds.
    pub base_ns: f64,
    /// Of the head, nanoseconds.
    pub head_ns: f64,
    /// Whether the means of fresh processes differ by more than chance; none where that cannot be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Whether that makes the series a suspect.
    pub is_suspected: bool,
}

/// A number of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeStatistic {
    /// The mean.
    Mean,
    /// The median.
    P50,
    /// The 95th percentile.
    P95,
    /// The 99th percentile.
    P99,
}

/// Why a change is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportCaution {
    /// All values of one process, or a summary of them: nothing shows what another process would have had.
    OneProcess,
    /// Too few processes.
    FewProcesses,
    /// One side ran before the other.
    NotInterleaved,
}

/// Reads one result or two.
pub fn import(options: &ImportOptions) -> anyhow::Result<ImportReport> {
    let head = read(&options.head, options.format)?;
    let base = options.base.as_ref().map(|base| read(base, options.format)).transpose()?;
    let mut limits = Vec::new();
    for series in &head.series {
        for limit in &options.limits {
            let measured = measured(series, limit.quantity)?;
            limits.push(ImportedLimit { series: series.name.clone(), limit: *limit, measured });
        }
    }
    let pairs = pairs(base.as_ref(), &head);
    let caution = caution(base.as_ref(), &head, &pairs);
    let is_of_processes = caution == Some(ImportCaution::NotInterleaved);
    let mut changes: Vec<ImportedChange> =
        pairs.iter().flat_map(|(base, head)| changes(base, head, is_of_processes)).collect();
    suspect(&mut changes, options.alpha);
    Ok(ImportReport { base, head, limits, changes, caution })
}

fn read(text: &ImportText, format: Option<ImportFormat>) -> anyhow::Result<ImportedRun> {
    import::read(&text.text, format).with_context(|| format!("cannot import `{}`", text.name))
}

/// The series of base and head that have one name; the two commands of one result of processes.
fn pairs<'a>(
    base: Option<&'a ImportedRun>,
    head: &'a ImportedRun,
) -> Vec<(&'a ImportedSeries, &'a ImportedSeries)> {
    let Some(base) = base else {
        return match head.series.as_slice() {
            [first, second] if head.contract.unit == MeasureUnit::Process => vec![(first, second)],
            _ => Vec::new(),
        };
    };
    if let ([base], [head]) = (base.series.as_slice(), head.series.as_slice()) {
        return vec![(base, head)];
    }
    let of_base = |name: &str| base.series.iter().find(|series| series.name == name);
    head.series.iter().filter_map(|head| Some((of_base(&head.name)?, head))).collect()
}

fn caution(
    base: Option<&ImportedRun>,
    head: &ImportedRun,
    pairs: &[(&ImportedSeries, &ImportedSeries)],
) -> Option<ImportCaution> {
    if pairs.is_empty() {
        return None;
    }
    let is_of_processes = |run: &ImportedRun| run.contract.unit == MeasureUnit::Process;
    if !is_of_processes(head) || !base.is_none_or(is_of_processes) {
        return Some(ImportCaution::OneProcess);
    }
    let has_enough = |series: &ImportedSeries| series.values_ns.len() >= UNITS_MIN;
    let is_few = pairs.iter().any(|(base, head)| !has_enough(base) || !has_enough(head));
    Some(if is_few { ImportCaution::FewProcesses } else { ImportCaution::NotInterleaved })
}

fn changes(
    base: &ImportedSeries,
    head: &ImportedSeries,
    is_of_processes: bool,
) -> Vec<ImportedChange> {
    let of = |series: &ImportedSeries, statistic| match statistic {
        TimeStatistic::Mean => series.times.mean,
        TimeStatistic::P50 => series.times.percentile(50.0),
        TimeStatistic::P95 => series.times.percentile(95.0),
        TimeStatistic::P99 => series.times.percentile(99.0),
    };
    let all = [TimeStatistic::Mean, TimeStatistic::P50, TimeStatistic::P95, TimeStatistic::P99];
    let change = |statistic| {
        Some(ImportedChange {
            series: head.name.clone(),
            statistic,
            base_ns: of(base, statistic)?,
            head_ns: of(head, statistic)?,
            p: (is_of_processes && statistic == TimeStatistic::Mean)
                .then(|| p_differs(base, head))
                .flatten(),
            is_suspected: false,
        })
    };
    all.into_iter().filter_map(change).collect()
}

/// Welch's t of the logarithms, two-sided; none where a value has no logarithm.
fn p_differs(base: &ImportedSeries, head: &ImportedSeries) -> Option<f64> {
    let logs = |series: &ImportedSeries| {
        let values = &series.values_ns;
        let is_usable = values.iter().all(|value| *value > 0.0);
        is_usable.then(|| values.iter().map(|value| value.ln()).collect::<Vec<f64>>())
    };
    let estimate = means::welch(&logs(base)?, &logs(head)?);
    Some((2.0 * estimate.p_greater(0.0).min(estimate.p_less(0.0))).min(1.0))
}

/// Marks what is too unlikely, over all series together.
fn suspect(changes: &mut [ImportedChange], alpha: Ratio) {
    let with_p: Vec<usize> =
        (0..changes.len()).filter(|index| changes[*index].p.is_some()).collect();
    let p: Vec<f64> = with_p.iter().filter_map(|index| changes[*index].p).collect();
    for (index, adjusted) in with_p.into_iter().zip(multiple::holm(&p)) {
        changes[index].p = Some(adjusted);
        changes[index].is_suspected = adjusted <= alpha.0;
    }
}

/// What a series has of a quantity, in the quantity's unit.
fn measured(series: &ImportedSeries, quantity: LimitQuantity) -> Result<Option<f64>, UseCaseError> {
    match quantity {
        LimitQuantity::Errors => Ok(series.failure_share()),
        LimitQuantity::Metric(Metric::Throughput) => Ok(series.rate),
        LimitQuantity::Metric(Metric::P50) => Ok(series.times.percentile(50.0)),
        LimitQuantity::Metric(Metric::P95) => Ok(series.times.percentile(95.0)),
        LimitQuantity::Metric(Metric::P99) => Ok(series.times.percentile(99.0)),
        LimitQuantity::Metric(_) | LimitQuantity::Growth => {
            Err(UseCaseError::LimitNotImported { quantity: quantity.key() })
        }
    }
}

impl ImportedLimit {
    /// Returns whether it is kept; none where the file does not have the number.
    pub fn is_kept(&self) -> Option<bool> {
        self.measured.map(|measured| self.limit.holds(measured))
    }
}

fn limit_text<S: Serializer>(limit: &Limit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!(
        "{} {}",
        limit.quantity.key(),
        limit.text(&WorkUnit::request())
    ))
}

#[cfg(test)]
mod tests {
    use record::metric::limit::WrittenLimit;

    use super::*;

    fn processes(name: &str, times: &[f64]) -> String {
        let mean = means::mean(times);
        format!(r#"{{"results": [{{"command": "{name}", "mean": {mean}, "times": {times:?}}}]}}"#)
    }

    fn options(base: Option<String>, head: String, limits: &[(&str, &str)]) -> ImportOptions {
        let text = |text| ImportText { name: "result.json".to_owned(), text };
        ImportOptions {
            base: base.map(text),
            head: text(head),
            format: None,
            limits: limits.iter().map(|(key, value)| limit(key, value)).collect(),
            alpha: Ratio(0.01),
        }
    }

    fn limit(key: &str, value: &str) -> Limit {
        WrittenLimit::parse(key, value).unwrap().of(&[WorkUnit::request()]).unwrap()
    }

    fn times(n: u32, level: f64) -> Vec<f64> {
        (0..n).map(|i| level * (1.0 + f64::from(i % 5) / 200.0)).collect()
    }

    #[test]
    fn many_fresh_processes_raise_a_suspicion_and_no_more() {
        let compare = |n, factor| {
            let (base, head) = (times(n, 0.01), times(n, 0.01 * factor));
            import(&options(Some(processes("a", &base)), processes("b", &head), &[])).unwrap()
        };
        let report = compare(12, 1.05);
        assert_eq!(report.caution, Some(ImportCaution::NotInterleaved));
        assert!(report.changes[0].is_suspected, "{report:?}");
        assert!(!compare(12, 1.0).changes[0].is_suspected);
        let few = compare(9, 1.5);
        assert_eq!((few.caution, few.changes[0].p), (Some(ImportCaution::FewProcesses), None));
    }

    #[test]
    fn one_process_suspects_nothing() {
        let csv = |level: u32| {
            let rows: Vec<_> = (0..50).map(|i| format!("{level}.{i:02}1,0,200\n")).collect();
            format!("response-time,DNS+dialup,status-code\n{}", rows.concat())
        };
        let report = import(&options(Some(csv(1)), csv(9), &[])).unwrap();
        assert_eq!(report.caution, Some(ImportCaution::OneProcess));
        assert!(report.changes.iter().all(|change| change.p.is_none() && !change.is_suspected));
    }

    #[test]
    fn a_limit_is_kept_broken_or_not_in_the_file() {
        let head = processes("a", &times(20, 0.01));
        let limits = [("p95", "<= 20 ms"), ("p95", "<= 5 ms"), ("errors", "0 %")];
        let report = import(&options(None, head, &limits)).unwrap();
        let kept: Vec<_> = report.limits.iter().map(ImportedLimit::is_kept).collect();
        assert_eq!(kept, [Some(true), Some(false), None], "it has no exit codes");
        let estimates = r#"{"mean": {"point_estimate": 2}, "std_dev": {"point_estimate": 1},
            "median": {"point_estimate": 2, "confidence_interval": {}}}"#;
        let report = import(&options(None, estimates.to_owned(), &[("p95", "<= 5 ms")])).unwrap();
        assert_eq!(report.limits[0].is_kept(), None);
    }

    #[test]
    fn a_limit_on_what_no_result_has_is_refused() {
        let head = processes("a", &times(20, 0.01));
        let error = import(&options(None, head, &[("rss", "<= 1 GiB")])).unwrap_err();
        assert!(error.to_string().contains("`rss`"), "{error}");
    }
}
