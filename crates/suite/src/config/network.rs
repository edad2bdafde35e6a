//! The network between load and target as it is written: for all scenarios, or in one for it alone.

use std::ops::Range;

use crate::config::fault::SpannedFault;
use crate::config::values::{BitRate, Percentage, Time};
use sut::network::NetworkConditions;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NetworkTable {
    /// Added each way. Default: `"0 s"`.
    latency: Option<Time>,
    /// Spread evenly around the latency, at most as large as it. Default: `"0 s"`.
    jitter: Option<Time>,
    /// Each way, for all connections together. Default: no limit.
    bandwidth: Option<BitRate>,
    /// Share of the exchanges whose connection is reset. Default: `"0 %"`.
    resets: Option<Percentage>,
}

impl NetworkTable {
    /// Returns the network; none for a table that shapes nothing, or what is wrong with the table
    /// at `span`.
    pub(super) fn resolve(
        &self,
        span: Range<usize>,
    ) -> Result<Option<NetworkConditions>, SpannedFault> {
        let network = NetworkConditions {
            latency: self.latency.map_or_else(<_>::default, |time| time.0),
            jitter: self.jitter.map_or_else(<_>::default, |time| time.0),
            bits_per_s: self.bandwidth.map(|rate| rate.0),
            resets: self.resets.map(|share| share.0),
        };
        let network = network.checked().map_err(|error| SpannedFault::new(span, error))?;
        Ok(Some(network).filter(NetworkConditions::shapes))
    }
}
