//! Reads the sentences that records before schema 3 have in place of values.
//!
//! Each is read once, when a record is migrated; nothing else reads what is written for people. The
//! grammar is that of the versions which wrote such records and does not follow the words of today.

use std::num::NonZeroUsize;
use std::time::Duration;

use load::FailureKind;
use payload::PayloadKind;
use sut::network::NetworkConditions;
use thiserror::Error;
use units::Ratio;

use crate::workload::{ArrivalShape, LoadAmount, LoadSummary, ModelSummary, ReusePolicy};
use crate::{CgroupVersion, CpuLimit, LimitBackend, MemoryLimit};

/// A sentence in an old record is none of those that were written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not {what} of a record before schema 3")]
pub struct SentenceError {
    what: &'static str,
    text: String,
}

impl SentenceError {
    pub(super) fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.to_owned() }
    }
}

/// What the sentence of a scenario says: `xml-compare-batch, closed, 1 connection`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScenarioSentence {
    pub(super) kind: PayloadKind,
    pub(super) load: LoadSummary,
    pub(super) network: Option<NetworkConditions>,
}

/// Reads kind, load and network of a scenario.
pub(super) fn scenario(text: &str) -> Result<ScenarioSentence, SentenceError> {
    let read = || {
        let (rest, network) = match text.split_once(", over a network of ") {
            Some((rest, network)) => (rest, Some(self::network(network)?)),
            None => (text, None),
        };
        let (kind, load) = rest.split_once(", ")?;
        Some(ScenarioSentence {
            kind: PayloadKind::from_name(kind)?,
            load: self::load(load)?,
            network,
        })
    };
    read().ok_or_else(|| SentenceError::new("a load", text))
}

/// Reads a kind of failure, such as `timeout` or `status 500`.
pub(super) fn failure_kind(text: &str) -> Result<FailureKind, SentenceError> {
    let status =
        |text: &str| Some(FailureKind::Status(text.strip_prefix("status ")?.parse().ok()?));
    match text {
        "refused" => Some(FailureKind::Refused),
        "reset" => Some(FailureKind::Reset),
        "timeout" => Some(FailureKind::Timeout),
        "wrong answer" => Some(FailureKind::WrongAnswer),
        "short body" => Some(FailureKind::ShortBody),
        "malformed answer" => Some(FailureKind::Malformed),
        text => status(text),
    }
    .ok_or_else(|| SentenceError::new("a kind of failure", text))
}

/// Reads a limit on memory, such as `2.00 GiB by a control group (v2)`.
pub(super) fn memory_limit(text: &str) -> Result<MemoryLimit, SentenceError> {
    let read = || {
        let (bytes, backend) = text.split_once(" by ")?;
        Some(MemoryLimit {
            bytes_max: units::parse_bytes(bytes).ok()?,
            backend: limit_backend(backend),
        })
    };
    read().ok_or_else(|| SentenceError::new("a limit on memory", text))
}

/// Reads a limit on processors, such as `1.5 by docker`.
pub(super) fn cpu_limit(text: &str) -> Result<CpuLimit, SentenceError> {
    let read = || {
        let (cpus, backend) = text.split_once(" by ")?;
        Some(CpuLimit { cpus_max: number(cpus)?, backend: limit_backend(backend) })
    };
    read().ok_or_else(|| SentenceError::new("a limit on processors", text))
}

fn limit_backend(text: &str) -> LimitBackend {
    match text {
        "a control group (v1)" => LimitBackend::ControlGroup(CgroupVersion::V1),
        "a control group (v2)" => LimitBackend::ControlGroup(CgroupVersion::V2),
        "a limit on the data of each process" => LimitBackend::DataLimit,
        engine => LimitBackend::Engine(engine.to_owned()),
    }
}

fn load(text: &str) -> Option<LoadSummary> {
    let (text, reuse) = if let Some(text) = text.strip_suffix(", kept") {
        (text, ReusePolicy::Kept)
    } else if let Some(text) = text.strip_suffix(", a connection for each request") {
        (text, ReusePolicy::Request)
    } else {
        (text, ReusePolicy::Slice)
    };
    let (text, streams) = match text.split_once(", HTTP/2 with ") {
        Some((text, streams)) => {
            let streams = counted(streams.strip_suffix(" each")?, "stream")?;
            (text, Some(streams.parse::<NonZeroUsize>().ok()?))
        }
        None => (text, None),
    };
    let streams = streams.map(|streams| u64::try_from(streams.get()).unwrap_or(u64::MAX));
    let (connections, model) = match text.split_once(", ")? {
        ("closed", rest) => closed(rest)?,
        ("open", rest) => open(rest)?,
        _ => return None,
    };
    Some(LoadSummary { connections, streams, model, reuse })
}

/// `4 connections, 30.0 s, thinking 5.00 ms`, or `1 → 3 → 5 connections, 15 requests each`.
fn closed(text: &str) -> Option<(u32, ModelSummary)> {
    let mut parts = text.split(", ");
    let connections = counted(parts.next()?, "connection")?;
    let rest: Vec<&str> = parts.collect();
    if let [requests] = rest[..]
        && let Some(requests) = requests.strip_suffix(" each")
    {
        let steps = connections.split(" → ").map(|step| step.parse().ok());
        let steps = steps.collect::<Option<Vec<u32>>>()?;
        let requests = counted(requests, "request")?.parse().ok()?;
        let most = steps.iter().copied().max()?;
        return Some((most, ModelSummary::Steps { connections: steps, requests }));
    }
    let (mut amount, mut think) = (None, Duration::ZERO);
    for part in rest {
        if let Some(time) = part.strip_prefix("thinking ") {
            think = units::parse_duration(time).ok()?;
        } else if let Some(requests) = counted(part, "request") {
            amount = Some(LoadAmount::Requests(requests.parse().ok()?));
        } else {
            amount = Some(LoadAmount::For(units::parse_duration(part).ok()?));
        }
    }
    Some((connections.parse().ok()?, ModelSummary::Closed { amount, think }))
}

/// `poisson, 100 requests/s over 10.0 s, at most 8 connections`, or
/// `capacity from 50.0 to 1000 requests/s in steps of 2.00 s, at most 64 connections`.
fn open(text: &str) -> Option<(u32, ModelSummary)> {
    let (text, connections) = text.split_once(", at most ")?;
    let connections = counted(connections, "connection")?.parse().ok()?;
    if let Some(text) = text.strip_prefix("capacity from ") {
        let (start, text) = text.split_once(" to ")?;
        let (ceiling, trial) = text.split_once(" requests/s in steps of ")?;
        let model = ModelSummary::Capacity {
            start_per_s: number(start)?,
            ceiling_per_s: number(ceiling)?,
            trial: units::parse_duration(trial).ok()?,
        };
        return Some((connections, model));
    }
    let (shape, text) = text.split_once(", ")?;
    let (rate, lasts) = text.split_once(" requests/s over ")?;
    let shape = match shape {
        "constant" => ArrivalShape::Constant,
        "poisson" => ArrivalShape::Poisson,
        "ramp" => ArrivalShape::Ramp,
        "stages" => ArrivalShape::Stages,
        "spikes" => ArrivalShape::Spikes,
        _ => return None,
    };
    let (per_s, lasts) = (number(rate)?, units::parse_duration(lasts).ok()?);
    Some((connections, ModelSummary::Open { shape, per_s, lasts }))
}

/// `20.0 ms ± 2.00 ms each way, 10.0 Mbit/s, 0.1 % resets`, each part if there is one.
fn network(text: &str) -> Option<NetworkConditions> {
    let mut network = NetworkConditions::default();
    for part in text.split(", ") {
        if let Some(latency) = part.strip_suffix(" each way") {
            let (latency, jitter) = latency.split_once(" ± ").unwrap_or((latency, "0 ns"));
            network.latency = units::parse_duration(latency).ok()?;
            network.jitter = units::parse_duration(jitter).ok()?;
        } else if let Some(share) = part.strip_suffix(" resets") {
            network.resets = Some(Ratio::parse(share).ok()?);
        } else {
            network.bits_per_s = Some(units::parse_bit_rate(part).ok()?);
        }
    }
    Some(network)
}

/// The text before a noun in singular or plural.
fn counted<'a>(text: &'a str, noun: &str) -> Option<&'a str> {
    let text = text.strip_suffix('s').unwrap_or(text);
    text.strip_suffix(noun)?.strip_suffix(' ')
}

/// A number whose thousands may be apart.
fn number(text: &str) -> Option<f64> {
    let number = text.replace('\u{202f}', "").parse::<f64>().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::workload::tests::workload;
    use crate::workload::{LoadRecord, ReusePolicy, Workload};

    fn plural(count: u64, noun: &str) -> String {
        if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
    }

    /// The sentence that versions with schema 2 wrote, as they made it.
    fn sentence(workload: &Workload) -> String {
        let load = workload.load.summary();
        let connections = plural(load.connections.into(), "connection");
        let mut words = match &load.model {
            ModelSummary::Closed { amount, think } => {
                let mut words = vec!["closed".to_owned(), connections];
                match amount {
                    None | Some(LoadAmount::Time) => {}
                    Some(LoadAmount::For(time)) => words.push(units::duration(*time)),
                    Some(LoadAmount::Requests(n)) => words.push(plural(*n, "request")),
                }
                if !think.is_zero() {
                    words.push(format!("thinking {}", units::duration(*think)));
                }
                words.join(", ")
            }
            ModelSummary::Steps { connections, requests } => {
                let steps: Vec<_> = connections.iter().map(u32::to_string).collect();
                let requests = plural(*requests, "request");
                format!("closed, {} connections, {requests} each", steps.join(" → "))
            }
            ModelSummary::Open { shape, per_s, lasts } => {
                let name = format!("{shape:?}").to_lowercase();
                let (rate, lasts) = (units::count(*per_s), units::duration(*lasts));
                format!("open, {name}, {rate} requests/s over {lasts}, at most {connections}")
            }
            ModelSummary::Capacity { start_per_s, ceiling_per_s, trial } => format!(
                "open, capacity from {} to {} requests/s in steps of {}, at most {connections}",
                units::count(*start_per_s),
                units::count(*ceiling_per_s),
                units::duration(*trial),
            ),
        };
        if let Some(streams) = load.streams {
            words = format!("{words}, HTTP/2 with {} each", plural(streams, "stream"));
        }
        match load.reuse {
            ReusePolicy::Slice => {}
            ReusePolicy::Kept => words += ", kept",
            ReusePolicy::Request => words += ", a connection for each request",
        }
        let words = format!("{}, {words}", workload.kind.name());
        match &workload.network {
            Some(network) => format!("{words}, over a network of {network}"),
            None => words,
        }
    }

    proptest! {
        #[test]
        fn a_history_goes_on_over_the_change_of_schema(workload in workload()) {
            let written = sentence(&workload);
            let said = scenario(&written).unwrap();
            let old = Workload {
                kind: said.kind,
                path: None,
                payload: workload.payload.clone(),
                load: LoadRecord::Summary(said.load),
                network: said.network,
                operations: None,
            };
            prop_assert!(old.measures_as(&workload) && workload.measures_as(&old), "{}", written);
            let other = Workload { payload: "other".to_owned(), ..old.clone() };
            prop_assert!(!other.measures_as(&workload));
        }
    }

    #[test]
    fn every_kind_of_failure_is_read_as_it_was_written() {
        let kinds = [
            FailureKind::Refused,
            FailureKind::Reset,
            FailureKind::Timeout,
            FailureKind::Status(503),
            FailureKind::WrongAnswer,
            FailureKind::ShortBody,
            FailureKind::Malformed,
        ];
        for kind in kinds {
            assert_eq!(failure_kind(&kind.to_string()), Ok(kind));
        }
    }

    #[test]
    fn what_is_not_a_sentence_of_an_old_record_is_named() {
        let error = scenario("xml-compare-batch, opened, 1 connection").unwrap_err();
        insta::assert_snapshot!(error, @"`xml-compare-batch, opened, 1 connection` is not a load of a record before schema 3");
        insta::assert_snapshot!(failure_kind("status none").unwrap_err(), @"`status none` is not a kind of failure of a record before schema 3");
        assert!(memory_limit("2.00 GiB").is_err() && cpu_limit("many by docker").is_err());
    }
}
