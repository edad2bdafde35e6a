//! Names what is measured: the metric's key, its words for people, its unit, which way is better,
//! and its rule.

pub mod gate;
pub mod limit;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::work_unit::WorkUnit;

/// A number that every launch yields and that can be compared between base and head.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Instructions per unit of work, counted under callgrind.
    Work,
    /// CPU time of the target per unit of work, all threads, in nanoseconds.
    Cpu,
    /// 25th percentile of the response time of a request body, as the geometric mean over the bodies,
    /// in nanoseconds.
    Latency,
    /// 25th percentile of the time of a flow: the response times of its requests together, in nanoseconds.
    Flow,
    /// Mean response time of the slowest tenth of the requests, in nanoseconds.
    Tail,
    /// Median service time of a request, in nanoseconds.
    P50,
    /// 95th percentile of the service time, in nanoseconds.
    P95,
    /// 99th percentile of the service time, in nanoseconds.
    P99,
    /// Units of work done per second of load.
    Throughput,
    /// Largest resident memory of the target's processes without pages of files, in bytes. How many
    /// pages of a file are resident depends on how the page cache holds it.
    Memory,
    /// Largest resident memory of the target's process tree, in bytes.
    Rss,
    /// Slope of resident memory over the load, in bytes per second.
    Leak,
    /// From the start of the target until it is ready, in nanoseconds.
    Ready,
    /// Response time of the first request of each connection of a launch, in nanoseconds.
    FirstAnswers,
    /// Bytes received for a request that was answered.
    AnswerBytes,
    /// Heap allocations per unit of work.
    Allocations,
    /// Statements, commands and requests that the target sends to services, per request.
    Queries,
    /// Times that the target waits for a service, per request.
    RoundTrips,
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
    pub const ALL: [Self; 18] = [
        Self::Work,
        Self::Cpu,
        Self::Latency,
        Self::Flow,
        Self::Tail,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::Throughput,
        Self::Memory,
        Self::Rss,
        Self::Leak,
        Self::Ready,
        Self::FirstAnswers,
        Self::AnswerBytes,
        Self::Allocations,
        Self::Queries,
        Self::RoundTrips,
    ];

    /// Returns the key used in configuration, records and JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Cpu => "cpu",
            Self::Latency => "latency",
            Self::Flow => "flow",
            Self::Tail => "tail",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Throughput => "throughput",
            Self::Memory => "memory",
            Self::Rss => "rss",
            Self::Leak => "leak",
            Self::Ready => "ready",
            Self::FirstAnswers => "first-answers",
            Self::AnswerBytes => "answer-bytes",
            Self::Allocations => "allocations",
            Self::Queries => "queries",
            Self::RoundTrips => "round-trips",
        }
    }

    /// Returns the metric of a key, if there is one.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.key() == key)
    }

    /// Returns the words that reports use, of a scenario that is counted in `unit`.
    pub fn label(self, unit: &WorkUnit) -> String {
        let words = match self {
            Self::Work => return format!("work per {unit}"),
            Self::Cpu => return format!("CPU per {unit}"),
            Self::Latency => "latency",
            Self::Flow => "flow time",
            Self::Tail => "slowest tenth",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Throughput => "throughput",
            Self::Memory => "peak memory",
            Self::Rss => "peak RSS",
            Self::Leak => "RSS growth",
            Self::Ready => "time to ready",
            Self::FirstAnswers => "first answers",
            Self::AnswerBytes => "bytes an answer",
            Self::Allocations => return format!("allocations per {unit}"),
            Self::Queries => "queries per request",
            Self::RoundTrips => "round trips per request",
        };
        words.to_owned()
    }

    /// Returns whether it is counted under callgrind, apart from the launches that are timed.
    pub fn is_counted(self) -> bool {
        match self {
            Self::Work | Self::Allocations => true,
            Self::Cpu
            | Self::Latency
            | Self::Flow
            | Self::Tail
            | Self::P50
            | Self::P95
            | Self::P99
            | Self::Throughput
            | Self::Memory
            | Self::Rss
            | Self::Leak
            | Self::Ready
            | Self::FirstAnswers
            | Self::AnswerBytes
            | Self::Queries
            | Self::RoundTrips => false,
        }
    }

    /// Returns whether it counts what the target calls of services.
    pub fn is_of_calls(self) -> bool {
        matches!(self, Self::Queries | Self::RoundTrips)
    }

    /// Returns whether launch pairs decide it: neither what is counted apart from them, nor calls, of which one
    /// launch pair says all.
    pub fn is_timed(self) -> bool {
        !self.is_counted() && !self.is_of_calls()
    }

    /// Returns whether it tells of time, and so is worse on a slower machine.
    pub fn is_of_time(self) -> bool {
        match self {
            Self::Cpu
            | Self::Latency
            | Self::Flow
            | Self::Tail
            | Self::P50
            | Self::P95
            | Self::P99
            | Self::Throughput
            | Self::Ready
            | Self::FirstAnswers => true,
            Self::Work
            | Self::Allocations
            | Self::Memory
            | Self::Rss
            | Self::Leak
            | Self::AnswerBytes
            | Self::Queries
            | Self::RoundTrips => false,
        }
    }

    /// Returns which quantile of the times of requests it is, in (0, 1); none of all other metrics.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.50),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::Work
            | Self::Cpu
            | Self::Latency
            | Self::Flow
            | Self::Tail
            | Self::Throughput
            | Self::Memory
            | Self::Rss
            | Self::Leak
            | Self::Ready
            | Self::FirstAnswers
            | Self::AnswerBytes
            | Self::Allocations
            | Self::Queries
            | Self::RoundTrips => None,
        }
    }

    /// Returns which direction is better.
    pub fn better(self) -> BetterDirection {
        match self {
            Self::Throughput => BetterDirection::Higher,
            Self::Work
            | Self::Cpu
            | Self::Latency
            | Self::Flow
            | Self::Tail
            | Self::P50
            | Self::P95
            | Self::P99
            | Self::Memory
            | Self::Rss
            | Self::Leak
            | Self::Ready
            | Self::FirstAnswers
            | Self::AnswerBytes
            | Self::Allocations
            | Self::Queries
            | Self::RoundTrips => BetterDirection::Lower,
        }
    }

    /// Returns what its values are amounts of, a work unit aside.
    pub fn dimension(self) -> MetricDimension {
        match self {
            Self::Cpu
            | Self::Latency
            | Self::Flow
            | Self::Tail
            | Self::P50
            | Self::P95
            | Self::P99
            | Self::Ready
            | Self::FirstAnswers => MetricDimension::Time,
            Self::Memory | Self::Rss | Self::AnswerBytes => MetricDimension::Size,
            Self::Leak => MetricDimension::Growth,
            Self::Throughput => MetricDimension::Rate,
            Self::Work | Self::Allocations | Self::Queries | Self::RoundTrips => {
                MetricDimension::Count
            }
        }
    }

    /// Returns `value`, in the metric's own unit, as a person would write it; rates are in `unit`.
    pub fn format(self, value: f64, unit: &WorkUnit) -> String {
        match self.dimension() {
            MetricDimension::Time => units::time_ns(value),
            MetricDimension::Size => units::bytes(value),
            MetricDimension::Growth => format!("{}/s", units::bytes(value)),
            MetricDimension::Rate => format!("{} {}/s", units::count(value), unit.plural()),
            MetricDimension::Count if self == Self::Work => {
                format!("{} instr", units::count(value))
            }
            MetricDimension::Count if self.is_of_calls() && value.fract().abs() < 1e-9 => {
                format!("{value:.0}")
            }
            MetricDimension::Count => units::count(value),
        }
    }

    /// Returns the smallest change that decides as a person would write it. Of a leak that is the bytes by which memory
    /// grew, where its value is bytes a second.
    pub fn format_minimum(self, minimum: f64, unit: &WorkUnit) -> String {
        match self {
            Self::Leak => units::bytes(minimum),
            _ => self.format(minimum, unit),
        }
    }
}

/// What the values of a metric are amounts of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricDimension {
    /// Nanoseconds.
    Time,
    /// Bytes.
    Size,
    /// Bytes a second.
    Growth,
    /// Work units a second.
    Rate,
    /// A number.
    Count,
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
