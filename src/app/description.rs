//! Reads the description of an API, or a recording of its traffic, for a first configuration.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use interop::description::{self, ApiDescription, RequestTables};
use record::file::{read_bounded, read_text_bounded};

/// The largest description that is read, in bytes.
const DESCRIPTION_BYTES_MAX: u64 = 64 << 20;
/// The largest document that a description includes.
const PART_BYTES_MAX: u64 = 4 << 20;

/// A description that was read, as tables of a configuration.
#[derive(Debug)]
pub struct DescribedRequests {
    /// What was read, with what could not be carried over.
    pub description: ApiDescription,
    /// The same as text, and files beside it.
    pub tables: RequestTables,
}

/// Reads a description. Documents that it names are looked for from its folder.
pub(super) fn read(path: &Path) -> anyhow::Result<DescribedRequests> {
    let name = path.display().to_string();
    let failed = || format!("cannot read `{name}`");
    let bytes = read_bounded(path, DESCRIPTION_BYTES_MAX).with_context(failed)?;
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    let beside = |location: &str| {
        // A description may come from elsewhere: what it names on this machine is none of its own.
        let is_own = !location.starts_with('/') && !location.contains("://");
        let path = folder.join(location);
        is_own.then(|| read_text_bounded(&path, PART_BYTES_MAX).ok())?
    };
    let description = description::read(&bytes, &beside).with_context(failed)?;
    let tables = RequestTables::new(&description, &name);
    Ok(DescribedRequests { description, tables })
}
