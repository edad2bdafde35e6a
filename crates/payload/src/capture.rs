//! What is taken from an answer, for later requests of the same virtual user.

use miette::Diagnostic;
use regex::Regex;
use thiserror::Error;

use super::element_path::{self, ElementPath};

/// Longest value that is taken, in bytes: it stands in a path or a header.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// One value to take from an answer.
#[derive(Debug, Clone)]
pub struct Capture {
    /// What templates call it.
    pub name: String,
    place: CapturePlace,
    /// What of the text there is taken: the first group, else the whole match.
    pattern: Option<Regex>,
}

/// Where a value stands in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CapturePlace {
    /// At a JSON pointer in the body.
    Json(String),
    /// At a path of elements in the body.
    Xml(String),
    /// In a header of this name.
    Header(String),
    /// In a cookie of this name.
    Cookie(String),
    /// Anywhere in the body, where a pattern finds it.
    Body,
}

/// Why there is no such capture.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum CaptureError {
    /// The name cannot stand in a template, or means something else there.
    #[error("`{0}` is not a name for a captured value")]
    #[diagnostic(help(
        "write letters, digits and `_`; `index`, `unique` and their like are taken"
    ))]
    Name(String),
    /// The place is not written as one.
    #[error("`{0}` is no place in an answer")]
    #[diagnostic(help("write a JSON pointer such as `/id`, or a path such as `/Order/@id`"))]
    Place(String),
    /// The pattern is none.
    #[error("`{pattern}` is not a regular expression: {reason}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The body as a whole is no value.
    #[error("the body needs a `regex` that says what of it is taken")]
    NoPattern,
}

/// An answer has nothing to capture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("nothing to capture as `{name}` {place}")]
pub struct CaptureMissError {
    name: String,
    place: String,
}

impl Capture {
    /// Makes a capture of this name.
    pub fn new(
        name: &str,
        place: CapturePlace,
        pattern: Option<&str>,
    ) -> Result<Self, CaptureError> {
        const TAKEN: [&str; 10] =
            ["index", "seed", "pairs", "pair", "draws", "random", "unique", "uuid", "now", "env"];
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || !name.chars().all(is_word) || TAKEN.contains(&name) || name == "nonce" {
            return Err(CaptureError::Name(name.to_owned()));
        }
        match &place {
            CapturePlace::Json(pointer) if !pointer.is_empty() && !pointer.starts_with('/') => {
                return Err(CaptureError::Place(pointer.clone()));
            }
            CapturePlace::Xml(path) if ElementPath::parse(path).is_none() => {
                return Err(CaptureError::Place(path.clone()));
            }
            CapturePlace::Body if pattern.is_none() => return Err(CaptureError::NoPattern),
            CapturePlace::Json(_)
            | CapturePlace::Xml(_)
            | CapturePlace::Header(_)
            | CapturePlace::Cookie(_)
            | CapturePlace::Body => {}
        }
        let pattern = pattern.map(compile).transpose()?;
        Ok(Self { name: name.to_owned(), place, pattern })
    }

    /// Returns where in an answer it stands.
    pub fn place(&self) -> &CapturePlace {
        &self.place
    }

    /// Returns the pattern that says what of the text there is taken, if one does: its first group, else
    /// its match.
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_ref().map(Regex::as_str)
    }

    /// Returns the value in an answer with these headers and this body.
    pub fn find(&self, headers: &[(&str, &str)], body: &[u8]) -> Result<String, CaptureMissError> {
        let texts = match &self.place {
            CapturePlace::Json(pointer) => element_path::json(body, pointer),
            CapturePlace::Xml(path) => element_path::xml(body, path),
            CapturePlace::Header(name) => {
                let same = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
                same.map(|(_, value)| (*value).to_owned()).collect()
            }
            CapturePlace::Cookie(name) => {
                headers.iter().filter_map(|header| cookie(header, name)).collect()
            }
            CapturePlace::Body => vec![String::from_utf8_lossy(body).into_owned()],
        };
        let taken = texts.iter().find_map(|text| self.part(text));
        let taken = taken.filter(|value| !value.is_empty() && value.len() <= VALUE_BYTES_MAX);
        taken
            .map(str::to_owned)
            .ok_or_else(|| CaptureMissError { name: self.name.clone(), place: self.place_words() })
    }

    fn part<'a>(&self, text: &'a str) -> Option<&'a str> {
        let Some(pattern) = &self.pattern else { return Some(text) };
        let found = pattern.captures(text)?;
        found.get(1).or(found.get(0)).map(|part| part.as_str())
    }

    fn place_words(&self) -> String {
        let place = match &self.place {
            CapturePlace::Json(place) | CapturePlace::Xml(place) => format!("at `{place}`"),
            CapturePlace::Header(name) => format!("in the header `{name}`"),
            CapturePlace::Cookie(name) => format!("in the cookie `{name}`"),
            CapturePlace::Body => "in the body".to_owned(),
        };
        match &self.pattern {
            Some(pattern) => format!("{place} by `{pattern}`"),
            None => place,
        }
    }
}

fn compile(pattern: &str) -> Result<Regex, CaptureError> {
    Regex::new(pattern).map_err(|error| {
        // The lines before the last one show the pattern and where in it.
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        let reason = last.strip_prefix("error: ").unwrap_or(last).to_owned();
        CaptureError::Pattern { pattern: pattern.to_owned(), reason }
    })
}

/// The value of a cookie of this name, if the header sets it.
fn cookie((header, value): &(&str, &str), name: &str) -> Option<String> {
    if !header.eq_ignore_ascii_case("set-cookie") {
        return None;
    }
    let (found, value) = value.split(';').next()?.split_once('=')?;
    (found.trim() == name).then(|| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: [(&str, &str); 3] =
        [("location", "/orders/42?x=7"), ("Set-Cookie", "a=1"), ("set-cookie", "sid = s9; Path=/")];

    fn found(place: CapturePlace, pattern: Option<&str>, body: &str) -> Result<String, String> {
        let capture = Capture::new("id", place, pattern).map_err(|error| error.to_string())?;
        capture.find(&HEADERS, body.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_is_found_in_headers_cookies_and_bodies() {
        let (json, xml) =
            ("{\"a\": {\"id\": 7}}", "<o:Order xmlns:o='u' id='8'><t>t1</t></o:Order>");
        let header = || CapturePlace::Header("Location".to_owned());
        let found = |place, pattern, body| found(place, pattern, body).unwrap();
        assert_eq!(found(CapturePlace::Json("/a/id".to_owned()), None, json), "7");
        assert_eq!(found(CapturePlace::Xml("/Order/@id".to_owned()), None, xml), "8");
        assert_eq!(found(header(), Some("/orders/([0-9]+)"), ""), "42");
        assert_eq!(found(header(), Some("[0-9]+$"), ""), "7");
        assert_eq!(found(CapturePlace::Cookie("sid".to_owned()), None, ""), "s9");
        assert_eq!(found(CapturePlace::Body, Some("<t>(.*?)</t>"), xml), "t1");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let all = [
            found(CapturePlace::Json("/id".to_owned()), None, "{}"),
            found(CapturePlace::Xml("/Order/@id".to_owned()), None, "<Order/>"),
            found(CapturePlace::Header("ETag".to_owned()), None, ""),
            found(CapturePlace::Header("Location".to_owned()), Some("([0-9]{9})"), ""),
            found(CapturePlace::Cookie("b".to_owned()), None, ""),
            found(CapturePlace::Body, Some("x"), "abc"),
            found(CapturePlace::Body, None, "abc"),
            found(CapturePlace::Json("id".to_owned()), None, "{}"),
        ];
        let all: Vec<_> = all.into_iter().map(Result::unwrap_err).collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        nothing to capture as `id` at `/id`
        nothing to capture as `id` at `/Order/@id`
        nothing to capture as `id` in the header `ETag`
        nothing to capture as `id` in the header `Location` by `([0-9]{9})`
        nothing to capture as `id` in the cookie `b`
        nothing to capture as `id` in the body by `x`
        the body needs a `regex` that says what of it is taken
        `id` is no place in an answer
        ");
        for name in ["", "1a", "a-b", "unique", "pair"] {
            assert!(Capture::new(name, CapturePlace::Body, Some("x")).is_err(), "{name}");
        }
    }
}
