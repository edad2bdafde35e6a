//! Every way in which a base cannot be had.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;
use units::environment::WithheldNames;

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
    /// The commit is from before the folder that is measured.
    #[error("commit {commit} has no folder `{}`, so there is nothing to build in it", folder.display())]
    #[diagnostic(help(
        "compare with a commit that has it, or measure head alone by `xmlperf run`"
    ))]
    NoFolder {
        /// The commit.
        commit: String,
        /// The folder, from the root of the repository.
        folder: PathBuf,
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
    /// The checkout belongs to another user, and git does not read it.
    #[error("git does not read the checkout: {reason}")]
    #[diagnostic(help(
        "it belongs to another user, as in a job with `container`; run `git config --global --add safe.directory` with its path before"
    ))]
    ForeignOwner {
        /// What git said.
        reason: String,
    },
    /// A partial clone does not hold all objects, and they cannot be fetched.
    #[error(
        "this is a partial clone (`git clone --filter`), which lacks {missing} objects of commit \
         {commit}, and they cannot be fetched: {reason}"
    )]
    #[diagnostic(help("clone without `--filter`, or let git reach the remote"))]
    PartialClone {
        /// The commit.
        commit: String,
        /// How many objects.
        missing: usize,
        /// What git said.
        reason: String,
    },
    /// Git checked the commit out without all of its files.
    #[error("the checkout of commit {commit} is incomplete: git did not write {}", listed(paths))]
    #[diagnostic(help("`git fsck` says which objects are missing from the clone"))]
    Incomplete {
        /// The commit.
        commit: String,
        /// The files.
        paths: Vec<String>,
    },
    /// The contents of a submodule are in another repository, which is not here.
    #[error(
        "commit {commit} has at `{}` the submodule commit {wanted}, which is not in this clone",
        path.display()
    )]
    #[diagnostic(help(
        "run `git submodule update --init --recursive`, or give `actions/checkout` `submodules: recursive` and `fetch-depth: 0`"
    ))]
    Submodule {
        /// The commit.
        commit: String,
        /// Where the submodule is.
        path: PathBuf,
        /// The commit of the submodule.
        wanted: String,
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
        tail: Box<[String]>,
        /// What it did not get of the environment.
        #[help]
        withheld: Option<WithheldNames>,
    },
    /// Interrupted by the user.
    #[error("cancelled while the base was built")]
    Cancelled,
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  | {line}")).collect::<Vec<_>>().concat()
}

/// The first few of a list, and how many there are besides.
fn listed(paths: &[String]) -> String {
    const SHOWN: usize = 5;
    let named: Vec<String> = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    match paths.len().saturating_sub(SHOWN) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
