//! Headers as they are written: a template, or the name of a variable of xmlperf's own.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error as _};
use units::environment::EnvValue;

use crate::config::environment::EnvWord;
use crate::config::values::{HeaderName, ValueError};

/// Headers of one's own, each once whatever its case: a text, or `{ from = "NAME" }` for the value of a
/// variable of xmlperf's own, which is not recorded.
#[derive(Debug, Clone, Default)]
pub(super) struct Headers(pub(super) Vec<(String, String)>);

impl Headers {
    /// Returns these headers and those of `shared` that have no value here.
    pub(super) fn over(&self, shared: &Self) -> Self {
        let is_own = |name: &str| self.0.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let inherited = shared.0.iter().filter(|(name, _)| !is_own(name));
        Self(inherited.chain(&self.0).cloned().collect())
    }

    fn add(&mut self, name: String, value: EnvValue) -> Result<(), ValueError> {
        if let Some((first, _)) = self.0.iter().find(|it| it.0.eq_ignore_ascii_case(&name)) {
            return Err(ValueError::HeaderTwice { first: name, second: first.clone() });
        }
        let text = match value {
            EnvValue::Text(text) if text.chars().any(char::is_control) => {
                return Err(ValueError::HeaderValue);
            }
            EnvValue::Text(text) => text,
            EnvValue::Inherited(variable) if is_word(&variable) => {
                format!("{{{{ env.{variable} }}}}")
            }
            EnvValue::Inherited(variable) => return Err(ValueError::Variable(variable)),
        };
        self.0.push((name, text));
        Ok(())
    }
}

/// Whether a template can name the variable.
fn is_word(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut headers = Self::default();
        for (HeaderName(name), EnvWord(value)) in BTreeMap::deserialize(deserializer)? {
            headers.add(name, value).map_err(D::Error::custom)?;
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, String> {
        toml::from_str::<Headers>(text).map(|it| it.0).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_value_is_a_template_or_the_name_of_a_variable() {
        let headers =
            read("X-Tenant = \"{{ index }}\"\nAuthorization = { from = \"ORDERS_TOKEN\" }\n");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            headers.unwrap(),
            [pair("Authorization", "{{ env.ORDERS_TOKEN }}"), pair("X-Tenant", "{{ index }}")]
        );
        assert!(read("X = { from = \"a b\" }").unwrap_err().contains("`a b` is not the name"));
        assert!(read("X = \"a\"\nx = \"b\"").unwrap_err().contains("is there already"));
        assert!(read("X = \"a\\nb\"").unwrap_err().contains("one line of visible text"));
    }
}
