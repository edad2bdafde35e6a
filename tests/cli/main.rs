//! The program as a user, a shell or GitHub starts it: processes, files, output and exit codes.

use std::env;
use std::path::PathBuf;

mod action;
mod attempts;
mod base_commands;
mod base_oracle;
mod baseline_compare;
mod book;
mod calls;
mod command_line;
mod conformance;
mod decide;
mod exchange;
mod export;
mod faults;
mod git;
mod github;
mod hostile;
mod hostile_files;
mod identity;
mod import;
mod init;
mod instruction_counts;
mod kills;
mod largest_records;
mod layout;
mod live_requests;
mod mcp;
mod measurement;
mod misbehaving_targets;
mod operations;
mod order_service;
mod plant_service;
mod published_schema;
mod readme;
mod reference;
mod refused_resources;
mod release;
mod requests;
mod scenarios;
mod service;
mod services;
mod shards;
mod stores;
mod telemetry;
mod tls_and_sockets;
mod trend;
mod warm_up;
mod worked_examples;

/// The program that tests of faults and bounds start: that of this build, or the one that `XMLPERF_PROGRAM`
/// names, which takes no second build to be an optimised one.
fn program() -> PathBuf {
    let named = env::var_os("XMLPERF_PROGRAM");
    named.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_xmlperf")), PathBuf::from)
}
