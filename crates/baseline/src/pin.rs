//! Pins: names that stand for a history as it was at one run.
//!
//! A pin is the only file of a store that changes, `<name>/.pin`. It is changed only if it still says
//! what the changer has seen, so of two who change it at once, one hears of the other. A pinned history
//! still takes new runs; readers of its name do not see them until the pin is moved or taken away.

use serde::{Deserialize, Serialize};

use crate::backend::{FileEntry, SwapOutcome};
use crate::{BaselineError, BaselineStore, StoreEntry, name, position};

/// The form of a pin.
const SCHEMA: u32 = 1;
const FILE: &str = ".pin";
/// A pin is a line.
const BYTES_MAX: u64 = 4096;
/// How often a change is tried anew when others change the same pin.
const ATTEMPTS_MAX: usize = 10;

/// What a name is pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselinePin {
    /// The name.
    pub name: String,
    /// The last run that it stands for.
    pub run: StoreEntry,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PinRecord {
    schema: u32,
    run: String,
}

/// Returns the name of the pin that a file is; none if it is not one.
pub(super) fn name_of(path: &str) -> Option<&str> {
    let (name, file) = path.rsplit_once('/')?;
    (file == FILE && name::check(name).is_ok()).then_some(name)
}

pub(super) fn file(name: &str) -> String {
    format!("{name}/{FILE}")
}

impl BaselineStore {
    /// Pins a name to a run, and returns what it was pinned to. The name may be the history's own, or any
    /// other. `run` is `main@3f2a`: a history, and the beginning of a digest; without a digest, the newest
    /// run; without a history, a digest in the history `name`.
    pub fn pin(
        &self,
        name: &str,
        run: &str,
    ) -> Result<(BaselinePin, Option<BaselinePin>), BaselineError> {
        name::check(name)?;
        let pinned = BaselinePin { name: name.to_owned(), run: self.find(name, run)? };
        let record = PinRecord { schema: SCHEMA, run: pinned.run.file() };
        let mut text = serde_json::to_vec(&record).expect("a pin is two plain fields");
        text.push(b'\n');
        let before = self.swap_pin(name, Some(&text))?;
        // Another process may have removed the run while it was being pinned.
        let files = self.backend.folder(&pinned.run.history)?;
        if !self.entries_of(&files).contains(&pinned.run) {
            return Err(pinned.run.gone());
        }
        Ok((pinned, before))
    }

    /// Takes a pin away, and returns what it was.
    pub fn unpin(&self, name: &str) -> Result<BaselinePin, BaselineError> {
        name::check(name)?;
        self.swap_pin(name, None)?.ok_or_else(|| BaselineError::NotPinned {
            name: name.to_owned(),
            location: self.location().to_owned(),
        })
    }

    /// Returns all pins, in order of their names. One that cannot be understood is an error.
    pub fn pins(&self) -> Result<Vec<BaselinePin>, BaselineError> {
        self.pins_of(&self.backend.all()?)
    }

    pub(super) fn pins_of(&self, files: &[FileEntry]) -> Result<Vec<BaselinePin>, BaselineError> {
        let names = files.iter().filter_map(|file| name_of(&file.path));
        names.filter_map(|name| self.pinned_by(name, files).transpose()).collect()
    }

    /// What a name is pinned to, if its pin is among the files.
    pub(super) fn pinned_by(
        &self,
        name: &str,
        files: &[FileEntry],
    ) -> Result<Option<BaselinePin>, BaselineError> {
        let path = file(name);
        if !files.iter().any(|file| file.path == path) {
            return Ok(None);
        }
        let text = self.read_pin(name)?;
        text.map(|text| self.parse_pin(name, &text)).transpose()
    }

    /// The history of the pinned run up to it.
    pub(super) fn until_pin(
        &self,
        name: &str,
        pinned: &BaselinePin,
    ) -> Result<Vec<StoreEntry>, BaselineError> {
        let mut entries = self.entries_of(&self.backend.folder(&pinned.run.history)?);
        let Some(position) = entries.iter().position(|entry| *entry == pinned.run) else {
            let (name, run) = (name.to_owned(), pinned.run.place.clone());
            return Err(BaselineError::Dangling { name, run });
        };
        entries.truncate(position + 1);
        Ok(entries)
    }

    fn find(&self, name: &str, run: &str) -> Result<StoreEntry, BaselineError> {
        let (history, digest) = match run.split_once('@') {
            Some((history, digest)) => (history, Some(digest)),
            None if self.is_history(run)? => (run, None),
            None => (name, Some(run)),
        };
        name::check(history)?;
        let mut entries = self.entries_of(&self.backend.folder(history)?);
        if entries.is_empty() {
            return Err(self.not_found(history));
        }
        let position = match digest {
            Some(digest) => position(history, digest, &entries)?,
            None => entries.len() - 1,
        };
        Ok(entries.swap_remove(position))
    }

    fn is_history(&self, name: &str) -> Result<bool, BaselineError> {
        Ok(name::check(name).is_ok() && !self.entries_of(&self.backend.folder(name)?).is_empty())
    }

    fn read_pin(&self, name: &str) -> Result<Option<Vec<u8>>, BaselineError> {
        self.backend.read(&[&file(name)], BYTES_MAX)?.pop().unwrap_or(Ok(None))
    }

    fn parse_pin(&self, name: &str, text: &[u8]) -> Result<BaselinePin, BaselineError> {
        let malformed = |reason: String| BaselineError::BadPin {
            place: self.backend.place(&file(name)),
            reason,
        };
        let record: PinRecord =
            serde_json::from_slice(text).map_err(|error| malformed(error.to_string()))?;
        if record.schema > SCHEMA {
            return Err(malformed(format!(
                "it has schema {}, this version reads up to {SCHEMA}: update xmlperf",
                record.schema
            )));
        }
        let (history, stamp, digest) = name::parts(&record.run)
            .ok_or_else(|| malformed(format!("`{}` is not the path of a run", record.run)))?;
        Ok(BaselinePin { name: name.to_owned(), run: self.entry_of(history, stamp, digest) })
    }

    /// Puts a new text in the place of the pin that is there now, and returns what that was.
    fn swap_pin(
        &self,
        name: &str,
        new: Option<&[u8]>,
    ) -> Result<Option<BaselinePin>, BaselineError> {
        for _ in 0..ATTEMPTS_MAX {
            let old = self.read_pin(name)?;
            if old.is_none() && new.is_none() {
                return Ok(None);
            }
            match self.backend.swap(&file(name), old.as_deref(), new)? {
                // A pin that cannot be understood is put right by pinning anew.
                SwapOutcome::Done => {
                    return Ok(old.and_then(|old| self.parse_pin(name, &old).ok()));
                }
                SwapOutcome::Stale => {}
            }
        }
        Err(BaselineError::Contended { place: self.backend.place(&file(name)) })
    }
}
