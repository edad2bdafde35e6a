//! Runs a target under a profiler and says what the time or the memory went into.
//!
//! What the profilers count is compared in the same way as what was timed, but it means something
//! else: instructions and allocations repeat to a part in a thousand on any machine of one
//! architecture, whatever else it does, and see neither waiting nor cache misses.

mod callgrind;
mod difference;
mod failure;
mod graph;
mod names;
mod program;

pub use callgrind::{Plan, Session, Work, version};
pub use difference::{Change, PerPair, changes};
pub use failure::ProfileError;
pub use graph::{Cost, Graph, Malformed};
