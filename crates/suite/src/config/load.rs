//! The load of a scenario as it is written: a model and the keys that belong to it.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};

use crate::config::fault::{LoadFault, SpannedFault};
use crate::config::values::{AnswerSize, CONNECTIONS_MAX, Connections, Positive, Time};
use crate::{ArrivalShape, LoadAmount, LoadSettings, ReusePolicy, WorkloadModel};
use load::capacity;
use load::pacing::{ArrivalProcess, ArrivalSchedule, RateStage};
use load::{HttpVersion, Timeouts};
use units::Ratio;

/// Connections of an open load, or streams over its one connection, where the configuration gives none: its
/// cap of requests in flight.
const OPEN_CONNECTIONS: u32 = 64;

/// How long an open load lasts, and a rate of a search, where the configuration gives none.
const OPEN_LASTS: Duration = Duration::from_secs(10);
const TRIAL_LASTS: Duration = Duration::from_secs(1);

/// How long a request of an open load may wait for a connection, where the configuration gives none.
const LATE_MAX: Duration = Duration::from_secs(10);

/// Spikes of a load, each of which is a stage of its schedule.
const SPIKES_MAX: u128 = 100_000;

/// Highest rate of a search, in requests per second, where the configuration gives none: what one core of load
/// can surely do.
const CEILING_PER_S: f64 = 50_000.0;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct LoadTable {
    /// `"closed"`, `"steps"`, `"constant"`, `"poisson"`, `"ramp"`, `"stages"`, `"spikes"` or `"capacity"`.
    /// Default: `"closed"`.
    model: ModelWord,
    /// How many; with `"steps"` a list; of an open load, the requests in flight at most. Default: 1 of a closed
    /// load, 64 of an open one, 1 over HTTP/2.
    connections: Option<ConnectionsWord>,
    /// How many are sent on each side of a launch; with `"steps"` over each number of connections. Default: as
    /// many as fit into the time, 10 with `"steps"`.
    requests: Option<Positive>,
    /// How long a load lasts, or one rate of a search. Default: `[sampling] load`; 10 s of an open load, 1 s
    /// with `"capacity"`.
    duration: Option<Time>,
    /// How long a connection waits after an answer. Default: `"0 s"`.
    think: Option<Time>,
    /// Requests per second; with `"ramp"` at its begin, with `"capacity"` the first one that is tried. Default:
    /// 100 with `"capacity"`.
    rate: Option<f64>,
    /// Requests per second at the end of a ramp.
    to: Option<f64>,
    /// The stages, one after the other.
    stages: Option<Vec<StageTable>>,
    /// Requests per second in a spike.
    spike_rate: Option<f64>,
    /// How long a spike lasts. Default: `"500 ms"`.
    spike: Option<Time>,
    /// From one spike to the next. Default: `"5 s"`.
    every: Option<Time>,
    /// Requests per second that a search does not go beyond. Default: `50000.0`.
    ceiling: Option<f64>,
    /// How near the highest rate that held and the lowest that did not must come, as a share. Default: `0.05`.
    precision: Option<f64>,
    /// From which the gaps of `"poisson"` are drawn. Default: `42`.
    seed: Option<u64>,
    /// How long a request of an open load may wait for a connection. Default: `"10 s"`.
    late_max: Option<Time>,
    /// `"1.1"` or `"2"`. Default: `"1.1"`.
    http: Option<HttpWord>,
    /// Streams at once on each connection of HTTP/2. Default: 1, of an open load 64.
    streams: Option<Connections>,
    /// How long a connection lives: `"slice"`, `"kept"` or `"request"`. Default: `"slice"`.
    reuse: Option<ReuseWord>,
    /// Until a connection is made. Default: `"10 s"`.
    connect_timeout: Option<Time>,
    /// Until the first byte of an answer. Default: `"10 min"`.
    first_byte_timeout: Option<Time>,
    /// Until the last byte of an answer. Default: `"10 min"`.
    timeout: Option<Time>,
    /// Memory that one answer, and all at once, may take. Default: 256 MiB.
    answer_memory: Option<AnswerSize>,
}

/// A whole number from 1 on, or a list of such.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged, expecting = "expected a number of connections, or with model = \"steps\" a list")]
enum ConnectionsWord {
    One(Positive),
    Many(Vec<Positive>),
}

/// A stretch of one rate, or from one rate to another.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct StageTable {
    /// Requests per second, at its begin.
    rate: f64,
    /// Requests per second at its end. Default: `rate`.
    to: Option<f64>,
    /// How long.
    lasts: Time,
}

/// The name of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ModelWord {
    #[default]
    Closed,
    Steps,
    Constant,
    Poisson,
    Ramp,
    Stages,
    Spikes,
    Capacity,
}

impl ModelWord {
    const ALL: [(&'static str, Self); 8] = [
        ("closed", Self::Closed),
        ("steps", Self::Steps),
        ("constant", Self::Constant),
        ("poisson", Self::Poisson),
        ("ramp", Self::Ramp),
        ("stages", Self::Stages),
        ("spikes", Self::Spikes),
        ("capacity", Self::Capacity),
    ];

    fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, model)| *model == self);
        named.expect("every model has a name").0
    }

    /// The keys that mean something beside those of every model: `connections`, `http`, `streams`,
    /// `reuse`, time-outs, `answer-memory`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Closed => &["requests", "duration", "think"],
            Self::Steps => &["requests"],
            Self::Constant => &["rate", "duration", "late-max"],
            Self::Poisson => &["rate", "duration", "seed", "late-max"],
            Self::Ramp => &["rate", "to", "duration", "late-max"],
            Self::Stages => &["stages", "late-max"],
            Self::Spikes => &["rate", "spike-rate", "spike", "every", "duration", "late-max"],
            Self::Capacity => &["rate", "ceiling", "precision", "duration"],
        }
    }
}

impl<'de> Deserialize<'de> for ModelWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|(name, _)| *name == word);
        known.map(|(_, model)| *model).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            D::Error::custom(format!("unknown load model `{word}`; there are {names}"))
        })
    }
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HttpWord {
    One,
    Two,
}

impl<'de> Deserialize<'de> for HttpWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "1.1" => Ok(Self::One),
            "2" => Ok(Self::Two),
            word => {
                let known = "there are \"1.1\" and \"2\"";
                Err(D::Error::custom(format!("unknown version of HTTP `{word}`; {known}")))
            }
        }
    }
}

/// The life of a connection.
#[derive(Debug, Clone, Copy)]
struct ReuseWord(ReusePolicy);

impl<'de> Deserialize<'de> for ReuseWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "kept" => Ok(Self(ReusePolicy::Kept)),
            "slice" => Ok(Self(ReusePolicy::Slice)),
            "request" => Ok(Self(ReusePolicy::Request)),
            word => {
                let known = "there are kept, slice, request";
                Err(D::Error::custom(format!("unknown life of a connection `{word}`; {known}")))
            }
        }
    }
}

impl LoadTable {
    /// Returns the load, or what is wrong with the table at `span`.
    pub(super) fn resolve(&self, span: Range<usize>) -> Result<LoadSettings, SpannedFault> {
        self.check_keys().and_then(|()| self.load()).map_err(|fault| SpannedFault::new(span, fault))
    }

    /// A key that the model does not know would be ignored in silence.
    fn check_keys(&self) -> Result<(), LoadFault> {
        let written = [
            ("requests", self.requests.is_some()),
            ("duration", self.duration.is_some()),
            ("think", self.think.is_some()),
            ("rate", self.rate.is_some()),
            ("to", self.to.is_some()),
            ("stages", self.stages.is_some()),
            ("spike-rate", self.spike_rate.is_some()),
            ("spike", self.spike.is_some()),
            ("every", self.every.is_some()),
            ("ceiling", self.ceiling.is_some()),
            ("precision", self.precision.is_some()),
            ("seed", self.seed.is_some()),
            ("late-max", self.late_max.is_some()),
        ];
        let keys = self.model.keys();
        match written.iter().find(|(key, is_set)| *is_set && !keys.contains(key)) {
            Some(&(key, _)) => Err(LoadFault::StrayKey { key, model: self.model.name(), keys }),
            None => Ok(()),
        }
    }

    fn load(&self) -> Result<LoadSettings, LoadFault> {
        let model = self.model()?;
        let connections = match (&self.connections, &model) {
            (Some(ConnectionsWord::One(count)), _) => number(*count),
            (_, WorkloadModel::Steps { connections, .. }) => {
                connections.iter().copied().max().unwrap_or(1)
            }
            (Some(ConnectionsWord::Many(_)), _) => {
                return Err(LoadFault::ConnectionList);
            }
            (None, WorkloadModel::Closed { .. }) => 1,
            (None, _) if self.http == Some(HttpWord::Two) => 1,
            (None, WorkloadModel::Open { .. } | WorkloadModel::Capacity { .. }) => OPEN_CONNECTIONS,
        };
        if u64::from(connections) > CONNECTIONS_MAX {
            return Err(LoadFault::TooManyConnections { connections, most: CONNECTIONS_MAX });
        }
        let reuse = self.reuse.map_or(ReusePolicy::Slice, |word| word.0);
        let http = self.http(&model)?;
        let answer_bytes_max = self.answer_memory.as_ref().map(|size| size.0);
        let timeouts = self.timeouts()?;
        Ok(LoadSettings { connections, http, model, reuse, timeouts, answer_bytes_max })
    }

    fn http(&self, model: &WorkloadModel) -> Result<HttpVersion, LoadFault> {
        let streams = match (self.http, self.streams, model) {
            (Some(HttpWord::Two), Some(streams), _) => number(Positive(streams.0)),
            (
                Some(HttpWord::Two),
                None,
                WorkloadModel::Closed { .. } | WorkloadModel::Steps { .. },
            ) => 1,
            (
                Some(HttpWord::Two),
                None,
                WorkloadModel::Open { .. } | WorkloadModel::Capacity { .. },
            ) => OPEN_CONNECTIONS,
            (Some(HttpWord::One) | None, None, _) => return Ok(HttpVersion::One),
            (Some(HttpWord::One) | None, Some(_), _) => {
                return Err(LoadFault::StrayStreams);
            }
        };
        let streams = usize::try_from(streams).unwrap_or(usize::MAX);
        Ok(HttpVersion::Two { streams: NonZeroUsize::new(streams).unwrap_or(NonZeroUsize::MIN) })
    }

    fn timeouts(&self) -> Result<Timeouts, LoadFault> {
        let default = Timeouts::default();
        let timeouts = Timeouts {
            connect: self.connect_timeout.map_or(default.connect, |time| time.0),
            first_byte: self.first_byte_timeout.map_or(default.first_byte, |time| time.0),
            total: self.timeout.map_or(default.total, |time| time.0),
        };
        if [timeouts.connect, timeouts.first_byte, timeouts.total].contains(&Duration::ZERO) {
            return Err(LoadFault::NoTimeout);
        }
        Ok(timeouts)
    }

    fn model(&self) -> Result<WorkloadModel, LoadFault> {
        let lasts = self.duration.map_or(OPEN_LASTS, |time| time.0);
        let constant = || self.rate().map(|per_s| vec![RateStage::constant(per_s, lasts)]);
        match self.model {
            ModelWord::Closed => Ok(WorkloadModel::Closed {
                amount: self.amount()?,
                think: self.think.map_or(Duration::ZERO, |time| time.0),
            }),
            ModelWord::Steps => self.steps(),
            ModelWord::Constant => self.open(ArrivalShape::Constant, constant()?),
            ModelWord::Poisson => {
                let seed = self.seed.unwrap_or(super::presets::SEED);
                self.arrive(ArrivalShape::Poisson, constant()?, ArrivalProcess::Poisson { seed })
            }
            ModelWord::Ramp => {
                let to_per_s = self.to.ok_or(LoadFault::NoRampEnd)?;
                let stage = RateStage { from_per_s: self.rate()?, to_per_s, lasts };
                self.open(ArrivalShape::Ramp, vec![stage])
            }
            ModelWord::Stages => self.open(ArrivalShape::Stages, self.stages()?),
            ModelWord::Spikes => self.open(ArrivalShape::Spikes, self.spikes(lasts)?),
            ModelWord::Capacity => self.capacity(),
        }
    }

    fn rate(&self) -> Result<f64, LoadFault> {
        self.rate.ok_or(LoadFault::NoRate { model: self.model.name() })
    }

    fn amount(&self) -> Result<LoadAmount, LoadFault> {
        match (self.requests, self.duration) {
            (Some(_), Some(_)) => Err(LoadFault::TwoEnds),
            (Some(requests), None) => Ok(LoadAmount::Requests(requests.0)),
            (None, Some(time)) => Ok(LoadAmount::For(time.0)),
            (None, None) => Ok(LoadAmount::Time),
        }
    }

    fn steps(&self) -> Result<WorkloadModel, LoadFault> {
        let Some(ConnectionsWord::Many(steps)) = &self.connections else {
            return Err(LoadFault::NoConnectionList);
        };
        if steps.is_empty() {
            return Err(LoadFault::NoConnections);
        }
        let connections = steps.iter().copied().map(number).collect();
        Ok(WorkloadModel::Steps { connections, requests: self.requests.map_or(10, |it| it.0) })
    }

    fn open(
        &self,
        shape: ArrivalShape,
        stages: Vec<RateStage>,
    ) -> Result<WorkloadModel, LoadFault> {
        self.arrive(shape, stages, ArrivalProcess::Even)
    }

    fn arrive(
        &self,
        shape: ArrivalShape,
        stages: Vec<RateStage>,
        arrivals: ArrivalProcess,
    ) -> Result<WorkloadModel, LoadFault> {
        if stages.iter().any(|stage| stage.lasts.is_zero()) {
            return Err(LoadFault::EmptyStage);
        }
        let schedule = ArrivalSchedule::new(stages, arrivals)?;
        let late_max = self.late_max.map_or(LATE_MAX, |time| time.0);
        Ok(WorkloadModel::Open { shape, schedule, late_max })
    }

    fn stages(&self) -> Result<Vec<RateStage>, LoadFault> {
        let stages = self.stages.as_ref().ok_or(LoadFault::NoStages)?;
        let stage = |table: &StageTable| RateStage {
            from_per_s: table.rate,
            to_per_s: table.to.unwrap_or(table.rate),
            lasts: table.lasts.0,
        };
        Ok(stages.iter().map(stage).collect())
    }

    /// The rate, and every so often for a short time a higher one; the last piece is cut.
    fn spikes(&self, lasts: Duration) -> Result<Vec<RateStage>, LoadFault> {
        let rate = self.rate()?;
        let spike_rate = self.spike_rate.ok_or(LoadFault::NoSpikeRate)?;
        let spike = self.spike.map_or(Duration::from_millis(500), |time| time.0);
        let every = self.every.map_or(Duration::from_secs(5), |time| time.0);
        let pieces = lasts.as_nanos() / every.as_nanos().max(1);
        if pieces > SPIKES_MAX {
            return Err(LoadFault::TooManySpikes { spikes: pieces, most: SPIKES_MAX });
        }
        if spike.is_zero() || spike >= every {
            return Err(LoadFault::Spike { spike, every });
        }
        let mut stages = Vec::new();
        let mut left = lasts;
        while !left.is_zero() {
            for (per_s, time) in [(rate, every.saturating_sub(spike)), (spike_rate, spike)] {
                let time = time.min(left);
                if !time.is_zero() {
                    stages.push(RateStage::constant(per_s, time));
                }
                left = left.saturating_sub(time);
            }
        }
        Ok(stages)
    }

    fn capacity(&self) -> Result<WorkloadModel, LoadFault> {
        let search = capacity::CapacityPlan {
            start_per_s: self.rate.unwrap_or(100.0),
            ceiling_per_s: self.ceiling.unwrap_or(CEILING_PER_S),
            precision: Ratio(self.precision.unwrap_or(0.05)),
        };
        capacity::CapacitySearch::new(search)?;
        Ok(WorkloadModel::Capacity {
            search,
            trial: self.duration.map_or(TRIAL_LASTS, |time| time.0),
        })
    }
}

fn number(count: Positive) -> u32 {
    u32::try_from(count.0).unwrap_or(u32::MAX)
}
