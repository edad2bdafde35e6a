//! What a right answer says, as it is written: places and what stands there, or that base knows.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use toml::Spanned;

/// `"base"`, or a list of what must stand where.
#[derive(Debug, Clone)]
pub(super) enum ExpectList {
    /// Each must hold; without any, what the kind of request promises.
    Values(Vec<Spanned<ExpectTable>>),
    /// What base answers to the same request, beside what the kind promises.
    Base,
}

/// What must stand where in an answer: a status, or a place and what it equals.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExpectTable {
    /// The status of the answer.
    pub(super) status: Option<u16>,
    /// A pointer into a JSON answer; `*` in it stands for each document pair in turn.
    pub(super) json: Option<String>,
    /// A path of elements in an XML answer, with `@name` at its end for an attribute.
    pub(super) xml: Option<String>,
    /// What must stand there; a template.
    pub(super) equals: Option<String>,
}

impl Default for ExpectList {
    fn default() -> Self {
        Self::Values(Vec::new())
    }
}

impl ExpectList {
    /// Returns what is written value by value.
    pub(super) fn values(&self) -> &[Spanned<ExpectTable>] {
        match self {
            Self::Values(values) => values,
            Self::Base => &[],
        }
    }

    /// Returns this, or `shared` where nothing is written.
    pub(super) fn or(&self, shared: &Self) -> Self {
        match self {
            Self::Values(values) if values.is_empty() => shared.clone(),
            Self::Values(_) | Self::Base => self.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for ExpectList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ExpectVisitor;
        impl<'de> Visitor<'de> for ExpectVisitor {
            type Value = ExpectList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"base\", or a list such as [{ status = 201 }]")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ExpectList, E> {
                match text {
                    "base" => Ok(ExpectList::Base),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<ExpectList, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(values)).map(ExpectList::Values)
            }
        }
        deserializer.deserialize_any(ExpectVisitor)
    }
}
