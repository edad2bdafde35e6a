//! What a scenario or an operation has of its own in the rules of metrics.

use std::collections::BTreeMap;

use record::metric::gate::RuleOverride;
use record::metric::{Metric, MetricDimension};
use toml::Spanned;
use units::{Ratio, UnitError};

use crate::config::fault::{ConfigFault, SpannedFault};
use crate::config::values::{MetricKey, Share};

/// Rules by metric.
pub(super) type OwnRules = BTreeMap<Metric, RuleOverride>;

/// What is written of its own.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OwnGateTable {
    /// By metric. Default: that of `[gate]`.
    floor: BTreeMap<MetricKey, Share>,
    /// By metric. Default: that of `[gate]`.
    tolerance: BTreeMap<MetricKey, Share>,
    /// By metric, in its unit. Default: that of `[gate]`.
    minimum: BTreeMap<MetricKey, Spanned<String>>,
}

impl OwnGateTable {
    /// Returns the rules, by metric.
    pub(super) fn resolve(&self) -> Result<OwnRules, SpannedFault> {
        let mut own = OwnRules::new();
        for (key, share) in &self.floor {
            own.entry(key.0).or_default().floor = Some(Ratio(share.0));
        }
        for (key, share) in &self.tolerance {
            own.entry(key.0).or_default().tolerance = Some(Ratio(share.0));
        }
        for (key, text) in &self.minimum {
            own.entry(key.0).or_default().minimum = Some(minimum(key.0, text)?);
        }
        Ok(own.into_iter().map(|(metric, rule)| (metric, rule.of(metric))).collect())
    }
}

/// Reads the smallest change of a metric that may decide, in the metric's unit.
pub(super) fn minimum(metric: Metric, text: &Spanned<String>) -> Result<f64, SpannedFault> {
    let unit = |error: UnitError| SpannedFault::new(text.span(), error);
    match metric.dimension() {
        MetricDimension::Size | MetricDimension::Growth => {
            let bytes = units::parse_bytes(text.get_ref());
            bytes.map(units::exact).map_err(unit)
        }
        MetricDimension::Time => {
            let time = units::parse_duration(text.get_ref());
            let nanos = time.map(|time| units::exact(units::nanos(time)));
            nanos.map_err(unit)
        }
        MetricDimension::Count | MetricDimension::Rate => {
            Err(SpannedFault::new(text.span(), ConfigFault::NoMinimum(metric)))
        }
    }
}
