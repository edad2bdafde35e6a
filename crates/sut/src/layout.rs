//! Says whether the functions of two builds lie at the same places.
//!
//! A change that moves functions moves CPU time by a standard deviation of 1 %, up to 2 %, whether or
//! not it does anything: which functions share lines of the caches is drawn by the linker. No
//! repetition of launches shows that, since it belongs to the build.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::placement::{ElfFile, is_same_file};

/// Where the code of head lies, against base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutState {
    /// Both sides execute one file, such as an interpreter: what differs is not machine code of a
    /// build.
    Shared,
    /// The code is byte for byte the same, or no function that both sides have was moved.
    Same,
    /// Functions lie at other addresses, or it is not known.
    NotRedrawn,
}

impl fmt::Display for LayoutState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Same => "same layout",
            Self::NotRedrawn => "not redrawn",
        })
    }
}

/// Compares the programs of both sides.
pub fn layout_state(base: &Path, head: &Path) -> LayoutState {
    if is_same_file(base, head) {
        return LayoutState::Shared;
    }
    let same = || {
        let (base, head) = (ElfFile::open(base).ok()?, ElfFile::open(head).ok()?);
        let same_code = base.code()? == head.code()?;
        Some(same_code || has_functions_in_place(&base.functions()?, &head.functions()?))
    };
    if same().unwrap_or(false) { LayoutState::Same } else { LayoutState::NotRedrawn }
}

/// Whether every function that both sides have lies at the same address; false if they have none in
/// common, as where symbols were stripped.
fn has_functions_in_place(
    base: &BTreeMap<String, Vec<u64>>,
    head: &BTreeMap<String, Vec<u64>>,
) -> bool {
    let mut common = base.iter().filter_map(|(name, of_base)| Some((of_base, head.get(name)?)));
    let any = common.clone().next().is_some();
    any && common.all(|(of_base, of_head)| of_base == of_head)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    /// Compiles C sources, in this order, where there is a compiler.
    fn compile(folder: &Path, name: &str, functions: &[&str]) -> Option<PathBuf> {
        let (source, program) = (folder.join(format!("{name}.c")), folder.join(name));
        let define = |name: &&str| {
            format!(
                "__attribute__((used, noinline)) int {name}(int x) {{ return x * 3 + {}; }}",
                name.len()
            )
        };
        let functions: Vec<_> = functions.iter().map(define).collect();
        fs::write(&source, format!("{}\nint main(void) {{ return 0; }}\n", functions.join("\n")))
            .unwrap();
        let compiler = Command::new("cc").args(["-O1", "-o"]).args([&program, &source]).status();
        compiler.is_ok_and(|status| status.success()).then_some(program)
    }

    #[test]
    fn a_layout_is_the_same_until_a_function_moves() {
        let folder = tempfile::tempdir().unwrap();
        let build = |name: &str, functions: &[&str]| compile(folder.path(), name, functions);
        let Some(base) = build("base", &["first", "second"]) else {
            // Without a compiler there is nothing to compare.
            return;
        };
        let again = build("again", &["first", "second"]).unwrap();
        let moved = build("moved", &["an_inserted_one", "first", "second"]).unwrap();
        assert_eq!(layout_state(&base, &base), LayoutState::Shared);
        assert_eq!(layout_state(&base, &again), LayoutState::Same);
        assert_eq!(layout_state(&base, &moved), LayoutState::NotRedrawn);
        assert_eq!(layout_state(&base, &folder.path().join("base.c")), LayoutState::NotRedrawn);
    }

    #[test]
    fn functions_in_place_are_those_that_both_sides_have() {
        let functions = |of: &[(&str, &[u64])]| {
            of.iter()
                .map(|(name, at)| ((*name).to_owned(), at.to_vec()))
                .collect::<BTreeMap<_, _>>()
        };
        let base = functions(&[("a", &[1]), ("b", &[2, 9]), ("gone", &[3])]);
        let check = |head: &[(&str, &[u64])], expected| {
            assert_eq!(has_functions_in_place(&base, &functions(head)), expected, "{head:?}");
        };
        check(&[("a", &[1]), ("b", &[2, 9]), ("new", &[3])], true);
        check(&[("a", &[1]), ("b", &[2, 10])], false);
        check(&[("a", &[4])], false);
        check(&[("new", &[3])], false);
        check(&[], false);
    }
}
