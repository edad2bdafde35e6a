//! The namespaces of documents, each with a prefix.

use std::collections::BTreeMap;

use super::model::{QualifiedName, XML_NAMESPACE};

/// The namespace of `xsi:nil` and `xsi:type`.
pub(super) const INSTANCE_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Namespaces in the order in which they were met.
#[derive(Debug, Clone, Default)]
pub(super) struct NamespaceTable {
    uses: Vec<NamespacePrefix>,
    /// Prefixes that the schema has for namespaces.
    wanted: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct NamespacePrefix {
    uri: String,
    prefix: String,
}

/// A name as it is written in a document.
#[derive(Debug, Clone)]
pub(super) struct WrittenName {
    pub(super) text: String,
    /// The namespace to be declared, if any.
    pub(super) namespace: Option<usize>,
}

impl NamespaceTable {
    /// Returns a table that takes these prefixes where it can, instead of numbers.
    pub(super) fn with_prefixes(wanted: &BTreeMap<String, String>) -> Self {
        Self { uses: Vec::new(), wanted: wanted.clone() }
    }

    pub(super) fn len(&self) -> usize {
        self.uses.len()
    }

    /// Returns the prefix and the namespace of a number.
    pub(super) fn at(&self, index: usize) -> (&str, &str) {
        (&self.uses[index].prefix, &self.uses[index].uri)
    }

    pub(super) fn written(&mut self, name: &QualifiedName) -> WrittenName {
        match name.namespace.as_str() {
            "" => WrittenName { text: name.local.clone(), namespace: None },
            XML_NAMESPACE => WrittenName { text: format!("xml:{}", name.local), namespace: None },
            uri => {
                let index = self.index(uri);
                let text = format!("{}:{}", self.uses[index].prefix, name.local);
                WrittenName { text, namespace: Some(index) }
            }
        }
    }

    fn index(&mut self, uri: &str) -> usize {
        if let Some(known) = self.uses.iter().position(|it| it.uri == uri) {
            return known;
        }
        let is_free = |prefix: &String| self.uses.iter().all(|it| it.prefix != *prefix);
        let wanted = match uri {
            INSTANCE_NAMESPACE => Some("xsi".to_owned()),
            _ => self.wanted.get(uri).cloned().filter(is_free),
        };
        let prefix = wanted.unwrap_or_else(|| format!("n{}", self.uses.len()));
        self.uses.push(NamespacePrefix { uri: uri.to_owned(), prefix });
        self.uses.len() - 1
    }
}
