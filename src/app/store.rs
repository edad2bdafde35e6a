//! Opens the baseline store that is meant: the one that is given, else the configuration's, else a
//! folder.

use std::path::{Path, PathBuf};

use baseline::{BaselineStore, DEFAULT_LOCATION};
use suite::config;

use crate::app::event::EventSink;

/// Which store is meant.
#[derive(Debug, Clone)]
pub struct StoreChoice {
    /// Its folder or URL; the configuration's if it is not given.
    pub location: Option<String>,
    /// The current folder.
    pub folder: PathBuf,
}

impl StoreChoice {
    /// Opens the store, under a configuration file or the one that is in force in the current
    /// folder. A relative location that is given is taken from the current folder, one of the
    /// configuration from the configuration's folder.
    pub fn open(
        &self,
        config: Option<&Path>,
        events: &dyn EventSink,
    ) -> anyhow::Result<BaselineStore> {
        let here = &self.folder;
        let file = config.map(|path| here.join(path)).or_else(|| config::find(here));
        let (location, root) = match (&self.location, &file) {
            (Some(location), _) => (Some(location.clone()), None),
            (None, None) => (None, None),
            (None, Some(file)) => (config::store(file)?, file.parent()),
        };
        let location = location.as_deref().unwrap_or(DEFAULT_LOCATION);
        open(location, root.unwrap_or(here), events)
    }
}

/// Opens the store at an address; a relative folder is taken from `root`.
pub(super) fn open(
    location: &str,
    root: &Path,
    events: &dyn EventSink,
) -> anyhow::Result<BaselineStore> {
    Ok(BaselineStore::open(location, root)?.telling(events.store_progress()))
}
