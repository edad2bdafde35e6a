//! What a month of requests costs, as it is written.

use record::cost::CostRates;

use crate::config::values::PositiveNumber;

/// What is written of costs.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CostTable {
    /// Requests that production answers in a month, such as `200_000_000`.
    requests_per_month: PositiveNumber,
    /// Price of a processor for an hour, in US dollars, such as `0.04`.
    usd_per_vcpu_hour: PositiveNumber,
    /// Power of a busy processor, in watts, by which energy is shown as well. Default: none.
    watts_per_vcpu: Option<PositiveNumber>,
}

impl CostTable {
    /// Returns the rates.
    pub(super) fn resolve(&self) -> CostRates {
        CostRates {
            requests_per_month: self.requests_per_month.0,
            usd_per_vcpu_hour: self.usd_per_vcpu_hour.0,
            watts_per_vcpu: self.watts_per_vcpu.as_ref().map(|watts| watts.0),
        }
    }
}
