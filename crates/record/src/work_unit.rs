//! What rates and costs are counted in: a request, an XML pair, an order.

use std::fmt;

use payload::PayloadKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use units::text::plural_noun;

/// Longest name of a unit, in characters: it stands in the columns of tables.
const NAME_CHARS_MAX: usize = 24;

/// The noun that rates and costs are counted in, in the singular.
///
/// It is lowercase letters, digits, `-` and single spaces, begins with a letter, and has at most 24
/// characters. `XML pair` is the one name with capitals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct WorkUnit(String);

/// A text is not the name of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a unit of work: write a noun in the singular, such as `order`, in at most \
     {NAME_CHARS_MAX} lowercase letters"
)]
pub struct WorkUnitError(String);

impl WorkUnit {
    /// Returns the unit of requests.
    pub fn request() -> Self {
        Self("request".to_owned())
    }

    /// Returns the unit of pairs of documents.
    pub fn pair() -> Self {
        Self("XML pair".to_owned())
    }

    /// Returns the unit of a scenario that names none: what a comparison compares is counted in XML pairs,
    /// and so is a template that holds several of them; everything else in requests.
    pub fn of(kind: PayloadKind, held: u64) -> Self {
        match kind {
            PayloadKind::XmlCompare | PayloadKind::XmlCompareBatch => Self::pair(),
            PayloadKind::Template if held > 1 => Self::pair(),
            PayloadKind::Template
            | PayloadKind::RawXml
            | PayloadKind::Soap11
            | PayloadKind::Soap12 => Self::request(),
        }
    }

    /// Returns the word for several, in a rate and after a number: `requests`, `pairs`, `orders`.
    pub fn plural(&self) -> String {
        plural_noun(self.short())
    }

    /// Returns the word in a limit on a cost: `request`, `pair`.
    pub fn short(&self) -> &str {
        if *self == Self::pair() { "pair" } else { &self.0 }
    }
}

impl fmt::Display for WorkUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for WorkUnit {
    type Error = WorkUnitError;

    fn try_from(name: String) -> Result<Self, WorkUnitError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "- ".contains(c);
        let is_noun = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(plain)
            && !name.contains("  ")
            && !name.ends_with([' ', '-'])
            && name.len() <= NAME_CHARS_MAX;
        match name.as_str() {
            "XML pair" | "pair" => Ok(Self::pair()),
            _ if is_noun => Ok(Self(name)),
            _ => Err(WorkUnitError(name)),
        }
    }
}

impl From<WorkUnit> for String {
    fn from(unit: WorkUnit) -> Self {
        unit.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> WorkUnit {
        WorkUnit::try_from(name.to_owned()).unwrap()
    }

    #[test]
    fn a_unit_is_a_noun_in_the_singular() {
        assert_eq!(unit("order").plural(), "orders");
        assert_eq!(unit("batch").plural(), "batches");
        assert_eq!(
            (unit("pair").to_string(), unit("pair").plural()),
            ("XML pair".into(), "pairs".into())
        );
        for wrong in ["", "Order", "or/der", "a  b", "order ", "7", "x\n", &"x".repeat(25)] {
            assert!(WorkUnit::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_no_comparison_is_counted_in_requests() {
        let unit = |kind, held| WorkUnit::of(kind, held).to_string();
        assert_eq!(unit(PayloadKind::XmlCompareBatch, 100), "XML pair");
        assert_eq!(unit(PayloadKind::XmlCompare, 1), "XML pair");
        assert_eq!(unit(PayloadKind::Template, 100), "XML pair");
        assert_eq!(unit(PayloadKind::Template, 1), "request");
        assert_eq!(unit(PayloadKind::Soap11, 1), "request");
    }
}
