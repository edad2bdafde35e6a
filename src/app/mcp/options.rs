//! What a server is given.

use std::path::PathBuf;

/// What is served.
#[derive(Debug, Clone)]
pub struct McpOptions {
    /// The folder in which everything is read and run.
    pub folder: PathBuf,
    /// This program, which a measurement starts again.
    pub program: PathBuf,
    /// Whether programs may be started.
    pub permission: RunPermission,
    /// Says what went wrong, as the command line does.
    pub describe: fn(&anyhow::Error) -> String,
}

/// Whether tools may start programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPermission {
    /// They may.
    Granted,
    /// They may not: everything that is served is read.
    Withheld,
}
