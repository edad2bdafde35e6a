//! Renders metric families as text: version 0.0.4 of Prometheus, and OpenMetrics 1.0.
//!
//! Both write a bound as Prometheus normalises it (`1.0`, `1e-05`), so that a series keeps its name whichever
//! of them a server asks for.

use std::fmt::Write as _;

use crate::families::{BucketCounts, FamilyKind, MetricFamily, SampleValue};

/// A form of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl TextFormat {
    /// Returns the form that an `Accept` header prefers: OpenMetrics where it is named with a weight that is not
    /// below that of plain text.
    pub fn accepted(header: &str) -> Self {
        let weight = |kind: &str| {
            let weights = header.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let is_named = parts.next().is_some_and(|it| it.eq_ignore_ascii_case(kind));
                let version = parts.clone().find_map(|it| it.strip_prefix("version="));
                let is_known = version.is_none_or(|it| matches!(it, "0.0.1" | "0.0.4" | "1.0.0"));
                let weight = parts.find_map(|it| it.strip_prefix("q="));
                let weight = weight.map_or(Some(1.0), |it| it.parse::<f64>().ok());
                weight.filter(|_| is_named && is_known)
            });
            weights.fold(0.0, f64::max)
        };
        let open = weight("application/openmetrics-text");
        if open > 0.0 && open >= weight("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Returns the value of the `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// One line of a series: what Prometheus stores.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesPoint {
    /// The full name, such as `xmlperf_request_duration_seconds_bucket`.
    pub name: String,
    /// The labels in the order of their names.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

/// Returns families as text.
pub fn render(families: &[MetricFamily], format: TextFormat) -> String {
    let mut text = String::new();
    for family in families {
        let name = family.name();
        let described = match (format, family.kind) {
            (TextFormat::Prometheus, FamilyKind::Counter) => format!("{name}_total"),
            (TextFormat::Prometheus | TextFormat::OpenMetrics, _) => name,
        };
        let kind = match family.kind {
            FamilyKind::Counter => "counter",
            FamilyKind::Gauge => "gauge",
            FamilyKind::Histogram => "histogram",
        };
        line(&mut text, format_args!("# HELP {described} {}.", family.help));
        line(&mut text, format_args!("# TYPE {described} {kind}"));
        let unit = family.unit.suffix().trim_start_matches('_');
        if format == TextFormat::OpenMetrics && !unit.is_empty() {
            line(&mut text, format_args!("# UNIT {described} {unit}"));
        }
        for SeriesPoint { name, labels, value } in series(family) {
            let labels = label_set(&labels);
            line(&mut text, format_args!("{name}{labels} {}", number(value)));
        }
    }
    if format == TextFormat::OpenMetrics {
        line(&mut text, format_args!("# EOF"));
    }
    text
}

/// Returns the series of a family, a histogram as those of its buckets, sum and count.
pub fn series(family: &MetricFamily) -> Vec<SeriesPoint> {
    let name = family.name();
    let mut points = Vec::new();
    for sample in &family.samples {
        let labels: Vec<(&'static str, String)> =
            sample.labels.iter().map(|(name, value)| (name.prometheus(), value.clone())).collect();
        match &sample.value {
            SampleValue::Number(value) => {
                let name = match family.kind {
                    FamilyKind::Counter => format!("{name}_total"),
                    FamilyKind::Gauge | FamilyKind::Histogram => name.clone(),
                };
                points.push(SeriesPoint { name, labels, value: *value });
            }
            SampleValue::Buckets(buckets) => points.extend(bucket_series(&name, &labels, buckets)),
        }
    }
    points
}

fn bucket_series(
    name: &str,
    labels: &[(&'static str, String)],
    buckets: &BucketCounts,
) -> Vec<SeriesPoint> {
    let mut below = 0;
    let bounds = buckets.bounds.iter().copied().chain([f64::INFINITY]);
    let cumulative = bounds.zip(&buckets.counts).map(|(bound, count)| {
        below += count;
        let mut labels = labels.to_vec();
        labels.push(("le", bound_text(bound)));
        labels.sort();
        SeriesPoint { name: format!("{name}_bucket"), labels, value: units::exact(below) }
    });
    let mut points: Vec<SeriesPoint> = cumulative.collect();
    let whole = [("sum", buckets.sum), ("count", units::exact(buckets.count()))];
    points.extend(whole.map(|(end, value)| SeriesPoint {
        name: format!("{name}_{end}"),
        labels: labels.to_vec(),
        value,
    }));
    points
}

/// A bound as Go writes it, with a point in what is whole.
fn bound_text(bound: f64) -> String {
    if bound.is_infinite() {
        return "+Inf".to_owned();
    }
    if bound.abs() < 1e-4 && bound != 0.0 {
        let text = format!("{bound:e}");
        let (digits, exponent) = text.split_once("e-").expect("a small number has one");
        return format!("{digits}e-{exponent:0>2}");
    }
    let text = bound.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

fn label_set(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value)));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(","))
}

/// Returns the value of a label as it stands between quotes.
pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("memory takes all that is written");
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::{self, BaseUnit, LabelName};
    use compare::Comparison;
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    fn requests() -> Vec<MetricFamily> {
        let mut total = MetricFamily::new(
            "xmlperf_requests",
            "Requests that ended",
            BaseUnit::Count,
            FamilyKind::Counter,
        );
        total.push(&[(LabelName::Side, "head"), (LabelName::Scenario, "a\"b\\c\nd")], 7.0);
        let mut times = MetricFamily::new(
            "xmlperf_request_duration",
            "Response times",
            BaseUnit::Seconds,
            FamilyKind::Histogram,
        );
        let buckets = BucketCounts {
            bounds: vec![1e-5, 0.25, 1.0, 600.0],
            counts: vec![1, 0, 3, 2, 1],
            sum: 812.5,
        };
        times.push_sample(&[(LabelName::Side, "base")], SampleValue::Buckets(buckets));
        vec![total, times]
    }

    #[test]
    fn text_of_prometheus_has_the_total_in_the_name_of_a_counter() {
        insta::assert_snapshot!(render(&requests(), TextFormat::Prometheus), @r#"
        # HELP xmlperf_requests_total Requests that ended.
        # TYPE xmlperf_requests_total counter
        xmlperf_requests_total{scenario="a\"b\\c\nd",side="head"} 7
        # HELP xmlperf_request_duration_seconds Response times.
        # TYPE xmlperf_request_duration_seconds histogram
        xmlperf_request_duration_seconds_bucket{le="1e-05",side="base"} 1
        xmlperf_request_duration_seconds_bucket{le="0.25",side="base"} 1
        xmlperf_request_duration_seconds_bucket{le="1.0",side="base"} 4
        xmlperf_request_duration_seconds_bucket{le="600.0",side="base"} 6
        xmlperf_request_duration_seconds_bucket{le="+Inf",side="base"} 7
        xmlperf_request_duration_seconds_sum{side="base"} 812.5
        xmlperf_request_duration_seconds_count{side="base"} 7
        "#);
    }

    #[test]
    fn open_metrics_names_families_without_it_and_says_the_unit() {
        let text = render(&requests(), TextFormat::OpenMetrics);
        let described: Vec<&str> = text.lines().filter(|it| it.starts_with('#')).collect();
        assert_eq!(
            described,
            [
                "# HELP xmlperf_requests Requests that ended.",
                "# TYPE xmlperf_requests counter",
                "# HELP xmlperf_request_duration_seconds Response times.",
                "# TYPE xmlperf_request_duration_seconds histogram",
                "# UNIT xmlperf_request_duration_seconds seconds",
                "# EOF",
            ]
        );
        let samples = |format| -> Vec<String> {
            let text = render(&requests(), format);
            text.lines().filter(|it| !it.starts_with('#')).map(str::to_owned).collect()
        };
        assert_eq!(samples(TextFormat::OpenMetrics), samples(TextFormat::Prometheus));
    }

    #[test]
    fn a_reader_gets_the_format_that_it_prefers() {
        let open = [
            "application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        ];
        let plain = [
            "",
            "*/*",
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text; q=0.2, text/plain; q=0.5",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=x",
        ];
        assert!(open.iter().all(|it| TextFormat::accepted(it) == TextFormat::OpenMetrics));
        for header in plain {
            assert_eq!(TextFormat::accepted(header), TextFormat::Prometheus, "{header}");
        }
    }

    #[test]
    fn a_run_says_its_outcome_levels_changes_verdicts_and_limits() {
        let run = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
        let comparison = Comparison::of(&run).unwrap();
        let text =
            render(&families::of_comparison(&comparison, 1_763_892_000.0), TextFormat::Prometheus);
        let kept = ["outcome", "_cpu_", "\"cpu\"", "limit", "start"];
        let shown: Vec<&str> = text
            .lines()
            .filter(|it| !it.starts_with('#') && kept.iter().any(|kept| it.contains(kept)))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        xmlperf_run_outcome{outcome="pass"} 0
        xmlperf_run_outcome{outcome="regressed"} 1
        xmlperf_run_outcome{outcome="improved"} 0
        xmlperf_run_outcome{outcome="inconclusive"} 0
        xmlperf_run_outcome{outcome="error"} 0
        xmlperf_run_start_timestamp_seconds 1763892000
        xmlperf_cpu_seconds{scenario="smoke",side="base"} 0.0000051999
        xmlperf_cpu_seconds{scenario="smoke",side="head"} 0.00000571745
        xmlperf_change_ratio{metric="cpu",scenario="smoke"} 0.09957280075057873
        xmlperf_change_low_ratio{metric="cpu",scenario="smoke"} 0.09630184385073673
        xmlperf_change_high_ratio{metric="cpu",scenario="smoke"} 0.1027595316483368
        xmlperf_verdict{metric="cpu",scenario="smoke",verdict="regressed"} 1
        xmlperf_verdict{metric="cpu",scenario="smoke",verdict="improved"} 0
        xmlperf_verdict{metric="cpu",scenario="smoke",verdict="unchanged"} 0
        xmlperf_verdict{metric="cpu",scenario="smoke",verdict="inconclusive"} 0
        xmlperf_limit_broken{limit="errors",scenario="smoke"} 0
        xmlperf_limit_broken{limit="throughput",scenario="smoke"} 0
        "#);
    }
}
