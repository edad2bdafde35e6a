//! Why a launch yielded no numbers.

use load::FailureKind;
use load::measure::FailureCounts;
use miette::Diagnostic;
use record::{EarlyEnd, FailureContrast, FailureExample, FailureReport, Side};
use sut::TargetError;
use units::cancel::Cancel;
use units::text;

/// Longest answer that is kept with a failure, in characters: its beginning names the fault.
const ANSWER_CHARS_MAX: usize = 500;

/// Why a launch yielded no numbers.
#[derive(Debug)]
pub(super) struct LaunchFailure {
    pub(super) side: Side,
    pub(super) scenario: Option<String>,
    pub(super) reason: FailureReport,
    /// The requests that failed, if that is what went wrong.
    pub(super) fault: Option<Box<RequestFault>>,
    /// What base made of the same requests, if head alone is at fault.
    pub(super) contrast: Option<Box<FailureContrast>>,
}

/// Requests that a target failed.
#[derive(Debug)]
pub(super) struct RequestFault {
    pub(super) kind: FailureKind,
    pub(super) failed: u64,
    pub(super) requests: u64,
    pub(super) example: FailureExample,
    /// Place of the first of them among the scenario's requests.
    pub(super) request: Option<usize>,
}

impl LaunchFailure {
    pub(super) fn new(side: Side, scenario: Option<String>, reason: FailureReport) -> Self {
        Self { side, scenario, reason, fault: None, contrast: None }
    }

    /// A target that did not start or stop as it should.
    pub(super) fn launch(side: Side, error: &TargetError) -> Self {
        Self::new(side, None, target_report(error))
    }

    /// Returns the status by which base says that it has no such operation, if that is what went wrong.
    pub(super) fn absent_in_base(&self) -> Option<u16> {
        let fault = self.fault.as_ref().filter(|_| self.side == Side::Base)?;
        match fault.kind {
            // Not found, method not allowed, not implemented; and not of a few requests among many.
            FailureKind::Status(status @ (404 | 405 | 501)) if fault.failed == fault.requests => {
                Some(status)
            }
            FailureKind::Status(_)
            | FailureKind::Refused
            | FailureKind::Reset
            | FailureKind::Timeout
            | FailureKind::WrongAnswer
            | FailureKind::ShortBody
            | FailureKind::Malformed => None,
        }
    }

    /// How the record tells it: a failure that follows from Ctrl-C is an interruption.
    pub(super) fn ended(self, cancel: &Cancel) -> EarlyEnd {
        if cancel.is_raised() {
            return EarlyEnd::Interrupted;
        }
        match self.contrast {
            Some(contrast) => EarlyEnd::HeadFailed(contrast),
            None => {
                EarlyEnd::Failed { side: self.side, scenario: self.scenario, reason: self.reason }
            }
        }
    }
}

/// Returns what a record says of an error.
pub(super) fn report(error: &dyn Diagnostic) -> FailureReport {
    FailureReport { hints: text::hints(error), ..text::error_chain(error).into() }
}

/// Returns what a record says of a target's failure: with the end of its log.
pub(super) fn target_report(error: &TargetError) -> FailureReport {
    let excerpts = error.log_tail().map(ToString::to_string).into_iter().collect();
    FailureReport { excerpts, ..report(error) }
}

/// Returns what is kept of the first failure of a kind.
pub(super) fn example(failures: &FailureCounts) -> FailureExample {
    FailureExample {
        detail: failures.first.detail.clone(),
        answer: beginning(&failures.first.answer),
    }
}

/// Returns as much of an answer as is kept with a failure.
pub(super) fn beginning(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).chars().take(ANSWER_CHARS_MAX).collect()
}
