//! Keeps files in a folder.
//!
//! A file is written beside its place and renamed into it, so a reader sees all of it or nothing,
//! also when the writer is killed. Pointers are changed under a lock on the folder itself: there is no
//! lock file to commit or to forget. Links are never followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::BaselineError;
use crate::backend::{
    CreateOutcome, FileContent, FileEntry, FileKind, StorageBackend, StorageProgress, SwapOutcome,
};

/// A folder.
#[derive(Debug)]
pub(super) struct DirectoryBackend {
    location: String,
    root: PathBuf,
}

impl DirectoryBackend {
    pub(super) fn new(location: &str, root: &Path) -> Self {
        let location = match location.trim_end_matches('/') {
            "" => "/",
            location => location,
        };
        Self { location: location.to_owned(), root: root.to_path_buf() }
    }

    fn files(
        &self,
        folder: &Path,
        depth: ListingDepth,
        found: &mut Vec<FileEntry>,
    ) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if depth == ListingDepth::All {
                    self.files(&path, depth, found)?;
                }
                continue;
            }
            let inside = path.strip_prefix(&self.root).unwrap_or(&path);
            let name = inside.to_string_lossy().into_owned();
            let kind = match inside.to_str() {
                None => FileKind::Other("a file whose name is not text"),
                Some(_) if kind.is_symlink() => FileKind::Other("a symbolic link"),
                Some(_) if kind.is_file() => FileKind::Plain(entry.metadata()?.len()),
                Some(_) => FileKind::Other("not a plain file"),
            };
            found.push(FileEntry { path: name, kind });
        }
        Ok(())
    }

    fn list(&self, folder: &Path, depth: ListingDepth) -> Result<Vec<FileEntry>, BaselineError> {
        let mut found = Vec::new();
        match self.files(folder, depth, &mut found) {
            // A folder is only there once something is kept in it.
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(failed("read", folder.display().to_string())(error)),
            Ok(()) => {
                found.sort_by(|a, b| a.path.cmp(&b.path));
                Ok(found)
            }
        }
    }

    fn read_one(&self, path: &str, bytes_max: u64) -> FileContent {
        let full = self.root.join(path);
        let failed = |source| failed("read", self.place(path))(source);
        let metadata = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let missing = |reason: String| BaselineError::Missing { place: self.place(path), reason };
        if !metadata.is_file() {
            return Err(missing("it is not a plain file".to_owned()));
        }
        if metadata.len() > bytes_max {
            return Err(missing(format!("it has {} bytes, at most {bytes_max}", metadata.len())));
        }
        fs::read(&full).map(Some).map_err(failed)
    }

    /// The right to change pointers, until it is dropped.
    fn lock(&self) -> Result<fs::File, BaselineError> {
        let lock = || -> io::Result<fs::File> {
            fs::create_dir_all(&self.root)?;
            let folder = fs::File::open(&self.root)?;
            flock(&folder, FlockOperation::LockExclusive)?;
            Ok(folder)
        };
        lock().map_err(failed("lock", self.location.clone()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListingDepth {
    One,
    All,
}

impl StorageBackend for DirectoryBackend {
    fn location(&self) -> &str {
        &self.location
    }

    fn place(&self, path: &str) -> String {
        Path::new(&self.location).join(path).display().to_string()
    }

    fn folder(&self, folder: &str) -> Result<Vec<FileEntry>, BaselineError> {
        self.list(&self.root.join(folder), ListingDepth::One)
    }

    fn all(&self) -> Result<Vec<FileEntry>, BaselineError> {
        self.list(&self.root, ListingDepth::All)
    }

    fn read(&self, paths: &[&str], bytes_max: u64) -> Result<Vec<FileContent>, BaselineError> {
        Ok(paths.iter().map(|path| self.read_one(path, bytes_max)).collect())
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<CreateOutcome, BaselineError> {
        // What a disk has lost of a file is put right by writing it again.
        if matches!(self.read_one(path, u64::MAX), Ok(Some(there)) if there == bytes) {
            return Ok(CreateOutcome::AlreadyThere);
        }
        record::write_atomically(&self.root.join(path), bytes)?;
        Ok(CreateOutcome::New)
    }

    fn swap(
        &self,
        path: &str,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<SwapOutcome, BaselineError> {
        let _lock = self.lock()?;
        if self.read_one(path, u64::MAX)?.as_deref() != old {
            return Ok(SwapOutcome::Stale);
        }
        match new {
            Some(new) => record::write_atomically(&self.root.join(path), new)?,
            None => self.remove(&[path])?,
        }
        Ok(SwapOutcome::Done)
    }

    fn remove(&self, paths: &[&str]) -> Result<(), BaselineError> {
        for path in paths {
            match fs::remove_file(self.root.join(path)) {
                Err(error) if !is_absent(&error) => {
                    return Err(failed("remove", self.place(path))(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn tell(&mut self, _progress: StorageProgress) {}
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn failed(what: &'static str, place: String) -> impl FnOnce(io::Error) -> BaselineError {
    move |source| BaselineError::Files { what, place, source }
}
