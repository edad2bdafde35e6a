//! Runs a target under a profiler and says what the time or the memory went into.
//!
//! What the profilers count is compared in the same way as what was timed, but it means something
//! else: instructions and allocations repeat to a part in a thousand on any machine of one
//! architecture, whatever else it does, and see neither waiting nor cache misses.

mod callgrind;
mod difference;
mod failure;
pub mod flame;
mod graph;
mod heaptrack;
mod massif;
mod names;
mod perf;
mod program;
mod session;
mod stacks;
mod valgrind;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use callgrind::Work;
pub use difference::{Change, Functions, Took, changes};
pub use failure::ProfileError;
pub use graph::{Graph, Malformed};
pub use session::{Drive, Plan, Session};
pub use stacks::{Cost, Stacks};
pub use valgrind::version as valgrind_version;

/// What a tool found out about one version of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The sums.
    pub figures: Vec<Figure>,
    /// What the functions' numbers are.
    pub unit: Unit,
    /// Where it went.
    pub stacks: Stacks,
    /// Turns costs of stacks into the unit.
    pub divisor: f64,
    /// Source files by function, where they are known and not part of the name.
    pub files: BTreeMap<Arc<str>, String>,
}

/// A sum that a tool reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is, with its unit.
    pub name: &'static str,
    /// One value for each launch.
    pub values: Vec<f64>,
}

/// What a function's number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Instructions per XML pair.
    InstructionsPerPair,
    /// Calls to `malloc` and its like per XML pair.
    AllocationsPerPair,
    /// Bytes that were in use when most were.
    BytesAtPeak,
    /// Percent of the samples: of the CPU time.
    PercentOfSamples,
}

impl Profile {
    /// Returns what each function took, in the unit of the profile.
    pub fn functions(&self) -> Functions {
        let took = |(name, cost): (Arc<str>, Cost)| {
            let file = self.files.get(&name).cloned().unwrap_or_default();
            let (own, inclusive) = (cost.own as f64, cost.inclusive as f64);
            let took = Took { own: own / self.divisor, inclusive: inclusive / self.divisor };
            (name.to_string(), (file, took))
        };
        self.stacks.functions().into_iter().map(took).collect()
    }
}

impl Figure {
    /// Returns the value in the middle, or not a number if there is none.
    pub fn median(&self) -> f64 {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
