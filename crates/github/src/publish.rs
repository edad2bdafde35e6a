//! Puts a publication everywhere it belongs, and says what became of each part.
//!
//! What the job itself shows comes first and cannot fail for reasons of the network. Each further
//! part is tried whatever became of the one before. Where the code comes from a fork the token is
//! meant to be unable to write: that is then a remark and not a failure.

use miette::Diagnostic;
use serde::Deserialize;
use thiserror::Error;

use super::acceptance;
use super::api::{ApiClient, ApiError};
use super::check::{self, CheckKind, CheckPolicy};
use super::comment::{self, CommentId, CommentPolicy, Conversation};
use super::context::{
    CodeOrigin, CommitId, GithubContext, MeasuredEvent, MeasurementRun, WorkflowEvent,
};
use super::job::{self, JobError};
use super::publication::{
    Acceptance, Annotation, CheckGate, Conclusion, FailOn, Publication, PublicationOutcome,
};
use super::truncation::fit;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct PublishSettings {
    /// Which conclusions shut the gate.
    pub fail_on: FailOn,
    /// When to begin a comment.
    pub comment: CommentPolicy,
    /// Which comment, and which check.
    pub comment_id: CommentId,
    /// What to write on the commit.
    pub check: CheckPolicy,
}

/// What became of a publication.
#[derive(Debug)]
pub struct PublicationResult {
    /// What the conclusion does to the pull request.
    pub gate: CheckGate,
    /// Who excused a regression, if anybody did.
    pub acceptance: Option<Acceptance>,
    /// The address of the comment, if there is one now.
    pub comment_url: Option<String>,
    /// The address of the check, if there is one now.
    pub check_url: Option<String>,
    /// Annotations that no check carries, as many as GitHub shows of a log.
    pub unpublished_annotations: Vec<Annotation>,
    /// What a person should know although nothing is wrong.
    pub remarks: Vec<String>,
    /// What could not be published.
    pub failures: Vec<PublishError>,
}

/// Why a part of a publication did not get through.
#[derive(Debug, Error, Diagnostic)]
pub enum PublishError {
    /// There is nothing to authenticate with.
    #[error("no token, so no comment and no check")]
    #[diagnostic(help("set `GITHUB_TOKEN`"))]
    NoToken,
    /// The pull request or what was said on it is unknown.
    #[error("failed to read the pull request")]
    PullRequest(#[source] ApiError),
    /// Whether the regression is accepted could not be read.
    #[error("failed to find out whether the regression was accepted")]
    Acceptance(#[source] ApiError),
    /// The comment is not there, or not up to date.
    #[error("failed to publish the comment")]
    Comment(#[source] ApiError),
    /// The check is not there.
    #[error("failed to publish the check")]
    Check(#[source] ApiError),
    /// The summary or the outputs were not written.
    #[error("failed to tell the job")]
    Job(#[source] JobError),
}

impl PublicationResult {
    fn new(gate: CheckGate) -> Self {
        Self {
            gate,
            acceptance: None,
            comment_url: None,
            check_url: None,
            unpublished_annotations: Vec::new(),
            remarks: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Notes a failure, or a remark where a fork's token was refused, or where the conversation is
    /// locked: no right of the token would change that, and the verdict stands in the check.
    fn note(&mut self, origin: CodeOrigin, failure: PublishError) {
        if let PublishError::Comment(ApiError::Forbidden { message, .. }) = &failure
            && message.contains("locked")
        {
            let remark = "the conversation of the pull request is locked: no comment; the report is in \
                          the summary of the job";
            return self.remarks.push(remark.to_owned());
        }
        let refused = matches!(
            &failure,
            PublishError::Comment(ApiError::Forbidden { .. })
                | PublishError::Check(ApiError::Forbidden { .. })
                | PublishError::Acceptance(ApiError::Forbidden { .. })
        );
        if origin == CodeOrigin::Repository || !refused {
            return self.failures.push(failure);
        }
        let remark = "the token of a fork's pull request may only read: the report is in the \
                      summary of the job; docs/github.md has the workflow that publishes it";
        if self.remarks.iter().all(|said| said != remark) {
            self.remarks.push(remark.to_owned());
        }
    }
}

/// Publishes as `settings` want. Without a client, only the job itself is written to.
pub fn publish(
    publication: &Publication,
    settings: &PublishSettings,
    context: &GithubContext,
    client: Option<&ApiClient<'_>>,
) -> PublicationResult {
    let mut published = PublicationResult::new(settings.fail_on.gate(publication.conclusion, None));
    let wanted = settings.comment != CommentPolicy::Never || settings.check != CheckPolicy::None;
    // GitHub shows ten annotations of a log, and drops the rest without a word.
    published.unpublished_annotations = publication.annotations.iter().take(10).cloned().collect();
    let mut body = publication.body.clone();
    match client {
        Some(client) => remote(publication, settings, context, client, &mut body, &mut published),
        None if wanted => published.failures.push(PublishError::NoToken),
        None => {}
    }
    if let Err(error) = tell_job(publication, context, &body, &published) {
        published.failures.push(PublishError::Job(error));
    }
    published
}

/// Comment and check, and before them whether the regression was accepted.
fn remote(
    publication: &Publication,
    settings: &PublishSettings,
    context: &GithubContext,
    client: &ApiClient<'_>,
    body: &mut String,
    published: &mut PublicationResult,
) {
    let mut conversation = conversation(publication, settings, context, client, published);
    if let (Some(read), Conclusion::Regressed) = (&mut conversation, publication.conclusion) {
        match acceptance::find(client, read) {
            Ok(acceptance) => published.acceptance = acceptance,
            Err(error) => published.note(context.origin, PublishError::Acceptance(error)),
        }
        if comments(settings, context) {
            // That took a while, in which a later run may have commented.
            match Conversation::read(client, read.number) {
                Ok(latest) => *read = latest,
                Err(error) => published.failures.push(PublishError::PullRequest(error)),
            }
        }
    }
    let acceptance = published.acceptance.as_ref();
    published.gate = settings.fail_on.gate(publication.conclusion, acceptance);
    if let Some(acceptance) = acceptance {
        *body = excused(acceptance, body);
    }
    if let Some(conversation) = conversation.as_ref().filter(|_| comments(settings, context)) {
        comment(publication, settings, context, client, conversation, body, published);
    }
    check(publication, settings, context, client, body, published);
}

/// The verdict comes first, and the verdict is now an acceptance.
fn excused(acceptance: &Acceptance, body: &str) -> String {
    let Acceptance { by, reason } = acceptance;
    format!("### 🟡 xmlperf: regression accepted by `{by}`\n> {reason}\n\n{body}")
}

/// Whether a comment is brought up to date or begun: of a pull request, and not of a queue's commits.
fn comments(settings: &PublishSettings, context: &GithubContext) -> bool {
    let is_of_queue = matches!(context.event, WorkflowEvent::MergeGroup { .. });
    settings.comment != CommentPolicy::Never && !is_of_queue
}

fn conversation(
    publication: &Publication,
    settings: &PublishSettings,
    context: &GithubContext,
    client: &ApiClient<'_>,
    published: &mut PublicationResult,
) -> Option<Conversation> {
    // An acceptance matters only where a regression would show.
    let shows = settings.check != CheckPolicy::None || settings.fail_on != FailOn::Never;
    let may_be_accepted = publication.conclusion == Conclusion::Regressed && shows;
    // What was accepted on the pull request holds in a queue as well, which would throw it out.
    if !comments(settings, context) && !may_be_accepted {
        return None;
    }
    let number = match pull_request(context, client) {
        Ok(PullRequestLookup::Found(number)) => number,
        Ok(PullRequestLookup::None) => return None,
        Ok(PullRequestLookup::Gone(why)) => {
            published.remarks.push(why);
            return None;
        }
        Err(error) => {
            published.failures.push(PublishError::PullRequest(error));
            return None;
        }
    };
    match Conversation::read(client, number) {
        Ok(conversation) => Some(conversation),
        Err(error) => {
            published.failures.push(PublishError::PullRequest(error));
            None
        }
    }
}

enum PullRequestLookup {
    Found(u64),
    /// The event has nothing to do with one.
    None,
    /// There was one; the text says why it is not commented on.
    Gone(String),
}

fn pull_request(
    context: &GithubContext,
    client: &ApiClient<'_>,
) -> Result<PullRequestLookup, ApiError> {
    match &context.event {
        WorkflowEvent::PullRequest { number, .. } => Ok(PullRequestLookup::Found(*number)),
        WorkflowEvent::WorkflowRun(measured) => match measured.of {
            MeasuredEvent::PullRequest => resolve(client, measured, &context.head),
            MeasuredEvent::Other => Ok(PullRequestLookup::None),
        },
        WorkflowEvent::MergeGroup { pull_request: Some(number), .. } => {
            Ok(PullRequestLookup::Found(*number))
        }
        WorkflowEvent::Push { .. } | WorkflowEvent::MergeGroup { .. } | WorkflowEvent::Other => {
            Ok(PullRequestLookup::None)
        }
    }
}

#[derive(Debug, Deserialize)]
struct OpenPullRequest {
    number: u64,
    head: PullRequestHead,
}

#[derive(Debug, Deserialize)]
struct PullRequestHead {
    sha: String,
    repo: Option<RepositoryName>,
}

#[derive(Debug, Deserialize)]
struct RepositoryName {
    full_name: String,
}

/// Finds the pull request of a finished run from what GitHub says about the run. What the run left
/// behind is not used: a fork could name any pull request there.
fn resolve(
    client: &ApiClient<'_>,
    measured: &MeasurementRun,
    head: &CommitId,
) -> Result<PullRequestLookup, ApiError> {
    let Some(repository) = &measured.head_repository else {
        return Ok(PullRequestLookup::Gone("the fork has been deleted: no comment".to_owned()));
    };
    let branch = format!("{}:{}", repository.owner(), measured.head_branch);
    let query = [("state", "open".to_owned()), ("head", branch)];
    let open: Vec<OpenPullRequest> = client.list(&client.below("pulls"), &query)?;
    let from = |side: &PullRequestHead| {
        let name = side.repo.as_ref().map(|repo| repo.full_name.as_str());
        side.sha == head.as_str() && name == Some(repository.to_string().as_str())
    };
    let found: Vec<u64> = open.iter().filter(|it| from(&it.head)).map(|it| it.number).collect();
    match found.as_slice() {
        [number] => Ok(PullRequestLookup::Found(*number)),
        [] => Ok(PullRequestLookup::Gone(format!(
            "no open pull request has {} as its head any more: no comment",
            head.short()
        ))),
        [..] => Ok(PullRequestLookup::Gone(format!(
            "several open pull requests have {} as their head: no comment",
            head.short()
        ))),
    }
}

fn comment(
    publication: &Publication,
    settings: &PublishSettings,
    context: &GithubContext,
    client: &ApiClient<'_>,
    conversation: &Conversation,
    body: &str,
    published: &mut PublicationResult,
) {
    let remark =
        format!("<sub>Shortened: see the [summary of the job]({}).</sub>", context.run_url());
    // The marker takes a line of at most 120 bytes.
    let body = fit(body, comment::BYTES_MAX - 120, &remark);
    let draft = comment::CommentDraft {
        id: &settings.comment_id,
        head: &context.head,
        run: context.run,
        body: &body,
    };
    let conclusion = publication.conclusion;
    match comment::publish(client, conversation, draft, settings.comment, conclusion) {
        Ok(PublicationOutcome::Published { url }) => published.comment_url = Some(url),
        Ok(PublicationOutcome::Unwanted) => {}
        Ok(PublicationOutcome::Outdated { by }) => published
            .remarks
            .push(format!("the later run {by} has commented already: its comment stands")),
        Err(error) => published.note(context.origin, PublishError::Comment(error)),
    }
}

fn check(
    publication: &Publication,
    settings: &PublishSettings,
    context: &GithubContext,
    client: &ApiClient<'_>,
    body: &str,
    published: &mut PublicationResult,
) {
    let title = match &published.acceptance {
        Some(Acceptance { by, reason }) => {
            format!("accepted by {by} ({reason}): {}", publication.title)
        }
        None => publication.title.clone(),
    };
    let summary = match &published.acceptance {
        Some(Acceptance { by, .. }) => format!("accepted by {by}: {}", publication.summary),
        None => publication.summary.clone(),
    };
    let draft = check::CheckDraft {
        name: &settings.comment_id.check_name(),
        head: &context.head,
        run: context.run,
        run_url: &context.run_url(),
        gate: published.gate,
        title: &title,
        body,
        summary: &summary,
        annotations: &publication.annotations,
    };
    let written = check::publish(client, draft, settings.check);
    if let Ok((CheckKind::CheckRun, _)) = written {
        published.unpublished_annotations.clear();
    }
    match written.map(|(_, outcome)| outcome) {
        Ok(PublicationOutcome::Published { url }) => published.check_url = Some(url),
        Ok(PublicationOutcome::Unwanted) => {}
        Ok(PublicationOutcome::Outdated { by }) => published
            .remarks
            .push(format!("the later run {by} has checked this commit: its check stands")),
        Err(error) => published.note(context.origin, PublishError::Check(error)),
    }
}

fn tell_job(
    publication: &Publication,
    context: &GithubContext,
    body: &str,
    published: &PublicationResult,
) -> Result<(), JobError> {
    if let Some(path) = &context.summary_file {
        job::write_summary(path, body)?;
    }
    let Some(path) = &context.output_file else { return Ok(()) };
    let mut outputs = vec![("verdict".to_owned(), publication.conclusion.key().to_owned())];
    outputs.extend(publication.outputs.iter().cloned());
    outputs.push(("head-sha".to_owned(), context.head.as_str().to_owned()));
    let url = |url: &Option<String>| url.clone().unwrap_or_default();
    outputs.push(("comment-url".to_owned(), url(&published.comment_url)));
    outputs.push(("check-url".to_owned(), url(&published.check_url)));
    let by = published.acceptance.as_ref().map(|it| it.by.clone());
    outputs.push(("accepted-by".to_owned(), by.unwrap_or_default()));
    job::write_outputs(path, &outputs)
}
