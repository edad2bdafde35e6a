//! Whether all that a store holds is what was written.

use std::path::Path;
use units::text::error_chain;

use crate::backend::{FileEntry, FileKind};
use crate::{BaselineError, BaselineStore, StoreEntry, evidence, name, pin};

/// Runs that are in memory at the same time.
const BATCH: usize = 64;

/// What was found in a store, or in one history of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    /// Runs that are what was written.
    pub runs: usize,
    /// Pins whose run is there.
    pub pins: usize,
    /// Runs and pins that cannot be used, and why.
    pub damaged: Vec<FileFault>,
    /// Files that are none of ours, or the rest of a save that was cut short. They are never read.
    pub unknown: Vec<FileFault>,
}

/// A file, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct FileFault {
    /// Where it is.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

impl BaselineStore {
    /// Reads everything: all of a store, or one history with the pin of its name.
    pub fn verify(&self, name: Option<&str>) -> Result<Integrity, BaselineError> {
        name.map_or(Ok(()), name::check)?;
        let all = self.backend.all()?;
        let below = |file: &&FileEntry| {
            name.is_none_or(|name| file.path.rsplit_once('/').is_some_and(|(it, _)| it == name))
        };
        let files: Vec<&FileEntry> = all.iter().filter(below).collect();
        if let (Some(name), true) = (name, files.is_empty()) {
            return Err(self.not_found(name));
        }
        let mut found = Integrity::default();
        let mut entries = Vec::new();
        for file in files {
            if let Some(name) = pin::name_of(&file.path) {
                self.verify_pin(name, &all, &mut found);
            } else if let (Some((name, stamp, digest)), FileKind::Plain(_)) =
                (name::parts(&file.path), file.kind)
            {
                entries.push(self.entry_of(name, stamp, digest));
            } else if evidence::key_of(&file.path).is_none() {
                // What is in a record of attempts is checked where it is used.
                let (place, reason) = (self.backend.place(&file.path), unknown(file));
                found.unknown.push(FileFault { place, reason });
            }
        }
        for batch in entries.chunks(BATCH) {
            self.verify_runs(batch, &mut found)?;
        }
        Ok(found)
    }

    fn verify_pin(&self, name: &str, files: &[FileEntry], found: &mut Integrity) {
        let pinned = self.pinned_by(name, files);
        match pinned
            .and_then(|pinned| pinned.map_or(Ok(()), |it| self.until_pin(name, &it).map(drop)))
        {
            Ok(()) => found.pins += 1,
            Err(error) => {
                let place = self.backend.place(&pin::file(name));
                found.damaged.push(FileFault { place, reason: in_words(&error) });
            }
        }
    }

    fn verify_runs(
        &self,
        entries: &[StoreEntry],
        found: &mut Integrity,
    ) -> Result<(), BaselineError> {
        for (entry, run) in entries.iter().zip(self.read(entries)?) {
            match run {
                Ok(_) => found.runs += 1,
                Err(error) => {
                    let (place, reason) = (entry.place.clone(), in_words(&error));
                    found.damaged.push(FileFault { place, reason });
                }
            }
        }
        Ok(())
    }
}

fn unknown(file: &FileEntry) -> String {
    let name = Path::new(&file.path).file_name().unwrap_or_default().to_string_lossy();
    match file.kind {
        FileKind::Other(what) => what.to_owned(),
        FileKind::Plain(_) if name.starts_with('.') => {
            "left by a save that was cut short".to_owned()
        }
        FileKind::Plain(_) => "not a run".to_owned(),
    }
}

/// A failure and its causes, without what to do: that is for one file, not for a list.
fn in_words(error: &BaselineError) -> String {
    let words = error_chain(error);
    words.split("\n\n").next().unwrap_or_default().to_owned()
}
