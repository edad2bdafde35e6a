//! Puts files in their places whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::Builder;

use crate::RecordError;

/// Reads a file of at most so many bytes. Refuses what is no plain file, without waiting for it: a FIFO
/// has no end, and neither has a device.
pub fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let refused = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(refused("it is not a plain file".to_owned()));
    }
    let mut bytes = Vec::new();
    // One that grows while it is read is held to the bound as well.
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let found = metadata.len().max(bytes_max + 1);
        return Err(refused(format!("it has {found} bytes, at most {bytes_max}")));
    }
    Ok(bytes)
}

/// Reads a text as [`read_bounded`] does.
pub fn read_text_bounded(path: &Path, bytes_max: u64) -> io::Result<String> {
    let not_text = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    String::from_utf8(read_bounded(path, bytes_max)?).map_err(not_text)
}

/// Writes beside `path`, flushes to the disk, and renames.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        // Readable as any other new file: a temporary one would be its owner's alone.
        let mut part = Builder::new();
        let prefix = format!(".{name}.");
        part.prefix(&prefix).permissions(Permissions::from_mode(0o666));
        let whole = if let Ok(file) = unnamed(folder) {
            fill(&file, bytes)?;
            part.make_in(folder, |path| link(&file, path))?.into_temp_path()
        } else {
            // NFS, and overlays of old kernels, have no files without a name.
            let file = part.tempfile_in(folder)?;
            fill(file.as_file(), bytes)?;
            file.into_temp_path()
        };
        whole.persist(path)?;
        Ok(())
    };
    write().map_err(|source| RecordError::Unwritable { path: path.to_path_buf(), source })
}

/// Opens a file that has no name yet: whatever ends the process, no part of it is left.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666))?))
}

/// No other system gives a file its name afterwards.
#[cfg(not(target_os = "linux"))]
fn unnamed(_folder: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

fn fill(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a file its name, which must be free.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, open, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_up_to_the_bound_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_text_bounded(&path, 5).unwrap(), "12345");
        let refused = |path: &Path, most| read_bounded(path, most).unwrap_err().to_string();
        assert_eq!(refused(&path, 4), "it has 5 bytes, at most 4");
        assert_eq!(refused(Path::new("/dev/zero"), 4), "it is not a plain file");
        assert_eq!(refused(folder.path(), 4), "it is not a plain file");
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        assert_eq!(refused(&fifo, 4), "it is not a plain file");
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/run.json");
        for text in ["first", "a second one", ""] {
            write_atomically(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o600, 0o600, "{mode:o}");
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);
        // A folder in its place is left as it is.
        let error = write_atomically(folder.path().join("new").as_path(), b"x").unwrap_err();
        assert!(error.to_string().contains("new"), "{error}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}
