//! Why a profile cannot be had, and whether that is anybody's fault.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use sut::TargetError;

/// Why a load cannot be driven, of whatever makes the load.
pub type DriveError = Box<dyn Error + Send + Sync>;

/// Why there is no profile.
#[derive(Debug, Error, Diagnostic)]
pub enum ProfileError {
    /// The tool is not on this machine.
    #[error("`{tool}` is not installed")]
    #[diagnostic(help("`{install}`"))]
    NotInstalled {
        /// The program.
        tool: &'static str,
        /// How to get it.
        install: &'static str,
    },
    /// The system does not let this user profile.
    #[error("`{tool}` is not allowed here: {reason}")]
    #[diagnostic(help("{hint}"))]
    Forbidden {
        /// The program.
        tool: &'static str,
        /// What it said.
        reason: String,
        /// What would allow it.
        hint: &'static str,
    },
    /// The tool cannot run this kind of program.
    #[error("`{tool}` cannot count what the target does: {reason}")]
    Unsuited {
        /// The program.
        tool: &'static str,
        /// Why.
        reason: String,
    },
    /// The target failed under the tool.
    #[error("the target failed under `{tool}`")]
    Target {
        /// The program.
        tool: &'static str,
        /// How.
        source: Box<TargetError>,
    },
    /// The load could not be sent, or the answers were wrong.
    #[error("the load on the target under `{tool}` failed")]
    Load {
        /// The program.
        tool: &'static str,
        /// What the load said.
        source: DriveError,
    },
    /// The tool ran, but not as it should.
    #[error("`{tool}` failed: {reason}")]
    Tool {
        /// The program.
        tool: &'static str,
        /// What it said.
        reason: String,
    },
    /// The tool's output is not in the form that this version reads.
    #[error("failed to read `{}`: line {line} is not {expected}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A file cannot be read or written.
    #[error("failed to use `{}`", path.display())]
    Files {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Interrupted by the user.
    #[error("cancelled while the target was profiled")]
    Cancelled,
}

impl ProfileError {
    /// Returns whether this machine or this kind of target cannot be profiled at all, as opposed
    /// to something that went wrong: the first is a note, the second a failure.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::NotInstalled { .. } | Self::Forbidden { .. } | Self::Unsuited { .. } => true,
            Self::Target { .. }
            | Self::Load { .. }
            | Self::Tool { .. }
            | Self::Malformed { .. }
            | Self::Files { .. }
            | Self::Cancelled => false,
        }
    }
}
