//! Keeps files on a branch of a git repository, one commit a change.
//!
//! A change is made on top of the branch as it is fetched just before, and pushed without force: if
//! another writer was quicker, the push is refused and the change is made again on top of theirs. So
//! nothing is ever merged, and nothing can be lost. A push whose answer got lost shows itself the same
//! way: the next look finds the change done.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::BaselineError;
use crate::backend::{
    CreateOutcome, FileContent, FileEntry, FileKind, StorageBackend, StorageProgress, SwapOutcome,
};
use crate::clone::{self, BranchClone, PushOutcome, TreeEntry};

/// How often others may be quicker.
const CONTENDED_MAX: u32 = 100;
/// How often a remote may fail without anybody having been quicker.
const FAILED_MAX: u32 = 5;
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Files that are read at once: what is in memory twice.
const BATCH: usize = 64;

/// A branch.
pub(super) struct BranchBackend {
    clone: BranchClone,
    progress: StorageProgress,
    seen: Mutex<Option<Arc<BranchSnapshot>>>,
}

/// The branch at one commit.
#[derive(Debug)]
struct BranchSnapshot {
    commit: Option<String>,
    leaves: BTreeMap<String, TreeEntry>,
}

/// Files to change: what they are to hold, or that they are to go.
type TreeEdits = BTreeMap<String, Option<Vec<u8>>>;

impl std::fmt::Debug for BranchBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Branch").field("clone", &self.clone).finish_non_exhaustive()
    }
}

impl BranchBackend {
    /// Returns the branch that `rest` means: `<remote>/<branch>`, or `/<branch>` of the clone itself.
    pub(super) fn open(location: &str, rest: &str, dir: &Path) -> Result<Self, BaselineError> {
        let (remote, branch) = rest.split_once('/').unwrap_or((rest, ""));
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        // Git takes some names for something else: `HEAD` and its like, options, revisions.
        let misread = branch.starts_with('-')
            || branch == "@"
            || ["HEAD", "FETCH_HEAD", "ORIG_HEAD", "MERGE_HEAD"].contains(&branch)
            || branch.starts_with("refs/")
            || branch.contains("@{");
        let is_remote = !remote.starts_with('-') && remote.chars().all(legal);
        if branch.is_empty() || misread || !is_remote {
            return Err(BaselineError::BadLocation {
                location: location.to_owned(),
                reason: "it names no branch of a remote".to_owned(),
                hint:
                    "`git+branch://origin/xmlperf-baselines`, or `git+branch:///name` for a branch \
                       of this clone"
                        .to_owned(),
            });
        }
        let clone = BranchClone {
            dir: dir.to_path_buf(),
            location: location.to_owned(),
            remote: (!remote.is_empty()).then(|| remote.to_owned()),
            branch: branch.to_owned(),
        };
        clone.check()?;
        Ok(Self { clone, progress: Arc::new(|_| {}), seen: Mutex::new(None) })
    }

    /// The branch as it was first seen, or as it is at the first look: all that one command reads
    /// is of one commit.
    fn snapshot(&self) -> Result<Arc<BranchSnapshot>, BaselineError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(seen) = seen {
            return Ok(seen);
        }
        self.say_that_it_takes_a_while();
        self.look()
    }

    fn say_that_it_takes_a_while(&self) {
        if self.clone.remote.is_some() {
            (self.progress)(&format!("fetching {}", self.clone.location));
        }
    }

    /// The branch as it is now.
    fn look(&self) -> Result<Arc<BranchSnapshot>, BaselineError> {
        let mut failed = 0;
        let commit = loop {
            match self.clone.tip() {
                Ok(commit) => break commit,
                Err(error) if failed + 1 >= FAILED_MAX => return Err(error),
                Err(_) => failed += 1,
            }
            pause(failed);
        };
        let leaves = match &commit {
            Some(commit) => self.clone.leaves(commit)?,
            None => Vec::new(),
        };
        let leaves = leaves.into_iter().map(|leaf| (leaf.path.clone(), leaf)).collect();
        let snapshot = Arc::new(BranchSnapshot { commit, leaves });
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// Makes the change that `edits` asks for in the branch as it is, until the remote has it. No edits:
    /// nothing has to be done.
    fn change<T>(
        &self,
        message: &str,
        edits: impl Fn(&BranchSnapshot) -> Result<(TreeEdits, T), BaselineError>,
    ) -> Result<T, BaselineError> {
        let (mut contended, mut failed) = (0, 0);
        self.say_that_it_takes_a_while();
        let mut snapshot = self.look()?;
        loop {
            let (edits, answer) = edits(&snapshot)?;
            if edits.is_empty() {
                return Ok(answer);
            }
            let commit = self.commit(&snapshot, &edits, message)?;
            let reason = match self.clone.push(snapshot.commit.as_deref(), &commit)? {
                PushOutcome::Done => {
                    *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    return Ok(answer);
                }
                PushOutcome::Refused(reason) => reason,
            };
            let now = self.look()?;
            if now.commit == snapshot.commit {
                failed += 1;
            } else {
                (contended, failed) = (contended + 1, 0);
                (self.progress)(&format!("another push was first, trying again ({contended})"));
            }
            if failed >= FAILED_MAX || contended >= CONTENDED_MAX {
                return Err(self.refused(&reason));
            }
            snapshot = now;
            pause(contended.max(failed));
        }
    }

    fn commit(
        &self,
        snapshot: &BranchSnapshot,
        edits: &TreeEdits,
        message: &str,
    ) -> Result<String, BaselineError> {
        let mut objects = BTreeMap::new();
        for (path, bytes) in edits {
            let oid = bytes.as_ref().map(|bytes| self.clone.write(bytes)).transpose()?;
            objects.insert(path.clone(), oid);
        }
        let parent = snapshot.commit.as_deref();
        let tree = parent.map(|commit| format!("{commit}^{{tree}}"));
        let tree = self.clone.tree(tree.as_deref(), &objects)?;
        self.clone.commit(&tree, parent, message)
    }

    fn refused(&self, reason: &str) -> BaselineError {
        BaselineError::NotPushed {
            location: self.clone.location.clone(),
            reason: reason.to_owned(),
        }
    }

    fn held(
        &self,
        snapshot: &BranchSnapshot,
        path: &str,
    ) -> Result<Option<Vec<u8>>, BaselineError> {
        let Some(leaf) = snapshot.leaves.get(path) else { return Ok(None) };
        Ok(self.clone.blobs(&[&leaf.oid])?.pop().flatten())
    }

    fn files(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<FileEntry>, BaselineError> {
        let snapshot = self.snapshot()?;
        let leaves = snapshot.leaves.values().filter(|leaf| wanted(&leaf.path));
        Ok(leaves.map(|leaf| FileEntry { path: leaf.path.clone(), kind: kind(leaf) }).collect())
    }
}

impl StorageBackend for BranchBackend {
    fn location(&self) -> &str {
        &self.clone.location
    }

    fn place(&self, path: &str) -> String {
        format!("{}:{path}", self.clone.location)
    }

    fn folder(&self, folder: &str) -> Result<Vec<FileEntry>, BaselineError> {
        let inside = |path: &str| path.rsplit_once('/').is_some_and(|(parent, _)| parent == folder);
        self.files(inside)
    }

    fn all(&self) -> Result<Vec<FileEntry>, BaselineError> {
        self.files(|_| true)
    }

    fn read(&self, paths: &[&str], bytes_max: u64) -> Result<Vec<FileContent>, BaselineError> {
        let snapshot = self.snapshot()?;
        let mut read = Vec::with_capacity(paths.len());
        for batch in paths.chunks(BATCH) {
            read.extend(self.read_batch(&snapshot, batch, bytes_max)?);
        }
        Ok(read)
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<CreateOutcome, BaselineError> {
        let oid = self.clone.write(bytes)?;
        self.change(&format!("Keep {path}"), |snapshot| {
            Ok(match snapshot.leaves.get(path) {
                Some(leaf) if leaf.oid == oid => (TreeEdits::new(), CreateOutcome::AlreadyThere),
                Some(_) | None => {
                    (TreeEdits::from([(path.to_owned(), Some(bytes.to_vec()))]), CreateOutcome::New)
                }
            })
        })
    }

    fn swap(
        &self,
        path: &str,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<SwapOutcome, BaselineError> {
        self.change(&format!("Change {path}"), |snapshot| {
            let held = self.held(snapshot, path)?;
            // After a push whose answer got lost, too.
            if held.as_deref() == new {
                return Ok((TreeEdits::new(), SwapOutcome::Done));
            }
            if held.as_deref() != old {
                return Ok((TreeEdits::new(), SwapOutcome::Stale));
            }
            Ok((TreeEdits::from([(path.to_owned(), new.map(<[u8]>::to_vec))]), SwapOutcome::Done))
        })
    }

    fn remove(&self, paths: &[&str]) -> Result<(), BaselineError> {
        self.change(&format!("Remove {} files", paths.len()), |snapshot| {
            let there = paths.iter().filter(|path| snapshot.leaves.contains_key(**path));
            Ok((there.map(|path| ((*path).to_owned(), None)).collect(), ()))
        })
    }

    fn tell(&mut self, progress: StorageProgress) {
        self.progress = progress;
    }
}

impl BranchBackend {
    fn read_batch(
        &self,
        snapshot: &BranchSnapshot,
        paths: &[&str],
        bytes_max: u64,
    ) -> Result<Vec<FileContent>, BaselineError> {
        let readable = |path: &&str| {
            let Some(leaf) = snapshot.leaves.get(*path) else { return Ok(None) };
            let reason = match kind(leaf) {
                FileKind::Plain(bytes) if bytes <= bytes_max => return Ok(Some(leaf.oid.as_str())),
                FileKind::Plain(bytes) => format!("it has {bytes} bytes, at most {bytes_max}"),
                FileKind::Other(what) => format!("it is {what}"),
            };
            Err(BaselineError::Missing { place: self.place(path), reason })
        };
        let leaves: Vec<_> = paths.iter().map(readable).collect();
        let oids: Vec<&str> =
            leaves.iter().filter_map(|leaf| leaf.as_ref().ok()?.as_deref()).collect();
        let mut blobs = self.clone.blobs(&oids)?.into_iter();
        let file = |leaf: Result<Option<&str>, BaselineError>| {
            Ok(leaf?.and_then(|_| blobs.next().flatten()))
        };
        Ok(leaves.into_iter().map(file).collect())
    }
}

fn kind(leaf: &TreeEntry) -> FileKind {
    match leaf.mode.as_str() {
        "100644" | "100755" => FileKind::Plain(leaf.bytes),
        "120000" => FileKind::Other("a symbolic link"),
        "160000" => FileKind::Other("a submodule"),
        _ => FileKind::Other("not a plain file"),
    }
}

/// Waits for a moment that is longer after each failure, and another one for each process.
fn pause(failures: u32) {
    let longest = PAUSE_FIRST.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX);
    let share = f64::from(u32::from_be_bytes(clone::random()[..4].try_into().unwrap_or_default()))
        / f64::from(u32::MAX);
    thread::sleep(longest.mul_f64(share));
}
