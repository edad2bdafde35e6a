//! A value of JSON or YAML in the order in which it is written, and where it stands.
//!
//! The order matters: the properties of a schema are the elements of an XML document one after the other.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::Number;

use crate::description::failure::DescriptionError;

/// `$ref` after `$ref`, at most: more is a circle, or as good as one.
const REFERENCES_MAX: usize = 32;

/// A value of JSON or YAML.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum DocumentValue {
    Null,
    Flag(bool),
    Number(Number),
    Text(String),
    List(Vec<Self>),
    Fields(Vec<(String, Self)>),
}

/// A value within a document, with its JSON pointer.
#[derive(Debug, Clone)]
pub(super) struct DocumentNode<'a> {
    pub(super) root: &'a DocumentValue,
    pub(super) value: &'a DocumentValue,
    pub(super) pointer: String,
}

impl DocumentValue {
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Fields(fields) => {
                fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            Self::List(list) => list.get(key.parse::<usize>().ok()?),
            Self::Null | Self::Flag(_) | Self::Number(_) | Self::Text(_) => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value at a JSON pointer (RFC 6901).
    pub(super) fn at(&self, pointer: &str) -> Option<&Self> {
        let mut parts = pointer.split('/').skip(1);
        parts.try_fold(self, |value, part| value.get(&part.replace("~1", "/").replace("~0", "~")))
    }

    /// The characters of a plain value: of a text its own, else as JSON.
    pub(super) fn plain(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Flag(flag) => Some(flag.to_string()),
            Self::Number(number) => Some(number.to_string()),
            Self::Null | Self::List(_) | Self::Fields(_) => None,
        }
    }

    /// The value as JSON, in lines.
    pub(super) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and finite numbers are JSON")
    }

    pub(super) fn set(&mut self, key: &str, value: Self) {
        if let Self::Fields(fields) = self {
            match fields.iter_mut().find(|(name, _)| name == key) {
                Some((_, old)) => *old = value,
                None => fields.push((key.to_owned(), value)),
            }
        }
    }
}

impl<'a> DocumentNode<'a> {
    pub(super) fn root(value: &'a DocumentValue) -> Self {
        Self { root: value, value, pointer: String::new() }
    }

    fn below(&self, key: &str, value: &'a DocumentValue) -> Self {
        let part = key.replace('~', "~0").replace('/', "~1");
        Self { root: self.root, value, pointer: format!("{}/{part}", self.pointer) }
    }

    /// The value of a key; none where it is missing or null.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| **value != DocumentValue::Null)?;
        Some(self.below(key, value))
    }

    pub(super) fn need(&self, key: &str) -> Result<Self, DescriptionError> {
        self.get(key)
            .ok_or_else(|| DescriptionError::Missing { pointer: format!("{}/{key}", self.pointer) })
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.text()
    }

    pub(super) fn need_text(&self) -> Result<&'a str, DescriptionError> {
        self.text().ok_or_else(|| self.wrong("a text"))
    }

    /// The text of a key, if there is one.
    pub(super) fn text_of(&self, key: &str) -> Option<&'a str> {
        self.value.get(key)?.text()
    }

    pub(super) fn flag_of(&self, key: &str) -> bool {
        self.value.get(key) == Some(&DocumentValue::Flag(true))
    }

    pub(super) fn number_of(&self, key: &str) -> Option<f64> {
        match self.value.get(key)? {
            DocumentValue::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&self) -> Vec<Self> {
        match self.value {
            DocumentValue::List(list) => {
                list.iter().enumerate().map(|(i, it)| self.below(&i.to_string(), it)).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn need_items(&self) -> Result<Vec<Self>, DescriptionError> {
        match self.value {
            DocumentValue::List(_) => Ok(self.items()),
            _ => Err(self.wrong("a list")),
        }
    }

    /// The items of a key.
    pub(super) fn items_of(&self, key: &str) -> Vec<Self> {
        self.get(key).map_or_else(Vec::new, |list| list.items())
    }

    /// The fields of an object, in their order; none of anything else.
    pub(super) fn fields(&self) -> Vec<(&'a str, Self)> {
        match self.value {
            DocumentValue::Fields(fields) => {
                fields.iter().map(|(key, value)| (key.as_str(), self.below(key, value))).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn need_fields(&self) -> Result<Vec<(&'a str, Self)>, DescriptionError> {
        match self.value {
            DocumentValue::Fields(_) => Ok(self.fields()),
            _ => Err(self.wrong("an object")),
        }
    }

    /// Follows `$ref` as long as there is one; none where it leads out of the document.
    pub(super) fn resolve(&self) -> Result<Option<Self>, DescriptionError> {
        let mut node = self.clone();
        for _ in 0..REFERENCES_MAX {
            let Some(target) = node.text_of("$ref") else { return Ok(Some(node)) };
            let Some(pointer) = target.strip_prefix('#') else { return Ok(None) };
            let value = self.root.at(pointer).ok_or_else(|| DescriptionError::Dangling {
                pointer: node.pointer.clone(),
                target: target.to_owned(),
            })?;
            node = Self { root: self.root, value, pointer: pointer.to_owned() };
        }
        Err(DescriptionError::ReferenceLoop { pointer: self.pointer.clone() })
    }

    pub(super) fn wrong(&self, wanted: &'static str) -> DescriptionError {
        let found: String = self.value.json().chars().take(60).collect();
        DescriptionError::Field { pointer: self.shown(), found, wanted }
    }

    /// The pointer, for a person.
    pub(super) fn shown(&self) -> String {
        if self.pointer.is_empty() { "the document".to_owned() } else { self.pointer.clone() }
    }
}

impl<'de> Deserialize<'de> for DocumentValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = DocumentValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON or YAML")
    }

    fn visit_unit<E>(self) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Null)
    }

    fn visit_none<E>(self) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<DocumentValue, D::Error> {
        DocumentValue::deserialize(inner)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<DocumentValue, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("a number without end"))?;
        Ok(DocumentValue::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<DocumentValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(DocumentValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DocumentValue, A::Error> {
        let mut fields = Vec::new();
        // The keys of responses are numbers in YAML: `200:`.
        while let Some((key, value)) = map.next_entry::<DocumentValue, DocumentValue>()? {
            let key = key.plain().ok_or_else(|| A::Error::custom("a key is a text"))?;
            fields.push((key, value));
        }
        Ok(DocumentValue::Fields(fields))
    }
}

impl Serialize for DocumentValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                for item in list {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Fields(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}
