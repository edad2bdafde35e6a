//! Renders the numbers of a comparison for services that track benchmarks: a team keeps its charts while
//! the verdicts are made here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use compare::{Comparison, MetricResult};
use record::metric::{BetterDirection, Metric, MetricDimension};
use serde::Serialize;

use crate::exposition;
use crate::families;

/// Characters of a name that Bencher takes.
const BENCHMARK_CHARS_MAX: usize = 1_024;

/// A value of the Bencher Metric Format.
#[derive(Serialize)]
struct BencherValue {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// A row of github-action-benchmark.
#[derive(Serialize)]
struct ActionRow {
    name: String,
    unit: String,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
}

/// Returns the values of head in the Bencher Metric Format, for `bencher run --adapter json`. Limits are
/// those of head where there is a base: its value times the limits of the change.
pub fn bencher(comparison: &Comparison) -> String {
    let mut benchmarks = BTreeMap::<String, BTreeMap<String, BencherValue>>::new();
    for row in &comparison.rows {
        let Some(value) = finite(row.head) else { continue };
        let [lower_value, upper_value] = limits(row).map_or([None; 2], |limits| limits.map(Some));
        let name = row.subject().chars().take(BENCHMARK_CHARS_MAX).collect();
        let value = BencherValue { value, lower_value, upper_value };
        benchmarks.entry(name).or_default().insert(measure(row), value);
    }
    json(&benchmarks)
}

/// Returns the values of head for the tools `customSmallerIsBetter` and `customBiggerIsBetter` of
/// github-action-benchmark: those of the metrics of which `better` is welcome.
pub fn action_benchmark(comparison: &Comparison, better: BetterDirection) -> String {
    let rows = comparison.rows.iter().filter(|row| row.metric.better() == better);
    let rows: Vec<_> = rows
        .filter_map(|row| {
            let value = finite(row.head)?;
            let range = limits(row).map(|[low, high]| format!("± {}", rounded((high - low) / 2.0)));
            let name = format!("{} {}", row.scenario, row.label());
            Some(ActionRow { name, unit: unit(row), value, range })
        })
        .collect();
    json(&rows)
}

/// Returns the values and the verdicts as OpenMetrics text 1.0, for the metrics report of GitLab. It
/// compares them as text, so they have three digits.
pub fn open_metrics(comparison: &Comparison) -> String {
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        text.write_fmt(line).expect("memory takes all that is written");
        text.push('\n');
    };
    for metric in Metric::ALL {
        let rows: Vec<_> = comparison.rows.iter().filter(|row| row.metric == metric).collect();
        let values = rows.iter().filter_map(|row| Some((row, finite(row.head)?)));
        let (unit, scale) = families::base_unit(metric);
        let family = format!("xmlperf_{}{}", metric.key().replace('-', "_"), unit.suffix());
        for (at, (row, value)) in values.enumerate() {
            if at == 0 {
                line(format_args!("# TYPE {family} gauge"));
            }
            let scenario = exposition::escape(&row.subject());
            line(format_args!("{family}{{scenario=\"{scenario}\"}} {}", rounded(value * scale)));
        }
    }
    line(format_args!("# TYPE xmlperf_verdict gauge"));
    for row in &comparison.rows {
        let Some(verdict) = row.verdict() else { continue };
        let (scenario, metric) = (exposition::escape(&row.subject()), row.metric.key());
        let labels =
            format!("scenario=\"{scenario}\",metric=\"{metric}\",verdict=\"{}\"", verdict.key());
        line(format_args!("xmlperf_verdict{{{labels}}} 1"));
    }
    line(format_args!("# EOF"));
    text
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// The limits of head's value, by those of the change.
fn limits(row: &MetricResult) -> Option<[f64; 2]> {
    let (base, change) = (row.base?, row.change()?);
    let limits = [change.low_ln, change.high_ln].map(|ln| base * ln.exp());
    limits.iter().all(|limit| limit.is_finite()).then_some(limits)
}

/// What a number of Bencher is called: the metric and its unit. What it has built in keeps its name.
fn measure(row: &MetricResult) -> String {
    match (row.metric, unit(row).as_str()) {
        (Metric::Latency, _) => "latency".to_owned(),
        (metric, unit) => {
            let unit = unit.replace('/', "-per-").replace(' ', "-");
            format!("{}-{unit}", metric.key())
        }
    }
}

/// The unit in which a metric's value is.
fn unit(row: &MetricResult) -> String {
    match row.metric.dimension() {
        MetricDimension::Time if row.metric == Metric::Cpu => format!("ns/{}", row.unit.short()),
        MetricDimension::Time => "ns".to_owned(),
        MetricDimension::Size if row.metric == Metric::AnswerBytes => "bytes/answer".to_owned(),
        MetricDimension::Size => "bytes".to_owned(),
        MetricDimension::Growth => "bytes/s".to_owned(),
        MetricDimension::Rate => format!("{}/s", row.unit.plural()),
        MetricDimension::Count if row.metric == Metric::Work => {
            format!("instructions/{}", row.unit.short())
        }
        MetricDimension::Count if row.metric.is_of_calls() => {
            format!("{}/request", row.metric.key())
        }
        MetricDimension::Count => format!("{}/{}", row.metric.key(), row.unit.short()),
    }
}

/// A number to three digits, so that a repetition without a change is the same text.
fn rounded(value: f64) -> String {
    let rounded: f64 = format!("{value:.2e}").parse().expect("a number in exponential form is one");
    rounded.to_string()
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("it has only string keys");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    fn mixed() -> Comparison {
        Comparison::of(&paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL })).unwrap()
    }

    #[test]
    fn bencher_gets_the_level_of_head_with_its_limits() {
        insta::assert_snapshot!(bencher(&mixed()), @r#"
    {
      "smoke": {
        "cpu-ns-per-pair": {
          "value": 5717.45,
          "lower_value": 5700.659957839446,
          "upper_value": 5734.239288618186
        },
        "latency": {
          "value": 1899154.0,
          "lower_value": 1893576.148463541,
          "upper_value": 1904731.0946932374
        },
        "p50-ns": {
          "value": 1898495.0,
          "lower_value": 1893134.3016702652,
          "upper_value": 1904674.4673805558
        },
        "p95-ns": {
          "value": 2069503.0,
          "lower_value": 2063293.3414916522,
          "upper_value": 2075704.8565077132
        },
        "p99-ns": {
          "value": 2084863.0,
          "lower_value": 2078647.777945246,
          "upper_value": 2091140.5880361937
        },
        "rss-bytes": {
          "value": 25165824.0,
          "lower_value": 25165824.0,
          "upper_value": 25165824.0
        },
        "throughput-pairs-per-s": {
          "value": 52655.02938887359,
          "lower_value": 52500.85311115201,
          "upper_value": 52810.132563126164
        }
      }
    }
    "#);
    }

    #[test]
    fn the_benchmark_action_gets_one_file_for_each_direction() {
        insta::assert_snapshot!(action_benchmark(&mixed(), BetterDirection::Higher), @r#"
    [
      {
        "name": "smoke throughput",
        "unit": "pairs/s",
        "value": 52655.02938887359,
        "range": "± 155"
      }
    ]
    "#);
        let lower = action_benchmark(&mixed(), BetterDirection::Lower);
        assert!(
            lower.contains("smoke CPU per XML pair") && !lower.contains("throughput"),
            "{lower}"
        );
    }

    #[test]
    fn open_metrics_are_in_base_units_of_three_digits() {
        insta::assert_snapshot!(open_metrics(&mixed()), @r#"
    # TYPE xmlperf_cpu_seconds gauge
    xmlperf_cpu_seconds{scenario="smoke"} 0.00000572
    # TYPE xmlperf_latency_seconds gauge
    xmlperf_latency_seconds{scenario="smoke"} 0.0019
    # TYPE xmlperf_p50_seconds gauge
    xmlperf_p50_seconds{scenario="smoke"} 0.0019
    # TYPE xmlperf_p95_seconds gauge
    xmlperf_p95_seconds{scenario="smoke"} 0.00207
    # TYPE xmlperf_p99_seconds gauge
    xmlperf_p99_seconds{scenario="smoke"} 0.00208
    # TYPE xmlperf_throughput_per_second gauge
    xmlperf_throughput_per_second{scenario="smoke"} 52700
    # TYPE xmlperf_rss_bytes gauge
    xmlperf_rss_bytes{scenario="smoke"} 25200000
    # TYPE xmlperf_verdict gauge
    xmlperf_verdict{scenario="smoke",metric="cpu",verdict="regressed"} 1
    xmlperf_verdict{scenario="smoke",metric="latency",verdict="unchanged"} 1
    xmlperf_verdict{scenario="smoke",metric="rss",verdict="unchanged"} 1
    # EOF
    "#);
    }

    #[test]
    fn a_number_of_any_size_has_three_digits() {
        let shown = [0.0, 1.0, 123_456.0, 0.001_234_9, -98.76].map(rounded);
        assert_eq!(shown, ["0", "1", "123000", "0.00123", "-98.8"]);
    }
}
