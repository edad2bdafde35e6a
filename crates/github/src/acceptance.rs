//! Finds out whether a person with write access has accepted a regression.
//!
//! The word of a person counts if that person may write to the repository now; what GitHub calls
//! the author's association does not say so. A label can be set with fewer rights than that, so who
//! set it is looked up as well. An acceptance holds for the pull request until its comment or label
//! is removed; it never excuses what could not be measured.

use serde::Deserialize;

use super::api::{ApiClient, ApiError};
use super::comment::Conversation;
use super::publication::Acceptance;
use super::sanitize;

/// The command of a comment; the rest of its line is the reason.
pub const COMMAND: &str = "/xmlperf accept";

/// The label that says the same.
pub const LABEL: &str = "xmlperf-accept";

/// Only so many people's rights are looked up, the latest first.
const LOOKUPS_MAX: usize = 5;

/// Returns the latest acceptance that counts.
pub fn find(
    client: &ApiClient<'_>,
    conversation: &Conversation,
) -> Result<Option<Acceptance>, ApiError> {
    for candidate in commands(conversation).into_iter().take(LOOKUPS_MAX) {
        if may_write(client, &candidate.login)? {
            return Ok(Some(candidate.into()));
        }
    }
    match labelled_by(client, conversation.number)? {
        Some(login) if may_write(client, &login)? => {
            let reason = format!("label {LABEL}");
            Ok(Some(AcceptanceCandidate { login, reason }.into()))
        }
        Some(_) | None => Ok(None),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct AcceptanceCandidate {
    login: String,
    reason: String,
}

impl From<AcceptanceCandidate> for Acceptance {
    fn from(candidate: AcceptanceCandidate) -> Self {
        Self { by: sanitize::text(&candidate.login), reason: sanitize::text(&candidate.reason) }
    }
}

/// One for each person, the latest first.
fn commands(conversation: &Conversation) -> Vec<AcceptanceCandidate> {
    let mut found: Vec<AcceptanceCandidate> = Vec::new();
    for comment in conversation.comments.iter().rev() {
        let Some(login) = comment.author() else { continue };
        let Some(reason) = reason(comment.body()) else { continue };
        if found.iter().all(|earlier| earlier.login != login) {
            found.push(AcceptanceCandidate { login: login.to_owned(), reason: reason.to_owned() });
        }
    }
    found
}

/// Returns the reason if a line of `body` is the command. A quoted or an indented one is not, nor
/// is one without a reason.
fn reason(body: &str) -> Option<&str> {
    body.lines().find_map(|line| {
        let rest = line.strip_prefix(COMMAND)?;
        let reason = rest.strip_prefix([' ', '\t'])?.trim();
        (!reason.is_empty()).then_some(reason)
    })
}

/// A bot's login has brackets, and a bot has no say.
fn is_person(login: &str) -> bool {
    !login.is_empty() && login.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn may_write(client: &ApiClient<'_>, login: &str) -> Result<bool, ApiError> {
    #[derive(Deserialize)]
    struct PermissionLevel {
        permission: String,
        /// Finer than `permission`, and of an enterprise's own making too; an older server has none.
        #[serde(default)]
        role_name: String,
    }
    if !is_person(login) {
        return Ok(false);
    }
    let path = client.below(&format!("collaborators/{login}/permission"));
    match client.get::<PermissionLevel>(path, Vec::new()) {
        Ok(level) => Ok([level.permission, level.role_name].iter().any(|it| writes(it))),
        Err(ApiError::Refused { status: 404, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn writes(level: &str) -> bool {
    matches!(level, "admin" | "maintain" | "write")
}

#[derive(Debug, Deserialize)]
struct LabelEvent {
    event: String,
    label: Option<IssueLabel>,
    actor: Option<EventActor>,
}

#[derive(Debug, Deserialize)]
struct IssueLabel {
    name: String,
}

#[derive(Debug, Deserialize)]
struct EventActor {
    login: String,
}

/// Who set the label, if it is still there.
fn labelled_by(client: &ApiClient<'_>, number: u64) -> Result<Option<String>, ApiError> {
    let labels: Vec<IssueLabel> =
        client.list(&client.below(&format!("issues/{number}/labels")), &[])?;
    if labels.iter().all(|label| label.name != LABEL) {
        return Ok(None);
    }
    let events: Vec<LabelEvent> =
        client.list(&client.below(&format!("issues/{number}/events")), &[])?;
    let set = events.into_iter().rev().find(|event| {
        event.event == "labeled" && event.label.as_ref().is_some_and(|label| label.name == LABEL)
    });
    Ok(set.and_then(|event| event.actor).map(|actor| actor.login))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_starts_its_line_and_has_a_reason() {
        let check = |body, expected| assert_eq!(reason(body), expected, "{body}");
        check("/xmlperf accept new feature needs it", Some("new feature needs it"));
        check("I looked.\r\n/xmlperf accept\tworth it\r\nThanks", Some("worth it"));
        check("/xmlperf accept", None);
        check("/xmlperf accept  \n", None);
        check("/xmlperf acceptable", None);
        check("> /xmlperf accept quoted", None);
        check("    /xmlperf accept code", None);
    }

    #[test]
    fn a_bot_accepts_nothing() {
        assert!(is_person("octocat") && is_person("mona_corp"));
        assert!(!is_person("github-actions[bot]") && !is_person("a/../b") && !is_person(""));
    }
}
