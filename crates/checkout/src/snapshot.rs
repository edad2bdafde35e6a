//! Remembers what a build left in its folder, and takes away what runs of it leave there later.
//!
//! A service may keep a database, a cache or a log beside its program. A build that is used again
//! would then start with the state of all runs before, while head, checked out anew, starts without.
//! What was added is removed; what the build itself wrote and a run changed cannot be taken back, so
//! the build is then made again.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// First line of a stored snapshot.
const FORMAT: &[u8] = b"xmlperf tree 1\n";

/// Folders that programs keep for themselves and check on every use: git's, and compiled Python.
const UNWATCHED: [&str; 2] = [".git", "__pycache__"];

/// What a folder holds, by path from the folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TreeSnapshot {
    entries: BTreeMap<PathBuf, SnapshotEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SnapshotEntry {
    Folder,
    File {
        bytes: u64,
        modified_ns: i128,
        digest: String,
    },
    Link {
        to: PathBuf,
    },
    /// A socket or a pipe: only that it is there.
    Other,
}

/// What a folder is, held against its snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TreeState {
    /// As it was built, after these were removed.
    AsBuilt {
        /// Files, from the folder.
        removed: Vec<PathBuf>,
    },
    /// A file is gone or has other contents.
    Changed {
        /// The first such file.
        path: PathBuf,
    },
}

impl TreeSnapshot {
    /// Reads the folder.
    pub(super) fn take(tree: &Path) -> io::Result<Self> {
        let mut entries = BTreeMap::new();
        visit(tree, Path::new(""), &mut |path, metadata| {
            let entry = SnapshotEntry::read(&tree.join(path), metadata)?;
            entries.insert(path.to_owned(), entry);
            Ok(())
        })?;
        Ok(Self { entries })
    }

    /// Removes what was not there, and says whether the rest is as it was.
    pub(super) fn restore(&self, tree: &Path) -> io::Result<TreeState> {
        let (mut present, mut added, mut changed) = (0, Vec::new(), None);
        visit(tree, Path::new(""), &mut |path, metadata| {
            match self.entries.get(path) {
                None => added.push((path.to_owned(), metadata.is_dir())),
                Some(entry) if entry.is_still(&tree.join(path), metadata)? => present += 1,
                Some(_) => changed = changed.take().or_else(|| Some(path.to_owned())),
            }
            Ok(())
        })?;
        if let Some(path) = changed {
            return Ok(TreeState::Changed { path });
        }
        if present < self.entries.len() {
            let gone = self.entries.keys().find(|path| !tree.join(path).exists());
            return Ok(TreeState::Changed { path: gone.cloned().unwrap_or_default() });
        }
        // What is in a folder stands behind it, and goes before it.
        for (path, is_folder) in added.iter().rev() {
            let path = tree.join(path);
            if *is_folder { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        let removed = added.into_iter().filter(|(_, is_folder)| !is_folder);
        Ok(TreeState::AsBuilt { removed: removed.map(|(path, _)| path).collect() })
    }

    /// Returns what [`TreeSnapshot::parse`] reads.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = FORMAT.to_vec();
        for (path, entry) in &self.entries {
            let (kind, rest) = match entry {
                SnapshotEntry::Folder => ("folder", Vec::new()),
                SnapshotEntry::File { bytes, modified_ns, digest } => {
                    ("file", format!("{bytes} {modified_ns} {digest}").into_bytes())
                }
                SnapshotEntry::Link { to } => ("link", to.as_os_str().as_bytes().to_vec()),
                SnapshotEntry::Other => ("other", Vec::new()),
            };
            for part in [kind.as_bytes(), &rest, path.as_os_str().as_bytes()] {
                bytes.extend_from_slice(part);
                bytes.push(0);
            }
        }
        bytes
    }

    /// Reads a stored snapshot; none if it is of another version or cut off.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.strip_prefix(FORMAT)?.split(|&byte| byte == 0);
        let mut entries = BTreeMap::new();
        let path = |bytes: &[u8]| PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()));
        while let (kind, Some(rest), Some(name)) = (parts.next()?, parts.next(), parts.next()) {
            let entry = match kind {
                b"folder" => SnapshotEntry::Folder,
                b"file" => {
                    let mut words = std::str::from_utf8(rest).ok()?.split(' ');
                    SnapshotEntry::File {
                        bytes: words.next()?.parse().ok()?,
                        modified_ns: words.next()?.parse().ok()?,
                        digest: words.next()?.to_owned(),
                    }
                }
                b"link" => SnapshotEntry::Link { to: path(rest) },
                _ => SnapshotEntry::Other,
            };
            entries.insert(path(name), entry);
        }
        Some(Self { entries })
    }
}

impl SnapshotEntry {
    fn read(path: &Path, metadata: &Metadata) -> io::Result<Self> {
        let kind = metadata.file_type();
        Ok(if kind.is_dir() {
            Self::Folder
        } else if kind.is_symlink() {
            Self::Link { to: fs::read_link(path)? }
        } else if kind.is_file() {
            let (bytes, modified_ns) = (metadata.len(), modified_ns(metadata));
            Self::File { bytes, modified_ns, digest: digest(path)? }
        } else {
            Self::Other
        })
    }

    /// Contents are read only where the time says that they may differ: programs that build touch
    /// files which they leave as they are.
    fn is_still(&self, path: &Path, metadata: &Metadata) -> io::Result<bool> {
        let kind = metadata.file_type();
        Ok(match self {
            Self::Folder => kind.is_dir(),
            Self::Link { to } => kind.is_symlink() && fs::read_link(path)? == *to,
            Self::File { bytes, modified_ns: then, digest: of_build } => {
                kind.is_file()
                    && metadata.len() == *bytes
                    && (modified_ns(metadata) == *then || digest(path)? == *of_build)
            }
            Self::Other => !kind.is_dir() && !kind.is_symlink() && !kind.is_file(),
        })
    }
}

fn modified_ns(metadata: &Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// Returns the SHA-256 of a file in hexadecimal digits.
pub(super) fn digest(path: &Path) -> io::Result<String> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok(units::hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

/// Calls `each` for everything below a folder, a folder before what it holds.
pub(super) fn visit(
    tree: &Path,
    inside: &Path,
    each: &mut dyn FnMut(&Path, &Metadata) -> io::Result<()>,
) -> io::Result<()> {
    for entry in fs::read_dir(tree.join(inside))? {
        let entry = entry?;
        if UNWATCHED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        // Of a link itself, not of where it leads.
        let metadata = entry.metadata()?;
        let path = inside.join(entry.file_name());
        each(&path, &metadata)?;
        if metadata.is_dir() {
            visit(tree, &path, each)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder as a build leaves it, and its snapshot after a round through its stored form.
    fn built() -> (tempfile::TempDir, TreeSnapshot) {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path();
        fs::create_dir_all(tree.join("target/deps")).unwrap();
        fs::create_dir_all(tree.join(".git")).unwrap();
        fs::write(tree.join("target/deps/api"), "program").unwrap();
        fs::write(tree.join("line\nend"), "odd").unwrap();
        symlink("target", tree.join("link")).unwrap();
        let snapshot = TreeSnapshot::take(tree).unwrap();
        let stored = TreeSnapshot::parse(&snapshot.to_bytes()).unwrap();
        assert_eq!(stored, snapshot);
        (dir, stored)
    }

    #[test]
    fn what_a_run_adds_is_removed_and_nothing_else() {
        let (dir, snapshot) = built();
        let tree = dir.path();
        fs::create_dir_all(tree.join("data/wal")).unwrap();
        fs::write(tree.join("data/wal/1"), "state").unwrap();
        fs::write(tree.join("target/log"), "line").unwrap();
        symlink("/nowhere", tree.join("current")).unwrap();
        fs::write(tree.join(".git/index"), "git's").unwrap();
        let TreeState::AsBuilt { mut removed } = snapshot.restore(tree).unwrap() else {
            panic!("nothing of the build was changed")
        };
        removed.sort();
        assert_eq!(removed, ["current", "data/wal/1", "target/log"].map(PathBuf::from));
        assert_eq!(TreeSnapshot::take(tree).unwrap(), snapshot);
        assert!(tree.join(".git/index").exists());
    }

    #[test]
    fn a_touched_file_is_as_built_and_a_changed_or_missing_one_is_not() {
        let (dir, snapshot) = built();
        let api = dir.path().join("target/deps/api");
        File::options()
            .append(true)
            .open(&api)
            .unwrap()
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        assert_eq!(snapshot.restore(dir.path()).unwrap(), TreeState::AsBuilt { removed: vec![] });
        fs::write(&api, "PROGRAM").unwrap();
        let changed = TreeState::Changed { path: "target/deps/api".into() };
        assert_eq!(snapshot.restore(dir.path()).unwrap(), changed);
        fs::remove_file(&api).unwrap();
        assert_eq!(snapshot.restore(dir.path()).unwrap(), changed);
    }

    #[test]
    fn a_snapshot_of_another_version_is_none() {
        assert_eq!(TreeSnapshot::parse(b"xmlperf tree 2\n"), None);
        let empty = TreeSnapshot::default();
        assert_eq!(TreeSnapshot::parse(&empty.to_bytes()), Some(empty));
    }
}
