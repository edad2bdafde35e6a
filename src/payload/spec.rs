//! What to generate, with which seed, and how much of it goes into one request.

use std::convert::Infallible;
use std::iter;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::corpus::Corpus;
use super::depth_mix;
use super::documents::Documents;
use super::mix::{Mix, Recipe};
use super::pairs::Pairs;
use super::quota::Interleaved;
use super::template::{Context, Filling, Template, TemplateError, Wanted};
use super::truth::{Semantics, Truth};
use super::{GENERATOR_VERSION, Kind};
use crate::units;

/// A named kind of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
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
    /// [`ALL`](Self::ALL): to be asked for by its own switch only.
    Hostile,
}

impl Preset {
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

    fn source(self, recipe: &Recipe) -> Source {
        let patterns = |patterns: &[(&str, u64)]| Documents::patterns(patterns, recipe);
        let one = |text| patterns(&[(text, 1)]);
        let tree = |settings: &[(&str, &str)]| {
            let mut mix = Mix::default();
            for (key, value) in settings {
                mix.set(key, value).expect("the settings of a preset are right");
            }
            Documents::mix(&mix, recipe)
        };
        let documents = match self {
            Self::DepthMix => return Source::DepthMix(Arc::new(depth_mix::mix())),
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
            Self::Hostile => Documents::hostile(),
        };
        Source::Documents(Arc::new(documents))
    }
}

const SOAP11: &str = include_str!("documents/soap11.xml");
const SOAP11_FAULT: &str = include_str!("documents/soap11-fault.xml");
const SOAP12: &str = include_str!("documents/soap12.xml");
const SOAP12_FAULT: &str = include_str!("documents/soap12-fault.xml");

/// Why a spec cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The documents are what they are.
    #[error("`{preset}` cannot be mixed otherwise\n\nhint: take another preset, a mix or a corpus")]
    Fixed {
        /// The preset.
        preset: &'static str,
    },
}

/// How a body goes over the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    #[default]
    Plain,
    /// Compressed. The compressed bytes may change with the library that makes them; what they hold
    /// does not.
    Gzip,
}

/// How a target learns where a body ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Framing {
    /// Its size is told ahead.
    #[default]
    Length,
    /// It comes in chunks, each with its size.
    Chunked,
}

/// Everything that decides the bytes of every request of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// What every draw starts from.
    pub seed: u64,
    /// XML pairs in one request, for the kinds that carry many. The first `n` pairs hold each
    /// share of the mix rounded to a neighbouring whole number; those of the depth mix are exact
    /// where `n` is a multiple of ten.
    pub pairs: u64,
    /// What the target means by "equal". Decides what is expected of it, and no byte it is sent.
    pub semantics: Semantics,
    /// How bodies go over the wire.
    pub encoding: Encoding,
    /// How their end is told.
    pub framing: Framing,
    /// Headers of every request, as name and value, beside those that its kind and encoding need.
    pub headers: Vec<(String, String)>,
    origin: Origin,
    recipe: Recipe,
    template: Option<Arc<Template>>,
    source: Source,
}

/// What the documents are made after.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Preset(Preset),
    Mix(Arc<Mix>),
    Corpus(Arc<Corpus>),
}

/// What makes the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    DepthMix(Arc<Interleaved>),
    Documents(Arc<Documents>),
}

impl Spec {
    fn new(origin: Origin, recipe: Recipe, seed: u64, pairs: u64) -> Self {
        let source = match &origin {
            Origin::Preset(preset) => preset.source(&recipe),
            Origin::Mix(mix) => Source::Documents(Arc::new(Documents::mix(mix, &recipe))),
            Origin::Corpus(corpus) => {
                Source::Documents(Arc::new(Documents::corpus(corpus, &recipe)))
            }
        };
        Self {
            seed,
            pairs,
            semantics: Semantics::default(),
            encoding: Encoding::default(),
            framing: Framing::default(),
            headers: Vec::new(),
            origin,
            recipe,
            template: None,
            source,
        }
    }

    /// Returns the depth mix: 60 % of depth 2, 30 % of depth 3, 10 % of depth 5, and of each depth
    /// 70 % identical pairs.
    pub fn depth_mix(seed: u64, pairs: u64) -> Self {
        Self::preset(Preset::DepthMix, seed, pairs)
    }

    /// Returns documents of a named kind.
    pub fn preset(preset: Preset, seed: u64, pairs: u64) -> Self {
        Self::new(Origin::Preset(preset), Recipe::default(), seed, pairs)
    }

    /// Returns documents of a mix of one's own.
    pub fn mix(mix: Mix, seed: u64, pairs: u64) -> Self {
        let recipe = mix.recipe().clone();
        Self::new(Origin::Mix(Arc::new(mix)), recipe, seed, pairs)
    }

    /// Returns a user's documents, in turn, and changed copies of them.
    pub fn corpus(corpus: Corpus, seed: u64, pairs: u64) -> Self {
        Self::new(Origin::Corpus(Arc::new(corpus)), Recipe::default(), seed, pairs)
    }

    /// Returns the spec with other shares of identical, equal and different pairs.
    pub fn with_recipe(self, recipe: Recipe) -> Result<Self, SpecError> {
        match self.origin {
            Origin::Preset(preset @ (Preset::DepthMix | Preset::Hostile)) => {
                Err(SpecError::Fixed { preset: preset.name() })
            }
            origin => {
                let Self { seed, pairs, semantics, encoding, framing, headers, template, .. } =
                    self;
                let spec = Self::new(origin, recipe, seed, pairs);
                Ok(Self { semantics, encoding, framing, headers, template, ..spec })
            }
        }
    }

    /// Returns the spec with a template for requests of [`Kind::Template`], which has been filled
    /// in once to see that it can be.
    pub fn with_template(self, template: Template) -> Result<Self, TemplateError> {
        let spec = Self { template: Some(Arc::new(template)), ..self };
        spec.render(0).transpose()?;
        Ok(spec)
    }

    /// Returns the media type of a request.
    pub fn content_type(&self, kind: Kind) -> &str {
        match (kind, &self.template) {
            (Kind::XmlCompare | Kind::XmlCompareBatch, _) => "application/json",
            (Kind::RawXml, _) => "application/xml; charset=utf-8",
            (Kind::Soap11, _) => "text/xml; charset=utf-8",
            (Kind::Soap12, _) => {
                "application/soap+xml; charset=utf-8; action=\"urn:xmlperf:request\""
            }
            (Kind::Template, Some(template)) => &template.content_type,
            (Kind::Template, None) => "application/octet-stream",
        }
    }

    /// Returns the headers that a request has beside its media type.
    pub fn headers(&self, kind: Kind) -> Vec<(String, String)> {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = match kind {
            Kind::Soap11 => vec![header("SOAPAction", "\"urn:xmlperf:request\"")],
            Kind::XmlCompare
            | Kind::XmlCompareBatch
            | Kind::RawXml
            | Kind::Soap12
            | Kind::Template => Vec::new(),
        };
        match self.encoding {
            Encoding::Plain => {}
            Encoding::Gzip => headers.push(header("Content-Encoding", "gzip")),
        }
        headers.extend_from_slice(&self.headers);
        headers
    }

    /// Returns the template filled in for request number `index`, and what its answer must hold.
    pub(super) fn render(
        &self,
        index: u64,
    ) -> Option<Result<(String, Vec<Wanted>), TemplateError>> {
        let template = self.template.as_ref()?;
        let first = index.wrapping_mul(self.pairs);
        let mut pairs = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let made: Result<(), Infallible> = self.for_each(first, self.pairs, |xml1, xml2, truth| {
            let number = first.wrapping_add(u64::try_from(pairs.len()).unwrap_or(u64::MAX));
            let matched = truth.matched(self.semantics);
            pairs.push(Filling { number, xml1: text(xml1), xml2: text(xml2), matched });
            Ok(())
        });
        let Ok(()) = made;
        Some(template.render(&Context { index, seed: self.seed, pairs }))
    }

    /// Returns the name of the preset, or `mix` or `corpus`.
    pub fn name(&self) -> &'static str {
        match &self.origin {
            Origin::Preset(preset) => preset.name(),
            Origin::Mix(_) => "mix",
            Origin::Corpus(_) => "corpus",
        }
    }

    /// Returns what is true of the XML pairs from number `first` (from 0) on, without end.
    pub fn truths(&self, first: u64) -> impl Iterator<Item = Truth> {
        let mut pairs = Pairs::new(self, first);
        iter::repeat_with(move || pairs.truth())
    }

    /// Calls `each` with both documents of `count` XML pairs from number `first` (from 0) on, and
    /// with what is true of them, until it returns an error.
    pub fn for_each<E>(
        &self,
        first: u64,
        count: u64,
        mut each: impl FnMut(&[u8], &[u8], Truth) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut pairs = Pairs::new(self, first);
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
            origin,
            recipe,
            template,
            source,
        } = self;
        let mut hash = Sha256::new();
        let name = self.name();
        hash.update(format!("{GENERATOR_VERSION} {name} seed={seed} pairs={pairs}\n"));
        match source {
            Source::DepthMix(_) => {}
            Source::Documents(_) => hash.update(recipe.to_string()),
        }
        match origin {
            Origin::Preset(_) => {}
            Origin::Mix(mix) => hash.update(mix.to_string()),
            Origin::Corpus(corpus) => {
                for document in corpus.documents() {
                    hash.update(Sha256::digest(document));
                }
            }
        }
        match encoding {
            Encoding::Plain => {}
            Encoding::Gzip => hash.update("gzip"),
        }
        match framing {
            Framing::Length => {}
            Framing::Chunked => hash.update("chunked"),
        }
        for (name, value) in headers {
            hash.update(format!("{name}: {value}\n"));
        }
        if let Some(template) = template {
            for part in template.parts() {
                hash.update(Sha256::digest(part));
            }
        }
        let mut json = Vec::new();
        let mut pairs = Pairs::new(self, 0);
        for _ in 0..100 {
            json.clear();
            pairs.write_json(&mut json);
            hash.update(&json);
        }
        units::hex(&hash.finalize())
    }

    /// Returns whether the documents are there to do harm.
    pub(super) fn is_hostile(&self) -> bool {
        matches!(self.origin, Origin::Preset(Preset::Hostile))
    }

    /// Returns the same requests as bare envelopes, where the documents are envelopes.
    pub(super) fn requests(&self, kind: Kind) -> Option<Self> {
        let text = match (&self.origin, kind) {
            (Origin::Preset(Preset::Soap11 | Preset::Soap12), Kind::Soap11) => SOAP11,
            (Origin::Preset(Preset::Soap11 | Preset::Soap12), Kind::Soap12) => SOAP12,
            (Origin::Preset(_) | Origin::Mix(_) | Origin::Corpus(_), _) => return None,
        };
        let documents = Documents::patterns(&[(text, 1)], &Recipe::identical());
        Some(Self { source: Source::Documents(Arc::new(documents)), ..self.clone() })
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }
}
