//! The commands that a user has run around a launch.

use std::fmt;
use std::time::Duration;

/// What is run around each launch.
#[derive(Debug, Clone, Default)]
pub struct LaunchHooks {
    /// Before the target is started, with its services there.
    pub before: Option<HookSpec>,
    /// After it has ended, also where it did not start.
    pub after: Option<HookSpec>,
}

/// A command for a shell.
#[derive(Debug, Clone)]
pub struct HookSpec {
    /// When it is run.
    pub kind: HookKind,
    /// What the shell gets, with placeholders.
    pub script: String,
    /// How long it may take.
    pub timeout: Duration,
}

/// When a hook is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookKind {
    /// Before a target is started.
    BeforeLaunch,
    /// After a target has ended.
    AfterLaunch,
    /// Before a service is started.
    Setup,
}

impl HookKind {
    /// Returns the key of the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::BeforeLaunch => "before-launch",
            Self::AfterLaunch => "after-launch",
            Self::Setup => "setup",
        }
    }
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}
