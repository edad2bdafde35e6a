//! Where the records of attempts stay: in a folder, or beside baselines in a store.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use baseline::BaselineStore;
use record::RecordError;
use record::evidence_file::{self, EvidencePlace};
use suite::config;

use crate::app::event::EventSink;
use crate::app::selection::SuiteSelection;
use crate::app::store;

/// Where attempts stay.
pub(super) enum AttemptPlace {
    /// In a folder.
    Folder(PathBuf),
    /// In a store, of whose records copies are written here.
    Store {
        /// The store.
        store: BaselineStore,
        /// The folder for the copies.
        copies: PathBuf,
    },
}

impl AttemptPlace {
    /// Returns where `given` is, else where the configuration says; none if neither says so.
    pub(super) fn find(
        given: Option<&str>,
        selection: &SuiteSelection,
        events: &dyn EventSink,
    ) -> Result<Option<Self>> {
        let here = &selection.workplace.folder;
        let Some((location, root)) = location(given, selection.config_path(), here)? else {
            return Ok(None);
        };
        if !is_store(&location) {
            return Ok(Some(Self::Folder(root.join(location))));
        }
        let store = store::open(&location, &root, events)?;
        Ok(Some(Self::Store { store, copies: selection.out.join("attempts") }))
    }

    /// The folder, where it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Store { .. } => None,
        }
    }
}

/// Returns what is given, with the current folder, else what a configuration file says, with its own.
pub(super) fn location(
    given: Option<&str>,
    config: Option<PathBuf>,
    here: &Path,
) -> Result<Option<(String, PathBuf)>> {
    if let Some(location) = given {
        return Ok(Some((location.to_owned(), here.to_path_buf())));
    }
    let Some(file) = config.map(|path| here.join(path)) else { return Ok(None) };
    let root = file.parent().unwrap_or(here).to_path_buf();
    Ok(config::attempts(&file)?.map(|location| (location, root)))
}

/// Whether a location is that of a store, and not a folder of records.
pub(super) fn is_store(location: &str) -> bool {
    location.contains("://")
}

/// A record that stays in a store, and the file here that is written in its place.
pub(super) struct EvidenceCopy {
    store: BaselineStore,
    key: String,
    path: PathBuf,
    /// What the store holds.
    stored: Option<Vec<u8>>,
}

impl EvidenceCopy {
    /// Writes what the store holds into a folder.
    pub(super) fn fetch(
        store: BaselineStore,
        key: &str,
        folder: &Path,
    ) -> Result<(Self, EvidencePlace)> {
        let path = evidence_file::path(folder, key);
        let stored = store.evidence(key)?;
        let place = write_copy(stored.as_deref().unwrap_or_default(), &path)?;
        Ok((Self { store, key: key.to_owned(), path, stored }, place))
    }

    /// Sends what was written since.
    pub(super) fn send(&mut self) -> Result<()> {
        let lines = fs::read(&self.path)?;
        self.store.keep_evidence(&self.key, self.stored.as_deref(), &lines)?;
        self.stored = Some(lines);
        Ok(())
    }
}

/// Writes lines of a store to a file, and returns where all that was measured is. Where they are only the
/// beginning of what is there already, the run before could not send the rest, and nothing of it is lost.
pub(super) fn write_copy(stored: &[u8], path: &Path) -> Result<EvidencePlace, RecordError> {
    let here = fs::read(path).unwrap_or_default();
    if here.len() > stored.len() && here.starts_with(stored) {
        return Ok(EvidencePlace::Folder);
    }
    record::write_atomically(path, stored)?;
    Ok(EvidencePlace::Store)
}
