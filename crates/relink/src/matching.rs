//! Two programs with their common functions at the same addresses.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sut::elf::{ElfFile, FunctionSymbol};
use sut::layout::FunctionPlaces;

use crate::failure::{RelinkError, unusable};
use crate::kept::{KeptLink, SymbolTable};
use crate::linker::OrderingLinker;
use crate::order::{FunctionOrder, MatchedOrder};

/// The share of functions that must lie at the same addresses.
const SHARE_MIN: f64 = 0.9;

/// How often functions that take another room are put last: each time, the next ones are seen.
const ROUNDS_MAX: usize = 12;

/// The names of both sides in files.
const SIDES: [&str; 2] = ["base", "head"];

/// Two links whose programs can be made with functions in one order.
#[derive(Debug)]
pub struct LayoutMatch {
    links: [KeptLink; 2],
    linker: OrderingLinker,
    order: MatchedOrder,
    places: FunctionPlaces,
    folder: PathBuf,
}

/// The programs of both sides, linked in one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramPair {
    /// Base's.
    pub base: PathBuf,
    /// Head's.
    pub head: PathBuf,
}

impl LayoutMatch {
    /// Finds an order in which the functions that both programs have lie at the same addresses. Links some
    /// times, in `folder`, which belongs to this match and is removed with it. An error if a link takes longer
    /// than `link_max`.
    pub fn find(
        base: KeptLink,
        head: KeptLink,
        folder: &Path,
        link_max: Duration,
    ) -> Result<Self, RelinkError> {
        let linker = OrderingLinker::find([&base, &head])?;
        let links = [base, head];
        let trial = TrialLinks { links: &links, folder };
        let began = sut::now();
        let [base, head] = trial.functions(|_| Ok(linker.plain()))?;
        let took = began.elapsed() / 2;
        if took > link_max {
            return Err(RelinkError::SlowLink { took });
        }
        let mut order = MatchedOrder::new(&base, &head);
        let mut places = FunctionPlaces::compare(&base, &head);
        for _ in 0..ROUNDS_MAX {
            let ordered = |side| arguments(&linker, &order, FunctionOrder::OfBase, side, folder);
            let [base, head] = trial.functions(ordered)?;
            places = FunctionPlaces::compare(&base, &head);
            if order.put_last(&base, &head) == 0 {
                break;
            }
        }
        if places.share() < SHARE_MIN {
            return Err(RelinkError::FewInPlace { share: places.share() });
        }
        Ok(Self { links, linker, order, places, folder: folder.to_owned() })
    }

    /// Returns how many functions of both programs lie at the same addresses.
    pub fn places(&self) -> FunctionPlaces {
        self.places
    }

    /// Links both programs in an order, into files that begin with `name`. What the build leaves out of
    /// its programs is left out here as well.
    pub fn link(&self, order: FunctionOrder, name: &str) -> Result<ProgramPair, RelinkError> {
        let program = |side: usize| {
            let output = self.folder.join(format!("{name}-{}", SIDES[side]));
            let more = arguments(&self.linker, &self.order, order, side, &self.folder)?;
            self.links[side].link(&output, &more, SymbolTable::AsBuilt)?;
            Ok(output)
        };
        Ok(ProgramPair { base: program(0)?, head: program(1)? })
    }
}

impl Drop for LayoutMatch {
    fn drop(&mut self) {
        // What stays is removed before the next match.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Links of both sides that are looked at and not executed.
struct TrialLinks<'a> {
    links: &'a [KeptLink; 2],
    folder: &'a Path,
}

impl TrialLinks<'_> {
    /// Links both sides, each with its arguments, and returns their functions.
    fn functions(
        &self,
        arguments: impl Fn(usize) -> Result<Vec<String>, RelinkError>,
    ) -> Result<[Vec<FunctionSymbol>; 2], RelinkError> {
        let side = |side: usize| {
            let output = self.folder.join("trial");
            self.links[side].link(&output, &arguments(side)?, SymbolTable::Whole)?;
            let functions = ElfFile::open(&output).map_err(unusable(&output))?.functions();
            functions
                .filter(|functions| !functions.is_empty())
                .ok_or(RelinkError::NoSymbols { program: output })
        };
        Ok([side(0)?, side(1)?])
    }
}

/// The arguments of a link in an order, which is written into the folder.
fn arguments(
    linker: &OrderingLinker,
    order: &MatchedOrder,
    function_order: FunctionOrder,
    side: usize,
    folder: &Path,
) -> Result<Vec<String>, RelinkError> {
    let file = folder.join(format!("order-{}", SIDES[side]));
    let names = order.names(side, function_order).join("\n");
    fs::write(&file, names + "\n").map_err(unusable(&file))?;
    Ok(linker.ordered(&file))
}
