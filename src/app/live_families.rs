//! The live numbers of a run as metric families.

use interop::otlp;
use report::families::{BaseUnit, BucketCounts, FamilyKind, LabelName, MetricFamily, SampleValue};
use runner::{LiveSnapshot, StreamSnapshot, TIME_BOUNDS_NS};

/// What the conventions of OpenTelemetry call a method that is not one.
const OTHER_METHOD: &str = "_OTHER";

/// Returns the numbers at one moment.
pub(super) fn of_snapshot(now: &LiveSnapshot) -> Vec<MetricFamily> {
    let mut families = vec![build_info()];
    families.extend(requests(&now.streams));
    families.push(durations(&now.streams));
    families.push(launches(now));
    families.extend(target(now));
    families.retain(|family| !family.samples.is_empty());
    families
}

fn build_info() -> MetricFamily {
    let help = "The version of xmlperf";
    let mut family =
        MetricFamily::new("xmlperf_build_info", help, BaseUnit::Count, FamilyKind::Gauge);
    family.push(&[(LabelName::Version, env!("CARGO_PKG_VERSION"))], 1.0);
    family
}

fn counter(stem: &str, help: &'static str, unit: BaseUnit) -> MetricFamily {
    MetricFamily::new(stem, help, unit, FamilyKind::Counter)
}

fn requests(streams: &[StreamSnapshot]) -> [MetricFamily; 3] {
    let mut ended =
        counter("xmlperf_requests", "Requests that ended, warm-up included", BaseUnit::Count);
    let mut failures = counter(
        "xmlperf_request_failures",
        "Requests that failed, by the kind of the failure",
        BaseUnit::Count,
    )
    .called("xmlperf.request.failures");
    let mut work =
        counter("xmlperf_work_units", "Units of work that were answered rightly", BaseUnit::Count);
    for stream in streams {
        let own = labels(stream);
        ended.push(&own, units::exact(stream.requests));
        work.push(&own, units::exact(stream.pairs));
        for (kind, count) in &stream.failures {
            let [scenario, side] = own;
            failures.push(&[scenario, side, (LabelName::ErrorType, kind)], units::exact(*count));
        }
    }
    [ended, failures, work]
}

fn durations(streams: &[StreamSnapshot]) -> MetricFamily {
    let help = "Response times of requests that were answered rightly, from when they were due";
    let kind = FamilyKind::Histogram;
    let family = MetricFamily::new("xmlperf_request_duration", help, BaseUnit::Seconds, kind);
    let mut family = family.called("http.client.request.duration");
    for stream in streams {
        let [scenario, side] = labels(stream);
        let method = stream.method.map_or(OTHER_METHOD, |method| method.name());
        let buckets = BucketCounts {
            bounds: TIME_BOUNDS_NS.map(|bound| units::exact(bound) / 1e9).to_vec(),
            counts: stream.classic.clone(),
            sum: units::exact(stream.time_ns) / 1e9,
        };
        let labels = [scenario, side, (LabelName::Method, method)];
        family.push_sample(&labels, SampleValue::Buckets(buckets));
    }
    family
}

fn labels(stream: &StreamSnapshot) -> [(LabelName, &str); 2] {
    [(LabelName::Scenario, &stream.scenario), (LabelName::Side, stream.side.name())]
}

fn launches(now: &LiveSnapshot) -> MetricFamily {
    let mut family = counter("xmlperf_launches", "Launches that have begun", BaseUnit::Count);
    family.push(&[], units::exact(now.launches));
    family
}

/// What the target takes; nothing of a side that was not seen.
fn target(now: &LiveSnapshot) -> [MetricFamily; 2] {
    // It begins anew with each launch, which a counter may do.
    let help = "CPU time of the target in this launch";
    let cpu = counter("xmlperf_target_cpu", help, BaseUnit::Seconds);
    let mut cpu = cpu.called("process.cpu.time");
    let (help, kind) = ("Resident memory of the target", FamilyKind::Gauge);
    let memory = MetricFamily::new("xmlperf_target_resident_memory", help, BaseUnit::Bytes, kind);
    let mut memory = memory.called(otlp::PROCESS_MEMORY);
    for (at, side) in ["base", "head"].into_iter().enumerate() {
        let side = [(LabelName::Side, side)];
        if now.cpu_ns[at] > 0 {
            cpu.push(&side, units::exact(now.cpu_ns[at]) / 1e9);
        }
        if now.rss_bytes[at] > 0 {
            memory.push(&side, units::exact(now.rss_bytes[at]));
        }
    }
    [cpu, memory]
}
