//! What a run alone is set against: the runs that were kept before it, each as one number a metric.
//!
//! A record has to be judged again wherever it is read, and that may be another machine months later,
//! where the store is not at hand. So it carries the numbers of its history; the runs themselves stay
//! where they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::workload::Workload;
use crate::{ContentError, Machine, Revision};

/// A named history, up to the change that is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunHistory {
    /// The name that it is kept under.
    pub name: String,
    /// The store, as a person would write it.
    pub store: String,
    /// What was passed over in choosing, and why, in words.
    pub notes: Vec<String>,
    /// The runs, oldest first, at least one. The last is the one that stands for the base.
    pub runs: Vec<PastRun>,
}

/// A run that was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Yardstick {
    /// Which workload. Times of two versions have nothing to do with each other.
    pub version: u32,
    /// One reading before each launch and one after the last.
    pub readings: Vec<YardstickReading>,
}

/// One pass through the parts of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

impl Machine {
    /// Returns whether times of one say something about times of the other: the same model of
    /// processor, as many cores, the same system.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.arch, &self.cpu, self.cores, &self.image)
            == (&other.arch, &other.cpu, other.cores, &other.image)
    }
}
