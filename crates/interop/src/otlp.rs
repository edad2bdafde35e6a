//! Writes metric families as a request of OTLP/HTTP in JSON, by the names of the semantic conventions 1.44
//! where they have one and of `xmlperf.*` elsewhere.
//!
//! The JSON mapping of OTLP has 64-bit integers as text and enumerations as numbers.

use serde_json::{Value, json};

use report::families::{
    BaseUnit, BucketCounts, FamilyKind, FamilySample, MetricFamily, SampleValue,
};

/// The path of metrics below the address of a collector.
pub const PATH: &str = "/v1/metrics";

/// What the conventions call the resident memory of a process.
pub const PROCESS_MEMORY: &str = "process.memory.usage";

/// The sum since the start, as a counter of Prometheus.
const CUMULATIVE: u32 = 2;

/// What a request says beside its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpContext {
    /// Version of the program.
    pub version: &'static str,
    /// What describes the whole, by its attribute's name, such as `vcs.ref.head.revision`.
    pub resource: Vec<(&'static str, String)>,
    /// Since when counters count, in nanoseconds since 1970.
    pub start_ns: u64,
    /// Now, in nanoseconds since 1970.
    pub now_ns: u64,
}

/// Returns the body of a request.
pub fn body(families: &[MetricFamily], context: &OtlpContext) -> Value {
    let service =
        [("service.name", "xmlperf".to_owned()), ("service.version", context.version.to_owned())];
    let resource = service.iter().chain(&context.resource);
    let resource: Vec<Value> = resource.map(|(name, value)| attribute(name, value)).collect();
    let metrics: Vec<Value> = families.iter().map(|family| metric(family, context)).collect();
    json!({
        "resourceMetrics": [{
            "resource": { "attributes": resource },
            "scopeMetrics": [{
                "scope": { "name": "xmlperf", "version": context.version },
                "metrics": metrics,
            }],
        }],
    })
}

fn attribute(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

fn metric(family: &MetricFamily, context: &OtlpContext) -> Value {
    let is_sum = family.kind != FamilyKind::Gauge || family.otel == PROCESS_MEMORY;
    let start_ns = is_sum.then_some(context.start_ns);
    let points: Vec<Value> =
        family.samples.iter().map(|sample| point(sample, start_ns, context.now_ns)).collect();
    let (name, data) = match family.kind {
        FamilyKind::Counter => (
            "sum",
            json!({
                "dataPoints": points,
                "aggregationTemporality": CUMULATIVE,
                "isMonotonic": true,
            }),
        ),
        // Of several processes it adds up, so the conventions make it a sum.
        FamilyKind::Gauge if family.otel == PROCESS_MEMORY => (
            "sum",
            json!({
                "dataPoints": points,
                "aggregationTemporality": CUMULATIVE,
                "isMonotonic": false,
            }),
        ),
        FamilyKind::Gauge => ("gauge", json!({ "dataPoints": points })),
        FamilyKind::Histogram => {
            ("histogram", json!({ "dataPoints": points, "aggregationTemporality": CUMULATIVE }))
        }
    };
    json!({
        "name": family.otel,
        "description": format!("{}.", family.help),
        "unit": unit(family),
        name: data,
    })
}

/// The conventions count things in braces.
fn unit(family: &MetricFamily) -> &'static str {
    match (family.unit, family.otel.as_str()) {
        (BaseUnit::Count, "xmlperf.requests" | "xmlperf.request.failures") => "{request}",
        (BaseUnit::Count, "xmlperf.launches") => "{launch}",
        (BaseUnit::Count, "xmlperf.work_units") => "{unit}",
        (unit, _) => unit.ucum(),
    }
}

/// A number at a time; of a sum, with the time since when it counts.
fn point(sample: &FamilySample, start_ns: Option<u64>, now_ns: u64) -> Value {
    let attributes: Vec<Value> =
        sample.labels.iter().map(|(name, value)| attribute(name.otel(), value)).collect();
    let mut point = json!({
        "attributes": attributes,
        "timeUnixNano": now_ns.to_string(),
    });
    let fields = match &sample.value {
        SampleValue::Number(value) => json!({ "asDouble": double(*value) }),
        SampleValue::Buckets(buckets) => histogram(buckets),
    };
    let fields = fields.as_object().into_iter().flatten();
    let object = point.as_object_mut().expect("it was made as one");
    object.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(start_ns) = start_ns {
        object.insert("startTimeUnixNano".to_owned(), json!(start_ns.to_string()));
    }
    point
}

fn histogram(buckets: &BucketCounts) -> Value {
    let counts: Vec<String> = buckets.counts.iter().map(u64::to_string).collect();
    json!({
        "count": buckets.count().to_string(),
        "sum": double(buckets.sum),
        "bucketCounts": counts,
        "explicitBounds": buckets.bounds,
    })
}

/// A number of JSON, or the text that the mapping has for what is none.
fn double(value: f64) -> Value {
    if value.is_finite() {
        json!(value)
    } else if value.is_nan() {
        json!("NaN")
    } else if value > 0.0 {
        json!("Infinity")
    } else {
        json!("-Infinity")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::families::LabelName;

    #[test]
    fn families_have_the_names_of_the_conventions_and_the_form_of_the_mapping() {
        let mut times = MetricFamily::new(
            "xmlperf_request_duration",
            "Times",
            BaseUnit::Seconds,
            FamilyKind::Histogram,
        )
        .called("http.client.request.duration");
        let buckets = BucketCounts { bounds: vec![0.5, 1.0], counts: vec![3, 1, 0], sum: 1.25 };
        times.push_sample(&[(LabelName::Scenario, "smoke")], SampleValue::Buckets(buckets));
        let mut failures = MetricFamily::new(
            "xmlperf_request_failures",
            "Failures",
            BaseUnit::Count,
            FamilyKind::Counter,
        )
        .called("xmlperf.request.failures");
        failures.push(&[(LabelName::ErrorType, "timeout")], f64::INFINITY);
        let context = OtlpContext {
            version: "0.1.0",
            resource: vec![("vcs.ref.head.revision", "9f3c".to_owned())],
            start_ns: 1,
            now_ns: u64::MAX,
        };
        let said = body(&[times, failures], &context);
        let text =
            |name: &str, value: &str| json!([{ "key": name, "value": { "stringValue": value } }]);
        let now = u64::MAX.to_string();
        let metrics = &said["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
        let histogram = json!([{
            "attributes": text("xmlperf.scenario", "smoke"),
            "startTimeUnixNano": "1", "timeUnixNano": now,
            "count": "4", "sum": 1.25, "bucketCounts": ["3", "1", "0"], "explicitBounds": [0.5, 1.0],
        }]);
        assert_eq!(
            metrics[0],
            json!({
                "name": "http.client.request.duration", "description": "Times.", "unit": "s",
                "histogram": { "dataPoints": histogram, "aggregationTemporality": 2 },
            })
        );
        let sum = json!([{
            "attributes": text("error.type", "timeout"),
            "startTimeUnixNano": "1", "timeUnixNano": now, "asDouble": "Infinity",
        }]);
        assert_eq!(
            metrics[1],
            json!({
                "name": "xmlperf.request.failures", "description": "Failures.", "unit": "{request}",
                "sum": { "dataPoints": sum, "aggregationTemporality": 2, "isMonotonic": true },
            })
        );
        let resource = &said["resourceMetrics"][0]["resource"]["attributes"];
        let names: Vec<&str> =
            resource.as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap()).collect();
        assert_eq!(names, ["service.name", "service.version", "vcs.ref.head.revision"]);
    }
}
