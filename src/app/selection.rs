//! What is measured, and where its results go: what the use cases that measure have in common.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::app::event::{Event, EventSink, ScenarioPurpose, WarningKind};
use crate::app::failure::{MissingTarget, UseCaseError};
use crate::app::out_lock;
use crate::app::prometheus;
use crate::app::result_room::{self, ResultRoom};
use crate::app::telemetry::Telemetry;
use crate::app::workplace::Workplace;
use compare::decision::DecisionRule;
use payload::LentValues;
use record::shard::ShardNumber;
use record::{RecordError, Run};
use runner::{LiveMetrics, StageClock};
use stats::evidence;
use suite::config::{self, ConfigOverrides};
use suite::{
    EvidenceLanes, LaneMode, LayoutMode, ReferenceChoice, Scenario, Suite, TargetSource, TargetSpec,
};
use sut::network::NetworkConditions;

/// The choice of what is measured.
#[derive(Debug, Clone)]
pub struct SuiteSelection {
    /// The process's surroundings.
    pub workplace: Workplace,
    /// Configuration file; without one, the nearest above the current folder, or none.
    pub config: Option<PathBuf>,
    /// Whether the configuration names the target.
    pub target: TargetChoice,
    /// Scenarios to measure; empty for the configuration's.
    pub scenarios: Vec<String>,
    /// Kinds of evidence to gather and nothing else; empty for those that can be.
    pub lanes: Vec<EvidenceLane>,
    /// The part of the scenarios to measure; all of them without one.
    pub shard: Option<ShardChoice>,
    /// Seed of the payloads, instead of the configuration's.
    pub payload_seed: Option<u64>,
    /// Network between load and target, instead of the configuration's.
    pub network: Option<NetworkConditions>,
    /// Where functions of both builds lie, instead of the configuration's choice.
    pub layout: Option<LayoutMode>,
    /// Seed of the order of launches and slices; drawn if it is not given.
    pub assignment_seed: Option<u64>,
    /// Folder for the run, the reports and the targets' output.
    pub out: PathBuf,
    /// Whether the checkout is built before it is measured.
    pub checkout_build: CheckoutBuild,
    /// Where to serve live metrics, if anywhere.
    pub metrics_address: Option<SocketAddr>,
    /// What sends metrics, if anything does.
    pub telemetry: Telemetry,
    /// The numbers of the run while it goes on.
    pub live: LiveMetrics,
    /// What adds up the time of the stages of a run.
    pub clock: StageClock,
    /// The options of the command line that shape the measurement, if it was called by one.
    pub invocation: Option<Vec<String>>,
}

/// The part of the scenarios that this machine measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardChoice {
    /// Which part.
    pub part: ShardNumber,
    /// The earlier run that says what each scenario takes; without one, the configuration does.
    pub times: Option<PathBuf>,
}

impl ShardChoice {
    /// Returns the earlier run. The first run of a project has none: no file is no failure.
    fn earlier(&self) -> Result<Option<Run>, RecordError> {
        let file = self.times.as_deref().filter(|path| path.exists());
        file.map(Run::load).transpose()
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetChoice {
    /// What the configuration names. Outside of a repository, that may be the reference API.
    Configured,
    /// The reference API inside this program, whatever configuration there is.
    Reference,
}

/// Whether a use case starts the configuration's target, or was given others on all sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetUse {
    /// It does.
    Needed,
    /// Others were given.
    Replaced,
}

impl TargetUse {
    /// Returns `Replaced` if every side was given otherwise.
    pub(super) fn unless(are_given: bool) -> Self {
        if are_given { Self::Replaced } else { Self::Needed }
    }
}

/// A kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceLane {
    /// Counted instructions and allocations.
    Work,
    /// Times and memory of launches.
    Time,
}

/// Whether `[target] build` runs in the checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutBuild {
    /// It does, if the configuration has one.
    Run,
    /// What is built already is measured.
    Skip,
}

impl SuiteSelection {
    /// Reads the configuration that is in force. Inside a repository it must name a target, if one is
    /// needed: nothing of the repository would be judged otherwise.
    pub(super) fn suite(&self, target: TargetUse) -> anyhow::Result<Suite> {
        let choice = ConfigOverrides {
            scenarios: self.scenarios.clone(),
            seed: self.payload_seed,
            network: self.network,
        };
        let here = &self.workplace.folder;
        let path = self.config_path();
        let mut suite = match &path {
            Some(path) => config::load(path, &choice)?,
            None => config::embedded(here, &choice)?,
        };
        if self.target == TargetChoice::Reference {
            suite.target.origin = TargetSource::Embedded(ReferenceChoice::Named);
        }
        if let Some(layout) = self.layout {
            suite.target.layout = layout;
        }
        if target == TargetUse::Needed {
            self.ensure_target(&suite, path)?;
        }
        self.ensure_variables(&suite.target)?;
        self.lend_variables(&mut suite)?;
        if suite.sampling.has_looks {
            // Looks of old could decide by fewer launch pairs than evidence can.
            let needed = evidence::values_needed(suite.gate.alpha, 1);
            suite.sampling.launch_pairs_max = suite.sampling.launch_pairs_max.max(needed);
        }
        if !self.lanes.is_empty() {
            let lane = |lane| if self.lanes.contains(&lane) { LaneMode::On } else { LaneMode::Off };
            suite.lanes =
                EvidenceLanes { work: lane(EvidenceLane::Work), time: lane(EvidenceLane::Time) };
        }
        if let Some(shard) = &self.shard {
            suite.keep_part(shard.part, shard.earlier()?.as_ref())?;
        }
        Ok(suite)
    }

    /// The configuration file that is in force, if one is.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        match self.target {
            TargetChoice::Configured => {
                self.config.clone().or_else(|| config::find(&self.workplace.folder))
            }
            TargetChoice::Reference => None,
        }
    }

    /// Fails if a variable that is handed on under another name is missing.
    pub(super) fn ensure_variables(&self, target: &TargetSpec) -> Result<(), UseCaseError> {
        let mut names = target.inherited_variables();
        let missing = names.find(|name| !self.workplace.environment.has(name));
        missing.map_or(Ok(()), |name| Err(UseCaseError::NoVariable { name: name.to_owned() }))
    }

    /// Hands the variables that requests name to them.
    fn lend_variables(&self, suite: &mut Suite) -> Result<(), UseCaseError> {
        let (names, environment) = (suite.request_variables(), &self.workplace.environment);
        if let Some(name) = names.iter().find(|name| !environment.has(name)) {
            return Err(UseCaseError::NoVariable { name: name.clone() });
        }
        suite.lend(&LentValues::new(environment.lend(names.iter().map(String::as_str))));
        Ok(())
    }

    fn ensure_target(&self, suite: &Suite, path: Option<PathBuf>) -> Result<(), UseCaseError> {
        let here = &self.workplace.folder;
        let is_in_repository = here.ancestors().any(|folder| folder.join(".git").exists());
        let is_default = suite.target.origin == TargetSource::Embedded(ReferenceChoice::Default);
        if !is_default || !is_in_repository {
            return Ok(());
        }
        let subject = match path {
            Some(path) => MissingTarget::Table { path },
            None => MissingTarget::Configuration { folder: here.clone() },
        };
        Err(UseCaseError::NoTarget { subject })
    }

    /// Makes ready what every measurement needs: the folder for results, and the server of live
    /// metrics. Before any build, so that a wrong address costs no time.
    pub fn prepare(&self, events: &mut dyn EventSink) -> anyhow::Result<()> {
        prepare_out(&self.out)?;
        out_lock::take(&self.out)?;
        let times = self.shard.as_ref().and_then(|shard| shard.times.as_deref());
        if let Some(path) = times.filter(|path| !path.exists()) {
            events.emit(Event::Warning(WarningKind::NoShardTimes { path }));
        }
        if let Some(address) = self.metrics_address {
            let address = prometheus::serve(address, &self.live)?;
            events.emit(Event::MetricsServed { address });
        }
        self.telemetry.start()?;
        Ok(())
    }

    /// Reserves the room that the results of a suite may take. Before any build, and given back where they
    /// are written.
    pub(super) fn reserve_room(&self, suite: &Suite) -> Result<ResultRoom, UseCaseError> {
        ResultRoom::reserve(&self.out, result_room::forecast(suite))
    }

    /// Returns the full paths of the folders that this program writes to: the one for results and `others`.
    pub fn own_folders(&self, others: &[&Path]) -> Vec<PathBuf> {
        let here = &self.workplace.folder;
        let here = here.canonicalize().unwrap_or_else(|_| here.clone());
        others.iter().copied().chain([self.out.as_path()]).map(|it| here.join(it)).collect()
    }

    /// Returns the seed of the order of launches and slices: the one that was given, or a fresh one.
    pub fn assignment_seed(&self) -> anyhow::Result<u64> {
        if let Some(seed) = self.assignment_seed {
            return Ok(seed);
        }
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).context("failed to draw the seed of the coins")?;
        Ok(u32::from_ne_bytes(bytes).into())
    }
}

/// Makes the folder for results, and keeps it out of the user's repository.
pub(super) fn prepare_out(out: &Path) -> anyhow::Result<()> {
    let failed = || format!("failed to create `{}`", out.display());
    fs::create_dir_all(out).with_context(failed)?;
    let ignore = out.join(".gitignore");
    if !ignore.exists() {
        fs::write(ignore, "*\n").with_context(failed)?;
    }
    Ok(result_room::ensure(out, result_room::ROOM_BYTES_MIN)?)
}

/// Leaves the first scenario, and warns if there are more.
pub(super) fn keep_first_scenario(
    suite: &mut Suite,
    purpose: ScenarioPurpose,
    events: &mut dyn EventSink,
) -> anyhow::Result<Scenario> {
    let several = suite.scenarios.len() > 1;
    suite.scenarios.truncate(1);
    let scenario = suite.scenarios.first().context("there is no scenario")?.clone();
    if several {
        let scenario = scenario.name.as_str();
        events.emit(Event::Warning(WarningKind::FirstScenarioOnly { scenario, purpose }));
    }
    Ok(scenario)
}

/// Fails if no verdict could come of what the configuration asks for: that must not be learnt after
/// the measurement.
pub(super) fn ensure_decidable(suite: &Suite) -> anyhow::Result<()> {
    DecisionRule::new(suite.gate.alpha, suite.sampling.launch_pairs_max)
        .context("`[gate] alpha` and `[sampling] launch-pairs` allow no verdict")?;
    Ok(())
}
