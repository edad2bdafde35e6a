//! Says of a line of base or head which line of base it is, or which hunk touches it.
//!
//! Two builds can be compared line by line only where their lines have one name: that of base. A line that a
//! hunk touches has none; one that changed its shape only keeps that of the line it stands for.

use std::collections::HashMap;
use std::sync::Arc;

use record::Side;
use record::causes::LineSpan;

use super::diff::{HunkKind, LineEdit, SourceDiff, SourceHunk};

/// What a line is, on either side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MappedLine {
    /// A hunk touches it; its number.
    Hunk(usize),
    /// It is this line of base.
    Base {
        /// The file's path in base, or in head if it is new there.
        file: Arc<str>,
        /// The line, from 1.
        line: u32,
    },
}

/// The lines of all files that differ.
#[derive(Debug, Clone, Default)]
pub struct LineMap {
    /// By the path in base.
    base: HashMap<Arc<str>, FileLines>,
    /// By the path in head.
    head: HashMap<Arc<str>, FileLines>,
}

#[derive(Debug, Clone)]
struct FileLines {
    /// The path in base.
    name: Arc<str>,
    /// Each edit, in order, with the hunk that it is a part of, unless it is of shape only.
    edits: Vec<(LineEdit, Option<usize>)>,
}

impl LineMap {
    /// Maps the lines of a diff whose hunks are these, of [`SourceDiff::hunks`].
    pub fn new(diff: &SourceDiff, hunks: &[SourceHunk]) -> Self {
        let mut map = Self::default();
        for file in &diff.files {
            let name = file.base.as_deref().or(file.head.as_deref()).unwrap_or_default();
            let owner = |edit: &LineEdit| {
                hunks.iter().position(|hunk| {
                    hunk.kind == HunkKind::Lines
                        && (&hunk.base_path, &hunk.head_path) == (&file.base, &file.head)
                        && hunk.edits.contains(edit)
                })
            };
            let edits = file.edits.iter().map(|edit| (*edit, owner(edit))).collect();
            let lines = FileLines { name: name.into(), edits };
            if let Some(head) = &file.head {
                map.head.insert(head.as_str().into(), lines.clone());
            }
            if let Some(base) = &file.base {
                map.base.insert(base.as_str().into(), lines);
            }
        }
        map
    }

    /// Returns what a line of a side is, of the file whose path ends so.
    pub(super) fn find_by_end(&self, side: Side, end: &Arc<str>, line: u32) -> MappedLine {
        let files = match side {
            Side::Base => &self.base,
            Side::Head => &self.head,
        };
        let is_same = |path: &str| {
            let longer = path.strip_suffix(end.as_ref()).or_else(|| end.strip_suffix(path));
            longer.is_some_and(|start| start.is_empty() || start.ends_with('/'))
        };
        let found = files.keys().find(|path| is_same(path)).map_or(end, |path| path);
        self.find(side, found, line)
    }

    /// Returns what a line of a side is.
    pub fn find(&self, side: Side, file: &Arc<str>, line: u32) -> MappedLine {
        let files = match side {
            Side::Base => &self.base,
            Side::Head => &self.head,
        };
        match files.get(file) {
            Some(lines) => lines.find(side, line),
            None => MappedLine::Base { file: Arc::clone(file), line },
        }
    }
}

impl FileLines {
    fn find(&self, side: Side, line: u32) -> MappedLine {
        let of_side = |edit: &LineEdit| match side {
            Side::Base => edit.base,
            Side::Head => edit.head,
        };
        let here = self.edits.iter().find(|(edit, _)| holds(of_side(edit), line));
        let line = match (here, side) {
            (Some((_, Some(hunk))), _) => return MappedLine::Hunk(*hunk),
            // As many lines further into what it was before, and not beyond.
            (Some((edit, None)), Side::Head) => {
                let offset = (line - edit.head.start).min(edit.base.count.saturating_sub(1));
                edit.base.start + offset
            }
            (Some((_, None)) | None, Side::Base) => line,
            (None, Side::Head) => {
                let before = self.edits.iter().filter(|(edit, _)| ends_before(edit.head, line));
                let grown =
                    before.map(|(edit, _)| i64::from(edit.head.count) - i64::from(edit.base.count));
                u32::try_from(i64::from(line) - grown.sum::<i64>()).unwrap_or(line)
            }
        };
        MappedLine::Base { file: Arc::clone(&self.name), line }
    }
}

fn holds(span: LineSpan, line: u32) -> bool {
    span.count > 0 && (span.start..=span.end()).contains(&line)
}

/// Whether a stretch lies before a line; an empty one lies behind the line that it names.
fn ends_before(span: LineSpan, line: u32) -> bool {
    if span.count == 0 { span.start < line } else { span.end() < line }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::diff::{FileDiff, SourceTexts};
    use super::*;

    /// A stretch of lines that stay, and then lines that go and come.
    pub(crate) fn script() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
        prop::collection::vec((1_u32..12, 0_u32..4, 0_u32..4), 0..6)
    }

    /// Both files of a script, and the edits between them.
    pub(crate) fn files(script: &[(u32, u32, u32)]) -> (Vec<String>, Vec<String>, Vec<LineEdit>) {
        let (mut base, mut head, mut edits) = (Vec::<String>::new(), Vec::<String>::new(), vec![]);
        let span = |lines: &[String], count: u32| {
            let before = u32::try_from(lines.len()).unwrap();
            LineSpan { start: if count == 0 { before } else { before + 1 }, count }
        };
        for (number, &(same, gone, new)) in script.iter().enumerate() {
            for _ in 0..same {
                let line = format!("same {}", base.len() + 1000 * number);
                base.push(line.clone());
                head.push(line);
            }
            if gone + new > 0 {
                edits.push(LineEdit { base: span(&base, gone), head: span(&head, new) });
            }
            base.extend((0..gone).map(|i| format!("gone {number} {i}")));
            head.extend((0..new).map(|i| format!("new {number} {i}")));
        }
        (base, head, edits)
    }

    proptest! {
        #[test]
        fn untouched_lines_are_the_lines_of_base_and_touched_ones_belong_to_their_hunk(
            script in script()
        ) {
            let (base, head, edits) = files(&script);
            let path = Some("src/a.rs".to_owned());
            let file = FileDiff { base: path.clone(), head: path, edits, is_binary: false };
            let diff = SourceDiff { files: vec![file] };
            let texts = SourceTexts {
                base: [("src/a.rs".to_owned(), base.join("\n"))].into(),
                head: [("src/a.rs".to_owned(), head.join("\n"))].into(),
                ..SourceTexts::default()
            };
            let hunks = diff.hunks(&texts);
            let map = LineMap::new(&diff, &hunks);
            let name: Arc<str> = "src/a.rs".into();
            for (side, lines) in [(Side::Base, &base), (Side::Head, &head)] {
                for (index, text) in lines.iter().enumerate() {
                    let line = u32::try_from(index + 1).unwrap();
                    match map.find(side, &name, line) {
                        MappedLine::Base { line, .. } => {
                            prop_assert_eq!(&base[line as usize - 1], text);
                        }
                        MappedLine::Hunk(hunk) => {
                            prop_assert!(!text.starts_with("same"));
                            let place = &hunks[hunk].place;
                            let span = if side == Side::Base { place.base } else { place.head };
                            prop_assert!(holds(span, line));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn lines_of_another_shape_keep_their_names() {
        let path = Some("a.rs".to_owned());
        let edit = LineEdit {
            base: LineSpan { start: 1, count: 1 },
            head: LineSpan { start: 1, count: 3 },
        };
        let file = FileDiff { base: path.clone(), head: path, edits: vec![edit], is_binary: false };
        let diff = SourceDiff { files: vec![file] };
        let map = LineMap::new(&diff, &[]);
        let lines = (1..=4).map(|line| map.find(Side::Head, &"a.rs".into(), line));
        let expected = [1, 1, 1, 2].map(|line| MappedLine::Base { file: "a.rs".into(), line });
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }
}
