//! What is guessed, and what shows it.

use crate::project::tree::TreeEvidence;

/// What the files of a folder show of the program in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectGuess {
    /// The command that builds it.
    pub build: Option<EvidentText>,
    /// The command that starts it.
    pub start: Option<EvidentText>,
    /// How it learns its port.
    pub port: PortGuess,
    /// The path that shows that it is up.
    pub ready: Option<EvidentText>,
    /// The port that a `Dockerfile` exposes, where there is one.
    pub exposed: Option<EvidentText>,
    /// Images of services beside it, of a compose file.
    pub services: Vec<ServiceImage>,
    /// Files that describe an API: OpenAPI, WSDL.
    pub descriptions: Vec<String>,
}

/// A text for the configuration, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidentText {
    /// What is written.
    pub text: String,
    /// Where that is from.
    pub evidence: TreeEvidence,
}

/// How a program learns its port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PortGuess {
    /// No file shows it.
    #[default]
    Unknown,
    /// `{port}` stands in the start command.
    InStart,
    /// By a variable.
    Variable(EvidentText),
}

/// A program that one ecosystem's files show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProgramGuess {
    pub(super) build: EvidentText,
    /// None where it cannot be seen what the build makes.
    pub(super) start: Option<EvidentText>,
}

/// A service beside the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceImage {
    /// What the compose file calls it.
    pub name: String,
    /// Its image.
    pub image: String,
    /// The port on which it listens.
    pub port: u16,
    /// Where it is named.
    pub evidence: TreeEvidence,
}

impl EvidentText {
    pub(super) fn new(text: impl Into<String>, evidence: TreeEvidence) -> Self {
        Self { text: text.into(), evidence }
    }
}

impl ProjectGuess {
    /// Returns whether the configuration can name a target.
    pub fn is_startable(&self) -> bool {
        self.start.is_some() && self.port != PortGuess::Unknown
    }
}
