//! Keeps one comment on a pull request, the last word of the latest run.
//!
//! The comment is recognised by a marker in its first line and by its author: anybody can write the
//! marker, and a copy of it in a person's own comment must not be overwritten. The oldest match is
//! ours, later ones are the trace of a race and are removed, so that no outdated verdict is left
//! standing. A run never overwrites what a later run has said.

use std::fmt;

use serde::Deserialize;
use serde_json::json;
use thiserror::Error;

use super::api::{ApiClient, ApiError};
use super::context::{CommitId, RunId};
use super::publication::{Conclusion, PublicationOutcome};
use super::transport::HttpMethod;

/// Largest comment we write. GitHub takes 65 536 characters; the rest is for what it may count
/// differently.
pub const BYTES_MAX: usize = 60_000;

/// Name of a comment, for repositories in which several workflows report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentId(String);

/// A name holds other characters, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("up to 40 letters, digits, `-` and `_` are allowed")]
pub struct CommentIdError;

impl CommentId {
    /// Reads 1 to 40 letters, digits, `-` and `_`.
    pub fn parse(text: &str) -> Result<Self, CommentIdError> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !(1..=40).contains(&text.len()) || !text.chars().all(known) {
            return Err(CommentIdError);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the beginning of the names of files that belong to the comment.
    pub fn file_stem(&self) -> String {
        match self.0.as_str() {
            "default" => "xmlperf".to_owned(),
            id => format!("xmlperf-{id}"),
        }
    }

    /// Returns the name of the check that belongs to the comment.
    pub fn check_name(&self) -> String {
        match self.0.as_str() {
            "default" => "xmlperf".to_owned(),
            id => format!("xmlperf ({id})"),
        }
    }
}

/// When a comment is begun. One that exists is always brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentPolicy {
    /// On every pull request.
    Always,
    /// If there is anything to say but that nothing changed.
    OnChange,
    /// If something is worse, or could not be measured.
    OnRegression,
    /// Not at all, not even to update.
    Never,
}

impl CommentPolicy {
    fn begins(self, conclusion: Conclusion) -> bool {
        match self {
            Self::Always => true,
            Self::OnChange => conclusion != Conclusion::Pass,
            Self::OnRegression => {
                matches!(conclusion, Conclusion::Regressed | Conclusion::Error)
            }
            Self::Never => false,
        }
    }
}

/// The first line of our comment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CommentMarker {
    id: CommentId,
    run: RunId,
}

impl CommentMarker {
    fn line(&self, head: &CommitId) -> String {
        format!("<!-- xmlperf:v1 id={} head={} run={} -->", self.id.0, head.short(), self.run)
    }

    fn read(body: &str) -> Option<Self> {
        let line = body.lines().next()?;
        let fields = line.strip_prefix("<!-- xmlperf:v1 ")?.strip_suffix(" -->")?;
        let field = |name: &str| {
            fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let (id, attempt) = field("run")?.split_once('.')?;
        let run = RunId { id: id.parse().ok()?, attempt: attempt.parse().ok()? };
        Some(Self { id: CommentId::parse(field("id")?).ok()?, run })
    }
}

/// A comment, as far as we look at it.
#[derive(Debug, Clone, Deserialize)]
pub struct IssueComment {
    id: u64,
    body: Option<String>,
    user: Option<CommentAuthor>,
    #[serde(default)]
    html_url: String,
}

#[derive(Debug, Clone, Deserialize)]
struct CommentAuthor {
    login: String,
}

impl IssueComment {
    /// Returns the text.
    pub fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    /// Returns who wrote it, unless the account is gone.
    pub fn author(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.login.as_str())
    }
}

/// Everything that was said on a pull request.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// The pull request.
    pub number: u64,
    /// All comments, the oldest first.
    pub comments: Vec<IssueComment>,
}

impl Conversation {
    /// Reads all comments of pull request `number`.
    pub fn read(client: &ApiClient<'_>, number: u64) -> Result<Self, ApiError> {
        let path = client.below(&format!("issues/{number}/comments"));
        let mut comments: Vec<IssueComment> = client.list(&path, &[])?;
        comments.sort_by_key(|comment| comment.id);
        Ok(Self { number, comments })
    }

    /// Our comments of that name, the oldest first.
    fn ours(&self, id: &CommentId, login: &str) -> Vec<(&IssueComment, CommentMarker)> {
        let marked = |comment| Some((comment, CommentMarker::read(IssueComment::body(comment))?));
        let ours = self.comments.iter().filter(|comment| comment.author() == Some(login));
        ours.filter_map(marked).filter(|(_, marker)| marker.id == *id).collect()
    }
}

/// What is to be said.
#[derive(Debug, Clone, Copy)]
pub struct CommentDraft<'a> {
    /// Name of the comment.
    pub id: &'a CommentId,
    /// The commit that was judged.
    pub head: &'a CommitId,
    /// The run that measured.
    pub run: RunId,
    /// Markdown, without the marker, of at most [`BYTES_MAX`] less a line.
    pub body: &'a str,
}

/// Brings our comment up to date, or begins it if `policy` wants one for `conclusion`.
pub fn publish(
    client: &ApiClient<'_>,
    conversation: &Conversation,
    draft: CommentDraft<'_>,
    policy: CommentPolicy,
    conclusion: Conclusion,
) -> Result<PublicationOutcome, ApiError> {
    if policy == CommentPolicy::Never {
        return Ok(PublicationOutcome::Unwanted);
    }
    let login = client.login()?;
    let ours = conversation.ours(draft.id, &login);
    let latest = ours.iter().map(|(_, marker)| marker.run).max();
    if let Some(by) = latest.filter(|run| *run > draft.run) {
        return Ok(PublicationOutcome::Outdated { by });
    }
    let marker = CommentMarker { id: draft.id.clone(), run: draft.run };
    let body = format!("{}\n{}", marker.line(draft.head), draft.body);
    let Some(((oldest, _), duplicates)) = ours.split_first() else {
        if !policy.begins(conclusion) {
            return Ok(PublicationOutcome::Unwanted);
        }
        return begin(client, conversation.number, draft, &login, &body);
    };
    let path = |comment: &IssueComment| client.below(&format!("issues/comments/{}", comment.id));
    let comment: IssueComment = client.patch(path(oldest), json!({ "body": body }))?;
    for (duplicate, _) in duplicates {
        match client.delete(path(duplicate)) {
            // Another run was faster.
            Ok(()) | Err(ApiError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(PublicationOutcome::Published { url: comment.html_url })
}

fn begin(
    client: &ApiClient<'_>,
    number: u64,
    draft: CommentDraft<'_>,
    login: &str,
    body: &str,
) -> Result<PublicationOutcome, ApiError> {
    let look = || {
        let conversation = Conversation::read(client, number)?;
        let ours = conversation.ours(draft.id, login);
        Ok(ours.first().map(|(comment, _)| (*comment).clone()))
    };
    let path = client.below(&format!("issues/{number}/comments"));
    let comment = client.once(HttpMethod::Post, path, json!({ "body": body }), &look)?;
    Ok(PublicationOutcome::Published { url: comment.html_url })
}

impl fmt::Display for CommentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_marker_is_the_whole_first_line_or_none() {
        let check = |body: &str, run: Option<(u64, u64)>| {
            let read = CommentMarker::read(body).map(|marker| (marker.run.id, marker.run.attempt));
            assert_eq!(read, run, "{body}");
        };
        check("<!-- xmlperf:v1 id=default head=9f3c2ab run=4812.1 -->\n### ok", Some((4812, 1)));
        check("<!-- xmlperf:v1 id=default head=9f3c2ab run=4812.1 later=x -->", Some((4812, 1)));
        check("> <!-- xmlperf:v1 id=default head=9f3c2ab run=4812.1 -->", None);
        check("hello\n<!-- xmlperf:v1 id=default head=9f3c2ab run=4812.1 -->", None);
        check("<!-- xmlperf:v1 id=default head=9f3c2ab run=-1.1 -->", None);
        check("<!-- xmlperf:v1 id=a/b head=9f3c2ab run=1.1 -->", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(id in "[A-Za-z0-9_-]{1,40}", run: u64, attempt: u64) {
            let run = RunId { id: run, attempt };
            let marker = CommentMarker { id: CommentId::parse(&id).unwrap(), run };
            let head = CommitId::parse(&"9f3c2ab1".repeat(5)).unwrap();
            prop_assert_eq!(CommentMarker::read(&marker.line(&head)), Some(marker));
        }

        #[test]
        fn no_body_makes_it_panic(body in "(<!-- xmlperf:v1 )?\\PC{0,40}( -->)?") {
            let _ = CommentMarker::read(&body);
        }
    }
}
