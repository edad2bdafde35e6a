//! The lines of a record of evidence, each with the digest of all lines before it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::evidence::{EvidenceAttempt, EvidencePair};

/// The format of the lines. Raised when a field is required that older lines lack, or means something
/// else than it did.
pub(crate) const SCHEMA: u32 = 1;

/// One line of a record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum EvidenceLine {
    /// An attempt begins.
    Attempt {
        schema: u32,
        key: String,
        #[serde(flatten)]
        attempt: Box<EvidenceAttempt>,
        before: String,
    },
    /// A launch pair has ended.
    LaunchPair {
        #[serde(flatten)]
        launch_pair: EvidencePair,
        before: String,
    },
    /// An attempt has ended, and all its launch pairs are above.
    End { number: u32, before: String },
}

impl EvidenceLine {
    /// The digest of all lines before this one, as it was when it was written.
    pub(crate) fn before(&self) -> &str {
        match self {
            Self::Attempt { before, .. }
            | Self::LaunchPair { before, .. }
            | Self::End { before, .. } => before,
        }
    }
}

/// Makes lines that follow each other.
#[derive(Debug, Default)]
pub(crate) struct EvidenceChain {
    written: Sha256,
}

impl EvidenceChain {
    /// Returns the chain that goes on after these lines.
    pub(crate) fn after(lines: &[u8]) -> Self {
        Self { written: Sha256::new_with_prefix(lines) }
    }

    /// Returns the line that says so of what is before it.
    fn line(&mut self, say: impl FnOnce(String) -> EvidenceLine) -> Vec<u8> {
        let line = say(units::hex(&self.written.clone().finalize()));
        let mut text =
            serde_json::to_vec(&line).expect("a line has string keys and finite numbers");
        text.push(b'\n');
        self.written.update(&text);
        text
    }

    /// Returns the line that begins an attempt, and one for each of its launch pairs.
    pub(crate) fn attempt(&mut self, key: &str, attempt: &EvidenceAttempt) -> Vec<u8> {
        let begun = Box::new(EvidenceAttempt { launch_pairs: Vec::new(), ..attempt.clone() });
        let key = key.to_owned();
        let mut lines = self.line(|before| EvidenceLine::Attempt {
            schema: SCHEMA,
            key,
            attempt: begun,
            before,
        });
        for launch_pair in &attempt.launch_pairs {
            lines.extend(self.launch_pair(launch_pair.clone()));
        }
        lines
    }

    pub(crate) fn launch_pair(&mut self, launch_pair: EvidencePair) -> Vec<u8> {
        self.line(|before| EvidenceLine::LaunchPair { launch_pair, before })
    }

    /// Returns the line that ends an attempt.
    pub(crate) fn end(&mut self, number: u32) -> Vec<u8> {
        self.line(|before| EvidenceLine::End { number, before })
    }
}

/// Returns when the last attempt that these lines begin was begun, RFC 3339 in UTC; none where no line begins one.
pub fn last_started(lines: &[u8]) -> Option<String> {
    let mut lines = lines.rsplit(|byte| *byte == b'\n');
    let attempt = |line: &[u8]| match serde_json::from_slice(line) {
        Ok(EvidenceLine::Attempt { attempt, .. }) => Some(attempt.started),
        Ok(EvidenceLine::LaunchPair { .. } | EvidenceLine::End { .. }) | Err(_) => None,
    };
    lines.find_map(attempt)
}

/// Returns the lines of a record of these attempts, each with its end.
pub fn of_attempts(key: &str, attempts: &[EvidenceAttempt]) -> Vec<u8> {
    let mut chain = EvidenceChain::default();
    let lines = |attempt: &EvidenceAttempt| {
        let mut lines = chain.attempt(key, attempt);
        lines.extend(chain.end(attempt.number));
        lines
    };
    attempts.iter().flat_map(lines).collect()
}
