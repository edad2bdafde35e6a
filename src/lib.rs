//! Says whether an HTTP API that takes XML became slower, by how much, and how sure it is.
//!
//! Data flows one way, and imports point back along it:
//!
//! ```text
//! xmlperf.toml + flags ─config→ Suite
//! Suite ─payload→ Body + expected answers ─target→ running servers ─load→ Exchanges
//!       ─measure→ Measurement ─runner→ Run ─record→ file ─baseline→ Baseline
//! Baseline × Run ─stats, compare→ Comparison → Verdict ─report→ text, markdown, JSON ─github→ comment
//! ```
//!
//! `ARCHITECTURE.md` has the code map and the invariants; `tests/architecture.rs` holds the import
//! table.

pub mod base;
pub mod baseline;
pub mod bisect;
pub mod calibration;
pub mod cancel;
pub mod cli;
pub mod compare;
pub mod config;
pub mod git;
pub mod github;
pub mod load;
pub mod measure;
pub mod metric;
pub mod payload;
pub mod profile;
pub mod record;
pub mod reference;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod stats;
pub mod target;
pub mod trend;
pub mod units;
