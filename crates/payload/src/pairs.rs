//! XML pairs one after the other, whatever they are made from.

use std::sync::Arc;

use super::depth_mix;
use super::documents::DocumentSource;
use super::escape;
use super::quota::CyclePair;
use super::truth::PairTruth;

/// What makes the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PairSource {
    DepthMix(Arc<CyclePair>),
    Documents(Arc<DocumentSource>),
}

/// The XML pairs of a spec from one number on.
#[derive(Debug, Clone)]
pub(super) struct PairStream {
    from: PairOrigin,
    first: Vec<u8>,
    second: Vec<u8>,
}

#[derive(Debug, Clone)]
enum PairOrigin {
    DepthMix(Box<depth_mix::PairWriter>),
    Documents { documents: Arc<DocumentSource>, seed: u64, next: u64 },
}

impl PairStream {
    pub(super) fn new(source: &PairSource, seed: u64, next: u64) -> Self {
        let from = match source {
            PairSource::DepthMix(mix) => {
                PairOrigin::DepthMix(Box::new(depth_mix::PairWriter::new(seed, mix, next)))
            }
            PairSource::Documents(documents) => {
                PairOrigin::Documents { documents: Arc::clone(documents), seed, next }
            }
        };
        Self { from, first: Vec::new(), second: Vec::new() }
    }

    /// Appends the next pair as a JSON object.
    pub(super) fn write_json(&mut self, out: &mut Vec<u8>) -> PairTruth {
        out.extend_from_slice(br#"{"xml1":""#);
        let between = br#"","xml2":""#;
        let truth = match &mut self.from {
            // The documents of the depth mix are made as JSON strings: this is the fast path.
            PairOrigin::DepthMix(writer) => writer.write(out, between).1,
            PairOrigin::Documents { .. } => {
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
    pub(super) fn next(&mut self) -> PairTruth {
        match &mut self.from {
            PairOrigin::DepthMix(writer) => {
                self.second.clear();
                let (_, truth) = writer.write(&mut self.second, b"");
                // Quotes are all that is escaped in them, and both are of one length.
                self.second.retain(|byte| *byte != b'\\');
                self.first.clear();
                self.first.extend(self.second.drain(..self.second.len() / 2));
                truth
            }
            PairOrigin::Documents { documents, seed, next } => {
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
    pub(super) fn truth(&mut self) -> PairTruth {
        match &mut self.from {
            PairOrigin::DepthMix(writer) => writer.truth(),
            PairOrigin::Documents { .. } => self.next(),
        }
    }
}
