//! Files of the memory, without a name, from which the system sends a large body without copying it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::MmapOptions;
use rustix::fd::OwnedFd;
use rustix::fs::{self, MemfdFlags, SealFlags};
use rustix::io::Errno;

/// Puts bytes into a file, and returns a view of it.
pub(super) fn filed(bytes: &[u8]) -> io::Result<(Bytes, Arc<OwnedFd>)> {
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
    use crate::body::RequestBody;

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
}
