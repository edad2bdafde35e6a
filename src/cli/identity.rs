//! The flag that decides what follows where both builds are one program.

use crate::app::identity::IdenticalPrograms;

/// What follows where both builds are one program.
#[derive(Debug, clap::Args)]
pub(super) struct IdentityFlag {
    /// Measure even if both builds are one program, byte for byte
    #[arg(long)]
    always_measure: bool,
}

impl IdentityFlag {
    /// Returns what the flag means.
    pub(super) fn choice(&self) -> IdenticalPrograms {
        if self.always_measure { IdenticalPrograms::Measure } else { IdenticalPrograms::Skip }
    }
}
