//! Asks git about the user's repository, and writes nothing to it: even the index, which `git status`
//! would refresh, is left alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::BaseError;
use crate::git::{self, GitOutput};

/// Whether the working tree is what its commit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkingTree {
    /// Nothing changed, nothing added.
    Clean,
    /// Changed, added or deleted files, counted with those that git does not track nor ignore.
    Changed,
}

/// Returns the root of the checkout that `dir` is in.
pub fn root(dir: &Path) -> Result<PathBuf, BaseError> {
    match ask(dir, &["rev-parse", "--show-toplevel"])? {
        TrimmedOutput::Yes(path) => Ok(path.into()),
        TrimmedOutput::No(reason) => Err(BaseError::NotRepository { dir: dir.to_owned(), reason }),
    }
}

/// Returns the commit that a branch, tag, hash or expression such as `HEAD~1` means. A branch that
/// exists only at `origin` is found there.
pub fn commit(dir: &Path, git_ref: &str) -> Result<String, BaseError> {
    for name in [git_ref.to_owned(), format!("refs/remotes/origin/{git_ref}")] {
        let commit = format!("{name}^{{commit}}");
        let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        if let TrimmedOutput::Yes(commit) = ask(dir, &words)? {
            return Ok(commit);
        }
    }
    root(dir)?;
    Err(BaseError::UnknownRef { git_ref: git_ref.to_owned(), hint: shallow_hint(dir)? })
}

/// Returns the text of a file that a commit has at a path from `dir`; none if it has no such file.
pub fn file(dir: &Path, commit: &str, path: &Path) -> Result<Option<String>, BaseError> {
    let object = format!("{commit}:./{}", path.display());
    match ask(dir, &["cat-file", "blob", &object])? {
        TrimmedOutput::Yes(text) => Ok(Some(text)),
        TrimmedOutput::No(_) => Ok(None),
    }
}

/// Returns the newest commit that both refs have behind them.
pub fn merge_base(dir: &Path, a: &str, b: &str) -> Result<String, BaseError> {
    let (a, b) = (commit(dir, a)?, commit(dir, b)?);
    match ask(dir, &["merge-base", &a, &b])? {
        TrimmedOutput::Yes(commit) => Ok(commit),
        TrimmedOutput::No(_) => Err(BaseError::NoMergeBase { a, b, hint: shallow_hint(dir)? }),
    }
}

/// Returns whether `tip` is `commit` or has it behind it; none if the clone does not have `commit`.
pub fn is_behind(dir: &Path, commit: &str, tip: &str) -> Result<Option<bool>, BaseError> {
    let object = format!("{commit}^{{commit}}");
    match ask(dir, &["cat-file", "-e", &object])? {
        TrimmedOutput::No(_) => {
            root(dir)?;
            Ok(None)
        }
        TrimmedOutput::Yes(_) => {
            let words = ["merge-base", "--is-ancestor", commit, tip];
            Ok(Some(matches!(ask(dir, &words)?, TrimmedOutput::Yes(_))))
        }
    }
}

/// A commit, and the first line of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSummary {
    /// Full hash.
    pub commit: String,
    /// First line of the message.
    pub subject: String,
}

/// Returns the commits from `good` to `bad`, both included, the oldest first: along first parents, so
/// that a merged branch is one step.
pub fn between(dir: &Path, good: &str, bad: &str) -> Result<Vec<CommitSummary>, BaseError> {
    let (good, bad) = (commit(dir, good)?, commit(dir, bad)?);
    let named = |line: &str| {
        let (commit, subject) = line.split_once(' ').unwrap_or((line, ""));
        CommitSummary { commit: commit.to_owned(), subject: subject.to_owned() }
    };
    let first = must(dir, &["log", "--no-walk", "--format=%H %s", &good])?;
    let format = ["log", "--first-parent", "--reverse", "--ancestry-path", "--format=%H %s"];
    let later = must(dir, &[&format[..], &[&format!("{good}..{bad}")]].concat())?;
    let commits: Vec<CommitSummary> = first.lines().chain(later.lines()).map(named).collect();
    if commits.last().is_none_or(|last| last.commit != bad) {
        return Err(BaseError::NotAncestor { good, bad, hint: shallow_hint(dir)? });
    }
    Ok(commits)
}

/// Returns whether the checkout differs from its commit.
pub fn tree(dir: &Path) -> Result<WorkingTree, BaseError> {
    let changes = must(dir, &["status", "--porcelain", "--untracked-files=normal"])?;
    Ok(if changes.is_empty() { WorkingTree::Clean } else { WorkingTree::Changed })
}

/// Returns the hash of everything that a commit holds.
pub fn tree_hash(dir: &Path, commit: &str) -> Result<String, BaseError> {
    must(dir, &["rev-parse", "--verify", "--end-of-options", &format!("{commit}^{{tree}}")])
}

/// Returns the hash of everything that the checkout of a commit holds now, but for what git ignores and the
/// folders of `excluded`, whose paths are absolute.
pub fn checkout_hash(dir: &Path, commit: &str, excluded: &[PathBuf]) -> Result<String, BaseError> {
    let root = root(dir)?;
    let objects = root.join(must(&root, &["rev-parse", "--git-path", "objects"])?);
    let failed = |source| BaseError::NotStarted { program: "git".to_owned(), source };
    let folder = tempfile::tempdir().map_err(failed)?;
    // The user's repository gets neither the index nor the objects.
    let added = folder.path().join("objects");
    // Without it git says that this is no repository.
    fs::create_dir(&added).map_err(failed)?;
    let git = |words: &[&str]| {
        let mut command = git::command(&root);
        command.env("GIT_INDEX_FILE", folder.path().join("index"));
        command.env("GIT_OBJECT_DIRECTORY", &added);
        command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &objects);
        match run(command.args(words), &[])? {
            GitOutput::Yes(output) => Ok(String::from_utf8_lossy(&output).trim_end().to_owned()),
            GitOutput::No { reason, .. } => {
                Err(BaseError::Refused { command: words.join(" "), reason })
            }
        }
    };
    git(&["read-tree", commit])?;
    let inside = excluded.iter().filter_map(|path| path.strip_prefix(&root).ok()?.to_str());
    // `git add` ends with an error where a path that it is to leave out is one that it ignores.
    let (ignored, known): (Vec<&str>, Vec<&str>) = inside.partition(|path| {
        let words = ["check-ignore", "--quiet", "--no-index", "--", path];
        run(git::command(&root).args(words), &[]).is_ok_and(|it| matches!(it, GitOutput::Yes(_)))
    });
    let left_out: Vec<String> =
        known.into_iter().map(|path| format!(":(exclude,literal){path}")).collect();
    let left_out: Vec<&str> = left_out.iter().map(String::as_str).collect();
    git(&[&["add", "--all", "--", "."][..], &left_out].concat())?;
    for path in ignored {
        // Of files that are tracked in spite of that, as the commit has them.
        git(&["reset", "--quiet", commit, "--", &format!(":(literal){path}")])?;
    }
    git(&["write-tree"])
}

/// Returns the path of `dir` from the root of the checkout, empty for the root itself.
pub(super) fn prefix(dir: &Path) -> Result<PathBuf, BaseError> {
    must(dir, &["rev-parse", "--show-prefix"]).map(PathBuf::from)
}

fn shallow_hint(dir: &Path) -> Result<Option<String>, BaseError> {
    let shallow = must(dir, &["rev-parse", "--is-shallow-repository"])? == "true";
    let hint = "this clone is shallow; in GitHub Actions, give `actions/checkout` \
                `fetch-depth: 0`, elsewhere run `git fetch --unshallow`";
    Ok(shallow.then(|| hint.to_owned()))
}

/// What git printed, without the end of the line, or why it refused.
enum TrimmedOutput {
    Yes(String),
    No(String),
}

pub(super) fn must(dir: &Path, words: &[&str]) -> Result<String, BaseError> {
    match ask(dir, words)? {
        TrimmedOutput::Yes(output) => Ok(output),
        TrimmedOutput::No(reason) => Err(BaseError::Refused { command: words.join(" "), reason }),
    }
}

fn ask(dir: &Path, words: &[&str]) -> Result<TrimmedOutput, BaseError> {
    Ok(match run(git::command(dir).args(words), &[])? {
        GitOutput::Yes(output) => {
            TrimmedOutput::Yes(String::from_utf8_lossy(&output).trim_end().to_owned())
        }
        GitOutput::No { reason, .. } => TrimmedOutput::No(reason),
    })
}

/// Runs git. That it refuses a repository as a whole is no answer to any question about it.
pub(super) fn run(command: &mut Command, input: &[u8]) -> Result<GitOutput, BaseError> {
    let answer = git::ask(command, input).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => BaseError::NoGit,
        _ => BaseError::NotStarted { program: "git".to_owned(), source },
    })?;
    match answer {
        GitOutput::No { reason, .. } if reason.contains("safe.directory") => {
            Err(BaseError::ForeignOwner { reason })
        }
        answer => Ok(answer),
    }
}
