//! What to generate, with which seed, and how much of it goes into one request.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Write as _;
use std::iter;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use miette::Diagnostic;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::corpus::Corpus;
use super::depth_mix;
use super::documents::DocumentSource;
use super::lent::{LentValues, TextForm};
use super::live::{RequestContext, RequestTexts};
use super::mix::{DocumentMix, PairRecipe};
use super::pairs::{PairSource, PairStream};
use super::schema::SchemaDocuments;
use super::template::{
    ExpectedValue, RenderedRequest, Template, TemplateContext, TemplateError, TemplateExpectation,
    TemplatePair,
};
use super::truth::{PairTruth, Semantics};
use super::{GENERATOR_VERSION, PayloadKind};

/// A named kind of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadPreset {
    /// Small nested elements: 60 % of depth 2, 30 % of depth 3, 10 % of depth 5; 70 % identical.
    DepthMix,
    /// SOAP 1.1 envelopes: requests, and one fault in ten.
    Soap11,
    /// SOAP 1.2 envelopes: requests, and one fault in ten.
    Soap12,
    /// Invoices in UBL 2.1.
    UblInvoice,
    /// Interest rate swaps in `FpML` 5.
    FpmlTrade,
    /// News feeds: mostly text.
    Rss,
    /// Clinical documents: mixed, with many self-closing elements.
    Hl7Cda,
    /// Drawings: mostly attributes.
    Svg,
    /// Maven project files: mostly short elements.
    Pom,
    /// Chapters of prose.
    TextHeavy,
    /// One element in the other, 32 to 256 deep.
    DeepNarrow,
    /// 500 to 2 000 children of one element.
    WideFlat,
    /// Names and texts in many scripts.
    Unicode,
    /// Prefixes declared, declared again and undeclared.
    Namespaces,
    /// Documents that do harm: entity bombs, huge names, 20 000 levels. Not among
    /// [`ALL`](Self::ALL): chosen by its own switch only.
    Hostile,
}

impl PayloadPreset {
    /// Every preset that does no harm, in the order in which they are offered.
    pub const ALL: [Self; 14] = [
        Self::DepthMix,
        Self::Soap11,
        Self::Soap12,
        Self::UblInvoice,
        Self::FpmlTrade,
        Self::Rss,
        Self::Hl7Cda,
        Self::Svg,
        Self::Pom,
        Self::TextHeavy,
        Self::DeepNarrow,
        Self::WideFlat,
        Self::Unicode,
        Self::Namespaces,
    ];

    /// Returns the name that configuration and command line use.
    pub fn name(self) -> &'static str {
        match self {
            Self::DepthMix => "depth-mix",
            Self::Soap11 => "soap11",
            Self::Soap12 => "soap12",
            Self::UblInvoice => "ubl-invoice",
            Self::FpmlTrade => "fpml-trade",
            Self::Rss => "rss",
            Self::Hl7Cda => "hl7-cda",
            Self::Svg => "svg",
            Self::Pom => "pom",
            Self::TextHeavy => "text-heavy",
            Self::DeepNarrow => "deep-narrow",
            Self::WideFlat => "wide-flat",
            Self::Unicode => "unicode",
            Self::Namespaces => "namespaces",
            Self::Hostile => "hostile",
        }
    }

    /// Returns the preset of that name, if it does no harm.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    fn source(self, recipe: &PairRecipe) -> PairSource {
        let patterns = |patterns: &[(&str, u64)]| DocumentSource::patterns(patterns, recipe);
        let one = |text| patterns(&[(text, 1)]);
        let tree = |settings: &[(&str, &str)]| {
            let mut mix = DocumentMix::default();
            for (key, value) in settings {
                mix.set(key, value).expect("the settings of a preset are right");
            }
            DocumentSource::mix(&mix, recipe)
        };
        let documents = match self {
            Self::DepthMix => return PairSource::DepthMix(Arc::new(depth_mix::mix())),
            Self::Soap11 => patterns(&[(SOAP11, 9), (SOAP11_FAULT, 1)]),
            Self::Soap12 => patterns(&[(SOAP12, 9), (SOAP12_FAULT, 1)]),
            Self::UblInvoice => one(include_str!("documents/ubl-invoice.xml")),
            Self::FpmlTrade => one(include_str!("documents/fpml-trade.xml")),
            Self::Rss => one(include_str!("documents/rss.xml")),
            Self::Hl7Cda => one(include_str!("documents/hl7-cda.xml")),
            Self::Svg => one(include_str!("documents/svg.xml")),
            Self::Pom => one(include_str!("documents/pom.xml")),
            Self::TextHeavy => one(include_str!("documents/text-heavy.xml")),
            Self::Unicode => one(include_str!("documents/unicode.xml")),
            Self::Namespaces => one(include_str!("documents/namespaces.xml")),
            Self::DeepNarrow => {
                tree(&[("depth", "32,64,128,256"), ("fan-out", "1"), ("attributes", "0..1")])
            }
            Self::WideFlat => tree(&[("depth", "2"), ("fan-out", "500..2000")]),
            Self::Hostile => DocumentSource::hostile(),
        };
        PairSource::Documents(Arc::new(documents))
    }
}

const SOAP11: &str = include_str!("documents/soap11.xml");
const SOAP11_FAULT: &str = include_str!("documents/soap11-fault.xml");
const SOAP12: &str = include_str!("documents/soap12.xml");
const SOAP12_FAULT: &str = include_str!("documents/soap12-fault.xml");

/// Why a spec cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum SpecError {
    /// The documents are what they are.
    #[error("`{preset}` cannot be mixed otherwise")]
    #[diagnostic(help("take another preset, a mix or a corpus"))]
    Fixed {
        /// The preset.
        preset: &'static str,
    },
}

/// How a body goes over the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestEncoding {
    /// As it is.
    #[default]
    Plain,
    /// Compressed. The compressed bytes may change with the library that makes them; what they hold
    /// does not.
    Gzip,
}

/// How a target learns where a body ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestFraming {
    /// Its size is declared ahead.
    #[default]
    Length,
    /// It comes in chunks, each with its size.
    Chunked,
}

/// Everything that decides the bytes of every request of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadSpec {
    /// What every draw starts from.
    pub seed: u64,
    /// XML pairs in one request, for the kinds that carry many. The first `n` pairs hold each
    /// share of the mix rounded to a neighbouring whole number; those of the depth mix are exact
    /// where `n` is a multiple of ten.
    pub pairs: u64,
    /// What the target means by "equal". Decides what is expected of it, and no byte it is sent.
    pub semantics: Semantics,
    /// How bodies go over the wire.
    pub encoding: RequestEncoding,
    /// How their end is marked.
    pub framing: RequestFraming,
    /// Headers of every request, as name and value, beside those that its kind and encoding need.
    pub headers: Vec<(String, String)>,
    /// The media type of requests that are made without a template, instead of their kind's.
    pub media_type: Option<String>,
    origin: DocumentOrigin,
    recipe: PairRecipe,
    template: Option<Arc<Template>>,
    /// What must come back instead of what the kind promises, of requests without a template.
    expectations: Arc<[TemplateExpectation]>,
    /// Names of what templates may use of earlier answers.
    captures: Arc<BTreeSet<String>>,
    /// What templates may use of the environment. Decides bytes that are sent, and is in no digest: a token that
    /// is renewed does not make runs incomparable.
    lent: LentValues,
    source: PairSource,
}

/// What the documents are made after.
#[derive(Debug, Clone, PartialEq, Eq)]
enum DocumentOrigin {
    Preset(PayloadPreset),
    Mix(Arc<DocumentMix>),
    Corpus(Arc<Corpus>),
    Schema(Arc<SchemaDocuments>),
}

impl PayloadSpec {
    fn new(origin: DocumentOrigin, recipe: PairRecipe, seed: u64, pairs: u64) -> Self {
        let source = match &origin {
            DocumentOrigin::Preset(preset) => preset.source(&recipe),
            DocumentOrigin::Mix(mix) => {
                PairSource::Documents(Arc::new(DocumentSource::mix(mix, &recipe)))
            }
            DocumentOrigin::Corpus(corpus) => {
                PairSource::Documents(Arc::new(DocumentSource::corpus(corpus, &recipe)))
            }
            DocumentOrigin::Schema(documents) => {
                PairSource::Documents(Arc::new(DocumentSource::schema(documents, &recipe)))
            }
        };
        Self {
            seed,
            pairs,
            semantics: Semantics::default(),
            encoding: RequestEncoding::default(),
            framing: RequestFraming::default(),
            headers: Vec::new(),
            media_type: None,
            origin,
            recipe,
            template: None,
            expectations: Arc::default(),
            captures: Arc::default(),
            lent: LentValues::default(),
            source,
        }
    }

    /// Returns the depth mix: 60 % of depth 2, 30 % of depth 3, 10 % of depth 5, and of each depth
    /// 70 % identical pairs.
    pub fn depth_mix(seed: u64, pairs: u64) -> Self {
        Self::preset(PayloadPreset::DepthMix, seed, pairs)
    }

    /// Returns documents of a named kind.
    pub fn preset(preset: PayloadPreset, seed: u64, pairs: u64) -> Self {
        Self::new(DocumentOrigin::Preset(preset), PairRecipe::default(), seed, pairs)
    }

    /// Returns documents of a mix of one's own.
    pub fn mix(mix: DocumentMix, seed: u64, pairs: u64) -> Self {
        let recipe = mix.recipe().clone();
        Self::new(DocumentOrigin::Mix(Arc::new(mix)), recipe, seed, pairs)
    }

    /// Returns a user's documents, in turn, and changed copies of them.
    pub fn corpus(corpus: Corpus, seed: u64, pairs: u64) -> Self {
        Self::new(DocumentOrigin::Corpus(Arc::new(corpus)), PairRecipe::default(), seed, pairs)
    }

    /// Returns documents that a schema allows, and changed copies of them, which it may not.
    pub fn schema(documents: SchemaDocuments, seed: u64, pairs: u64) -> Self {
        let origin = DocumentOrigin::Schema(Arc::new(documents));
        Self::new(origin, PairRecipe::default(), seed, pairs)
    }

    /// Returns the spec with other shares of identical, equal and different pairs.
    pub fn with_recipe(self, recipe: PairRecipe) -> Result<Self, SpecError> {
        match self.origin {
            DocumentOrigin::Preset(preset @ (PayloadPreset::DepthMix | PayloadPreset::Hostile)) => {
                Err(SpecError::Fixed { preset: preset.name() })
            }
            origin => {
                let Self { seed, pairs, semantics, encoding, framing, .. } = self;
                let Self { headers, media_type, template, expectations, captures, lent, .. } = self;
                Ok(Self {
                    semantics,
                    encoding,
                    framing,
                    headers,
                    media_type,
                    template,
                    expectations,
                    captures,
                    lent,
                    ..Self::new(origin, recipe, seed, pairs)
                })
            }
        }
    }

    /// Returns the spec with a template for requests of [`PayloadKind::Template`], which has been filled
    /// in once to see that it can be.
    pub fn with_template(self, template: Template) -> Result<Self, TemplateError> {
        let spec = Self { template: Some(Arc::new(template)), ..self };
        spec.render(0).transpose()?;
        Ok(spec)
    }

    /// Returns the spec of requests whose templates may use captures of these names.
    #[must_use]
    pub fn with_captures(self, captures: BTreeSet<String>) -> Self {
        Self { captures: captures.into(), ..self }
    }

    /// Has templates use these values of the environment.
    pub fn lend(&mut self, lent: LentValues) {
        self.lent = lent;
    }

    /// Returns the templates of the requests of a kind that are sent to a path, itself one, with headers
    /// that are templates too.
    pub fn texts(&self, kind: PayloadKind, path: &str) -> RequestTexts {
        let (body, expectations) = match (&self.template, kind) {
            (Some(template), PayloadKind::Template) => {
                (Some(template.body.clone()), template.expectations.clone())
            }
            (Some(_) | None, _) => (None, self.expectations.to_vec()),
        };
        let form = TextForm::of(self.content_type(kind));
        RequestTexts {
            path: path.to_owned(),
            headers: self.headers(kind),
            body,
            form,
            expectations,
        }
    }

    /// Returns what the templates of request number `index` are filled in with, whatever is known only
    /// when it is sent.
    pub fn request_context(&self, kind: PayloadKind, index: u64) -> RequestContext {
        RequestContext::new(self.template_context(index, kind.pairs(self.pairs)))
    }

    /// Returns the spec with expectations that take the place of what a kind without a template promises.
    /// They have been filled in once to see that they can be.
    pub fn with_expectations(
        self,
        expectations: Vec<TemplateExpectation>,
    ) -> Result<Self, TemplateError> {
        let spec = Self { expectations: expectations.into(), ..self };
        spec.expected(PayloadKind::RawXml, 0).transpose()?;
        Ok(spec)
    }

    /// Returns a body as it goes over the wire.
    pub fn encode(&self, body: Vec<u8>) -> Vec<u8> {
        match self.encoding {
            RequestEncoding::Plain => body,
            RequestEncoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&body).expect("writing to memory cannot fail");
                encoder.finish().expect("writing to memory cannot fail")
            }
        }
    }

    /// Returns the media type of a request.
    pub fn content_type(&self, kind: PayloadKind) -> &str {
        if let (Some(own), true) = (&self.media_type, kind != PayloadKind::Template) {
            return own;
        }
        match (kind, &self.template) {
            (PayloadKind::XmlCompare | PayloadKind::XmlCompareBatch, _) => "application/json",
            (PayloadKind::RawXml, _) => "application/xml; charset=utf-8",
            (PayloadKind::Soap11, _) => "text/xml; charset=utf-8",
            (PayloadKind::Soap12, _) => {
                "application/soap+xml; charset=utf-8; action=\"urn:xmlperf:request\""
            }
            (PayloadKind::Template, Some(template)) => &template.content_type,
            (PayloadKind::Template, None) => "application/octet-stream",
        }
    }

    /// Returns how many XML pairs a request holds; by a template, as many as it uses for the
    /// first.
    pub fn pairs_held(&self, kind: PayloadKind) -> u64 {
        match (kind, self.render(0)) {
            (PayloadKind::Template, Some(Ok(rendered))) => rendered.pairs,
            _ => kind.pairs(self.pairs),
        }
    }

    /// Returns the headers that a request has beside its media type. Of those that the kind needs, the
    /// spec's own take the place: two of one name would contradict each other.
    pub fn headers(&self, kind: PayloadKind) -> Vec<(String, String)> {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = match kind {
            PayloadKind::Soap11 => vec![header("SOAPAction", "\"urn:xmlperf:request\"")],
            PayloadKind::XmlCompare
            | PayloadKind::XmlCompareBatch
            | PayloadKind::RawXml
            | PayloadKind::Soap12
            | PayloadKind::Template => Vec::new(),
        };
        match self.encoding {
            RequestEncoding::Plain => {}
            RequestEncoding::Gzip => headers.push(header("Content-Encoding", "gzip")),
        }
        let is_own =
            |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        headers.retain(|(name, _)| !is_own(name));
        headers.extend_from_slice(&self.headers);
        headers
    }

    /// Returns the template filled in for request number `index`, and what its answer must hold.
    pub(super) fn render(&self, index: u64) -> Option<Result<RenderedRequest, TemplateError>> {
        let template = self.template.as_ref()?;
        Some(template.render(&self.template_context(index, self.pairs)))
    }

    /// Returns what the answer to request number `index` must hold, where that is not left to its kind.
    pub(super) fn expected(
        &self,
        kind: PayloadKind,
        index: u64,
    ) -> Option<Result<Vec<ExpectedValue>, TemplateError>> {
        if self.expectations.is_empty() {
            return None;
        }
        let context = self.template_context(index, kind.pairs(self.pairs));
        Some(Template::expected(&self.expectations, &context))
    }

    /// Returns what templates of request number `index` are filled in with.
    fn template_context(&self, index: u64, count: u64) -> TemplateContext {
        let first = index.wrapping_mul(count);
        let mut pairs = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let made: Result<(), Infallible> = self.for_each(first, count, |xml1, xml2, truth| {
            let number = first.wrapping_add(u64::try_from(pairs.len()).unwrap_or(u64::MAX));
            let matched = truth.matched(self.semantics);
            pairs.push(TemplatePair { number, xml1: text(xml1), xml2: text(xml2), matched });
            Ok(())
        });
        let Ok(()) = made;
        let (seed, captures, lent) = (self.seed, Arc::clone(&self.captures), self.lent.clone());
        TemplateContext { index, seed, pairs, captures, lent }
    }

    /// Returns the name of the preset, or `mix`, `corpus` or `schema`.
    pub fn name(&self) -> &'static str {
        match &self.origin {
            DocumentOrigin::Preset(preset) => preset.name(),
            DocumentOrigin::Mix(_) => "mix",
            DocumentOrigin::Corpus(_) => "corpus",
            DocumentOrigin::Schema(_) => "schema",
        }
    }

    /// Returns what is true of the XML pairs from number `first` (from 0) on, without end.
    pub fn truths(&self, first: u64) -> impl Iterator<Item = PairTruth> {
        let mut pairs = PairStream::new(&self.source, self.seed, first);
        iter::repeat_with(move || pairs.truth())
    }

    /// Calls `each` with both documents of `count` XML pairs from number `first` (from 0) on, and
    /// with what is true of them, until it returns an error.
    pub fn for_each<E>(
        &self,
        first: u64,
        count: u64,
        mut each: impl FnMut(&[u8], &[u8], PairTruth) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut pairs = PairStream::new(&self.source, self.seed, first);
        (0..count).try_for_each(|_| {
            let truth = pairs.next();
            let (first, second) = pairs.documents();
            each(first, second, truth)
        })
    }

    /// Returns what makes two runs comparable: a hash of the generator's version, of this spec, and
    /// of the first hundred XML pairs it makes. What the target means by "equal" is not in it.
    pub fn digest(&self) -> String {
        let Self {
            seed,
            pairs,
            semantics: _,
            encoding,
            framing,
            headers,
            media_type,
            origin,
            recipe,
            template,
            expectations,
            captures: _,
            lent: _,
            source,
        } = self;
        let mut hash = Sha256::new();
        let name = self.name();
        hash.update(format!("{GENERATOR_VERSION} {name} seed={seed} pairs={pairs}\n"));
        match source {
            PairSource::DepthMix(_) => {}
            PairSource::Documents(_) => hash.update(recipe.to_string()),
        }
        match origin {
            DocumentOrigin::Preset(_) => {}
            DocumentOrigin::Mix(mix) => hash.update(mix.to_string()),
            DocumentOrigin::Corpus(corpus) => {
                for document in corpus.documents() {
                    hash.update(Sha256::digest(document));
                }
            }
            DocumentOrigin::Schema(documents) => hash.update(documents.digest()),
        }
        match encoding {
            RequestEncoding::Plain => {}
            RequestEncoding::Gzip => hash.update("gzip"),
        }
        match framing {
            RequestFraming::Length => {}
            RequestFraming::Chunked => hash.update("chunked"),
        }
        for (name, value) in headers {
            hash.update(format!("{name}: {value}\n"));
        }
        if let Some(media_type) = media_type {
            hash.update(format!("Content-Type: {media_type}\n"));
        }
        if let Some(template) = template {
            for part in template.parts() {
                hash.update(Sha256::digest(part));
            }
            // Runs of before took every template for one that holds all pairs: where that was wrong,
            // their numbers are no earlier ones of these.
            let held = self.pairs_held(PayloadKind::Template);
            if held != *pairs {
                hash.update(format!("held={held}\n"));
            }
        }
        for part in expectations.iter().flat_map(TemplateExpectation::parts) {
            hash.update(Sha256::digest(part));
        }
        let mut json = Vec::new();
        let mut pairs = PairStream::new(&self.source, self.seed, 0);
        for _ in 0..100 {
            json.clear();
            pairs.write_json(&mut json);
            hash.update(&json);
        }
        units::hex(&hash.finalize())
    }

    /// Returns whether the documents are there to do harm.
    pub(super) fn is_hostile(&self) -> bool {
        matches!(self.origin, DocumentOrigin::Preset(PayloadPreset::Hostile))
    }

    /// Returns the same requests as bare envelopes, where the documents are envelopes.
    pub(super) fn requests(&self, kind: PayloadKind) -> Option<Self> {
        let text = match (&self.origin, kind) {
            (
                DocumentOrigin::Preset(PayloadPreset::Soap11 | PayloadPreset::Soap12),
                PayloadKind::Soap11,
            ) => SOAP11,
            (
                DocumentOrigin::Preset(PayloadPreset::Soap11 | PayloadPreset::Soap12),
                PayloadKind::Soap12,
            ) => SOAP12,
            (
                DocumentOrigin::Preset(_)
                | DocumentOrigin::Mix(_)
                | DocumentOrigin::Corpus(_)
                | DocumentOrigin::Schema(_),
                _,
            ) => return None,
        };
        let documents = DocumentSource::patterns(&[(text, 1)], &PairRecipe::identical());
        Some(Self { source: PairSource::Documents(Arc::new(documents)), ..self.clone() })
    }

    pub(super) fn source(&self) -> &PairSource {
        &self.source
    }
}
