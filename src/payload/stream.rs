//! Writes a request in pieces, so that a million XML pairs take no more memory than a thousand.

use bytes::Bytes;

use super::Kind;
use super::depth_mix;
use super::spec::{Preset, Spec};

/// About how many bytes one piece has: large enough that handing it on costs nothing beside writing
/// it, small enough to stay in a core's own cache.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// The body of one request, piece by piece.
///
/// The pieces one after the other are the body of [`message`](super::message).
#[derive(Debug, Clone)]
pub struct Stream<'a> {
    kind: Kind,
    pairs: Pairs<'a>,
    total: u64,
    written: u64,
    ended: bool,
}

#[derive(Debug, Clone)]
enum Pairs<'a> {
    DepthMix(depth_mix::Writer<'a>),
}

impl<'a> Stream<'a> {
    /// Starts request number `index` (from 0).
    pub fn new(spec: &'a Spec, kind: Kind, index: u64) -> Self {
        let total = kind.pairs(spec.pairs);
        let first = index.wrapping_mul(total);
        let pairs = match spec.preset {
            Preset::DepthMix => {
                Pairs::DepthMix(depth_mix::Writer::new(spec.seed, spec.mix(), first))
            }
        };
        Self { kind, pairs, total, written: 0, ended: false }
    }

    /// Appends the next piece to `out`: about [`CHUNK_BYTES`], the rest at the end. Returns false,
    /// and appends nothing, after the last one.
    pub fn next_into(&mut self, out: &mut Vec<u8>) -> bool {
        if self.ended {
            return false;
        }
        if self.written == 0 {
            out.extend_from_slice(self.head());
        }
        let full = out.len() + CHUNK_BYTES;
        while self.written < self.total && out.len() < full {
            if self.written > 0 {
                out.push(b',');
            }
            match &mut self.pairs {
                Pairs::DepthMix(writer) => writer.write_json(out),
            }
            self.written += 1;
        }
        if self.written == self.total {
            out.extend_from_slice(self.tail());
            self.ended = true;
        }
        true
    }

    fn head(&self) -> &'static [u8] {
        match self.kind {
            Kind::XmlCompare => b"",
            Kind::XmlCompareBatch => br#"{"comparisons":["#,
        }
    }

    fn tail(&self) -> &'static [u8] {
        match self.kind {
            Kind::XmlCompare => b"",
            Kind::XmlCompareBatch => b"]}",
        }
    }
}

impl Iterator for Stream<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        self.next_into(&mut chunk).then(|| chunk.into())
    }
}
