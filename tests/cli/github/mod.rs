//! Publishing on GitHub: against a server that misbehaves, and against one that behaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

mod bases;
mod command;
mod emulator;
mod events;
mod faults;
mod job_environment;
mod publication;
mod run_record;
mod stand_ins;
mod wall_time;
mod workflow;
