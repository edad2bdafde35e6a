//! Says whether two builds are one program, so that there is nothing to measure.
//!
//! Builds of one commit in two folders are byte-identical for most toolchains. Where they are, and
//! where what changed between the commits cannot be read by the program, any difference that a
//! measurement finds is an error of the measurement.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::units;

/// What files that no program reads end in.
const DOCUMENT_EXTENSIONS: [&str; 7] = ["adoc", "asciidoc", "markdown", "md", "org", "rst", "tex"];

/// What files that no program reads are called, whatever their extension.
const DOCUMENT_NAMES: [&str; 8] = [
    "AUTHORS",
    "CHANGELOG",
    "CODEOWNERS",
    "CONTRIBUTING",
    "COPYING",
    "LICENSE",
    "NOTICE",
    "README",
];

/// Files of a repository that describe it to its tools and forges.
const TOOL_FILES: [&str; 4] = [".editorconfig", ".gitattributes", ".gitignore", ".mailmap"];

/// Folders below the program's that libraries of its own are looked for in.
const LIBRARY_DEPTH: usize = 2;

/// Where one side is started from, and how.
#[derive(Debug, Clone, Copy)]
pub struct ProgramTree<'a> {
    /// The folder that it is started in.
    pub dir: &'a Path,
    /// First word of the command that starts it.
    pub program: &'a str,
}

/// The files that a side executes from its own tree, by their names from the program's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramFiles {
    /// SHA-256 of each file, in hexadecimal digits.
    digests: BTreeMap<PathBuf, String>,
    executable: PathBuf,
}

impl ProgramFiles {
    /// Reads the executable and the libraries beside it. None where the start command names no ELF
    /// file of the tree: an interpreter executes the tree itself.
    pub fn read(tree: ProgramTree<'_>) -> io::Result<Option<Self>> {
        let path = tree.dir.join(tree.program);
        if !tree.program.contains('/') || !is_elf(&path) {
            return Ok(None);
        }
        let path = path.canonicalize()?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let executable = PathBuf::from(path.file_name().unwrap_or_default());
        let mut digests = BTreeMap::from([(executable.clone(), digest(&path)?)]);
        libraries(folder, folder, LIBRARY_DEPTH, &mut digests)?;
        Ok(Some(Self { digests, executable }))
    }

    /// Returns the SHA-256 of the executable, in hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.digests[&self.executable]
    }
}

/// Adds the shared objects below a folder.
fn libraries(
    root: &Path,
    folder: &Path,
    depth: usize,
    digests: &mut BTreeMap<PathBuf, String>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && depth > 0 {
            libraries(root, &path, depth - 1, digests)?;
        } else if kind.is_file() && is_library(&path) && is_elf(&path) {
            let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
            digests.insert(name, digest(&path)?);
        }
    }
    Ok(())
}

/// `libapi.so` and `libapi.so.1.2`.
fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".so") || name.contains(".so.")
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"\x7fELF"
}

fn digest(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut file = File::open(path)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(units::hex(&digest.finalize()));
        }
        digest.update(&piece[..read]);
    }
}

/// What of a repository a target can read.
#[derive(Debug, Clone, Copy)]
pub struct ProgramInputs<'a> {
    /// The target's folder from the repository's root, empty for the root itself.
    pub folder: &'a str,
    /// Files and folders that count whatever they are called, from that root.
    pub inputs: &'a [String],
}

impl ProgramInputs<'_> {
    /// Returns whether a changed file, by its path from the repository's root, can change what the
    /// program does: it lies in the target's folder and is no documentation, or is named as an input.
    pub fn include(&self, path: &str) -> bool {
        let is_input = self.inputs.iter().any(|input| is_within(path, input));
        is_input || (is_within(path, self.folder) && !is_documentation(path))
    }
}

fn is_within(path: &str, folder: &str) -> bool {
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    let rest = path.strip_prefix(folder);
    folder.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns whether a file of a repository is read by people and their tools only.
fn is_documentation(path: &str) -> bool {
    let path = Path::new(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
    let of_forge = path.starts_with(".github") || path.starts_with(".gitlab");
    // Without an extension, or with one of prose: `LICENSE-MIT`, `README.txt`, but not `readme.rs`.
    let prose = extension.is_empty() || extension == "txt";
    let named = DOCUMENT_NAMES.iter().any(|it| stem.to_uppercase().starts_with(it));
    of_forge
        || TOOL_FILES.contains(&name.as_ref())
        || DOCUMENT_EXTENSIONS.contains(&extension.to_lowercase().as_str())
        || (prose && named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_is_what_no_program_reads() {
        for path in [
            "README.md",
            "docs/guide.rst",
            "LICENSE-MIT",
            "api/CHANGELOG",
            "COPYING.txt",
            ".github/workflows/ci.yml",
            ".gitignore",
        ] {
            assert!(is_documentation(path), "{path}");
        }
        for path in [
            "src/main.rs",
            "readme.rs",
            "notice_board.py",
            "data/words.txt",
            "Cargo.lock",
            "templates/answer.xml",
            "docs/serve.py",
            "Makefile",
        ] {
            assert!(!is_documentation(path), "{path}");
        }
    }

    #[test]
    fn what_a_target_reads_lies_in_its_folder_or_is_named() {
        let inputs = ["shared/schema".to_owned(), "./api/help.md".to_owned()];
        let target = ProgramInputs { folder: "api", inputs: &inputs };
        for (path, expected) in [
            ("api/src/main.rs", true),
            ("api/README.md", false),
            ("api/help.md", true),
            ("shared/schema/a.xsd", true),
            ("shared/schemata", false),
            ("apiary/main.rs", false),
            ("web/index.js", false),
        ] {
            assert_eq!(target.include(path), expected, "{path}");
        }
        let root = ProgramInputs { folder: "", inputs: &[] };
        assert!(root.include("web/index.js") && !root.include("web/index.md"));
    }

    #[test]
    fn programs_are_one_if_their_files_are_and_their_libraries_too() {
        let side = |program: &[u8], library: &[u8]| {
            let folder = tempfile::tempdir().unwrap();
            let bin = folder.path().join("bin");
            fs::create_dir_all(bin.join("lib")).unwrap();
            fs::write(bin.join("api"), [b"\x7fELF", program].concat()).unwrap();
            fs::write(bin.join("lib/liba.so.1"), [b"\x7fELF", library].concat()).unwrap();
            fs::write(bin.join("notes.txt"), program).unwrap();
            let tree = ProgramTree { dir: folder.path(), program: "./bin/api" };
            ProgramFiles::read(tree).unwrap().unwrap()
        };
        let (base, same) = (side(b"one", b"a"), side(b"one", b"a"));
        assert_eq!(base, same);
        assert_eq!(base.sha256().len(), 64);
        assert_ne!(base, side(b"two", b"a"));
        assert_ne!(base, side(b"one", b"b"));
    }

    #[test]
    fn an_interpreter_executes_the_tree_and_no_file_of_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("run.sh"), "#!/bin/sh\n").unwrap();
        for program in ["./run.sh", "python3", "./missing"] {
            let tree = ProgramTree { dir: folder.path(), program };
            assert_eq!(ProgramFiles::read(tree).unwrap(), None);
        }
    }
}
