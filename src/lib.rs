//! The program: use cases, and the command line before them.
//!
//! [`app`] has one use case a file, each a function of plain options that emits events and returns
//! data; [`cli`] turns arguments into options, prints events and results, and picks exit codes. What
//! they are made of are the crates below them.

pub mod app;
pub mod cli;
