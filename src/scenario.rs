//! The validated suite: what is started, what is sent to it, and what decides, with every default filled in.
//!
//! Nothing in here can be wrong any more; what a person wrote is checked in `config`.

use std::path::PathBuf;
use std::time::Duration;

use crate::metric::gate::Gate;
use crate::metric::limit::Limit;
use crate::payload;

/// Everything one invocation does.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What is measured.
    pub target: Target,
    /// What is done to it, in order.
    pub scenarios: Vec<Scenario>,
    /// What decides.
    pub gate: Gate,
    /// How much is measured.
    pub sampling: Sampling,
    /// Which evidence is gathered.
    pub lanes: Lanes,
    /// How instructions are counted.
    pub counting: Counting,
    /// Digest of everything that shapes the numbers.
    pub digest: String,
}

/// Which evidence is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lanes {
    /// Instructions and allocations per XML pair, counted under callgrind.
    pub work: Lane,
    /// Launches that are timed.
    pub time: Lane,
}

/// Whether a lane is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// It is left out.
    Off,
    /// It is run where the machine and the target allow it.
    IfPossible,
    /// It is run, and a run without it is not whole.
    Asked,
}

/// How instructions are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counting {
    /// Variables added to the target's environment, such as one that makes it use one worker: in
    /// which order several share the work is chance.
    pub env: Vec<(String, String)>,
    /// Launches of each side, each of which gives one value.
    pub launches: usize,
    /// XML pairs in a launch, about.
    pub pairs: u64,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { work: Lane::IfPossible, time: Lane::Asked }
    }
}

impl Default for Counting {
    fn default() -> Self {
        Self { env: Vec::new(), launches: 5, pairs: 2_000 }
    }
}

/// How the API is built, started and recognised as ready.
#[derive(Debug, Clone)]
pub struct Target {
    /// The folder that commands run in: the root of the checkout.
    pub dir: PathBuf,
    /// Command that builds it, in a shell; needed to build a base from a git ref.
    pub build: Option<String>,
    /// How it is reached.
    pub origin: Origin,
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
    pub cpus: Cpus,
    /// Largest memory it may take.
    pub memory_bytes_max: Option<u64>,
    /// What it means by "equal".
    pub semantics: payload::Semantics,
}

/// Where the API comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The reference API inside this program.
    Embedded,
    /// A command to start; `{port}` in it stands for a free port.
    Start(String),
    /// Something that runs already.
    Attach(String),
}

/// Which processors the target and the load may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cpus {
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
    pub payload: payload::Spec,
    /// How it is wrapped.
    pub kind: payload::Kind,
    /// Where it is sent.
    pub path: String,
    /// How it is sent.
    pub load: Load,
    /// What must hold.
    pub limits: Vec<Limit>,
}

/// How requests follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Connections that each send the next request when the last one is answered.
    pub connections: u32,
    /// How long a launch is driven.
    pub amount: Amount,
}

/// How much a launch is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// The time of [`Sampling::load`].
    Time,
    /// So many requests.
    Requests(u64),
}

/// How much is measured, and when it is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
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
    /// Different requests that are prepared and sent in turn.
    pub bodies: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            launches: 5,
            looks: vec![10, 14, 20, 28, 40],
            warm_up: Duration::from_millis(500),
            load: Duration::from_secs(1),
            slice: Duration::from_millis(10),
            slice_requests: 10,
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
}

impl Load {
    /// Returns the load in words, as reports and records show it.
    pub fn words(&self) -> String {
        let connections = match self.connections {
            1 => "1 connection".to_owned(),
            n => format!("{n} connections"),
        };
        match self.amount {
            Amount::Time => format!("closed, {connections}"),
            Amount::Requests(1) => format!("closed, {connections}, 1 request"),
            Amount::Requests(n) => format!("closed, {connections}, {n} requests"),
        }
    }
}
