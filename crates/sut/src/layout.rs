//! Says whether the functions of two builds lie at the same places.
//!
//! A change that moves functions moves CPU time by a standard deviation of 1 %, up to 2 %, whether or
//! not it does anything: which functions share lines of the caches is drawn by the linker. No
//! repetition of launches shows that, since it belongs to the build.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::elf::{ElfFile, FunctionSymbol};
use crate::placement::is_same_file;

/// What the kernel moves at each launch: where a program begins is drawn by whole pages.
const PAGE_BYTES: i128 = 4096;

/// Where the code of head lies, against base, the best state first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutState {
    /// Both sides execute one file, such as an interpreter: what differs is not machine code of a
    /// build.
    Shared,
    /// The code is byte for byte the same, or no function that both sides have was moved.
    Same,
    /// Both sides were linked again, functions in the order of base.
    Matched,
    /// Both sides were linked again for each launch pair, functions in an order that was drawn for both.
    Drawn,
    /// Both sides were linked again for each launch pair, functions in an order that was drawn for each side by
    /// itself.
    DrawnIndependently,
    /// Functions lie at other addresses, or it is not known.
    NotRedrawn,
}

impl fmt::Display for LayoutState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Same => "same layout",
            Self::Matched => "matched",
            Self::Drawn => "drawn",
            Self::DrawnIndependently => "drawn independently",
            Self::NotRedrawn => "not redrawn",
        })
    }
}

/// Why both sides could not be linked again with their functions at the same addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutObstacle {
    /// Of one side no link was kept: it was given as it is, or linked by other means.
    NoLink,
    /// Linked again as it was, one side gives another file than the build did.
    NotReproduced,
    /// The linker takes no order of functions.
    LinkerWithoutOrder,
    /// The linker takes no order of functions and only draws one, for each side by itself.
    DrawnOnly,
    /// Go's linker is from before version 1.22, and draws no order.
    OldGoLinker,
    /// The build has an order of its own, which is part of the product.
    OwnOrder,
    /// Linking in another order failed.
    LinkFailed,
    /// Linking takes too long to be done for each launch pair unless that is configured.
    SlowLink,
    /// Too few functions would lie at the same addresses.
    FewInPlace,
    /// The program's folder takes no file, so that the one that was linked again cannot stand in its
    /// place.
    NotPlaced,
}

impl fmt::Display for LayoutObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLink => "no link of one side was kept",
            Self::NotReproduced => "linked again, a side gives another file",
            Self::LinkerWithoutOrder => "the linker takes no order of functions",
            Self::DrawnOnly => "the linker can only draw an order for each side by itself",
            Self::OldGoLinker => "Go's linker draws an order of functions from version 1.22 on",
            Self::OwnOrder => "the build has an order of functions of its own",
            Self::LinkFailed => "linking in another order failed",
            Self::SlowLink => "a link takes more than a second",
            Self::FewInPlace => "too few functions could be matched",
            Self::NotPlaced => "the program's folder takes no file",
        })
    }
}

/// How many functions of two programs lie at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionPlaces {
    /// Functions that both have, by their stable names.
    pub common: usize,
    /// Those of them that lie at the same address, but for the distance below.
    pub in_place: usize,
    /// How far all that are in place are moved, in bytes: whole pages.
    pub distance: i128,
}

impl FunctionPlaces {
    /// Compares the functions of two programs. Where head's code begins some whole pages later, functions
    /// count as in place all the same: the kernel draws the page that a program begins at anew for each
    /// launch.
    pub fn compare(base: &[FunctionSymbol], head: &[FunctionSymbol]) -> Self {
        let (base, head) = (addresses_by_name(base), addresses_by_name(head));
        let mut common = 0;
        let mut distances = BTreeMap::<i128, usize>::new();
        for (name, of_base) in &base {
            let Some(of_head) = head.get(name) else { continue };
            common += of_base.len().min(of_head.len());
            // One more or less of a name: which of them is which is not known.
            if of_base.len() == of_head.len() {
                for (base, head) in of_base.iter().zip(of_head) {
                    *distances.entry(i128::from(*head) - i128::from(*base)).or_default() += 1;
                }
            }
        }
        let in_page = distances.into_iter().filter(|(distance, _)| distance % PAGE_BYTES == 0);
        let (distance, in_place) = in_page.max_by_key(|(_, count)| *count).unwrap_or_default();
        Self { common, in_place, distance }
    }

    /// Returns the share of the common functions that are in place, 0 to 1; 0 where there are none.
    pub fn share(&self) -> f64 {
        if self.common == 0 { 0.0 } else { self.in_place as f64 / self.common as f64 }
    }

    /// Whether no function was moved; false where there are none, as where symbols were stripped.
    fn are_same(&self) -> bool {
        self.common > 0 && self.in_place == self.common && self.distance == 0
    }
}

/// Compares the programs of both sides, as they were built.
pub fn layout_state(base: &Path, head: &Path) -> LayoutState {
    if is_same_file(base, head) {
        return LayoutState::Shared;
    }
    let same = || {
        let (base, head) = (ElfFile::open(base).ok()?, ElfFile::open(head).ok()?);
        let same_code = base.code()? == head.code()?;
        let places = || Some(FunctionPlaces::compare(&base.functions()?, &head.functions()?));
        Some(same_code || places()?.are_same())
    };
    if same().unwrap_or(false) { LayoutState::Same } else { LayoutState::NotRedrawn }
}

/// The addresses of functions by their stable names, ascending.
fn addresses_by_name(functions: &[FunctionSymbol]) -> BTreeMap<String, Vec<u64>> {
    let mut addresses = BTreeMap::<String, Vec<u64>>::new();
    for function in functions {
        addresses.entry(function.stable_name()).or_default().push(function.address);
    }
    for addresses in addresses.values_mut() {
        addresses.sort_unstable();
    }
    addresses
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

    fn functions(of: &[(&str, &[u64])]) -> Vec<FunctionSymbol> {
        let symbol = |(name, at): (&str, &u64)| FunctionSymbol {
            name: name.to_owned(),
            address: *at,
            bytes: 16,
        };
        of.iter().flat_map(|(name, at)| at.iter().map(move |at| symbol((name, at)))).collect()
    }

    #[test]
    fn functions_in_place_are_those_that_both_sides_have() {
        let base = functions(&[("a", &[1]), ("b", &[2, 9]), ("gone", &[3])]);
        let check = |head: &[(&str, &[u64])], expected: bool| {
            let places = FunctionPlaces::compare(&base, &functions(head));
            assert_eq!(places.are_same(), expected, "{head:?}");
        };
        check(&[("a", &[1]), ("b", &[9, 2]), ("new", &[3])], true);
        check(&[("a", &[1]), ("b", &[2, 10])], false);
        check(&[("a", &[1]), ("b", &[2])], false);
        check(&[("a", &[4])], false);
        check(&[("new", &[3])], false);
        check(&[], false);
    }

    #[test]
    fn code_that_begins_whole_pages_later_is_in_place() {
        let base = functions(&[("a", &[16]), ("b", &[32]), ("c", &[48]), ("d", &[64])]);
        let moved_by = |bytes: u64| {
            let of = |address: u64| vec![address + bytes];
            let (a, b, c) = (of(16), of(32), of(48));
            let head = functions(&[("a", &a), ("b", &b), ("c", &c), ("d", &[8])]);
            FunctionPlaces::compare(&base, &head)
        };
        let places = moved_by(8192);
        assert_eq!((places.common, places.in_place, places.distance), (4, 3, 8192));
        assert!((places.share() - 0.75).abs() < 1e-9);
        assert!(!moved_by(8192).are_same());
        assert_eq!(moved_by(16).in_place, 0);
    }
}
