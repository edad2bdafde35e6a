//! Stands in a command for what is known only when a launch begins: ports, a folder, where services listen.
//!
//! `{port}`, `{port:NAME}`, `{dir}`, `{service:NAME}` and `{service:NAME:port}`. Every other brace is
//! text: start commands hold JSON, and shells have braces of their own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// One of the things that a command can name before they are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder<'a> {
    /// The port of the program itself.
    Port,
    /// A further free port, by its name.
    NamedPort(&'a str),
    /// A folder that is empty and new.
    Dir,
    /// Address and port of a service.
    Service(&'a str),
    /// The port of a service.
    ServicePort(&'a str),
}

/// A placeholder names nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{{{0}}}` has no name in it: names are letters, digits, `-` and `_`, as in `{{port:management}}` \
     and `{{service:db}}`"
)]
pub struct PlaceholderError(String);

impl<'a> Placeholder<'a> {
    /// Returns the placeholders of a text, in its order.
    pub fn all(text: &'a str) -> Result<Vec<Self>, PlaceholderError> {
        let braces = braces(text).filter_map(|range| Self::read(&text[range]).transpose());
        braces.collect()
    }

    /// Reads what is between two braces; none if it is text.
    fn read(inside: &'a str) -> Result<Option<Self>, PlaceholderError> {
        let (kind, name) = inside.split_once(':').unwrap_or((inside, ""));
        let placeholder = match (kind, inside.contains(':')) {
            ("port", false) => return Ok(Some(Self::Port)),
            ("dir", false) => return Ok(Some(Self::Dir)),
            ("port", true) => Self::NamedPort(name),
            ("service", true) => match name.strip_suffix(":port") {
                Some(name) => Self::ServicePort(name),
                None => Self::Service(name),
            },
            _ => return Ok(None),
        };
        match placeholder {
            Self::NamedPort(name) | Self::Service(name) | Self::ServicePort(name)
                if !is_name(name) =>
            {
                Err(PlaceholderError(inside.to_owned()))
            }
            _ => Ok(Some(placeholder)),
        }
    }
}

/// Whether a text can be the name of a port or a service.
pub fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.bytes().all(is_letter)
}

/// The stretches between an opening brace and the next closing one, without any brace inside.
fn braces(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices('{').filter_map(|(open, _)| {
        let start = open + 1;
        let length = text[start..].find(['{', '}'])?;
        text[start + length..].starts_with('}').then_some(start..start + length)
    })
}

/// What the placeholders of one launch stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PlaceholderValues {
    /// The program's own port; inside, for a container.
    pub(super) port: u16,
    /// Further ports.
    pub(super) ports: BTreeMap<String, u16>,
    /// The folder, if one is used.
    pub(super) dir: Option<PathBuf>,
    /// The ports of services, all of 127.0.0.1.
    pub(super) services: BTreeMap<String, u16>,
    /// The ports of 127.0.0.1 that stand for addresses in variables.
    pub(super) swaps: BTreeMap<String, u16>,
}

impl PlaceholderValues {
    /// Returns the text with every placeholder replaced. One that has no value stays as it is written.
    pub(super) fn fill(&self, text: &str) -> String {
        let (mut filled, mut rest) = (String::with_capacity(text.len()), 0);
        for range in braces(text) {
            let placeholder = Placeholder::read(&text[range.clone()]).ok().flatten();
            if let Some(value) = placeholder.and_then(|placeholder| self.value(placeholder)) {
                filled.push_str(&text[rest..range.start - 1]);
                filled.push_str(&value);
                rest = range.end + 1;
            }
        }
        filled.push_str(&text[rest..]);
        filled
    }

    fn value(&self, placeholder: Placeholder<'_>) -> Option<String> {
        let number = |port: &u16| port.to_string();
        match placeholder {
            Placeholder::Port => Some(number(&self.port)),
            Placeholder::NamedPort(name) => self.ports.get(name).map(number),
            Placeholder::Dir => self.dir.as_deref().map(Path::display).map(|dir| dir.to_string()),
            Placeholder::Service(name) => {
                self.services.get(name).map(|port| format!("127.0.0.1:{port}"))
            }
            Placeholder::ServicePort(name) => self.services.get(name).map(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> PlaceholderValues {
        PlaceholderValues {
            port: 4000,
            ports: [("management".to_owned(), 4001)].into(),
            dir: Some(PathBuf::from("/run/head db")),
            services: [("db".to_owned(), 5432)].into(),
            swaps: BTreeMap::new(),
        }
    }

    #[test]
    fn placeholders_are_found_and_every_other_brace_is_text() {
        let all = |text| Placeholder::all(text);
        assert_eq!(
            all("a {port} {port:management} {dir}/x {service:db} {service:db:port}"),
            Ok(vec![
                Placeholder::Port,
                Placeholder::NamedPort("management"),
                Placeholder::Dir,
                Placeholder::Service("db"),
                Placeholder::ServicePort("db"),
            ])
        );
        for text in ["{\"port\": 1}", "${port_of}", "{port", "{{ x }}", "{a,b}", "awk '{print $1}'"]
        {
            assert_eq!(all(text), Ok(Vec::new()), "{text}");
        }
        for text in ["{port:}", "{port:a b}", "{service:}", "{service::port}"] {
            assert!(all(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_placeholder_is_replaced_by_its_value() {
        let fill = |text: &str| values().fill(text);
        assert_eq!(fill("--port={port} -m {port:management}"), "--port=4000 -m 4001");
        assert_eq!(fill("{service:db}|{service:db:port}"), "127.0.0.1:5432|5432");
        assert_eq!(fill("-D {dir}/data ${HOME}"), "-D /run/head db/data ${HOME}");
        assert_eq!(fill("{\"port\": {port}}"), "{\"port\": 4000}");
        assert_eq!(fill("{service:cache} {port:other}"), "{service:cache} {port:other}");
    }

    proptest! {
        #[test]
        fn a_text_without_placeholders_stays_as_it_is(text in "[^{]*(\\{[a-z ]{0,3}[{}]?[^{]*)*") {
            prop_assume!(!text.contains("{dir}"));
            prop_assert_eq!(values().fill(&text), text);
        }
    }
}
