//! Variables of a target or a service as they are written: a text, or the name of one of xmlperf's own.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use toml::Spanned;
use units::environment::EnvValue;

use crate::config::fault::SpannedFault;
use crate::config::placeholder::PlaceholderScope;
use crate::config::values::Variable;

/// Texts by name, as `{ NAME = "text", TOKEN = { from = "ORDERS_TOKEN" } }`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct EnvTable(BTreeMap<String, Spanned<EnvWord>>);

/// A text, or the name of a variable.
#[derive(Debug, Clone)]
pub(super) struct EnvWord(pub(super) EnvValue);

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct InheritedTable {
    /// The variable of xmlperf's own whose value is handed on.
    from: Variable,
}

impl EnvTable {
    /// Returns the variables, and takes note of what they name.
    pub(super) fn resolve(
        &self,
        scope: &mut PlaceholderScope,
    ) -> Result<Vec<(String, EnvValue)>, SpannedFault> {
        let mut variables = Vec::new();
        for (name, word) in &self.0 {
            let value = &word.get_ref().0;
            if let Some(text) = value.text() {
                scope.note(text, word.span())?;
            }
            variables.push((name.clone(), value.clone()));
        }
        Ok(variables)
    }

    /// Whether a value has the port in it.
    pub(super) fn names_port(&self) -> bool {
        let texts = self.0.values().filter_map(|word| word.get_ref().0.text());
        texts.into_iter().any(|text| text.contains("{port}"))
    }
}

impl<'de> Deserialize<'de> for EnvWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EnvVisitor;
        impl<'de> Visitor<'de> for EnvVisitor {
            type Value = EnvWord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a text, or { from = \"ORDERS_TOKEN\" } for a variable of xmlperf's own",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<EnvWord, E> {
                Ok(EnvWord(EnvValue::Text(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EnvWord, A::Error> {
                let table = InheritedTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(EnvWord(EnvValue::Inherited(table.from.0)))
            }
        }
        deserializer.deserialize_any(EnvVisitor)
    }
}
