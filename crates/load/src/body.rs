//! Bodies that are there before they are sent; a large one where the system need not copy it again.

use std::sync::Arc;

use bytes::Bytes;
use memmap2::MmapOptions;
use rustix::fd::OwnedFd;
use rustix::fs::{self, MemfdFlags, SealFlags};
use rustix::io::Errno;

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

/// Puts bytes into a file, and returns a view of it.
fn filed(bytes: &[u8]) -> std::io::Result<(Bytes, Arc<OwnedFd>)> {
    let file = fs::memfd_create("body", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut written = 0;
    while written < bytes.len() {
        match rustix::io::write(&file, &bytes[written..]) {
            Ok(more) => written += more,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let never_again = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fs::fcntl_add_seals(&file, never_again)?;
    #[expect(unsafe_code, reason = "a file that changes below a mapping would change its bytes")]
    // SAFETY: it is sealed: no process can write to it, or make it shorter.
    let view = unsafe { MmapOptions::new().populate().map_copy_read_only(&file)? };
    Ok((Bytes::from_owner(view), Arc::new(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_body_lies_in_a_sealed_file() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        let body = RequestBody::from(bytes.clone());
        assert_eq!(body.bytes(), &bytes);
        let file = body.file().expect("this system has files of the memory");
        assert_eq!(rustix::io::pwrite(file, b"x", 0), Err(Errno::PERM));
        assert_eq!(fs::ftruncate(file, 1), Err(Errno::PERM));
        assert_eq!(fs::fstat(file).unwrap().st_size, 3_000_000);
    }

    #[test]
    fn a_small_body_stays_where_it_is() {
        let body = RequestBody::from(vec![b'x'; FILED_BYTES_MIN - 1]);
        assert!(body.file().is_none());
    }
}
