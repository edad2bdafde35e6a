//! Reads `xmlperf.toml` as people write it and fills in every default.
//!
//! Values are checked while they are parsed, so that the parser knows the line of whatever is wrong:
//! a wrong file never gets past this module, and every complaint names file, line and column.

mod command;
mod cost;
mod environment;
mod expect;
mod fault;
mod file;
mod headers;
mod hooks;
mod init_file;
mod load;
mod network;
mod operation;
mod own_gate;
mod payload;
mod placeholder;
mod presets;
mod ready;
mod service;
mod target;
mod values;

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::config::fault::SpannedFault;
use crate::config::file::ConfigFile;
use crate::config::target::TargetTables;
use crate::{SamplingPlan, Suite, TargetSpec, identity};
use record::bounds::CONFIG_BYTES_MAX;
use record::file::read_text_bounded;
use sut::network::NetworkConditions;

pub use crate::config::fault::{
    ConfigFault, ConfigFileError, CorpusReadError, LoadFault, OperationFault, PayloadFault,
    PlaceholderFault, ReadyFault, SchemaReadError, ServiceFault, TargetFault,
};
pub use crate::config::init_file::{initial, quoted};
pub use crate::config::payload::{read_corpus, read_schema};
pub use crate::config::presets::PRESETS;
pub use crate::config::values::OWN_HEADERS;

/// The file's name, looked for from the current folder upwards.
pub const FILE_NAME: &str = "xmlperf.toml";

/// Why a configuration cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum ConfigError {
    /// The file that was named does not exist or cannot be read.
    #[error("failed to read `{path}`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Something in the file is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] Box<ConfigFileError>),
    /// No scenario has the requested name.
    #[error("there is no scenario `{name}`")]
    #[diagnostic(help("there are {known}; for several of them, repeat `--scenario`"))]
    UnknownScenario {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
}

/// What the command line changes in a configuration.
#[derive(Debug, Clone, Default)]
pub struct ConfigOverrides {
    /// Names of the scenarios to keep; presets count. Empty: all of the file, or those that are measured
    /// by default.
    pub scenarios: Vec<String>,
    /// Seed of the payloads, instead of the file's.
    pub seed: Option<u64>,
    /// What is between load and target, instead of what the file says of each scenario.
    pub network: Option<NetworkConditions>,
}

/// Returns the configuration file that is in force in `folder`: there or in the nearest folder above
/// that has one, but not beyond the root of the repository.
pub fn find(folder: &Path) -> Option<PathBuf> {
    for folder in folder.ancestors() {
        let path = folder.join(FILE_NAME);
        if path.is_file() {
            return Some(path);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// Reads a configuration file. Commands in it run in the file's folder.
pub fn load(path: &Path, choice: &ConfigOverrides) -> Result<Suite, ConfigError> {
    let text = read_text_bounded(path, CONFIG_BYTES_MAX)
        .map_err(|source| ConfigError::Unreadable { path: path.to_path_buf(), source })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    parse(&text, &path.display().to_string(), folder.unwrap_or(Path::new(".")), choice)
}

/// Returns the suite of a folder without a configuration: the reference API under the scenarios that are
/// measured by default.
pub fn embedded(folder: &Path, choice: &ConfigOverrides) -> Result<Suite, ConfigError> {
    parse("", FILE_NAME, folder, choice)
}

/// Returns where a configuration file keeps baselines, if it says so.
pub fn store(path: &Path) -> Result<Option<String>, ConfigError> {
    Ok(read(path)?.store())
}

/// Returns where a configuration file keeps the evidence of attempts, if it says so.
pub fn attempts(path: &Path) -> Result<Option<String>, ConfigError> {
    Ok(read(path)?.attempts())
}

fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
    let text = read_text_bounded(path, CONFIG_BYTES_MAX)
        .map_err(|source| ConfigError::Unreadable { path: path.to_path_buf(), source })?;
    written(&text, &path.display().to_string())
}

/// Returns the target of a configuration, whose other tables are not looked at: another commit's may be of
/// another version. Commands run in `folder`.
pub fn target(text: &str, name: &str, folder: &Path) -> Result<TargetSpec, ConfigError> {
    let tables: TargetTables = written(text, name)?;
    tables.resolve(folder).map_err(|fault| faulty(text, name, fault))
}

/// The file as it is written.
fn written<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let fault = ConfigFault::Syntax(error.message().replace('\n', " "));
        faulty(text, name, SpannedFault::new(error.span().unwrap_or(0..0), fault))
    })
}

fn faulty(text: &str, name: &str, fault: SpannedFault) -> ConfigError {
    Box::new(ConfigFileError::new(name, text, fault)).into()
}

fn parse(
    text: &str,
    name: &str,
    folder: &Path,
    choice: &ConfigOverrides,
) -> Result<Suite, ConfigError> {
    let file: ConfigFile = written(text, name)?;
    let faulty = |fault| faulty(text, name, fault);
    let (chosen, plan) = match choice.scenarios.as_slice() {
        [] if file.has_no_scenario() => (file.default_names(), SamplingPlan::of_defaults()),
        names => (names.to_vec(), SamplingPlan::default()),
    };
    let (target, sampling, gate) = file.common(folder, &plan).map_err(faulty)?;
    let scenarios = file.scenarios(folder, choice.seed).map_err(faulty)?;
    let shipped = |preset: &presets::ScenarioPreset| {
        let scenario = file.preset(preset, folder, choice.seed);
        scenario.map_err(faulty)
    };
    let mut scenarios = presets::choose(scenarios, &chosen, shipped)?;
    if let Some(network) = choice.network {
        for scenario in &mut scenarios {
            scenario.network = Some(network).filter(NetworkConditions::shapes);
        }
    }
    let digest = identity::digest(&target, &scenarios, &sampling);
    let (lanes, counting) = file.counting(&gate);
    let (shard, cost) = (None, file.cost());
    Ok(Suite { target, scenarios, gate, sampling, lanes, counting, digest, shard, cost })
}

#[cfg(test)]
mod tests;
