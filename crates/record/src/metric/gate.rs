//! Says which metrics may turn a pull request red, and from which size of change on.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::metric::Metric;
use crate::operation_name::OperationName;
use units::Ratio;

/// What a metric may do in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Error rates that a decision can be held to: a smaller one takes more launch pairs than there is
/// time for, and a larger one says nothing.
pub const ERROR_RATES: RangeInclusive<f64> = 1e-6..=0.2;

/// The rule of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricRule {
    /// Whether it decides.
    pub policy: MetricPolicy,
    /// The largest change that is not worth a person's time: shown equal within it is *unchanged*.
    pub tolerance: Ratio,
    /// The smallest change that may be called *regressed* or *improved*.
    pub floor: Ratio,
    /// The smallest change in the metric's own unit that may be called one, whatever share it is; of
    /// growth, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
}

impl MetricRule {
    /// Returns the rule for a metric whose values are about `level`: a change below the minimum is
    /// below the floor, and shown equal within it is *unchanged*.
    #[must_use]
    pub fn at_level(self, level: f64) -> Self {
        let least = self.minimum.map_or(0.0, |minimum| minimum / level);
        if least <= self.floor.0 {
            return self;
        }
        Self { floor: Ratio(least), tolerance: Ratio(self.tolerance.0.max(least)), ..self }
    }
}

/// The rules of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateRules {
    /// Chance that a comparison in which nothing changed calls any metric slower.
    pub alpha: f64,
    /// The rule of every metric.
    pub rules: BTreeMap<Metric, MetricRule>,
    /// What is different in a scenario, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scenarios: BTreeMap<String, BTreeMap<Metric, RuleOverride>>,
}

/// What a scenario has of its own in the rule of a metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleOverride {
    /// Instead of [`MetricRule::tolerance`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Ratio>,
    /// Instead of [`MetricRule::floor`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Ratio>,
    /// Instead of [`MetricRule::minimum`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
}

impl RuleOverride {
    /// Returns what is different in the rule of a metric. What is counted is *regressed* from the floor on, so
    /// a tolerance without a floor moves the floor as well.
    #[must_use]
    pub fn of(self, metric: Metric) -> Self {
        let floor = self.floor.or(self.tolerance.filter(|_| metric.is_counted()));
        Self { floor, ..self }
    }

    /// Returns a rule with what is different in it.
    pub fn apply(self, rule: MetricRule) -> MetricRule {
        MetricRule {
            policy: rule.policy,
            tolerance: self.tolerance.unwrap_or(rule.tolerance),
            floor: self.floor.unwrap_or(rule.floor),
            minimum: self.minimum.or(rule.minimum),
        }
    }
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
        let rules = self.rules.iter().map(|(metric, rule)| (*metric, *rule));
        let own = self.scenarios.values().flatten();
        let own = own.map(|(metric, own)| (*metric, own.apply(self.rule(*metric))));
        match rules.chain(own).find(|(_, rule)| !is_sound(rule)) {
            Some((metric, _)) => Err(GateError::Share { metric }),
            None => Ok(()),
        }
    }

    /// Returns the rule of a metric in a scenario; none of a metric that the rules do not name.
    pub fn rule_in(&self, scenario: &str, metric: Metric) -> Option<MetricRule> {
        let rule = *self.rules.get(&metric)?;
        let own = self.scenarios.get(scenario).and_then(|own| own.get(&metric));
        Some(own.map_or(rule, |own| own.apply(rule)))
    }

    /// Returns the rule of a metric for an operation of a scenario: that of the scenario, with what the
    /// operation has of its own.
    pub fn rule_of_operation(
        &self,
        scenario: &str,
        operation: &OperationName,
        metric: Metric,
    ) -> Option<MetricRule> {
        let rule = self.rule_in(scenario, metric)?;
        let own = self.scenarios.get(&operation.within(scenario));
        let own = own.and_then(|own| own.get(&metric));
        Some(own.map_or(rule, |own| own.apply(rule)))
    }

    /// Returns the rule of a metric.
    pub fn rule(&self, metric: Metric) -> MetricRule {
        self.rules.get(&metric).copied().unwrap_or_else(|| default_rule(metric))
    }
}

impl Default for GateRules {
    fn default() -> Self {
        let rules = Metric::ALL.into_iter().map(|metric| (metric, default_rule(metric))).collect();
        Self { alpha: 0.01, rules, scenarios: BTreeMap::new() }
    }
}

impl GateRules {
    /// Returns the rules for two builds whose functions lie at different places, which moves CPU time
    /// and latency by up to 2 % whatever the change is. What is configured stays.
    #[must_use]
    pub fn with_layout_margin(mut self) -> Self {
        for metric in [Metric::Cpu, Metric::Latency, Metric::Flow] {
            let rule = self.rule(metric);
            if rule == default_rule(metric) {
                let margin = MetricRule { floor: Ratio(0.02), tolerance: Ratio(0.05), ..rule };
                self.rules.insert(metric, margin);
            }
        }
        self
    }
}

/// A percentile needs more launch pairs than a pull request has time for, and the resident pages of
/// files are not the program's doing, so these are reported only.
fn default_rule(metric: Metric) -> MetricRule {
    const US: f64 = 1e3;
    const MS: f64 = 1e6;
    const MIB: f64 = 1_048_576.0;
    let gate = |floor: f64, tolerance: f64, minimum: Option<f64>| MetricRule {
        policy: MetricPolicy::Gate,
        tolerance: Ratio(tolerance),
        floor: Ratio(floor),
        minimum,
    };
    let report = |floor: f64, tolerance: f64| MetricRule {
        policy: MetricPolicy::Report,
        ..gate(floor, tolerance, None)
    };
    match metric {
        Metric::Work => gate(0.005, 0.03, None),
        Metric::Cpu => gate(0.01, 0.03, None),
        Metric::Latency | Metric::Flow => gate(0.01, 0.03, Some(5.0 * US)),
        Metric::Tail => gate(0.05, 0.20, Some(20.0 * US)),
        Metric::Memory => gate(0.02, 0.05, Some(MIB)),
        Metric::Leak => gate(0.01, 0.05, Some(MIB)),
        Metric::Ready => gate(0.05, 0.20, Some(50.0 * MS)),
        Metric::FirstAnswers => gate(0.10, 0.30, Some(20.0 * MS)),
        Metric::AnswerBytes => gate(0.005, 0.02, None),
        Metric::P50 | Metric::Throughput => report(0.01, 0.03),
        Metric::P95 | Metric::P99 => report(0.05, 0.10),
        Metric::Rss => report(0.02, 0.05),
        Metric::Allocations => report(0.005, 0.03),
        // What is counted exactly differs or does not.
        Metric::Queries | Metric::RoundTrips => gate(0.0, 0.0001, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_below_the_minimum_is_below_the_floor() {
        let rule = GateRules::default().rule(Metric::FirstAnswers);
        let small = rule.at_level(5e6);
        assert_eq!((small.floor, small.tolerance), (Ratio(4.0), Ratio(4.0)));
        assert_eq!(rule.at_level(2e9), rule);
        let cpu = GateRules::default().rule(Metric::Cpu);
        assert_eq!(cpu.at_level(1.0), cpu);
    }

    #[test]
    fn a_margin_for_layout_leaves_what_is_configured() {
        let mut gate = GateRules::default();
        let configured = MetricRule { floor: Ratio(0.005), ..gate.rule(Metric::Cpu) };
        gate.rules.insert(Metric::Cpu, configured);
        let gate = gate.with_layout_margin();
        assert_eq!(gate.rule(Metric::Cpu), configured);
        let latency = gate.rule(Metric::Latency);
        assert_eq!((latency.floor, latency.tolerance), (Ratio(0.02), Ratio(0.05)));
        assert_eq!(gate.rule(Metric::Memory), GateRules::default().rule(Metric::Memory));
    }
}
