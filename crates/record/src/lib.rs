//! The durable form of a run: everything that a verdict is drawn from, and nothing that was concluded.
//!
//! A record is judged anew whenever it is read, so a better rule, or a reader who distrusts the one
//! who wrote it, needs only the numbers. Times are nanoseconds, sizes bytes.

pub mod bounds;
pub mod calls;
pub mod canonical;
pub mod causes;
pub mod cost;
pub mod evidence;
pub mod evidence_file;
pub mod evidence_lines;
mod failure_report;
pub mod file;
mod fitted_load;
pub mod histogram;
pub mod history;
pub mod instruction_counts;
mod launch_load;
pub mod merge;
pub mod metric;
mod migration;
mod operation;
mod operation_name;
pub mod placement;
mod record_error;
mod resource_probes;
mod run_file;
pub mod schema;
pub mod shard;
pub mod stage;
pub mod work_unit;
pub mod workload;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::calls::{DependencyRecord, LaunchCalls};
use crate::cost::CostRates;
use crate::evidence::EvidenceState;
pub use crate::failure_report::FailureReport;
pub use crate::file::write_atomically;
pub use crate::fitted_load::{FittedLoad, ProbedPace, REQUESTS_WANTED};
use crate::histogram::HistogramError;
use crate::history::{RunHistory, Yardstick};
use crate::instruction_counts::CountOutcome;
use crate::metric::Metric;
use crate::metric::gate::{GateError, GateRules};
use crate::metric::limit::Limit;
use crate::shard::{ShardRecord, ShardSource};
use crate::stage::StageTimes;
use crate::work_unit::WorkUnit;
use crate::workload::Workload;

pub use crate::launch_load::{
    Capacity, GeneratorQuality, LatencyBasis, LoadLevel, LoadStep, NetworkUse, SliceTotals,
    WarmUpRecord,
};
pub use crate::migration::SentenceError;
pub use crate::record_error::RecordError;
pub use crate::resource_probes::{ResourcePoint, ResourceProbes};
pub use crate::run_file::digest;
pub use ::calls::{CallObstacle, CallProtocol, StatementCount};
pub use load::FailureKind;
pub use sut::{CgroupVersion, LimitBackend, ProcessCounters};

pub use operation::OperationResult;
pub use operation_name::{OperationName, OperationNameError};
pub use placement::{
    FunctionsInPlace, LayoutObstacle, LayoutState, MappingState, PlacementMethod, PlacementRecord,
};

/// The format that this version writes. Raised, with a step in `migration`, whenever a field is required
/// that older records lack, or means something else than it did.
pub const SCHEMA: u32 = 3;

/// What a record calls the reference API inside this program.
const REFERENCE_LABEL: &str = "reference API";

/// One invocation: what was measured, of what, on which machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The format, [`SCHEMA`] when written.
    pub schema: u32,
    /// Version of the program that wrote it.
    pub tool: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// How long it took.
    pub wall_ns: u64,
    /// How much of that went into counting, before the first launch.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counting_ns: u64,
    /// Where the time went, builds and trial requests included; empty in records of old.
    #[serde(default, skip_serializing_if = "StageTimes::is_empty")]
    pub stages: StageTimes,
    /// Seed of the coins and of the payloads' order.
    pub seed: u64,
    /// Version of the payload generator.
    pub generator: u32,
    /// Digest of the configuration that shapes the numbers; equal digests are comparable.
    pub config: String,
    /// The options of the command line that shaped the run, a word each, without the base's name. None in records of
    /// old, and where there was no command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<Vec<String>>,
    /// Where it ran.
    pub machine: Machine,
    /// What tells that machine from another one of its kind, a digest. None in records of old, and where
    /// the system does not say.
    #[serde(rename = "boot", default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// The build that was compared against, if two were measured side by side.
    pub base: Option<Revision>,
    /// The build that was measured.
    pub head: Revision,
    /// What decides.
    pub gate: GateRules,
    /// How many launches, or launch pairs, were requested at most.
    pub launches_planned: usize,
    /// Time from the first count or launch to the end, if it was limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_ns: Option<u64>,
    /// Time from the first count or launch after which a comparison ends as soon as it has the launch pairs
    /// that a verdict needs, if there is such a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_budget_ns: Option<u64>,
    /// What the network between load and target cost by itself, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_cost: Option<NetworkCost>,
    /// What the target may take, and who keeps it to that; none for a target without limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<LimitsRecord>,
    /// Where the code of both sides lay; none without a base, and in records of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<PlacementRecord>,
    /// What base and head both are, if they are one program, so that nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identical: Option<IdenticalProgram>,
    /// Why it ended before a verdict or the last launch, if it did.
    pub ended: Option<EarlyEnd>,
    /// What was done, and what it yielded.
    pub scenarios: Vec<ScenarioRun>,
    /// How fast the machine was, if only one build was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<Yardstick>,
    /// The kept runs that it is set against, if only one build was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<RunHistory>,
    /// What the attempts before showed, if a record of them is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceState>,
    /// What comparisons of a build with itself showed of this machine before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offsets: Vec<MachineOffset>,
    /// The run of another machine that this one confirms, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirms: Option<ConfirmedRun>,
    /// What base and head yielded side by side, of whatever the history made suspicious.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirming: Option<Box<Run>>,
    /// The part of a suite that was measured, where other machines measured the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardRecord>,
    /// The runs that it was joined from, in order, if it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardSource>,
    /// What requests and processors cost, if that was configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostRates>,
}

/// The offset that a machine gives to one of two equal builds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineOffset {
    /// Name of the scenario.
    pub scenario: String,
    /// The metric.
    pub metric: Metric,
    /// Its standard deviation, of ln(head / base).
    pub deviation_ln: f64,
    /// How many comparisons of a build with itself tell it.
    pub comparisons: usize,
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(value: &u64) -> bool {
    *value == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A program that base and head both are, byte for byte, and of which nothing that it may read has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdenticalProgram {
    /// SHA-256 in hexadecimal digits: of the executable, else of the list of all files of the tree.
    pub sha256: String,
    /// The executable's path from the root of the checkout; none where the tree is the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
}

/// What tells a run from all others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmedRun {
    /// When it began.
    pub started: String,
    /// The seed of its coins, which is drawn for each run.
    pub seed: u64,
    /// Digest of its configuration.
    pub config: String,
}

impl ConfirmedRun {
    /// Returns what tells `run` from all others.
    pub fn of(run: &Run) -> Self {
        Self { started: run.started.clone(), seed: run.seed, config: run.config.clone() }
    }
}

/// Why a run ended early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum EarlyEnd {
    /// It was interrupted.
    Interrupted,
    /// The target could not be measured.
    Failed {
        /// Which build failed: `base` or `head`.
        side: Side,
        /// During which scenario, if one had begun.
        scenario: Option<String>,
        /// What went wrong.
        reason: FailureReport,
    },
    /// Head failed requests that base answered rightly.
    HeadFailed(Box<FailureContrast>),
}

/// Requests that head failed and base did not, in one launch pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureContrast {
    /// The scenario.
    pub scenario: String,
    /// The kind of the first failure.
    pub kind: FailureKind,
    /// How many requests of head failed.
    pub failed: u64,
    /// Of how many.
    pub requests: u64,
    /// How many base answered, all of them rightly.
    pub base_requests: u64,
    /// The first failure.
    pub head: FailureExample,
    /// What went wrong in full, with the end of head's log.
    pub reason: FailureReport,
    /// What base answered to the same request, if it was sent once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<FailureExample>,
}

/// What the target may take, and what keeps it to that.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsRecord {
    /// The limit on memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryLimit>,
    /// The limit on processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuLimit>,
    /// Why there is no better backend: what the system said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How much memory the target may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryLimit {
    /// At most so much.
    pub bytes_max: u64,
    /// What keeps it to that.
    pub backend: LimitBackend,
}

/// How much of the processors the target may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CpuLimit {
    /// At most so many processors' worth of time.
    pub cpus_max: f64,
    /// What keeps it to that.
    pub backend: LimitBackend,
}

/// What a network between load and target costs that shapes nothing, measured before the first
/// launch. Both sides pay it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkCost {
    /// What it adds to an exchange of 1 KiB.
    pub added_ns: f64,
    /// The time of such an exchange over a direct connection.
    pub direct_ns: f64,
    /// CPU time for such an exchange, on the load's processors.
    pub cpu_per_exchange_ns: f64,
    /// CPU time for each MiB that passes.
    pub cpu_per_mib_ns: f64,
}

/// One of the two builds of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What is compared against.
    Base,
    /// What is judged.
    Head,
}

impl Side {
    /// Returns the word used in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Head => "head",
        }
    }
}

/// What was built and started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// What a person called it: a branch, a tag, a file, an address.
    pub label: String,
    /// The commit, if it is known.
    pub commit: Option<String>,
    /// Whether the tree had changes that no commit holds.
    pub dirty: bool,
    /// The command that started it, or the address of what ran already.
    pub start: String,
    /// Whether it is the reference API inside this program, and no code of the repository.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_reference: bool,
}

impl Revision {
    /// Returns the reference API inside this program, started by a command.
    pub fn reference(start: String) -> Self {
        let label = REFERENCE_LABEL.to_owned();
        Self { label, commit: None, dirty: false, start, is_reference: true }
    }
}

/// The machine, as far as it decides whether two runs can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Processor architecture, as Rust names it.
    pub arch: String,
    /// Model name of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Installed memory.
    pub memory_bytes: u64,
    /// Kernel name and release.
    pub kernel: String,
    /// Name of the operating system or runner image.
    pub image: String,
}

/// One scenario of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioRun {
    /// Its name.
    pub name: String,
    /// What was sent.
    pub workload: Workload,
    /// Units of work in one request.
    pub pairs_per_request: u64,
    /// Requests in one unit of work, where a whole flow is one; else 1, as in records of old.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub requests_per_unit: u64,
    /// What rates and costs are counted in; none in records of old, of which the workload tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<WorkUnit>,
    /// What must hold.
    pub limits: Vec<Limit>,
    /// What must hold of operations, by their name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operation_limits: BTreeMap<OperationName, Vec<Limit>>,
    /// Which time of a request is shown and judged.
    pub times: LatencyBasis,
    /// What the launches yielded.
    pub trials: LaunchResults,
    /// What was counted under callgrind, if that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<CountOutcome>,
    /// The status by which base said that it has no such operation, in a run with a base: the scenario
    /// is new, and head was measured alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_in_base: Option<u16>,
    /// What was learnt of base's answers, where these are the right ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oracle: Vec<OracleRecord>,
    /// What was called of each service whose calls are counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<DependencyRecord>,
    /// How long each side of a launch pair is driven, where that was fitted to the target instead of being
    /// the time of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted_load: Option<FittedLoad>,
    /// Whether later launch pairs did without it, as everything that decides about it was *unchanged*.
    #[serde(rename = "settled", default, skip_serializing_if = "is_false")]
    pub is_settled: bool,
}

/// What was learnt of base's answers to one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OracleRecord {
    /// Which operation; none of the only one of a scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationName>,
    /// Different requests whose answers are known.
    pub requests: usize,
    /// Answers that it was learnt from.
    pub answers: usize,
    /// Places at which base answered differently from time to time, rising. They are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// The launches of a scenario, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LaunchResults {
    /// Base and head side by side.
    Paired(Vec<LaunchPair>),
    /// One build alone.
    Single(Vec<LaunchResult>),
}

impl LaunchResults {
    /// Adds a launch pair, in a run with a base.
    pub fn push_pair(&mut self, pair: LaunchPair) {
        match self {
            Self::Paired(pairs) => pairs.push(pair),
            Self::Single(_) => {
                unreachable!("what was measured alone is not measured in launch pairs")
            }
        }
    }

    /// Adds a launch of one build alone.
    pub fn push_single(&mut self, launch: LaunchResult) {
        match self {
            Self::Single(launches) => launches.push(launch),
            Self::Paired(_) => {
                unreachable!("what is measured in launch pairs has no single launches")
            }
        }
    }
}

impl ScenarioRun {
    /// Returns what rates and costs are counted in.
    pub fn unit(&self) -> WorkUnit {
        let of_kind = || WorkUnit::of(self.workload.kind, self.pairs_per_request);
        self.unit.clone().unwrap_or_else(of_kind)
    }

    /// Notes that base answers by `status` that it has no such operation: before its first launch ends,
    /// the scenario becomes one of head alone.
    pub fn set_absent_in_base(&mut self, status: u16) {
        self.absent_in_base = Some(status);
        self.trials = LaunchResults::Single(Vec::new());
    }
}

/// A launch of base and a launch of head, alive together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchPair {
    /// Which side the coin put first: launched first, on the lower port.
    pub first: Side,
    /// What base yielded.
    pub base: LaunchResult,
    /// What head yielded.
    pub head: LaunchResult,
}

/// What one launch yielded in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchResult {
    /// From the start of the process to its first good answer.
    pub ready_ns: u64,
    /// Time under load, without warm-up.
    pub wall_ns: u64,
    /// Requests answered, rightly or not.
    pub requests: u64,
    /// Units of work in the requests that were answered rightly.
    pub pairs: u64,
    /// CPU time of all threads during the load; none where the process is not ours.
    pub cpu_ns: Option<u64>,
    /// Largest resident memory during the load; none where the process is not ours.
    pub rss_bytes_max: Option<u64>,
    /// Largest resident memory during the load without pages of files; none where the process is not
    /// ours, and in records of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes_max: Option<u64>,
    /// Memory at the end without pages of files, shared pages counted once; only of several processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes_proportional: Option<u64>,
    /// 25th percentile of the response time of each request body, null of one that was not answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body_levels_ns: Vec<Option<u64>>,
    /// 25th percentile of the time of a flow: the response times of its requests together. None without
    /// flows of several requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_level_ns: Option<u64>,
    /// Mean response time of the first request of each connection, before the warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_answer_ns: Option<u64>,
    /// Bytes of the requests.
    pub bytes_sent: u64,
    /// Bytes of the answers.
    pub bytes_received: u64,
    /// Requests and summed service time of every slice, in order.
    pub slices: Vec<SliceTotals>,
    /// CPU time of the target in every slice, and since the slice before: what it does when it is not driven
    /// is its cost as well. Nothing where its process is not ours, and in records of old.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slice_cpu_ns: Vec<u64>,
    /// What was sent before anything was measured; none without a warm-up, and in records of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUpRecord>,
    /// Service times, as HdrHistogram V2 with deflate, in base64.
    pub histogram: String,
    /// Failed requests by kind, each kind once, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureRecord>,
    /// Response times, in the form of the service times; none in records of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// How well the load was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<GeneratorQuality>,
    /// What was seen of the target and of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<ResourceProbes>,
    /// What came of each level of a load that has several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<LoadStep>,
    /// The highest rate that was held, where it was searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// What passed through the network between load and target, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkUse>,
    /// What was called of services, if calls are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<LaunchCalls>,
    /// What each operation yielded, in the order of the workload; empty where there is one only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationResult>,
}

/// The failed requests of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureRecord {
    /// The kind.
    pub kind: FailureKind,
    /// How many.
    pub count: u64,
    /// The first of them; none in early records of schema 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<FailureExample>,
}

/// A failure that stands for all of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureExample {
    /// What happened.
    pub detail: String,
    /// The beginning of what was answered; what is no text in it is replaced.
    pub answer: String,
}

impl LaunchResult {
    /// Returns how many requests failed.
    pub fn failed(&self) -> u64 {
        units::total(self.failures.iter().map(|failures| failures.count))
    }
}

/// Returns how many launches, or launch pairs, were driven through all of some scenarios but those that were settled
/// before.
pub fn whole_launches<'a>(scenarios: impl IntoIterator<Item = &'a ScenarioRun>) -> usize {
    let (settled, open): (Vec<_>, Vec<_>) = scenarios.into_iter().partition(|it| it.is_settled);
    let most = || settled.iter().map(|it| it.launches()).max();
    open.iter().map(|it| it.launches()).min().or_else(most).unwrap_or(0)
}

impl ScenarioRun {
    /// Returns the trials of the judged build.
    pub fn head(&self) -> Vec<&LaunchResult> {
        match &self.trials {
            LaunchResults::Paired(pairs) => pairs.iter().map(|pair| &pair.head).collect(),
            LaunchResults::Single(trials) => trials.iter().collect(),
        }
    }

    /// Returns whether both send the same requests, whatever the load.
    pub fn sends_same(&self, other: &Self) -> bool {
        let requests = |it: &Self| {
            let Workload { kind, path, payload, operations, .. } = &it.workload;
            (*kind, path.clone(), payload.clone(), operations.clone())
        };
        requests(self) == requests(other)
    }

    /// Returns how many launches, or launch pairs, there are.
    pub fn launches(&self) -> usize {
        match &self.trials {
            LaunchResults::Paired(pairs) => pairs.len(),
            LaunchResults::Single(trials) => trials.len(),
        }
    }
}

/// What makes no sense in a record that could be read.
#[derive(Debug, Error)]
pub enum ContentError {
    /// The rules are none.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A histogram is none.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
    /// Two histograms of a scenario have nothing in common.
    #[error("a histogram does not fit")]
    HistogramMismatch,
    /// Response times are to be judged, and there are none.
    #[error("a launch has no response times")]
    NoResponseTimes,
    /// The run is set against a history without runs.
    #[error("the history has no runs")]
    EmptyHistory,
    /// Counts of a metric are to be judged, and there are none.
    #[error("no launch counted `{metric}`")]
    NotCounted {
        /// The metric.
        metric: Metric,
    },
}

impl Run {
    /// Returns what tells the machines that it was measured on from others, as far as that is known.
    pub fn machine_ids(&self) -> impl Iterator<Item = &str> {
        let shards = self.shards.iter().filter_map(|shard| shard.machine_id.as_deref());
        self.machine_id.as_deref().into_iter().chain(shards)
    }

    /// Returns the name of the first scenario of the suite, whichever part of it was measured.
    pub fn first_scenario(&self) -> Option<&str> {
        match &self.shard {
            Some(shard) => shard.suite.first().map(String::as_str),
            None => self.scenarios.first().map(|it| it.name.as_str()),
        }
    }

    /// Returns the names of the scenarios that are left to other parts of the suite.
    pub fn scenarios_elsewhere(&self) -> impl Iterator<Item = &str> {
        let is_here = |name: &&str| self.scenarios.iter().any(|it| it.name == *name);
        let suite = self.shard.iter().flat_map(|shard| &shard.suite).map(String::as_str);
        suite.filter(move |name| !is_here(name))
    }

    /// Returns whether the work of a scenario was counted with that of another one: the same requests over
    /// other connections are the same instructions.
    pub fn is_counted_elsewhere(&self, scenario: &ScenarioRun) -> bool {
        let has_same = |other: &ScenarioRun| {
            other.name != scenario.name && other.work.is_some() && other.sends_same(scenario)
        };
        scenario.work.is_none() && self.scenarios.iter().any(has_same)
    }
}

#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
