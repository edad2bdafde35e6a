//! Every way in which a store can fail.

use std::io;

use miette::Diagnostic;
use thiserror::Error;
use threads::ThreadError;

use record::RecordError;

/// Why a baseline cannot be used or kept.
#[derive(Debug, Error, Diagnostic)]
pub enum BaselineError {
    /// The name cannot be a folder's.
    #[error("`{name}` is not a name for a baseline")]
    #[diagnostic(help("use ASCII letters, digits, `.`, `-`, `_`, and `/` between them"))]
    BadName {
        /// The name.
        name: String,
    },
    /// The address of a store is none.
    #[error("`{location}` is not a place for baselines: {reason}")]
    #[diagnostic(help("{hint}"))]
    BadLocation {
        /// As it was given.
        location: String,
        /// What is wrong with it.
        reason: String,
        /// What would be right.
        hint: String,
    },
    /// There is no history of that name.
    #[error("there is no baseline `{name}` in `{location}`")]
    #[diagnostic(help("create one with `xmlperf baseline save {name}`"))]
    NotFound {
        /// The name.
        name: String,
        /// Where it was looked for.
        location: String,
    },
    /// No run, or more than one, of a history has the digest.
    #[error("`{digest}` means {count} runs of `{name}`")]
    #[diagnostic(help("`xmlperf baseline list {name}` shows the digests"))]
    NotOneRun {
        /// The history.
        name: String,
        /// The digest, or its beginning.
        digest: String,
        /// How many runs it means.
        count: usize,
    },
    /// The name is not pinned.
    #[error("`{name}` is not pinned in `{location}`")]
    NotPinned {
        /// The name.
        name: String,
        /// Where its pin was looked for.
        location: String,
    },
    /// What a name is pinned to is gone.
    #[error("`{name}` is pinned to `{run}`, which is not there")]
    #[diagnostic(help("pin it to another run, or `xmlperf baseline unpin {name}`"))]
    Dangling {
        /// The name.
        name: String,
        /// The run that is gone.
        run: String,
    },
    /// The file of a pin makes no sense.
    #[error("the pin `{place}` cannot be understood: {reason}")]
    #[diagnostic(help("pin the name again, or unpin it"))]
    BadPin {
        /// The file.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Others changed the same file all the time.
    #[error("`{place}` was changed by others again and again")]
    #[diagnostic(help("try again"))]
    Contended {
        /// The file.
        place: String,
    },
    /// Another run of the same comparison has written its attempt meanwhile.
    #[error("`{place}` was changed by another run of the same comparison")]
    #[diagnostic(help("run the comparison again once the other one has ended"))]
    EvidenceChanged {
        /// The file.
        place: String,
    },
    /// A run that is not whole cannot serve as a baseline.
    #[error("this run cannot be a baseline: {reason}")]
    Unfit {
        /// What is missing.
        reason: String,
    },
    /// The file is not what was written.
    #[error(
        "`{place}` was changed after it was written: its digest is {found}, its name says {expected}"
    )]
    Damaged {
        /// The file.
        place: String,
        /// The digest of what is there.
        found: String,
        /// The digest in its name.
        expected: String,
    },
    /// The file was listed, and is gone or is no plain file.
    #[error("`{place}` cannot be read: {reason}")]
    Missing {
        /// The file.
        place: String,
        /// What is there instead.
        reason: String,
    },
    /// The file or folder cannot be read or written.
    #[error("failed to {what} `{place}`")]
    Files {
        /// What was tried: `read`, `write`, `lock`, `remove`.
        what: &'static str,
        /// Where.
        place: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The system gives no threads for a bucket.
    #[error("failed to start threads for `{place}`")]
    Threads {
        /// The store.
        place: String,
        /// The system's reason.
        source: ThreadError,
    },
    /// A remote does not answer, or not to us.
    #[error("`{location}` cannot be reached: {reason}")]
    #[diagnostic(help(
        "check the network and the credentials; in GitHub Actions, `actions/checkout` leaves those that git needs"
    ))]
    Unreachable {
        /// The store.
        location: String,
        /// What was said.
        reason: String,
    },
    /// A remote did not take a change.
    #[error("`{location}` did not take the change: {reason}")]
    #[diagnostic(help(
        "writing needs permission to push, in GitHub Actions `permissions: contents: write`, and a branch that no rule protects"
    ))]
    NotPushed {
        /// The store.
        location: String,
        /// What was said.
        reason: String,
    },
    /// A service failed, or was not reached after all retries.
    #[error("failed to {what} `{place}`: {reason}")]
    #[diagnostic(help("check the network, the bucket's name and region, and try again"))]
    Service {
        /// What was tried: `list`, `read`, `write`, `remove`.
        what: &'static str,
        /// Where.
        place: String,
        /// What the service said.
        reason: String,
    },
    /// A service does not do that, or not for us.
    #[error("failed to {what} `{place}`: {reason}")]
    #[diagnostic(help("{hint}"))]
    Denied {
        /// What was tried: `list`, `read`, `write`, `remove`.
        what: &'static str,
        /// Where.
        place: String,
        /// What the service said.
        reason: String,
        /// What would help.
        hint: String,
    },
    /// The place itself failed to do what was requested.
    #[error("`{location}` failed: {reason}")]
    Refused {
        /// The store.
        location: String,
        /// What was said.
        reason: String,
    },
    /// The record itself cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
}
