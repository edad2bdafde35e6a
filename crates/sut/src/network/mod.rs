//! A network between load and target, made by a relay of bytes: delay, bandwidth and resets without
//! the kernel's `tc`, which needs root and would shape everything else on the loopback too.
//!
//! What shapes is pure and gets the time (`shaping`); what moves bytes is one thread (`relay`).
//! It runs where the load does, never on the target's processors. What it costs by itself is
//! measured beside a direct connection before anything else is (`cost`).

mod cost;
#[cfg(not(target_os = "linux"))]
mod no_relay;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod shaping;

use std::fmt;
use std::io;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use units::{Ratio, UnitError};

pub use cost::{RelayCost, measure};
#[cfg(not(target_os = "linux"))]
pub use no_relay::Relay;
#[cfg(target_os = "linux")]
pub use relay::Relay;

/// What a network does to what passes, the same in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkConditions {
    /// What each piece is late by, each way: an answer comes two latencies after its request.
    #[serde(rename = "latency_ns", with = "units::duration_ns")]
    #[schemars(with = "u64")]
    pub latency: Duration,
    /// How much more or less than that, evenly spread; at most the latency. Order is kept.
    #[serde(rename = "jitter_ns", with = "units::duration_ns")]
    #[schemars(with = "u64")]
    pub jitter: Duration,
    /// What all connections together may send, each way; without it, as much as they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_s: Option<f64>,
    /// Share of the exchanges whose connection is reset before the request reaches the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets: Option<Ratio>,
}

/// The keys of a network, as a configuration and a flag have them.
const KEYS: &str = "latency, jitter, bandwidth, resets";

/// Why there is no such network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NetworkError {
    /// A part is not a setting.
    #[error("`{0}` is not a key and a value such as `latency=20ms`; keys are {KEYS}")]
    NoValue(String),
    /// There is no such setting.
    #[error("a network has no `{0}`; its keys are {KEYS}")]
    UnknownKey(String),
    /// A value is not one of its setting.
    #[error(transparent)]
    Value(#[from] UnitError),
    /// A piece would arrive before it was sent.
    #[error(
        "a jitter of {} is more than the latency, {}",
        units::duration(*jitter),
        units::duration(*latency)
    )]
    Jitter {
        /// The jitter.
        jitter: Duration,
        /// The latency.
        latency: Duration,
    },
    /// Nothing would arrive in time.
    #[error("a latency of {} is beyond 60 s", units::duration(*.0))]
    Latency(Duration),
    /// Nothing is as slow or as fast.
    #[error("a bandwidth is between 1 kbit/s and 1000 Gbit/s")]
    BitRate,
    /// Not a share, or all.
    #[error("resets are a share from 0 % to below 100 %")]
    Resets,
}

/// Why there is no network.
#[derive(Debug, Error)]
pub enum RelayError {
    /// The system refuses a socket or a thread.
    #[error("failed to put a network between load and target")]
    NotMade(#[source] io::Error),
    /// It ended while it was needed.
    #[error("the network between load and target broke")]
    Broken(#[source] io::Error),
}

/// What has passed up to now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that were made.
    pub connections: u64,
    /// Connections that were reset on purpose.
    pub resets: u64,
    /// Bytes that were taken from both sides.
    pub bytes: u64,
    /// CPU time of the relay.
    pub cpu: Duration,
}

impl NetworkConditions {
    /// Reads `latency=20ms,jitter=2ms,bandwidth=10Mbit/s,resets=0.1%`, in any order and number.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let mut network = Self::default();
        for part in text.split(',') {
            let (key, value) =
                part.split_once('=').ok_or_else(|| NetworkError::NoValue(part.to_owned()))?;
            network.set(key.trim(), value)?;
        }
        network.checked()
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), NetworkError> {
        match key {
            "latency" => self.latency = units::parse_duration(value)?,
            "jitter" => self.jitter = units::parse_duration(value)?,
            "bandwidth" => self.bits_per_s = Some(units::parse_bit_rate(value)?),
            "resets" => self.resets = Some(Ratio::parse(value)?),
            _ => return Err(NetworkError::UnknownKey(key.to_owned())),
        }
        Ok(())
    }

    /// Returns the network, if there can be one like it.
    pub fn checked(self) -> Result<Self, NetworkError> {
        const LATENCY_MAX: Duration = Duration::from_mins(1);
        const BITS_PER_S: std::ops::RangeInclusive<f64> = 1e3..=1e12;
        let Self { latency, jitter, bits_per_s, resets } = self;
        if jitter > latency {
            return Err(NetworkError::Jitter { jitter, latency });
        }
        if latency > LATENCY_MAX {
            return Err(NetworkError::Latency(latency));
        }
        if bits_per_s.is_some_and(|bits_per_s| !BITS_PER_S.contains(&bits_per_s)) {
            return Err(NetworkError::BitRate);
        }
        if resets.is_some_and(|share| !(0.0..1.0).contains(&share.0)) {
            return Err(NetworkError::Resets);
        }
        Ok(self)
    }

    /// Returns whether there is anything that it does.
    pub fn shapes(&self) -> bool {
        !self.latency.is_zero() || self.bits_per_s.is_some() || self.resets()
    }

    /// Returns whether exchanges fail that the target had no part in.
    pub fn resets(&self) -> bool {
        self.resets.is_some_and(|share| share.0 > 0.0)
    }
}

impl fmt::Display for NetworkConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if !self.latency.is_zero() {
            let mut latency = units::duration(self.latency);
            if !self.jitter.is_zero() {
                latency = format!("{latency} ± {}", units::duration(self.jitter));
            }
            words.push(format!("{latency} each way"));
        }
        words.extend(self.bits_per_s.map(units::bit_rate));
        words.extend(self.resets.map(|share| format!("{share} resets")));
        if words.is_empty() {
            words.push("not shaped".to_owned());
        }
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_from_one_word_and_reported_in_a_few() {
        let check = |text: &str, expected: &str| {
            assert_eq!(NetworkConditions::parse(text).unwrap().to_string(), expected);
        };
        check("latency=20ms", "20.0 ms each way");
        check("bandwidth=10 Mbit/s, resets=0.1 %", "10.0 Mbit/s, 0.1 % resets");
        check(
            "latency=20ms,jitter=2ms,bandwidth=1Gbit/s,resets=1%",
            "20.0 ms ± 2.00 ms each way, 1.00 Gbit/s, 1 % resets",
        );
        check("latency=0s", "not shaped");
    }

    #[test]
    fn a_network_that_cannot_be_is_refused_with_what_would_be_right() {
        let check = |text: &str, hint: &str| {
            let error = NetworkConditions::parse(text).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        };
        check("20ms", "latency=20ms");
        check("delay=20ms", "latency, jitter, bandwidth, resets");
        check("latency=1ms,jitter=2ms", "more than the latency");
        check("bandwidth=10MB/s", "10 Mbit/s");
        check("bandwidth=1bit/s", "1 kbit/s");
        check("resets=100%", "below 100 %");
        check("latency=2min", "60 s");
    }
}
