//! Why a record cannot be read or written.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::SCHEMA;
use crate::bounds::BoundError;
use crate::migration::SentenceError;

/// Why a record cannot be read or written.
#[derive(Debug, Error, Diagnostic)]
pub enum RecordError {
    /// The file cannot be read.
    #[error("failed to read run `{path}`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is too large to be a run.
    #[error("`{path}` is {bytes} bytes long; a run of its schema has at most {most}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// How long it may be.
        most: u64,
    },
    /// The record has more of something than a run may have.
    #[error("unusable run `{path}`")]
    OutOfBounds {
        /// The file.
        path: PathBuf,
        /// Which bound.
        source: BoundError,
    },
    /// The file is not a run of this version.
    #[error("failed to parse run `{path}`")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why, from the parser.
        source: serde_json::Error,
    },
    /// A sentence of an older schema is none that was written.
    #[error("failed to read run `{path}`")]
    Sentence {
        /// The file.
        path: PathBuf,
        /// Which one.
        source: SentenceError,
    },
    /// A later version wrote the file.
    #[error("run `{path}` has schema {found}, this version reads up to {SCHEMA}")]
    #[diagnostic(help("update xmlperf to the version that wrote it, {tool}, or a later one"))]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema number.
        found: u32,
        /// The version that wrote it, as far as the file says.
        tool: String,
    },
    /// The file cannot be written.
    #[error("failed to write `{path}`")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}
