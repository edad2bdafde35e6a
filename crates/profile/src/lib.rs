//! Runs a target under a profiler and says what the time or the memory went into.
//!
//! What the profilers count is compared in the same way as what was timed, but it means something
//! else: instructions and allocations repeat to a part in a thousand on any machine of one
//! architecture, whatever else it does, and see neither waiting nor cache misses.

mod callgrind;
mod failure;
mod graph;
mod heaptrack;
pub mod hunks;
mod monitor;
mod names;
mod perf;
mod program;
mod session;
mod stacks;
mod valgrind;

use std::collections::BTreeMap;
use std::sync::Arc;

use record::instruction_counts::{FoldedStacks, FunctionCost};

pub use callgrind::{CallgrindCounts, read_counts};
pub use failure::{DriveError, ProfileError};
pub use graph::{CallEdge, CallGraph, CallgrindSyntaxError, CodePlace};
pub use perf::version as perf_version;
pub use program::obstacle_of as program_obstacle;
pub use session::{ProfileDriver, ProfilePlan, ProfileSession};
pub use stacks::{CallStacks, StackCost};
pub use valgrind::version as valgrind_version;

/// What a tool found out about one version of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The sums.
    pub figures: Vec<ProfileTotal>,
    /// What the functions' numbers are.
    pub unit: CostUnit,
    /// Where it went.
    pub stacks: CallStacks,
    /// Turns costs of stacks into the unit.
    pub divisor: f64,
    /// Source files by function, where they are known and not part of the name.
    pub files: BTreeMap<Arc<str>, String>,
}

/// A sum that a tool reports.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileTotal {
    /// What it is.
    pub name: &'static str,
    /// Whether that is of each unit of work.
    pub is_per_unit: bool,
    /// One value for each launch.
    pub values: Vec<f64>,
}

/// What a function's number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostUnit {
    /// Instructions per unit of work.
    InstructionsPerUnit,
    /// Calls to `malloc` and its like per unit of work.
    AllocationsPerUnit,
    /// Percent of the samples: of the CPU time.
    PercentOfSamples,
}

impl Profile {
    /// Returns what each function took, in the unit of the profile, by name.
    pub fn functions(&self) -> Vec<FunctionCost> {
        let function = |(name, cost): (Arc<str>, StackCost)| FunctionCost {
            file: self.files.get(&name).cloned().unwrap_or_default(),
            name: name.to_string(),
            own: cost.own as f64 / self.divisor,
            inclusive: cost.inclusive as f64 / self.divisor,
        };
        self.stacks.functions().into_iter().map(function).collect()
    }

    /// Returns the call stacks in whole thousandths of the unit.
    pub fn folded(&self) -> FoldedStacks {
        let mut folded = FoldedStacks::new();
        for (stack, cost) in self.stacks.iter() {
            // A semicolon ends a frame, and may be in a name: `[u8; 4]`.
            let names = stack.iter().map(|name| name.replace(';', ","));
            let name = names.collect::<Vec<_>>().join(";");
            let thousandths = (cost as f64 * 1_000.0 / self.divisor).round();
            *folded.entry(name).or_default() += units::whole(thousandths).unwrap_or(0);
        }
        folded
    }
}

impl ProfileTotal {
    /// Returns the value in the middle, or not a number if there is none.
    pub fn median(&self) -> f64 {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
