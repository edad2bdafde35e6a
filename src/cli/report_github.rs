//! Publishes on GitHub what a run recorded, and says on the page of the job what the checks do not.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use github::check::CheckPolicy;
use github::comment::{CommentId, CommentPolicy};
use github::context::GithubContext;
use github::publish::PublicationResult;
use github::transport::{DryRun, HttpTransport, Transport};
use github::{AnnotationLevel, CheckGate, Conclusion, job};

use crate::app;
use crate::app::publication::RunPurpose;
use crate::app::publish::PublishOptions;
use crate::cli::output::FailOnFlag;
use crate::cli::process;
use crate::cli::{Exit, failure};

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
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = CommentFlag::Always)]
    comment: CommentFlag,
    /// Name of the comment and the check, where several workflows report
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = CommentId::parse)]
    comment_id: CommentId,
    /// What to write on the commit
    #[arg(long, value_enum, value_name = "KIND", default_value_t = CheckFlag::Auto)]
    check: CheckFlag,
    /// Address of the page, as the step that uploaded it says; the comment links to it
    #[arg(long, value_name = "URL")]
    page_url: Option<String>,
    /// Write the page into this folder for a step that uploads it, and publish nothing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["page_url", "dry_run", "compare_exit"])]
    page_dir: Option<PathBuf>,
    /// Show what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// When a comment is begun. One that exists is always brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CommentFlag {
    /// On every pull request
    Always,
    /// If there is anything to say but that nothing changed
    OnChange,
    /// If something is worse, or could not be measured
    OnRegression,
    /// Not at all, not even to update
    Never,
}

impl From<CommentFlag> for CommentPolicy {
    fn from(flag: CommentFlag) -> Self {
        match flag {
            CommentFlag::Always => Self::Always,
            CommentFlag::OnChange => Self::OnChange,
            CommentFlag::OnRegression => Self::OnRegression,
            CommentFlag::Never => Self::Never,
        }
    }
}

/// What is written on the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CheckFlag {
    /// A check run, or a commit status where that is refused
    Auto,
    /// A check run or nothing
    CheckRun,
    /// A commit status
    Status,
    /// Nothing
    None,
}

impl From<CheckFlag> for CheckPolicy {
    fn from(flag: CheckFlag) -> Self {
        match flag {
            CheckFlag::Auto => Self::Auto,
            CheckFlag::CheckRun => Self::CheckRun,
            CheckFlag::Status => Self::Status,
            CheckFlag::None => Self::None,
        }
    }
}

/// Publishes, and returns the exit code of the verdict.
pub(super) fn run(args: &ReportGithubArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let context = GithubContext::from_environment()?;
    let options = args.options()?;
    let network = |token| HttpTransport::new(&context.api_url, token);
    if let Some(folder) = &args.page_dir {
        let sent = context.token.as_ref().map(|token| network(Some(token))).transpose()?;
        let sent = sent.as_ref().map(|it| it as &dyn Transport);
        let page = app::publish::write_page(&options, &context, sent, folder)?;
        return written(out, &context, &page);
    }
    let (conclusion, published) = match (context.token.as_ref(), args.dry_run) {
        (None, false) => app::publish::publish(&options, &context, None)?,
        (token, false) => app::publish::publish(&options, &context, Some(&network(token)?))?,
        (token, true) => {
            let dry = DryRun::new(token.map(|token| network(Some(token))).transpose()?, &mut *out);
            app::publish::publish(&options, &context, Some(&dry))?
        }
    };
    show(out, conclusion, &published)?;
    Ok(exit(conclusion, &published))
}

/// Says where the page is, to a person and to the next step.
fn written(out: &mut impl Write, context: &GithubContext, page: &Path) -> anyhow::Result<Exit> {
    let page = page.display().to_string();
    if let Some(path) = &context.output_file {
        job::write_outputs(path, &[("page".to_owned(), page.clone())])?;
    }
    writeln!(out, "page: {page}").context("failed to write the result")?;
    Ok(Exit::Success)
}

impl ReportGithubArgs {
    fn options(&self) -> anyhow::Result<PublishOptions> {
        Ok(PublishOptions {
            folder: process::current_folder()?,
            dir: self.dir.clone(),
            confirmation: self.confirmation.clone(),
            artifact_run_id: self.artifact_run_id,
            artifact: self.artifact.clone(),
            compare_exit: self.compare_exit,
            scenarios: self.scenarios.clone(),
            purpose: if self.alone { RunPurpose::Numbers } else { RunPurpose::Comparison },
            config: self.config.clone(),
            page_url: self.page_url.clone().filter(|url| !url.is_empty()),
            fail_on: match self.fail_on {
                FailOnFlag::Regression => github::FailOn::Regression,
                FailOnFlag::Inconclusive => github::FailOn::Inconclusive,
                FailOnFlag::Never => github::FailOn::Never,
            },
            comment: self.comment.into(),
            comment_id: self.comment_id.clone(),
            check: self.check.into(),
        })
    }
}

fn show(
    out: &mut impl Write,
    conclusion: Conclusion,
    published: &PublicationResult,
) -> anyhow::Result<()> {
    for failure in &published.failures {
        let failure = failure::describe(failure);
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

/// A failed publication is an error of its own; it hides no verdict that is graver.
fn exit(conclusion: Conclusion, published: &PublicationResult) -> Exit {
    match (published.gate, conclusion) {
        (CheckGate::Shut, Conclusion::Regressed) => Exit::Regressed,
        (CheckGate::Shut, Conclusion::Inconclusive) => Exit::Inconclusive,
        (CheckGate::Shut, Conclusion::Error | Conclusion::Pass | Conclusion::Improved) => {
            Exit::NotMeasured
        }
        (CheckGate::Open | CheckGate::Neutral, _) if published.failures.is_empty() => Exit::Success,
        (CheckGate::Open | CheckGate::Neutral, _) => Exit::NotMeasured,
    }
}
