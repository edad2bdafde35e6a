//! Finds proofs of identity in requests: what is written names a variable of the environment instead.
//!
//! By name, as values tell too little, and the other way round: a name that only looks like one costs a
//! variable to set, a secret in a file that is committed costs more. JSON Web Tokens are known by their
//! form wherever they stand.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use roxmltree::{Document, NodeType, ParsingOptions};

use crate::description::document::DocumentValue;
use crate::description::template_text::literal;

/// Parts of names that say that a value proves who sends it.
const TELLING: [&str; 19] = [
    "authorization",
    "cookie",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "api-key",
    "apikey",
    "access-key",
    "private-key",
    "session",
    "signature",
    "credential",
    "csrf",
    "xsrf",
    "jwt",
    "bearer",
];

/// Names that say it only when they are whole.
const WHOLE: [&str; 7] = ["auth", "sid", "sig", "key", "pin", "otp", "x-auth"];

/// A JSON Web Token, or the beginning of one.
static WEB_TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,2}").expect("a fixed expression")
});

/// A field of JSON, in what is not JSON as a whole.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#""([^"\\]{1,100})"\s*:\s*"((?:[^"\\]|\\.)*)""#).expect("a fixed expression")
});

/// An element with a text, in what is not XML as a whole.
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"<(?:[\w.-]+:)?([\w.-]{1,100})(?:\s[^<>]*)?>([^<]+)<").expect("a fixed expression")
});

/// A variable of the environment that requests need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededVariable {
    /// Its name.
    pub name: String,
    /// What it stands for, such as `the header Authorization`.
    pub place: String,
}

/// The variables that take the place of what was found.
#[derive(Debug, Default)]
pub(super) struct CredentialNames {
    by_name: BTreeMap<String, String>,
}

/// Whether a header, a parameter or a field of this name proves who sends it.
pub(super) fn is_credential(name: &str) -> bool {
    let name = words(name).join("-").to_lowercase();
    WHOLE.contains(&name.as_str()) || TELLING.iter().any(|part| name.contains(part))
}

/// The words of a name, however they are joined: `apiKey`, `api_key`, `Api-Key`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = None;
    for c in name.chars() {
        let begins = c.is_uppercase() && before.is_some_and(char::is_lowercase);
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("there is a first word").push(c);
        }
        before = Some(c);
    }
    words.retain(|word| !word.is_empty());
    words
}

impl CredentialNames {
    /// Returns the variable that stands for the value of a name, such as `API_AUTHORIZATION`.
    pub(super) fn variable(&mut self, name: &str, place: &str) -> String {
        let mut words: Vec<String> = words(name).iter().map(|word| word.to_uppercase()).collect();
        words.retain(|word| word.is_ascii());
        if words.first().is_some_and(|first| first == "X" || first == "API") && words.len() > 1 {
            words.remove(0);
        }
        let end = if words.is_empty() { "SECRET".to_owned() } else { words.join("_") };
        let end = end.strip_prefix("API_").unwrap_or(&end);
        let variable = format!("API_{end}");
        self.by_name.entry(variable.clone()).or_insert_with(|| place.to_owned());
        variable
    }

    /// Returns a template of the value of a name, in the place of the value.
    pub(super) fn template(&mut self, name: &str, place: &str) -> String {
        format!("{{{{ env.{} }}}}", self.variable(name, place))
    }

    /// Returns the variables that were named, sorted.
    pub(super) fn into_variables(self) -> Vec<NeededVariable> {
        let variables = self.by_name.into_iter();
        variables.map(|(name, place)| NeededVariable { name, place }).collect()
    }

    /// Returns a query, without its `?`, as a template in which credentials are variables.
    pub(super) fn query(&mut self, query: &str) -> String {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) if is_credential(name) && !value.is_empty() => {
                format!(
                    "{}={}",
                    literal(name),
                    self.template(name, &format!("the parameter {name}"))
                )
            }
            _ => self.text(pair),
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Returns a text as a template in which web tokens are a variable.
    pub(super) fn text(&mut self, text: &str) -> String {
        let (mut out, mut end) = (String::new(), 0);
        for found in WEB_TOKEN.find_iter(text) {
            out.push_str(&literal(&text[end..found.start()]));
            out.push_str(&self.template("token", "a JSON Web Token"));
            end = found.end();
        }
        out + &literal(&text[end..])
    }

    /// Returns a body as a template in which credentials are variables.
    pub(super) fn body(&mut self, media_type: &str, text: &str) -> String {
        if media_type.contains("urlencoded") {
            return self.query(text);
        }
        if media_type.contains("json")
            && let Ok(mut value) = serde_json::from_str::<DocumentValue>(text)
        {
            let mut found = Vec::new();
            take_fields(&mut value, &mut found);
            if !found.is_empty() {
                return self.marked(&value.json(), &found);
            }
        }
        let is_xml = text.trim_start().starts_with('<');
        let texts = if is_xml { elements(text) } else { fields(&FIELD, text) };
        let (mut out, mut end) = (String::new(), 0);
        for (range, name) in texts {
            out.push_str(&self.text(&text[end..range.start]));
            out.push_str(&self.template(&name, &format!("the value of {name}")));
            end = range.end;
        }
        out + &self.text(&text[end..])
    }

    /// A text with marks as a template, with the variables of these names in the place of the marks.
    fn marked(&mut self, text: &str, names: &[String]) -> String {
        let mut parts = text.split(MARK);
        let mut out = self.text(parts.next().unwrap_or_default());
        for (part, name) in parts.zip(names) {
            out.push_str(&self.template(name, &format!("the field {name}")));
            out.push_str(&self.text(part));
        }
        out
    }
}

/// Stands for a credential until it is named: no text of a document has it.
const MARK: char = '\u{f0100}';

/// Puts a mark in the place of the credentials of a value, and their names into `found`, in order.
fn take_fields(value: &mut DocumentValue, found: &mut Vec<String>) {
    match value {
        DocumentValue::Fields(fields) => {
            for (name, value) in fields {
                match value {
                    DocumentValue::Text(text) if is_credential(name) && !text.is_empty() => {
                        *text = MARK.to_string();
                        found.push(name.clone());
                    }
                    _ => take_fields(value, found),
                }
            }
        }
        DocumentValue::List(list) => list.iter_mut().for_each(|value| take_fields(value, found)),
        // A mark that was there already would be taken for one of ours.
        DocumentValue::Text(text) => *text = text.replace(MARK, ""),
        DocumentValue::Null | DocumentValue::Flag(_) | DocumentValue::Number(_) => {}
    }
}

/// The places of credentials by an expression for a name and its value.
fn fields(expression: &Regex, text: &str) -> Vec<(Range<usize>, String)> {
    let found = expression.captures_iter(text).filter_map(|found| {
        let (name, value) = (found.get(1)?, found.get(2)?);
        let is_telling = is_credential(name.as_str()) && !value.is_empty();
        is_telling.then(|| (value.range(), name.as_str().to_owned()))
    });
    found.collect()
}

/// The places of credentials in a document of XML, in order, each with the name of what holds it.
fn elements(text: &str) -> Vec<(Range<usize>, String)> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let Ok(document) = Document::parse_with_options(text, options) else {
        return fields(&ELEMENT, text);
    };
    let mut found = Vec::new();
    for node in document.descendants() {
        match node.node_type() {
            NodeType::Element => {
                let telling = node.attributes().filter(|it| is_credential(it.name()));
                found.extend(telling.map(|it| (it.range_value(), it.name().to_owned())));
            }
            NodeType::Text => {
                let name = node.parent().map_or("", |parent| parent.tag_name().name());
                let is_blank = node.text().is_none_or(|text| text.trim().is_empty());
                if is_credential(name) && !is_blank {
                    found.push((node.range(), name.to_owned()));
                }
            }
            NodeType::Root | NodeType::PI | NodeType::Comment => {}
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_proves_who_sends_a_request() {
        for name in [
            "Authorization",
            "X-Api-Key",
            "apiKey",
            "access_token",
            "JSESSIONID",
            "password",
            "sid",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["Accept", "monkey", "keyboard", "SOAPAction", "inside", "pinned", "author"] {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[test]
    fn variables_have_the_words_of_the_name() {
        let mut names = CredentialNames::default();
        let all = ["Authorization", "X-Api-Key", "apiKey", "Cookie", "X", "schlüssel"];
        let all = all.map(|name| names.variable(name, "a header"));
        assert_eq!(
            all,
            ["API_AUTHORIZATION", "API_KEY", "API_KEY", "API_COOKIE", "API_X", "API_SECRET"]
        );
    }

    #[test]
    fn no_credential_is_left_in_a_body() {
        let mut names = CredentialNames::default();
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";
        let json =
            format!(r#"{{"user": "a", "password": "hunter2", "n": [{{"note": "{token}"}}]}}"#);
        let xml =
            format!("<Login pwd='hunter2'><Password>hunter2</Password><T>{token}</T></Login>");
        let form = "grant_type=password&client_secret=hunter2&x={{1}}".to_owned();
        let open = r#"{"password": "hunter2", "count": {{count}}}"#.to_owned();
        let prefixed = "<a:Login><a:Password>hunter2</a:Password></a:Login>".to_owned();
        for (media, text) in [
            ("application/json", open),
            ("text/xml", prefixed),
            ("application/json", json),
            ("text/xml", xml),
            ("application/x-www-form-urlencoded", form),
        ] {
            let body = names.body(media, &text);
            assert!(!body.contains("hunter2") && !body.contains("eyJ"), "{body}");
            assert!(body.contains("{{ env.API_"), "{body}");
        }
        let names: Vec<_> = names.into_variables().into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["API_CLIENT_SECRET", "API_PASSWORD", "API_PWD", "API_TOKEN"]);
    }
}
