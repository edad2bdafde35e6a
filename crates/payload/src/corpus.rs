//! A user's own documents, which differ from the originals only where it was decided.

use miette::Diagnostic;
use thiserror::Error;

use super::xml::{Document, XmlFault};

/// The most documents that a corpus can have.
const DOCUMENTS_MAX: usize = 10_000;

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum CorpusError {
    /// No file at all.
    #[error("no documents")]
    #[diagnostic(help("a corpus is a folder with files that end in `.xml`"))]
    Empty,
    /// More files than the order of pairs can hold.
    #[error("{count} documents")]
    #[diagnostic(help("a corpus has at most {DOCUMENTS_MAX}"))]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// The bytes are not UTF-8.
    #[error("`{name}` is not UTF-8, at byte {at}")]
    #[diagnostic(help("`iconv -t UTF-8` turns it into UTF-8"))]
    Encoding {
        /// The file.
        name: String,
        /// Where the first wrong byte stands.
        at: usize,
    },
    /// The document cannot be used.
    #[error("`{name}` line {line}: {what}")]
    Document {
        /// The file.
        name: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Documents of a user, all of them well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corpus {
    documents: Vec<String>,
}

impl Corpus {
    /// Checks documents, given with the names of their files.
    ///
    /// They must be UTF-8 and well-formed, their prefixes declared, and without declarations of
    /// their own in the document type. Their order decides which XML pair is made from which.
    pub fn new(files: Vec<(String, Vec<u8>)>) -> Result<Self, CorpusError> {
        if files.is_empty() {
            return Err(CorpusError::Empty);
        }
        if files.len() > DOCUMENTS_MAX {
            return Err(CorpusError::TooMany { count: files.len() });
        }
        let documents = files.into_iter().map(|(name, bytes)| check(name, bytes));
        documents.collect::<Result<_, _>>().map(|documents| Self { documents })
    }

    pub(super) fn documents(&self) -> &[String] {
        &self.documents
    }
}

fn check(name: String, bytes: Vec<u8>) -> Result<String, CorpusError> {
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            return Err(CorpusError::Encoding { name, at: error.utf8_error().valid_up_to() });
        }
    };
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    match Document::parse(&text) {
        Ok(_) => Ok(text),
        Err(XmlFault { at, what }) => {
            let line = text[..at].matches('\n').count() + 1;
            Err(CorpusError::Document { name, line, what })
        }
    }
}
