//! The names that a hunk gives to something, and the names that a line uses.

use std::collections::{BTreeMap, BTreeSet};

use super::diff::{HunkKind, SourceHunk, SourceTexts};

/// Words after which a name is defined.
const DEFINING: [&str; 14] = [
    "const",
    "static",
    "fn",
    "type",
    "struct",
    "enum",
    "trait",
    "class",
    "def",
    "func",
    "define",
    "union",
    "typedef",
    "macro_rules",
];

/// Occurrences in the files that differ from which on a name says less.
const COMMON_FROM: f64 = 6.0;

/// A name that may be of a library has so many characters.
const LIBRARY_CHARS_MIN: usize = 4;

/// What a hunk defines.
#[derive(Debug, Clone, Default)]
pub(super) struct DefinedWords {
    /// Each with how much it says, at most 1.
    words: BTreeMap<String, f64>,
    /// Libraries of a lock file or manifest.
    libraries: BTreeSet<String>,
}

impl DefinedWords {
    /// Returns how much the words of a line say for this hunk, at most 1.
    pub(super) fn weight(&self, line: &BTreeSet<String>) -> f64 {
        let found = self.words.iter().filter(|(word, _)| line.contains(*word));
        found.map(|(_, weight)| *weight).fold(0.0, f64::max)
    }

    /// Returns whether a file is one of a library that the hunk names.
    pub(super) fn names_library(&self, file: &str) -> bool {
        file.split('/').any(|part| {
            self.libraries.iter().any(|name| {
                let rest = part.strip_prefix(name.as_str());
                rest.is_some_and(|rest| {
                    let version = rest.strip_prefix('-').unwrap_or(rest);
                    version.is_empty() || version.starts_with(|c: char| c.is_ascii_digit())
                })
            })
        })
    }
}

/// Returns what a hunk defines in base or head.
pub(super) fn defined(hunk: &SourceHunk, texts: &SourceTexts) -> DefinedWords {
    let sides = [
        (hunk.base_path.as_ref().and_then(|path| texts.base.get(path)), true),
        (hunk.head_path.as_ref().and_then(|path| texts.head.get(path)), false),
    ];
    let mut defined = DefinedWords::default();
    for (text, is_base) in sides {
        let lines: Vec<&str> = text.map(|text| text.lines().collect()).unwrap_or_default();
        for edit in &hunk.edits {
            let span = if is_base { edit.base } else { edit.head };
            let start = usize::try_from(span.start.saturating_sub(1)).unwrap_or(usize::MAX);
            for at in start..start + usize::try_from(span.count).unwrap_or(0) {
                match hunk.kind {
                    HunkKind::Lines => {
                        let names = lines.get(at).map(|line| names(line)).unwrap_or_default();
                        defined.words.extend(names.into_iter().map(|name| (name, 0.0)));
                    }
                    HunkKind::Manifest => defined.libraries.extend(library(&lines, at)),
                    HunkKind::Binary => {}
                }
            }
        }
    }
    for (word, weight) in &mut defined.words {
        *weight = (COMMON_FROM / occurrences(word, texts).max(1.0)).min(1.0);
    }
    defined
}

/// How many lines of the files that differ have a word.
fn occurrences(word: &str, texts: &SourceTexts) -> f64 {
    let lines = texts.base.values().flat_map(|text| text.lines());
    lines.filter(|line| line.contains(word) && all(line).contains(word)).count() as f64
}

/// The library that a line of a lock file or manifest is about.
fn library(lines: &[&str], at: usize) -> Option<String> {
    let value = |line: &str, key: &str| {
        let rest = line.trim().strip_prefix(key)?.trim_start().strip_prefix('=')?;
        Some(rest.trim().trim_matches('"').to_owned())
    };
    // In a lock file the name stands above what else there is of a package.
    let above = lines.get(..=at)?.iter().rev().take(8);
    let named =
        above.take_while(|line| !line.trim().is_empty()).find_map(|line| value(line, "name"));
    let key = || {
        let line = lines.get(at)?;
        line.contains('=').then(|| line.split('=').next().unwrap_or_default().trim().to_owned())
    };
    named.or_else(key).filter(|name| name.len() >= LIBRARY_CHARS_MIN)
}

/// Returns the words of a line.
pub(super) fn all(line: &str) -> BTreeSet<String> {
    let code = line.split("//").next().unwrap_or_default();
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words =
        words.filter(|word| word.len() > 2 && !word.starts_with(|c: char| c.is_ascii_digit()));
    words.map(str::to_owned).collect()
}

/// The names that a line defines.
fn names(line: &str) -> Vec<String> {
    let words: Vec<&str> = line
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let mut names: Vec<String> = words
        .windows(2)
        .filter(|pair| DEFINING.contains(&pair[0]) && pair[1] != "fn")
        .map(|pair| pair[1].to_owned())
        .collect();
    if words.first() == Some(&"impl") {
        // The type that a trait is implemented for, or that has the functions.
        let after = words.iter().position(|word| *word == "for").unwrap_or(0);
        names.extend(words.get(after + 1).map(|word| (*word).to_owned()));
    }
    names.retain(|name| name.len() > 2);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_are_defined() {
        for (line, expected) in [
            ("pub const ROUNDS: u32 = 4;", vec!["ROUNDS"]),
            ("#define BUFFER_SIZE 64", vec!["BUFFER_SIZE"]),
            ("impl Hasher for FastHash {", vec!["FastHash"]),
            ("    let rounds = 4;", vec![]),
            ("pub(crate) const fn rounds() -> u32 {", vec!["rounds"]),
        ] {
            assert_eq!(names(line), expected, "{line}");
        }
    }

    #[test]
    fn a_line_of_a_lock_file_is_about_its_package() {
        let lock = ["[[package]]", "name = \"quick-xml\"", "version = \"0.37\"", "", "x"];
        assert_eq!(library(&lock, 2), Some("quick-xml".to_owned()));
        assert_eq!(library(&["quick-xml = \"0.37\""], 0), Some("quick-xml".to_owned()));
        assert_eq!(library(&lock, 4), None);
        let mut words = DefinedWords::default();
        words.libraries.insert("quick-xml".to_owned());
        assert!(words.names_library("/registry/quick-xml-0.37.1/src/lib.rs"));
        assert!(!words.names_library("/registry/quick-xml-extra/src/lib.rs"));
    }
}
