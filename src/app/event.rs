//! What a use case says while it works: values, which a reporter prints.
//!
//! An event has no words of its own, so that a terminal, a log and another program get the same
//! by one source, and so that printing can decide nothing.

use compare::MetricResult;
use record::work_unit::WorkUnit;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Serialize, Serializer};

use record::OperationName;
use record::causes::{HunkPlace, RevertCounts};
use record::history::HistoryNote;
use record::metric::Metric;
use record::{IdenticalProgram, Revision};
use runner::LiveMetrics;
use units::Ratio;

/// Receives what happens, in order.
pub trait EventSink {
    /// Takes one event.
    fn emit(&mut self, event: Event<'_>);

    /// Returns where a baseline store reports what takes a while: a store outlives the call that
    /// opens it, so it cannot borrow the sink.
    fn store_progress(&self) -> baseline::StorageProgress;
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// Something that a reader should know before the result is believed or waited for.
    Warning(WarningKind<'a>),
    /// Live numbers can be scraped.
    MetricsServed {
        /// Where the server listens.
        address: SocketAddr,
    },
    /// A version is written out, away from the checkout.
    CheckoutStarted {
        /// The name that was given.
        reference: &'a str,
        /// Its commit.
        commit: &'a str,
    },
    /// Another xmlperf builds the same version.
    BuildAwaited,
    /// An earlier run changed what the build of the base had made.
    BuildOutdated {
        /// The file.
        path: &'a Path,
    },
    /// A build has printed another line.
    BuildAdvanced {
        /// `head`, or `base` and its commit.
        build: &'a str,
        /// The latest line.
        line: &'a str,
    },
    /// Both builds are one program, so that nothing is measured.
    ProgramsIdentical {
        /// The program.
        program: &'a IdenticalProgram,
    },
    /// A baseline store does something that takes a while.
    StoreAdvanced {
        /// What it is.
        text: &'a str,
    },
    /// One step of a list of releases begins.
    StepStarted {
        /// The earlier release.
        base: &'a str,
        /// The later release.
        head: &'a str,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// The stored runs to compare with are chosen.
    HistoryChosen {
        /// Name of the history.
        name: &'a str,
        /// How many runs of it are used.
        runs: usize,
        /// When the newest of them began.
        newest_started: &'a str,
        /// What the newest of them measured.
        newest: &'a Revision,
    },
    /// What the comparison will be able to show is known.
    PowerEstimated {
        /// What a comparison in launch pairs will cost; none for one with stored runs.
        cost: Option<LaunchCost>,
        /// The changes that are detected with 80 % power.
        detectable: Vec<MetricChange>,
    },
    /// Measuring begins.
    MeasuringStarted {
        /// What is counted while it goes on.
        unit: LaunchUnit,
        /// The numbers of the run while it goes on.
        #[serde(skip)]
        live: &'a LiveMetrics,
    },
    /// The payloads of a scenario are generated.
    PayloadStarted {
        /// Name of the scenario.
        scenario: &'a str,
    },
    /// The instructions of a scenario are counted.
    CountingStarted {
        /// Name of the scenario.
        scenario: &'a str,
    },
    /// The cost of the emulated network is measured.
    NetworkStarted,
    /// A launch, or a launch pair, begins.
    LaunchStarted {
        /// How many have ended.
        done: usize,
        /// How many there are at most.
        of: usize,
    },
    /// A scenario is driven.
    ScenarioStarted {
        /// Name of the scenario.
        scenario: &'a str,
    },
    /// A launch, or a launch pair, has ended.
    LaunchEnded {
        /// How many have ended.
        done: usize,
        /// How many there are at most.
        of: usize,
        /// Time since the first began.
        #[serde(rename = "elapsed_ns", serialize_with = "nanos")]
        elapsed: Duration,
    },
    /// The launch pairs so far were judged.
    EstimateUpdated {
        /// How many launch pairs there are.
        launch_pairs: usize,
        /// Time since measuring began.
        #[serde(rename = "elapsed_ns", serialize_with = "nanos")]
        elapsed: Duration,
        /// The change of each metric that decides.
        changes: Vec<MetricChange>,
    },
    /// Measuring has ended, for whatever reason.
    MeasuringEnded,
    /// Stored runs make metrics suspicious, which are measured side by side next.
    ConfirmationStarted {
        /// The metrics.
        suspected: Vec<ScenarioMetric>,
    },
    /// A profiler is about to run a target.
    ProfileStarted {
        /// `base`, `head` or both.
        side: &'a str,
        /// Name of the profiler.
        tool: &'a str,
        /// Requests that count.
        requests: u64,
        /// XML pairs in each.
        pairs: u64,
    },
    /// The range of a bisection is known.
    BisectionStarted {
        /// Commits in the range, both ends included.
        commits: usize,
        /// Comparisons that it takes at most.
        comparisons_max: u32,
        /// Chance of naming the wrong commit.
        #[serde(serialize_with = "share")]
        alpha: Ratio,
    },
    /// The hunks that more work is in are looked for.
    Cause(CauseEvent<'a>),
    /// A bisection goes on where an earlier invocation ended.
    BisectionResumed,
    /// The ends of a bisection's range were compared.
    RangeCompared {
        /// The change from the first to the last commit.
        change: &'a CommitChange,
    },
    /// A commit of a bisection was compared with the first.
    CommitClassified {
        /// The commit.
        commit: &'a str,
        /// First line of its message.
        subject: &'a str,
        /// What it was found to be.
        standing: CommitStanding,
    },
    /// A result that is not part of the output.
    Noted {
        /// What it is.
        text: &'a str,
    },
    /// One of the checks of this program on itself begins.
    CheckStarted {
        /// Which.
        check: SelfCheck,
    },
    /// A simulation of comparisons begins.
    SimulationStarted {
        /// Its parts.
        cells: usize,
    },
    /// A part of a simulation has ended.
    CellSimulated,
    /// A simulation has ended.
    SimulationEnded,
}

/// A step in finding out which hunks more work is in.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum CauseEvent<'a> {
    /// What more work is in is looked for, by lines and hunks.
    Sought {
        /// Name of the scenario.
        scenario: &'a str,
        /// Hunks that may matter.
        hunks: usize,
    },
    /// Hunks of head are reverted, to count again.
    RevertStarted {
        /// The hunks.
        hunks: &'a [HunkPlace],
        /// The time after which nothing more is reverted.
        #[serde(rename = "time_max_ns", serialize_with = "nanos")]
        time_max: Duration,
    },
    /// The builds with and without hunks are counted, in turns.
    RevertCounting {
        /// Turns that are done.
        done: usize,
        /// How many there are.
        of: usize,
    },
    /// Hunks were reverted.
    RevertEnded {
        /// What came of it.
        revert: &'a RevertCounts,
        /// What went away, as a share of the growth; none if it was not counted.
        share: Option<f64>,
    },
}

/// What a reader should know before the result is believed or waited for.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum WarningKind<'a> {
    /// A lock file of the checkout was put into the tree of a commit, which has none.
    LockCarried {
        /// The file, from the root of the repository.
        path: &'a Path,
    },
    /// A file that an earlier run left in the base's folder was removed, and head has one too.
    LeftBehind {
        /// The file, from the root of the repository.
        path: &'a Path,
    },
    /// The configuration has several scenarios, and the use case takes one.
    FirstScenarioOnly {
        /// The one that is taken.
        scenario: &'a str,
        /// What it is taken for.
        purpose: ScenarioPurpose,
    },
    /// The base is the reference API inside this program, whatever it was named.
    EmbeddedBase,
    /// Base and head are one commit.
    SameCommit,
    /// The name is unknown to git, and the commit of its newest stored run is built instead.
    CommitOfStoredRun {
        /// The name.
        name: &'a str,
        /// The commit.
        commit: &'a str,
    },
    /// The base cannot be measured, so stored runs are compared with.
    StoredRunsInstead {
        /// Why the base cannot be measured.
        obstacle: &'a str,
    },
    /// Something about the choice of stored runs.
    HistoryNote {
        /// What it is.
        note: &'a HistoryNote,
    },
    /// The functions of both builds cannot be put at the same addresses.
    LayoutAsBuilt {
        /// Why.
        error: &'a str,
    },
    /// Head was linked before its links were kept, so that it is linked once more.
    LinkedAgain {
        /// Its program.
        program: &'a Path,
    },
    /// Too few stored runs are of this kind of machine to judge times by.
    TimesNotJudged,
    /// The configuration names looks, of which the last is the cap: there is one after every launch pair.
    LooksAreCap {
        /// Launch pairs at most.
        launch_pairs: usize,
    },
    /// There is no run that says what each scenario takes, so the parts are those of the configuration.
    NoShardTimes {
        /// Where it would be.
        path: &'a Path,
    },
    /// The last metrics of a run were not delivered.
    TelemetryLost {
        /// What did not take them.
        protocol: TelemetryProtocol,
        /// Why.
        error: &'a str,
    },
    /// A column of a table has text, and is left out.
    TextColumn {
        /// Its name.
        column: &'a str,
    },
    /// The files of a run are written, and not kept in the archive of runs.
    NotArchived {
        /// Why.
        error: &'a str,
    },
    /// What stored runs made suspicious cannot be measured side by side.
    NotConfirmed {
        /// Why.
        error: &'a str,
        /// The run that another machine can confirm.
        run: &'a str,
    },
}

/// What takes the metrics of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TelemetryProtocol {
    /// A Pushgateway.
    Pushgateway,
    /// Remote write.
    RemoteWrite,
    /// OTLP/HTTP in JSON.
    Otlp,
}

/// A check of this program on itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfCheck {
    /// Payloads are the same on every machine.
    Payloads,
    /// The reference API starts.
    ReferenceStart,
    /// Requests are sent, answered, and the answers checked.
    EndToEnd,
    /// Parts that need no target.
    Components,
    /// One build against itself is not called slower.
    SameBuild,
    /// A change of a known size is found.
    KnownDose,
    /// A head that ends under load is held against it.
    Crash,
    /// A head that answers wrongly is held against it.
    WrongAnswer,
    /// A stored run comes back as it was.
    Store,
}

impl SelfCheck {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::Payloads,
        Self::ReferenceStart,
        Self::EndToEnd,
        Self::Components,
        Self::SameBuild,
        Self::KnownDose,
        Self::Crash,
        Self::WrongAnswer,
        Self::Store,
    ];

    /// Returns the word that JSON has for it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Payloads => "payloads",
            Self::ReferenceStart => "reference_start",
            Self::EndToEnd => "end_to_end",
            Self::Components => "components",
            Self::SameBuild => "same_build",
            Self::KnownDose => "known_dose",
            Self::Crash => "crash",
            Self::WrongAnswer => "wrong_answer",
            Self::Store => "store",
        }
    }
}

/// What a single scenario is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioPurpose {
    /// Commits are compared by it.
    Bisection,
    /// A profiler runs it.
    Profile,
}

/// What a run repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchUnit {
    /// Launches of one build.
    Launch,
    /// Launches of base and head, alive together.
    LaunchPair,
}

/// What a comparison in launch pairs costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LaunchCost {
    /// Launch pairs at most.
    pub launch_pairs_max: usize,
    /// Time that one took in the last run of the same configuration.
    #[serde(rename = "launch_pair_ns", serialize_with = "nanos")]
    pub launch_pair: Duration,
}

/// A metric of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScenarioMetric {
    /// Name of the scenario.
    pub scenario: String,
    /// The operation's, if it is of one among several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationName>,
    /// The metric.
    #[serde(serialize_with = "metric_key")]
    pub metric: Metric,
    /// What the scenario's rates and costs are counted in.
    #[serde(skip)]
    pub unit: WorkUnit,
}

impl ScenarioMetric {
    /// Returns the words that reports use for the metric.
    pub fn label(&self) -> String {
        let label = self.metric.label(&self.unit);
        match &self.operation {
            Some(operation) => format!("{operation} {label}"),
            None => label,
        }
    }

    /// Returns the metric of a row.
    pub fn of(row: &MetricResult) -> Self {
        Self {
            scenario: row.scenario.clone(),
            operation: row.operation.clone(),
            metric: row.metric,
            unit: row.unit.clone(),
        }
    }
}

/// A change of a metric of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricChange {
    /// What changes.
    #[serde(flatten)]
    pub of: ScenarioMetric,
    /// ln(head / base).
    pub change_ln: f64,
}

/// The change between two commits, with its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommitChange {
    /// What changes.
    #[serde(flatten)]
    pub of: ScenarioMetric,
    /// Estimate, lower and upper bound of ln(head / base); none where the change is 0 by rule.
    pub interval_ln: Option<[f64; 3]>,
}

/// Where a commit stands to the change that a bisection looks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitStanding {
    /// Before the change.
    Good(CommitChange),
    /// After the change.
    Bad(CommitChange),
    /// Between the two, as far as is known.
    Unclear(CommitChange),
    /// It is the program of a commit that was classified before, and stands where that one does.
    Identical {
        /// That commit.
        commit: String,
        /// The program.
        program: IdenticalProgram,
    },
    /// It could not be measured.
    Skipped {
        /// Why.
        reason: String,
    },
}

fn nanos<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(units::nanos(*time))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn share<S: Serializer>(share: &Ratio, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(share.0)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn metric_key<S: Serializer>(metric: &Metric, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(metric.key())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_programs_read_values_and_no_sentence() {
        let of = ScenarioMetric {
            operation: None,
            scenario: "smoke".to_owned(),
            metric: Metric::Cpu,
            unit: WorkUnit::pair(),
        };
        let change = MetricChange { of, change_ln: 0.5 };
        let live = LiveMetrics::default();
        let events = [
            Event::MeasuringStarted { unit: LaunchUnit::LaunchPair, live: &live },
            Event::LaunchEnded { done: 1, of: 40, elapsed: Duration::from_millis(3) },
            Event::EstimateUpdated {
                launch_pairs: 10,
                elapsed: Duration::from_secs(1),
                changes: vec![change],
            },
            Event::Warning(WarningKind::StoredRunsInstead { obstacle: "no build" }),
            Event::Warning(WarningKind::SameCommit),
        ];
        let lines = events.map(|event| serde_json::to_string(&event).unwrap());
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"event":"measuring_started","unit":"launch_pair"}
        {"event":"launch_ended","done":1,"of":40,"elapsed_ns":3000000}
        {"event":"estimate_updated","launch_pairs":10,"elapsed_ns":1000000000,"changes":[{"scenario":"smoke","metric":"cpu","change_ln":0.5}]}
        {"event":"warning","warning":"stored_runs_instead","obstacle":"no build"}
        {"event":"warning","warning":"same_commit"}
        "#);
    }
}
