//! Reads from GitHub's environment what happened, to which commit, and what may be done about it.
//!
//! The only place here that reads the environment, and it takes a function for it, so that every
//! event is a test. Names and numbers are checked before they become part of an address; a branch
//! may be called anything and only ever travels as an encoded query.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::Deserialize;
use thiserror::Error;

use super::transport::Token;

/// Why the environment tells no story.
#[derive(Debug, Error, Diagnostic)]
pub enum ContextError {
    /// A variable that GitHub sets is missing.
    #[error("`{variable}` is not set")]
    #[diagnostic(help("this command runs inside GitHub Actions, or with its variables set"))]
    Missing {
        /// The variable.
        variable: &'static str,
    },
    /// A variable or a field of the event has an impossible value.
    #[error("`{name}` is `{value}`, not {expected}")]
    Invalid {
        /// The variable or field.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The file that describes the event cannot be read.
    #[error("failed to read the event `{path}`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The event is described in a way that makes no sense.
    #[error("failed to parse the `{event}` event `{path}`")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The kind of event.
        event: String,
        /// The parser's reason.
        source: serde_json::Error,
    },
}

/// `owner/name`, both checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// Reads `owner/name`.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        let sound = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part.len() <= 100 && part.chars().all(known) && part != ".."
        };
        (sound(owner) && sound(name) && name != ".")
            .then(|| Self { owner: owner.to_owned(), name: name.to_owned() })
    }

    /// Returns the account that the repository belongs to.
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// The full name of a commit: 40 or 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitId(String);

impl CommitId {
    /// Reads a full name.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let sound = matches!(text.len(), 40 | 64) && text.bytes().all(hex);
        (sound && text.bytes().any(|c| c != b'0')).then(|| Self(text.to_owned()))
    }

    /// Returns the full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first seven digits.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

/// Which run of a workflow measured: later runs are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId {
    /// Number of the run, rising over time.
    pub id: u64,
    /// Number of the attempt, from 1.
    pub attempt: u64,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.attempt)
    }
}

/// Who wrote the code that is judged, as far as it decides what the token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeOrigin {
    /// A user who may push here.
    Repository,
    /// A fork, or a bot that is treated like one: the token can usually only read.
    Fork,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowEvent {
    /// A pull request was opened or changed.
    PullRequest {
        /// Its number.
        number: u64,
        /// The tip of the branch that it wants to change.
        base: CommitId,
    },
    /// Commits were pushed.
    Push {
        /// The tip before, unless the branch is new.
        before: Option<CommitId>,
    },
    /// A queue wants to merge.
    MergeGroup {
        /// What it wants to merge into.
        base: CommitId,
        /// The pull request that it is for, as the name of the queue's branch says.
        pull_request: Option<u64>,
    },
    /// Another workflow has finished, usually one that measured a fork without rights to publish.
    WorkflowRun(MeasurementRun),
    /// A user, or a schedule, started the workflow.
    Other,
}

/// The workflow run that measured, as GitHub describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasurementRun {
    /// Its number.
    pub run: RunId,
    /// Where the judged commit comes from; gone if the fork was deleted.
    pub head_repository: Option<Repository>,
    /// The branch there: any text.
    pub head_branch: String,
    /// Whether a pull request started it.
    pub of: MeasuredEvent,
}

/// What started the run that measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasuredEvent {
    /// A pull request: there is somewhere to comment.
    PullRequest,
    /// Anything else.
    Other,
}

/// Where this process runs, and about what.
#[derive(Debug, Clone)]
pub struct GithubContext {
    /// Root of the REST API, `https://api.github.com` or an enterprise server's.
    pub api_url: String,
    /// Root of the pages for people.
    pub server_url: String,
    /// The repository whose workflow this is.
    pub repository: Repository,
    /// The name of the branch that new work starts from, where the event tells.
    pub default_branch: Option<String>,
    /// The branch that the change is to go to: any text.
    pub base_branch: Option<String>,
    /// What happened.
    pub event: WorkflowEvent,
    /// The commit that is judged: the head of a pull request, not the merge that was built.
    pub head: CommitId,
    /// The run whose numbers these are.
    pub run: RunId,
    /// The run that this process is part of.
    pub here: RunId,
    /// What the token may be expected to do.
    pub origin: CodeOrigin,
    /// What authenticates, if anything.
    pub token: Option<Token>,
    /// The root of the checkout.
    pub workspace: Option<PathBuf>,
    /// File that becomes the job's summary.
    pub summary_file: Option<PathBuf>,
    /// File that becomes the step's outputs.
    pub output_file: Option<PathBuf>,
}

impl GithubContext {
    /// Reads the environment of this process.
    pub fn from_environment() -> Result<Self, ContextError> {
        #[expect(clippy::disallowed_methods, reason = "the one place here that reads it")]
        Self::read(&|name| std::env::var(name).ok())
    }

    /// Reads the environment `get`, in which an empty value is none.
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, ContextError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let need = |variable: &'static str| get(variable).ok_or(ContextError::Missing { variable });
        let name = need("GITHUB_EVENT_NAME")?;
        let path = PathBuf::from(need("GITHUB_EVENT_PATH")?);
        let payload = read_payload(&name, path)?;
        let slug = need("GITHUB_REPOSITORY")?;
        let repository = Repository::parse(&slug)
            .ok_or_else(|| invalid("GITHUB_REPOSITORY", &slug, "`owner/name`"))?;
        let here = RunId {
            id: number("GITHUB_RUN_ID", &need("GITHUB_RUN_ID")?)?,
            attempt: match get("GITHUB_RUN_ATTEMPT") {
                Some(attempt) => number("GITHUB_RUN_ATTEMPT", &attempt)?,
                None => 1,
            },
        };
        let checked_out = commit("GITHUB_SHA", &need("GITHUB_SHA")?)?;
        let (event, head) = happened(&name, &payload, checked_out)?;
        let actor = get("GITHUB_ACTOR").unwrap_or_default();
        let url = |variable: &str, usual: &str| get(variable).unwrap_or_else(|| usual.to_owned());
        Ok(Self {
            api_url: url("GITHUB_API_URL", "https://api.github.com"),
            server_url: url("GITHUB_SERVER_URL", "https://github.com"),
            origin: origin(&name, &payload, &repository, &actor),
            base_branch: base_branch(&payload),
            default_branch: payload.repository.and_then(|it| it.default_branch),
            run: match &event {
                WorkflowEvent::WorkflowRun(measured) => measured.run,
                WorkflowEvent::PullRequest { .. }
                | WorkflowEvent::Push { .. }
                | WorkflowEvent::MergeGroup { .. }
                | WorkflowEvent::Other => here,
            },
            here,
            repository,
            event,
            head,
            token: get("GITHUB_TOKEN").as_deref().and_then(Token::new),
            workspace: get("GITHUB_WORKSPACE").map(PathBuf::from),
            summary_file: get("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            output_file: get("GITHUB_OUTPUT").map(PathBuf::from),
        })
    }

    /// Returns the name that `path` has in the repository, if it is in the checkout.
    pub fn in_repository(&self, path: &Path) -> Option<PathBuf> {
        let inside = path.strip_prefix(self.workspace.as_ref()?).ok()?;
        Some(inside.components().collect())
    }

    /// Returns the address of the page of the run that measured.
    pub fn run_url(&self) -> String {
        let server = self.server_url.trim_end_matches('/');
        format!("{server}/{}/actions/runs/{}", self.repository, self.run.id)
    }

    /// Returns the address of the artifacts of the run that measured.
    pub fn artifacts_url(&self) -> String {
        format!("{}#artifacts", self.run_url())
    }

    /// Returns whether an address is that of an artifact of this repository, as the step that uploads one puts it out:
    /// nothing else becomes a link.
    pub fn is_artifact_url(&self, url: &str) -> bool {
        let server = self.server_url.trim_end_matches('/');
        let runs = format!("{server}/{}/actions/runs/", self.repository);
        let number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let ids = url.strip_prefix(&runs).and_then(|rest| rest.split_once("/artifacts/"));
        ids.is_some_and(|(run, artifact)| number(run) && number(artifact))
    }
}

#[derive(Debug, Default, Deserialize)]
struct EventPayload {
    repository: Option<RawRepository>,
    pull_request: Option<RawPullRequest>,
    before: Option<String>,
    merge_group: Option<RawMergeGroup>,
    workflow_run: Option<RawWorkflowRun>,
}

#[derive(Debug, Deserialize)]
struct RawRepository {
    full_name: Option<String>,
    default_branch: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RawPullRequest {
    number: u64,
    head: RawSide,
    base: RawSide,
}

#[derive(Debug, Deserialize)]
struct RawSide {
    sha: String,
    #[serde(rename = "ref")]
    branch: Option<String>,
    repo: Option<RawRepository>,
}

#[derive(Debug, Deserialize)]
struct RawMergeGroup {
    head_sha: String,
    base_sha: String,
    base_ref: Option<String>,
    #[serde(default)]
    head_ref: String,
}

#[derive(Debug, Deserialize)]
struct RawWorkflowRun {
    id: u64,
    #[serde(default = "first_attempt")]
    run_attempt: u64,
    event: String,
    head_sha: String,
    head_branch: Option<String>,
    head_repository: Option<RawRepository>,
}

fn first_attempt() -> u64 {
    1
}

fn read_payload(event: &str, path: PathBuf) -> Result<EventPayload, ContextError> {
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(source) => return Err(ContextError::Unreadable { path, source }),
    };
    serde_json::from_slice(&text).map_err(|source| {
        let event = event.to_owned();
        ContextError::Malformed { path, event, source }
    })
}

/// The number in `refs/heads/gh-readonly-queue/BRANCH/pr-NUMBER-COMMIT`.
fn queued(branch: &str) -> Option<u64> {
    let name = branch.strip_prefix("refs/heads/gh-readonly-queue/")?.rsplit('/').next()?;
    let (number, _) = name.strip_prefix("pr-")?.split_once('-')?;
    number.parse().ok()
}

/// The event, and the commit that it is about. `checked_out` is what the workflow was started for:
/// for a pull request that is a merge which is in no branch.
fn happened(
    name: &str,
    payload: &EventPayload,
    checked_out: CommitId,
) -> Result<(WorkflowEvent, CommitId), ContextError> {
    if let Some(pull_request) = &payload.pull_request {
        let head = commit("pull_request.head.sha", &pull_request.head.sha)?;
        let base = commit("pull_request.base.sha", &pull_request.base.sha)?;
        return Ok((WorkflowEvent::PullRequest { number: pull_request.number, base }, head));
    }
    match (name, &payload.merge_group, &payload.workflow_run) {
        ("merge_group", Some(group), _) => {
            let head = commit("merge_group.head_sha", &group.head_sha)?;
            let base = commit("merge_group.base_sha", &group.base_sha)?;
            let pull_request = queued(&group.head_ref);
            Ok((WorkflowEvent::MergeGroup { base, pull_request }, head))
        }
        ("workflow_run", _, Some(run)) => {
            let head = commit("workflow_run.head_sha", &run.head_sha)?;
            Ok((WorkflowEvent::WorkflowRun(measured(run)), head))
        }
        ("push", _, _) => {
            let before = payload.before.as_deref().and_then(CommitId::parse);
            Ok((WorkflowEvent::Push { before }, checked_out))
        }
        _ => Ok((WorkflowEvent::Other, checked_out)),
    }
}

fn measured(run: &RawWorkflowRun) -> MeasurementRun {
    MeasurementRun {
        run: RunId { id: run.id, attempt: run.run_attempt },
        head_repository: run.head_repository.as_ref().and_then(slug),
        head_branch: run.head_branch.clone().unwrap_or_default(),
        of: match run.event.as_str() {
            "pull_request" | "pull_request_target" => MeasuredEvent::PullRequest,
            _ => MeasuredEvent::Other,
        },
    }
}

fn slug(repository: &RawRepository) -> Option<Repository> {
    Repository::parse(repository.full_name.as_deref()?)
}

fn base_branch(payload: &EventPayload) -> Option<String> {
    let of_pull_request = payload.pull_request.as_ref().and_then(|it| it.base.branch.clone());
    let of_group = payload.merge_group.as_ref().and_then(|it| it.base_ref.clone());
    let branch = of_pull_request.or(of_group)?;
    Some(branch.strip_prefix("refs/heads/").unwrap_or(&branch).to_owned())
}

/// A deleted fork has no repository any more, and counts as a fork.
fn origin(event: &str, payload: &EventPayload, here: &Repository, actor: &str) -> CodeOrigin {
    match (event, &payload.pull_request) {
        ("pull_request" | "pull_request_review", Some(pull_request)) => {
            let head = pull_request.head.repo.as_ref().and_then(slug);
            if head.as_ref() == Some(here) && actor != "dependabot[bot]" {
                CodeOrigin::Repository
            } else {
                CodeOrigin::Fork
            }
        }
        _ => CodeOrigin::Repository,
    }
}

fn invalid(name: &'static str, value: &str, expected: &'static str) -> ContextError {
    let value = value.chars().take(100).collect();
    ContextError::Invalid { name, value, expected }
}

fn number(name: &'static str, value: &str) -> Result<u64, ContextError> {
    value.parse().map_err(|_| invalid(name, value, "a number"))
}

fn commit(name: &'static str, value: &str) -> Result<CommitId, ContextError> {
    CommitId::parse(value).ok_or_else(|| invalid(name, value, "the full name of a commit"))
}
