//! Finds the commit that a change is to be compared with, from the event and the clone at hand.
//!
//! For a pull request GitHub checks out a merge that exists nowhere else. Its first parent is the
//! base that the merge was made with, which is what the change would land on; the base in the event
//! may be older. Where the clone has no such merge, the merge base is next best; where the clone is
//! too shallow to know it, GitHub does.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::Diagnostic;
use serde::Deserialize;
use thiserror::Error;

use super::api::{ApiClient, ApiError};
use super::context::{CommitId, GithubContext, WorkflowEvent};

/// Why there is nothing to compare with.
#[derive(Debug, Error, Diagnostic)]
pub enum BaseCommitError {
    /// Git does not run.
    #[error("failed to run `git` in `{directory}`")]
    NoGit {
        /// The clone.
        directory: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The clone does not have the commit, and cannot fetch it.
    #[error("the clone does not have the base commit {commit}")]
    #[diagnostic(help(
        "set `fetch-depth: 2` for `actions/checkout` in a workflow for pull requests, `fetch-depth: 0` in others"
    ))]
    Shallow {
        /// The commit, or what is known of it.
        commit: String,
    },
    /// Git runs, and does not read the clone.
    #[error("git does not read the checkout `{directory}`: {reason}")]
    Unreadable {
        /// The clone.
        directory: PathBuf,
        /// What git said.
        reason: String,
        /// For the checkout of another user.
        #[help]
        hint: Option<&'static str>,
    },
    /// GitHub does not say where the branches parted.
    #[error(
        "failed to ask GitHub for the merge base of {base} and {head}, which the clone does not know"
    )]
    #[diagnostic(help(
        "give `actions/checkout` no `ref`, so that it checks out the merge of a pull request, or `fetch-depth: 0`"
    ))]
    Unknown {
        /// The base.
        base: String,
        /// The head.
        head: String,
        /// GitHub's reason.
        source: ApiError,
    },
    /// The event is about what another workflow measured.
    #[error("a finished workflow run has nothing checked out to compare")]
    NoChange,
}

/// Returns the base of the change that is checked out in `clone`; none if the head is the very first
/// commit.
pub fn find(
    context: &GithubContext,
    clone: &Path,
    client: Option<&ApiClient<'_>>,
) -> Result<Option<CommitId>, BaseCommitError> {
    let git = GitClone { clone };
    git.check()?;
    match &context.event {
        WorkflowEvent::PullRequest { base, .. } => match merged_into(&git, &context.head)? {
            Some(parent) => Ok(Some(parent)),
            None => parting(&git, base, &context.head, client).map(Some),
        },
        WorkflowEvent::MergeGroup { base, .. } => present(&git, base.clone()).map(Some),
        WorkflowEvent::Push { before: Some(before) } => {
            parting(&git, before, &context.head, client).map(Some)
        }
        WorkflowEvent::Push { before: None } | WorkflowEvent::Other => {
            branch_point(&git, context, client)
        }
        WorkflowEvent::WorkflowRun(_) => Err(BaseCommitError::NoChange),
    }
}

/// The first parent of the merge that GitHub made of `head` and its base, if that is checked out.
fn merged_into(git: &GitClone<'_>, head: &CommitId) -> Result<Option<CommitId>, BaseCommitError> {
    if git.commit(&["rev-parse", "--verify", "--quiet", "HEAD^2"])?.as_ref() != Some(head) {
        return Ok(None);
    }
    git.commit(&["rev-parse", "--verify", "--quiet", "HEAD^1"])
}

/// Where `head` left `base`: by the clone's history, or by GitHub's.
fn parting(
    git: &GitClone<'_>,
    base: &CommitId,
    head: &CommitId,
    client: Option<&ApiClient<'_>>,
) -> Result<CommitId, BaseCommitError> {
    #[derive(Deserialize)]
    struct CompareResponse {
        merge_base_commit: MergeBase,
    }
    #[derive(Deserialize)]
    struct MergeBase {
        sha: String,
    }
    if let Some(commit) = git.commit(&["merge-base", base.as_str(), head.as_str()])? {
        return Ok(commit);
    }
    let shallow = || BaseCommitError::Shallow { commit: base.as_str().to_owned() };
    let client = client.ok_or_else(shallow)?;
    let path = client.below(&format!("compare/{}...{}", base.as_str(), head.as_str()));
    let compared: CompareResponse = client.get(path, Vec::new()).map_err(|source| {
        let (base, head) = (base.as_str().to_owned(), head.as_str().to_owned());
        BaseCommitError::Unknown { base, head, source }
    })?;
    present(git, CommitId::parse(&compared.merge_base_commit.sha).ok_or_else(shallow)?)
}

/// Returns `commit` if the clone has it, or can get it.
fn present(git: &GitClone<'_>, commit: CommitId) -> Result<CommitId, BaseCommitError> {
    let object = format!("{}^{{commit}}", commit.as_str());
    if git.succeeds(&["cat-file", "-e", &object])? {
        return Ok(commit);
    }
    git.succeeds(&["fetch", "--quiet", "--depth=1", "--no-tags", "origin", commit.as_str()])?;
    if git.succeeds(&["cat-file", "-e", &object])? {
        return Ok(commit);
    }
    Err(BaseCommitError::Shallow { commit: commit.as_str().to_owned() })
}

/// Where the checked-out branch left the default one; on the default branch, the commit before.
///
/// The commit of the event is not always the one that is checked out: a comment, a clock or another
/// program starts a workflow on the default branch, and its steps may then choose a branch.
fn branch_point(
    git: &GitClone<'_>,
    context: &GithubContext,
    client: Option<&ApiClient<'_>>,
) -> Result<Option<CommitId>, BaseCommitError> {
    let head = git.commit(&["rev-parse", "--verify", "--quiet", "HEAD"])?;
    let head = head.unwrap_or_else(|| context.head.clone());
    let beyond = |commit: &CommitId| *commit != head;
    if let Some(default) = &context.default_branch {
        let branch = format!("refs/remotes/origin/{default}");
        let parted = git.commit(&["merge-base", &branch, head.as_str()])?;
        // A checkout of a branch that is not the default one, and not of all its history, has that one no further.
        let parted = match parted {
            None if context.head == head && git.is_shallow()? => {
                let tip = tip(default, &head, client)?;
                Some(parting(git, &tip, &head, client)?)
            }
            parted => parted,
        };
        if let Some(commit) = parted.filter(beyond) {
            return Ok(Some(commit));
        }
    }
    if context.head != head {
        let parted = parting(git, &context.head, &head, client)?;
        if beyond(&parted) {
            return Ok(Some(parted));
        }
    }
    let parent = format!("{}^1", head.as_str());
    let parent = git.commit(&["rev-parse", "--verify", "--quiet", &parent])?;
    if parent.is_none() && git.is_shallow()? {
        return Err(BaseCommitError::Shallow { commit: format!("before {}", head.as_str()) });
    }
    Ok(parent)
}

/// The last commit of a branch, as GitHub has it.
fn tip(
    branch: &str,
    head: &CommitId,
    client: Option<&ApiClient<'_>>,
) -> Result<CommitId, BaseCommitError> {
    #[derive(Deserialize)]
    struct ListedCommit {
        sha: String,
    }
    let unknown = || BaseCommitError::Shallow { commit: format!("where it left `{branch}`") };
    let client = client.ok_or_else(unknown)?;
    let query = vec![("sha", branch.to_owned()), ("per_page", "1".to_owned())];
    let listed: Vec<ListedCommit> =
        client.get(client.below("commits"), query).map_err(|source| BaseCommitError::Unknown {
            base: branch.to_owned(),
            head: head.as_str().to_owned(),
            source,
        })?;
    listed.first().and_then(|it| CommitId::parse(&it.sha)).ok_or_else(unknown)
}

/// What to do where git refuses to read the files of another user.
fn ownership_hint(reason: &str) -> Option<&'static str> {
    reason.contains("safe.directory").then_some(
        "the checkout belongs to another user, as in a job with `container`; run `git config --global \
         --add safe.directory \"$GITHUB_WORKSPACE\"` in a step before",
    )
}

struct GitClone<'a> {
    clone: &'a Path,
}

impl GitClone<'_> {
    /// Fails if git refuses the clone as a whole: every later question would seem to have no answer.
    fn check(&self) -> Result<(), BaseCommitError> {
        let output = self.run(&["rev-parse", "--git-dir"])?;
        if output.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let hint = ownership_hint(&reason);
        Err(BaseCommitError::Unreadable { directory: self.clone.to_owned(), reason, hint })
    }

    /// Returns the commit that `arguments` make git print, if they do.
    fn commit(&self, arguments: &[&str]) -> Result<Option<CommitId>, BaseCommitError> {
        let output = self.run(arguments)?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(if output.status.success() { CommitId::parse(text.trim()) } else { None })
    }

    fn is_shallow(&self) -> Result<bool, BaseCommitError> {
        let output = self.run(&["rev-parse", "--is-shallow-repository"])?;
        Ok(output.stdout.starts_with(b"true"))
    }

    fn succeeds(&self, arguments: &[&str]) -> Result<bool, BaseCommitError> {
        Ok(self.run(arguments)?.status.success())
    }

    fn run(&self, arguments: &[&str]) -> Result<std::process::Output, BaseCommitError> {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.clone).args(arguments);
        git.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        git.output()
            .map_err(|source| BaseCommitError::NoGit { directory: self.clone.to_owned(), source })
    }
}
