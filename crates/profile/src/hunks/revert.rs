//! Takes hunks of a change back: what files are without them, and which further hunks a compiler then names.
//!
//! Lines are put back one by one. `git apply --unidiff-zero` would put deletions in the wrong place where the
//! lines around them are alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use record::Side;

use super::diff::{HunkKind, LineEdit, SourceHunk, SourceTexts};
use super::line_map::{LineMap, MappedLine};

/// A compiler names a line at most so far from the one that is meant.
const NAMED_LINES: u32 = 2;

/// A file of head without some hunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantFile {
    /// The path from the root of the repository.
    pub path: String,
    /// What is there.
    pub content: VariantContent,
    /// The line of head that each line is, if it is one.
    origins: Vec<Option<u32>>,
}

/// What is at the path of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariantContent {
    /// This text.
    Text(String),
    /// Nothing: the file is one of head only.
    Absent,
    /// The file of base at this path.
    OfBase(String),
}

/// Returns the files of head that are other ones without some of the hunks.
pub fn reverted(
    hunks: &[SourceHunk],
    without: &BTreeSet<usize>,
    texts: &SourceTexts,
) -> Vec<VariantFile> {
    let mut files = BTreeMap::<&str, Vec<&SourceHunk>>::new();
    for hunk in without.iter().filter_map(|hunk| hunks.get(*hunk)) {
        files.entry(&hunk.place.path).or_default().push(hunk);
    }
    files.into_iter().map(|(path, hunks)| file(path, &hunks, texts)).collect()
}

fn file(path: &str, hunks: &[&SourceHunk], texts: &SourceTexts) -> VariantFile {
    let of = |content| VariantFile { path: path.to_owned(), content, origins: Vec::new() };
    let Some(base_path) = &hunks[0].base_path else { return of(VariantContent::Absent) };
    let whole = || of(VariantContent::OfBase(base_path.clone()));
    let Some(head_path) = &hunks[0].head_path else { return whole() };
    let (Some(base), Some(head)) = (texts.base.get(base_path), texts.head.get(head_path)) else {
        return whole();
    };
    if hunks.iter().any(|hunk| hunk.kind == HunkKind::Binary) {
        return whole();
    }
    let mut edits: Vec<LineEdit> = hunks.iter().flat_map(|hunk| hunk.edits.clone()).collect();
    edits.sort_by_key(|edit| (edit.head.start, edit.base.start));
    let (text, origins) = spliced(base, head, &edits);
    VariantFile { path: path.to_owned(), content: VariantContent::Text(text), origins }
}

/// Puts lines of base in the place of lines of head.
fn spliced(base: &str, head: &str, edits: &[LineEdit]) -> (String, Vec<Option<u32>>) {
    let (base, head): (Vec<&str>, Vec<&str>) =
        (base.split_inclusive('\n').collect(), head.split_inclusive('\n').collect());
    let (mut text, mut origins) = (String::new(), Vec::new());
    let mut add = |lines: &[&str], from: u32, until: u32, is_head: bool| {
        for number in from..until {
            let line = usize::try_from(number).ok().and_then(|number| lines.get(number));
            let Some(line) = line else { continue };
            // The last line of a file may lack its end.
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(line);
            origins.push(is_head.then_some(number + 1));
        }
    };
    let mut at = 0_u32;
    for edit in edits {
        // Lines before the edit; of an empty stretch, the line that it names is one of them.
        let until = if edit.head.count == 0 { edit.head.start } else { edit.head.start - 1 };
        add(&head, at, until, true);
        let start = edit.base.start.saturating_sub(1);
        add(&base, start, start + edit.base.count, false);
        at = until.max(at) + edit.head.count;
    }
    add(&head, at, u32::try_from(head.len()).unwrap_or(u32::MAX), true);
    (text, origins)
}

/// Returns the hunks that the errors of a compiler point at, in a build of these files.
pub fn named_by_compiler(log: &str, files: &[VariantFile], map: &LineMap) -> BTreeSet<usize> {
    let mut named = BTreeSet::new();
    // Rust names the place in a line of its own, below that of the error.
    let mut is_error = false;
    for line in log.lines() {
        let start = line.trim_start();
        if start.starts_with("error") {
            is_error = true;
        } else if start.starts_with("warning") {
            is_error = false;
        }
        let is_place = start.starts_with("-->") || start.starts_with(":::");
        if !(is_error && is_place || line.contains(": error") || line.contains("fatal error")) {
            continue;
        }
        for (path, number) in places(line) {
            named.extend(near(path, number, files, map));
        }
    }
    named
}

/// The hunk at a line, or next to it.
fn near(path: &str, number: u32, files: &[VariantFile], map: &LineMap) -> Option<usize> {
    let is_same =
        |known: &str| known == path || ends_with_path(path, known) || ends_with_path(known, path);
    let variant = files.iter().find(|file| is_same(&file.path));
    let name: Arc<str> = variant.map_or(path, |file| &file.path).into();
    let hunk = |number: u32| {
        let of_head = match variant {
            Some(file) if !file.origins.is_empty() => {
                let index = usize::try_from(number.checked_sub(1)?).ok()?;
                (*file.origins.get(index)?)?
            }
            Some(_) | None => number,
        };
        match map.find_by_end(Side::Head, &name, of_head) {
            MappedLine::Hunk(hunk) => Some(hunk),
            MappedLine::Base { .. } => None,
        }
    };
    let mut around =
        (0..=NAMED_LINES).flat_map(|away| [number.checked_sub(away), number.checked_add(away)]);
    around.find_map(|number| hunk(number?))
}

/// Whether a path ends with another one, whole names only.
fn ends_with_path(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|start| start.ends_with('/'))
}

/// `src/main.rs:12:5` and `src/main.c:12`, wherever they stand in a line.
fn places(line: &str) -> impl Iterator<Item = (&str, u32)> {
    line.split_whitespace().filter_map(|word| {
        let mut parts = word.split(':');
        let (path, number) = (parts.next()?, parts.next()?.parse().ok()?);
        let path = path.strip_prefix("./").unwrap_or(path);
        (!path.is_empty()).then_some((path, number))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::diff::{FileDiff, SourceDiff};
    use super::super::line_map::tests::{files, script};
    use super::*;

    /// The change of a file, and the texts of both sides.
    fn change(
        script: &[(u32, u32, u32)],
    ) -> (Vec<SourceHunk>, SourceTexts, LineMap, String, String) {
        let (base, head, edits) = files(script);
        let path = Some("src/a.rs".to_owned());
        let file = FileDiff { base: path.clone(), head: path, edits, is_binary: false };
        let diff = SourceDiff { files: vec![file] };
        let text = |lines: Vec<String>| lines.join("\n") + if lines.is_empty() { "" } else { "\n" };
        let (base, head): (String, String) = (text(base), text(head));
        let texts = SourceTexts {
            base: [("src/a.rs".to_owned(), base.clone())].into(),
            head: [("src/a.rs".to_owned(), head.clone())].into(),
            ..SourceTexts::default()
        };
        let hunks = diff.hunks(&texts);
        let map = LineMap::new(&diff, &hunks);
        (hunks, texts, map, base, head)
    }

    fn text(files: &[VariantFile], head: &str) -> String {
        match files {
            [VariantFile { content: VariantContent::Text(text), .. }] => text.clone(),
            _ => head.to_owned(),
        }
    }

    proptest! {
        #[test]
        fn without_all_hunks_head_is_base_and_without_none_head(script in script()) {
            let (hunks, texts, _, base, head) = change(&script);
            let all = (0..hunks.len()).collect();
            prop_assert_eq!(text(&reverted(&hunks, &all, &texts), &head), base);
            prop_assert_eq!(text(&reverted(&hunks, &BTreeSet::new(), &texts), &head), head);
        }

        #[test]
        fn one_hunk_goes_and_the_others_stay(script in script(), pick: prop::sample::Index) {
            let (hunks, texts, _, _, head) = change(&script);
            prop_assume!(!hunks.is_empty());
            let pick = pick.index(hunks.len());
            let text = text(&reverted(&hunks, &[pick].into(), &texts), &head);
            for (number, hunk) in hunks.iter().enumerate() {
                for edit in &hunk.edits {
                    let base = texts.base["src/a.rs"].lines().skip(edit.base.start as usize - 1);
                    for line in base.take(edit.base.count as usize) {
                        prop_assert_eq!(text.lines().any(|it| it == line), number == pick);
                    }
                }
            }
        }
    }

    #[test]
    fn errors_of_compilers_name_hunks_and_their_warnings_do_not() {
        // Two hunks, at lines 3 and 20 of head.
        let (hunks, texts, map, _, _) = change(&[(2, 1, 2), (15, 1, 1), (9, 1, 1)]);
        assert_eq!(hunks.len(), 3);
        let files = reverted(&hunks, &[0].into(), &texts);
        let log = "warning: unused\n  --> src/a.rs:29:1\nerror[E0425]: cannot find `x`\n\
                    --> src/a.rs:19:5\n";
        assert_eq!(named_by_compiler(log, &files, &map), [1].into());
        let log = "../src/a.rs:29:3: error: `x` undeclared\nsrc/b.rs:3: error: no\n";
        assert_eq!(named_by_compiler(log, &files, &map), [2].into());
        assert_eq!(named_by_compiler("src/a.rs:8: error: x", &files, &map), BTreeSet::new());
    }

    #[test]
    fn files_of_one_side_only_are_put_or_taken_whole() {
        let mut diff = SourceDiff::parse(
            "diff --git a/gone.c b/gone.c\n--- a/gone.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-int a;\n",
        );
        diff.add_new_file("new.c", "int b;\n");
        let hunks = diff.hunks(&SourceTexts::default());
        let files = reverted(&hunks, &[0, 1].into(), &SourceTexts::default());
        let contents = files.iter().map(|file| (file.path.as_str(), &file.content));
        assert_eq!(
            contents.collect::<Vec<_>>(),
            [
                ("gone.c", &VariantContent::OfBase("gone.c".to_owned())),
                ("new.c", &VariantContent::Absent)
            ]
        );
    }
}
