//! What a target and its descendants have used of the machine, and what the kernel counted of them.

use std::iter::Sum;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the kernel counted of living threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessCounters {
    /// Times that a thread gave up the processor.
    pub switches_voluntary: u64,
    /// Times that the processor was taken from a thread.
    pub switches_involuntary: u64,
    /// Page faults that needed no disk.
    pub faults_minor: u64,
    /// Page faults that did.
    pub faults_major: u64,
    /// Bytes read from storage; none in records of old.
    #[serde(default)]
    pub storage_read_bytes: u64,
    /// Bytes written to storage; none in records of old.
    #[serde(default)]
    pub storage_written_bytes: u64,
}

impl ProcessCounters {
    /// Returns what was counted since; nothing of a process that has taken its counts with it.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        self.with(before, u64::saturating_sub)
    }

    fn with(self, other: Self, of: fn(u64, u64) -> u64) -> Self {
        Self {
            switches_voluntary: of(self.switches_voluntary, other.switches_voluntary),
            switches_involuntary: of(self.switches_involuntary, other.switches_involuntary),
            faults_minor: of(self.faults_minor, other.faults_minor),
            faults_major: of(self.faults_major, other.faults_major),
            storage_read_bytes: of(self.storage_read_bytes, other.storage_read_bytes),
            storage_written_bytes: of(self.storage_written_bytes, other.storage_written_bytes),
        }
    }
}

impl Sum for ProcessCounters {
    fn sum<I: Iterator<Item = Self>>(counters: I) -> Self {
        counters.fold(Self::default(), |sum, more| sum.with(more, u64::saturating_add))
    }
}

/// What a target and all its descendants used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    /// User and system time since the start, of all threads and processes. Exact to the microsecond
    /// for living processes, rounded down to 10 ms for each child that has ended.
    pub cpu: Duration,
    /// Resident memory now, summed over processes: pages that they share count for each.
    pub rss_bytes: u64,
    /// Highest resident memory of each living process since its start or
    /// [`Target::reset_peak`](crate::Target::reset_peak), summed.
    pub rss_peak_bytes: u64,
    /// That less the pages of files that are resident now, summed.
    pub memory_peak_bytes: u64,
    /// User time of all threads, to 10 ms a process.
    pub user: Duration,
    /// System time of all threads, to 10 ms a process.
    pub system: Duration,
    /// What the kernel counted.
    pub counters: ProcessCounters,
    /// Open files and sockets.
    pub files: u64,
    /// Living threads.
    pub threads: u64,
    /// Living processes.
    pub processes: u64,
}
