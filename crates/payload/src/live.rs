//! Requests that are rendered each time they are sent, as what they hold is known only then: a number that
//! no other request has, the time, a value out of an earlier answer.
//!
//! | in a template | is |
//! |:--|:--|
//! | `unique` | a number that no other request has, of whichever run, side or launch |
//! | `uuid` | a random UUID |
//! | `now` | the time, RFC 3339 in UTC, to the millisecond |
//! | `nonce` | 22 letters and digits |
//! | the name of a capture | what was taken from an earlier answer |
//!
//! Each has one value in all parts of a request. Where they come from is not decided here: this crate has
//! neither a clock nor chance.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use minijinja::Environment;
use minijinja::value::{Object, Value};

use super::draws::PairRng;
use super::expectation::{ResponseExpectation, VerdictBits};
use super::lent::{LentValues, PLACEHOLDER, TextForm};
use super::template::{
    self, ENVIRONMENT, ExpectedValue, LIVE_NAMES, PairValue, TemplateContext, TemplateError,
    TemplateExpectation, TemplateRng,
};

const PATH: &str = "the path";
const BODY: &str = "the template";

/// What a request is rendered with, beside what its number decides.
#[derive(Debug, Clone)]
pub struct LiveValues {
    /// A number that no other request has.
    pub unique: String,
    /// A random UUID.
    pub uuid: String,
    /// The time, RFC 3339.
    pub now: String,
    /// Letters and digits.
    pub nonce: String,
    /// What was captured, by name.
    pub captured: Arc<BTreeMap<String, String>>,
}

/// The parts of a request that are templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestTexts {
    /// The path.
    pub path: String,
    /// Headers, as name and value.
    pub headers: Vec<(String, String)>,
    /// The body; none where the kind of request makes it.
    pub body: Option<String>,
    /// What the body is: values of the environment are escaped for it.
    pub form: TextForm,
    /// What an answer must hold; nothing where the kind of request decides.
    pub expectations: Vec<TemplateExpectation>,
}

/// A request with its templates filled in.
#[derive(Debug, Clone)]
pub struct RenderedTexts {
    /// The path.
    pub path: String,
    /// Headers, as name and value.
    pub headers: Vec<(String, String)>,
    /// The body, if it is a template.
    pub body: Option<String>,
    /// What the answer must hold, if a template says so.
    pub expected: Option<ResponseExpectation>,
}

/// What a request's own number decides.
#[derive(Debug)]
pub struct RequestContext {
    index: u64,
    seed: u64,
    pairs: Vec<Value>,
    lent: LentValues,
}

/// The templates of one kind of request, read once.
pub struct RequestRenderer {
    environment: Environment<'static>,
    texts: RequestTexts,
    /// The names that the templates use.
    names: BTreeSet<String>,
    /// The variables of the environment among them.
    variables: BTreeSet<String>,
}

/// All that a template may name.
#[derive(Debug)]
struct LiveContext {
    values: Arc<LiveValues>,
    request: Arc<RequestContext>,
    draws: Value,
    /// Number of the pair that `pair` is.
    pair: usize,
    /// What values of the environment are escaped for.
    form: TextForm,
}

impl LiveValues {
    /// Returns what stands for values that are not known yet, with captures of these names.
    pub fn placeholders(captures: &BTreeSet<String>) -> Self {
        let place = || PLACEHOLDER.to_owned();
        let captured = captures.iter().map(|name| (name.clone(), place())).collect();
        let (unique, uuid, now, nonce) = (place(), place(), place(), place());
        Self { unique, uuid, now, nonce, captured: Arc::new(captured) }
    }

    /// Returns values that say which they are, for a person: `{{ unique }}`.
    pub fn as_names(captures: &BTreeSet<String>) -> Self {
        let named = |name: &str| format!("{{{{ {name} }}}}");
        let captured = captures.iter().map(|name| (name.clone(), named(name))).collect();
        let [unique, uuid, now, nonce] = LIVE_NAMES.map(named);
        Self { unique, uuid, now, nonce, captured: Arc::new(captured) }
    }

    /// Returns the value of a name, unless it is that of a capture that was not made.
    pub(super) fn of(&self, name: &str) -> Option<&str> {
        match name {
            "unique" => Some(&self.unique),
            "uuid" => Some(&self.uuid),
            "now" => Some(&self.now),
            "nonce" => Some(&self.nonce),
            name => self.captured.get(name).map(String::as_str),
        }
    }
}

impl RequestTexts {
    /// Returns every template.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        let headers = self.headers.iter().map(|(_, value)| value.as_str());
        let expected = self.expectations.iter().map(TemplateExpectation::equals);
        [self.path.as_str()].into_iter().chain(headers).chain(self.body.as_deref()).chain(expected)
    }
}

impl RequestContext {
    pub(super) fn new(context: TemplateContext) -> Self {
        let TemplateContext { index, seed, pairs, captures: _, lent } = context;
        let pairs = pairs.iter().map(|pair| Value::from_dyn_object(PairValue::new(pair)));
        Self { index, seed, pairs: pairs.collect(), lent }
    }
}

impl Object for LiveContext {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let LiveContext { values, request, draws, pair, form } = &**self;
        Some(match key.as_str()? {
            "unique" => values.unique.clone().into(),
            "uuid" => values.uuid.clone().into(),
            "now" => values.now.clone().into(),
            "nonce" => values.nonce.clone().into(),
            "index" => request.index.into(),
            "seed" => request.seed.into(),
            "pairs" => request.pairs.clone().into(),
            "pair" => request.pairs.get(*pair)?.clone(),
            "draws" => draws.clone(),
            ENVIRONMENT => request.lent.as_value(*form),
            name => values.captured.get(name)?.clone().into(),
        })
    }
}

impl fmt::Debug for RequestRenderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRenderer").field("texts", &self.texts).finish_non_exhaustive()
    }
}

impl RequestRenderer {
    /// Reads the templates.
    pub fn new(texts: RequestTexts) -> Result<Self, TemplateError> {
        Self::with_environment(texts, template::environment())
    }

    /// Reads them with what they may use.
    pub(super) fn with_environment(
        texts: RequestTexts,
        environment: Environment<'static>,
    ) -> Result<Self, TemplateError> {
        let (names, variables) = (BTreeSet::new(), BTreeSet::new());
        let mut renderer = Self { environment, texts, names, variables };
        let RequestTexts { path, headers, body, form: _, expectations } = renderer.texts.clone();
        renderer.add(PATH, path)?;
        for (name, value) in headers {
            renderer.add(&header_place(&name), value)?;
        }
        if let Some(body) = body {
            renderer.add(BODY, body)?;
        }
        for (number, expectation) in expectations.iter().enumerate() {
            renderer
                .add(&expectation_place(number, expectation), expectation.equals().to_owned())?;
        }
        Ok(renderer)
    }

    fn add(&mut self, place: &str, text: String) -> Result<(), TemplateError> {
        let invalid = |error| template::invalid(place, &error);
        self.environment.add_template_owned(place.to_owned(), text).map_err(invalid)?;
        let added = self.environment.get_template(place).map_err(invalid)?;
        self.names.extend(added.undeclared_variables(false));
        let nested = added.undeclared_variables(true);
        let variables = nested.iter().filter_map(|name| {
            let name = name.strip_prefix(ENVIRONMENT)?.strip_prefix('.')?;
            Some(name.split('.').next()?.to_owned())
        });
        self.variables.extend(variables);
        Ok(())
    }

    /// Returns the templates, as they are written.
    pub(super) fn texts(&self) -> &RequestTexts {
        &self.texts
    }

    /// Returns those of some captures that the templates use.
    pub fn uses<'a>(&'a self, captures: &'a BTreeSet<String>) -> impl Iterator<Item = &'a String> {
        self.names.intersection(captures)
    }

    /// Returns the variables of the environment that the templates name.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// Returns whether the templates use a value of this name.
    pub fn names(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Returns whether a request has to be rendered each time it is sent, where captures have these names.
    pub fn is_live(&self, captures: &BTreeSet<String>) -> bool {
        LIVE_NAMES.iter().any(|name| self.names.contains(*name))
            || self.uses(captures).next().is_some()
    }

    /// Returns whether requests differ by their number in what stands before the body.
    pub fn has_different_heads(&self) -> bool {
        let RequestTexts { path, headers, .. } = &self.texts;
        let mut texts = headers.iter().map(|(_, value)| value).chain([path]);
        texts.any(|text| text.contains("{{") || text.contains("{%"))
    }

    /// Returns a request.
    pub fn render(
        &self,
        request: &Arc<RequestContext>,
        values: LiveValues,
    ) -> Result<RenderedTexts, TemplateError> {
        let draws = PairRng::new(request.seed, u64::MAX - request.index);
        let draws = Value::from_object(TemplateRng::new(draws));
        let values = Arc::new(values);
        let context = |pair, form| LiveContext {
            values: Arc::clone(&values),
            request: Arc::clone(request),
            draws: draws.clone(),
            pair,
            form,
        };
        let first = Value::from_object(context(0, TextForm::Plain));
        let header = |(name, _): &(String, String)| {
            Ok((name.clone(), self.fill(&header_place(name), &first)?))
        };
        let path = self.fill(PATH, &first)?;
        let headers = self.texts.headers.iter().map(header).collect::<Result<_, _>>()?;
        let inside = || Value::from_object(context(0, self.texts.form));
        let body = self.texts.body.as_ref().map(|_| self.fill(BODY, &inside())).transpose()?;
        let expected = |(number, expectation): (usize, &TemplateExpectation)| {
            let place = expectation_place(number, expectation);
            let pairs = if expectation.is_for_each() { request.pairs.len() } else { 1 };
            let value =
                |pair| self.fill(&place, &Value::from_object(context(pair, TextForm::Plain)));
            let values = (0..pairs).map(value).collect::<Result<_, _>>()?;
            Ok(ExpectedValue::of(expectation, values))
        };
        let expectations = self.texts.expectations.iter().enumerate();
        let expected = expectations.map(expected).collect::<Result<Vec<_>, _>>()?;
        let is_wanted = body.is_some() || !expected.is_empty();
        let wanted = || ResponseExpectation::wanted(Ok(expected), VerdictBits::default());
        let expected = is_wanted.then(wanted);
        Ok(RenderedTexts { path, headers, body, expected })
    }

    fn fill(&self, place: &str, context: &Value) -> Result<String, TemplateError> {
        let filled = self.environment.get_template(place).and_then(|it| it.render(context));
        filled.map_err(|error| template::invalid(place, &error))
    }
}

fn header_place(name: &str) -> String {
    format!("the header `{name}`")
}

fn expectation_place(number: usize, expectation: &TemplateExpectation) -> String {
    format!("expectation {}, at {}", number + 1, expectation.place_text())
}

#[cfg(test)]
mod tests {
    use units::environment::ProcessEnvironment;

    use super::*;
    use crate::template::TemplatePair;

    fn texts(path: &str, body: &str) -> RequestTexts {
        RequestTexts {
            path: path.to_owned(),
            headers: vec![("Authorization".to_owned(), "Bearer {{ token }}".to_owned())],
            body: Some(body.to_owned()),
            form: TextForm::Plain,
            expectations: vec![TemplateExpectation::xml("/Order/@id", "{{ unique }}").unwrap()],
        }
    }

    fn context() -> Arc<RequestContext> {
        let xml = "<?xml version=\"1.0\"?><!-- c --><a>1</a>".to_owned();
        let pair = TemplatePair { number: 0, xml1: xml, xml2: "<a/>".to_owned(), matched: false };
        let context = TemplateContext { index: 3, seed: 42, pairs: vec![pair], ..<_>::default() };
        Arc::new(RequestContext::new(context))
    }

    fn values() -> LiveValues {
        let captured = BTreeMap::from([("token".to_owned(), "t0k".to_owned())]);
        LiveValues {
            unique: "77".to_owned(),
            uuid: "u-u".to_owned(),
            now: "2026-11-27T10:00:00.000Z".to_owned(),
            nonce: "abc".to_owned(),
            captured: Arc::new(captured),
        }
    }

    #[test]
    fn every_part_of_a_request_has_the_same_values() {
        let body = "{{ unique }} {{ uuid }} {{ index }} {{ random(1, 6) }} {{ pair.xml1 | element }} \
                    {{ (nonce ~ now ~ 'pw') | sha1 | base64 }} {{ nonce | sha1 }}";
        let renderer = RequestRenderer::new(texts("/orders/{{ unique }}", body)).unwrap();
        let rendered = renderer.render(&context(), values()).unwrap();
        assert_eq!(rendered.path, "/orders/77");
        assert_eq!(rendered.headers, [("Authorization".to_owned(), "Bearer t0k".to_owned())]);
        let body = rendered.body.unwrap();
        assert!(body.starts_with("77 u-u 3 6 <a>1</a> "), "{body}");
        // RFC 3174's first test.
        assert!(body.ends_with(" a9993e364706816aba3e25717850c26c9cd0d89d"), "{body}");
        let expected = rendered.expected.unwrap();
        assert_eq!(expected.check(200, b"<Order id=\"77\"/>"), Ok(()));
        assert!(expected.check(200, b"<Order id=\"78\"/>").is_err());
    }

    #[test]
    fn a_variable_of_the_environment_is_escaped_for_the_body_that_it_stands_in() {
        let secret = "a\"<&'\n";
        let process = ProcessEnvironment::new([("KEY".into(), secret.into())], "");
        let rendered = |form, body: &str| {
            let own = RequestTexts { headers: Vec::new(), form, ..texts("/{{ env.KEY }}", body) };
            let own = RequestTexts { expectations: Vec::new(), ..own };
            let renderer = RequestRenderer::new(own).unwrap();
            let lent = LentValues::new(process.lend(renderer.variables()));
            let context = TemplateContext { lent, ..TemplateContext::default() };
            let context = Arc::new(RequestContext::new(context));
            let rendered = renderer.render(&context, values()).unwrap();
            assert_eq!(rendered.path, format!("/{secret}"), "no body");
            rendered.body.unwrap()
        };
        let json = rendered(TextForm::Json, "[\"{{ env.KEY }}\", {{ env.KEY | tojson }}]");
        let json: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(json, [secret, secret]);
        let xml = "<a b=\"{{ env.KEY }}\">{{ env.KEY }}{{ env.KEY | xml }}</a>";
        let xml = rendered(TextForm::Xml, xml);
        let xml = roxmltree::Document::parse(&xml).unwrap();
        let root = xml.root_element();
        assert_eq!(root.text(), Some(secret.repeat(2).as_str()));
        // White space of an attribute is read as spaces.
        assert_eq!(root.attribute("b"), Some(secret.replace('\n', " ").as_str()));
        assert_eq!(rendered(TextForm::Plain, "{{ env.KEY }}"), secret);
        assert_eq!(
            rendered(TextForm::Xml, "{{ env.KEY | safe }}{{ env.KEY ~ '' }}"),
            secret.repeat(2)
        );
        assert_eq!(rendered(TextForm::Json, "{{ env.KEY | base64 }}"), "YSI8JicK");
    }

    #[test]
    fn a_variable_of_the_environment_is_named_in_a_template_and_lent_later() {
        let own = texts("/{{ env.KEY }}", "{{ env.TOKEN }}");
        let own = RequestTexts { headers: Vec::new(), expectations: Vec::new(), ..own };
        let renderer = RequestRenderer::new(own).unwrap();
        assert_eq!(renderer.variables().collect::<Vec<_>>(), ["KEY", "TOKEN"]);
        assert!(!renderer.is_live(&BTreeSet::new()));
        let lent = BTreeMap::from([("KEY", "k"), ("TOKEN", "{{ t }}")]);
        let process = ProcessEnvironment::new(lent.iter().map(|(n, v)| (n.into(), v.into())), "");
        let lent = LentValues::new(process.lend(renderer.variables()));
        let context = TemplateContext { lent: lent.clone(), ..TemplateContext::default() };
        let rendered = renderer.render(&Arc::new(RequestContext::new(context)), values()).unwrap();
        assert_eq!((rendered.path.as_str(), rendered.body.as_deref()), ("/k", Some("{{ t }}")));
        assert!(!format!("{lent:?}").contains("{{ t }}"));
    }

    #[test]
    fn only_what_is_known_when_it_is_sent_makes_a_request_live() {
        let known = BTreeSet::from(["token".to_owned(), "id".to_owned()]);
        let is_live = |path: &str, header: &str| {
            let headers = vec![("X".to_owned(), header.to_owned())];
            let texts =
                RequestTexts { headers, body: None, expectations: Vec::new(), ..texts(path, "") };
            RequestRenderer::new(texts).unwrap().is_live(&known)
        };
        assert!(!is_live("/{{ index }}/{{ random(1, 3) }}", "{{ seed }}"));
        assert!(is_live("/{{ unique }}", ""));
        assert!(is_live("/", "{% if nonce %}a{% endif %}"));
        assert!(is_live("/", "{{ id }}") && !is_live("/{{ other }}", ""));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let said = |path: &str| {
            let renderer = RequestRenderer::new(texts(path, ""));
            renderer.and_then(|it| it.render(&context(), values())).unwrap_err().to_string()
        };
        assert!(said("/{{ nothing }}").starts_with("line 1 of the path: undefined value"));
        assert!(said("/{{").starts_with("line 1 of the path: syntax error"));
    }
}
