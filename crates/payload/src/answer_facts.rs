//! What an answer says, place by place, so that two answers to one request can be held against each other.
//!
//! Places are paths of elements and attributes without their prefixes, or JSON pointers with `*` for every
//! item. A place holds the values of all its occurrences in the order of the document. A place that ends
//! in `/` holds the names of an element's children in their order. So white space between elements,
//! prefixes, and the order of attributes and members say nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use quick_xml::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::Value;

use super::element_path::{characters, decode};

/// The place of the status.
const STATUS: &str = "status";

/// The place of a body that is neither XML nor JSON.
const BODY: &str = "body";

type PlaceValues = BTreeMap<String, Vec<String>>;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFacts(PlaceValues);

/// The places at which answers to one request differ from time to time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaryingPlaces {
    /// Places with other values.
    values: BTreeSet<String>,
    /// Places that are there more or less often, with all that is in them.
    subtrees: BTreeSet<String>,
}

/// The first place at which an answer differs from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactDifference {
    /// The place, for a person.
    pub place: String,
    /// What the other answer has there, if it has anything.
    pub expected: Option<String>,
    /// What this answer has there, if it has anything.
    pub got: Option<String>,
}

impl AnswerFacts {
    /// Reads an answer: its body as XML, else as JSON, else as a text.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let mut facts = of_xml(body).or_else(|| of_json(body)).unwrap_or_else(|| {
            let text = String::from_utf8_lossy(body).into_owned();
            PlaceValues::from([(BODY.to_owned(), vec![text])])
        });
        facts.insert(STATUS.to_owned(), vec![status.to_string()]);
        Self(facts)
    }

    /// Returns the first place, in the order of names, at which `answer` says something else, apart from
    /// those that vary.
    pub fn difference(&self, answer: &Self, varying: &VaryingPlaces) -> Option<FactDifference> {
        let differs = |place: &&String| self.differs_at(answer, place, varying);
        self.places(answer).into_iter().find(differs).map(|place| {
            let (expected, got) = (self.values(place), answer.values(place));
            let mut numbers = 0..expected.len().max(got.len());
            let number = numbers.find(|it| expected.get(*it) != got.get(*it)).unwrap_or(0);
            let (expected, got) = (expected.get(number).cloned(), got.get(number).cloned());
            FactDifference { place: shown(place), expected, got }
        })
    }

    fn values(&self, place: &str) -> &[String] {
        self.0.get(place).map_or(&[], Vec::as_slice)
    }

    /// The places of two answers, rising; orders of children are the last, as what comes and goes explains
    /// those that it is part of.
    fn places<'a>(&'a self, other: &'a Self) -> Vec<&'a String> {
        let all: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let (orders, mut places): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|it| it.ends_with('/'));
        places.extend(orders);
        places
    }

    fn differs_at(&self, other: &Self, place: &str, varying: &VaryingPlaces) -> bool {
        let (one, other) = (self.values(place), other.values(place));
        if one == other || varying.covers(place) {
            return false;
        }
        if !place.ends_with('/') {
            return true;
        }
        // Children that come and go say nothing of the order of the others.
        let steady = |children: &String| {
            let names = children.split(' ').filter(|it| !varying.covers(&format!("{place}{it}")));
            names.collect::<Vec<_>>().join(" ")
        };
        let of = |all: &[String]| all.iter().map(steady).filter(|it| !it.is_empty()).collect();
        let (one, other): (Vec<String>, Vec<String>) = (of(one), of(other));
        one != other
    }
}

impl VaryingPlaces {
    /// Adds the places at which two answers to one request differ.
    pub fn learn(&mut self, one: &AnswerFacts, other: &AnswerFacts) {
        for place in one.places(other) {
            if !one.differs_at(other, place, self) {
                continue;
            }
            let is_part = place.ends_with('/') || place.contains("/@");
            let comes_and_goes = one.values(place).len() != other.values(place).len();
            if comes_and_goes && !is_part {
                self.subtrees.insert(place.clone());
            } else {
                self.values.insert(place.clone());
            }
        }
        let subtrees = &self.subtrees;
        self.values.retain(|place| !subtrees.iter().any(|it| is_within(place, it)));
    }

    /// Returns the places for a person, rising; none lies within another.
    pub fn shown(&self) -> Vec<String> {
        let subtrees = self.subtrees.iter().filter(|place| !self.is_inner(place));
        let subtree = |place: &String| {
            if place.ends_with("/*") { place.clone() } else { format!("{place}[*]") }
        };
        let mut all: Vec<_> = subtrees.map(subtree).collect();
        all.extend(self.values.iter().map(|place| shown(place)));
        all.sort_unstable();
        all
    }

    fn is_inner(&self, place: &str) -> bool {
        self.subtrees.iter().any(|it| it != place && is_within(place, it))
    }

    fn covers(&self, place: &str) -> bool {
        self.values.contains(place) || self.subtrees.iter().any(|it| is_within(place, it))
    }
}

/// Whether a place is another, or in it.
fn is_within(place: &str, other: &str) -> bool {
    place.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A place in words of paths: the order of an element's children is shown as all of them.
fn shown(place: &str) -> String {
    match place.strip_suffix('/') {
        Some(parent) => format!("{parent}/*"),
        None if place.is_empty() => "/".to_owned(),
        None => place.to_owned(),
    }
}

impl fmt::Display for FactDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| match value {
            Some(value) => format!("`{}`", super::expectation::beginning(value.as_bytes())),
            None => "nothing".to_owned(),
        };
        let (expected, got) = (value(&self.expected), value(&self.got));
        write!(f, "expected {expected} at {}, as base answers, got {got}", self.place)
    }
}

impl std::error::Error for FactDifference {}

/// The facts of a body as XML; none if it is not one document.
fn of_xml(body: &[u8]) -> Option<PlaceValues> {
    let text = decode(body)?;
    let mut reader = Reader::from_str(&text);
    let mut document = DocumentReader::default();
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => document.open(&tag)?,
            Event::Empty(tag) => {
                document.open(&tag)?;
                document.close()?;
            }
            Event::End(_) => document.close()?,
            event @ (Event::Text(_) | Event::CData(_) | Event::GeneralRef(_)) => {
                document.add(&characters(&event)?)?;
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    (document.roots == 1 && document.open.is_empty()).then_some(document.facts)
}

/// A document that goes by.
#[derive(Default)]
struct DocumentReader {
    facts: PlaceValues,
    /// The path of the innermost open element.
    path: String,
    open: Vec<AnswerElement>,
    roots: usize,
}

/// An element that has not ended yet.
#[derive(Default)]
struct AnswerElement {
    /// Bytes of the path that are the parent's.
    parent_bytes: usize,
    text: String,
    children: String,
}

impl DocumentReader {
    fn open(&mut self, tag: &BytesStart<'_>) -> Option<()> {
        let name = tag.local_name();
        let name = str::from_utf8(name.as_ref()).ok()?;
        match self.open.last_mut() {
            Some(parent) if parent.children.is_empty() => parent.children.push_str(name),
            Some(parent) => {
                parent.children.push(' ');
                parent.children.push_str(name);
            }
            None => self.roots += 1,
        }
        let parent_bytes = self.path.len();
        self.path.push('/');
        self.path.push_str(name);
        for attribute in tag.attributes() {
            let attribute = attribute.ok()?;
            // Which prefix stands for a namespace is the sender's choice, the namespace is not.
            let is_namespace = attribute.key.as_namespace_binding().is_some();
            let local = attribute.key.local_name();
            let name = if is_namespace { "xmlns" } else { str::from_utf8(local.as_ref()).ok()? };
            let value = escape::unescape(str::from_utf8(&attribute.value).ok()?).ok()?.into_owned();
            self.facts.entry(format!("{}/@{name}", self.path)).or_default().push(value);
        }
        self.open.push(AnswerElement { parent_bytes, ..AnswerElement::default() });
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        let AnswerElement { parent_bytes, text, children } = self.open.pop()?;
        if !children.is_empty() {
            self.facts.entry(format!("{}/", self.path)).or_default().push(children);
        }
        let text = text.trim().to_owned();
        self.facts.entry(self.path.clone()).or_default().push(text);
        self.path.truncate(parent_bytes);
        Some(())
    }

    fn add(&mut self, text: &str) -> Option<()> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return None,
        }
        Some(())
    }
}

/// The facts of a body as JSON; none if it is not.
fn of_json(body: &[u8]) -> Option<PlaceValues> {
    let mut facts = PlaceValues::new();
    add_json(&serde_json::from_slice(body).ok()?, &mut String::new(), &mut facts);
    Some(facts)
}

fn add_json(value: &Value, path: &mut String, facts: &mut PlaceValues) {
    let length = path.len();
    let own = match value {
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    };
    facts.entry(path.clone()).or_default().push(own);
    match value {
        Value::Array(items) => {
            path.push_str("/*");
            for item in items {
                add_json(item, path, facts);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                add_json(member, path, facts);
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    path.truncate(length);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> AnswerFacts {
        AnswerFacts::read(200, body.as_bytes())
    }

    /// What an answer differs in from what base answers, where that varies as these answers of base do.
    fn difference(of_base: &[&str], answer: &str) -> String {
        let base: Vec<AnswerFacts> = of_base.iter().map(|body| read(body)).collect();
        let mut varying = VaryingPlaces::default();
        for other in &base {
            varying.learn(&base[0], other);
        }
        let found = base[0].difference(&read(answer), &varying);
        let found = found.map_or_else(|| "none".to_owned(), |it| it.to_string());
        format!("{found}; left out: {}", varying.shown().join(", "))
    }

    #[test]
    fn prefixes_white_space_and_orders_without_a_meaning_make_no_difference() {
        let xml = "<a:r xmlns:a='urn:a' x='1' y='2'><a:b>t</a:b></a:r>";
        let same = "<?xml version='1.0'?>\n<r y='2' x=\"1\" xmlns='urn:a'>\n <b>&#116; </b>\n</r>";
        assert_eq!(difference(&[xml], same), "none; left out: ");
        let json = r#"{"a": [1, {"b": null}], "c": "x"}"#;
        assert_eq!(difference(&[json], r#"{"c":"x","a":[1,{"b":null}]}"#), "none; left out: ");
    }

    #[test]
    fn what_differs_is_named_by_its_place() {
        let base = "<r x='1'><b>one</b><b>two</b><c/></r>";
        let all = [
            "<r x='2'><b>one</b><b>two</b><c/></r>",
            "<r x='1'><b>one</b><b>2</b><c/></r>",
            "<r x='1'><b>one</b><c/><b>two</b></r>",
            "<r x='1' y='0'><b>one</b><b>two</b><c/></r>",
            "<r x='1' xmlns='urn:b'><b>one</b><b>two</b><c/></r>",
            "<r x='1'><b>one</b><b>two</b></r>",
            "no document",
        ];
        let all: Vec<_> = all.iter().map(|answer| difference(&[base], answer)).collect();
        insta::assert_snapshot!(all.join("\n").replace("; left out: ", ""), @r"
        expected `1` at /r/@x, as base answers, got `2`
        expected `two` at /r/b, as base answers, got `2`
        expected `b b c` at /r/*, as base answers, got `b c b`
        expected nothing at /r/@y, as base answers, got `0`
        expected nothing at /r/@xmlns, as base answers, got `urn:b`
        expected `` at /r/c, as base answers, got nothing
        expected `` at /r, as base answers, got nothing
        ");
        let json = r#"{"a": [1, "2"], "b": {}}"#;
        let all = [r#"{"a": [1, 2], "b": {}}"#, r#"{"a": [1], "b": {}}"#, r#"{"a": [1, "2"]}"#];
        let all: Vec<_> = all.iter().map(|answer| difference(&[json], answer)).collect();
        insta::assert_snapshot!(all.join("\n").replace("; left out: ", ""), @r#"
        expected `"2"` at /a/*, as base answers, got `2`
        expected `"2"` at /a/*, as base answers, got nothing
        expected `{}` at /b, as base answers, got nothing
        "#);
    }

    #[test]
    fn what_base_answers_differently_is_left_out_and_nothing_else() {
        let base = [
            "<r at='10:00'><o id='1'/><n>7</n></r>",
            "<r at='10:01'><o id='2'/><o id='3'/><n>7</n></r>",
        ];
        let right = "<r at='11:30'><o id='4'/><o/><o/><n>7</n></r>";
        assert_eq!(difference(&base, right), "none; left out: /r/@at, /r/o[*]");
        assert_eq!(difference(&base, "<r at=''><n>7</n></r>"), "none; left out: /r/@at, /r/o[*]");
        let found = difference(&base, "<r at='11:30'><o id='4'/><n>8</n></r>");
        assert!(found.starts_with("expected `7` at /r/n, as base answers, got `8`"), "{found}");
        let found = difference(&base, "<r at=''><n>7</n><m/></r>");
        assert!(found.starts_with("expected nothing at /r/m, as base answers, got ``"), "{found}");
        let json = [r#"{"id": 1, "of": [{"x": 1}]}"#, r#"{"id": 2, "of": []}"#];
        assert_eq!(
            difference(&json, r#"{"id": 3, "of": [{"y": 2}]}"#),
            "none; left out: /id, /of/*"
        );
    }

    #[test]
    fn another_status_is_a_difference() {
        let found = read("<r/>").difference(&AnswerFacts::read(404, b"<r/>"), &<_>::default());
        let said = found.unwrap().to_string();
        assert_eq!(said, "expected `200` at status, as base answers, got `404`");
    }

    proptest! {
        #[test]
        fn an_answer_is_like_itself_and_what_was_learnt_from_it_hides_it(one in ".{0,60}", other in ".{0,60}") {
            let (one, other) = (read(&one), read(&other));
            prop_assert_eq!(one.difference(&one, &VaryingPlaces::default()), None);
            let mut varying = VaryingPlaces::default();
            varying.learn(&one, &other);
            prop_assert_eq!(one.difference(&other, &varying), None);
        }
    }
}
