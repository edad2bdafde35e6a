//! What is published: a finished report, what follows from it, and what became of it.

use super::context::RunId;

/// What is to be published, finished.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The headline, plain text: the title of the check.
    pub title: String,
    /// The report as markdown, in full; where a limit asks for it, folded parts are left out.
    pub body: String,
    /// One plain sentence: the description of a commit status.
    pub summary: String,
    /// What follows from the report.
    pub conclusion: Conclusion,
    /// Remarks at places in files.
    pub annotations: Vec<Annotation>,
    /// Outputs of the step, name and value, besides the addresses of what was published.
    pub outputs: Vec<(String, String)>,
}

/// What a report amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Everything was measured, and nothing is worse.
    Pass,
    /// Something is worse, or a limit is broken.
    Regressed,
    /// Something is better, and nothing is worse.
    Improved,
    /// Something could not be decided, and nothing is worse.
    Inconclusive,
    /// Something could not be measured: never green.
    Error,
}

impl Conclusion {
    /// Returns the word of the `verdict` output.
    pub fn key(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regressed => "regressed",
            Self::Improved => "improved",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
        }
    }
}

/// What a conclusion does to the pull request: the colour of its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckGate {
    /// Green.
    Open,
    /// Grey: said, and nothing is blocked.
    Neutral,
    /// Red.
    Shut,
}

/// Which conclusions shut the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// A regression, a broken limit, and what could not be measured.
    Regression,
    /// Doubt as well.
    Inconclusive,
    /// Only what could not be measured: a gate that measured nothing is not one that was opened.
    Never,
}

impl FailOn {
    /// Returns what `conclusion` does, where `accepted` is set if a regression was accepted.
    pub fn gate(self, conclusion: Conclusion, accepted: Option<&Acceptance>) -> CheckGate {
        let shut_unless = |excused| if excused { CheckGate::Neutral } else { CheckGate::Shut };
        match conclusion {
            Conclusion::Pass | Conclusion::Improved => CheckGate::Open,
            Conclusion::Error => CheckGate::Shut,
            Conclusion::Regressed => shut_unless(self == Self::Never || accepted.is_some()),
            Conclusion::Inconclusive => shut_unless(self != Self::Inconclusive),
        }
    }
}

/// Who accepted a regression, and why. Both are harmless in markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The login.
    pub by: String,
    /// The reason, in that person's words.
    pub reason: String,
}

/// What became of a comment or a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicationOutcome {
    /// It stands there, up to date.
    Published {
        /// Its address.
        url: String,
    },
    /// There is nothing that the settings want to be said.
    Unwanted,
    /// A later run has spoken.
    Outdated {
        /// That run.
        by: RunId,
    },
}

/// A remark at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// The file, relative to the root of the repository.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// How bad it is.
    pub level: AnnotationLevel,
    /// A few words.
    pub title: String,
    /// What there is to say.
    pub message: String,
}

/// How bad what an annotation says is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnotationLevel {
    /// For information.
    Notice,
    /// It needs a look.
    Warning,
    /// It is why the check is red.
    Failure,
}

impl AnnotationLevel {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}
