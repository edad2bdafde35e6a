//! Where the wall time of a run went.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a run whose time is known by itself, in the order of their beginnings.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RunStage {
    /// Both sides are built, or found built.
    Build,
    /// One request of each scenario is tried.
    Trial,
    /// Instructions and allocations are counted.
    Count,
    /// The requests of all scenarios are made.
    Prepare,
    /// Targets are started, until they are ready.
    Launch,
    /// Load that is not measured.
    WarmUp,
    /// Load that is measured.
    Load,
    /// The accounts of the targets are read, before and after the load.
    Observe,
    /// Targets are stopped.
    Stop,
    /// What was measured is judged, and written to the record of attempts.
    Decide,
    /// Connections, samplers, links, and everything else between the other stages.
    Other,
    /// Hunks are ranked, and reverted to count again.
    Prove,
    /// The run and its reports are written.
    Write,
}

impl RunStage {
    /// Returns what it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Trial => "trial requests",
            Self::Count => "count",
            Self::Prepare => "prepare requests",
            Self::Launch => "launch until ready",
            Self::WarmUp => "warm up",
            Self::Load => "load",
            Self::Observe => "read accounts",
            Self::Stop => "stop",
            Self::Decide => "decide",
            Self::Other => "other",
            Self::Prove => "prove hunks",
            Self::Write => "write reports",
        }
    }

    /// Whether it recurs with each launch.
    pub fn is_of_launch(self) -> bool {
        match self {
            Self::Launch
            | Self::WarmUp
            | Self::Load
            | Self::Observe
            | Self::Stop
            | Self::Decide => true,
            Self::Build
            | Self::Trial
            | Self::Count
            | Self::Prepare
            | Self::Other
            | Self::Prove
            | Self::Write => false,
        }
    }
}

/// Wall time of each stage, in ns.
pub type StageTimes = BTreeMap<RunStage, u64>;
