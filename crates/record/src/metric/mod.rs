//! Names what is measured: the metric's key, its words for people, its unit, which way is better,
//! and what is asked of it.

pub mod gate;
pub mod limit;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number that every launch yields and that can be compared between base and head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Instructions per XML pair, counted under callgrind.
    Work,
    /// CPU time of the target per XML pair, all threads, in nanoseconds.
    Cpu,
    /// Mean service time of a request, in nanoseconds.
    Latency,
    /// Median service time of a request, in nanoseconds.
    P50,
    /// 95th percentile of the service time, in nanoseconds.
    P95,
    /// 99th percentile of the service time, in nanoseconds.
    P99,
    /// XML pairs answered per second of load.
    Throughput,
    /// Largest resident memory of the target's process tree, in bytes.
    Rss,
    /// Slope of resident memory over the load, in bytes per second.
    Leak,
    /// Heap allocations per XML pair.
    Allocations,
}

/// Which direction of change a user would welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BetterDirection {
    /// Less is better: time, memory, work.
    Lower,
    /// More is better: throughput.
    Higher,
}

impl Metric {
    /// Every metric, in the order in which reports list them.
    pub const ALL: [Self; 10] = [
        Self::Work,
        Self::Cpu,
        Self::Latency,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::Throughput,
        Self::Rss,
        Self::Leak,
        Self::Allocations,
    ];

    /// Returns the key used in configuration, records and JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Cpu => "cpu",
            Self::Latency => "latency",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Throughput => "throughput",
            Self::Rss => "rss",
            Self::Leak => "leak",
            Self::Allocations => "allocations",
        }
    }

    /// Returns the metric of a key, if there is one.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.key() == key)
    }

    /// Returns the words that reports use.
    pub fn label(self) -> &'static str {
        match self {
            Self::Work => "work per XML pair",
            Self::Cpu => "CPU per XML pair",
            Self::Latency => "latency",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Throughput => "throughput",
            Self::Rss => "peak RSS",
            Self::Leak => "RSS growth",
            Self::Allocations => "allocations per XML pair",
        }
    }

    /// Returns whether it is counted under callgrind, apart from the launches that are timed.
    pub fn is_counted(self) -> bool {
        match self {
            Self::Work | Self::Allocations => true,
            Self::Cpu
            | Self::Latency
            | Self::P50
            | Self::P95
            | Self::P99
            | Self::Throughput
            | Self::Rss
            | Self::Leak => false,
        }
    }

    /// Returns which direction is better.
    pub fn better(self) -> BetterDirection {
        match self {
            Self::Throughput => BetterDirection::Higher,
            Self::Work
            | Self::Cpu
            | Self::Latency
            | Self::P50
            | Self::P95
            | Self::P99
            | Self::Rss
            | Self::Leak
            | Self::Allocations => BetterDirection::Lower,
        }
    }

    /// Returns `value`, in the metric's own unit, as a person would write it.
    pub fn format(self, value: f64) -> String {
        match self {
            Self::Work => format!("{} instr", units::count(value)),
            Self::Cpu | Self::Latency | Self::P50 | Self::P95 | Self::P99 => units::time_ns(value),
            Self::Throughput => format!("{} pairs/s", units::count(value)),
            Self::Rss => units::bytes(value),
            Self::Leak => format!("{}/s", units::bytes(value)),
            Self::Allocations => units::count(value),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_metric_and_no_other() {
        for metric in Metric::ALL {
            assert_eq!(Metric::from_key(metric.key()), Some(metric));
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.key());
        }
        assert_eq!(Metric::from_key("Latency"), None);
    }
}
