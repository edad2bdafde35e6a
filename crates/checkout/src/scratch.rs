//! A tree in which variants of head are built, away from both sides.
//!
//! It begins as a copy of base's tree with what the build left in it, so that a variant is built as fast as a
//! change is: only what differs is compiled. Times of files are kept in the copy, as builds decide by them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{BaseError, BuildCommand, BuildProgress, RunningBuild, unusable};
use crate::git::{self, GitOutput};
use crate::repository::{self, run};
use crate::{HeadState, InputScope, changed_inputs};

/// What begins the name of such a folder.
const FOLDER_PREFIX: &str = "variant-";

/// Returns what differs between a commit and head, as `git diff` prints it without context and with moved
/// files recognised. Files that git does not know are not in it.
pub fn unified_diff(dir: &Path, base: &str, head: HeadState<'_>) -> Result<String, BaseError> {
    let root = repository::root(dir)?;
    // Settings of the user must not change what is printed.
    let settings = ["-c", "core.quotepath=off", "-c", "diff.relative=false"];
    let diff = ["diff", "--unified=0", "--inter-hunk-context=0", "--find-renames", "--no-color"];
    let plain = ["--no-ext-diff", "--no-textconv", "--ignore-submodules=none"];
    let names = ["--src-prefix=a/", "--dst-prefix=b/", base];
    let other = match head {
        HeadState::Commit(commit) => Some(commit),
        HeadState::Checkout { .. } => None,
    };
    let other: Vec<&str> = other.into_iter().collect();
    let words = [&settings[..], &diff, &plain, &names, &other, &["--"]].concat();
    match run(git::command(&root).args(&words), &[])? {
        GitOutput::Yes(output) => Ok(String::from_utf8_lossy(&output).into_owned()),
        GitOutput::No { reason, .. } => {
            Err(BaseError::Refused { command: words.join(" "), reason })
        }
    }
}

/// Where head differs from a built base.
#[derive(Debug, Clone, Copy)]
pub struct HeadFiles<'a> {
    /// The root of base's files, as its build left them.
    pub base_root: &'a Path,
    /// The root of head's files.
    pub head_root: &'a Path,
    /// The files that differ, from the root.
    pub changed: &'a [PathBuf],
}

/// Returns the files of the whole repository, from its root, that differ between a commit and head, but for
/// documentation and what is in `excluded` folders.
pub fn changed_files(
    dir: &Path,
    base: &str,
    head: HeadState<'_>,
    excluded: &[PathBuf],
) -> Result<Vec<PathBuf>, BaseError> {
    let root = repository::root(dir)?;
    changed_inputs(InputScope { dir: &root, inputs: &[], excluded }, base, head)
}

/// A tree of head's files with what a build of base left in it. It is removed when this is dropped.
#[derive(Debug)]
pub struct ScratchTree {
    folder: TempDir,
}

impl ScratchTree {
    /// Copies base's tree into a folder of its own in `cache`, and puts head's files over it.
    pub fn copy(cache: &Path, files: HeadFiles<'_>) -> Result<Self, BaseError> {
        fs::create_dir_all(cache).map_err(unusable(cache))?;
        sweep(cache);
        let folder = tempfile::Builder::new().prefix(FOLDER_PREFIX).tempdir_in(cache);
        let tree = Self { folder: folder.map_err(unusable(cache))? };
        let process = tree.folder.path().join("process");
        fs::write(&process, std::process::id().to_string()).map_err(unusable(&process))?;
        fs::create_dir(tree.root()).map_err(unusable(&tree.root()))?;
        let mut source = files.base_root.as_os_str().to_owned();
        source.push("/.");
        // Copies on write cost nothing where the file system has them.
        let status = Command::new("cp")
            .args(["--archive", "--reflink=auto", "--"])
            .arg(source)
            .arg(tree.root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|source| BaseError::NotStarted { program: "cp".to_owned(), source })?;
        if !status.success() {
            let failed = io::Error::other(format!("`cp --archive` ended with {status}"));
            return Err(unusable(&tree.root())(failed));
        }
        for path in files.changed {
            tree.put(path, &files.head_root.join(path))?;
        }
        Ok(tree)
    }

    /// Returns the root of its files.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// Puts a copy of a file at a path from the root, or nothing where there is no such file.
    pub fn put(&self, path: &Path, from: &Path) -> Result<(), BaseError> {
        let to = self.root().join(path);
        remove(&to).map_err(unusable(&to))?;
        match fs::symlink_metadata(from) {
            Ok(metadata) if metadata.is_symlink() => {
                let target = fs::read_link(from).map_err(unusable(from))?;
                create_folder(&to)?;
                std::os::unix::fs::symlink(target, &to).map_err(unusable(&to))
            }
            Ok(metadata) if metadata.is_file() => {
                create_folder(&to)?;
                // The time is that of now, so that it is newer than what was built from it.
                let content = fs::read(from).map_err(unusable(from))?;
                fs::write(&to, content).map_err(unusable(&to))?;
                fs::set_permissions(&to, metadata.permissions()).map_err(unusable(&to))
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(unusable(from)(error)),
        }
    }

    /// Writes a text at a path from the root.
    pub fn write(&self, path: &Path, text: &str) -> Result<(), BaseError> {
        let to = self.root().join(path);
        create_folder(&to)?;
        fs::write(&to, text).map_err(unusable(&to))
    }

    /// Removes the file at a path from the root.
    pub fn remove(&self, path: &Path) -> Result<(), BaseError> {
        let to = self.root().join(path);
        remove(&to).map_err(unusable(&to))
    }

    /// Builds what is in it now, in the folder at `prefix` from the root. All output goes to `log`, which is
    /// replaced. It is ended as soon as it is cancelled.
    pub fn build(
        &self,
        prefix: &Path,
        build: BuildCommand<'_>,
        log: &Path,
        is_cancelled: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(BuildProgress<'_>),
    ) -> Result<(), BaseError> {
        let mut shell = build.shell(&self.folder.path().join("links"))?;
        git::without_local_variables(&mut shell)
            .current_dir(self.root().join(prefix))
            // Would put the variant where head is.
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET_DIR");
        RunningBuild::start(&mut shell, build, "variant", log)?.wait(None, is_cancelled, progress)
    }
}

/// Returns the path of a folder from the root of the checkout that it is in.
pub fn prefix(dir: &Path) -> Result<PathBuf, BaseError> {
    repository::prefix(dir)
}

fn create_folder(file: &Path) -> Result<(), BaseError> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(unusable(folder))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes what an xmlperf that was killed has left. A folder that is in use is one of a process that runs.
fn sweep(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_string_lossy().starts_with(FOLDER_PREFIX);
        if is_ours && !is_used(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether the process that made a folder still runs.
fn is_used(folder: &Path) -> bool {
    let process = fs::read_to_string(folder.join("process")).unwrap_or_default();
    process.is_empty() || Path::new("/proc").join(process.trim()).exists()
}

#[cfg(test)]
mod tests {
    use units::environment::ChildEnvironment;

    use super::*;
    use crate::LineTables;

    #[test]
    fn a_tree_is_base_as_built_with_the_files_of_head() {
        let (base, head, cache) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        for (path, text) in [("src/a.rs", "a"), ("src/gone.rs", "g"), ("target/api", "built")] {
            let path = base.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for (path, text) in [("src/a.rs", "b"), ("src/new/n.rs", "n")] {
            let path = head.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let changed = ["src/a.rs", "src/gone.rs", "src/new/n.rs"].map(PathBuf::from);
        let (base_root, head_root) = (base.path(), head.path());
        let files = HeadFiles { base_root, head_root, changed: &changed };
        let tree = ScratchTree::copy(cache.path(), files).unwrap();
        let read = |path: &str| fs::read_to_string(tree.root().join(path)).ok();
        assert_eq!(read("src/a.rs").as_deref(), Some("b"));
        assert_eq!(read("src/gone.rs"), None);
        assert_eq!(read("src/new/n.rs").as_deref(), Some("n"));
        assert_eq!(read("target/api").as_deref(), Some("built"));
        let modified =
            |root: &Path| fs::metadata(root.join("target/api")).unwrap().modified().unwrap();
        assert_eq!(modified(&tree.root()), modified(base.path()));
        let root = tree.root();
        drop(tree);
        assert!(!root.exists());
    }

    #[test]
    fn a_build_ends_when_it_is_cancelled() {
        let [cache, base] = [0; 2].map(|_| tempfile::tempdir().unwrap());
        let root = base.path();
        let files = HeadFiles { base_root: root, head_root: root, changed: &[] };
        let tree = ScratchTree::copy(cache.path(), files).unwrap();
        let build = BuildCommand {
            command: "echo built; exec sleep 600",
            environment: &ChildEnvironment::default(),
            keeper: None,
            lines: LineTables::AsBuilt,
        };
        let log = cache.path().join("log");
        let has_begun = || fs::read(&log).is_ok_and(|log| log.starts_with(b"built"));
        let built = tree.build(Path::new(""), build, &log, &has_begun, &mut |_| ());
        assert!(matches!(built, Err(BaseError::Cancelled)), "{built:?}");
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let cache = tempfile::tempdir().unwrap();
        let folders = ["variant-1", "variant-2", "other"].map(|name| cache.path().join(name));
        let processes = ["4194305".to_owned(), std::process::id().to_string(), String::new()];
        for (folder, process) in folders.iter().zip(processes) {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("process"), process).unwrap();
        }
        sweep(cache.path());
        assert_eq!(folders.each_ref().map(|folder| folder.exists()), [false, true, true]);
    }
}
