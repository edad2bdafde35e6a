//! Makes documents that a schema of XML allows.
//!
//! What a schema leads to from one root element is made a grammar of, once: its names are written, of each
//! simple type a pool of values is made and checked, and it is known how small each part can be. Documents
//! are then drawn, each from its own number; what cannot be made is left out where that is allowed, and
//! otherwise refused by name before anything is written.

mod compiler;
mod construct;
mod content;
mod cost;
mod expression;
mod grammar;
mod identity;
mod identity_path;
mod key_values;
mod lexical;
mod model;
mod namespaces;
mod numbers;
mod reader;
mod samples;
mod values;
mod writer;
mod xml_attributes;

use std::sync::Arc;

use miette::Diagnostic;
use roxmltree::{Document, Node, ParsingOptions};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::draws::PairRng;
use crate::schema::compiler::GrammarCompiler;
use crate::schema::grammar::{DocumentGrammar, ENDLESS, ElementId};
use crate::schema::model::{SCHEMA_NAMESPACE, SchemaParts};
use crate::schema::namespaces::NamespaceTable;
use crate::schema::values::POOL_MAX;
use crate::schema::writer::{DocumentStyle, DocumentWriter};

pub use crate::schema::construct::SchemaConstruct;
pub use crate::schema::model::QualifiedName;

/// Documents of a schema, at most.
const DOCUMENTS_MAX: usize = 500;
/// Names in a message, at most.
const NAMES_MAX: usize = 12;
/// What may be left out is written up to one of so many sizes, each twice the one before.
const SIZES: u32 = 6;
/// The smallest of these sizes, in bytes.
const SIZE_MIN: usize = 256;

/// Why no documents are made of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum SchemaError {
    /// The text is no XML.
    #[error("no XML: {0}")]
    Xml(String),
    /// The root of the text is another one.
    #[error("the root is `{0}`, not `schema` of XML Schema")]
    Other(String),
    /// There is no such element.
    #[error("no element `{name}` is declared")]
    NoElement {
        /// What it was to be called.
        name: String,
        /// Elements that there are.
        #[help]
        known: String,
    },
    /// It is open which element is the root.
    #[error("several elements could be the root")]
    SeveralRoots {
        /// Elements that there are.
        #[help]
        known: String,
    },
    /// A part of the schema for which nothing is made.
    #[error("no document is made of the element `{element}`, which needs {construct}")]
    Refused {
        /// The element that needs it.
        element: String,
        /// What is needed.
        construct: SchemaConstruct,
        /// What is known of the reason.
        #[help]
        help: Option<String>,
    },
}

/// A schema of XML, of as many documents as it includes and imports.
#[derive(Debug, Clone, Default)]
pub struct XmlSchema {
    parts: SchemaParts,
    /// Places that were read, each with the namespace that it was included for.
    read: Vec<(String, Option<String>)>,
    /// Documents that were named and not found.
    missing: Vec<String>,
    /// The namespace of the first document.
    target: Option<String>,
    digest: Sha256,
}

/// Documents of a schema, as many as are wanted.
#[derive(Debug, Clone)]
pub struct SchemaDocuments {
    grammar: Arc<DocumentGrammar>,
    root: ElementId,
    /// The plainest document.
    plain: Arc<[u8]>,
    digest: [u8; 32],
}

impl XmlSchema {
    /// Reads a schema. `files` returns a document by the path that leads to it from the first one.
    pub fn read(text: &str, files: &dyn Fn(&str) -> Option<String>) -> Result<Self, SchemaError> {
        let document = parse(text).map_err(|error| SchemaError::Xml(error.to_string()))?;
        let root = document.root_element();
        if !root.has_tag_name((SCHEMA_NAMESPACE, "schema")) {
            return Err(SchemaError::Other(root.tag_name().name().to_owned()));
        }
        let mut schema = Self::default();
        schema.add(root, files);
        Ok(schema)
    }

    /// Adds an element `schema`, and what it includes and imports. `files` returns a document by the path that
    /// leads to it.
    pub fn add(&mut self, schema: Node<'_, '_>, files: &dyn Fn(&str) -> Option<String>) {
        let target = schema.attribute("targetNamespace").unwrap_or_default();
        self.target.get_or_insert_with(|| target.to_owned());
        xml_attributes::add(&mut self.parts);
        self.digest.update(schema.document().input_text());
        let mut left = reader::add(&mut self.parts, schema, None);
        let mut redefining = Vec::new();
        while let Some((location, namespace)) = left.pop() {
            let place = (location, namespace);
            if self.read.contains(&place) || self.read.len() >= DOCUMENTS_MAX {
                continue;
            }
            self.read.push(place.clone());
            let (location, namespace) = place;
            let Some(text) = files(&location).or_else(|| files(beside(&location)?)) else {
                self.missing.push(location);
                continue;
            };
            let read = parse(&text);
            let root = read.as_ref().ok().map(Document::root_element);
            let Some(root) = root.filter(|it| it.has_tag_name((SCHEMA_NAMESPACE, "schema"))) else {
                self.missing.push(location);
                continue;
            };
            self.digest.update(&text);
            let others = reader::add(&mut self.parts, root, namespace.as_deref());
            left.extend(
                others.into_iter().map(|(other, within)| (joined(&location, &other), within)),
            );
            if reader::redefines(root) {
                redefining.push((text.clone(), namespace));
            }
        }
        // What is redefined has been read by now, the innermost of it last.
        for (text, namespace) in redefining.iter().rev() {
            if let Ok(document) = parse(text) {
                reader::redefine(&mut self.parts, document.root_element(), namespace.as_deref());
            }
        }
        reader::redefine(&mut self.parts, schema, None);
    }

    /// Returns the places of documents that were named and could not be read.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Returns a document whose root is a global element, without an XML declaration; none where there is no such
    /// element, or none can be made.
    pub fn document(&self, root: &QualifiedName) -> Option<String> {
        let mut compiler = GrammarCompiler::new(&self.parts, 1, NamespaceTable::default());
        let root = compiler.root(root)?;
        plain_text(&finished(compiler), root).ok()
    }

    /// Returns an element of a global type under a name of its own, as parts of RPC messages have them.
    pub fn element(&self, name: &QualifiedName, of: &QualifiedName) -> Option<String> {
        let mut compiler = GrammarCompiler::new(&self.parts, 1, NamespaceTable::default());
        let root = compiler.typed_root(name, of).ok()?;
        plain_text(&finished(compiler), root).ok()
    }

    /// Returns documents whose root is a global element: `name`, `{namespace}name`, or the only one that can be.
    pub fn documents(&self, root: Option<&str>) -> Result<SchemaDocuments, SchemaError> {
        let name = self.root(root)?;
        let namespaces = NamespaceTable::with_prefixes(&self.parts.prefixes);
        let mut compiler = GrammarCompiler::new(&self.parts, POOL_MAX, namespaces);
        let no_element = || self.no_element(&name.local);
        let root = compiler.root(&name).ok_or_else(no_element)?;
        let grammar = finished(compiler);
        let refused = |(construct, element)| {
            let help = (!self.missing.is_empty())
                .then(|| format!("not found: {}", listed(self.missing.iter().cloned())));
            SchemaError::Refused { element, construct, help }
        };
        if self.parts.elements.get(&name).is_some_and(|it| it.is_abstract) {
            let construct = SchemaConstruct::Abstract(name.local.clone());
            return Err(refused((construct, name.local)));
        }
        if grammar.elements[root.0].cost == ENDLESS {
            return Err(refused(cost::refusal(&grammar, root)));
        }
        let plain = plain_text(&grammar, root).map_err(|it| refused((it, name.local.clone())))?;
        let mut digest = self.digest.clone();
        digest.update(format!("{{{}}}{}", name.namespace, name.local));
        let (grammar, plain) = (Arc::new(grammar), plain.into_bytes().into());
        Ok(SchemaDocuments { grammar, root, plain, digest: digest.finalize().into() })
    }

    fn root(&self, name: Option<&str>) -> Result<QualifiedName, SchemaError> {
        let target = self.target.as_deref().unwrap_or_default();
        let Some(name) = name else {
            let own = self.parts.elements.iter();
            let own = own.filter(|(name, it)| name.namespace == target && !it.is_abstract);
            let own: Vec<&QualifiedName> = own.map(|(name, _)| name).collect();
            return match own.as_slice() {
                [one] => Ok((*one).clone()),
                [] => Err(self.no_element("")),
                _ => Err(SchemaError::SeveralRoots { known: self.known() }),
            };
        };
        let named = name.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        if let Some((namespace, local)) = named {
            return Ok(QualifiedName::new(namespace, local));
        }
        let own = QualifiedName::new(target, name);
        if self.parts.elements.contains_key(&own) {
            return Ok(own);
        }
        let other = self.parts.elements.keys().find(|it| it.local == name);
        other.cloned().ok_or_else(|| self.no_element(name))
    }

    fn no_element(&self, name: &str) -> SchemaError {
        SchemaError::NoElement { name: name.to_owned(), known: self.known() }
    }

    /// The elements that could be meant, those of the first document first.
    fn known(&self) -> String {
        let target = self.target.as_deref().unwrap_or_default();
        let (own, others): (Vec<_>, Vec<_>) =
            self.parts.elements.keys().partition(|it| it.namespace == target);
        let names = own.into_iter().chain(others).map(|it| it.local.clone());
        format!("the schema declares {}", listed(names))
    }
}

impl SchemaDocuments {
    /// Appends a document, without an XML declaration. It is on one line.
    pub(super) fn write(&self, out: &mut Vec<u8>, draws: &mut PairRng) {
        let bytes = SIZE_MIN << draws.below(SIZES);
        let sizes = [(bytes, true), (bytes, false), (0, false)];
        let is_written = sizes.into_iter().any(|(bytes, may_refer)| {
            let style = DocumentStyle::Drawn { bytes };
            let writer = DocumentWriter::new(&self.grammar, style, draws.clone());
            let writer = if may_refer { writer } else { writer.without_references() };
            // What is drawn next does not depend on how much was drawn for a document that came to nothing.
            draws.word();
            writer.document(self.root, out).is_ok()
        });
        if !is_written {
            out.extend_from_slice(&self.plain);
        }
    }

    /// What tells these documents from those of other schemas.
    pub(super) fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl PartialEq for SchemaDocuments {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for SchemaDocuments {}

/// The schema of `xmldsig` among others has a document type, for its entities.
fn parse(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)
}

fn finished(compiler: GrammarCompiler<'_>) -> DocumentGrammar {
    let (mut grammar, declarations) = compiler.finish();
    identity::set_keys(&mut grammar, &declarations);
    cost::set_costs(&mut grammar);
    grammar
}

/// The plainest document, without references where it would not hold what they lead to.
fn plain_text(grammar: &DocumentGrammar, root: ElementId) -> Result<String, SchemaConstruct> {
    let mut out = Vec::new();
    let writer = || DocumentWriter::new(grammar, DocumentStyle::Plain, PairRng::new(0, 0));
    if writer().document(root, &mut out).is_err() {
        writer().without_references().document(root, &mut out)?;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.take(NAMES_MAX + 1).map(|it| format!("`{it}`")).collect();
    if names.len() > NAMES_MAX {
        names.truncate(NAMES_MAX);
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// The name of a file that an address on the net leads to: schemas are often kept beside each other.
fn beside(location: &str) -> Option<&str> {
    let (_, name) = location.rsplit_once('/').filter(|_| location.contains("://"))?;
    Some(name).filter(|name| !name.is_empty())
}

/// The path of a document that another one names, from where that one is.
fn joined(from: &str, location: &str) -> String {
    if location.starts_with('/') || location.contains("://") {
        return location.to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in location.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod drawn_tests;
