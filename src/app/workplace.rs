//! What a use case needs to know of the process that it runs in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use runner::machine::MachineLifetime;
use sha2::{Digest as _, Sha256};
use units::environment::ProcessEnvironment;

/// The surroundings of a use case, as plain values: reading them from the process is for `cli`.
#[derive(Debug, Clone)]
pub struct Workplace {
    /// The current folder.
    pub folder: PathBuf,
    /// This program, which serves the embedded reference API.
    pub program: PathBuf,
    /// The user's folder for caches, where there is one.
    pub cache: Option<PathBuf>,
    /// Where programs are looked for.
    pub search_path: OsString,
    /// The names of its variables, of which builds and targets get some.
    pub environment: ProcessEnvironment,
    /// How long this machine lasts.
    pub lifetime: MachineLifetime,
}

impl Workplace {
    /// Returns where the built versions of a repository are cached: outside its checkout, so that
    /// cleaning one does not cost the other, and by the path of its root, because two clones of one
    /// repository may be built with different tools.
    pub fn build_cache(&self, repository: &Path) -> Option<PathBuf> {
        let name = repository.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digest = Sha256::digest(repository.as_os_str().as_encoded_bytes());
        let digest = units::hex(&digest[..4]);
        Some(self.cache.as_ref()?.join("xmlperf").join(format!("{name}-{digest}")))
    }
}
