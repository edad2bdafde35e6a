//! The validated suite: what is started, what is sent to it, and what decides, with every default filled in.
//!
//! Nothing in here can be wrong any more; what a person wrote is checked in `config`.

pub mod config;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use load::capacity;
use load::pacing::ArrivalSchedule;
use load::{HttpVersion, Timeouts, TlsTrust};
use record::metric::gate::GateRules;
use record::metric::limit::Limit;
use sut::network::NetworkConditions;
use sut::{ContainerSpec, ResourceLimits};

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
    Asked,
}

/// How instructions are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountSettings {
    /// Variables added to the target's environment, such as one that makes it use one worker: in
    /// which order several share the work is chance.
    pub env: Vec<(String, String)>,
    /// Launches of each side, each of which gives one value.
    pub launches: usize,
    /// XML pairs in a launch, about.
    pub pairs: u64,
}

impl Default for EvidenceLanes {
    fn default() -> Self {
        Self { work: LaneMode::IfPossible, time: LaneMode::Asked }
    }
}

impl Default for CountSettings {
    fn default() -> Self {
        Self { env: Vec::new(), launches: 5, pairs: 2_000 }
    }
}

/// How the API is built, started and recognised as ready.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// The folder that commands run in: that of the configuration.
    pub dir: PathBuf,
    /// Command that builds it, in a shell; needed to build a base from a git ref.
    pub build: Option<String>,
    /// How it is reached.
    pub origin: TargetSource,
    /// Whether what is started speaks TLS; what is attached to says so by its URL.
    pub scheme: UrlScheme,
    /// Whom to believe to be the target, over TLS.
    pub trust: TlsTrust,
    /// Path that answers 2xx once it is ready.
    pub ready: String,
    /// How long it may take until then.
    pub ready_timeout: Duration,
    /// How long it may take to end by itself.
    pub stop_timeout: Duration,
    /// Variables added to its environment.
    pub env: Vec<(String, String)>,
    /// The variable that tells it its port.
    pub port_env: Option<String>,
    /// Where it and the load may run.
    pub cpus: CpuSelection,
    /// What it may take.
    pub limits: ResourceLimits,
    /// Makes the start command an image and its arguments.
    pub container: Option<ContainerSpec>,
    /// What it means by "equal".
    pub semantics: payload::Semantics,
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
    Embedded,
    /// A command to start; `{port}` in it stands for a free port.
    Start(String),
    /// Something that runs already.
    Attach(String),
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
    /// What is in a request.
    pub payload: payload::PayloadSpec,
    /// How it is wrapped.
    pub kind: payload::PayloadKind,
    /// Where it is sent.
    pub path: String,
    /// How it is sent.
    pub load: LoadSettings,
    /// What is between load and target, if not nothing.
    pub network: Option<NetworkConditions>,
    /// What must hold.
    pub limits: Vec<Limit>,
}

/// How requests follow each other.
#[derive(Debug, Clone, PartialEq)]
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
}

/// When requests are sent.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkloadModel {
    /// By each connection, when its last one was answered.
    Closed {
        /// How long a launch is driven.
        amount: LoadAmount,
        /// Pause of a connection between an answer and its next request.
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
        /// What the schedule is called: `constant`, `poisson`, `ramp`, `stages`, `spikes`.
        name: &'static str,
        /// When requests are due.
        schedule: ArrivalSchedule,
        /// A request that could not be sent for so long is dropped, and the trial is invalid.
        late_max: Duration,
    },
    /// Open at ever other rates, to find the highest that keeps the limits.
    Capacity {
        /// Where and how it is searched for.
        search: capacity::CapacityPlan,
        /// How long each rate is tried.
        trial: Duration,
    },
}

/// How long a connection lives, as far as that is up to the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReusePolicy {
    /// For the whole launch.
    Kept,
    /// For a slice: the next one has new ones, made outside the measured time, so that none sticks to
    /// one worker of the target.
    Slice,
    /// For one request. Connecting counts into the response time, not into the service time.
    Request,
}

/// How much a launch is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadAmount {
    /// The time of [`SamplingPlan::load`].
    Time,
    /// So much time.
    For(Duration),
    /// So many requests.
    Requests(u64),
}

/// Which time of a request a report shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatencySetting {
    /// From when it was sent.
    Service,
    /// From when it was due.
    Response,
}

/// How much is measured, and when it is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingPlan {
    /// Launches of a scenario without a base.
    pub launches: usize,
    /// Numbers of launch pairs after which a verdict may be drawn, ascending.
    pub looks: Vec<usize>,
    /// Load on each side of a launch before anything is measured.
    pub warm_up: Duration,
    /// Measured load on each side of a launch.
    pub load: Duration,
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

impl Default for SamplingPlan {
    fn default() -> Self {
        Self {
            launches: 5,
            looks: vec![10, 14, 20, 28, 40],
            warm_up: Duration::from_millis(500),
            load: Duration::from_secs(1),
            slice: Duration::from_millis(10),
            slice_requests: 10,
            lag_max: Duration::from_millis(1),
            bodies: 16,
        }
    }
}

impl Scenario {
    /// Returns the name as that of a folder, whatever is in it.
    pub fn folder(&self) -> String {
        let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
        self.name.chars().map(plain).collect()
    }

    /// Returns how it is driven, in words, as reports and records show it.
    pub fn words(&self) -> String {
        let mut words = format!("{}, {}", self.kind.name(), self.load.words());
        if let Some(network) = &self.network {
            write!(words, ", over a network of {network}").expect("a string takes all");
        }
        words
    }
}

impl LoadSettings {
    /// Returns the closed load of so many connections, renewed for each slice.
    pub fn closed(connections: u32, amount: LoadAmount) -> Self {
        let model = WorkloadModel::Closed { amount, think: Duration::ZERO };
        let timeouts = Timeouts::default();
        Self { connections, http: HttpVersion::One, model, reuse: ReusePolicy::Slice, timeouts }
    }

    /// Returns which time reports show: under an open load what a user waits, else what the target
    /// takes.
    pub fn times(&self) -> LatencySetting {
        match self.model {
            WorkloadModel::Closed { .. } | WorkloadModel::Steps { .. } => LatencySetting::Service,
            WorkloadModel::Open { .. } | WorkloadModel::Capacity { .. } => LatencySetting::Response,
        }
    }

    /// Returns the load in words.
    pub fn words(&self) -> String {
        let connections = plural(u64::from(self.connections), "connection");
        let mut words = match &self.model {
            WorkloadModel::Closed { amount, think } => {
                let mut words = vec!["closed".to_owned(), connections];
                match amount {
                    LoadAmount::Time => {}
                    LoadAmount::For(time) => words.push(units::duration(*time)),
                    LoadAmount::Requests(n) => words.push(plural(*n, "request")),
                }
                if !think.is_zero() {
                    words.push(format!("thinking {}", units::duration(*think)));
                }
                words.join(", ")
            }
            WorkloadModel::Steps { connections, requests } => {
                let steps: Vec<_> = connections.iter().map(u32::to_string).collect();
                let requests = plural(*requests, "request");
                format!("closed, {} connections, {requests} each", steps.join(" → "))
            }
            WorkloadModel::Open { name, schedule, .. } => {
                let per_s = schedule.expected() / schedule.lasts().as_secs_f64();
                let lasts = units::duration(schedule.lasts());
                let rate = units::count(per_s);
                format!("open, {name}, {rate} requests/s over {lasts}, at most {connections}")
            }
            WorkloadModel::Capacity { search, trial } => format!(
                "open, capacity from {} to {} requests/s in steps of {}, at most {connections}",
                units::count(search.start_per_s),
                units::count(search.ceiling_per_s),
                units::duration(*trial),
            ),
        };
        if let HttpVersion::Two { streams } = self.http {
            let streams = u64::try_from(streams.get()).unwrap_or(u64::MAX);
            words = format!("{words}, HTTP/2 with {} each", plural(streams, "stream"));
        }
        match self.reuse {
            ReusePolicy::Slice => {}
            ReusePolicy::Kept => words += ", kept",
            ReusePolicy::Request => words += ", a connection for each request",
        }
        words
    }
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
