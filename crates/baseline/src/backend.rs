//! Where files are kept, whatever keeps them.
//!
//! A store needs four things of a place: list, read, add a file that is never changed again, and change
//! a pointer only if it still is what was seen. What makes each of them safe among many writers
//! differs from place to place, and is the place's own business.

use std::fmt;
use std::sync::Arc;

use crate::BaselineError;

/// Hears what is being done, where it may take a while.
pub type StorageProgress = Arc<dyn Fn(&str) + Send + Sync>;

/// A file as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileEntry {
    /// Path from the root of the store, with `/` between its parts.
    pub(super) path: String,
    /// What it is.
    pub(super) kind: FileKind,
}

/// What a listing shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A file that can be read, of so many bytes.
    Plain(u64),
    /// Something that is never read: a link leads anywhere.
    Other(&'static str),
}

/// What a file holds; none if there is no such file. The error is of this file, not of the place.
pub(super) type FileContent = Result<Option<Vec<u8>>, BaselineError>;

/// What came of adding a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreateOutcome {
    /// It is there now.
    New,
    /// It was there before.
    AlreadyThere,
}

/// What came of changing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SwapOutcome {
    /// It is what it should be.
    Done,
    /// It was not what the caller had seen, and was left alone.
    Stale,
}

/// A tree of files. Paths have `/` between their parts, and the caller has checked them.
pub(super) trait StorageBackend: fmt::Debug + Send + Sync {
    /// Returns what people call the place.
    fn location(&self) -> &str;

    /// Returns where a file is, for messages.
    fn place(&self, path: &str) -> String;

    /// Returns the files of one folder, without those in folders below it.
    fn folder(&self, folder: &str) -> Result<Vec<FileEntry>, BaselineError>;

    /// Returns all files.
    fn all(&self) -> Result<Vec<FileEntry>, BaselineError>;

    /// Returns what plain files hold, in the order of the request, each of `bytes_max` bytes at most.
    fn read(&self, paths: &[&str], bytes_max: u64) -> Result<Vec<FileContent>, BaselineError>;

    /// Adds a file, whole or not at all. The path tells what is in it, so one that is there already is
    /// left as it is.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<CreateOutcome, BaselineError>;

    /// Makes a file that holds `old`, or is missing, hold `new`, or go away.
    fn swap(
        &self,
        path: &str,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<SwapOutcome, BaselineError>;

    /// Removes files. Those that are gone already are no failure.
    fn remove(&self, paths: &[&str]) -> Result<(), BaselineError>;

    /// Reports progress to a callback.
    fn tell(&mut self, progress: StorageProgress);
}
