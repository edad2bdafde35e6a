//! What a launch was driven by, and how well: warm-up, slices, steps, the generator and the network before the target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which time of a request is shown and judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LatencyBasis {
    /// From when it was sent: what the target takes.
    #[default]
    Service,
    /// From when it was due: what a user waits.
    Response,
}

/// The load of a launch before anything was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WarmUpRecord {
    /// Requests that were answered.
    pub requests: u64,
    /// Over so many connections.
    pub connections: u32,
    /// How long it took.
    pub wall_ns: u64,
    /// Whether the target had become steady, if the warm-up was to go on until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_steady: Option<bool>,
}

/// The stretch in which one side was driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct SliceTotals {
    /// Requests that were answered.
    pub requests: u64,
    /// Sum of their service times.
    pub service_ns: u64,
}

impl From<(u64, u64)> for SliceTotals {
    fn from((requests, service_ns): (u64, u64)) -> Self {
        Self { requests, service_ns }
    }
}

impl From<SliceTotals> for (u64, u64) {
    fn from(slice: SliceTotals) -> Self {
        (slice.requests, slice.service_ns)
    }
}

/// How well the load was made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneratorQuality {
    /// How late the 99th percentile of the requests was handed out, by the generator's own fault.
    pub lag_p99_ns: u64,
    /// The latest one.
    pub lag_max_ns: u64,
    /// Requests that were due while every connection was taken.
    pub late: u64,
    /// Requests that were due and never sent.
    pub dropped: u64,
    /// Requests in flight, on average over the time.
    pub in_flight: f64,
    /// Most requests in flight.
    pub in_flight_max: usize,
    /// Requests that were sent once more over a new connection, as the target had closed the kept one.
    #[serde(default, skip_serializing_if = "crate::is_zero")]
    pub resent: u64,
    /// Time that went into rendering requests which are not the same each time, before they were sent.
    #[serde(default, skip_serializing_if = "crate::is_zero")]
    pub rendering_ns: u64,
}

/// One level of a load that has several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadStep {
    /// The level: connections, or requests per second.
    pub level: LoadLevel,
    /// Requests answered, rightly or not.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// How long it took.
    pub wall_ns: u64,
    /// Whether the limits were kept at this level; none where that was not checked, or where the load was
    /// made too late to tell.
    pub held: Option<bool>,
    /// The times that `ScenarioRun::times` names.
    pub histogram: String,
}

/// How much load there was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LoadLevel {
    /// So many connections, each with the next request when the last is answered.
    Connections(u32),
    /// So many requests per second.
    PerSecond(f64),
}

/// The highest rate that a launch held.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Capacity {
    /// Requests per second; the true edge is higher by less than the precision.
    Held {
        /// The rate.
        per_s: f64,
        /// How close the next rate that broke a limit is, as a share.
        precision: f64,
    },
    /// It held the highest rate that was tried, in requests per second.
    AboveCeiling(f64),
    /// It did not hold a thousandth of the rate that was tried first.
    BelowFloor,
}

/// What passed through the network between load and target in a launch, warm-up included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkUse {
    /// Connections that were made.
    pub connections: u64,
    /// Connections that it reset.
    pub resets: u64,
    /// Bytes in both directions.
    pub bytes: u64,
    /// CPU time that it took.
    pub cpu_ns: u64,
}
