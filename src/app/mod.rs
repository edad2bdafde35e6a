//! What the program does, one use case a file.
//!
//! A use case takes plain options, emits an [`Event`](event::Event) for each thing that happens, and
//! returns data. It knows no command line, prints nothing, and does not read the environment: what it
//! needs of the process is in its options.

pub mod attempts;
pub mod baseline;
pub mod bisect;
pub mod budget;
pub mod builds;
mod causes;
pub mod check;
mod commit_target;
pub mod compare;
pub mod concepts;
mod confirm;
mod csv_rows;
pub mod decide;
pub mod description;
pub mod doctor;
pub mod dose;
pub mod error_rate;
pub mod event;
pub mod evidence_exchange;
mod evidence_store;
pub mod export;
pub mod failure;
pub mod github_workflow;
pub mod identity;
pub mod import;
pub mod init;
mod layout;
mod live_families;
pub mod matrix;
pub mod mcp;
pub mod measure;
pub mod merge;
mod out_lock;
pub mod payload;
pub mod profile;
mod prometheus;
mod proof;
pub mod publication;
pub mod publish;
pub mod report;
mod result_files;
mod result_room;
pub mod run;
pub mod runs;
pub mod selection;
pub mod selftest;
pub mod serve;
mod source_change;
pub mod store;
mod stored;
pub mod telemetry;
pub mod trend;
pub mod twins;
pub mod workplace;
