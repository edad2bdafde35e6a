//! Reads which versions of its dependencies a build resolved, as far as a lock file says.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::BaseError;
use crate::git::{self, GitOutput};
use crate::{repository, snapshot};

/// Files in which package managers write what they resolved.
const LOCK_FILES: [&str; 18] = [
    "Cargo.lock",
    "Gemfile.lock",
    "Package.resolved",
    "Pipfile.lock",
    "bun.lock",
    "bun.lockb",
    "composer.lock",
    "deno.lock",
    "go.sum",
    "gradle.lockfile",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "packages.lock.json",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "yarn.lock",
];

/// Returns the SHA-256 of each lock file from a target's folder up to the root of its repository, by the
/// levels between and its name. Git need not know of them: those that it ignores are why they are read.
pub fn lock_digests(dir: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut digests = BTreeMap::new();
    for (level, folder) in dir.canonicalize()?.ancestors().enumerate() {
        for name in LOCK_FILES {
            let path = folder.join(name);
            if path.is_file() {
                digests.insert(format!("{}{name}", "../".repeat(level)), snapshot::digest(&path)?);
            }
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(digests)
}

/// A lock file of the checkout for a tree that has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MissingLock {
    /// Where it goes, from the root of the repository.
    pub(super) path: PathBuf,
    /// Where it is.
    pub(super) file: PathBuf,
    /// SHA-256 of what is in it.
    pub(super) digest: String,
}

/// Returns the lock files from a target's folder up to the root of its checkout, where the commit has none in the
/// same folder: those that git ignores. Without them, the commit would be built with what its dependencies are
/// today.
pub(super) fn missing(dir: &Path, commit: &str) -> Result<Vec<MissingLock>, BaseError> {
    let (root, prefix) = (repository::root(dir)?, repository::prefix(dir)?);
    let mut missing = Vec::new();
    for folder in prefix.ancestors() {
        let here = |name: &&str| root.join(folder).join(name).is_file();
        let found: Vec<&str> = LOCK_FILES.into_iter().filter(here).collect();
        if found.is_empty() || has_lock(&root, commit, folder)? {
            continue;
        }
        for name in found {
            let path = folder.join(name);
            let file = root.join(&path);
            let digest = snapshot::digest(&file)
                .map_err(|source| BaseError::Files { path: file.clone(), source })?;
            missing.push(MissingLock { path, file, digest });
        }
    }
    Ok(missing)
}

/// Whether a commit has a lock file in a folder, from the root.
fn has_lock(root: &Path, commit: &str, folder: &Path) -> Result<bool, BaseError> {
    let tree = format!("{commit}:{}", folder.display());
    let listed =
        repository::run(git::command(root).args(["ls-tree", "--name-only", "-z", &tree]), &[])?;
    // A commit from before the folder.
    let GitOutput::Yes(names) = listed else { return Ok(true) };
    let names = String::from_utf8_lossy(&names).into_owned();
    Ok(names.split('\0').any(|name| LOCK_FILES.contains(&name)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lock_files_count_up_to_the_root_of_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let service = folder.path().join("repository/services/api");
        fs::create_dir_all(service.join("node_modules/x")).unwrap();
        fs::create_dir(folder.path().join("repository/.git")).unwrap();
        for (name, content) in [
            ("yarn.lock", "outside"),
            ("repository/Cargo.lock", "root"),
            ("repository/services/api/package-lock.json", "1"),
            ("repository/services/api/node_modules/x/package-lock.json", "below"),
        ] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let before = lock_digests(&service).unwrap();
        assert_eq!(before.keys().collect::<Vec<_>>(), ["../../Cargo.lock", "package-lock.json"]);
        fs::write(service.join("package-lock.json"), "2").unwrap();
        assert_ne!(lock_digests(&service).unwrap(), before);
    }
}
