//! Serves the XML-Compare-API: the contract that xmlperf measures, in a form fast enough to measure
//! with.
//!
//! The first target of every new installation, and the yardstick of the load generator. It is
//! faster than the services it stands for, so that what a run against it shows is the tool's own
//! limit; and it can be made slower by a known share, so that a run can be shown to notice.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod allocator;
mod answer;
mod batch;
mod budget;
mod canonical;
mod contract;
mod engine;
mod flat;
#[cfg(fuzzing)]
pub mod fuzz;
mod ignore;
mod json;
mod merge;
mod metrics;
mod pool;
mod remote;
mod request;
mod routes;
mod server;
mod tree;
mod tree_compare;
mod verdict;
mod xml;

pub use engine::EqualitySemantics;
pub use remote::AllowedHost;
pub use server::{ReferenceServer, ServeError, ServerSettings};
