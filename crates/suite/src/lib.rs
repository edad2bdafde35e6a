//! The validated suite: what is started, what is sent to it, and what decides, with every default filled in.
//!
//! Nothing in here can be wrong any more; what a person wrote is checked in `config`.

pub mod config;
mod identity;
pub mod project;
mod shard;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use load::{CookiePolicy, RequestMethod, TlsIdentity, TlsTrust};
use payload::LentValues;
use record::OperationName;
use record::canonical;
use record::cost::CostRates;
use record::metric::gate::GateRules;
use record::metric::limit::Limit;
use record::shard::ShardRecord;
use record::work_unit::WorkUnit;
use record::workload::{LoadRecord, OperationPlan, OperationRecord, Workload};
use serde::Serialize;
use sut::network::NetworkConditions;
use sut::{
    ContainerSpec, DependencySpec, LaunchHooks, ReadyCondition, ResourceLimits, ServiceSpec,
};
use units::environment::{EnvValue, VariablePattern};

pub use crate::shard::ShardError;
pub use record::workload::{
    ArrivalShape, LoadAmount, LoadSettings, OperationOrder, ReusePolicy, WorkloadModel,
};

/// Everything one invocation does.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What is measured.
    pub target: TargetSpec,
    /// What is done to it, in order.
    pub scenarios: Vec<Scenario>,
    /// What decides.
    pub gate: GateRules,
    /// How much is measured.
    pub sampling: SamplingPlan,
    /// Which evidence is gathered.
    pub lanes: EvidenceLanes,
    /// How instructions are counted.
    pub counting: CountSettings,
    /// Digest of everything that shapes the numbers.
    pub digest: String,
    /// Which part of the configured scenarios these are, where other machines measure the rest.
    pub shard: Option<ShardRecord>,
    /// What requests and processors cost, if that is configured.
    pub cost: Option<CostRates>,
}

/// Which evidence is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceLanes {
    /// Instructions and allocations per XML pair, counted under callgrind.
    pub work: LaneMode,
    /// Launches that are timed.
    pub time: LaneMode,
}

/// Whether a lane is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneMode {
    /// It is left out.
    Off,
    /// It is run where the machine and the target allow it.
    IfPossible,
    /// It is run, and a run without it is not whole.
    On,
}

/// How instructions are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountSettings {
    /// Variables added to the target's environment, such as one that makes it use one worker: in
    /// which order several share the work is chance.
    pub env: Vec<(String, String)>,
    /// Launches of each side at most, each of which gives one value.
    pub launches: usize,
    /// XML pairs in a launch, about.
    pub pairs: u64,
    /// Whether hunks that are ranked first are reverted where the work grew, to count again.
    pub proof: HunkProofMode,
}

/// Whether hunks are reverted and counted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HunkProofMode {
    /// They are ranked only.
    Off,
    /// They are, where more work is red or suspected.
    On,
}

impl Default for EvidenceLanes {
    fn default() -> Self {
        Self { work: LaneMode::IfPossible, time: LaneMode::On }
    }
}

impl Default for CountSettings {
    fn default() -> Self {
        Self { env: Vec::new(), launches: 5, pairs: 2_000, proof: HunkProofMode::On }
    }
}

/// Whether base and head are built at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildOrder {
    /// Base takes over what was compiled for head, and no build sees what the other one writes meanwhile.
    HeadFirst,
    /// At the same time.
    Parallel,
}

/// How the API is built, started and recognised as ready.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// The folder that commands run in: that of the configuration.
    pub dir: PathBuf,
    /// Command that builds it, in a shell; needed to build a base from a git ref.
    pub build: Option<String>,
    /// Whether base and head are built at the same time.
    pub build_order: BuildOrder,
    /// How base is built and started, where that differs.
    pub base: Option<BaseCommands>,
    /// How it is reached.
    pub origin: TargetSource,
    /// Whether what is started speaks TLS; what is attached to says so by its URL.
    pub scheme: UrlScheme,
    /// Whom to believe to be the target, over TLS.
    pub trust: TlsTrust,
    /// What shows the target who connects, over TLS.
    pub identity: Option<TlsIdentity>,
    /// What shows that it is ready.
    pub ready: ReadyCondition,
    /// How long it may take until then.
    pub ready_timeout: Duration,
    /// How long it may take to end by itself.
    pub stop_timeout: Duration,
    /// Variables added to its environment.
    pub env: Vec<(String, EnvValue)>,
    /// What it needs beside it, in the order of the starts.
    pub services: Vec<ServiceSpec>,
    /// What it calls and what runs already.
    pub dependencies: Vec<DependencySpec>,
    /// What is run around each launch.
    pub hooks: LaunchHooks,
    /// Variables of xmlperf's own environment that builds and targets get besides those which
    /// toolchains need.
    pub pass_env: Vec<VariablePattern>,
    /// Patterns of files that it reads beside its program, from its folder, as git's `:(glob)` has them: a
    /// change of one is a change of the program.
    pub inputs: Vec<String>,
    /// The variable that tells it its port.
    pub port_env: Option<String>,
    /// Where it and the load may run.
    pub cpus: CpuSelection,
    /// Where the functions of both builds lie, in a comparison.
    pub layout: LayoutMode,
    /// What it may take.
    pub limits: ResourceLimits,
    /// Makes the start command an image and its arguments.
    pub container: Option<ContainerSpec>,
    /// What it means by "equal".
    pub semantics: payload::Semantics,
}

/// How a base is built and started; what is none is as for head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseCommands {
    /// Command that builds it, in a shell.
    pub build: Option<String>,
    /// Command that starts it.
    pub start: Option<String>,
}

impl TargetSpec {
    /// Returns the variables of xmlperf's own whose values the target or a service gets under another name.
    pub fn inherited_variables(&self) -> impl Iterator<Item = &str> {
        let services = self.services.iter().flat_map(|service| &service.env);
        self.env.iter().chain(services).filter_map(|(_, value)| value.variable())
    }
}

/// Where the functions of both builds lie, in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutMode {
    /// Drawn for each launch pair where both sides can be linked again in a moment, else where each build
    /// has them.
    Auto,
    /// Where each build has them.
    AsBuilt,
    /// At the same addresses, in the order of base.
    Matched,
    /// At the same addresses, in an order that is drawn for each launch pair; where a linker takes no order but
    /// draws one, in one of each side's own.
    Drawn,
}

/// What is spoken below HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlScheme {
    /// Nothing.
    Http,
    /// TLS, with a certificate for `localhost`.
    Https,
}

/// Where the API comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetSource {
    /// The reference API inside this program.
    Embedded(ReferenceChoice),
    /// A command to start; `{port}` in it stands for a free port.
    Start(String),
    /// Something that runs already.
    Attach(String),
}

/// Why the reference API inside this program is the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceChoice {
    /// The configuration, or the command line, names it.
    Named,
    /// Nothing names a target.
    Default,
}

/// Which processors the target and the load may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuSelection {
    /// Different ones, where there are two.
    Auto,
    /// Wherever the system puts them.
    Shared,
}

/// One kind of work, and the promises about it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What is sent, at least one operation.
    pub operations: Vec<Operation>,
    /// How several operations follow each other; none where there is one.
    pub order: Option<OperationOrder>,
    /// Operations by their number, which each virtual user sends once in a launch, before all load.
    pub setup: Vec<usize>,
    /// Whether virtual users keep cookies.
    pub cookies: CookiePolicy,
    /// How it is sent.
    pub load: LoadSettings,
    /// What is between load and target, if not nothing.
    pub network: Option<NetworkConditions>,
    /// What must hold.
    pub limits: Vec<Limit>,
    /// What rates and costs are counted in.
    pub unit: WorkUnit,
}

/// One kind of request, and the promises about it.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its name; none of the only one of a scenario that does not put several in order.
    pub name: Option<OperationName>,
    /// What a request does.
    pub method: RequestMethod,
    /// Where it is sent.
    pub path: String,
    /// What is in it, and what must come back.
    pub payload: payload::PayloadSpec,
    /// How that is wrapped.
    pub kind: payload::PayloadKind,
    /// The templates of path, headers, body and expected answer; none of an operation without a name
    /// whose requests are the same each time.
    pub renderer: Option<Arc<payload::RequestRenderer>>,
    /// Whether requests are rendered each time they are sent.
    pub is_live: bool,
    /// What is taken from its answers.
    pub captures: Vec<payload::Capture>,
    /// What knows the right answers.
    pub truth: AnswerTruth,
    /// What must hold of these requests alone.
    pub limits: Vec<Limit>,
}

/// How long a launch is warmed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarmUpPlan {
    /// So long.
    For(Duration),
    /// In launch pairs of a program that does not compile as it runs as long as the target needs, at most the
    /// usual time; else that.
    Fitted {
        /// The usual time.
        usual: Duration,
    },
    /// Until the cost of a request is flat on both sides, within bounds of time and requests.
    Steady,
}

impl WarmUpPlan {
    /// Returns how long it takes at least.
    pub fn least(self) -> Duration {
        match self {
            Self::For(lasts) | Self::Fitted { usual: lasts } => lasts,
            Self::Steady => STEADY_LEAST,
        }
    }
}

/// Shortest warm-up until a target is steady: twenty slices of 100 ms.
const STEADY_LEAST: Duration = Duration::from_secs(2);

/// What knows the right answers to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerTruth {
    /// What is written of them, or what the kind of request promises.
    Written,
    /// Base, beside what the kind promises: of a comparison side by side.
    Base,
}

/// How long each side of a launch is driven, where a scenario takes the time of the sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadTime {
    /// As long as the configuration says.
    Given(Duration),
    /// In launch pairs as long as the target needs, within bounds around the usual time; else that.
    Fitted {
        /// The time of a fast target.
        least: Duration,
        /// The usual time, of which a slow target gets five times as much at most.
        usual: Duration,
    },
}

impl LoadTime {
    /// Where nothing is said of the load. A level is known as well from a fifth of a second as from all of it, as more
    /// of a launch says less than another launch; with a tenth it takes twice as many of them.
    const USUAL: Self =
        Self::Fitted { least: Duration::from_millis(200), usual: Duration::from_secs(1) };

    /// Of scenarios that share a launch: what a launch pair takes beside the load of one of them is then the load of
    /// the others.
    const SHARED: Self =
        Self::Fitted { least: Duration::from_millis(100), usual: Duration::from_millis(150) };

    /// Returns the time, before it is fitted to a target. It stands for the load wherever loads are held
    /// against each other: what is fitted differs from machine to machine.
    pub fn usual(self) -> Duration {
        match self {
            Self::Given(time) | Self::Fitted { usual: time, .. } => time,
        }
    }
}

/// How much is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingPlan {
    /// Launches of a scenario without a base.
    pub launches: usize,
    /// Launch pairs after which a comparison ends, decided or not.
    pub launch_pairs_max: usize,
    /// Time from the first count or launch after which a comparison ends as soon as it has the launch pairs
    /// that a verdict needs.
    pub soft_budget: Option<Duration>,
    /// Whether that is the last of the looks that configurations of old named.
    pub has_looks: bool,
    /// Load on each side of a launch before anything is measured.
    pub warm_up: WarmUpPlan,
    /// Measured load on each side of a launch.
    pub load: LoadTime,
    /// Shortest stretch in which one side is driven.
    pub slice: Duration,
    /// Fewest requests in such a stretch.
    pub slice_requests: u64,
    /// How late an open load may hand out requests by its own fault: if one in a hundred is later,
    /// the trial is invalid.
    pub lag_max: Duration,
    /// Different requests that are prepared and sent in turn.
    pub bodies: u64,
}

impl SamplingPlan {
    /// Returns the plan of the scenarios that are measured by default: less of each, as all of them are in
    /// every launch and are to be decided in a minute and a half.
    pub fn of_defaults() -> Self {
        Self {
            warm_up: WarmUpPlan::Fitted { usual: Duration::from_millis(100) },
            load: LoadTime::SHARED,
            soft_budget: Some(Duration::from_secs(75)),
            slice_requests: 8,
            // As many as are in the shortest slice: all of them are then sent equally often.
            bodies: 8,
            ..Self::default()
        }
    }

    /// Drives a scenario that is measured alone for as long as if it had been chosen so: of several that share a
    /// launch, each gets less.
    pub fn measure_one(&mut self) {
        if self.load == LoadTime::SHARED {
            self.load = LoadTime::USUAL;
        }
    }
}

impl Default for SamplingPlan {
    fn default() -> Self {
        Self {
            launches: 5,
            launch_pairs_max: 50,
            soft_budget: None,
            has_looks: false,
            warm_up: WarmUpPlan::Fitted { usual: Duration::from_millis(500) },
            load: LoadTime::USUAL,
            slice: Duration::from_millis(10),
            slice_requests: 10,
            lag_max: Duration::from_millis(1),
            bodies: 16,
        }
    }
}

impl Suite {
    /// Returns the variables of the environment that requests name, each once.
    pub fn request_variables(&self) -> BTreeSet<String> {
        let operations = self.scenarios.iter().flat_map(|scenario| &scenario.operations);
        let renderers = operations.filter_map(|operation| operation.renderer.as_ref());
        renderers.flat_map(|renderer| renderer.variables().map(str::to_owned)).collect()
    }

    /// Has requests use these values of the environment.
    pub fn lend(&mut self, lent: &LentValues) {
        let scenarios = self.scenarios.iter_mut();
        for operation in scenarios.flat_map(|scenario| &mut scenario.operations) {
            operation.payload.lend(lent.clone());
        }
    }
}

impl Scenario {
    /// Returns the name as that of a folder, whatever is in it.
    pub fn folder(&self) -> String {
        let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
        self.name.chars().map(plain).collect()
    }

    /// Returns what it sends, as a record has it.
    pub fn workload(&self, sampling: &SamplingPlan) -> Workload {
        let first = self.first();
        let operations = self.plan();
        let (path, payload) = match &operations {
            None => (Some(first.path.clone()), first.payload.digest()),
            Some(plan) => (None, canonical::digest(plan)),
        };
        Workload {
            kind: first.kind,
            path,
            payload,
            load: LoadRecord::Settings(self.load.clone().sampled(sampling.load.usual())),
            network: self.network,
            operations,
        }
    }

    /// Returns the first operation, which is the only one of most scenarios.
    pub fn first(&self) -> &Operation {
        self.operations.first().expect("a scenario has an operation")
    }

    /// Returns the units of work in one request. Requests of several operations are one each.
    pub fn pairs_held(&self) -> u64 {
        match self.order {
            None => self.first().payload.pairs_held(self.first().kind),
            Some(_) => 1,
        }
    }

    /// Returns the requests in one unit of work: those of a flow, if a unit is written for it.
    pub fn requests_per_unit(&self) -> u64 {
        match &self.order {
            Some(OperationOrder::Flow(flow)) if self.unit != WorkUnit::request() => {
                u64::try_from(flow.len()).unwrap_or(u64::MAX).max(1)
            }
            Some(OperationOrder::Flow(_) | OperationOrder::Mix(_)) | None => 1,
        }
    }

    /// Returns the scenario with at most so many XML pairs in a request.
    #[must_use]
    pub fn with_pairs_max(mut self, pairs_max: u64) -> Self {
        for operation in &mut self.operations {
            operation.payload.pairs = operation.payload.pairs.min(pairs_max);
        }
        self
    }

    /// Returns several operations as a record has them.
    fn plan(&self) -> Option<OperationPlan> {
        let order = self.order.clone()?;
        let record = |operation: &Operation| {
            Some(OperationRecord {
                name: operation.name.clone()?,
                method: operation.method,
                path: operation.path.clone(),
                kind: operation.kind,
                payload: operation.payload.digest(),
                captures: operation.captures.iter().map(|capture| capture.name.clone()).collect(),
            })
        };
        let operations = self.operations.iter().map(record).collect::<Option<_>>()?;
        let cookies = self.cookies == CookiePolicy::Kept;
        Some(OperationPlan { operations, order, setup: self.setup.clone(), cookies })
    }

    /// Returns how long it is driven before anything is measured. A scenario of a given number of
    /// requests promises something about its first one too, so it has no warm-up.
    pub fn warm_up(&self, sampling: &SamplingPlan) -> WarmUpPlan {
        match self.load.model {
            WorkloadModel::Closed { amount: LoadAmount::Requests(_), .. }
            | WorkloadModel::Steps { .. } => WarmUpPlan::For(Duration::ZERO),
            WorkloadModel::Closed { amount: LoadAmount::Time | LoadAmount::For(_), .. }
            | WorkloadModel::Open { .. }
            | WorkloadModel::Capacity { .. } => sampling.warm_up,
        }
    }

    /// Returns how many different requests are prepared: no more than are sent.
    pub fn bodies(&self, sampling: &SamplingPlan) -> u64 {
        match self.load.model {
            WorkloadModel::Closed { amount: LoadAmount::Requests(requests), .. }
            | WorkloadModel::Steps { requests, .. } => sampling.bodies.min(requests),
            WorkloadModel::Closed { amount: LoadAmount::Time | LoadAmount::For(_), .. }
            | WorkloadModel::Open { .. }
            | WorkloadModel::Capacity { .. } => sampling.bodies,
        }
    }
}
