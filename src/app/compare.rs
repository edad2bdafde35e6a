//! Compares head with a base: side by side where the base can be had, else with stored runs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use compare::Comparison;
use compare::confirmation::Confirmation;
use record::metric::gate::GateRules;
use record::stage::{RunStage, StageTimes};
use record::{Revision, Run};
use runner::machine;
use suite::Suite;
use units::cancel::Cancel;

use crate::app::attempts::{self, AttemptOptions, AttemptRecord, AttemptSubject};
use crate::app::builds::{BuildChoice, BuildFinder, BuildPair, CommitRange, base_obstacle};
use crate::app::causes;
use crate::app::confirm::FirstRun;
use crate::app::event::{Event, EventSink, WarningKind};
use crate::app::evidence_store::AttemptPlace;
use crate::app::failure::UseCaseError;
use crate::app::identity::{self, IdenticalPrograms};
use crate::app::measure::{self, AttemptContext, ComparisonEnding};
use crate::app::result_files;
use crate::app::selection::{self, ShardChoice, SuiteSelection, TargetUse};
use crate::app::store::StoreChoice;
use crate::app::stored::{self, BaselineHistory, SideBySide};

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct CompareOptions {
    /// The choice of what is measured.
    pub selection: SuiteSelection,
    /// What head is compared with.
    pub base: ComparisonBase,
    /// How base and head are given, if not by name.
    pub builds: BuildChoice,
    /// Where stored runs are.
    pub store: StoreChoice,
    /// When measuring ends.
    pub ending: ComparisonEnding,
    /// The run of another machine to confirm.
    pub confirm: Option<PathBuf>,
    /// Where the evidence of all attempts is kept.
    pub attempts: AttemptOptions,
    /// What follows if both sides are one program.
    pub identical: IdenticalPrograms,
}

/// What head is compared with.
#[derive(Debug, Clone)]
pub enum ComparisonBase {
    /// Both sides are commits.
    Range(CommitRange),
    /// A branch, a tag, a commit, a history or the file of a run.
    Named {
        /// The name.
        name: String,
        /// Whether it is measured or taken from a store.
        mode: BaselineMode,
    },
}

/// Whether a base is measured or taken from a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaselineMode {
    /// Measured where it can be had, else taken from a store.
    Auto,
    /// Measured.
    Paired,
    /// Taken from a store, and measured only for what that makes suspicious.
    Stored,
}

/// What a comparison yields.
#[derive(Debug)]
pub struct CompareOutcome {
    /// The comparison.
    pub comparison: Comparison,
    /// What it says together with the run of another machine, if it confirms one.
    pub confirmation: Option<Confirmation>,
    /// Where the time went, writing its files included.
    pub stages: StageTimes,
    /// Why its files could not be written, if so.
    pub lost: Option<UseCaseError>,
}

/// Where the other side of a comparison comes from.
enum BaselineSource {
    /// It is built, or given, and measured beside head.
    Beside(BuildPair),
    /// It was measured on other days.
    Stored(BaselineHistory),
}

/// Measures, writes the run and its reports, and returns what it says.
pub fn compare(
    options: &CompareOptions,
    events: &mut dyn EventSink,
    cancel: &Cancel,
) -> Result<CompareOutcome> {
    let mut suite = options.selection.suite(options.target_use())?;
    let place =
        AttemptPlace::find(options.attempts.location.as_deref(), &options.selection, events)?;
    options.ensure_joinable(place.is_some())?;
    let first = options.confirm.as_deref().map(FirstRun::load).transpose()?;
    let gate = narrow(&mut suite, first.as_ref(), place.is_some())?;
    selection::ensure_decidable(&suite)?;
    options.selection.prepare(events)?;
    let room = options.selection.reserve_room(&suite)?;
    let finder = BuildFinder { selection: &options.selection, suite: &suite, cancel };
    let own = options.own_folders(place.as_ref());
    let checkout = match &place {
        Some(_) => attempts::checkout_hash(&suite.target.dir, &own)?,
        None => None,
    };
    let confirmed = first.as_ref().map(FirstRun::run);
    let run = match options.source(&finder, events)? {
        BaselineSource::Beside(builds) => {
            let (builds, choice, gate) = (&builds, &options.builds, &gate);
            let (config, target) = (suite.digest.as_str(), &suite.target);
            let checkout = checkout.as_deref();
            let subject =
                AttemptSubject { builds, choice, target, checkout, config, gate, confirmed };
            options.side_by_side(&finder, &subject, place, events)?
        }
        BaselineSource::Stored(history) => options.stored(&finder, history, confirmed, events)?,
    };
    let comparison = Comparison::of(&run)?;
    let lost = result_files::keep(&options.selection, room, &run, &comparison, events);
    let stages = result_files::stages(&options.selection, &run);
    options.selection.telemetry.finish(&run, &comparison, events);
    let confirmation = first.map(|first| first.judge(&run)).transpose()?;
    Ok(CompareOutcome { comparison, confirmation, stages, lost })
}

/// Leaves of the suite what another machine flagged, and returns the rules of the whole family.
fn narrow(suite: &mut Suite, first: Option<&FirstRun>, keeps_attempts: bool) -> Result<GateRules> {
    let gate = suite.gate.clone();
    if let Some(first) = first {
        first.narrow(suite)?;
        // Evidence that adds up is that of the whole family.
        if keeps_attempts && first.run().evidence.is_some() {
            suite.gate = gate.clone();
        }
    }
    Ok(gate)
}

impl CompareOptions {
    /// Whether a side is started as the configuration says.
    fn target_use(&self) -> TargetUse {
        match &self.base {
            ComparisonBase::Range(_) => TargetUse::Needed,
            ComparisonBase::Named { mode: BaselineMode::Stored, .. } => {
                self.builds.target_use(false)
            }
            ComparisonBase::Named { mode: BaselineMode::Auto | BaselineMode::Paired, .. } => {
                self.builds.target_use(true)
            }
        }
    }

    /// Fails if a part of the suite would rest on what only this machine knows.
    fn ensure_joinable(&self, keeps_attempts: bool) -> Result<(), UseCaseError> {
        match &self.selection.shard {
            Some(shard) if keeps_attempts => Err(UseCaseError::ShardAttempts { part: shard.part }),
            Some(_) | None => Ok(()),
        }
    }

    /// The folders that this program writes to.
    fn own_folders(&self, place: Option<&AttemptPlace>) -> Vec<PathBuf> {
        let attempts: Vec<&Path> = place.and_then(AttemptPlace::folder).into_iter().collect();
        self.selection.own_folders(&attempts)
    }

    /// Measures both builds, as an attempt whose evidence adds to that of the earlier ones.
    fn side_by_side(
        &self,
        finder: &BuildFinder<'_>,
        subject: &AttemptSubject<'_>,
        place: Option<AttemptPlace>,
        events: &mut dyn EventSink,
    ) -> Result<Run> {
        let own = self.own_folders(place.as_ref());
        // What another machine flagged is measured again, whatever it was.
        if self.identical == IdenticalPrograms::Skip
            && subject.confirmed.is_none()
            && let Some(run) = identity::identical_run(finder, subject.builds, &own, events)?
        {
            return Ok(run);
        }
        measure::announce(finder, &self.ending, events);
        let logs = self.selection.out.join("logs");
        let machine_id = machine::identity(self.selection.workplace.lifetime);
        let begin = |place| AttemptRecord::begin(&self.attempts, place, subject, machine_id);
        let mut record = place.map(begin).transpose()?;
        let context = AttemptContext {
            record: record.as_mut(),
            confirmed: subject.confirmed,
            ..Default::default()
        };
        let run =
            measure::attempt(finder, subject.builds, logs.clone(), &self.ending, context, events);
        // Whatever ended it: what was measured counts.
        let kept = record.map_or(Ok(()), AttemptRecord::finish);
        let mut run = run?;
        kept?;
        let clock = self.selection.clock.clone();
        clock.time(RunStage::Prove, || {
            causes::explain(finder, subject.builds, &mut run, &logs, &own, events);
        });
        run.stages = result_files::stages(&self.selection, &run);
        Ok(run)
    }

    /// Measures head alone against a history, and side by side what that makes suspicious unless another
    /// machine's run is confirmed.
    fn stored(
        &self,
        finder: &BuildFinder<'_>,
        history: BaselineHistory,
        confirmed: Option<&Run>,
        events: &mut dyn EventSink,
    ) -> Result<Run> {
        if let Some(ShardChoice { part, .. }) = self.selection.shard {
            return Err(UseCaseError::ShardStored { part }.into());
        }
        let mut run = stored::measure(finder, self.builds.head_start.as_deref(), history, events)?;
        if confirmed.is_none() {
            let side_by_side = SideBySide { builds: &self.builds, ending: &self.ending };
            stored::follow_up(finder, side_by_side, &mut run, events)?;
        }
        Ok(run)
    }

    /// Finds what head is compared with, and builds what has to be built.
    fn source(
        &self,
        finder: &BuildFinder<'_>,
        events: &mut dyn EventSink,
    ) -> Result<BaselineSource> {
        match &self.base {
            ComparisonBase::Range(range) => {
                Ok(BaselineSource::Beside(finder.range(range, events)?))
            }
            ComparisonBase::Named { name, mode } => {
                match self.stored_or_name(name, *mode, finder.suite, events)? {
                    StoredOrName::Stored(history) => Ok(BaselineSource::Stored(history)),
                    StoredOrName::Name(name) => {
                        Ok(BaselineSource::Beside(finder.pair(&self.builds, &name, events)?))
                    }
                }
            }
        }
    }

    /// Decides between the base of a name and the stored runs of a name. A name that git does not
    /// know may still be that of stored runs, whose commit can be built.
    fn stored_or_name(
        &self,
        name: &str,
        mode: BaselineMode,
        suite: &Suite,
        events: &mut dyn EventSink,
    ) -> Result<StoredOrName> {
        let by_name = || Ok(StoredOrName::Name(name.to_owned()));
        match mode {
            BaselineMode::Auto | BaselineMode::Paired if self.builds.base.is_some() => {
                return by_name();
            }
            BaselineMode::Auto | BaselineMode::Stored if Path::new(name).is_file() => {
                return BaselineHistory::of_file(Path::new(name)).map(StoredOrName::Stored);
            }
            BaselineMode::Stored => {
                let store = self.store.open(self.selection.config.as_deref(), events)?;
                return BaselineHistory::of(&store, name).map(StoredOrName::Stored);
            }
            BaselineMode::Auto | BaselineMode::Paired => {}
        }
        let Some(obstacle) = base_obstacle(name, suite) else { return by_name() };
        let store = self.store.open(self.selection.config.as_deref(), events)?;
        let Some(newest) = store.entries(name)?.and_then(|mut entries| entries.pop()) else {
            return by_name();
        };
        let Revision { commit, dirty, .. } = store.load(&newest)?.head;
        let can_be_built = |commit: &String| !dirty && base_obstacle(commit, suite).is_none();
        match commit.filter(can_be_built) {
            Some(commit) => {
                let warning = WarningKind::CommitOfStoredRun { name, commit: &commit };
                events.emit(Event::Warning(warning));
                Ok(StoredOrName::Name(commit))
            }
            None if mode == BaselineMode::Paired => by_name(),
            None => {
                let warning = WarningKind::StoredRunsInstead { obstacle: &obstacle };
                events.emit(Event::Warning(warning));
                BaselineHistory::of(&store, name).map(StoredOrName::Stored)
            }
        }
    }
}

/// What a name leads to.
enum StoredOrName {
    /// Stored runs.
    Stored(BaselineHistory),
    /// Something to build or that is given; its name.
    Name(String),
}
