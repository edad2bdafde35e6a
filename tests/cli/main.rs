//! The program as a user, a shell or GitHub starts it: processes, files, output and exit codes.

mod action;
mod attempts;
mod baseline_compare;
mod command_line;
mod conformance;
mod decide;
mod exchange;
mod faults;
mod github;
mod hostile;
mod identity;
mod import;
mod instruction_counts;
mod layout;
mod measurement;
mod operations;
mod order_service;
mod readme;
mod reference;
mod requests;
mod scenarios;
mod service;
mod services;
mod stores;
mod tls_and_sockets;
mod trend;
