//! Puts files in their places whole or not at all.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::Builder;

use crate::RecordError;

/// Writes beside `path`, flushes to the disk, and renames.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        // Readable as any other new file: a temporary one would be its owner's alone.
        let mut file = Builder::new()
            .prefix(&format!(".{name}."))
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| RecordError::Unwritable { path: path.to_path_buf(), source })
}
