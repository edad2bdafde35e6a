//! Keeps runs under a name, and says which of them a new run can be compared with.
//!
//! A store is a tree of files: `<name>/<start>-<digest>.json`, one file a run, never changed once
//! written. The digest in the name is of the very bytes, so a damaged or edited file shows itself, and a
//! record of an older schema is still the one that was written. The only file that changes is a
//! history's pin. What keeps the tree (a folder, a branch, a bucket) is chosen by an address.

mod backend;
mod branch;
mod bucket;
pub mod choice;
mod clone;
mod directory;
mod evidence;
mod failure;
mod integrity;
mod location;
mod name;
mod pin;
mod retention;
pub mod work;

use std::collections::BTreeMap;
use std::path::Path;

use crate::backend::{CreateOutcome, FileContent, FileEntry, FileKind, StorageBackend};
use record::bounds::{HISTORY_BYTES_MAX, RUN_BYTES_MAX};
use record::instruction_counts::CountOutcome;
use record::{self, LaunchResults, Run, ScenarioRun};

pub use crate::backend::StorageProgress;
pub use crate::evidence::EvidenceEntry;
pub use crate::failure::BaselineError;
pub use crate::integrity::{FileFault, Integrity};
pub use crate::pin::BaselinePin;
pub use crate::retention::{Retention, RetentionDecision, RetentionReason};

/// Where baselines are kept unless another place is given.
pub const DEFAULT_LOCATION: &str = "baselines";

/// Runs of a history that are read at once.
const BATCH: usize = 8;

/// Named histories of runs, wherever they are kept.
#[derive(Debug)]
pub struct BaselineStore {
    backend: Box<dyn StorageBackend>,
}

/// One kept run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreEntry {
    /// The history that it belongs to.
    pub history: String,
    /// When it began, as its file name tells: RFC 3339 in UTC without colons.
    pub started: String,
    /// The digest in its file name.
    pub digest: String,
    /// Where it is, for people.
    pub place: String,
}

/// A name, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHistory {
    /// The name.
    pub name: String,
    /// Runs that are kept under it.
    pub runs: usize,
    /// Where it is pinned, if it is.
    pub pinned: Option<BaselinePin>,
}

/// A run in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveOutcome {
    /// It was added.
    New(StoreEntry),
    /// The very same run was there already.
    AlreadyThere(StoreEntry),
}

impl SaveOutcome {
    /// Returns the run's entry.
    pub fn entry(&self) -> &StoreEntry {
        match self {
            Self::New(entry) | Self::AlreadyThere(entry) => entry,
        }
    }
}

impl BaselineStore {
    /// Returns the store at an address, which need not hold anything yet. Relative folders, and the
    /// clone whose remotes are meant, are taken from `root`.
    pub fn open(location: &str, root: &Path) -> Result<Self, BaselineError> {
        Ok(Self { backend: location::open(location, root)? })
    }

    /// Lets `progress` hear what is being done, where it may take a while.
    #[must_use]
    pub fn telling(mut self, progress: StorageProgress) -> Self {
        self.backend.tell(progress);
        self
    }

    /// Returns what people call the place.
    pub fn location(&self) -> &str {
        self.backend.location()
    }

    /// Keeps the judged build of a run under a name. A paired run keeps its head.
    pub fn save(&self, name: &str, run: &Run) -> Result<SaveOutcome, BaselineError> {
        name::check(name)?;
        let run = alone(run)?;
        let entry = self.entry_of(name, &name::stamp(&run.started)?, &run.digest());
        Ok(match self.backend.create(&entry.file(), &run.to_json())? {
            CreateOutcome::New => SaveOutcome::New(entry),
            CreateOutcome::AlreadyThere => SaveOutcome::AlreadyThere(entry),
        })
    }

    /// Returns all histories and pinned names, in order.
    pub fn histories(&self) -> Result<Vec<StoreHistory>, BaselineError> {
        let files = self.backend.all()?;
        let mut histories: BTreeMap<String, StoreHistory> = BTreeMap::new();
        let blank = |name: &str| StoreHistory { name: name.to_owned(), runs: 0, pinned: None };
        for entry in self.entries_of(&files) {
            let history = histories.entry(entry.history.clone());
            history.or_insert_with(|| blank(&entry.history)).runs += 1;
        }
        for pinned in self.pins_of(&files)? {
            let name = pinned.name.clone();
            histories.entry(name.clone()).or_insert_with(|| blank(&name)).pinned = Some(pinned);
        }
        Ok(histories.into_values().collect())
    }

    /// Returns the names of all histories and of all pins, in order.
    pub fn names(&self) -> Result<Vec<String>, BaselineError> {
        Ok(self.histories()?.into_iter().map(|history| history.name).collect())
    }

    /// Returns the runs that a name stands for, oldest first. None if it stands for nothing.
    ///
    /// `main` is all of a history, or all up to the run that it is pinned to; `main@3f2a` all up to the
    /// run whose digest begins so. The last one is the one to compare with.
    pub fn entries(&self, name: &str) -> Result<Option<Vec<StoreEntry>>, BaselineError> {
        let (name, digest) = match name.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (name, None),
        };
        name::check(name)?;
        let files = self.backend.folder(name)?;
        if let (None, Some(pinned)) = (digest, self.pinned_by(name, &files)?) {
            return self.until_pin(name, &pinned).map(Some);
        }
        let mut entries = self.entries_of(&files);
        if let (Some(digest), false) = (digest, entries.is_empty()) {
            entries.truncate(position(name, digest, &entries)? + 1);
        }
        Ok((!entries.is_empty()).then_some(entries))
    }

    /// Returns all runs of a history, oldest first, whether or not its name is pinned.
    pub fn runs(&self, name: &str) -> Result<Vec<StoreEntry>, BaselineError> {
        name::check(name)?;
        Ok(self.entries_of(&self.backend.folder(name)?))
    }

    /// Returns the runs that a name stands for, as [`BaselineStore::entries`] does, or the error that says how to
    /// begin a history.
    pub fn history(&self, name: &str) -> Result<Vec<StoreEntry>, BaselineError> {
        let (history, _) = name.split_once('@').unwrap_or((name, ""));
        self.entries(name)?.ok_or_else(|| self.not_found(history))
    }

    /// Reads a run, and checks that it is what was written.
    pub fn load(&self, entry: &StoreEntry) -> Result<Run, BaselineError> {
        self.load_all(std::slice::from_ref(entry))?.pop().ok_or_else(|| entry.gone())
    }

    /// Reads runs, several at once where that is quicker. The first that cannot be read is an error that
    /// names it.
    pub fn load_all(&self, entries: &[StoreEntry]) -> Result<Vec<Run>, BaselineError> {
        self.read(entries)?.into_iter().collect()
    }

    /// Reads runs, each with what is wrong with it. Fails if the place cannot be read at all.
    fn read(
        &self,
        entries: &[StoreEntry],
    ) -> Result<Vec<Result<Run, BaselineError>>, BaselineError> {
        let (mut runs, mut bytes) = (Vec::new(), 0);
        // Not all at once: what is together beyond the bound is noticed before it is in memory.
        for batch in entries.chunks(BATCH) {
            let files: Vec<String> = batch.iter().map(StoreEntry::file).collect();
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let texts = self.backend.read(&files, RUN_BYTES_MAX)?;
            let read = texts.iter().filter_map(|text| text.as_ref().ok()?.as_ref());
            bytes += read.map(|text| text.len() as u64).sum::<u64>();
            if bytes > HISTORY_BYTES_MAX {
                let reason = format!("its runs have more than {HISTORY_BYTES_MAX} bytes together");
                let place = self.location().to_owned();
                return Err(BaselineError::Missing { place, reason });
            }
            let run = |(entry, text): (&StoreEntry, FileContent)| {
                whole(entry, &text?.ok_or_else(|| entry.gone())?)
            };
            runs.extend(batch.iter().zip(texts).map(run));
        }
        Ok(runs)
    }

    fn not_found(&self, name: &str) -> BaselineError {
        BaselineError::NotFound { name: name.to_owned(), location: self.location().to_owned() }
    }

    fn entry_of(&self, name: &str, stamp: &str, digest: &str) -> StoreEntry {
        StoreEntry {
            history: name.to_owned(),
            started: stamp.to_owned(),
            digest: digest.to_owned(),
            place: self.backend.place(&name::file(name, stamp, digest)),
        }
    }

    /// The runs among files, oldest first.
    fn entries_of(&self, files: &[FileEntry]) -> Vec<StoreEntry> {
        let entry = |file: &FileEntry| {
            let (name, stamp, digest) = name::parts(&file.path)?;
            matches!(file.kind, FileKind::Plain(_)).then(|| self.entry_of(name, stamp, digest))
        };
        let mut entries: Vec<StoreEntry> = files.iter().filter_map(entry).collect();
        entries.sort_by(|a, b| (&a.started, &a.digest).cmp(&(&b.started, &b.digest)));
        entries
    }
}

impl StoreEntry {
    /// Path of the file from the root of the store.
    fn file(&self) -> String {
        name::file(&self.history, &self.started, &self.digest)
    }

    fn gone(&self) -> BaselineError {
        BaselineError::Missing { place: self.place.clone(), reason: "it is not there".to_owned() }
    }
}

/// The place of the one run whose digest begins so.
fn position(name: &str, digest: &str, entries: &[StoreEntry]) -> Result<usize, BaselineError> {
    let meant = |entry: &StoreEntry| !digest.is_empty() && entry.digest.starts_with(digest);
    let mut found = entries.iter().enumerate().filter(|(_, entry)| meant(entry));
    match (found.next(), found.count()) {
        (Some((position, _)), 0) => Ok(position),
        (first, more) => Err(BaselineError::NotOneRun {
            name: name.to_owned(),
            digest: digest.to_owned(),
            count: usize::from(first.is_some()) + more,
        }),
    }
}

/// The run in a file, if the file is what was written.
fn whole(entry: &StoreEntry, text: &[u8]) -> Result<Run, BaselineError> {
    let found = record::digest(text);
    if found != entry.digest {
        let (place, expected) = (entry.place.clone(), entry.digest.clone());
        return Err(BaselineError::Damaged { place, found, expected });
    }
    Ok(Run::parse(text, Path::new(&entry.place))?)
}

/// The head of a run, as a run without a base.
fn alone(run: &Run) -> Result<Run, BaselineError> {
    if run.ended.is_some() {
        let reason = "it ended before everything was measured".to_owned();
        return Err(BaselineError::Unfit { reason });
    }
    let is_counted = |scenario: &ScenarioRun| {
        matches!(scenario.work, Some(CountOutcome::Counted(_)))
            || run.is_counted_elsewhere(scenario)
    };
    let is_empty = |scenario: &ScenarioRun| scenario.launches() == 0 && !is_counted(scenario);
    if run.scenarios.iter().any(is_empty) {
        let reason = "a scenario has no launch".to_owned();
        return Err(BaselineError::Unfit { reason });
    }
    let mut run = run.clone();
    run.base = None;
    run.evidence = None;
    for scenario in &mut run.scenarios {
        let head = scenario.head().into_iter().cloned().collect();
        scenario.trials = LaunchResults::Single(head);
        scenario.is_settled = false;
        if let Some(CountOutcome::Counted(counted)) = &mut scenario.work {
            counted.base = None;
        }
    }
    Ok(run)
}

#[cfg(test)]
mod tests;
