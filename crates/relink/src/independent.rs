//! Two programs with their functions in orders that are drawn for each by itself.
//!
//! Go's linker takes no order, but draws one from a seed. One seed for both sides would not do: where one side
//! has a function more, it draws quite another order. So functions of both sides do not lie at the same
//! addresses, and what that costs is chance from launch pair to launch pair instead of an offset of all.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::failure::RelinkError;
use crate::go_link;
use crate::kept::{KeptLink, SymbolTable};
use crate::matching::ProgramPair;

/// What the trial draws its orders from.
const TRIAL_SEED: u64 = 1;

/// Two links whose programs can be made with functions in orders of their own.
#[derive(Debug)]
pub struct IndependentDraws {
    links: [KeptLink; 2],
    folder: PathBuf,
}

impl IndependentDraws {
    /// Links both sides once, in `folder`, which belongs to these draws and is removed with them. An error if that
    /// cannot be done.
    pub fn find(base: KeptLink, head: KeptLink, folder: &Path) -> Result<Self, RelinkError> {
        for link in [&base, &head] {
            Self::ensure_possible(link)?;
        }
        let draws = Self { links: [base, head], folder: folder.to_owned() };
        draws.link(TRIAL_SEED, "trial")?;
        Ok(draws)
    }

    /// Fails if the linker draws no order, as far as can be known without linking.
    pub fn ensure_possible(link: &KeptLink) -> Result<(), RelinkError> {
        if !link.is_of_go() {
            return Err(RelinkError::DrawnOnly);
        }
        if let Some(argument) = go_link::own_order(link.arguments()) {
            return Err(RelinkError::OwnOrder { argument: argument.to_owned() });
        }
        match go_link::undrawn_release(&version(link)) {
            Some(release) => Err(RelinkError::OldGoLinker { release: release.to_owned() }),
            None => Ok(()),
        }
    }

    /// Links both programs, each in an order of its own that follows from the seed, into files that begin with
    /// `name`.
    pub fn link(&self, seed: u64, name: &str) -> Result<ProgramPair, RelinkError> {
        let program = |side: usize, of: &str| {
            let output = self.folder.join(format!("{name}-{of}"));
            let more = [go_link::drawn(seed_of(seed, of))];
            self.links[side].link(&output, &more, SymbolTable::AsBuilt)?;
            Ok(output)
        };
        Ok(ProgramPair { base: program(0, "base")?, head: program(1, "head")? })
    }
}

/// What the linker says of its version; a linker that cannot be called says nothing, and fails when it links.
fn version(link: &KeptLink) -> String {
    let said = link.command().arg("-V=full").output().map(|output| output.stdout);
    String::from_utf8_lossy(&said.unwrap_or_default()).into_owned()
}

/// The seed of a side's own order.
fn seed_of(seed: u64, side: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(side);
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Drop for IndependentDraws {
    fn drop(&mut self) {
        // What stays is removed before the next draws.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
