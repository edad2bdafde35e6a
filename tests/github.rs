//! Publishing on GitHub: against a server that misbehaves, and against one that behaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

#[path = "github/events.rs"]
mod events;
#[path = "github/faults.rs"]
mod faults;
#[path = "github/stage.rs"]
mod stage;
