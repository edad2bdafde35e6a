//! Requests after a user's own template, and what must stand in the answers.
//!
//! | in a template | is |
//! |:--|:--|
//! | `index`, `seed` | the number of the request, from 0, and the seed |
//! | `pairs` | XML pairs for the request: each has `number`, `xml1`, `xml2`, `matched` |
//! | `pair` | the first of them; in an expectation with `*`, each in turn |
//! | `random(1, 6)` | a whole number, the same for the same seed and request |
//! | `env.NAME` | a variable of the environment; as it is in the body, escaped by the media type of that |
//! | `… \| tojson`, `… \| xml` | the text as a JSON string, as the content of an XML element |
//! | `… \| element` | the root element of a document, to stand inside another one |
//! | `… \| sha1`, `… \| base64` | the digest of a text, in hexadecimal digits unless encoded; its Base64 |
//!
//! A request holds the pairs that its template uses, and that is what rates and costs count.
//!
//! A name that is not there is an error and not an empty text, so that a slip in a template does
//! not become a fast run.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use miette::Diagnostic;
use minijinja::value::{Enumerator, Object, Value, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, escape_formatter,
};
use sha1::{Digest as _, Sha1};
use thiserror::Error;

use super::draws::PairRng;
use super::element_path;
use super::escape;
use super::lent::{LentText, LentValues, PLACEHOLDER, TextForm};
use super::xml::root;

/// Names that stand for something only when a request is sent.
pub(super) const LIVE_NAMES: [&str; 4] = ["unique", "uuid", "now", "nonce"];

/// Has the variables of the environment that are lent: `env.ORDERS_TOKEN`.
pub(super) const ENVIRONMENT: &str = "env";

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

/// Where a value stands in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseLocation {
    /// It is the status.
    Status,
    /// At a JSON pointer in the body, in which a part `*` stands for every item.
    Json(String),
    /// At a path of elements in the body, in which `Item[*]` stands for every one of that name.
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

    /// Returns everything that decides what is expected.
    pub(super) fn parts(&self) -> [&str; 2] {
        [self.place.text(), &self.equals]
    }

    /// Returns the place, as it is written.
    pub(super) fn place_text(&self) -> &str {
        self.place.text()
    }

    /// Returns the template of what stands there.
    pub(super) fn equals(&self) -> &str {
        &self.equals
    }

    /// Returns whether one value is expected for each XML pair.
    pub(super) fn is_for_each(&self) -> bool {
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
    /// Names of what is captured from earlier answers.
    pub(super) captures: Arc<BTreeSet<String>>,
    /// What is lent of the environment.
    pub(super) lent: LentValues,
}

/// One XML pair.
#[derive(Debug, Clone)]
pub(super) struct TemplatePair {
    pub(super) number: u64,
    pub(super) xml1: String,
    pub(super) xml2: String,
    pub(super) matched: bool,
}

/// An XML pair as a template has it: it notes whether anything of it is used, as a template may leave
/// pairs out that the scenario offers.
#[derive(Debug)]
pub(super) struct PairValue {
    number: u64,
    xml1: Value,
    xml2: Value,
    matched: bool,
    is_used: AtomicBool,
}

impl PairValue {
    pub(super) fn new(pair: &TemplatePair) -> Arc<Self> {
        Arc::new(Self {
            number: pair.number,
            xml1: pair.xml1.clone().into(),
            xml2: pair.xml2.clone().into(),
            matched: pair.matched,
            is_used: AtomicBool::new(false),
        })
    }

    fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }
}

impl Object for PairValue {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = match key.as_str()? {
            "number" => self.number.into(),
            "xml1" => self.xml1.clone(),
            "xml2" => self.xml2.clone(),
            "matched" => self.matched.into(),
            _ => return None,
        };
        self.is_used.store(true, Ordering::Relaxed);
        Some(value)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["matched", "number", "xml1", "xml2"])
    }
}

/// A template filled in for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RenderedRequest {
    pub(super) body: String,
    /// What its answer must hold.
    pub(super) expected: Vec<ExpectedValue>,
    /// How many XML pairs are used in the body; 1 for a body without any.
    pub(super) pairs: u64,
}

/// What must stand in the answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedValue {
    /// Where it must stand.
    pub place: ResponseLocation,
    /// One value, which the first there must be; or as many as must stand there.
    pub values: Vec<String>,
}

impl Template {
    /// Returns everything that decides the bytes of a request and what is expected of its answer.
    pub(super) fn parts(&self) -> Vec<&str> {
        let Self { content_type, body, expectations } = self;
        let expectations = expectations.iter().flat_map(TemplateExpectation::parts);
        [content_type.as_str(), body].into_iter().chain(expectations).collect()
    }

    /// Returns what an answer must hold by expectations that stand without a template.
    pub(super) fn expected(
        expectations: &[TemplateExpectation],
        context: &TemplateContext,
    ) -> Result<Vec<ExpectedValue>, TemplateError> {
        let (content_type, body) = (String::new(), String::new());
        let bare = Self { content_type, body, expectations: expectations.to_vec() };
        bare.render(context).map(|rendered| rendered.expected)
    }

    /// Returns one request.
    pub(super) fn render(
        &self,
        context: &TemplateContext,
    ) -> Result<RenderedRequest, TemplateError> {
        let draws = PairRng::new(context.seed, u64::MAX - context.index);
        let mut environment = environment();
        // What is known only when a request is sent has a place in it, so that it can be tried before.
        for name in LIVE_NAMES.into_iter().chain(context.captures.iter().map(String::as_str)) {
            environment.add_global(name.to_owned(), PLACEHOLDER);
        }
        environment.add_global("draws", Value::from_object(TemplateRng::new(draws)));
        environment.add_global("index", context.index);
        environment.add_global("seed", context.seed);
        let offered: Vec<_> = context.pairs.iter().map(PairValue::new).collect();
        let pairs: Vec<Value> = offered.iter().cloned().map(Value::from_dyn_object).collect();
        environment.add_global("pairs", Value::from(pairs.clone()));
        let fill = |what: &str, text: &str, pair: Option<&Value>, form: TextForm| {
            let lent = context.lent.as_value(form);
            let names = minijinja::context! { pair => pair.cloned(), env => lent };
            environment.render_str(text, names).map_err(|error| invalid(what, &error))
        };
        let form = TextForm::of(&self.content_type);
        let body = fill("the template", &self.body, pairs.first(), form)?;
        // Before expectations are filled in: what they name need not be in the body.
        let used = offered.iter().map(|pair| pair.is_used());
        let used: Vec<_> = pairs.iter().zip(used).filter(|(_, used)| *used).collect();
        let used: Vec<&Value> = used.into_iter().map(|(pair, _)| pair).collect();
        let held = u64::try_from(used.len().max(1)).unwrap_or(u64::MAX);
        let wanted_of = if used.is_empty() { pairs.iter().collect() } else { used };
        let wanted = |expectation: &TemplateExpectation| {
            let what = format!("what is expected at {}", expectation.place.text());
            let count = if expectation.is_for_each() { usize::MAX } else { 1 };
            let each = wanted_of.iter().copied().take(count);
            let values =
                each.map(|pair| fill(&what, &expectation.equals, Some(pair), TextForm::Plain));
            Ok(ExpectedValue {
                place: expectation.place.clone(),
                values: values.collect::<Result<_, _>>()?,
            })
        };
        let expected = self.expectations.iter().map(wanted).collect::<Result<_, _>>()?;
        Ok(RenderedRequest { body, expected, pairs: held })
    }
}

/// Returns an environment with what every template may use.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(write_value);
    // A loop that never ends would be no fault of the target's.
    environment.set_fuel(Some(STEPS_MAX));
    environment.add_function("random", random);
    environment.add_filter("xml", |text: String| element_content(&text));
    environment.add_filter("element", |text: String| root_element(&text));
    environment.add_filter("sha1", |value: Value| sha1(&value));
    environment.add_filter("base64", |value: Value| base64(&value));
    environment
}

/// Returns a text as the content of an XML element.
pub(super) fn element_content(text: &str) -> String {
    let mut out = Vec::new();
    escape::xml(&mut out, text.as_bytes());
    String::from_utf8(out).expect("what is put in is ASCII")
}

/// Returns the root element of a document, without what stands before and after it.
pub(super) fn root_element(text: &str) -> String {
    String::from_utf8_lossy(root(text.as_bytes())).into_owned()
}

/// Returns the digest of a value, as bytes.
pub(super) fn sha1(value: &Value) -> Value {
    Value::from_bytes(Sha1::digest(bytes_of(value)).to_vec())
}

/// Returns the Base64 of a value.
pub(super) fn base64(value: &Value) -> String {
    BASE64_STANDARD.encode(bytes_of(value))
}

/// The bytes of a value: of a digest its own, else those of its text.
fn bytes_of(value: &Value) -> Vec<u8> {
    value.as_bytes().map_or_else(|| value.to_string().into_bytes(), <[u8]>::to_vec)
}

pub(super) fn invalid(what: &str, error: &Error) -> TemplateError {
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
    if let Some(lent) = value.downcast_object_ref::<LentText>() {
        return Ok(out.write_str(&lent.escaped())?);
    }
    match value.kind() {
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" })?,
        ValueKind::Bytes => out.write_str(&units::hex(&bytes_of(value)))?,
        _ => escape_formatter(out, state, value)?,
    }
    Ok(())
}

/// The draws of one request; templates take from them in turn.
#[derive(Debug)]
pub(super) struct TemplateRng(Mutex<PairRng>);

impl TemplateRng {
    pub(super) fn new(draws: PairRng) -> Self {
        Self(Mutex::new(draws))
    }
}

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
    /// Returns what an expectation comes to, with its template filled in.
    pub(super) fn of(expectation: &TemplateExpectation, values: Vec<String>) -> Self {
        Self { place: expectation.place.clone(), values }
    }

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
        TemplateContext { index: 3, seed: 42, pairs: vec![pair(6), pair(7)], ..<_>::default() }
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
        let rendered = template(body, vec![each, one]).render(&context()).unwrap();
        let RenderedRequest { body, expected: wanted, pairs } = rendered;
        assert_eq!(pairs, 2);
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
    fn a_request_holds_the_pairs_that_its_template_uses() {
        let wanted = TemplateExpectation::json("/x", "{{ pairs[1].xml2 }}").unwrap();
        let held = |body: &str| {
            let rendered = template(body, vec![wanted.clone()]).render(&context()).unwrap();
            (rendered.body, rendered.pairs)
        };
        let held = [
            held("<m>{{ pair.xml2 }}{{ pair.xml2 }}</m>"),
            held("{{ pairs[0].xml2 }}{{ pairs[1].xml2 }}"),
            held("{% for p in pairs[1:] %}{{ p.xml2 }}{% endfor %}"),
            held("{% for p in pairs %}{{ p.number }} {{ p.matched }};{% endfor %}"),
            held("{{ index }}"),
            held("{{ pairs | tojson | length }}"),
            held("{% for k, v in pair | items %}{{ k }} {% endfor %}"),
        ];
        insta::assert_snapshot!(held.map(|(body, pairs)| format!("{pairs} {body}")).join("\n"), @r"
        1 <m><a/><a/></m>
        2 <a/><a/>
        1 <a/>
        2 6 false;7 true;
        1 3
        2 231
        1 matched number xml1 xml2
        ");
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
