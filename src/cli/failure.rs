//! Says what went wrong, what to do about it, and which exit code goes with it.

use std::error::Error;
use std::io;
use std::iter::successors;

use baseline::BaselineError;
use checkout::BaseError;
use compare::decision::RuleError;
use github::api::ApiError;
use github::artifact::ArtifactError;
use github::base::BaseCommitError;
use github::context::ContextError;
use github::publish::PublishError;
use github::transport::TransportError;
use interop::description::DescriptionError;
use interop::export::ExportError;
use interop::import::ImportError;
use load::capacity::CapacityPlanError;
use load::pacing::ScheduleError;
use load::{LoadError, RequestError, TlsError};
use miette::Diagnostic;
use payload::schema::SchemaError;
use payload::{CorpusError, MixError, SpecError, TemplateError};
use profile::ProfileError;
use record::RecordError;
use record::evidence_file::EvidenceError;
use record::merge::MergeError;
use record::shard::ShardNumberError;
use reference::ServeError;
use runner::RunnerError;
use suite::ShardError;
use suite::config::ConfigError;
use sut::TargetError;
use units::text::with_hints;

use crate::app::decide::PairsError;
use crate::app::failure::UseCaseError;
use crate::cli::usage::UsageError;
use crate::cli::{Exit, terminal_text};

/// Returns what a person reads of a failure, and its exit code.
///
/// A closed pipe is not reported: the reader has gone.
pub fn explain(error: &anyhow::Error) -> (Option<String>, Exit) {
    if is_closed_pipe(error) {
        return (None, Exit::ClosedPipe);
    }
    let exit = if is_measurement(error) { Exit::NotMeasured } else { Exit::Usage };
    let text = describe(error.as_ref());
    (Some(terminal_text::sanitize(&text).into_owned()), exit)
}

/// Returns a failure with its causes in a line, behind it what they mark in a file, and their hints.
pub(super) fn describe(error: &(dyn Error + 'static)) -> String {
    let (mut causes, mut snippets, mut hints) = (Vec::new(), Vec::new(), Vec::new());
    for cause in successors(Some(error), |&cause| cause.source()) {
        causes.push(cause.to_string());
        hints.extend(hint(cause).filter(|hint| !hints.contains(hint)));
        snippets.extend(cause.downcast_ref::<ConfigError>().and_then(|error| snippet(error)));
        let target = cause.downcast_ref::<TargetError>();
        snippets.extend(target.and_then(TargetError::log_tail).map(ToString::to_string));
    }
    let snippets = snippets.into_iter().map(|snippet| format!("\n\n{snippet}"));
    with_hints(causes.join(": ") + &snippets.collect::<String>(), hints)
}

/// The first line that a diagnostic marks, with its number, and the mark below it.
fn snippet(diagnostic: &dyn Diagnostic) -> Option<String> {
    let label = diagnostic.labels()?.next()?;
    let contents = diagnostic.source_code()?.read_span(label.inner(), 1, 1).ok()?;
    let text = std::str::from_utf8(contents.data()).ok()?;
    let (before, marked) = text.split_at_checked(label.offset() - contents.span().offset())?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let number = contents.line() + before.matches('\n').count() + 1;
    let line = text[start..].lines().next()?;
    let column = before[start..].chars().count();
    let length = marked.lines().next().map_or(0, |rest| rest.chars().take(label.len()).count());
    let margin = " ".repeat(number.to_string().len());
    let mark = "^".repeat(length.max(1));
    let said = label.label().unwrap_or_default();
    Some(format!("{number} | {line}\n{margin} | {}{mark} {said}", " ".repeat(column)))
}

/// Returns what to do about a cause, if its type says so.
///
/// `source` leads to errors and not to diagnostics, so the types are tried one by one.
fn hint(cause: &(dyn Error + 'static)) -> Option<String> {
    macro_rules! help_of {
        ($($kind:ty),+ $(,)?) => {
            None$(.or_else(|| cause.downcast_ref::<$kind>()?.help()))+
        };
    }
    let help: Option<Box<dyn std::fmt::Display>> = help_of!(
        UseCaseError,
        UsageError,
        DescriptionError,
        ExportError,
        ImportError,
        TargetError,
        LoadError,
        RequestError,
        TlsError,
        ScheduleError,
        CapacityPlanError,
        CorpusError,
        SchemaError,
        MixError,
        SpecError,
        TemplateError,
        RecordError,
        MergeError,
        ShardError,
        ShardNumberError,
        EvidenceError,
        RuleError,
        PairsError,
        BaseError,
        BaselineError,
        ProfileError,
        ServeError,
        ApiError,
        ArtifactError,
        BaseCommitError,
        ContextError,
        PublishError,
        TransportError,
        ConfigError,
    );
    help.map(|help| help.to_string())
}

/// Whether the request was sound, and the measurement failed all the same.
fn is_measurement(error: &anyhow::Error) -> bool {
    threads::refusal(error.as_ref()).is_some()
        || error.chain().any(|cause| {
            cause.is::<RunnerError>()
                || cause.is::<ProfileError>()
                || cause.is::<EvidenceError>()
                || cause.downcast_ref::<UseCaseError>().is_some_and(UseCaseError::is_measurement)
                || matches!(
                    cause.downcast_ref::<TargetError>(),
                    Some(TargetError::NoLaunches { .. })
                )
                || matches!(cause.downcast_ref::<ServeError>(), Some(ServeError::Runtime(_)))
                || matches!(
                    cause.downcast_ref::<BaseError>(),
                    Some(BaseError::BuildFailed { .. } | BaseError::Cancelled)
                )
        })
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
