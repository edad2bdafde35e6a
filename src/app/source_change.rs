//! What differs between the files of base and head: the hunks, the lines, the texts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use checkout::HeadState;
use profile::hunks::diff::{FileDiff, SourceDiff, SourceHunk, SourceTexts};
use profile::hunks::line_map::LineMap;
use record::causes::HunkPlace;

use crate::app::builds::{BuildFinder, BuildPair};
use crate::app::identity;

/// A file of which lines are mapped has so many bytes at most: larger ones are data.
const TEXT_BYTES_MAX: u64 = 4 << 20;

/// What differs between base and head, and where their files are.
pub(super) struct SourceChange {
    pub(super) hunks: Vec<SourceHunk>,
    pub(super) texts: SourceTexts,
    pub(super) map: LineMap,
    pub(super) base_root: PathBuf,
    pub(super) head_root: PathBuf,
    /// The files that differ, but for documentation, from the root.
    pub(super) changed: Vec<PathBuf>,
}

impl SourceChange {
    /// Reads the change between two builds; none where they are not known to be of commits, or are of the
    /// same one.
    pub(super) fn read(
        finder: &BuildFinder<'_>,
        builds: &BuildPair,
        own: &[PathBuf],
    ) -> Result<Option<Self>> {
        let (Some(base_root), head_root) = builds.roots() else { return Ok(None) };
        let Some(head) = identity::head_state(builds) else { return Ok(None) };
        let Some(commit) = builds.base.revision.commit.as_deref() else { return Ok(None) };
        let dir = &finder.suite.target.dir;
        let head_root = match head_root {
            Some(root) => root.to_owned(),
            None => checkout::root(dir)?,
        };
        let changed = checkout::changed_files(dir, commit, head, own)?;
        let mut diff = SourceDiff::parse(&checkout::unified_diff(dir, commit, head)?);
        let is_changed = |path: &Option<String>| {
            path.as_ref().is_some_and(|path| changed.iter().any(|it| it == Path::new(path)))
        };
        diff.files.retain(|file| is_changed(&file.base) || is_changed(&file.head));
        if let HeadState::Checkout { .. } = head {
            add_new_files(&mut diff, &changed, &head_root);
        }
        let texts = texts(&diff, base_root, &head_root);
        let hunks = diff.hunks(&texts);
        let map = LineMap::new(&diff, &hunks);
        let base_root = base_root.to_owned();
        Ok(Some(Self { hunks, texts, map, base_root, head_root, changed }))
    }

    /// Returns the number of the hunk at a place.
    pub(super) fn hunk_at(&self, place: &HunkPlace) -> Option<usize> {
        self.hunks.iter().position(|hunk| hunk.place == *place)
    }
}

/// Adds the files that differ and that git's diff does not have, as it does not know them.
fn add_new_files(diff: &mut SourceDiff, changed: &[PathBuf], root: &Path) {
    for path in changed {
        let Some(name) = path.to_str() else { continue };
        let of_diff = |file: &FileDiff| {
            file.head.as_deref() == Some(name) || file.base.as_deref() == Some(name)
        };
        if diff.files.iter().any(of_diff) {
            continue;
        }
        if let Some(text) = text(&root.join(path)) {
            diff.add_new_file(name, &text);
        }
    }
}

fn texts(diff: &SourceDiff, base_root: &Path, head_root: &Path) -> SourceTexts {
    let read = |root: &Path, path: Option<&String>| {
        let path = path?;
        Some((path.clone(), text(&root.join(path))?))
    };
    let files = || diff.files.iter().filter(|file| !file.is_binary);
    let base: BTreeMap<_, _> =
        files().filter_map(|file| read(base_root, file.base.as_ref())).collect();
    let head: BTreeMap<_, _> =
        files().filter_map(|file| read(head_root, file.head.as_ref())).collect();
    let without = |path: &Option<String>, texts: &BTreeMap<String, String>| {
        path.clone().filter(|path| !texts.contains_key(path))
    };
    let unread = files()
        .flat_map(|file| [without(&file.base, &base), without(&file.head, &head)])
        .flatten()
        .collect();
    SourceTexts { base, head, unread }
}

fn text(path: &Path) -> Option<String> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > TEXT_BYTES_MAX {
        return None;
    }
    fs::read_to_string(path).ok()
}
