//! What a month of requests and an hour of a processor are, by which a change has a price.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The rates of `[cost]`. They decide nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostRates {
    /// Requests that production answers in a month.
    pub requests_per_month: f64,
    /// Price of a processor for an hour, in US dollars.
    pub usd_per_vcpu_hour: f64,
    /// Power of a busy processor, in watts; without it, nothing is said of energy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watts_per_vcpu: Option<f64>,
}
