//! Keeps runs under a name, and says which of them a new run can be compared with.
//!
//! A store is a folder: `<name>/<start>-<digest>.json`, one file a run, never changed once written.
//! The digest in the name makes a damaged or edited file show itself.

pub mod work;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::record::work::Work;
use crate::record::{RecordError, Run, ScenarioRun, Trials};

/// A folder of named histories.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// One kept run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: PathBuf,
    /// When it began, as its file name tells: RFC 3339 without colons.
    pub started: String,
    /// The digest in its file name.
    pub digest: String,
}

/// Why a baseline cannot be used or kept.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// The name cannot be a folder's.
    #[error(
        "`{name}` is not a name for a baseline\n\nhint: use letters, digits, `.`, `-`, `_`, and `/` between them"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// There is no history of that name.
    #[error(
        "there is no baseline `{name}` in `{root}`\n\nhint: create one with `xmlperf baseline save {name}`"
    )]
    NotFound {
        /// The name.
        name: String,
        /// Where it was looked for.
        root: PathBuf,
    },
    /// A run that is not whole cannot serve as a baseline.
    #[error("this run cannot be a baseline: {reason}")]
    Unfit {
        /// What is missing.
        reason: String,
    },
    /// The file is not what was written.
    #[error(
        "`{path}` was changed after it was written: its digest is {found}, its name says {expected}"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The digest of what is there.
        found: String,
        /// The digest in its name.
        expected: String,
    },
    /// The folder cannot be read.
    #[error("failed to read `{path}`")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The record itself cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Store {
    /// Returns the store in a folder, which need not exist yet.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Keeps the judged build of a run under a name, and returns where. A paired run keeps its head.
    pub fn save(&self, name: &str, run: &Run) -> Result<PathBuf, BaselineError> {
        let folder = self.folder(name)?;
        let run = alone(run)?;
        let started = run.started.replace(':', "");
        let path = folder.join(format!("{started}-{}.json", run.digest()));
        run.save(&path)?;
        Ok(path)
    }

    /// Returns the names of all histories, in order.
    pub fn names(&self) -> Result<Vec<String>, BaselineError> {
        let mut names = Vec::new();
        collect_names(&self.root, &self.root, &mut names)?;
        names.sort();
        Ok(names)
    }

    /// Returns the runs of a history, oldest first. None if there is no such history.
    pub fn entries(&self, name: &str) -> Result<Option<Vec<Entry>>, BaselineError> {
        let folder = self.folder(name)?;
        let entries = entries_of(&folder)?;
        Ok((!entries.is_empty()).then_some(entries))
    }

    /// Returns the runs of a history, or the error that says how to begin one.
    pub fn history(&self, name: &str) -> Result<Vec<Entry>, BaselineError> {
        let not_found =
            || BaselineError::NotFound { name: name.to_owned(), root: self.root.clone() };
        self.entries(name)?.ok_or_else(not_found)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, BaselineError> {
        let legal = |part: &str| {
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
            !part.is_empty() && !part.starts_with('.') && part.chars().all(plain)
        };
        if name.split('/').all(legal) {
            Ok(self.root.join(name))
        } else {
            Err(BaselineError::BadName { name: name.to_owned() })
        }
    }
}

impl Entry {
    /// Reads the run, and checks that it is what was written.
    pub fn load(&self) -> Result<Run, BaselineError> {
        let run = Run::load(&self.path)?;
        let found = run.digest();
        if found == self.digest {
            Ok(run)
        } else {
            let expected = self.digest.clone();
            Err(BaselineError::Damaged { path: self.path.clone(), found, expected })
        }
    }
}

/// The head of a run, as a run without a base.
fn alone(run: &Run) -> Result<Run, BaselineError> {
    if run.ended.is_some() {
        let reason = "it ended before everything was measured".to_owned();
        return Err(BaselineError::Unfit { reason });
    }
    let is_empty = |scenario: &ScenarioRun| {
        scenario.launches() == 0 && !matches!(scenario.work, Some(Work::Counted(_)))
    };
    if run.scenarios.iter().any(is_empty) {
        let reason = "a scenario has no launch".to_owned();
        return Err(BaselineError::Unfit { reason });
    }
    let mut run = run.clone();
    run.base = None;
    run.looks.clear();
    for scenario in &mut run.scenarios {
        let head = scenario.head().into_iter().cloned().collect();
        scenario.trials = Trials::Single(head);
        if let Some(Work::Counted(counted)) = &mut scenario.work {
            counted.base = None;
        }
    }
    Ok(run)
}

fn entries_of(folder: &Path) -> Result<Vec<Entry>, BaselineError> {
    let mut entries: Vec<Entry> = files_of(folder)?.into_iter().filter_map(entry).collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn entry(path: PathBuf) -> Option<Entry> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
    let (started, digest) = name.rsplit_once('-')?;
    let hexadecimal = digest.len() == 12 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (started, digest) = (started.to_owned(), digest.to_owned());
    (hexadecimal && !name.starts_with('.')).then_some(Entry { path, started, digest })
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, BaselineError> {
    let unreadable = |source| BaselineError::Unreadable { path: folder.to_path_buf(), source };
    let reader = match fs::read_dir(folder) {
        Ok(reader) => reader,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let path = |entry: io::Result<fs::DirEntry>| Ok(entry.map_err(unreadable)?.path());
    reader.map(path).collect()
}

fn collect_names(root: &Path, folder: &Path, names: &mut Vec<String>) -> Result<(), BaselineError> {
    if !entries_of(folder)?.is_empty() {
        let name = folder.strip_prefix(root).unwrap_or(folder);
        names.push(name.to_string_lossy().into_owned());
    }
    for path in files_of(folder)?.into_iter().filter(|path| path.is_dir()) {
        collect_names(root, &path, names)?;
    }
    Ok(())
}
