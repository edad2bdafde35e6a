//! The flag that names a baseline store.

use crate::app::evidence_exchange::EvidenceStoreChoice;
use crate::app::store::StoreChoice;
use crate::cli::process;

/// Which store is meant.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StoreFlag {
    /// Where the baselines are: a folder, or the URL of another store [default: `[baseline] store` of
    /// xmlperf.toml, else `baselines`]
    #[arg(long, value_name = "URL", global = true)]
    store: Option<String>,
}

impl StoreFlag {
    /// Returns the choice that the flag makes.
    pub(super) fn choice(&self) -> anyhow::Result<StoreChoice> {
        Ok(StoreChoice { location: self.store.clone(), folder: process::current_folder()? })
    }

    /// Returns the choice that the flag makes of where records of attempts are.
    pub(super) fn evidence_choice(&self) -> anyhow::Result<EvidenceStoreChoice> {
        Ok(EvidenceStoreChoice { location: self.store.clone(), folder: process::current_folder()? })
    }
}
