//! Gives the judged commit a check, or a status where the token may not write checks.
//!
//! A check run takes fifty annotations a request and appends them, so a batch whose answer was lost
//! is looked up by the number of annotations before it is sent again. The check run of a later run
//! on the same commit is left alone.

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{ApiClient, ApiError};
use super::context::{CommitId, RunId};
use super::publication::{Annotation, CheckGate, PublicationOutcome};
use super::transport::HttpMethod;
use super::truncation::fit;

/// What is written on a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckPolicy {
    /// A check run, or a commit status where that is refused.
    Auto,
    /// A check run or nothing.
    CheckRun,
    /// A commit status.
    Status,
    /// Nothing.
    None,
}

/// What is to be said.
#[derive(Debug, Clone, Copy)]
pub struct CheckDraft<'a> {
    /// Name of the check.
    pub name: &'a str,
    /// The judged commit.
    pub head: &'a CommitId,
    /// The run that measured.
    pub run: RunId,
    /// The page of that run.
    pub run_url: &'a str,
    /// Whether the check is green.
    pub gate: CheckGate,
    /// The headline.
    pub title: &'a str,
    /// The report as markdown.
    pub body: &'a str,
    /// One plain sentence.
    pub summary: &'a str,
    /// Remarks at places in files.
    pub annotations: &'a [Annotation],
}

const SUMMARY_BYTES_MAX: usize = 65_535;
const TITLE_CHARS_MAX: usize = 255;
const MESSAGE_CHARS_MAX: usize = 16_000;
const ANNOTATIONS_MAX: usize = 50;
const DESCRIPTION_CHARS_MAX: usize = 140;

#[derive(Debug, Clone, Deserialize)]
struct CheckRun {
    id: u64,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    output: CheckOutput,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct CheckOutput {
    #[serde(default)]
    annotations_count: usize,
}

#[derive(Debug, Deserialize)]
struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// A check run, which carries the annotations.
    CheckRun,
    /// A commit status, which does not, or nothing.
    Other,
}

/// Writes what `policy` asks for.
pub fn publish(
    client: &ApiClient<'_>,
    draft: CheckDraft<'_>,
    policy: CheckPolicy,
) -> Result<(CheckKind, PublicationOutcome), ApiError> {
    let check_run = |client, draft| Ok((CheckKind::CheckRun, check_run(client, draft)?));
    let status = |client, draft| Ok((CheckKind::Other, status(client, draft)?));
    match policy {
        CheckPolicy::None => Ok((CheckKind::Other, PublicationOutcome::Unwanted)),
        CheckPolicy::Status => status(client, draft),
        CheckPolicy::CheckRun => check_run(client, draft),
        CheckPolicy::Auto => match check_run(client, draft) {
            // A personal token gets a 403 here, as only an app has check runs, or a 404 where it
            // must not know that the repository exists.
            Err(ApiError::Forbidden { .. } | ApiError::Refused { status: 404, .. }) => {
                status(client, draft)
            }
            outcome => outcome,
        },
    }
}

fn check_run(
    client: &ApiClient<'_>,
    draft: CheckDraft<'_>,
) -> Result<PublicationOutcome, ApiError> {
    let found = latest(client, draft)?;
    let found_run = found.as_ref().and_then(|check| read_run(check.external_id.as_deref()?));
    if let Some(by) = found_run.filter(|run| *run > draft.run) {
        return Ok(PublicationOutcome::Outdated { by });
    }
    let batches: Vec<&[Annotation]> = match draft.annotations {
        [] => vec![&[]],
        annotations => annotations.chunks(ANNOTATIONS_MAX).collect(),
    };
    let mut check = match found.filter(|_| found_run == Some(draft.run)) {
        // The step was repeated: what it said stands, except for what it had no time to say.
        Some(check) => append(client, &check, draft, &[])?,
        None => create(client, draft, batches[0])?,
    };
    let mut sent = 0;
    for batch in batches {
        sent += batch.len();
        if check.output.annotations_count < sent {
            check = append(client, &check, draft, batch)?;
        }
    }
    Ok(PublicationOutcome::Published { url: check.html_url.unwrap_or_default() })
}

/// The check run that people see on the commit.
fn latest(client: &ApiClient<'_>, draft: CheckDraft<'_>) -> Result<Option<CheckRun>, ApiError> {
    let path = client.below(&format!("commits/{}/check-runs", draft.head.as_str()));
    let query = vec![("check_name", draft.name.to_owned()), ("filter", "latest".to_owned())];
    let found: CheckRuns = client.get(path, query)?;
    Ok(found.check_runs.into_iter().max_by_key(|check| check.id))
}

fn create(
    client: &ApiClient<'_>,
    draft: CheckDraft<'_>,
    batch: &[Annotation],
) -> Result<CheckRun, ApiError> {
    let look = || {
        let found = latest(client, draft)?;
        Ok(found.filter(|check| check.external_id == Some(draft.run.to_string())))
    };
    let mut body = content(draft, batch);
    body["head_sha"] = json!(draft.head.as_str());
    body["details_url"] = json!(draft.run_url);
    let created = client.once(HttpMethod::Post, client.below("check-runs"), body, &look)?;
    Ok(counted(created, batch.len()))
}

/// Adds `batch` to the annotations that `check` has.
fn append(
    client: &ApiClient<'_>,
    check: &CheckRun,
    draft: CheckDraft<'_>,
    batch: &[Annotation],
) -> Result<CheckRun, ApiError> {
    let path = || client.below(&format!("check-runs/{}", check.id));
    let expected = check.output.annotations_count + batch.len();
    let look = || {
        let found: CheckRun = client.get(path(), Vec::new())?;
        Ok(Some(found).filter(|check| check.output.annotations_count >= expected))
    };
    let changed = client.once(HttpMethod::Patch, path(), content(draft, batch), &look)?;
    Ok(counted(changed, expected))
}

/// GitHub counts the annotations a moment late, so that its answer may still say fewer.
fn counted(check: CheckRun, at_least: usize) -> CheckRun {
    let annotations_count = check.output.annotations_count.max(at_least);
    CheckRun { output: CheckOutput { annotations_count }, ..check }
}

fn content(draft: CheckDraft<'_>, batch: &[Annotation]) -> Value {
    let remark = format!("<sub>Shortened: see the [summary of the job]({}).</sub>", draft.run_url);
    let mut output = json!({
        "title": shortened(draft.title, TITLE_CHARS_MAX),
        "summary": fit(draft.body, SUMMARY_BYTES_MAX, &remark),
    });
    if !batch.is_empty() {
        output["annotations"] = batch.iter().map(annotation).collect();
    }
    json!({
        "name": draft.name,
        "external_id": draft.run.to_string(),
        "status": "completed",
        "conclusion": match draft.gate {
            CheckGate::Open => "success",
            CheckGate::Neutral => "neutral",
            CheckGate::Shut => "failure",
        },
        "output": output,
    })
}

fn annotation(annotation: &Annotation) -> Value {
    json!({
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level.key(),
        "title": shortened(&annotation.title, TITLE_CHARS_MAX),
        "message": shortened(&annotation.message, MESSAGE_CHARS_MAX),
    })
}

fn read_run(external_id: &str) -> Option<RunId> {
    let (id, attempt) = external_id.split_once('.')?;
    Some(RunId { id: id.parse().ok()?, attempt: attempt.parse().ok()? })
}

/// A status may be written twice: the last one counts, and both say the same.
fn status(client: &ApiClient<'_>, draft: CheckDraft<'_>) -> Result<PublicationOutcome, ApiError> {
    #[derive(Deserialize)]
    struct CommitStatus {
        #[serde(default)]
        url: String,
    }
    let path = client.below(&format!("statuses/{}", draft.head.as_str()));
    let body = json!({
        "state": match draft.gate {
            CheckGate::Open | CheckGate::Neutral => "success",
            CheckGate::Shut => "failure",
        },
        "context": draft.name,
        "description": shortened(draft.summary, DESCRIPTION_CHARS_MAX),
        "target_url": draft.run_url,
    });
    let written: CommitStatus = client.post(path, body)?;
    Ok(PublicationOutcome::Published { url: written.url })
}

fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some(_) => text.chars().take(chars_max - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shortened_by_characters() {
        assert_eq!(shortened("µs per pair", 11), "µs per pair");
        assert_eq!(shortened("µs per pairs", 11), "µs per pai…");
    }
}
