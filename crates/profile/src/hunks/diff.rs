//! The hunks of a change, as `git diff` tells them.
//!
//! Edits that lie within twice the three lines of context that git shows are one hunk, as they are for a
//! reader. A hunk whose code is the same on both sides, but for comments and shape, is none. A manifest or a
//! lock file is one hunk, as its parts have no meaning by themselves.

use std::collections::{BTreeMap, BTreeSet};

use record::causes::{HunkPlace, LineSpan};

use super::code_text;

/// Unchanged lines between two edits of one hunk, at most.
const CONTEXT_LINES_MAX: u32 = 6;

/// Files whose parts have no meaning by themselves.
const MANIFESTS: [&str; 12] = [
    "CMakeLists.txt",
    "Cargo.lock",
    "Cargo.toml",
    "Makefile",
    "build.gradle",
    "go.mod",
    "go.sum",
    "meson.build",
    "package-lock.json",
    "package.json",
    "pom.xml",
    "rust-toolchain.toml",
];

/// What differs between the files of base and head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceDiff {
    /// The files, each once.
    pub files: Vec<FileDiff>,
}

/// What differs in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileDiff {
    /// Its path in base, from the root of the repository; none of a new file.
    pub base: Option<String>,
    /// Its path in head; none of a deleted file.
    pub head: Option<String>,
    /// The lines that differ, in order. Empty of a file that is no text.
    pub edits: Vec<LineEdit>,
    /// Whether git takes it for no text.
    pub is_binary: bool,
}

/// Lines of base that became lines of head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineEdit {
    /// In base.
    pub base: LineSpan,
    /// In head.
    pub head: LineSpan,
}

/// A hunk that may matter to what a program does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceHunk {
    /// Where it is.
    pub place: HunkPlace,
    /// Its file in base; none of a new file.
    pub base_path: Option<String>,
    /// Its file in head; none of a deleted file.
    pub head_path: Option<String>,
    /// The lines that differ, in order.
    pub edits: Vec<LineEdit>,
    /// What it is a part of.
    pub kind: HunkKind,
}

/// What a hunk is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HunkKind {
    /// A file of lines.
    Lines,
    /// A file whose hunks are one.
    Manifest,
    /// A file that is no text.
    Binary,
}

/// The texts of the files that differ, by their path on each side.
#[derive(Debug, Clone, Default)]
pub struct SourceTexts {
    /// Of base.
    pub base: BTreeMap<String, String>,
    /// Of head.
    pub head: BTreeMap<String, String>,
    /// The files that differ and whose text is not known, as they are in another encoding than UTF-8 or too large.
    pub unread: BTreeSet<String>,
}

impl SourceDiff {
    /// Reads what `git diff --unified=0 --src-prefix=a/ --dst-prefix=b/` prints. A file whose name git has to
    /// quote is left out.
    pub fn parse(text: &str) -> Self {
        let mut files: Vec<FileDiff> = Vec::new();
        let mut left = (0_u32, 0_u32);
        for line in text.lines() {
            // What is in a hunk may look like anything else.
            if left != (0, 0) && !line.starts_with("@@") {
                match line.as_bytes().first() {
                    Some(b'-') => left.0 = left.0.saturating_sub(1),
                    Some(b'+') => left.1 = left.1.saturating_sub(1),
                    _ => {}
                }
                continue;
            }
            if line.starts_with("diff --git ") {
                files.push(FileDiff::default());
            }
            let Some(file) = files.last_mut() else { continue };
            if let Some(edit) = edit(line) {
                left = (edit.base.count, edit.head.count);
                file.edits.push(edit);
            }
            file.header(line);
        }
        files.retain(|file| file.base.is_some() || file.head.is_some());
        Self { files }
    }

    /// Adds a file of head that git does not know.
    pub fn add_new_file(&mut self, path: &str, text: &str) {
        let count = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
        let edit = LineEdit { base: LineSpan::from((0, 0)), head: LineSpan::from((1, count)) };
        let head = Some(path.to_owned());
        self.files.push(FileDiff { head, edits: vec![edit], ..FileDiff::default() });
    }

    /// Returns the hunks that may matter, in the order of the diff.
    pub fn hunks(&self, texts: &SourceTexts) -> Vec<SourceHunk> {
        self.files.iter().flat_map(|file| file.hunks(texts)).collect()
    }
}

impl FileDiff {
    fn header(&mut self, line: &str) {
        let path = |line: &str, start: &str| {
            let path = line.strip_prefix(start)?;
            Some(path.trim_end_matches('\t').to_owned())
        };
        if let Some(path) = path(line, "--- a/").or_else(|| path(line, "rename from ")) {
            self.base = Some(path);
        } else if let Some(path) = path(line, "+++ b/").or_else(|| path(line, "rename to ")) {
            self.head = Some(path);
        } else if let Some(files) = line.strip_prefix("Binary files ") {
            let (base, head) = files.split_once(" and ").unwrap_or((files, ""));
            let side = |path: &str, start: &str| path.strip_prefix(start).map(str::to_owned);
            self.base = side(base, "a/");
            self.head = side(head.strip_suffix(" differ").unwrap_or(head), "b/");
            self.is_binary = true;
        }
    }

    /// The path that the file is called by.
    fn path(&self) -> &str {
        self.head.as_deref().or(self.base.as_deref()).unwrap_or_default()
    }

    fn hunks(&self, texts: &SourceTexts) -> Vec<SourceHunk> {
        let name = self.path().rsplit('/').next().unwrap_or_default();
        let hunk = |edits: &[LineEdit], kind: HunkKind| SourceHunk {
            place: HunkPlace {
                path: self.path().to_owned(),
                base: hull(edits.iter().map(|edit| edit.base)),
                head: hull(edits.iter().map(|edit| edit.head)),
            },
            base_path: self.base.clone(),
            head_path: self.head.clone(),
            edits: edits.to_vec(),
            kind,
        };
        if self.is_binary {
            return vec![hunk(&[], HunkKind::Binary)];
        }
        if MANIFESTS.contains(&name) && !self.edits.is_empty() {
            return vec![hunk(&self.edits, HunkKind::Manifest)];
        }
        if [&self.base, &self.head].into_iter().flatten().any(|path| texts.unread.contains(path)) {
            // It can be taken back as a whole only.
            return vec![hunk(&self.edits, HunkKind::Lines)];
        }
        let lines = |path: &Option<String>, texts: &BTreeMap<String, String>| {
            let text = path.as_ref().and_then(|path| Some((path, texts.get(path)?)));
            text.map(|(path, text)| code_text::code_lines(path, text)).unwrap_or_default()
        };
        let (base, head) = (lines(&self.base, &texts.base), lines(&self.head, &texts.head));
        let hunks = groups(&self.edits).into_iter().map(|edits| hunk(edits, HunkKind::Lines));
        hunks.filter(|hunk| !self.is_shape(hunk, &base, &head)).collect()
    }

    /// Whether the code of a hunk is the same on both sides.
    fn is_shape(&self, hunk: &SourceHunk, base: &[String], head: &[String]) -> bool {
        let of_base = stretch(base, hunk.place.base);
        let of_head = stretch(head, hunk.place.head);
        match (of_base, of_head) {
            (Some(base), Some(head)) => code_text::is_same_code(self.path(), base, head),
            (None, _) | (_, None) => false,
        }
    }
}

/// The lines of a stretch; none if the file has fewer, as one has that could not be read.
fn stretch(lines: &[String], span: LineSpan) -> Option<&[String]> {
    if span.count == 0 {
        return Some(&[]);
    }
    let start = usize::try_from(span.start.checked_sub(1)?).ok()?;
    lines.get(start..start + usize::try_from(span.count).ok()?)
}

/// Edits with few unchanged lines between them.
fn groups(edits: &[LineEdit]) -> Vec<&[LineEdit]> {
    edits.chunk_by(|one, next| next.base.start <= one.base.end() + 1 + CONTEXT_LINES_MAX).collect()
}

/// The stretch from the first of several to the last, of which the empty ones have no lines.
fn hull(mut spans: impl Iterator<Item = LineSpan> + Clone) -> LineSpan {
    let first = spans.next().unwrap_or(LineSpan { start: 0, count: 0 });
    let begin = |span: LineSpan| if span.count == 0 { span.start + 1 } else { span.start };
    let end = |span: LineSpan| begin(span) + span.count;
    let last = spans.last().unwrap_or(first);
    let count = end(last).saturating_sub(begin(first));
    LineSpan { start: if count == 0 { first.start } else { begin(first) }, count }
}

/// Reads `@@ -12,3 +14 @@`.
fn edit(line: &str) -> Option<LineEdit> {
    let mut words = line.strip_prefix("@@ ")?.split(' ');
    let span = |word: &str, sign: char| {
        let word = word.strip_prefix(sign)?;
        let (start, count) = word.split_once(',').unwrap_or((word, "1"));
        Some(LineSpan { start: start.parse().ok()?, count: count.parse().ok()? })
    };
    let (base, head) = (span(words.next()?, '-')?, span(words.next()?, '+')?);
    Some(LineEdit { base, head })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "\
diff --git a/Cargo.lock b/Cargo.lock
--- a/Cargo.lock
+++ b/Cargo.lock
@@ -3 +3 @@
-version = \"1\"
+version = \"2\"
@@ -90,2 +90,0 @@
--- a/not/a/file
-x
diff --git a/src/old name.rs b/src/new.rs
similarity index 98%
rename from src/old name.rs
rename to src/new.rs
--- a/src/old name.rs\t
+++ b/src/new.rs
@@ -2 +2 @@ fn f() {
-b
+B
@@ -5,0 +6,2 @@
+x
+y
@@ -30 +32 @@
-// one
+// two
diff --git a/logo.png b/logo.png
Binary files a/logo.png and b/logo.png differ
diff --git a/gone.c b/gone.c
deleted file mode 100644
--- a/gone.c
+++ /dev/null
@@ -1,2 +0,0 @@
-int a;
-int b;
";

    #[test]
    fn files_hunks_renames_and_deletions_are_read() {
        let mut texts = SourceTexts::default();
        let numbered = |edits: &[(usize, &str)], count: usize| {
            let line = |number: usize| {
                let edit = edits.iter().find(|(at, _)| *at == number);
                edit.map_or_else(|| format!("line{number}"), |(_, text)| (*text).to_owned())
            };
            (1..=count).map(line).collect::<Vec<_>>().join("\n")
        };
        texts.base.insert("src/old name.rs".into(), numbered(&[(2, "b"), (30, "// one")], 40));
        texts.head.insert("src/new.rs".into(), numbered(&[(2, "B"), (32, "// two")], 42));
        let hunks = SourceDiff::parse(DIFF).hunks(&texts);
        let lines = hunks.iter().map(|hunk| {
            let HunkPlace { path, base, head } = &hunk.place;
            let spans = [base, head].map(|span| format!("{},{}", span.start, span.count));
            format!("{path} -{} +{} {:?} {}", spans[0], spans[1], hunk.kind, hunk.edits.len())
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
        Cargo.lock -3,89 +3,88 Manifest 2
        src/new.rs -2,4 +2,6 Lines 2
        logo.png -0,0 +0,0 Binary 0
        gone.c -1,2 +0,0 Lines 1
        ");
    }

    /// To take one of its hunks back would take back all of them.
    #[test]
    fn a_file_that_cannot_be_read_is_one_hunk() {
        let unread = ["src/new.rs".to_owned()].into();
        let texts = SourceTexts { unread, ..SourceTexts::default() };
        let hunks = SourceDiff::parse(DIFF).hunks(&texts);
        let of_file: Vec<_> = hunks.iter().filter(|it| it.place.path == "src/new.rs").collect();
        assert_eq!((of_file.len(), of_file[0].edits.len()), (1, 3));
        assert_eq!(of_file[0].place.head, LineSpan { start: 2, count: 31 });
    }

    #[test]
    fn a_file_that_git_does_not_know_is_one_hunk() {
        let mut diff = SourceDiff::default();
        diff.add_new_file("src/new.rs", "fn f() {}\n\nfn g() {}\n");
        let texts = SourceTexts {
            head: [("src/new.rs".to_owned(), "fn f() {}\n\nfn g() {}\n".to_owned())].into(),
            ..SourceTexts::default()
        };
        let hunks = diff.hunks(&texts);
        assert_eq!(hunks.len(), 1);
        assert_eq!(hunks[0].place.head, LineSpan { start: 1, count: 3 });
        assert_eq!(hunks[0].base_path, None);
    }
}
