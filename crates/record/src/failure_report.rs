//! Why something could not be measured.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong, apart by what a reader does with it.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct FailureReport {
    /// What went wrong and what caused it, in a line.
    pub summary: String,
    /// What shows it, such as the end of a log: a paragraph each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excerpts: Vec<String>,
    /// What to do about it: a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

impl FailureReport {
    /// Returns the report with a few words before its summary.
    #[must_use]
    pub fn within(self, place: impl fmt::Display) -> Self {
        Self { summary: format!("{place}: {}", self.summary), ..self }
    }

    /// Returns it in a line: the place, the summary, and what helps.
    pub fn sentence(&self, place: &str) -> String {
        let hints = self.hints.iter().map(|hint| format!("; to get it: {hint}"));
        format!("{place}: {}", self.summary) + &hints.collect::<String>()
    }

    /// Returns what follows the summary: hints and excerpts, in a paragraph each. Hints come first, as a log
    /// is long.
    pub fn details(&self) -> String {
        let hints = self.hints.iter().map(|hint| format!("hint: {hint}"));
        let paragraphs: Vec<String> = hints.chain(self.excerpts.iter().cloned()).collect();
        paragraphs.join("\n\n")
    }
}

impl<T: Into<String>> From<T> for FailureReport {
    fn from(summary: T) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }
}

impl fmt::Display for FailureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)?;
        let details = self.details();
        if details.is_empty() { Ok(()) } else { write!(f, "\n\n{details}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_followed_by_what_shows_it_and_what_helps() {
        let report = FailureReport {
            excerpts: vec!["the end of `api.log`:\n  | no route".to_owned()],
            hints: vec!["check the cable".to_owned()],
            ..FailureReport::from("exited with status 7")
        };
        insta::assert_snapshot!(report.within("head"), @"
        head: exited with status 7

        hint: check the cable

        the end of `api.log`:
          | no route
        ");
        assert_eq!(FailureReport::from("nothing was measured").to_string(), "nothing was measured");
    }
}
