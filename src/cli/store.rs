//! Which store is meant: the one of the flag, else the configuration's, else a folder.

use std::env;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::cli::selection::note;
use baseline::{BaselineStore, DEFAULT_LOCATION};
use suite::config;

/// The flag that names a store.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StoreFlag {
    /// Where the baselines are: a folder, or the URL of another store [default: `[baseline] store` of
    /// xmlperf.toml, else `baselines`]
    #[arg(long, value_name = "URL", global = true)]
    store: Option<String>,
}

impl StoreFlag {
    /// Opens the store, under the configuration file that was given or is found from here. A folder that
    /// the flag names is taken from here, one of the configuration from the configuration's folder.
    pub(super) fn open(&self, config: Option<&Path>) -> anyhow::Result<BaselineStore> {
        let here = env::current_dir().context("failed to find the current folder")?;
        let file = config.map(|path| here.join(path)).or_else(|| config::find(&here));
        let (location, root) = match (&self.store, &file) {
            (Some(location), _) => (Some(location.clone()), None),
            (None, None) => (None, None),
            (None, Some(file)) => (config::store(file)?, file.parent()),
        };
        let location = location.as_deref().unwrap_or(DEFAULT_LOCATION);
        let store = BaselineStore::open(location, root.unwrap_or(&here))?;
        Ok(store.telling(Arc::new(|text| drop(note(text)))))
    }
}
