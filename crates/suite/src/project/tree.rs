//! The files of a folder that say something of its program, read within bounds.

use std::fmt;
use std::fs;
use std::path::Path;

use record::file::read_text_bounded;
use regex::Regex;

/// Files that are looked at, at most: the rest of a huge tree shows nothing more.
const FILES_MAX: usize = 2_000;
/// Folders within folders.
const DEPTH_MAX: usize = 8;
/// The largest file that is read: no manifest and hardly a source is larger.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Folders of what is built, fetched or made elsewhere.
const SKIPPED: [&str; 11] = [
    "node_modules",
    "target",
    "build",
    "dist",
    "out",
    "vendor",
    "venv",
    "env",
    "__pycache__",
    "obj",
    "third_party",
];

/// Parts of a path below which files are about tests or examples, not about the program.
const ASIDE: [&str; 8] =
    ["test", "tests", "spec", "__tests__", "testdata", "benches", "examples", "docs"];

const SOURCES: [&str; 14] = [
    "rs",
    "js",
    "mjs",
    "cjs",
    "ts",
    "py",
    "go",
    "java",
    "kt",
    "cs",
    "fs",
    "properties",
    "yml",
    "yaml",
];

/// Where something is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEvidence {
    /// The file, from the folder that was looked at.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for TreeEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The files of a folder, by their path from there, sorted.
#[derive(Debug, Default)]
pub(super) struct ProjectTree {
    files: Vec<ProjectFile>,
}

/// A file and its text.
#[derive(Debug)]
pub(super) struct ProjectFile {
    pub(super) path: String,
    pub(super) text: String,
}

impl ProjectTree {
    pub(super) fn read(folder: &Path) -> Self {
        let mut tree = Self::default();
        tree.enter(folder, "", 0);
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree
    }

    fn enter(&mut self, folder: &Path, prefix: &str, depth: usize) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        // The files of a folder before those below it: the bound then leaves out what is far away.
        entries.sort_by_key(|entry| (entry.path().is_dir(), entry.file_name()));
        for entry in entries {
            // A link may lead out of the folder, or around in it.
            let Ok(kind) = entry.file_type() else { continue };
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_odd = name.starts_with('.') || name.contains(char::is_control);
            if is_odd || self.files.len() >= FILES_MAX {
                continue;
            }
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            if kind.is_dir() && depth < DEPTH_MAX && !SKIPPED.contains(&name.as_str()) {
                self.enter(&entry.path(), &path, depth + 1);
            } else if kind.is_file() && is_telling(&name) {
                let text = read_text_bounded(&entry.path(), FILE_BYTES_MAX);
                self.files.extend(text.ok().map(|text| ProjectFile { path, text }));
            }
        }
    }

    /// The file at a path.
    pub(super) fn file(&self, path: &str) -> Option<&ProjectFile> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.file(path).is_some()
    }

    /// The files whose name, without its folders, is one of these.
    pub(super) fn named<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a ProjectFile> {
        self.files.iter().filter(|file| names.contains(&file.name()))
    }

    /// The files that end so and are no test.
    pub(super) fn ending<'a>(&'a self, ends: &'a [&str]) -> impl Iterator<Item = &'a ProjectFile> {
        let files = self.files.iter().filter(|file| !file.is_aside());
        files.filter(|file| ends.iter().any(|end| file.path.ends_with(end)))
    }

    /// The sources of the program.
    pub(super) fn sources(&self) -> impl Iterator<Item = &ProjectFile> {
        self.files.iter().filter(|file| !file.is_aside() && SOURCES.contains(&file.extension()))
    }

    /// The paths of files that describe an API.
    pub(super) fn descriptions(&self) -> Vec<String> {
        let is_description = |file: &&ProjectFile| match file.extension() {
            "wsdl" => true,
            "yaml" | "yml" => file.text.lines().any(|line| line.starts_with("openapi:")),
            "json" => file.text.get(..2_000).unwrap_or(&file.text).contains("\"openapi\""),
            _ => false,
        };
        let files = self.files.iter().filter(is_description);
        files.map(|file| file.path.clone()).collect()
    }
}

impl ProjectFile {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The path of its folder, with `/` at its end; empty at the root.
    pub(super) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| &self.path[..=folder.len()])
    }

    pub(super) fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, end)| end)
    }

    fn is_aside(&self) -> bool {
        let mut folders = self.folder().split('/');
        let stem = self.name().split('.').next().unwrap_or_default();
        let is_test = stem.starts_with("test_")
            || stem.ends_with("_test")
            || stem.ends_with("Test")
            || self.name().contains(".test.")
            || self.name().contains(".spec.");
        is_test || folders.any(|folder| ASIDE.contains(&folder))
    }

    /// The place of a byte of the text.
    pub(super) fn evidence(&self, at: usize) -> TreeEvidence {
        let line = self.text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        TreeEvidence { file: self.path.clone(), line }
    }

    /// The place of a text, or the first line.
    pub(super) fn evidence_of(&self, text: &str) -> TreeEvidence {
        self.evidence(self.text.find(text).unwrap_or(0))
    }

    /// The first group of the first match, and its place.
    pub(super) fn find(&self, pattern: &Regex) -> Option<(String, TreeEvidence)> {
        let found = pattern.captures(&self.text)?;
        let group = found.iter().skip(1).flatten().next().or(found.get(0))?;
        Some((group.as_str().to_owned(), self.evidence(group.start())))
    }
}

/// Whether a file's name says that it may be looked at.
fn is_telling(name: &str) -> bool {
    const NAMES: [&str; 11] = [
        "Cargo.toml",
        "Cargo.lock",
        "go.mod",
        "pom.xml",
        "mvnw",
        "gradlew",
        "Dockerfile",
        "poetry.lock",
        "uv.lock",
        "yarn.lock",
        "www",
    ];
    let extension = name.rsplit_once('.').map_or("", |(_, end)| end);
    let is_manifest =
        ["json", "toml", "gradle", "kts", "csproj", "fsproj", "wsdl", "txt"].contains(&extension);
    NAMES.contains(&name) || is_manifest || SOURCES.contains(&extension)
}
