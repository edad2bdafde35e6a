//! What a run alone is set against: the runs that were kept before it, each as one number a metric.
//!
//! A record has to be judged again wherever it is read, and that may be another machine months later,
//! where the store is not at hand. So it carries the numbers of its history; the runs themselves stay
//! where they are.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::workload::Workload;
use crate::{ContentError, FailureReport, Machine, Revision};
use units::text::plural;

/// A named history, up to the change that is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunHistory {
    /// The name that it is kept under.
    pub name: String,
    /// The store, as a person would write it.
    pub store: String,
    /// What a reader has to know about the choice of the runs.
    pub notes: Vec<HistoryNote>,
    /// The runs, oldest first, at least one. The last is the one that stands for the base.
    pub runs: Vec<PastRun>,
}

/// What a reader has to know about the choice of stored runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HistoryNote {
    /// Runs were passed over.
    PassedOver {
        /// How many.
        runs: usize,
        /// Why.
        reason: PassReason,
    },
    /// The clone does not know the commits of the history, so its newest runs stand in for those at the
    /// merge base.
    CommitsUnknown {
        /// The runs of such commits.
        runs: usize,
    },
    /// No stored run is at or before the merge base, so the newest ones stand in.
    NoneAtMergeBase,
    /// No stored run counted a scenario's work alike.
    WorkNotCompared {
        /// Name of the scenario.
        scenario: String,
        /// What the newest of them differs in.
        reason: FailureReport,
    },
    /// The words of a release that kept no more than these.
    Words {
        /// A sentence without its full stop.
        text: String,
    },
}

/// Why a stored run is not compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PassReason {
    /// Its tree had changes that no commit holds.
    DirtyTree,
    /// It measured other scenarios, loads or payloads.
    OtherWork,
    /// Its commit is not at or before the merge base.
    NotAtMergeBase,
    /// The clone does not have its commit.
    CommitUnknown,
}

/// A run that was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PastRun {
    /// Digest of its record.
    pub digest: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// The build that was measured.
    pub revision: Revision,
    /// Where it ran.
    pub machine: Machine,
    /// How fast the machine was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<Yardstick>,
    /// What it measured.
    pub scenarios: Vec<PastScenario>,
}

/// What a kept run says about a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PastScenario {
    /// Its name.
    pub name: String,
    /// What was sent.
    pub workload: Workload,
    /// Launches that the values are of.
    pub launches: usize,
    /// The level of every metric that was measured, in the metric's unit.
    pub levels: BTreeMap<Metric, f64>,
}

/// How fast a machine was while a run went on: the times of a workload that never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Yardstick {
    /// Which workload. Times of two versions have nothing to do with each other.
    pub version: u32,
    /// One reading before each launch and one after the last.
    pub readings: Vec<YardstickReading>,
}

/// One pass through the parts of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct YardstickReading {
    /// Integer arithmetic and branches.
    pub integer_ns: u64,
    /// Dependent loads from more memory than the caches hold.
    pub memory_ns: u64,
    /// Small messages to and fro over the loopback.
    pub loopback_ns: u64,
}

impl RunHistory {
    /// Returns the run that stands for the base. Fails if the history is empty.
    pub fn chosen(&self) -> Result<&PastRun, ContentError> {
        self.runs.last().ok_or(ContentError::EmptyHistory)
    }
}

impl fmt::Display for HistoryNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PassedOver { runs, reason } => {
                write!(f, "{} passed over: {reason}", plural(*runs, "run"))
            }
            Self::CommitsUnknown { runs } => write!(
                f,
                "this clone does not know the commits of the history, so its newest runs stand in for \
                 those at the merge base ({})",
                plural(*runs, "run")
            ),
            Self::NoneAtMergeBase => f.write_str(
                "no stored run is at or before the merge base, so the newest ones stand in",
            ),
            Self::WorkNotCompared { scenario, reason } => {
                write!(f, "work of `{scenario}` is not compared: {}", reason.summary)
            }
            Self::Words { text } => f.write_str(text),
        }
    }
}

impl fmt::Display for PassReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DirtyTree => "of a tree with changes that no commit holds",
            Self::OtherWork => "other scenarios, loads or payloads",
            Self::NotAtMergeBase => "not at or before the merge base",
            Self::CommitUnknown => "of commits that this clone does not have",
        })
    }
}

impl Machine {
    /// Returns whether times of one say something about times of the other: the same model of
    /// processor, as many cores, the same system.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.arch, &self.cpu, self.cores, &self.image)
            == (&other.arch, &other.cpu, other.cores, &other.image)
    }
}
