//! What two suites have in common that measure the same: a digest of values, never of sentences.
//!
//! A value is in it exactly if it decides which requests are sent, when, over what, and to a target
//! under which limits. How the API is built or started is not: that is what changes from commit to
//! commit. Nor is what decides afterwards, or how often something is repeated.

use record::canonical;
use record::metric::limit::Limit;
use record::workload::{LoadRecord, Workload, WorkloadModel};
use serde::Serialize;
use sut::Url;

use crate::{
    CpuSelection, SamplingPlan, Scenario, TargetSource, TargetSpec, UrlScheme, WarmUpPlan,
};

/// Raised with every change of what is in a digest. One of another version never equals it.
const VERSION: u32 = 2;

/// Hexadecimal digits of a digest.
const DIGITS: usize = 16;

#[derive(Serialize)]
struct SuiteIdentity<'a> {
    target: TargetIdentity,
    scenarios: Vec<ScenarioIdentity<'a>>,
}

/// The target, as far as it is not the build.
#[derive(Serialize)]
struct TargetIdentity {
    attached: bool,
    transport: TransportIdentity,
    /// Whether load and target have processors of their own, where there are two.
    own_cpus: bool,
    memory_bytes_max: Option<u64>,
    cpus_max: Option<f64>,
}

/// What is spoken below HTTP.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum TransportIdentity {
    Tcp,
    Tls,
    UnixSocket,
}

#[derive(Serialize)]
struct ScenarioIdentity<'a> {
    name: &'a str,
    workload: Workload,
    warm_up_ns: u64,
    /// Left out where the warm-up is of a given time, as it was in digests of old.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    warm_up_steady: bool,
    bodies: u64,
    /// How a closed load is cut.
    slice: Option<SliceIdentity>,
    /// What a rate has to keep, where the highest is searched for. Other limits measure nothing.
    capacity_limits: &'a [Limit],
}

#[derive(Serialize)]
struct SliceIdentity {
    lasts_ns: u64,
    requests: u64,
}

/// Returns the digest of what a suite measures, after its version.
pub(super) fn digest(
    target: &TargetSpec,
    scenarios: &[Scenario],
    sampling: &SamplingPlan,
) -> String {
    let scenarios = scenarios.iter().map(|it| ScenarioIdentity::of(it, sampling)).collect();
    let identity = SuiteIdentity { target: TargetIdentity::of(target), scenarios };
    format!("{VERSION}-{}", &canonical::digest(&identity)[..DIGITS])
}

impl TargetIdentity {
    fn of(target: &TargetSpec) -> Self {
        let transport = match &target.origin {
            TargetSource::Attach(url) => match Url::parse(url) {
                Ok(Url::Https(_)) => TransportIdentity::Tls,
                Ok(Url::Unix(_)) => TransportIdentity::UnixSocket,
                Ok(Url::Http(_)) | Err(_) => TransportIdentity::Tcp,
            },
            TargetSource::Start(_) | TargetSource::Embedded(_) => match target.scheme {
                UrlScheme::Https => TransportIdentity::Tls,
                UrlScheme::Http => TransportIdentity::Tcp,
            },
        };
        Self {
            attached: matches!(target.origin, TargetSource::Attach(_)),
            transport,
            own_cpus: target.cpus == CpuSelection::Auto,
            memory_bytes_max: target.limits.memory_bytes_max,
            cpus_max: target.limits.cpus_max,
        }
    }
}

impl<'a> ScenarioIdentity<'a> {
    fn of(scenario: &'a Scenario, sampling: &SamplingPlan) -> Self {
        let mut workload = scenario.workload(sampling);
        if let LoadRecord::Settings(load) = &mut workload.load {
            *load = load.essence();
        }
        let warm_up = scenario.warm_up(sampling);
        let is_closed = matches!(scenario.load.model, WorkloadModel::Closed { .. });
        let searches = matches!(scenario.load.model, WorkloadModel::Capacity { .. });
        Self {
            name: &scenario.name,
            workload,
            warm_up_ns: match warm_up {
                WarmUpPlan::For(lasts) | WarmUpPlan::Fitted { usual: lasts } => units::nanos(lasts),
                WarmUpPlan::Steady => 0,
            },
            warm_up_steady: warm_up == WarmUpPlan::Steady,
            bodies: scenario.bodies(sampling),
            slice: is_closed.then(|| SliceIdentity {
                lasts_ns: units::nanos(sampling.slice),
                requests: sampling.slice_requests,
            }),
            capacity_limits: if searches { &scenario.limits } else { &[] },
        }
    }
}
