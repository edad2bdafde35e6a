//! One run at a time in a folder for results: a second would replace the logs and reports of the first
//! while it writes them.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};

use crate::app::failure::UseCaseError;

/// The locks of this process, which the system releases with it, whatever ends it.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Takes the folder until this process ends. Fails, naming the holder, if another one has it.
pub(super) fn take(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join("lock");
    let failed = || format!("failed to lock `{}`", path.display());
    let open =
        fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = open.with_context(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let holder = holder(&file).with_context(failed)?;
            if holder == process::id().to_string() {
                return Ok(());
            }
            return Err(UseCaseError::FolderInUse { folder: folder.to_path_buf(), holder }.into());
        }
        // A file system that has no locks: as it was before there were any.
        Err(_) => return Ok(()),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        write!(file, "{}", process::id())
    };
    write(&mut file).with_context(failed)?;
    HELD.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    Ok(())
}

/// Reads which process has the folder.
fn holder(file: &File) -> io::Result<String> {
    let mut bytes = [0; 20];
    let length = file.read_at(&mut bytes, 0)?;
    Ok(bytes[..length].iter().filter(|it| it.is_ascii_digit()).map(|&it| char::from(it)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_another_has_is_refused_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        take(folder.path()).unwrap();
        take(folder.path()).unwrap();
        let other = tempfile::tempdir().unwrap();
        let file = File::create(other.path().join("lock")).unwrap();
        (&file).write_all(b"4711\x1b[0m").unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        let error = take(other.path()).unwrap_err().to_string();
        assert!(error.ends_with("is in use by process 47110"), "{error}");
    }
}
