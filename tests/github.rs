//! Publishing on GitHub: against a server that misbehaves, and against one that behaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

#[path = "github/bases.rs"]
mod bases;
#[path = "github/command.rs"]
mod command;
#[path = "github/emulator.rs"]
mod emulator;
#[path = "github/events.rs"]
mod events;
#[path = "github/faults.rs"]
mod faults;
#[path = "github/job_environment.rs"]
mod job_environment;
#[path = "github/publication.rs"]
mod publication;
#[path = "github/run_record.rs"]
mod run_record;
#[path = "github/workflow.rs"]
mod workflow;
