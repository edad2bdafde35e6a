//! What an operation is called.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest name of an operation, in characters: it stands in the columns of tables.
const NAME_CHARS_MAX: usize = 60;

/// The name of one of several operations: letters, digits, `-`, `_` and `.`, so that it can stand in every
/// report as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct OperationName(String);

/// A text is not the name of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not an operation's name: it is letters, digits, `-`, `_` and `.`, at most {NAME_CHARS_MAX}"
)]
pub struct OperationNameError(String);

impl OperationName {
    /// Returns what the operation of a scenario is called as a scenario of its own: `traffic/create`.
    pub fn within(&self, scenario: &str) -> String {
        format!("{scenario}/{self}")
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for OperationName {
    type Error = OperationNameError;

    fn try_from(name: String) -> Result<Self, OperationNameError> {
        let is_word = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        let length = name.chars().count();
        if (1..=NAME_CHARS_MAX).contains(&length) && name.chars().all(is_word) {
            Ok(Self(name))
        } else {
            Err(OperationNameError(name))
        }
    }
}

impl From<OperationName> for String {
    fn from(name: OperationName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_that_every_report_can_show() {
        for right in ["create", "v1.orders-by_id", "größe"] {
            assert_eq!(OperationName::try_from(right.to_owned()).unwrap().as_str(), right);
        }
        for wrong in ["", "a b", "a/b", "a|b", "<a>", "a\n", &"x".repeat(61)] {
            assert!(OperationName::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }
}
