//! What a scenario sends, how, and over what: the values that decide which runs stand side by side.
//!
//! Everything is kept as it was configured, to the nanosecond and the last bit of a rate. Sentences
//! about a load are made in `report`; they round, so two loads of 1.001 s and 1.004 s read alike and are
//! not the same.

use std::time::Duration;

use load::capacity::CapacityPlan;
use load::pacing::ArrivalSchedule;
use load::{HttpVersion, RequestMethod, Timeouts};
use payload::PayloadKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sut::network::NetworkConditions;

use crate::LatencyBasis;
use crate::operation_name::OperationName;

/// What is sent in a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Kind of the requests.
    pub kind: PayloadKind,
    /// Path of the requests; none in records before schema 3, which do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Digest of the payload: equal digests mean equal bytes.
    pub payload: String,
    /// When requests are sent.
    pub load: LoadRecord,
    /// What is between load and target, if not nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkConditions>,
    /// The operations, where there are several; kind is then that of the first, and payload a digest of
    /// them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<OperationPlan>,
}

/// Several operations, and how they follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationPlan {
    /// The operations.
    pub operations: Vec<OperationRecord>,
    /// Which of them is next.
    pub order: OperationOrder,
    /// Those that each virtual user sends once in a launch, before all load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<usize>,
    /// Whether virtual users keep cookies.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cookies: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// One kind of request among several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationRecord {
    /// Its name.
    pub name: OperationName,
    /// What a request does.
    pub method: RequestMethod,
    /// Where it is sent.
    pub path: String,
    /// Kind of its payload.
    pub kind: PayloadKind,
    /// Digest of its payload.
    pub payload: String,
    /// Names of what is captured from its answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<String>,
}

/// How operations follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OperationOrder {
    /// Of each operation so many among as many requests as these numbers together, in an order that is
    /// drawn from the seed of the payloads.
    Mix(Vec<u64>),
    /// Operations by their number, from 0: one after the other by each virtual user, again and again.
    Flow(Vec<usize>),
}

impl OperationOrder {
    /// Returns whether load has requests of the operation of this number.
    pub fn sends(&self, operation: usize) -> bool {
        match self {
            Self::Mix(shares) => shares.get(operation).is_some_and(|share| *share > 0),
            Self::Flow(flow) => flow.contains(&operation),
        }
    }

    /// Returns how many requests belong together: those of a flow, or those in which each operation has
    /// exactly its share.
    pub fn round(&self) -> u64 {
        match self {
            Self::Mix(shares) => shares.iter().fold(0, |sum: u64, it| sum.saturating_add(*it)),
            Self::Flow(flow) => u64::try_from(flow.len()).unwrap_or(u64::MAX),
        }
    }
}

/// A load, as far as a record knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LoadRecord {
    /// As it was configured.
    Settings(LoadSettings),
    /// As records before schema 3 have it: rounded to three digits, without what a sentence omits.
    Summary(LoadSummary),
}

/// How requests follow each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSettings {
    /// Connections at most.
    pub connections: u32,
    /// How requests share a connection.
    pub http: HttpVersion,
    /// When a request is sent.
    pub model: WorkloadModel,
    /// How long a connection lives.
    pub reuse: ReusePolicy,
    /// How long each part of an exchange may take.
    pub timeouts: Timeouts,
    /// What answers may take in memory, each alone and all at once; the client's own bound if it is not
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_bytes_max: Option<u64>,
}

/// When requests are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum WorkloadModel {
    /// By each connection, when its last request was answered.
    Closed {
        /// How long a launch is driven.
        amount: LoadAmount,
        /// Pause of a connection between an answer and its next request.
        #[serde(rename = "think_ns", with = "units::duration_ns")]
        #[schemars(with = "u64")]
        think: Duration,
    },
    /// Closed, with ever more connections: each number for so many requests.
    Steps {
        /// Connections of each step.
        connections: Vec<u32>,
        /// Requests of each step.
        requests: u64,
    },
    /// On a schedule that the target cannot slow down.
    Open {
        /// What the schedule is called in the configuration.
        shape: ArrivalShape,
        /// When requests are due.
        schedule: ArrivalSchedule,
        /// A request that could not be sent for so long is dropped, and the trial is invalid.
        #[serde(rename = "late_max_ns", with = "units::duration_ns")]
        #[schemars(with = "u64")]
        late_max: Duration,
    },
    /// Open at ever other rates, to find the highest that keeps the limits.
    Capacity {
        /// Where and how it is searched for.
        search: CapacityPlan,
        /// How long each rate is tried.
        #[serde(rename = "trial_ns", with = "units::duration_ns")]
        #[schemars(with = "u64")]
        trial: Duration,
    },
}

/// What a schedule of arrivals is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalShape {
    /// One rate, at equal distances.
    Constant,
    /// One rate, at random distances.
    Poisson,
    /// From one rate to another.
    Ramp,
    /// One stage after the other.
    Stages,
    /// One rate, and every so often a higher one.
    Spikes,
}

/// How long a connection lives, as far as that is up to the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReusePolicy {
    /// For the whole launch.
    Kept,
    /// For a slice: the next one has new ones, made outside the measured time, so that none sticks to
    /// one worker of the target.
    Slice,
    /// For one request. Connecting counts into the response time, not into the service time.
    Request,
}

/// How much of a closed load a launch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LoadAmount {
    /// The time of the suite's sampling. Never in a record, which has the time itself.
    Time,
    /// So much time.
    #[serde(rename = "for_ns", with = "units::duration_ns")]
    #[schemars(with = "u64")]
    For(Duration),
    /// So many requests.
    Requests(u64),
}

/// What a sentence says of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSummary {
    /// Connections at most.
    pub connections: u32,
    /// Streams that share a connection, with HTTP/2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<u64>,
    /// When a request is sent.
    pub model: ModelSummary,
    /// How long a connection lives.
    pub reuse: ReusePolicy,
}

/// What a sentence says of when requests are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ModelSummary {
    /// By each connection, when its last request was answered.
    Closed {
        /// How long a launch is driven; none where it is the time of the sampling.
        amount: Option<LoadAmount>,
        /// Pause of a connection between an answer and its next request.
        #[serde(rename = "think_ns", with = "units::duration_ns")]
        #[schemars(with = "u64")]
        think: Duration,
    },
    /// Closed, with ever more connections.
    Steps {
        /// Connections of each step.
        connections: Vec<u32>,
        /// Requests of each step.
        requests: u64,
    },
    /// On a schedule that the target cannot slow down.
    Open {
        /// What the schedule is called.
        shape: ArrivalShape,
        /// The mean rate, in requests per second.
        per_s: f64,
        /// How long it lasts.
        #[serde(rename = "lasts_ns", with = "units::duration_ns")]
        #[schemars(with = "u64")]
        lasts: Duration,
    },
    /// Open at ever other rates.
    Capacity {
        /// The rate to begin with, in requests per second.
        start_per_s: f64,
        /// The highest rate to try, in requests per second.
        ceiling_per_s: f64,
        /// How long each rate is tried.
        #[serde(rename = "trial_ns", with = "units::duration_ns")]
        #[schemars(with = "u64")]
        trial: Duration,
    },
}

impl Workload {
    /// Returns whether numbers of one may stand beside numbers of the other.
    ///
    /// What a record of an older schema does not know differs from nothing, and what it has rounded is
    /// compared after the same rounding: a history goes on over a change of schema.
    pub fn measures_as(&self, other: &Self) -> bool {
        let same_path = match (&self.path, &other.path) {
            (Some(path), Some(other)) => path == other,
            (None, _) | (_, None) => true,
        };
        let same_load = match (&self.load, &other.load) {
            (LoadRecord::Settings(load), LoadRecord::Settings(of_other)) => {
                load.essence() == of_other.essence() && self.network == other.network
            }
            (LoadRecord::Summary(_), _) | (_, LoadRecord::Summary(_)) => {
                self.load.summary().agrees(&other.load.summary())
                    && self.network.map(rounding::network) == other.network.map(rounding::network)
            }
        };
        same_path
            && same_load
            && self.kind == other.kind
            && self.payload == other.payload
            && self.operations == other.operations
    }
}

impl LoadRecord {
    /// Returns what a sentence says of it.
    pub fn summary(&self) -> LoadSummary {
        match self {
            Self::Settings(load) => load.summary(),
            Self::Summary(summary) => summary.clone(),
        }
    }
}

impl LoadSettings {
    /// Returns the closed load of so many connections, renewed for each slice.
    pub fn closed(connections: u32, amount: LoadAmount) -> Self {
        let model = WorkloadModel::Closed { amount, think: Duration::ZERO };
        let timeouts = Timeouts::default();
        Self {
            connections,
            http: HttpVersion::One,
            model,
            reuse: ReusePolicy::Slice,
            timeouts,
            answer_bytes_max: None,
        }
    }

    /// Returns which time reports show: under an open load what a user waits, else what the target
    /// takes.
    pub fn times(&self) -> LatencyBasis {
        match self.model {
            WorkloadModel::Closed { .. } | WorkloadModel::Steps { .. } => LatencyBasis::Service,
            WorkloadModel::Open { .. } | WorkloadModel::Capacity { .. } => LatencyBasis::Response,
        }
    }

    /// Returns the load with the time of the suite's sampling, where it takes that.
    #[must_use]
    pub fn sampled(mut self, load: Duration) -> Self {
        if let WorkloadModel::Closed { amount: amount @ LoadAmount::Time, .. } = &mut self.model {
            *amount = LoadAmount::For(load);
        }
        self
    }

    /// Returns the load without what decides nothing: the name of a schedule, and where a stretch of
    /// one rate is cut in two.
    #[must_use]
    pub fn essence(&self) -> Self {
        let mut load = self.clone();
        if let WorkloadModel::Open { shape, schedule, .. } = &mut load.model {
            *shape = ArrivalShape::Stages;
            *schedule = schedule.joined();
        }
        // An answer that did not fit has failed; those that did are the same.
        load.answer_bytes_max = None;
        load
    }

    /// Returns what a sentence says of it.
    pub fn summary(&self) -> LoadSummary {
        let model = match &self.model {
            WorkloadModel::Closed { amount, think } => ModelSummary::Closed {
                amount: Some(*amount).filter(|amount| *amount != LoadAmount::Time),
                think: *think,
            },
            WorkloadModel::Steps { connections, requests } => {
                ModelSummary::Steps { connections: connections.clone(), requests: *requests }
            }
            WorkloadModel::Open { shape, schedule, .. } => ModelSummary::Open {
                shape: *shape,
                per_s: schedule.expected() / schedule.lasts().as_secs_f64(),
                lasts: schedule.lasts(),
            },
            WorkloadModel::Capacity { search, trial } => ModelSummary::Capacity {
                start_per_s: search.start_per_s,
                ceiling_per_s: search.ceiling_per_s,
                trial: *trial,
            },
        };
        let streams = match self.http {
            HttpVersion::One => None,
            HttpVersion::Two { streams } => Some(u64::try_from(streams.get()).unwrap_or(u64::MAX)),
        };
        LoadSummary { connections: self.connections, streams, model, reuse: self.reuse }
    }
}

impl LoadSummary {
    /// Returns whether both say the same after rounding.
    fn agrees(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.rounded(), other.rounded());
        if let (
            ModelSummary::Closed { amount, .. },
            ModelSummary::Closed { amount: other_amount, .. },
        ) = (&mut a.model, &mut b.model)
        {
            // A time that is not said is that of the sampling, which old records do not have.
            match (&amount, &other_amount) {
                (None, Some(LoadAmount::For(_)) | None) | (Some(LoadAmount::For(_)), None) => {
                    (*amount, *other_amount) = (None, None);
                }
                (Some(_), Some(_) | None) | (None, Some(_)) => {}
            }
        }
        a == b
    }

    fn rounded(&self) -> Self {
        let model = match &self.model {
            ModelSummary::Closed { amount, think } => ModelSummary::Closed {
                amount: amount.map(|amount| match amount {
                    LoadAmount::For(time) => LoadAmount::For(rounding::duration(time)),
                    LoadAmount::Time | LoadAmount::Requests(_) => amount,
                }),
                think: rounding::duration(*think),
            },
            ModelSummary::Steps { .. } => self.model.clone(),
            ModelSummary::Open { shape, per_s, lasts } => ModelSummary::Open {
                shape: *shape,
                per_s: rounding::count(*per_s),
                lasts: rounding::duration(*lasts),
            },
            ModelSummary::Capacity { start_per_s, ceiling_per_s, trial } => {
                ModelSummary::Capacity {
                    start_per_s: rounding::count(*start_per_s),
                    ceiling_per_s: rounding::count(*ceiling_per_s),
                    trial: rounding::duration(*trial),
                }
            }
        };
        Self { model, ..self.clone() }
    }
}

/// The rounding of the sentences in records before schema 3, which must never change: it is apart from
/// that of reports.
mod rounding {
    use std::time::Duration;

    use sut::network::NetworkConditions;
    use units::Ratio;

    pub(super) fn network(network: NetworkConditions) -> NetworkConditions {
        let share = |share: Ratio| Ratio(decimals(share.0 * 100.0, 3) / 100.0);
        NetworkConditions {
            latency: duration(network.latency),
            jitter: duration(network.jitter),
            bits_per_s: network.bits_per_s.map(|rate| scaled(rate, &[1.0, 1e3, 1e6, 1e9])),
            resets: network.resets.map(share),
        }
    }

    pub(super) fn duration(duration: Duration) -> Duration {
        let ns = duration.as_secs_f64() * 1e9;
        let ns = if ns < 600e9 { scaled(ns, &[1.0, 1e3, 1e6, 1e9]) } else { scaled(ns, &[60e9]) };
        Duration::from_nanos(units::whole(ns).unwrap_or(u64::MAX))
    }

    pub(super) fn count(value: f64) -> f64 {
        if value.abs() < 9_999.5 { significant(value) } else { decimals(value, 0) }
    }

    /// Three digits in the first unit in which fewer than a thousand remain, or in the last.
    fn scaled(value: f64, scales: &[f64]) -> f64 {
        let fits = |scale: &&f64| value < 999.5 * **scale;
        let scale = scales.iter().find(fits).or(scales.last()).copied().unwrap_or(1.0);
        significant(value / scale) * scale
    }

    fn significant(value: f64) -> f64 {
        match value.abs() {
            size if size == 0.0 || size >= 99.95 => decimals(value, 0),
            size if size >= 9.995 => decimals(value, 1),
            _ => decimals(value, 2),
        }
    }

    /// By way of text, as a record was: rounding in binary takes another turn at a half.
    fn decimals(value: f64, decimals: usize) -> f64 {
        format!("{value:.decimals$}").parse().expect("a number was just written")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::num::NonZeroUsize;

    use load::pacing::{ArrivalProcess, RateStage};
    use proptest::prelude::*;
    use units::Ratio;

    use super::*;
    use crate::canonical;

    fn time() -> impl Strategy<Value = Duration> {
        prop_oneof![0_u64..5_000, 0_u64..5_000_000_000, 0_u64..100_000_000_000_000]
            .prop_map(Duration::from_nanos)
    }

    fn rate() -> impl Strategy<Value = f64> {
        prop_oneof![0.0..100.0_f64, 0.0..1e9_f64, (0_u32..1_000_000).prop_map(f64::from)]
    }

    fn amount() -> impl Strategy<Value = LoadAmount> {
        let time = time().prop_map(LoadAmount::For);
        prop_oneof![Just(LoadAmount::Time), time, any::<u64>().prop_map(LoadAmount::Requests)]
    }

    fn shape() -> impl Strategy<Value = ArrivalShape> {
        use ArrivalShape::{Constant, Poisson, Ramp, Spikes, Stages};
        prop::sample::select(vec![Constant, Poisson, Ramp, Stages, Spikes])
    }

    fn schedule() -> impl Strategy<Value = ArrivalSchedule> {
        let stage = (rate(), rate(), any::<bool>(), time()).prop_map(|(from, to, level, lasts)| {
            RateStage { from_per_s: from, to_per_s: if level { from } else { to }, lasts }
        });
        let even = Just(ArrivalProcess::Even);
        let arrivals =
            prop_oneof![even, any::<u64>().prop_map(|seed| ArrivalProcess::Poisson { seed })];
        (prop::collection::vec(stage, 1..5), arrivals)
            .prop_filter_map("a schedule has a request", |(stages, arrivals)| {
                ArrivalSchedule::new(stages, arrivals).ok()
            })
    }

    fn model() -> impl Strategy<Value = WorkloadModel> {
        let closed = (amount(), time());
        let steps = (prop::collection::vec(1_u32..1_000, 1..5), any::<u64>());
        let open = (shape(), schedule(), time());
        let search = (rate(), rate(), 1e-4..1.0_f64, time());
        prop_oneof![
            closed.prop_map(|(amount, think)| WorkloadModel::Closed { amount, think }),
            steps
                .prop_map(|(connections, requests)| WorkloadModel::Steps { connections, requests }),
            open.prop_map(|(shape, schedule, late_max)| WorkloadModel::Open {
                shape,
                schedule,
                late_max
            }),
            search.prop_map(|(start_per_s, ceiling_per_s, precision, trial)| {
                let precision = Ratio(precision);
                let search = CapacityPlan { start_per_s, ceiling_per_s, precision };
                WorkloadModel::Capacity { search, trial }
            }),
        ]
    }

    /// A load as a configuration can hold it.
    fn load() -> impl Strategy<Value = LoadSettings> {
        let streams = (1_usize..1_000).prop_map(|streams| HttpVersion::Two {
            streams: NonZeroUsize::new(streams).expect("it begins at one"),
        });
        let http = prop_oneof![Just(HttpVersion::One), streams];
        let reuse =
            prop::sample::select(vec![ReusePolicy::Kept, ReusePolicy::Slice, ReusePolicy::Request]);
        let timeouts = (time(), time(), time()).prop_map(|(connect, first_byte, total)| Timeouts {
            connect,
            first_byte,
            total,
        });
        (1_u32..10_000, http, model(), reuse, timeouts).prop_map(
            |(connections, http, model, reuse, timeouts)| {
                let connections = match &model {
                    WorkloadModel::Steps { connections, .. } => {
                        connections.iter().copied().max().unwrap_or(1)
                    }
                    WorkloadModel::Closed { .. }
                    | WorkloadModel::Open { .. }
                    | WorkloadModel::Capacity { .. } => connections,
                };
                LoadSettings { connections, http, model, reuse, timeouts, answer_bytes_max: None }
            },
        )
    }

    fn network() -> impl Strategy<Value = Option<NetworkConditions>> {
        let rate = prop::option::of(1e3..1e12_f64);
        let resets = prop::option::of((0.0..1.0_f64).prop_map(Ratio));
        let conditions = (1_000_u64..60_000_000_000, 0_u64..1_000, rate, resets);
        let conditions = conditions.prop_map(|(latency, jitter, bits_per_s, resets)| {
            let (latency, jitter) = (Duration::from_nanos(latency), Duration::from_nanos(jitter));
            NetworkConditions { latency, jitter, bits_per_s, resets }
        });
        prop::option::of(conditions)
    }

    /// What a scenario can send.
    pub(crate) fn workload() -> impl Strategy<Value = Workload> {
        let kind = prop::sample::select(&PayloadKind::ALL[..]);
        let path = prop::option::of("/[!-~]{0,12}");
        (kind, path, "[0-9a-f]{8}", load(), network()).prop_map(
            |(kind, path, payload, load, network)| {
                let load = LoadRecord::Settings(load);
                Workload { kind, path, payload, load, network, operations: None }
            },
        )
    }

    fn closed(amount: LoadAmount) -> Workload {
        let load = LoadRecord::Settings(LoadSettings::closed(1, amount));
        Workload { load, ..crate::fixtures::workload() }
    }

    #[test]
    fn a_millisecond_more_is_another_load() {
        let lasting = |ms| closed(LoadAmount::For(Duration::from_millis(ms)));
        assert!(lasting(1_001).measures_as(&lasting(1_001)));
        assert!(!lasting(1_001).measures_as(&lasting(1_004)));
    }

    #[test]
    fn a_schedule_is_what_it_sends_whatever_it_is_called() {
        let open = |shape, lasts: &[u64]| {
            let stage = |seconds: &u64| RateStage::constant(50.0, Duration::from_secs(*seconds));
            let stages = lasts.iter().map(stage).collect();
            let schedule = ArrivalSchedule::new(stages, ArrivalProcess::Even).unwrap();
            let model = WorkloadModel::Open { shape, schedule, late_max: Duration::from_secs(1) };
            let load = LoadSettings { model, ..LoadSettings::closed(4, LoadAmount::Time) };
            Workload { load: LoadRecord::Settings(load), ..crate::fixtures::workload() }
        };
        let constant = open(ArrivalShape::Constant, &[10]);
        assert!(constant.measures_as(&open(ArrivalShape::Stages, &[4, 6])));
        assert!(!constant.measures_as(&open(ArrivalShape::Constant, &[11])));
    }

    #[test]
    fn the_fields_of_a_workload_are_those_that_histories_are_written_in() {
        let load = LoadSettings {
            http: HttpVersion::Two { streams: NonZeroUsize::new(8).unwrap() },
            ..LoadSettings::closed(4, LoadAmount::For(Duration::from_millis(1_500)))
        };
        let network = NetworkConditions::parse("latency=20ms,resets=0.1%").unwrap();
        let workload = Workload {
            load: LoadRecord::Settings(load),
            network: Some(network),
            ..crate::fixtures::workload()
        };
        insta::assert_snapshot!(canonical::json(&workload), @r#"{"kind":"xml-compare-batch","load":{"settings":{"connections":4,"http":{"2":{"streams":8}},"model":{"closed":{"amount":{"for_ns":1500000000},"think_ns":0}},"reuse":"slice","timeouts":{"connect_ns":10000000000,"first_byte_ns":600000000000,"total_ns":600000000000}}},"network":{"jitter_ns":0,"latency_ns":20000000,"resets":0.001},"path":"/compare","payload":"d1ge57"}"#);
    }

    proptest! {
        #[test]
        fn what_is_written_of_a_workload_is_read_back(workload in workload()) {
            let text = serde_json::to_string(&workload).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Workload>(&text).unwrap(), &workload);
            prop_assert!(workload.measures_as(&workload));
        }

        #[test]
        fn two_workloads_have_one_canonical_text_only_if_they_are_equal(
            a in workload(),
            b in workload(),
        ) {
            prop_assert_eq!(canonical::json(&a) == canonical::json(&b), a == b);
        }
    }
}
