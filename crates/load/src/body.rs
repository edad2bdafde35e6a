//! Bodies that are there before they are sent; a large one where the system need not copy it again.

use std::sync::Arc;

use bytes::Bytes;
use rustix::fd::OwnedFd;

#[cfg(target_os = "linux")]
use super::memory_file::filed;

/// Smallest body, in bytes, that lies in a file: below, finding its pages costs what a copy does.
const FILED_BYTES_MIN: usize = 1 << 20;

/// A body that is shared by all requests, connections and clients that send it.
///
/// One of 1 MiB and more lies in a sealed file of the memory, without a name. From there `sendfile`
/// hands its pages to the socket; `send` would copy them first, which for 30 MB is a fifth of what a
/// request costs. Where the system has no such files it is sent as every other.
#[derive(Debug, Clone, Default)]
pub struct RequestBody {
    bytes: Bytes,
    /// The file that `bytes` is a view of.
    file: Option<Arc<OwnedFd>>,
}

impl RequestBody {
    /// Returns the bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the file that holds the bytes, and nothing else.
    pub(super) fn file(&self) -> Option<&OwnedFd> {
        self.file.as_deref()
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        let filed = if bytes.len() < FILED_BYTES_MIN { None } else { filed(&bytes).ok() };
        match filed {
            Some((bytes, file)) => Self { bytes, file: Some(file) },
            None => Self { bytes, file: None },
        }
    }
}

impl From<Vec<u8>> for RequestBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
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

/// Elsewhere no file of the memory can be sealed, and a body is sent as it is.
#[cfg(not(target_os = "linux"))]
fn filed(_bytes: &[u8]) -> std::io::Result<(Bytes, Arc<OwnedFd>)> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_body_stays_where_it_is() {
        let body = RequestBody::from(vec![b'x'; FILED_BYTES_MIN - 1]);
        assert!(body.file().is_none());
    }
}
