//! XML pairs one after the other, whatever they are made from.

use std::sync::Arc;

use super::depth_mix;
use super::documents::Documents;
use super::escape;
use super::spec::{Source, Spec};
use super::truth::Truth;

/// The XML pairs of a spec from one number on.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    from: From,
    first: Vec<u8>,
    second: Vec<u8>,
}

#[derive(Debug, Clone)]
enum From {
    DepthMix(Box<depth_mix::Writer>),
    Documents { documents: Arc<Documents>, seed: u64, next: u64 },
}

impl Pairs {
    pub(super) fn new(spec: &Spec, next: u64) -> Self {
        let seed = spec.seed;
        let from = match spec.source() {
            Source::DepthMix(mix) => {
                From::DepthMix(Box::new(depth_mix::Writer::new(seed, mix, next)))
            }
            Source::Documents(documents) => {
                From::Documents { documents: Arc::clone(documents), seed, next }
            }
        };
        Self { from, first: Vec::new(), second: Vec::new() }
    }

    /// Appends the next pair as a JSON object.
    pub(super) fn write_json(&mut self, out: &mut Vec<u8>) -> Truth {
        out.extend_from_slice(br#"{"xml1":""#);
        let between = br#"","xml2":""#;
        let truth = match &mut self.from {
            // The documents of the depth mix are made as JSON strings: this is the fast path.
            From::DepthMix(writer) => writer.write(out, between).1,
            From::Documents { .. } => {
                let truth = self.next();
                escape::json(out, &self.first);
                out.extend_from_slice(between);
                escape::json(out, &self.second);
                truth
            }
        };
        out.extend_from_slice(br#""}"#);
        truth
    }

    /// Makes the next pair; [`documents`](Self::documents) has it then.
    pub(super) fn next(&mut self) -> Truth {
        match &mut self.from {
            From::DepthMix(writer) => {
                self.second.clear();
                let (_, truth) = writer.write(&mut self.second, b"");
                // Quotes are all that is escaped in them, and both are of one length.
                self.second.retain(|byte| *byte != b'\\');
                self.first.clear();
                self.first.extend(self.second.drain(..self.second.len() / 2));
                truth
            }
            From::Documents { documents, seed, next } => {
                let truth = documents.write(*seed, *next, &mut self.first, &mut self.second);
                *next += 1;
                truth
            }
        }
    }

    /// Returns the documents that were made last.
    pub(super) fn documents(&self) -> (&[u8], &[u8]) {
        (&self.first, &self.second)
    }

    /// Returns what is true of the next pair, and goes past it.
    pub(super) fn truth(&mut self) -> Truth {
        match &mut self.from {
            From::DepthMix(writer) => writer.truth(),
            From::Documents { .. } => self.next(),
        }
    }
}
