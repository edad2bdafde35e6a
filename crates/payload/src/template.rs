//! Requests after a user's own template, and what must stand in the answers.
//!
//! | in a template | is |
//! |:--|:--|
//! | `index`, `seed` | the number of the request, from 0, and the seed |
//! | `pairs` | the XML pairs of the request: each has `number`, `xml1`, `xml2`, `matched` |
//! | `pair` | the first of them; in an expectation with `*`, each in turn |
//! | `random(1, 6)` | a whole number, the same for the same seed and request |
//! | `… \| tojson`, `… \| xml` | the text as a JSON string, as the content of an XML element |
//!
//! A name that is not there is an error and not an empty text, so that a slip in a template does
//! not become a fast run.

use std::sync::{Mutex, PoisonError};

use miette::Diagnostic;
use minijinja::value::{Object, Value, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, escape_formatter,
};
use thiserror::Error;

use super::draws::PairRng;
use super::element_path;
use super::escape;

/// Steps of one template, a second or two: a batch of a million XML pairs takes some twenty a pair.
const STEPS_MAX: u64 = 50_000_000;

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum TemplateError {
    /// It cannot be read, or not be filled in.
    #[error("line {line} of {what}: {reason}")]
    Invalid {
        /// The body, or an expectation.
        what: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A place in an answer is not written as one.
    #[error("`{place}` is no place in an answer")]
    #[diagnostic(help(
        "write a JSON pointer such as `/results/*/matched`, or a path such as \
         `/Envelope/Body/Item[2]/@id`"
    ))]
    Place {
        /// What was given.
        place: String,
    },
}

/// What must stand where in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateExpectation {
    place: ResponseLocation,
    /// A template of its own.
    equals: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ResponseLocation {
    Status,
    Json(String),
    Xml(String),
}

impl ResponseLocation {
    fn text(&self) -> &str {
        match self {
            Self::Status => "the status",
            Self::Json(place) | Self::Xml(place) => place,
        }
    }
}

impl TemplateExpectation {
    /// Expects a status, given as a template: `201`.
    pub fn status(equals: &str) -> Self {
        Self { place: ResponseLocation::Status, equals: equals.to_owned() }
    }

    /// Expects a value at a JSON pointer (RFC 6901): a string's characters, or anything else as
    /// JSON. A part `*` stands for every item; there must be one for each XML pair of the request,
    /// and `equals` is filled in for each.
    pub fn json(pointer: &str, equals: &str) -> Result<Self, TemplateError> {
        let place = pointer.to_owned();
        if !(pointer.is_empty() || pointer.starts_with('/')) {
            return Err(TemplateError::Place { place });
        }
        Ok(Self { place: ResponseLocation::Json(place), equals: equals.to_owned() })
    }

    /// Expects a text at a path of element names: `/Envelope/Body/Item[2]/@id`. Names without a
    /// prefix match any; `Item[*]` stands for every element of that name, one for each XML pair of
    /// the request.
    pub fn xml(path: &str, equals: &str) -> Result<Self, TemplateError> {
        let place = path.to_owned();
        if element_path::ElementPath::parse(path).is_none() {
            return Err(TemplateError::Place { place });
        }
        Ok(Self { place: ResponseLocation::Xml(place), equals: equals.to_owned() })
    }

    fn is_for_each(&self) -> bool {
        match &self.place {
            ResponseLocation::Status => false,
            ResponseLocation::Json(place) => place.split('/').any(|part| part == "*"),
            ResponseLocation::Xml(place) => place.contains("[*]"),
        }
    }
}

/// A user's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The value of the header `Content-Type`.
    pub content_type: String,
    /// The body, a template.
    pub body: String,
    /// What must stand in an answer; without a status among it, that is 200 to 299.
    pub expectations: Vec<TemplateExpectation>,
}

/// What a template is filled in with.
#[derive(Debug, Default)]
pub(super) struct TemplateContext {
    pub(super) index: u64,
    pub(super) seed: u64,
    pub(super) pairs: Vec<TemplatePair>,
}

/// One XML pair.
#[derive(Debug, Clone)]
pub(super) struct TemplatePair {
    pub(super) number: u64,
    pub(super) xml1: String,
    pub(super) xml2: String,
    pub(super) matched: bool,
}

impl TemplatePair {
    fn value(&self) -> Value {
        let Self { number, xml1, xml2, matched } = self;
        minijinja::context! { number, xml1, xml2, matched }
    }
}

/// What must stand in the answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExpectedValue {
    place: ResponseLocation,
    values: Vec<String>,
}

impl Template {
    /// Returns everything that decides the bytes of a request and what is expected of its answer.
    pub(super) fn parts(&self) -> Vec<&str> {
        let Self { content_type, body, expectations } = self;
        let expectations = expectations.iter().flat_map(|e| [e.place.text(), &e.equals]);
        [content_type.as_str(), body].into_iter().chain(expectations).collect()
    }

    /// Returns the body of one request, and what its answer must hold.
    pub(super) fn render(
        &self,
        context: &TemplateContext,
    ) -> Result<(String, Vec<ExpectedValue>), TemplateError> {
        let draws = PairRng::new(context.seed, u64::MAX - context.index);
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_formatter(write_value);
        // A loop that never ends would be no fault of the target's.
        environment.set_fuel(Some(STEPS_MAX));
        environment.add_function("random", random);
        environment.add_filter("xml", |text: String| {
            let mut out = Vec::new();
            escape::xml(&mut out, text.as_bytes());
            String::from_utf8(out).expect("what is put in is ASCII")
        });
        environment.add_global("draws", Value::from_object(TemplateRng(Mutex::new(draws))));
        environment.add_global("index", context.index);
        environment.add_global("seed", context.seed);
        let pairs: Vec<Value> = context.pairs.iter().map(TemplatePair::value).collect();
        environment.add_global("pairs", Value::from(pairs.clone()));
        let fill = |what: &str, text: &str, pair: Option<&Value>| {
            let pair = minijinja::context! { pair => pair.cloned() };
            environment.render_str(text, pair).map_err(|error| invalid(what, &error))
        };
        let body = fill("the template", &self.body, pairs.first())?;
        let wanted = |expectation: &TemplateExpectation| {
            let what = format!("what is expected at {}", expectation.place.text());
            let count = if expectation.is_for_each() { usize::MAX } else { 1 };
            let each = pairs.iter().take(count);
            let values = each.map(|pair| fill(&what, &expectation.equals, Some(pair)));
            Ok(ExpectedValue {
                place: expectation.place.clone(),
                values: values.collect::<Result<_, _>>()?,
            })
        };
        Ok((body, self.expectations.iter().map(wanted).collect::<Result<_, _>>()?))
    }
}

fn invalid(what: &str, error: &Error) -> TemplateError {
    let (what, line) = (what.to_owned(), error.line().unwrap_or(1));
    let reason = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    TemplateError::Invalid { what, line, reason }
}

/// Writes truth as JSON and XML do, and not as Python does.
fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" })?,
        _ => escape_formatter(out, state, value)?,
    }
    Ok(())
}

/// The draws of one request; templates take from them in turn.
#[derive(Debug)]
struct TemplateRng(Mutex<PairRng>);

impl Object for TemplateRng {}

fn random(state: &State, low: u32, high: u32) -> Result<u32, Error> {
    if low > high || high - low == u32::MAX {
        let detail = format!("`random({low}, {high})` has no number to choose from");
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    }
    let dice = state.lookup("draws");
    let dice = dice.as_ref().and_then(|value| value.downcast_object_ref::<TemplateRng>());
    let TemplateRng(draws) = dice.ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, "`draws` is taken: name it otherwise")
    })?;
    Ok(draws.lock().unwrap_or_else(PoisonError::into_inner).between(low, high))
}

impl ExpectedValue {
    /// Returns where the value of an answer is looked up, for a person.
    pub(super) fn place(&self) -> &str {
        self.place.text()
    }

    pub(super) fn is_status(&self) -> bool {
        self.place == ResponseLocation::Status
    }

    pub(super) fn values(&self) -> &[String] {
        &self.values
    }

    /// Returns what stands there in an answer; nothing, if it cannot be read.
    pub(super) fn find(&self, status: u16, body: &[u8]) -> Vec<String> {
        match &self.place {
            ResponseLocation::Status => vec![status.to_string()],
            ResponseLocation::Json(pointer) => element_path::json(body, pointer),
            ResponseLocation::Xml(path) => element_path::xml(body, path),
        }
    }
}

#[cfg(test)]
mod tests {
    use units::text::diagnosis;

    use super::*;

    fn context() -> TemplateContext {
        let pair = |number| TemplatePair {
            number,
            xml1: "<a b=\"&lt;\">\n</a>".to_owned(),
            xml2: "<a/>".to_owned(),
            matched: number % 2 == 1,
        };
        TemplateContext { index: 3, seed: 42, pairs: vec![pair(6), pair(7)] }
    }

    fn template(body: &str, expectations: Vec<TemplateExpectation>) -> Template {
        Template { content_type: "text/plain".to_owned(), body: body.to_owned(), expectations }
    }

    #[test]
    fn a_template_is_filled_in_with_the_pairs_of_a_request() {
        let body = "{{ index }} {{ seed }} {{ random(1, 6) }}{{ random(1, 6) }}\n\
            {% for pair in pairs %}{{ pair.number }} {{ pair.xml1 | tojson }} {{ pair.xml1 | xml }}\n\
            {% endfor %}{{ pair.xml2 }} {{ pair.matched }}\n";
        let each = TemplateExpectation::json("/results/*/same", "{{ pair.matched }}").unwrap();
        let one = TemplateExpectation::xml("/a/@b", "{{ pair.number }}").unwrap();
        let (body, wanted) = template(body, vec![each, one]).render(&context()).unwrap();
        insta::assert_snapshot!(body, @r#"
        3 42 66
        6 "\u003ca b=\"\u0026lt;\"\u003e\n\u003c/a\u003e" &lt;a b="&amp;lt;"&gt;
        &lt;/a&gt;
        7 "\u003ca b=\"\u0026lt;\"\u003e\n\u003c/a\u003e" &lt;a b="&amp;lt;"&gt;
        &lt;/a&gt;
        <a/> false
        "#);
        assert_eq!(wanted[0].values(), ["false", "true"]);
        assert_eq!(wanted[1].values(), ["6"]);
    }

    #[test]
    fn what_is_wrong_with_a_template_is_said_with_the_line() {
        let said =
            |body: &str| diagnosis(&template(body, Vec::new()).render(&context()).unwrap_err());
        let wrong = TemplateExpectation::status("{{ pair.nothing }}");
        let said = [
            said("a\n{{ nothing }}"),
            said("a\nb\n{% for %}"),
            said("{{ random(6, 1) }}"),
            diagnosis(&template("", vec![wrong]).render(&context()).unwrap_err()),
            diagnosis(&TemplateExpectation::json("results", "").unwrap_err()),
            diagnosis(&TemplateExpectation::xml("/a/@b/c", "").unwrap_err()),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        line 2 of the template: undefined value: `nothing` is undefined
        line 3 of the template: syntax error: unexpected end of block, expected in
        line 1 of the template: invalid operation: `random(6, 1)` has no number to choose from
        line 1 of what is expected at the status: undefined value: `pair.nothing` is undefined
        `results` is no place in an answer

        hint: write a JSON pointer such as `/results/*/matched`, or a path such as `/Envelope/Body/Item[2]/@id`
        `/a/@b/c` is no place in an answer

        hint: write a JSON pointer such as `/results/*/matched`, or a path such as `/Envelope/Body/Item[2]/@id`
        ");
    }
}
