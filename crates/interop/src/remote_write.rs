//! Writes metric families as a request of Prometheus' remote write 1.0: protobuf in a snappy block.
//!
//! Version 2.0 is a release candidate, and every receiver still takes this one.

use prost::{Enumeration, Message};
use report::exposition::{self, SeriesPoint};
use report::families::{FamilyKind, MetricFamily};

/// The headers of a request.
pub const HEADERS: [(&str, &str); 3] = [
    ("Content-Type", "application/x-protobuf"),
    ("Content-Encoding", "snappy"),
    ("X-Prometheus-Remote-Write-Version", "0.1.0"),
];

/// Why a request cannot be written.
pub type RemoteWriteError = snap::Error;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<FamilyMetadata>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<SeriesLabel>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<TimedSample>,
}

#[derive(Clone, PartialEq, Message)]
struct SeriesLabel {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct TimedSample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
struct FamilyMetadata {
    #[prost(enumeration = "WireKind", tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "4")]
    help: String,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
enum WireKind {
    Unknown = 0,
    Counter = 1,
    Gauge = 2,
    Histogram = 3,
}

/// Returns the body of a request that says what families are at a time, in milliseconds since 1970. `shared`
/// labels are added to every series; one that a series has itself stays its own.
pub fn body(
    families: &[MetricFamily],
    shared: &[(&str, &str)],
    timestamp_ms: i64,
) -> Result<Vec<u8>, RemoteWriteError> {
    let points = families.iter().flat_map(exposition::series);
    let request = WriteRequest {
        series: points.map(|point| time_series(point, shared, timestamp_ms)).collect(),
        metadata: families.iter().map(metadata).collect(),
    };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec())
}

fn time_series(point: SeriesPoint, shared: &[(&str, &str)], timestamp_ms: i64) -> TimeSeries {
    let label = |name: &str, value: String| SeriesLabel { name: name.to_owned(), value };
    let is_own = |name: &str| point.labels.iter().any(|(own, _)| *own == name);
    let added = shared.iter().filter(|(name, _)| !is_own(name));
    let added: Vec<_> = added.map(|(name, value)| label(name, (*value).to_owned())).collect();
    let own = point.labels.into_iter().map(|(name, value)| label(name, value));
    let mut labels: Vec<SeriesLabel> = own.chain(added).collect();
    labels.push(label("__name__", point.name));
    // Receivers refuse labels that are not in order.
    labels.sort_by(|a, b| a.name.cmp(&b.name));
    TimeSeries { labels, samples: vec![TimedSample { value: point.value, timestamp_ms }] }
}

fn metadata(family: &MetricFamily) -> FamilyMetadata {
    let (kind, total) = match family.kind {
        FamilyKind::Counter => (WireKind::Counter, "_total"),
        FamilyKind::Gauge => (WireKind::Gauge, ""),
        FamilyKind::Histogram => (WireKind::Histogram, ""),
    };
    FamilyMetadata {
        kind: kind.into(),
        name: family.name() + total,
        help: format!("{}.", family.help),
        unit: family.unit.suffix().trim_start_matches('_').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::families::{BaseUnit, BucketCounts, LabelName, SampleValue};

    fn decoded(families: &[MetricFamily], shared: &[(&str, &str)]) -> WriteRequest {
        let plain = snap::raw::Decoder::new().decompress_vec(&body(families, shared, 5).unwrap());
        WriteRequest::decode(plain.unwrap().as_slice()).unwrap()
    }

    #[test]
    fn the_bytes_are_those_of_the_protocol() {
        let mut family = MetricFamily::new("up", "It is up", BaseUnit::Count, FamilyKind::Gauge);
        family.push(&[], 1.0);
        let plain = snap::raw::Decoder::new().decompress_vec(&body(&[family], &[], 5).unwrap());
        let label = b"\x0a\x0e\x0a\x08__name__\x12\x02up";
        let sample = b"\x12\x0b\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x05";
        let metadata = b"\x1a\x11\x08\x02\x12\x02up\x22\x09It is up.";
        let series = [&[0x0a, 29][..], label, sample].concat();
        assert_eq!(plain.unwrap(), [&series[..], metadata].concat());
    }

    #[test]
    fn every_series_has_its_labels_in_order_and_those_that_are_shared() {
        let mut family = MetricFamily::new(
            "xmlperf_request_duration",
            "Times",
            BaseUnit::Seconds,
            FamilyKind::Histogram,
        );
        let buckets = BucketCounts { bounds: vec![1.0], counts: vec![3, 1], sum: 9.5 };
        family.push_sample(&[(LabelName::Scenario, "smoke")], SampleValue::Buckets(buckets));
        let request = decoded(&[family], &[("job", "xmlperf"), ("scenario", "other")]);
        let names = |series: &TimeSeries| -> Vec<String> {
            series.labels.iter().map(|it| format!("{}={}", it.name, it.value)).collect()
        };
        let name = "__name__=xmlperf_request_duration_seconds";
        assert_eq!(request.series.len(), 4);
        assert_eq!(
            names(&request.series[0]),
            [&format!("{name}_bucket"), "job=xmlperf", "le=1.0", "scenario=smoke"]
        );
        assert_eq!(
            names(&request.series[3]),
            [&format!("{name}_count"), "job=xmlperf", "scenario=smoke"]
        );
        let values: Vec<f64> = request.series.iter().map(|it| it.samples[0].value).collect();
        assert_eq!(values, [3.0, 4.0, 9.5, 4.0]);
    }
}
