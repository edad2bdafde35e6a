//! `[payload]` and `[request]`: what is sent, and what must come back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use record::bounds::{CORPUS_BYTES_MAX, SCHEMA_BYTES_MAX, TEMPLATE_BYTES_MAX};
use record::file::{read_bounded, read_text_bounded};
use toml::Spanned;

use crate::AnswerTruth;
use crate::config::expect::{ExpectList, ExpectTable};
use crate::config::fault::{CorpusReadError, PayloadFault, SchemaReadError, SpannedFault};
use crate::config::headers::Headers;
use crate::config::values::{HeaderValue, HttpPath, KindWord, PresetWord};
use payload::schema::{SchemaDocuments, XmlSchema};
use payload::{
    Corpus, DocumentMix, MixError, PairRecipe, PayloadKind, PayloadPreset, PayloadSpec,
    RequestEncoding, RequestFraming, Template, TemplateError, TemplateExpectation,
};

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct RequestTable {
    /// `"xml-compare-batch"`, `"xml-compare"`, `"soap11"`, `"soap12"`, `"raw-xml"` or `"template"`. Default:
    /// `"xml-compare-batch"`; `"template"` with `template` or `text`.
    pub(super) kind: Option<Spanned<KindWord>>,
    /// Where it is sent. Default: that of the kind, else `/`.
    pub(super) path: Option<HttpPath>,
    /// A file with the template of the body.
    pub(super) template: Option<Spanned<String>>,
    /// The template of the body as it stands here.
    pub(super) text: Option<Spanned<String>>,
    /// The media type. Default: that of the kind.
    pub(super) content_type: Option<Spanned<HeaderValue>>,
    /// Headers of every request, such as `{ X-Tenant = "7", Authorization = { from = "ORDERS_TOKEN" } }`. Default: `{}`.
    pub(super) headers: Headers,
    /// What every answer must hold, or `"base"`: what base answers. Default: what the kind promises.
    pub(super) expect: ExpectList,
    /// Whether bodies are compressed. Default: `false`.
    pub(super) gzip: bool,
    /// Whether bodies are sent in chunks, without their size ahead. Default: `false`.
    pub(super) chunked: bool,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PayloadTable {
    /// From which all documents are drawn. Default: `42`.
    pub(super) seed: Option<u64>,
    /// Generated documents, by name. Default: `"depth-mix"`.
    pub(super) preset: Option<PresetWord>,
    /// A folder of XML documents, from that of this file, instead of `preset`.
    corpus: Option<Spanned<String>>,
    /// The file of a schema (XSD), from the folder of this file, that all documents are valid by, instead of
    /// `preset`.
    schema: Option<Spanned<String>>,
    /// The root element of a schema's documents: `name` or `{namespace}name`. Default: the only one that can be.
    root: Option<Spanned<String>>,
    /// Shares and sizes of the document pairs: all of them of a mix of one's own, or those that a preset, a
    /// corpus or a schema leaves open. Default: `{}`.
    mix: BTreeMap<String, Spanned<String>>,
    /// Whether documents are of the preset `hostile`, which must be refused. Default: `false`.
    hostile: Option<Spanned<bool>>,
}

/// What an operation says of its documents.
pub(super) struct OwnDocuments<'t> {
    pub(super) corpus: Option<&'t Spanned<String>>,
    pub(super) schema: Option<&'t Spanned<String>>,
    pub(super) root: Option<&'t Spanned<String>>,
}

/// What is required of a scenario's payload, beside what the tables say.
pub(super) struct PayloadContext {
    pub(super) kind: PayloadKind,
    /// Where the kind is written, or the name of the scenario.
    pub(super) kind_span: Range<usize>,
    /// The scenario's own preset, which takes the place of all that `[payload]` says of documents.
    pub(super) preset: Option<PayloadPreset>,
    pub(super) seed: u64,
    pub(super) pairs: u64,
    pub(super) expectations: ExpectationUse,
    /// Names that templates may use of earlier answers.
    pub(super) captures: BTreeSet<String>,
}

/// Which kinds of requests `expect` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExpectationUse {
    /// Those of a template: a scenario of one operation may be of a preset whose answers are known.
    Template,
    /// Those of an operation, whatever it sends.
    AnyKind,
}

impl PayloadTable {
    /// Returns the table with documents of an operation's own in the place of all that it says of them, if there
    /// are any.
    pub(super) fn with_own(&self, own: &OwnDocuments<'_>) -> Self {
        let (corpus, schema, root) = (own.corpus.cloned(), own.schema.cloned(), own.root.cloned());
        if corpus.is_none() && schema.is_none() && root.is_none() {
            return self.clone();
        }
        // The root alone is that of another document by the same schema.
        let schema = schema.or_else(|| self.schema.clone().filter(|_| corpus.is_none()));
        Self { seed: self.seed, corpus, schema, root, ..Self::default() }
    }

    /// Returns whether nothing is written of the documents.
    pub(super) fn is_default(&self) -> bool {
        self.preset.is_none()
            && self.corpus.is_none()
            && self.schema.is_none()
            && self.root.is_none()
            && self.mix.is_empty()
            && self.hostile.is_none()
    }

    /// Returns the payload of a scenario. Files are looked for from `folder`.
    pub(super) fn spec(
        &self,
        request: &RequestTable,
        folder: &Path,
        context: &PayloadContext,
    ) -> Result<PayloadSpec, SpannedFault> {
        let mut spec = match context.preset {
            Some(preset) => PayloadSpec::preset(preset, context.seed, context.pairs),
            None => self.documents(folder, context)?,
        };
        spec.encoding = if request.gzip { RequestEncoding::Gzip } else { RequestEncoding::Plain };
        spec.framing =
            if request.chunked { RequestFraming::Chunked } else { RequestFraming::Length };
        spec.headers.clone_from(&request.headers.0);
        let mut spec = spec.with_captures(context.captures.clone());
        // With a template, `content-type` is that of its requests, and not of a scenario of another kind.
        if !request.has_template() {
            let own = request.content_type.as_ref();
            spec.media_type = own.map(|value| value.get_ref().0.clone());
        }
        request.consistent(context)?;
        match (context.kind, context.expectations) {
            (PayloadKind::Template, _) => {
                let Some((template, source)) = request.read_template(folder)? else {
                    let span = context.kind_span.clone();
                    return Err(SpannedFault::new(span, PayloadFault::NoTemplate));
                };
                spec.with_template(template).map_err(|error| source.fault(error))
            }
            (_, ExpectationUse::Template) => Ok(spec),
            (_, ExpectationUse::AnyKind) => {
                let span = request.expect.values().first();
                let span = span.map_or(context.kind_span.clone(), Spanned::span);
                let spec = spec.with_expectations(request.expectations()?);
                spec.map_err(|error| SpannedFault::new(span, PayloadFault::Expectation(error)))
            }
        }
    }

    fn documents(
        &self,
        folder: &Path,
        context: &PayloadContext,
    ) -> Result<PayloadSpec, SpannedFault> {
        let (seed, pairs) = (context.seed, context.pairs);
        let preset = self.preset.map(|word| word.0);
        let hostile = self.hostile.as_ref().filter(|hostile| *hostile.get_ref());
        self.check_schema(preset.is_some() || hostile.is_some())?;
        let spec = match (preset, &self.corpus, hostile) {
            (None, None, None) if self.schema.is_some() => self.schema_spec(folder, seed, pairs)?,
            (None, None, Some(_)) => PayloadSpec::preset(PayloadPreset::Hostile, seed, pairs),
            (Some(_), Some(corpus), _) | (None, Some(corpus), Some(_)) => {
                return Err(SpannedFault::new(corpus.span(), PayloadFault::TwoSources));
            }
            (Some(_), None, Some(hostile)) => {
                return Err(SpannedFault::new(hostile.span(), PayloadFault::TwoSources));
            }
            (None, Some(corpus), None) => {
                let read = read_corpus(&folder.join(corpus.get_ref()));
                let fault = |error| SpannedFault::new(corpus.span(), PayloadFault::Corpus(error));
                PayloadSpec::corpus(read.map_err(fault)?, seed, pairs)
            }
            (None, None, None) if !self.mix.is_empty() => {
                let mut mix = DocumentMix::default();
                self.settings(|key, value| mix.set(key, value))?;
                return Ok(PayloadSpec::mix(mix, seed, pairs));
            }
            (preset, None, None) => {
                PayloadSpec::preset(preset.unwrap_or(PayloadPreset::DepthMix), seed, pairs)
            }
        };
        let Some(first) = self.mix.values().next() else { return Ok(spec) };
        let mut recipe = PairRecipe::default();
        self.settings(|key, value| recipe.set(key, value))?;
        spec.with_recipe(recipe)
            .map_err(|error| SpannedFault::new(first.span(), PayloadFault::Spec(error)))
    }

    /// Refuses documents of a schema beside others, and a root without a schema.
    fn check_schema(&self, has_other: bool) -> Result<(), SpannedFault> {
        match (&self.schema, &self.root) {
            (Some(schema), _) if has_other || self.corpus.is_some() => {
                Err(SpannedFault::new(schema.span(), PayloadFault::TwoSources))
            }
            (None, Some(root)) => Err(SpannedFault::new(root.span(), PayloadFault::StrayRoot)),
            (Some(_) | None, _) => Ok(()),
        }
    }

    fn schema_spec(
        &self,
        folder: &Path,
        seed: u64,
        pairs: u64,
    ) -> Result<PayloadSpec, SpannedFault> {
        let file = self.schema.as_ref().expect("there is a schema where one is made documents of");
        let root = self.root.as_ref().map(|root| root.get_ref().as_str());
        let read = read_schema(&folder.join(file.get_ref()), root);
        let fault = |error| SpannedFault::new(file.span(), PayloadFault::Schema(error));
        Ok(PayloadSpec::schema(read.map_err(fault)?, seed, pairs))
    }

    fn settings(
        &self,
        mut set: impl FnMut(&str, &str) -> Result<(), MixError>,
    ) -> Result<(), SpannedFault> {
        self.mix.iter().try_for_each(|(key, value)| {
            set(key, value.get_ref())
                .map_err(|error| SpannedFault::new(value.span(), PayloadFault::Mix(error)))
        })
    }
}

impl RequestTable {
    /// Returns the kind of requests, and where it is written. A template needs no further word.
    pub(super) fn kind(&self) -> Option<(PayloadKind, Range<usize>)> {
        let written = self.kind.as_ref().map(|word| (word.get_ref().0, word.span()));
        let template = self.template.as_ref().or(self.text.as_ref());
        written.or(template.map(|source| (PayloadKind::Template, source.span())))
    }

    /// Returns what knows the right answers.
    pub(super) fn truth(&self) -> AnswerTruth {
        match self.expect {
            ExpectList::Base => AnswerTruth::Base,
            ExpectList::Values(_) => AnswerTruth::Written,
        }
    }

    /// Returns the request of a method that carries no body: nothing, as a template.
    pub(super) fn without_body(self) -> Self {
        let nothing = Some(Spanned::new(0..0, String::new()));
        Self { kind: None, template: None, text: nothing, gzip: false, chunked: false, ..self }
    }

    fn has_template(&self) -> bool {
        self.template.is_some() || self.text.is_some()
    }

    /// Refuses what would have no effect.
    fn consistent(&self, context: &PayloadContext) -> Result<(), SpannedFault> {
        if let (Some(_), Some(text)) = (&self.template, &self.text) {
            return Err(SpannedFault::new(text.span(), PayloadFault::TwoTemplates));
        }
        let source = self.template.as_ref().map(|it| (it.span(), "template"));
        let source = source.or(self.text.as_ref().map(|it| (it.span(), "text")));
        let takes_any = context.expectations == ExpectationUse::AnyKind;
        let (span, key) = match (source, self.kind(), self.expect.values()) {
            (Some(_), Some((PayloadKind::Template, _)), _) | (None, _, []) => return Ok(()),
            (Some(source), _, _) => source,
            (None, _, [_, ..]) if takes_any => return Ok(()),
            (None, _, [first, ..]) => (first.span(), "expect"),
        };
        Err(SpannedFault::new(span, PayloadFault::StrayKey { key }))
    }

    /// Reads the template, if there is one, and tells where it is from.
    fn read_template(
        &self,
        folder: &Path,
    ) -> Result<Option<(Template, TemplateSource)>, SpannedFault> {
        let (source, body) = match (&self.template, &self.text) {
            (Some(path), _) => {
                let (span, name) = (path.span(), path.get_ref().clone());
                let read = read_text_bounded(&folder.join(path.get_ref()), TEMPLATE_BYTES_MAX);
                let body = read.map_err(|source| {
                    let fault = PayloadFault::TemplateUnreadable { path: name.clone(), source };
                    SpannedFault::new(span.clone(), fault)
                })?;
                (TemplateSource { span, name }, body)
            }
            (None, Some(text)) => {
                let source = TemplateSource { span: text.span(), name: "text".to_owned() };
                (source, text.get_ref().clone())
            }
            (None, None) => return Ok(None),
        };
        let content_type = self.content_type.as_ref().map(|value| value.get_ref().0.as_str());
        let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
        let template = Template { content_type, body, expectations: self.expectations()? };
        Ok(Some((template, source)))
    }

    fn expectations(&self) -> Result<Vec<TemplateExpectation>, SpannedFault> {
        self.expect.values().iter().map(expectation).collect()
    }
}

/// Where a template is from.
struct TemplateSource {
    span: Range<usize>,
    /// The file, or the key that holds it.
    name: String,
}

impl TemplateSource {
    fn fault(self, source: TemplateError) -> SpannedFault {
        SpannedFault::new(self.span, PayloadFault::Template { path: self.name, source })
    }
}

fn expectation(table: &Spanned<ExpectTable>) -> Result<TemplateExpectation, SpannedFault> {
    let made = match table.get_ref() {
        ExpectTable { status: Some(status), json: None, xml: None, equals: None } => {
            return Ok(TemplateExpectation::status(&status.to_string()));
        }
        ExpectTable { status: None, json: Some(place), xml: None, equals: Some(equals) } => {
            TemplateExpectation::json(place, equals)
        }
        ExpectTable { status: None, json: None, xml: Some(place), equals: Some(equals) } => {
            TemplateExpectation::xml(place, equals)
        }
        ExpectTable { .. } => {
            return Err(SpannedFault::new(table.span(), PayloadFault::NotExpectation));
        }
    };
    made.map_err(|error| SpannedFault::new(table.span(), PayloadFault::Expectation(error)))
}

/// Reads the files of a folder that end in `.xml`, and of the folders in it, in the order of their
/// names. A folder to which several links lead is read once: a document would otherwise be sent more
/// often than others, and a link to a folder around itself would never end.
pub fn read_corpus(folder: &Path) -> Result<Corpus, CorpusReadError> {
    let folder_buf = || folder.to_path_buf();
    let mut reader = CorpusReader::default();
    reader
        .collect(folder)
        .map_err(|source| CorpusReadError::Unreadable { folder: folder_buf(), source })?;
    reader.files.sort_unstable();
    Corpus::new(reader.files)
        .map_err(|source| CorpusReadError::Unusable { folder: folder_buf(), source })
}

/// Reads a schema with what it includes and imports from the files around it.
pub fn read_schema(file: &Path, root: Option<&str>) -> Result<SchemaDocuments, SchemaReadError> {
    let file_buf = || file.to_path_buf();
    let text = read_text_bounded(file, SCHEMA_BYTES_MAX)
        .map_err(|source| SchemaReadError::Unreadable { file: file_buf(), source })?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let beside = |path: &str| read_text_bounded(&folder.join(path), SCHEMA_BYTES_MAX).ok();
    XmlSchema::read(&text, &beside)
        .and_then(|schema| schema.documents(root))
        .map_err(|source| SchemaReadError::Unusable { file: file_buf(), source })
}

/// The documents of a folder, as far as they are found.
#[derive(Debug, Default)]
struct CorpusReader {
    files: Vec<(String, Vec<u8>)>,
    /// Device and inode of each folder that was entered.
    entered: BTreeSet<(u64, u64)>,
    /// Folders that are reached by a link. They are entered last: a document is called by the path
    /// without a link, if there is one.
    linked: BTreeSet<PathBuf>,
}

impl CorpusReader {
    fn collect(&mut self, folder: &Path) -> io::Result<()> {
        self.enter(folder)?;
        while let Some(folder) = self.linked.pop_first() {
            self.enter(&folder)?;
        }
        Ok(())
    }

    fn enter(&mut self, folder: &Path) -> io::Result<()> {
        let metadata = fs::metadata(folder)?;
        if !self.entered.insert((metadata.dev(), metadata.ino())) {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_symlink() && path.is_dir() {
                self.linked.insert(path);
            } else if path.is_dir() {
                self.enter(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "xml") {
                let used: usize = self.files.iter().map(|(_, text)| text.len()).sum();
                let left = CORPUS_BYTES_MAX.saturating_sub(used as u64);
                self.files.push((path.display().to_string(), read_bounded(&path, left)?));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_of_a_corpus_is_entered_once_however_many_links_lead_to_it() {
        let place = tempfile::tempdir().unwrap();
        let corpus = place.path().join("corpus");
        fs::create_dir_all(corpus.join("sub/deep")).unwrap();
        fs::create_dir(place.path().join("elsewhere")).unwrap();
        let write = |path: &str| fs::write(place.path().join(path), "<a/>").unwrap();
        let files =
            ["corpus/b.xml", "corpus/sub/a.xml", "corpus/sub/deep/c.xml", "elsewhere/d.xml"];
        files.into_iter().for_each(write);
        let link = |to: &str, path: &str| symlink(to, corpus.join(path)).unwrap();
        link(".", "sub/latest");
        link("..", "sub/deep/up");
        link("sub", "again");
        link("../elsewhere", "outside");
        link("../../elsewhere", "sub/outside");
        let mut reader = CorpusReader::default();
        reader.collect(&corpus).unwrap();
        let mut names: Vec<_> = reader.files.iter().map(|(name, _)| name).collect();
        names.sort();
        let names = names.iter().map(|name| name.strip_prefix(corpus.to_str().unwrap()).unwrap());
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["/b.xml", "/outside/d.xml", "/sub/a.xml", "/sub/deep/c.xml"]
        );
        assert!(read_corpus(&corpus).is_ok());
    }
}
