//! What was seen of the target and of the machine while a launch was under load.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sut::ProcessCounters;

/// What was seen of the target and of the machine during the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceProbes {
    /// CPU time in user space, to 10 ms a process.
    pub user_ns: u64,
    /// CPU time in the system, to 10 ms a process.
    pub system_ns: u64,
    /// Time for which threads were ready to run and had no processor; none in records of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_ns: Option<u64>,
    /// What the kernel counted of its threads.
    pub counters: ProcessCounters,
    /// Threads at the end.
    pub threads: u64,
    /// Open files and sockets at the end.
    pub files: u64,
    /// Time, resident memory and CPU time since the start of the target.
    pub series: Vec<ResourcePoint>,
    /// CPU time that watching took.
    pub cost_ns: u64,
    /// CPU time that the host of this machine gave to others.
    pub steal_ns: u64,
    /// Time for which the quota of the control group was used up, that of xmlperf or the target.
    pub throttled_ns: u64,
}

/// A target at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub struct ResourcePoint {
    /// Since the load began.
    pub at_ns: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// CPU time since the start of the target.
    pub cpu_ns: u64,
}

impl From<(u64, u64, u64)> for ResourcePoint {
    fn from((at_ns, rss_bytes, cpu_ns): (u64, u64, u64)) -> Self {
        Self { at_ns, rss_bytes, cpu_ns }
    }
}

impl From<ResourcePoint> for (u64, u64, u64) {
    fn from(point: ResourcePoint) -> Self {
        (point.at_ns, point.rss_bytes, point.cpu_ns)
    }
}
