//! Says of each executable mapping of two processes whether its pages were placed anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plain_name;

/// A file that a process has mapped for execution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MappedFile {
    /// Its path, as the kernel knows it.
    pub path: PathBuf,
    /// Device and inode: equal for one file under two names.
    pub identity: (String, u64),
}

/// Where the pages of an executable mapping lie, the best state first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum MappingState {
    /// Both sides execute the same pages: an interpreter, a library of the system.
    Shared,
    /// Each launch has its own.
    Redrawn,
    /// One side executes it and the other nothing of its name, in every launch alike.
    OneSide,
    /// Each side has its own, and keeps them from launch to launch.
    NotRedrawn,
}

impl MappingState {
    /// Returns the state of a mapping that another launch pair showed too. What one side alone had loaded when
    /// it was looked at, and both at another time, is shared.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        match (self, other) {
            (Self::Shared, Self::OneSide) | (Self::OneSide, Self::Shared) => Self::Shared,
            _ => self.max(other),
        }
    }
}

/// Returns the files that a process executes from.
pub fn executable_mappings(pid: u32) -> io::Result<BTreeSet<MappedFile>> {
    Ok(parse(&fs::read_to_string(format!("/proc/{pid}/maps"))?))
}

fn parse(maps: &str) -> BTreeSet<MappedFile> {
    maps.lines().filter_map(executable).collect()
}

/// The file of a line such as `55d0-55f0 r-xp 00001000 fe:00 4711   /srv/api`.
fn executable(line: &str) -> Option<MappedFile> {
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.split_once(' ')?;
        rest = after.trim_start();
        Some(field)
    };
    let (_, mode, _, device, inode) = (field()?, field()?, field()?, field()?, field()?);
    let path = rest.strip_suffix(" (deleted)").unwrap_or(rest);
    let inode = inode.parse().ok()?;
    // Code that a process generates lies in memory files of its own, new at each launch.
    let generated = path.starts_with("/memfd:") || path.starts_with("/dev/zero");
    let is_file = inode != 0 && path.starts_with('/') && !generated;
    (mode.contains('x') && is_file)
        .then(|| MappedFile { path: PathBuf::from(path), identity: (device.to_owned(), inode) })
}

/// Returns the state of each executable mapping of both sides, by the file's name. Of two files of one
/// name, such as those of the two sides, the worse state stands.
pub fn mapping_states(
    base: &BTreeSet<MappedFile>,
    head: &BTreeSet<MappedFile>,
) -> BTreeMap<String, MappingState> {
    let sides = [base, head];
    let identities =
        sides.map(|side| side.iter().map(|file| &file.identity).collect::<BTreeSet<_>>());
    let names =
        sides.map(|side| side.iter().map(|file| plain_name(&file.path)).collect::<BTreeSet<_>>());
    let mut states = BTreeMap::new();
    for file in base.union(head) {
        let name = plain_name(&file.path);
        let state = if identities.iter().all(|side| side.contains(&file.identity)) {
            MappingState::Shared
        } else if is_copy(&file.path) {
            MappingState::Redrawn
        } else if names.iter().all(|side| side.contains(&name)) {
            MappingState::NotRedrawn
        } else {
            MappingState::OneSide
        };
        let name = name.unwrap_or_default().to_string_lossy().into_owned();
        let worst = states.entry(name).or_insert(state);
        *worst = state.max(*worst);
    }
    states
}

fn is_copy(path: &Path) -> bool {
    plain_name(path) != path.file_name()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "\
55d0a0000000-55d0a0001000 r--p 00000000 fe:00 11                         /b/api.xmlperf-0000000007-0000000000000009-000000
55d0a0001000-55d0a0009000 r-xp 00001000 fe:00 11                         /b/api.xmlperf-0000000007-0000000000000009-000000
7f0000000000-7f0000009000 r-xp 00001000 fe:00 90                         /usr/lib/libc.so.6
7f0000010000-7f0000019000 r-xp 00001000 fe:00 12                         /b/lib with space.so
7f0000020000-7f0000029000 rwxp 00000000 00:01 77                         /memfd:code (deleted)
7f0000030000-7f0000031000 r-xp 00000000 00:00 0                          [vdso]
7f0000040000-7f0000041000 r-xp 00000000 00:00 0 ";
    const HEAD: &str = "\
55d0b0001000-55d0b0009000 r-xp 00001000 fe:00 21                         /h/api.xmlperf-0000000007-0000000000000009-000001 (deleted)
7f0000000000-7f0000009000 r-xp 00001000 fe:00 90                         /usr/lib/libc.so.6
7f0000010000-7f0000019000 r-xp 00001000 fe:00 22                         /h/lib with space.so";

    #[test]
    fn a_mapping_is_redrawn_shared_or_neither() {
        let states = mapping_states(&parse(BASE), &parse(HEAD));
        let states: Vec<_> = states.iter().map(|(name, state)| (name.as_str(), *state)).collect();
        assert_eq!(
            states,
            [
                ("api", MappingState::Redrawn),
                ("lib with space.so", MappingState::NotRedrawn),
                ("libc.so.6", MappingState::Shared),
            ]
        );
    }

    #[test]
    fn a_side_that_executes_its_original_is_not_redrawn() {
        let head = HEAD.replace(".xmlperf-0000000007-0000000000000009-000001 (deleted)", "");
        let states = mapping_states(&parse(BASE), &parse(&head));
        assert_eq!(states["api"], MappingState::NotRedrawn);
    }

    #[test]
    fn what_one_side_alone_executes_is_shared_once_both_were_seen_to() {
        let later = "7f0000050000-7f0000059000 r-xp 00001000 fe:00 13    /usr/lib/libz.so.1\n";
        let one_side = mapping_states(&parse(BASE), &parse(&format!("{later}{HEAD}")));
        assert_eq!(one_side["libz.so.1"], MappingState::OneSide);
        let both = parse(later);
        let shared = mapping_states(&both, &both)["libz.so.1"];
        assert_eq!(one_side["libz.so.1"].joined(shared), MappingState::Shared);
        assert_eq!(shared.joined(one_side["libz.so.1"]), MappingState::Shared);
        assert_eq!(shared.joined(MappingState::NotRedrawn), MappingState::NotRedrawn);
    }

    #[test]
    fn this_very_process_executes_something() {
        let own = executable_mappings(std::process::id()).unwrap();
        let states = mapping_states(&own, &own);
        assert!(!states.is_empty());
        assert!(states.values().all(|state| *state == MappingState::Shared));
    }
}
