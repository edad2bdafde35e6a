//! Publishes on GitHub what a run recorded, in the same job or in another workflow.
//!
//! The record may come from a fork, so nothing in it is believed but its numbers: verdicts are drawn
//! anew, names are sanitized, markdown is rendered here. What is missing or contradicts itself is
//! published as *could not measure*: this never ends green because there was nothing to see.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use compare::confirmation::{self, Confirmation};
use compare::{Comparison, ComparisonOutcome};
use github::api::ApiClient;
use github::artifact::{self, ArtifactError};
use github::check::CheckPolicy;
use github::comment::{CommentId, CommentPolicy};
use github::context::{GithubContext, WorkflowEvent};
use github::publish::{self, PublicationResult, PublishSettings};
use github::retry::RetryPolicy;
use github::transport::Transport;
use github::{Conclusion, FailOn, Publication, sanitize};
use record::Run;
use report::html;
use report::markdown::ReportLink;
use suite::config::{self, FILE_NAME};

use crate::app::publication::{self, PublicationSubject, RunPurpose};

/// What is published, and how.
#[derive(Debug, Clone)]
pub struct PublishOptions {
    /// The current folder.
    pub folder: PathBuf,
    /// Folder that the run was written to.
    pub dir: PathBuf,
    /// Folder of a second run, on another machine, of what the first one flagged.
    pub confirmation: Option<PathBuf>,
    /// Workflow run whose artifact has the record.
    pub artifact_run_id: Option<u64>,
    /// Name of that artifact.
    pub artifact: String,
    /// Exit code that measuring ended with.
    pub compare_exit: Option<u8>,
    /// Scenarios that must have been measured.
    pub scenarios: Vec<String>,
    /// What the run was for.
    pub purpose: RunPurpose,
    /// Address of the page, as the step that uploaded it says.
    pub page_url: Option<String>,
    /// Configuration that annotations point at.
    pub config: Option<PathBuf>,
    /// What makes the check fail.
    pub fail_on: FailOn,
    /// When to begin a comment.
    pub comment: CommentPolicy,
    /// Name of the comment and the check.
    pub comment_id: CommentId,
    /// What to write on the commit.
    pub check: CheckPolicy,
}

/// All waiting for GitHub together.
const PATIENCE: Duration = Duration::from_mins(3);
const RUN_FILE: &str = "run.json";
const LOG_FILE: &str = "compare.log";
/// Of a log only the end is read: the job that wrote it may have run the code of a fork.
const LOG_BYTES_MAX: u64 = 64 << 10;

/// Publishes, and returns the verdict with what became of publishing it. Without a transport,
/// nothing is sent.
pub fn publish(
    options: &PublishOptions,
    context: &GithubContext,
    transport: Option<&dyn Transport>,
) -> Result<(Conclusion, PublicationResult)> {
    if let (WorkflowEvent::WorkflowRun(measured), Some(id)) =
        (&context.event, options.artifact_run_id)
    {
        ensure!(
            measured.run.id == id,
            "`--artifact-run-id` is {id}, but the event is about run {}",
            measured.run.id
        );
    }
    let (repository, token) = (&context.repository, context.token.as_ref());
    let patience = RetryPolicy::new(PATIENCE);
    let client = transport
        .map(|transport| ApiClient::new(transport, repository, token, patience, &thread::sleep));
    let source = RecordSource { options, context, client: client.as_ref() };
    let publication = source.publication_or_reason();
    let settings = PublishSettings {
        fail_on: options.fail_on,
        comment: options.comment,
        comment_id: options.comment_id.clone(),
        check: options.check,
    };
    let mut published = publish::publish(&publication, &settings, context, client.as_ref());
    if options.page_url.as_ref().is_some_and(|url| !context.is_artifact_url(url)) {
        let remark =
            "the address of the page is no artifact of this repository: there is no link to it";
        published.remarks.push(remark.to_owned());
    }
    Ok((publication.conclusion, published))
}

/// Renders the page of what is to be published, and writes it into `folder`; returns where it is.
///
/// An artifact of one file has the name of that file, which a second attempt cannot upload again: so the name has the
/// attempt in it, and what the comment is called where that is not the usual one.
pub fn write_page(
    options: &PublishOptions,
    context: &GithubContext,
    transport: Option<&dyn Transport>,
    folder: &Path,
) -> Result<PathBuf> {
    let patience = RetryPolicy::new(PATIENCE);
    let (repository, token) = (&context.repository, context.token.as_ref());
    let client = transport
        .map(|transport| ApiClient::new(transport, repository, token, patience, &thread::sleep));
    let source = RecordSource { options, context, client: client.as_ref() };
    let page = match source.measured()? {
        MachineResult::One(comparison) => html::render(&comparison),
        MachineResult::Two(both) => html::render_confirmation(&both),
    };
    let name = format!("{}-{}.html", options.comment_id.file_stem(), context.here.attempt);
    let path = options.folder.join(folder).join(name);
    record::write_atomically(&path, page.as_bytes())
        .with_context(|| format!("failed to write `{}`", path.display()))?;
    Ok(path)
}

/// What a verdict is drawn from.
enum MachineResult {
    /// One machine.
    One(Box<Comparison>),
    /// Two, the second of which repeats what the first flagged.
    Two(Box<Confirmation>),
}

/// What went wrong, if the line says so: this program's way to do it.
fn complaint(line: &str) -> Option<&str> {
    line.strip_prefix("error: ")
}

/// Where records come from.
struct RecordSource<'a> {
    options: &'a PublishOptions,
    context: &'a GithubContext,
    client: Option<&'a ApiClient<'a>>,
}

impl RecordSource<'_> {
    /// Draws the verdict from what can be had, or says why there is none.
    fn publication_or_reason(&self) -> Publication {
        self.publication().unwrap_or_else(|error| {
            let log = read_log(&self.options.dir.join(LOG_FILE));
            let logged = log.as_deref().and_then(|log| log.lines().rev().find_map(complaint));
            let reason = format!("{error:#}");
            publication::unmeasured(logged.unwrap_or(&reason), log.as_deref())
        })
    }

    fn publication(&self) -> Result<Publication> {
        let options = self.options;
        let (config, name) = self.config();
        let link = self.link();
        let subject = PublicationSubject {
            config: &config,
            config_name: &name,
            dir: &options.dir,
            purpose: options.purpose,
            link: link.as_ref(),
        };
        Ok(match self.measured()? {
            MachineResult::One(comparison) => publication::of_comparison(subject, &comparison),
            MachineResult::Two(both) => publication::of_confirmation(subject, &both),
        })
    }

    /// The record of one machine or of two, judged.
    fn measured(&self) -> Result<MachineResult> {
        let options = self.options;
        let first = self.load(&options.artifact, &options.dir)?;
        let comparison = Comparison::of(&first)?;
        ensure_consistent(options, &comparison, first.confirms.is_some())?;
        if confirmation::flagged(&comparison).is_empty() {
            return Ok(MachineResult::One(Box::new(comparison)));
        }
        match self.second() {
            None => Ok(MachineResult::One(Box::new(comparison))),
            Some(second) => {
                let second = second.context("on the second machine")?;
                Ok(MachineResult::Two(Box::new(Confirmation::of(&first, &second)?)))
            }
        }
    }

    /// The page where it was uploaded; else the artifact that the record came from.
    fn link(&self) -> Option<ReportLink> {
        let page = self.options.page_url.as_ref().filter(|url| self.context.is_artifact_url(url));
        let artifacts = self.options.artifact_run_id.map(|_| self.context.artifacts_url());
        page.cloned().map(ReportLink::Page).or(artifacts.map(ReportLink::Artifacts))
    }

    /// The configuration, and its name in the repository.
    fn config(&self) -> (PathBuf, PathBuf) {
        let here = &self.options.folder;
        let given = self.options.config.as_ref().map(|config| here.join(config));
        let path = given.or_else(|| config::find(here)).unwrap_or_else(|| here.join(FILE_NAME));
        let name = self.context.in_repository(&path).unwrap_or_else(|| FILE_NAME.into());
        (path, name)
    }

    /// Reads the run in `dir`, fetching it there first if it is in an artifact.
    fn load(&self, artifact: &str, dir: &Path) -> Result<Run> {
        if let Some(id) = self.options.artifact_run_id {
            let client = self.client.context("no token to fetch the artifact with")?;
            fetch(client, id, artifact, dir)?;
        }
        read(dir, self.context)
    }

    /// The second run, if there is one. A missing artifact means that no second machine measured.
    fn second(&self) -> Option<Result<Run>> {
        if let Some(dir) = &self.options.confirmation {
            return Some(read(dir, self.context));
        }
        let (id, client) = (self.options.artifact_run_id?, self.client?);
        let name = format!("{}-confirmation", self.options.artifact);
        match artifact::fetch(client, id, &name, RUN_FILE) {
            Err(ArtifactError::Missing { .. }) => None,
            Ok(_) | Err(_) => Some(self.load(&name, &self.options.dir.join("confirmation"))),
        }
    }
}

fn read(dir: &Path, context: &GithubContext) -> Result<Run> {
    let path = dir.join(RUN_FILE);
    ensure!(path.exists(), "nothing was recorded");
    let mut run = Run::load(&path)?;
    publication::sanitize_run(&mut run);
    publication::name_revisions(&mut run, context);
    Ok(run)
}

/// Puts the record and the log of an artifact into `dir`, as far as it has them, in place of what is there: a runner
/// that serves many pull requests may have those of another one, and a checkout may have one that was committed.
fn fetch(client: &ApiClient<'_>, id: u64, name: &str, dir: &Path) -> Result<()> {
    for file in [RUN_FILE, LOG_FILE] {
        remove(&dir.join(file))?;
    }
    for file in [RUN_FILE, LOG_FILE] {
        match artifact::fetch(client, id, name, file) {
            Ok(content) => record::write_atomically(&dir.join(file), &content)?,
            Err(ArtifactError::Incomplete { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove `{}`", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Fails if the record cannot be what the run was about.
fn ensure_consistent(
    options: &PublishOptions,
    comparison: &Comparison,
    is_confirmation: bool,
) -> Result<()> {
    let measured: BTreeSet<&str> = comparison.method.scenarios.iter().map(String::as_str).collect();
    let is_missing = |name: &&String| !measured.contains(sanitize::text(name).as_str());
    if let Some(name) = options.scenarios.iter().find(is_missing) {
        bail!("scenario {} was not measured", sanitize::text(name));
    }
    let explained = match (options.compare_exit, &comparison.outcome) {
        (None | Some(0), _) | (Some(3), ComparisonOutcome::NotMeasured(_)) => true,
        // What two machines say together is not what the second one says by itself.
        (Some(1 | 4), outcome) if is_confirmation => {
            !matches!(outcome, ComparisonOutcome::NotMeasured(_))
        }
        (Some(1), outcome) => *outcome == ComparisonOutcome::Regressed,
        (Some(4), outcome) => *outcome == ComparisonOutcome::Inconclusive,
        (Some(_), _) => false,
    };
    let code = options.compare_exit.unwrap_or_default();
    ensure!(explained, "measuring ended with exit code {code}, and not by its verdict");
    Ok(())
}

/// The end of what a command printed, harmless in a block of text.
fn read_log(path: &Path) -> Option<String> {
    match tail(path) {
        Ok(bytes) => Some(publication::block(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(format!("failed to read `{}`: {error}", path.display())),
    }
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
