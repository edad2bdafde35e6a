//! Which lines and hunks of a change the difference of work is in, as far as that was looked into.
//!
//! Kept are numbers: what lines took, what hunks are ranked by, and what three builds counted when a hunk was
//! reverted. Whether that proves anything is drawn from them whenever they are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was found out about the difference of work in a scenario.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkCauses {
    /// Why lines are not known, if they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<CauseObstacle>,
    /// Lines whose work differs most, the largest difference first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineGrowth>,
    /// Hunks of the change by what their lines explain, the largest first; empty where they were not ranked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hunks: Vec<HunkGrowth>,
    /// Hunks that were reverted, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<RevertCounts>,
    /// Why no hunk, or no further one, was reverted, if something stood in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven: Option<ProofObstacle>,
}

/// Why the difference is known by functions only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CauseObstacle {
    /// The programs have no line tables.
    NoLineTables,
    /// A side was given as it is, so that there is no diff.
    NoDiff,
    /// The counts by address are gone, or not as they are expected.
    NoCounts,
}

/// Why hunks are not reverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProofObstacle {
    /// It is switched off.
    SwitchedOff,
    /// There is no tree to build in: base was not built from a commit.
    NoTree,
    /// Head does not build in another folder, or is not started from it.
    NotBuilt,
    /// The time for it was over.
    TimeOver,
    /// It was interrupted.
    Interrupted,
}

/// A stretch of lines of a file, of base or of head.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub struct LineSpan {
    /// The first line, from 1; of an empty stretch, the line before it.
    pub start: u32,
    /// How many.
    pub count: u32,
}

impl LineSpan {
    /// Returns the last line; of an empty stretch, the line before it.
    pub fn end(self) -> u32 {
        self.start.saturating_add(self.count.saturating_sub(1))
    }
}

impl From<(u32, u32)> for LineSpan {
    fn from((start, count): (u32, u32)) -> Self {
        Self { start, count }
    }
}

impl From<LineSpan> for (u32, u32) {
    fn from(span: LineSpan) -> Self {
        (span.start, span.count)
    }
}

/// Where a hunk is, as `git diff` shows it.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct HunkPlace {
    /// The file in head, from the root of the repository; of a deleted file, that of base.
    pub path: String,
    /// Its lines in base.
    pub base: LineSpan,
    /// Its lines in head.
    pub head: LineSpan,
}

/// What the work of a line differs by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineGrowth {
    /// The file, from the root of the repository; of a library, as its name has it.
    pub file: String,
    /// The line in head; of a line that is gone, in base.
    pub line: u32,
    /// Whether the change touches it.
    pub touched: bool,
    /// The function that it was compiled into.
    pub function: String,
    /// Instructions per unit of work in base.
    pub base: f64,
    /// Instructions per unit of work in head.
    pub head: f64,
}

/// What connects a hunk with the difference, the strongest kind.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum HunkEvidence {
    /// Its lines take more, or call more.
    Line,
    /// It deletes from the function, or changes an attribute of the function, that takes more.
    Function,
    /// The lines that take more name what it defines.
    Name,
    /// It calls what takes more.
    Caller,
    /// None.
    None,
}

/// What a hunk explains by the costs of lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HunkGrowth {
    /// The hunk.
    pub hunk: HunkPlace,
    /// Instructions per unit of work that are put down to it.
    pub growth: f64,
    /// By what.
    pub evidence: HunkEvidence,
}

/// What three builds counted, in turns: base, head, and head without some hunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevertCounts {
    /// The hunks that were reverted together: the first was to be, the others had to be for it to build.
    pub hunks: Vec<HunkPlace>,
    /// What came of it.
    pub outcome: RevertOutcome,
}

/// What came of reverting hunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RevertOutcome {
    /// Without them head does not build, or does not run.
    Broken,
    /// Without them head is the same machine code.
    SameCode,
    /// Instructions per unit of work, one value a launch.
    Counted {
        /// Of base.
        base: Vec<f64>,
        /// Of head.
        head: Vec<f64>,
        /// Of head without them.
        variant: Vec<f64>,
    },
}
