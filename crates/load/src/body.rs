//! Bodies that are there before they are sent; a large one where the system need not copy it again.

use std::io;

use bytes::Bytes;
use memmap2::MmapMut;

/// Smallest body, in bytes, whose pages are lent: below, finding them costs what a copy does.
const SEALED_BYTES_MIN: usize = 1 << 17;

/// A body that is shared by all requests, connections and clients that send it.
///
/// One of 128 KiB and more lies in pages of its own that are sealed: not written to any more. Linux lends them to the
/// socket; `send` would copy them first, which is a fifth to a third of what such a request costs.
#[derive(Debug, Clone, Default)]
pub struct RequestBody {
    bytes: Bytes,
    is_sealed: bool,
}

/// A body's last bytes, in pages that never change, also while the system still sends them and the body is dropped.
#[derive(Clone, Copy)]
pub(super) struct SealedBytes<'a>(&'a [u8]);

impl<'a> SealedBytes<'a> {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no other system takes pages"))]
    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }
}

impl RequestBody {
    /// Returns a body of one request, which is not worth pages of its own.
    pub fn once(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), is_sealed: false }
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns what follows `at`, if its pages can be lent.
    pub(super) fn sealed_from(&self, at: usize) -> Option<SealedBytes<'_>> {
        self.is_sealed.then(|| SealedBytes(&self.bytes[at..]))
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        let is_worth_it = cfg!(target_os = "linux") && bytes.len() >= SEALED_BYTES_MIN;
        match is_worth_it.then(|| sealed(&bytes)) {
            Some(Ok(bytes)) => Self { bytes, is_sealed: true },
            Some(Err(_)) | None => Self { bytes, is_sealed: false },
        }
    }
}

impl From<Vec<u8>> for RequestBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

/// Copies bytes into pages of their own, and seals these.
fn sealed(bytes: &[u8]) -> io::Result<Bytes> {
    let mut pages = MmapMut::map_anon(bytes.len())?;
    // Large ones are quicker to find; not every system has them.
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::HugePage);
    pages.copy_from_slice(bytes);
    Ok(Bytes::from_owner(pages.make_read_only()?))
}

/// A body that is made anew, piece by piece, each time it is sent.
pub trait BodySource: Send + Sync {
    /// Starts at the beginning.
    fn begin(&self) -> Box<dyn BodyPieces>;
}

/// A body on its way.
pub trait BodyPieces: Send {
    /// Appends the next piece to `out`. Returns false, and appends nothing, after the last one.
    fn next_into(&mut self, out: &mut Vec<u8>) -> bool;
}

/// How the target learns where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// By its size in bytes, sent ahead. It must be that of all pieces together.
    Length(u64),
    /// In chunks, each with its size.
    Chunked,
}

/// Largest piece of a body that is there already: 64 KiB.
const PIECE_BYTES_MAX: usize = 1 << 16;

impl BodySource for Bytes {
    fn begin(&self) -> Box<dyn BodyPieces> {
        Box::new(self.clone())
    }
}

impl BodyPieces for Bytes {
    fn next_into(&mut self, out: &mut Vec<u8>) -> bool {
        let piece = self.split_to(self.len().min(PIECE_BYTES_MAX));
        out.extend_from_slice(&piece);
        !piece.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_body_lies_in_pages_of_its_own() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        let large = RequestBody::from(bytes.clone());
        assert_eq!(large.bytes(), &bytes);
        assert_eq!(large.sealed_from(7).is_some(), cfg!(target_os = "linux"));
        assert!(RequestBody::once(bytes).sealed_from(0).is_none());
        assert!(RequestBody::from(vec![b'x'; SEALED_BYTES_MIN - 1]).sealed_from(0).is_none());
    }
}
