//! Texts in which what is known only when a request is sent stays open, so that another program can fill
//! it in.
//!
//! The templates are rendered as always, with marks in place of the values: whatever else a template does
//! (loops, conditions, numbers that are drawn from the seed) is done then. The filters that are common on
//! such values leave marks as well. What computes with a value in another way, as by its length, would
//! compute with the mark: each request is rendered with two marks of different lengths, and both must come
//! to the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, filters};
use thiserror::Error;

use super::expectation::{AnswerRule, ResponseExpectation, VerdictBits};
use super::live::{LiveValues, RenderedTexts, RequestContext, RequestRenderer};
use super::template::{self, ExpectedValue, LIVE_NAMES, ResponseLocation, TemplateError};

// Of a private plane of Unicode, which no document has.
const OPEN: char = '\u{f0000}';
const COLON: char = '\u{f0001}';
const CLOSE: char = '\u{f0002}';
/// Makes a mark longer, and means nothing.
const PAD: char = '\u{f0003}';

const VALUE: &str = "value";
const SHA1: &str = "sha1";
const BASE64: &str = "base64";
const JSON: &str = "json";
const XML: &str = "xml";

/// A text, part by part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveText(pub Vec<LivePart>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LivePart {
    /// It stands there as it is.
    Text(String),
    /// `unique`, `uuid`, `now`, `nonce`, or a captured value by its name.
    Value(String),
    /// The SHA-1 digest of a text: its bytes within Base64, its hexadecimal digits elsewhere.
    Sha1(LiveText),
    /// The Base64 of a text, or of a digest.
    Base64(LiveText),
    /// A text as a string of JSON, in its quotes, in which `<`, `>`, `&` and `'` are escaped.
    Json(LiveText),
    /// A text as the content of an XML element.
    Xml(LiveText),
}

/// The parts of a request that are templates, with what stays open in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTexts {
    /// The path.
    pub path: LiveText,
    /// Headers, as name and value.
    pub headers: Vec<(String, LiveText)>,
    /// The body, if it is a template.
    pub body: Option<LiveText>,
    /// What must stand in an answer; none where that is left to the kind of request.
    pub expected: Option<Vec<(ResponseLocation, Vec<LiveText>)>>,
}

/// Why a template cannot be filled in by another program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LiveTextError {
    /// It does more with such a value than writing it.
    #[error("a template computes with a value that is known only when a request is sent")]
    Computed,
    /// It cannot be filled in at all.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl From<&str> for LiveText {
    fn from(text: &str) -> Self {
        Self(vec![LivePart::Text(text.to_owned())])
    }
}

impl LiveText {
    /// Returns the text, if nothing in it is open.
    pub fn fixed(&self) -> Option<String> {
        let text = |part: &LivePart| match part {
            LivePart::Text(text) => Some(text.clone()),
            LivePart::Value(_)
            | LivePart::Sha1(_)
            | LivePart::Base64(_)
            | LivePart::Json(_)
            | LivePart::Xml(_) => None,
        };
        self.0.iter().map(text).collect::<Option<Vec<_>>>().map(|parts| parts.concat())
    }

    /// Returns the text with these values; none where one is missing or filtered.
    fn fill(&self, values: &LiveValues) -> Option<String> {
        let mut filled = String::new();
        for part in &self.0 {
            filled.push_str(match part {
                LivePart::Text(text) => text,
                LivePart::Value(name) => values.of(name)?,
                LivePart::Sha1(_) | LivePart::Base64(_) | LivePart::Json(_) | LivePart::Xml(_) => {
                    return None;
                }
            });
        }
        Some(filled)
    }

    /// Reads a text with marks, in which each name must be one of `names`.
    fn parse(text: &str, names: &BTreeSet<String>) -> Option<Self> {
        let (parts, rest) = parse_parts(text, names)?;
        rest.is_empty().then_some(parts)
    }
}

impl LiveTexts {
    /// Returns the request with these values, which is what the templates make of them; none where a value is
    /// missing or filtered, which is left to the templates.
    pub fn fill(&self, values: &LiveValues) -> Option<RenderedTexts> {
        let header = |(name, value): &(String, LiveText)| Some((name.clone(), value.fill(values)?));
        let expected = |(place, wanted): &(ResponseLocation, Vec<LiveText>)| {
            let wanted = wanted.iter().map(|value| value.fill(values));
            Some(ExpectedValue { place: place.clone(), values: wanted.collect::<Option<_>>()? })
        };
        let body = match &self.body {
            Some(body) => Some(body.fill(values)?),
            None => None,
        };
        let expected = match &self.expected {
            Some(all) => {
                let all = all.iter().map(expected).collect::<Option<_>>()?;
                Some(ResponseExpectation::wanted(Ok(all), VerdictBits::default()))
            }
            None => None,
        };
        let headers = self.headers.iter().map(header).collect::<Option<_>>()?;
        Some(RenderedTexts { path: self.path.fill(values)?, headers, body, expected })
    }
}

/// Reads parts until the text ends, or a mark does; returns what follows.
fn parse_parts<'a>(mut text: &'a str, names: &BTreeSet<String>) -> Option<(LiveText, &'a str)> {
    let mut parts = Vec::new();
    loop {
        let end = text.find([OPEN, CLOSE]).unwrap_or(text.len());
        let (before, rest) = text.split_at(end);
        if before.contains([COLON, PAD]) {
            return None;
        }
        if !before.is_empty() {
            parts.push(LivePart::Text(before.to_owned()));
        }
        let Some(inside) = rest.strip_prefix(OPEN) else { return Some((LiveText(parts), rest)) };
        let (kind, inside) = inside.split_once(COLON)?;
        if kind == VALUE {
            let (name, rest) = inside.split_once(CLOSE)?;
            let name = name.trim_end_matches(PAD);
            parts.push(LivePart::Value(names.get(name)?.clone()));
            text = rest;
            continue;
        }
        let (inner, rest) = parse_parts(inside, names)?;
        text = rest.strip_prefix(CLOSE)?;
        parts.push(match kind {
            SHA1 => LivePart::Sha1(inner),
            BASE64 => LivePart::Base64(inner),
            JSON => LivePart::Json(inner),
            XML => LivePart::Xml(inner),
            _ => return None,
        });
    }
}

impl RequestRenderer {
    /// Returns a request in which the values that are known only when it is sent stay open: `unique`, `uuid`,
    /// `now`, `nonce`, and captures of these names.
    pub fn open(
        &self,
        request: &Arc<RequestContext>,
        captures: &BTreeSet<String>,
    ) -> Result<LiveTexts, LiveTextError> {
        let names = LIVE_NAMES.iter().map(|name| (*name).to_owned());
        let names: BTreeSet<String> = names.chain(captures.iter().cloned()).collect();
        if self.texts().all().any(|text| decides_by(text, &names)) {
            return Err(LiveTextError::Computed);
        }
        let renderer = Self::with_environment(self.texts().clone(), marking_environment())?;
        let [short, long] = [0, 3].map(|pads| renderer.marked(request, &names, pads));
        match (short?, long?) {
            (Some(short), Some(long)) if short == long => Ok(short),
            _ => Err(LiveTextError::Computed),
        }
    }

    /// Returns a request with marks of a length; none where what was done with one cannot be read.
    fn marked(
        &self,
        request: &Arc<RequestContext>,
        names: &BTreeSet<String>,
        pads: usize,
    ) -> Result<Option<LiveTexts>, TemplateError> {
        let pads = PAD.to_string().repeat(pads);
        let value = |name: &str| mark(VALUE, &format!("{name}{pads}"));
        let captured: BTreeMap<String, String> =
            names.iter().map(|name| (name.clone(), value(name))).collect();
        let values = LiveValues {
            unique: value("unique"),
            uuid: value("uuid"),
            now: value("now"),
            nonce: value("nonce"),
            captured: Arc::new(captured),
        };
        let rendered = self.render(request, values)?;
        let read = |text: &str| LiveText::parse(text, names);
        let header = |(name, value): &(String, String)| Some((name.clone(), read(value)?));
        let expected = |expected: &ExpectedValue| {
            let values = expected.values.iter().map(|value| read(value));
            Some((expected.place.clone(), values.collect::<Option<_>>()?))
        };
        let texts = || {
            let body = rendered.body.as_deref().map(read);
            let wanted = rendered.expected.as_ref().and_then(|wanted| match wanted.rule() {
                AnswerRule::Values(values) => Some(values),
                _ => None,
            });
            let wanted = wanted.map(|wanted| wanted.iter().map(expected).collect::<Option<_>>());
            Some(LiveTexts {
                path: read(&rendered.path)?,
                headers: rendered.headers.iter().map(header).collect::<Option<_>>()?,
                body: if body.is_some() { Some(body??) } else { None },
                expected: if wanted.is_some() { Some(wanted??) } else { None },
            })
        };
        Ok(texts())
    }
}

/// Whether a template decides, in a block or an expression, by one of these names. What it decides would be
/// decided by the mark.
fn decides_by(text: &str, names: &BTreeSet<String>) -> bool {
    const DECIDING: [&str; 7] = ["if", "else", "is", "in", "and", "or", "not"];
    let words = |code: &str| -> Vec<String> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        code.split(|c| !is_word(c)).map(str::to_owned).collect()
    };
    let has_name = |words: &[String]| words.iter().any(|word| names.contains(word));
    let in_block = between(text, "{%", "%}").any(|code| has_name(&words(code)));
    let in_expression = between(text, "{{", "}}").any(|code| {
        let words = words(code);
        let compares = code.contains(['=', '<', '>', '!']);
        has_name(&words) && (compares || words.iter().any(|word| DECIDING.contains(&word.as_str())))
    });
    in_block || in_expression
}

/// The pieces of a text between two delimiters.
fn between<'a>(
    text: &'a str,
    open: &'static str,
    close: &'static str,
) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).map(move |rest| rest.split(close).next().unwrap_or(rest))
}

fn mark(kind: &str, inner: &str) -> String {
    format!("{OPEN}{kind}{COLON}{inner}{CLOSE}")
}

/// The environment of templates, with filters that leave a mark where a mark is filtered.
fn marking_environment() -> Environment<'static> {
    let mut environment = template::environment();
    environment.add_filter(SHA1, |value: Value| {
        marked(SHA1, &value).unwrap_or_else(|| template::sha1(&value))
    });
    environment.add_filter(BASE64, |value: Value| {
        marked(BASE64, &value).unwrap_or_else(|| template::base64(&value).into())
    });
    environment.add_filter(XML, |value: Value| {
        let text = || template::element_content(&value.to_string()).into();
        marked(XML, &value).unwrap_or_else(text)
    });
    environment.add_filter("tojson", |value: Value, indent: Option<Value>, options: Kwargs| {
        match marked(JSON, &value) {
            Some(mark) => Ok(mark),
            None => filters::tojson(&value, indent, options),
        }
    });
    environment.add_filter("element", |value: Value| match marked("element", &value) {
        Some(_) => Err(Error::from(ErrorKind::InvalidOperation)),
        None => Ok(template::root_element(&value.to_string())),
    });
    environment
}

/// A mark for what a filter makes of a value, if that is or has a mark itself.
fn marked(kind: &str, value: &Value) -> Option<Value> {
    let text = value.as_str().filter(|text| text.contains(OPEN))?;
    Some(mark(kind, text).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::RequestTexts;
    use crate::{PayloadKind, PayloadSpec, TemplateExpectation};

    fn open(body: &str) -> Result<LiveTexts, LiveTextError> {
        let texts = RequestTexts {
            path: "/orders/{{ id }}".to_owned(),
            headers: vec![("X".to_owned(), "{{ index }}".to_owned())],
            body: Some(body.to_owned()),
            form: crate::TextForm::Plain,
            expectations: vec![TemplateExpectation::xml("/a", "{{ id }}").unwrap()],
        };
        let spec = PayloadSpec::depth_mix(42, 2);
        let context = Arc::new(spec.request_context(PayloadKind::Template, 3));
        RequestRenderer::new(texts).unwrap().open(&context, &BTreeSet::from(["id".to_owned()]))
    }

    fn value(name: &str) -> LivePart {
        LivePart::Value(name.to_owned())
    }

    #[test]
    fn what_is_known_before_is_written_and_the_rest_stays_open() {
        let texts =
            open("{% for p in pairs %}{{ p.number }},{% endfor %}{{ unique }} {{ id }}").unwrap();
        assert_eq!(texts.path.0, [LivePart::Text("/orders/".to_owned()), value("id")]);
        assert_eq!(texts.headers[0].1.fixed().as_deref(), Some("3"));
        let body = texts.body.unwrap();
        let parts = [
            LivePart::Text("6,7,".to_owned()),
            value("unique"),
            LivePart::Text(" ".to_owned()),
            value("id"),
        ];
        assert_eq!((body.0.as_slice(), body.fixed()), (&parts[..], None));
        let (place, values) = texts.expected.unwrap().remove(0);
        assert_eq!(place, ResponseLocation::Xml("/a".to_owned()));
        assert_eq!(values, [LiveText(vec![value("id")])]);
    }

    #[test]
    fn what_is_filled_in_is_what_the_templates_make_of_it() {
        let filled = |path: &str, body: Option<&str>, captured: &[(&str, &str)]| {
            let texts = RequestTexts {
                path: path.to_owned(),
                headers: vec![("X".to_owned(), "{{ nonce }}/{{ index }}".to_owned())],
                body: body.map(str::to_owned),
                form: crate::TextForm::Plain,
                expectations: vec![TemplateExpectation::xml("/a", "{{ id }}-{{ uuid }}").unwrap()],
            };
            let renderer = RequestRenderer::new(texts).unwrap();
            let spec = PayloadSpec::depth_mix(42, 2);
            let context = Arc::new(spec.request_context(PayloadKind::Template, 3));
            let open = renderer.open(&context, &BTreeSet::from(["id".to_owned()])).unwrap();
            let captured = captured.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let values = LiveValues {
                unique: "<77>".to_owned(),
                uuid: "u".to_owned(),
                now: "now".to_owned(),
                nonce: "n".to_owned(),
                captured: Arc::new(captured.collect()),
            };
            let filled = open.fill(&values);
            let texts = |texts: RenderedTexts| {
                let expected = format!("{:?}", texts.expected);
                (texts.path, texts.headers, texts.body, expected)
            };
            let rendered = renderer.render(&context, values).map(texts).ok();
            (filled.map(texts), rendered)
        };
        let id = [("id", "a & b\n")];
        for body in [
            None,
            Some("<a>{{ unique }}</a>{{ id }}\n"),
            Some(
                "{{ random(1, 999) }}{% for p in pairs %}{{ p.xml1 }}{% endfor %}\r\n{{ now }}\n\n",
            ),
            Some("no value"),
        ] {
            let (filled, rendered) = filled("/orders/{{ id }}", body, &id);
            assert_eq!(filled, rendered);
            assert!(filled.is_some());
        }
        // What was not captured is for the templates to refuse, and what is filtered for them to filter.
        assert_eq!(filled("/orders/{{ id }}", None, &[]), (None, None));
        let (filled, rendered) = filled("/{{ id | sha1 }}", None, &id);
        assert!(filled.is_none() && rendered.is_some());
    }

    #[test]
    fn filters_of_open_values_are_kept_with_what_they_filter() {
        let body = open(
            "{{ (nonce ~ now ~ 'pw') | sha1 | base64 }}{{ 'a' | sha1 }}{{ id | tojson }}{{ id | xml }}",
        );
        let secret = LivePart::Text("pw".to_owned());
        let digest = LivePart::Sha1(LiveText(vec![value("nonce"), value("now"), secret]));
        let id = || LiveText(vec![value("id")]);
        let known = LivePart::Text("86f7e437faa5a7fce15d1ddcb9eaeaea377667b8".to_owned());
        let parts = [
            LivePart::Base64(LiveText(vec![digest])),
            known,
            LivePart::Json(id()),
            LivePart::Xml(id()),
        ];
        assert_eq!(body.unwrap().body.unwrap().0, parts);
    }

    #[test]
    fn what_computes_with_an_open_value_is_refused() {
        for body in [
            "{{ unique | length }}",
            "{{ nonce | upper }}",
            "{{ id[:2] }}",
            "{{ id | element }}",
            "{% if id %}a{% endif %}",
            "{{ 'a' if nonce else 'b' }}",
            "{{ id == '7' }}",
            "{% set x = uuid %}{{ x }}",
        ] {
            assert!(open(body).is_err(), "{body}");
        }
        assert!(open("{{ 'a' if index > 2 else 'b' }}{% if index %}{{ id }}{% endif %}").is_ok());
    }
}
