//! Makes documents that a schema of XML allows.
//!
//! What is made of a schema is plain: the first branch of each choice, each optional element once as long as
//! the document stays small, the least that may be repeated. Content that leads back to itself ends as early
//! as the schema lets it. `xs:key` and `xs:unique` are not looked at.

mod model;
mod reader;
mod values;
mod writer;

use roxmltree::{Document, Node};

use crate::schema::model::{SCHEMA_NAMESPACE, SchemaParts};
use crate::schema::writer::DocumentWriter;

pub use crate::schema::model::QualifiedName;

/// Documents of a schema, at most.
const DOCUMENTS_MAX: usize = 500;

/// A schema of XML, of as many documents as it includes and imports.
#[derive(Debug, Clone, Default)]
pub struct XmlSchema {
    parts: SchemaParts,
    read: Vec<String>,
    /// Documents that were named and not found.
    missing: Vec<String>,
}

impl XmlSchema {
    /// Adds an element `schema`, and what it includes and imports. `files` returns a document by the path that
    /// leads to it.
    pub fn add(&mut self, schema: Node<'_, '_>, files: &dyn Fn(&str) -> Option<String>) {
        let others = reader::add(&mut self.parts, schema, None);
        let mut left: Vec<(String, Option<String>)> = others;
        while let Some((location, namespace)) = left.pop() {
            if self.read.contains(&location) || self.read.len() >= DOCUMENTS_MAX {
                continue;
            }
            self.read.push(location.clone());
            let Some(text) = files(&location) else {
                self.missing.push(location);
                continue;
            };
            let Ok(document) = Document::parse(&text) else {
                self.missing.push(location);
                continue;
            };
            let root = document.root_element();
            if root.tag_name().namespace() != Some(SCHEMA_NAMESPACE) {
                self.missing.push(location);
                continue;
            }
            let others = reader::add(&mut self.parts, root, namespace.as_deref());
            let beside = |(other, namespace): (String, Option<String>)| {
                (joined(&location, &other), namespace)
            };
            left.extend(others.into_iter().map(beside));
        }
    }

    /// Returns the places of documents that were named and could not be read.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Returns a document whose root is a global element, without an XML declaration; none where there is no such
    /// element, or none can be made.
    pub fn document(&self, root: &QualifiedName) -> Option<String> {
        DocumentWriter::new(&self.parts).document(root)
    }

    /// Returns an element of a global type under a name of its own, as parts of RPC messages have them.
    pub fn element(&self, name: &QualifiedName, of: &QualifiedName) -> Option<String> {
        DocumentWriter::new(&self.parts).element(name, of)
    }
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
