//! What makes a target or a service ready, as it is written: a path, or a table that says more.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use sut::{LogPattern, ReadyCondition, ReadySign};
use toml::Spanned;

use crate::config::fault::{ReadyFault, SpannedFault};
use crate::config::values::{HttpPath, LogRegex, StatusCode, Time};

/// A path such as `"/health"`, or a table.
#[derive(Debug)]
pub(super) enum ReadyWord {
    Path(HttpPath),
    Table(Box<ReadyTable>),
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReadyTable {
    /// A path that answers.
    path: Option<HttpPath>,
    /// The statuses that count. Default: 200 to 299.
    status: Option<Spanned<Vec<StatusCode>>>,
    /// Whether it is enough that it listens.
    tcp: Option<Spanned<bool>>,
    /// A text that a line of its output has in it, or `{ regex = "…" }`.
    log: Option<Spanned<LogWord>>,
    /// The name of a further port, `{port:NAME}` in `start`, on which to look. Default: the port of the
    /// program.
    port: Option<Spanned<String>>,
    /// How long one probe may take. Default: what is left of `ready-timeout`.
    timeout: Option<Spanned<Time>>,
}

/// A text such as `"Started"`, or `{ regex = "…" }`.
#[derive(Debug)]
struct LogWord(LogPattern);

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct LogRegexTable {
    /// What a line of the output matches.
    regex: LogRegex,
}

impl ReadyWord {
    /// Returns the condition; what is wrong with it is at `word`.
    pub(super) fn resolve(word: &Spanned<Self>) -> Result<ReadyCondition, SpannedFault> {
        match word.get_ref() {
            Self::Path(path) => Ok(ReadyCondition::from(path.0.as_str())),
            Self::Table(table) => table.resolve(word),
        }
    }

    /// Returns the name of the port on which it shows, and where that is written.
    pub(super) fn port(&self) -> Option<&Spanned<String>> {
        match self {
            Self::Path(_) => None,
            Self::Table(table) => table.port.as_ref(),
        }
    }
}

impl ReadyTable {
    fn resolve(&self, word: &Spanned<ReadyWord>) -> Result<ReadyCondition, SpannedFault> {
        let sign = self.sign(word)?;
        if let (ReadySign::LogLine(_), Some(stray)) = (
            &sign,
            self.port.as_ref().map(Spanned::span).or(self.timeout.as_ref().map(Spanned::span)),
        ) {
            return Err(SpannedFault::new(stray, ReadyFault::StrayProbe));
        }
        Ok(ReadyCondition {
            sign,
            port: self.port.as_ref().map(|port| port.get_ref().clone()),
            probe_timeout: self.timeout.as_ref().map(|timeout| timeout.get_ref().0),
        })
    }

    fn sign(&self, word: &Spanned<ReadyWord>) -> Result<ReadySign, SpannedFault> {
        if let (Some(status), None) = (&self.status, &self.path) {
            return Err(SpannedFault::new(status.span(), ReadyFault::StrayStatus));
        }
        if let Some(status) = self.status.as_ref().filter(|status| status.get_ref().is_empty()) {
            return Err(SpannedFault::new(status.span(), ReadyFault::NoStatus));
        }
        match (&self.path, &self.tcp, &self.log) {
            (Some(path), None, None) => {
                let statuses = self.status.as_ref().map(Spanned::get_ref);
                let statuses = statuses.into_iter().flatten().map(|status| status.0).collect();
                Ok(ReadySign::Answer { path: path.0.clone(), statuses })
            }
            (None, Some(tcp), None) if *tcp.get_ref() => Ok(ReadySign::Listener),
            (None, None, Some(log)) => Ok(ReadySign::LogLine(log.get_ref().0.clone())),
            (None, Some(_) | None, None) => Err(SpannedFault::new(word.span(), ReadyFault::NoSign)),
            (_, _, _) => Err(SpannedFault::new(word.span(), ReadyFault::TwoSigns)),
        }
    }
}

impl<'de> Deserialize<'de> for ReadyWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReadyVisitor;
        impl<'de> Visitor<'de> for ReadyVisitor {
            type Value = ReadyWord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a path such as \"/health\", or a table such as { tcp = true } or { log = \"Started\" }",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ReadyWord, E> {
                HttpPath::deserialize(StrDeserializer::new(text)).map(ReadyWord::Path)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReadyWord, A::Error> {
                let table = ReadyTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ReadyWord::Table(Box::new(table)))
            }
        }
        deserializer.deserialize_any(ReadyVisitor)
    }
}

impl<'de> Deserialize<'de> for LogWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LogVisitor;
        impl<'de> Visitor<'de> for LogVisitor {
            type Value = LogWord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text such as \"Started\", or { regex = \"Started in [0-9.]+ s\" }")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LogWord, E> {
                // An empty text is in every line, also in that of an error.
                if text.is_empty() || text.contains('\n') {
                    return Err(E::custom("what is looked for in a log is a part of one line"));
                }
                Ok(LogWord(LogPattern::Text(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LogWord, A::Error> {
                let table = LogRegexTable::deserialize(MapAccessDeserializer::new(map))
                    .map_err(A::Error::custom)?;
                Ok(LogWord(LogPattern::Regex(table.regex.0)))
            }
        }
        deserializer.deserialize_any(LogVisitor)
    }
}
