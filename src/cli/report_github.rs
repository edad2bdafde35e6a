//! Publishes on GitHub what a run recorded, in the same job or in another workflow.
//!
//! The record may come from a fork, so nothing in it is believed but its numbers: verdicts are drawn
//! anew, names are neutralised, markdown is rendered here. What is missing or contradicts itself is
//! published as *could not measure*: this never ends green because there was nothing to see.

use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::cli::Exit;
use crate::cli::output::FailOnFlag;
use crate::cli::publication::{self, PublicationSubject, RunPurpose};
use compare::confirmation::{self, Confirmation};
use compare::{Comparison, ComparisonOutcome};
use github::api::ApiClient;
use github::artifact::{self, ArtifactError};
use github::check::CheckPolicy;
use github::comment::{CommentId, CommentPolicy};
use github::context::{GithubContext, WorkflowEvent};
use github::publish::{self, PublicationResult, PublishSettings};
use github::retry::RetryPolicy;
use github::transport::{DryRun, HttpTransport, Transport};
use github::{AnnotationLevel, CheckGate, Conclusion, Publication, job, sanitize};
use record::{Run, write_atomically};
use suite::config::{self, FILE_NAME};

/// Publish a recorded comparison on GitHub: comment, check, job summary, outputs
#[derive(Debug, clap::Args)]
pub(super) struct ReportGithubArgs {
    /// Folder that `compare` wrote to
    #[arg(long, default_value = ".xmlperf/report")]
    dir: PathBuf,
    /// Folder of a second run, on another machine, of what the first one flagged
    #[arg(long, value_name = "DIR")]
    confirmation: Option<PathBuf>,
    /// Fetch the record from an artifact of this workflow run first
    #[arg(long, value_name = "ID")]
    artifact_run_id: Option<u64>,
    /// Name of that artifact; a second run is in NAME-confirmation
    #[arg(long, value_name = "NAME", default_value = "xmlperf-report")]
    artifact: String,
    /// Exit code that `compare` ended with
    #[arg(long, value_name = "CODE")]
    compare_exit: Option<u8>,
    /// Scenario that must have been measured
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// The run was not meant to be compared with anything
    #[arg(long)]
    alone: bool,
    /// Configuration that annotations point at [default: the nearest `xmlperf.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOnFlag::Regression)]
    fail_on: FailOnFlag,
    /// When to begin a comment; one that exists is always updated
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = CommentPolicy::Always)]
    comment: CommentPolicy,
    /// Name of the comment and the check, where several workflows report
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = CommentId::parse)]
    comment_id: CommentId,
    /// What to write on the commit
    #[arg(long, value_enum, value_name = "KIND", default_value_t = CheckPolicy::Auto)]
    check: CheckPolicy,
    /// Show what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// All waiting for GitHub together.
const PATIENCE: Duration = Duration::from_mins(3);
const RUN_FILE: &str = "run.json";
const LOG_FILE: &str = "compare.log";
/// Of a log only the end is read: whoever wrote it may have written a lot.
const LOG_BYTES_MAX: u64 = 64 << 10;

impl ReportGithubArgs {
    fn aim(&self) -> RunPurpose {
        if self.alone { RunPurpose::Numbers } else { RunPurpose::Comparison }
    }
}

/// Publishes, and returns the exit code that the verdict asks for.
pub(super) fn run(args: &ReportGithubArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let context = GithubContext::from_environment()?;
    if let (WorkflowEvent::WorkflowRun(measured), Some(id)) = (&context.event, args.artifact_run_id)
    {
        ensure!(
            measured.run.id == id,
            "`--artifact-run-id` is {id}, but the event is about run {}",
            measured.run.id
        );
    }
    let (conclusion, published) = match (&context.token, args.dry_run) {
        (None, false) => conclude(args, &context, None),
        (token, false) => {
            let network = HttpTransport::new(&context.api_url, token.as_ref())?;
            conclude(args, &context, Some(&network))
        }
        (token, true) => {
            let network = token.as_ref().map(|it| HttpTransport::new(&context.api_url, Some(it)));
            let dry = DryRun::new(network.transpose()?, &mut *out);
            conclude(args, &context, Some(&dry))
        }
    };
    tell(out, conclusion, &published)?;
    Ok(exit(conclusion, &published))
}

fn conclude(
    args: &ReportGithubArgs,
    context: &GithubContext,
    transport: Option<&dyn Transport>,
) -> (Conclusion, PublicationResult) {
    let (repository, token) = (&context.repository, context.token.as_ref());
    let patience = RetryPolicy::new(PATIENCE);
    let client = transport
        .map(|transport| ApiClient::new(transport, repository, token, patience, &thread::sleep));
    let publication = judged(args, context, client.as_ref());
    let settings = PublishSettings {
        fail_on: match args.fail_on {
            FailOnFlag::Regression => github::FailOn::Regression,
            FailOnFlag::Inconclusive => github::FailOn::Inconclusive,
            FailOnFlag::Never => github::FailOn::Never,
        },
        comment: args.comment,
        comment_id: args.comment_id.clone(),
        check: args.check,
    };
    let published = publish::publish(&publication, &settings, context, client.as_ref());
    (publication.conclusion, published)
}

/// Says on the page of the run what the checks do not.
fn tell(
    out: &mut impl Write,
    conclusion: Conclusion,
    published: &PublicationResult,
) -> anyhow::Result<()> {
    for failure in &published.failures {
        let failure = chain(failure);
        writeln!(out, "{}", job::message_line(AnnotationLevel::Failure, &failure))?;
    }
    for remark in &published.remarks {
        writeln!(out, "{}", job::message_line(AnnotationLevel::Notice, remark))?;
    }
    for annotation in &published.unpublished_annotations {
        writeln!(out, "{}", job::annotation_line(annotation))?;
    }
    for url in [&published.comment_url, &published.check_url].into_iter().flatten() {
        writeln!(out, "published {url}")?;
    }
    writeln!(out, "verdict: {}", conclusion.key()).context("failed to write the result")
}

/// An error with its causes, `a: b: c`.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A failed publication is an error of its own; it hides no verdict that is graver.
fn exit(conclusion: Conclusion, published: &PublicationResult) -> Exit {
    match (published.gate, conclusion) {
        (CheckGate::Shut, Conclusion::Regressed) => Exit::Regressed,
        (CheckGate::Shut, Conclusion::Inconclusive) => Exit::Inconclusive,
        (CheckGate::Shut, Conclusion::Error | Conclusion::Pass | Conclusion::Improved) => {
            Exit::NotMeasured
        }
        (CheckGate::Open | CheckGate::Neutral, _) if published.failures.is_empty() => Exit::Fine,
        (CheckGate::Open | CheckGate::Neutral, _) => Exit::NotMeasured,
    }
}

/// Draws the verdict from what can be had, or says why there is none.
fn judged(
    args: &ReportGithubArgs,
    context: &GithubContext,
    client: Option<&ApiClient<'_>>,
) -> Publication {
    let source = RecordSource { args, context, client };
    source.publication().unwrap_or_else(|reason| {
        let log = read_log(&args.dir.join(LOG_FILE));
        let said = log.as_deref().and_then(|log| log.lines().rev().find_map(complaint));
        publication::unmeasured(said.unwrap_or(&reason), log.as_deref())
    })
}

/// What went wrong, if the line says so: this program's way to do it.
fn complaint(line: &str) -> Option<&str> {
    line.strip_prefix("error: ")
}

/// Where records come from.
struct RecordSource<'a> {
    args: &'a ReportGithubArgs,
    context: &'a GithubContext,
    client: Option<&'a ApiClient<'a>>,
}

impl RecordSource<'_> {
    fn publication(&self) -> Result<Publication, String> {
        let (config, name) = self.config()?;
        let subject = PublicationSubject {
            config: &config,
            config_name: &name,
            dir: &self.args.dir,
            aim: self.args.aim(),
        };
        let first = self.load(&self.args.artifact, &self.args.dir)?;
        let comparison = Comparison::of(&first).map_err(|error| chain(&error))?;
        if let Some(reason) = contradiction(self.args, &comparison) {
            return Err(reason);
        }
        if confirmation::flagged(&comparison).is_empty() {
            return Ok(publication::of_comparison(subject, &comparison));
        }
        match self.second() {
            None => Ok(publication::of_comparison(subject, &comparison)),
            Some(Err(reason)) => Err(format!("on the second machine: {reason}")),
            Some(Ok(second)) => {
                let both = Confirmation::of(&first, &second).map_err(|error| chain(&error))?;
                Ok(publication::of_confirmation(subject, &both))
            }
        }
    }

    /// The configuration, and its name in the repository.
    fn config(&self) -> Result<(PathBuf, PathBuf), String> {
        let here = env::current_dir().map_err(|error| chain(&error))?;
        let given = self.args.config.as_ref().map(|config| here.join(config));
        let path = given.or_else(|| config::find(&here)).unwrap_or_else(|| here.join(FILE_NAME));
        let name = self.context.in_repository(&path).unwrap_or_else(|| FILE_NAME.into());
        Ok((path, name))
    }

    /// Reads the run in `dir`, fetching it there first if it is in an artifact.
    fn load(&self, artifact: &str, dir: &Path) -> Result<Run, String> {
        if let Some(id) = self.args.artifact_run_id {
            let client = self.client.ok_or("no token to fetch the artifact with")?;
            fetch(client, id, artifact, dir)?;
        }
        read(dir, self.context)
    }

    /// The second run, if there is one. A missing artifact means that nobody was asked.
    fn second(&self) -> Option<Result<Run, String>> {
        if let Some(dir) = &self.args.confirmation {
            return Some(read(dir, self.context));
        }
        let (id, client) = (self.args.artifact_run_id?, self.client?);
        let name = format!("{}-confirmation", self.args.artifact);
        match artifact::fetch(client, id, &name, RUN_FILE) {
            Err(ArtifactError::Missing { .. }) => None,
            Ok(_) | Err(_) => Some(self.load(&name, &self.args.dir.join("confirmation"))),
        }
    }
}

fn read(dir: &Path, context: &GithubContext) -> Result<Run, String> {
    let path = dir.join(RUN_FILE);
    if !path.exists() {
        return Err("nothing was recorded".to_owned());
    }
    let mut run = Run::load(&path).map_err(|error| chain(&error))?;
    publication::tame(&mut run);
    publication::name_revisions(&mut run, context);
    Ok(run)
}

/// Puts the record and the log of an artifact into `dir`, as far as it has them.
fn fetch(client: &ApiClient<'_>, id: u64, name: &str, dir: &Path) -> Result<(), String> {
    for file in [RUN_FILE, LOG_FILE] {
        match artifact::fetch(client, id, name, file) {
            Ok(content) => {
                write_atomically(&dir.join(file), &content).map_err(|error| chain(&error))?;
            }
            Err(ArtifactError::Incomplete { .. }) => {}
            Err(error) => return Err(chain(&error)),
        }
    }
    Ok(())
}

/// Why the record cannot be what the run was about, if it cannot.
fn contradiction(args: &ReportGithubArgs, comparison: &Comparison) -> Option<String> {
    let measured: BTreeSet<&str> = comparison.method.scenarios.iter().map(String::as_str).collect();
    let missing =
        args.scenarios.iter().find(|name| !measured.contains(sanitize::text(name).as_str()));
    if let Some(name) = missing {
        return Some(format!("scenario {} was not measured", sanitize::text(name)));
    }
    let explained = match (args.compare_exit, &comparison.outcome) {
        (None | Some(0), _) | (Some(3), ComparisonOutcome::NotMeasured(_)) => true,
        (Some(1), outcome) => *outcome == ComparisonOutcome::Regressed,
        (Some(4), outcome) => *outcome == ComparisonOutcome::Inconclusive,
        (Some(_), _) => false,
    };
    let code = args.compare_exit.unwrap_or_default();
    (!explained).then(|| format!("measuring ended with exit code {code}, and not by its verdict"))
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
