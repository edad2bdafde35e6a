//! Reads what a side of a comparison executes, to tell whether two builds are one program.
//!
//! Builds of one commit in two folders are byte-identical for most toolchains, but for what they have for
//! debuggers. Where what is loaded is, and where nothing that the program may read has changed, any
//! difference that a measurement finds is an error of the measurement.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use sut::elf::ElfFile;

use crate::changes;
use crate::snapshot;

/// Folders below the executable's that libraries are looked for in.
const LIBRARY_DEPTH: usize = 2;

/// Folders beside the executable's that libraries are looked for in, as `$ORIGIN/../lib` names them.
const LIBRARY_FOLDERS: [&str; 2] = ["lib", "lib64"];

/// Where cargo keeps what it needs to build, not to run: libraries of earlier builds lie there too.
const INTERMEDIATE_FOLDERS: [&str; 5] =
    ["build", "deps", "examples", "incremental", ".fingerprint"];

/// The largest tree that is read as a program, in bytes: more would take seconds.
const TREE_BYTES_MAX: u64 = 512 << 20;

/// The most files of such a tree.
const TREE_FILES_MAX: usize = 200_000;

/// One side of a comparison, as its build left it.
#[derive(Debug, Clone, Copy)]
pub struct ProgramTree<'a> {
    /// The folder that it is started in.
    pub dir: &'a Path,
    /// The root of its checkout, at or above that folder.
    pub root: &'a Path,
    /// The words of the command that starts it.
    pub start: &'a [String],
    /// Folders that are no part of it, such as the one for results.
    pub excluded: &'a [PathBuf],
}

/// The files that a side executes from its own tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramFiles {
    /// SHA-256 of each file in hexadecimal digits, by its path from the root; of a link, where it leads; of an
    /// ELF file, that of what is loaded.
    digests: BTreeMap<PathBuf, String>,
    executable: Option<ExecutableFile>,
}

/// An executable as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ExecutableFile {
    path: PathBuf,
    sha256: String,
}

impl ProgramFiles {
    /// Reads the executables that the start command names and the libraries beside them. Where it names
    /// no ELF file of the tree, an interpreter executes the tree itself: all files of the folder but
    /// documentation. None if these are too many to be read in seconds.
    pub fn read(tree: ProgramTree<'_>) -> io::Result<Option<Self>> {
        let root = tree.root.canonicalize()?;
        let mut digests = BTreeMap::new();
        let executables = executables(tree, &root);
        for path in &executables {
            digests.insert(inside(path, &root), loaded_digest(path)?);
            libraries(path, &root, &mut digests)?;
        }
        if let Some(first) = executables.first() {
            let sha256 = snapshot::digest(first)?;
            let executable = Some(ExecutableFile { path: inside(first, &root), sha256 });
            return Ok(Some(Self { digests, executable }));
        }
        let digests = tree_digests(tree, &root)?;
        Ok(digests.map(|digests| Self { digests, executable: None }))
    }

    /// Returns the path from the root of the executable that the start command names first; none where
    /// the tree is the program.
    pub fn executable(&self) -> Option<&Path> {
        self.executable.as_ref().map(|executable| executable.path.as_path())
    }

    /// Returns whether both sides execute the same, whatever they have for debuggers.
    pub fn is_same_program(&self, other: &Self) -> bool {
        self.digests == other.digests
    }

    /// Returns the SHA-256 of the executable, or of the list of all files, in hexadecimal digits.
    pub fn sha256(&self) -> String {
        match &self.executable {
            Some(executable) => executable.sha256.clone(),
            None => self.digest(),
        }
    }

    /// Returns the SHA-256 of the list of all files, in hexadecimal digits: equal for equal programs.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (path, digest) in &self.digests {
            for part in [path.as_os_str().as_encoded_bytes(), digest.as_bytes()] {
                hash.update(part);
                hash.update([0]);
            }
        }
        units::hex(&hash.finalize())
    }
}

fn inside(path: &Path, root: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// The ELF files of the tree that a start command names, in its order. A word with blanks is the script of
/// a shell.
fn executables(tree: ProgramTree<'_>, root: &Path) -> Vec<PathBuf> {
    let words = tree.start.iter().flat_map(|word| word.split_ascii_whitespace());
    let named = words.filter(|word| word.contains('/'));
    let found = named.filter_map(|word| tree.dir.join(word).canonicalize().ok());
    found.filter(|path| path.starts_with(root) && is_elf(path)).collect()
}

/// Adds the shared objects beside an executable.
fn libraries(
    executable: &Path,
    root: &Path,
    digests: &mut BTreeMap<PathBuf, String>,
) -> io::Result<()> {
    let Some(folder) = executable.parent() else { return Ok(()) };
    add_libraries(folder, root, LIBRARY_DEPTH, digests)?;
    let above = folder.parent().filter(|above| above.starts_with(root));
    for beside in above.into_iter().flat_map(|above| LIBRARY_FOLDERS.map(|name| above.join(name))) {
        if beside.is_dir() {
            add_libraries(&beside, root, LIBRARY_DEPTH, digests)?;
        }
    }
    Ok(())
}

fn add_libraries(
    folder: &Path,
    root: &Path,
    depth: usize,
    digests: &mut BTreeMap<PathBuf, String>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name, kind) = (entry.path(), entry.file_name(), entry.file_type()?);
        if kind.is_dir() && depth > 0 && INTERMEDIATE_FOLDERS.iter().all(|it| name != *it) {
            add_libraries(&path, root, depth - 1, digests)?;
        } else if is_library(&name.to_string_lossy()) && is_elf(&path) {
            digests.insert(inside(&path, root), loaded_digest(&path)?);
        }
    }
    Ok(())
}

/// The digest of what is loaded of an ELF file; of one that is not understood, that of all of it.
fn loaded_digest(path: &Path) -> io::Result<String> {
    let Some(sections) = ElfFile::open(path)?.loaded_sections() else {
        return snapshot::digest(path);
    };
    let mut hash = Sha256::new();
    for (address, content) in sections {
        hash.update(address.to_le_bytes());
        hash.update(content);
    }
    Ok(units::hex(&hash.finalize()))
}

/// `libapi.so` and `libapi.so.1.2`.
fn is_library(name: &str) -> bool {
    name.split('.').skip(1).any(|part| part == "so")
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"\x7fELF"
}

/// The digest of each file of the folder that an interpreter may read.
fn tree_digests(
    tree: ProgramTree<'_>,
    root: &Path,
) -> io::Result<Option<BTreeMap<PathBuf, String>>> {
    let dir = tree.dir.canonicalize()?;
    let is_excluded = |path: &Path| tree.excluded.iter().any(|folder| path.starts_with(folder));
    let (mut files, mut bytes) = (Vec::new(), 0);
    // Sizes come before contents: a tree that is too large is not read at all.
    snapshot::visit(&dir, Path::new(""), &mut |path, metadata| {
        let path = dir.join(path);
        if !metadata.is_dir() && !is_excluded(&path) && !changes::is_documentation(&path, root) {
            bytes += if metadata.is_file() { metadata.len() } else { 0 };
            files.push((path, metadata.file_type()));
        }
        Ok(())
    })?;
    if bytes > TREE_BYTES_MAX || files.len() > TREE_FILES_MAX {
        return Ok(None);
    }
    let mut digests = BTreeMap::new();
    for (path, kind) in files {
        let digest = if kind.is_symlink() {
            format!("link to {}", fs::read_link(&path)?.display())
        } else if kind.is_file() {
            snapshot::digest(&path)?
        } else {
            // A socket or a pipe has no contents, and reading it would wait.
            "special".to_owned()
        };
        digests.insert(inside(&path, root), digest);
    }
    Ok(Some(digests))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout whose files are these, started by `start`.
    fn program(files: &[(&str, &[u8])], start: &str) -> Option<ProgramFiles> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let start: Vec<String> = start.split('|').map(str::to_owned).collect();
        let (dir, excluded) = (folder.path(), [folder.path().canonicalize().unwrap().join("out")]);
        let tree = ProgramTree { dir, root: dir, start: &start, excluded: &excluded };
        ProgramFiles::read(tree).unwrap()
    }

    #[test]
    fn programs_are_one_if_their_executables_and_libraries_are() {
        let side = |program_: &[u8], beside: &[u8], above: &[u8], stale: &[u8], start: &str| {
            let elf = |content: &[u8]| [b"\x7fELF", content].concat();
            let files: [(&str, &[u8]); 5] = [
                ("target/bin/api", &elf(program_)),
                ("target/bin/plugins/liba.so.1", &elf(beside)),
                ("target/lib/libb.so", &elf(above)),
                ("target/bin/deps/libmacros.so", &elf(stale)),
                ("src/main.c", stale),
            ];
            program(&files, start).unwrap()
        };
        let direct = "./target/bin/api|--port|{port}";
        let base = side(b"one", b"a", b"b", b"x", direct);
        assert_eq!(base, side(b"one", b"a", b"b", b"y", direct));
        assert_eq!(base, side(b"one", b"a", b"b", b"x", "sh|-c|exec ./target/bin/api"));
        assert_eq!(base.executable(), Some(Path::new("target/bin/api")));
        assert_eq!(base.sha256().len(), 64);
        assert_ne!(base.sha256(), base.digest());
        for other in [
            side(b"two", b"a", b"b", b"x", direct),
            side(b"one", b"z", b"b", b"x", direct),
            side(b"one", b"a", b"z", b"x", direct),
        ] {
            assert_ne!(base, other);
            assert_ne!(base.digest(), other.digest());
        }
    }

    #[test]
    fn an_interpreter_executes_all_of_the_tree_but_documentation() {
        let side = |code: &[u8], package: &[u8], text: &[u8]| {
            let files: [(&str, &[u8]); 5] = [
                ("app/api.py", code),
                ("node_modules/x/index.js", package),
                ("README.md", text),
                ("out/logs/base.log", text),
                ("app/__pycache__/api.pyc", text),
            ];
            program(&files, "python3|app/api.py").unwrap()
        };
        let base = side(b"1", b"2", b"3");
        assert_eq!((base.executable(), base.digests.len()), (None, 2));
        assert_eq!(base, side(b"1", b"2", b"other"));
        assert_ne!(base.sha256(), side(b"2", b"2", b"3").sha256());
        assert_ne!(base.sha256(), side(b"1", b"3", b"3").sha256());
    }

    #[test]
    fn a_program_outside_of_the_tree_is_no_part_of_it() {
        let files: [(&str, &[u8]); 1] = [("api.sh", b"#!/bin/sh\n")];
        for start in ["/bin/sh|api.sh", "./api.sh", "./missing"] {
            assert_eq!(program(&files, start).unwrap().executable(), None, "{start}");
        }
    }
}
