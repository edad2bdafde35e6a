//! Every way in which a base cannot be had.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Why there is no base to compare with.
#[derive(Debug, Error, Diagnostic)]
pub enum BaseError {
    /// There is no `git`.
    #[error("`git` was not found")]
    #[diagnostic(help("install it, or give the base with `--base-bin`"))]
    NoGit,
    /// The folder is in no checkout.
    #[error("`{}` is not in a git checkout: {reason}", dir.display())]
    NotRepository {
        /// The folder.
        dir: PathBuf,
        /// What git said.
        reason: String,
    },
    /// Neither here nor at `origin` is there anything of that name.
    #[error("`{git_ref}` is no commit, branch or tag, neither here nor at `origin`")]
    UnknownRef {
        /// As given.
        git_ref: String,
        /// For a shallow clone.
        #[help]
        hint: Option<String>,
    },
    /// There is no way from one commit to the other along first parents.
    #[error("{good} is not behind {bad} along first parents")]
    NotAncestor {
        /// The earlier commit.
        good: String,
        /// The later commit.
        bad: String,
        /// For a shallow clone.
        #[help]
        hint: Option<String>,
    },
    /// Two histories without a common commit.
    #[error("commits {a} and {b} have no common ancestor")]
    NoMergeBase {
        /// First commit.
        a: String,
        /// Second commit.
        b: String,
        /// For a shallow clone.
        #[help]
        hint: Option<String>,
    },
    /// Their contents are in other repositories, which may need credentials.
    #[error("commit {commit} has submodules ({}), which are not checked out for a base", paths.join(", "))]
    #[diagnostic(help(
        "check out and build the base in a step of your own (`actions/checkout` with `submodules: true` and `fetch-depth: 0`), and give it with `--base-bin`"
    ))]
    Submodules {
        /// The commit.
        commit: String,
        /// Where they are.
        paths: Vec<String>,
    },
    /// Git refused.
    #[error("`git {command}` failed: {reason}")]
    Refused {
        /// Its arguments.
        command: String,
        /// What it said.
        reason: String,
    },
    /// A file or folder of the cache cannot be used.
    #[error("failed to use `{}`", path.display())]
    Files {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("failed to start `{program}`")]
    NotStarted {
        /// Which.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A version does not build.
    #[error("`{build}` failed for {what}: {status}\n\nthe end of `{}`:{tail}", log.display(), tail = indented(tail))]
    BuildFailed {
        /// The command.
        build: String,
        /// Which version: `head`, or `base` and its commit.
        what: String,
        /// How it ended.
        status: String,
        /// All its output.
        log: PathBuf,
        /// The last lines of it.
        tail: Vec<String>,
    },
    /// A person asked to stop.
    #[error("cancelled while the base was built")]
    Cancelled,
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  | {line}")).collect::<Vec<_>>().concat()
}
