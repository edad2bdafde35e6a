//! Says which metrics may turn a pull request red, and from which size of change on.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::metric::Metric;
use units::Ratio;

/// What a metric may do in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricPolicy {
    /// It is tested, and counts in the family that shares the error rate.
    Gate,
    /// It is shown with its interval, and never decides.
    Report,
    /// It is left out.
    Off,
}

impl MetricPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Gate, Self::Report, Self::Off];

    /// Returns the word used in configuration and records.
    pub fn key(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Report => "report",
            Self::Off => "off",
        }
    }

    /// Returns the policy of a word, if there is one.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.key() == key)
    }
}

/// Error rates that a decision can be asked for. Of a smaller one the levels of the looks cannot be
/// simulated, and a larger one says nothing.
pub const ERROR_RATES: RangeInclusive<f64> = 0.001..=0.2;

/// What is asked of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricRule {
    /// Whether it decides.
    pub policy: MetricPolicy,
    /// The largest change that is not worth a person's time: shown equal within it is *unchanged*.
    pub tolerance: Ratio,
    /// The smallest change that may be called *regressed* or *improved*.
    pub floor: Ratio,
}

/// When a comparison may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoppingRule {
    /// At one of a few numbers of launch pairs, fixed before the first one was judged.
    #[default]
    PlannedLooks,
    /// After any launch pair, as soon as all is decided.
    UntilDecided,
}

impl StoppingRule {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::PlannedLooks, Self::UntilDecided];

    /// Returns the word used in records.
    pub fn key(self) -> &'static str {
        match self {
            Self::PlannedLooks => "planned-looks",
            Self::UntilDecided => "until-decided",
        }
    }

    /// Returns the rule of a word, if there is one.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stopping| stopping.key() == key)
    }
}

/// The rules of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateRules {
    /// Chance that a comparison in which nothing changed calls any metric slower.
    pub alpha: f64,
    /// When it may end.
    pub stopping: StoppingRule,
    /// The rule of every metric.
    pub rules: BTreeMap<Metric, MetricRule>,
}

/// Why rules cannot have been in force.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GateError {
    /// The error rate is none.
    #[error("alpha {alpha} is not between 0 and 0.5")]
    Alpha {
        /// What the record has.
        alpha: f64,
    },
    /// A change that counts has no size.
    #[error("floor or tolerance of `{metric}` is not a positive share")]
    Share {
        /// Of this metric.
        metric: Metric,
    },
}

impl GateRules {
    /// Refuses rules that no comparison can follow, as a record may have that was written by others.
    pub fn check(&self) -> Result<(), GateError> {
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            return Err(GateError::Alpha { alpha: self.alpha });
        }
        let is_sound = |rule: &MetricRule| rule.floor.0 >= 0.0 && rule.tolerance.0 > 0.0;
        match self.rules.iter().find(|(_, rule)| !is_sound(rule)) {
            Some((&metric, _)) => Err(GateError::Share { metric }),
            None => Ok(()),
        }
    }

    /// Returns the rule of a metric.
    pub fn rule(&self, metric: Metric) -> MetricRule {
        self.rules.get(&metric).copied().unwrap_or_else(|| default_rule(metric))
    }
}

impl Default for GateRules {
    fn default() -> Self {
        let rules = Metric::ALL.into_iter().map(|metric| (metric, default_rule(metric))).collect();
        Self { alpha: 0.01, stopping: StoppingRule::default(), rules }
    }
}

/// CPU and latency are what a change in the code moves first and what a launch pair shows best; the
/// higher percentiles need more launch pairs than a pull request has time for.
fn default_rule(metric: Metric) -> MetricRule {
    let (policy, tolerance) = match metric {
        Metric::Work => (MetricPolicy::Gate, 0.01),
        Metric::Cpu | Metric::Latency => (MetricPolicy::Gate, 0.03),
        Metric::Rss | Metric::Leak => (MetricPolicy::Gate, 0.05),
        Metric::P50 | Metric::Throughput => (MetricPolicy::Report, 0.03),
        Metric::P95 => (MetricPolicy::Report, 0.05),
        Metric::P99 => (MetricPolicy::Report, 0.10),
        Metric::Allocations => (MetricPolicy::Report, 0.01),
    };
    let floor = if metric == Metric::Work { 0.005 } else { 0.01 };
    MetricRule { policy, tolerance: Ratio(tolerance), floor: Ratio(floor) }
}
