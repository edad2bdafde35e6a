//! Runs launches in the order that the statistics ask for, and keeps everything they yield.
//!
//! With a base, the unit is the launch pair: one fresh process of each build, alive together, driven
//! in turn in short slices. Which one comes first is drawn by coin, for the launches and for every
//! pair of slices; that coin, not any assumption about the machine, is what makes the test exact when
//! nothing changed. The runner does not know when to stop: after each launch pair it asks its [`RunObserver`].

mod answer_observer;
mod base_answer;
mod base_oracle;
mod call_watch;
mod check;
mod client_settings;
mod connection;
mod deadline;
mod expectation_check;
mod failure_contrast;
mod instruction_counts;
mod launch;
mod launch_failure;
mod launch_layout;
mod launch_result;
mod limits;
mod live;
mod live_request;
mod load_probe;
pub mod machine;
mod next_pair;
mod placement;
mod request_listing;
mod request_order;
mod requests;
mod run_record;
mod sender;
mod side_driver;
mod stage_clock;
mod trial;
mod warm_up;
mod yardstick;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use thiserror::Error;

use crate::base_oracle::ScenarioOracle;
use crate::connection::ConnectionSetup;
use crate::launch_failure::LaunchFailure;
use crate::launch_layout::LaunchLayouts;
use crate::machine::MachineLifetime;
use crate::next_pair::{NextPair, ProgramPlacing};
use crate::requests::ScenarioRequests;
use crate::side_driver::{DriveConditions, LaunchHandle, SideDriver};
use crate::yardstick::YardstickWorkload;
use record::evidence::EvidenceState;
use record::instruction_counts::CountedMetric;
use record::stage::RunStage;
use record::{
    ConfirmedRun, EarlyEnd, LaunchPair, LayoutObstacle, PlacementMethod, PlacementRecord, Run, Side,
};
use relink::ProgramPair;
use suite::{CpuSelection, Suite, TargetSpec};
use sut::network;
use sut::network::RelayError;
use sut::placement::ProgramPlacement;
use sut::{
    AffinityGuard, CpuPlacement, CpuSet, EndingTarget, ServiceSet, SharedServices, Target,
    TargetCommand, TargetError,
};
use units::cancel::Cancel;

pub use check::{CheckOutcome, ExchangeFault, ScenarioExchange, check};
pub use deadline::Deadline;
pub use instruction_counts::{CountingTurns, count_in_turns, counted_graphs};
pub use launch_layout::LayoutPlan;
pub use live::{LiveMetrics, LiveSnapshot, StreamSnapshot, TIME_BOUNDS_NS};
pub use request_listing::{ListedAnswer, ListedBody, ListedRequest, ListingError, RequestListing};
pub use run_record::identical;
pub use sender::{RequestSender, SendError};
pub use stage_clock::StageClock;

/// One build, and how it comes to life.
#[derive(Debug, Clone)]
pub struct SutBuild {
    /// What it is called in reports.
    pub revision: record::Revision,
    /// How it is reached.
    pub source: BuildSource,
}

/// How a build is reached.
#[derive(Debug, Clone)]
pub enum BuildSource {
    /// It is started afresh for every launch.
    Start(Box<sut::TargetCommand>),
    /// It runs already at this address; a launch is then only a stretch of time.
    Attach(String),
}

impl SutBuild {
    /// Returns its services for launches that have none from before; those that both sides share are
    /// `shared`.
    fn services(&self, shared: &SharedServices) -> ServiceSet {
        match &self.source {
            BuildSource::Start(command) => command.services.anew(shared),
            BuildSource::Attach(_) => ServiceSet::default(),
        }
    }
}

/// The services of both sides.
struct SideServices {
    base: ServiceSet,
    head: ServiceSet,
}

impl SideServices {
    fn of(plan: &RunPlan<'_>) -> Self {
        let shared = SharedServices::default();
        let base = plan.base.as_ref().map(|base| base.services(&shared)).unwrap_or_default();
        Self { base, head: plan.head.services(&shared) }
    }

    fn side(&self, side: Side) -> &ServiceSet {
        match side {
            Side::Base => &self.base,
            Side::Head => &self.head,
        }
    }
}

/// Everything a run needs.
#[derive(Debug)]
pub struct RunPlan<'a> {
    /// What is done.
    pub suite: &'a Suite,
    /// What is compared against, if anything.
    pub base: Option<SutBuild>,
    /// What is measured.
    pub head: SutBuild,
    /// Seed of the coins.
    pub coins: u64,
    /// What the attempts before showed, if a record of them is kept.
    pub evidence: Option<EvidenceState>,
    /// Time from the first count or launch to the end, if it is limited.
    pub budget: Option<Duration>,
    /// The run of another machine that is confirmed, if one is.
    pub confirms: Option<ConfirmedRun>,
    /// Of so many requests to head one is sent and not counted: a change of a known size, to see whether it
    /// is found.
    pub uncounted_every: Option<u64>,
    /// Since when files were written that a build of this run may have made; none if nothing was built
    /// for base.
    pub built_since: Option<SystemTime>,
    /// How long this machine lasts.
    pub lifetime: MachineLifetime,
    /// Where functions of both builds lie.
    pub layout: LayoutPlan,
    /// Where the targets' output goes.
    pub logs: PathBuf,
    /// Where a display reads the progress.
    pub live: LiveMetrics,
    /// What adds up the time of its stages. What it holds already is of the same run, such as its builds.
    pub clock: StageClock,
    /// The options of the command line that shape the run, if it was called by one.
    pub invocation: Option<Vec<String>>,
}

/// Whether a run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunDecision {
    /// Another launch, without the scenarios of these numbers.
    Continue {
        /// Those of which everything that decides is settled.
        settled: Vec<usize>,
    },
    /// Everything that matters is known.
    Stop,
}

/// What a run is doing, for a person who waits.
#[derive(Debug, Clone, Copy)]
pub enum RunProgress<'a> {
    /// The payloads of a scenario are being made.
    Preparing {
        /// The scenario's name.
        scenario: &'a str,
    },
    /// The instructions of a scenario are being counted.
    Counting {
        /// The scenario's name.
        scenario: &'a str,
    },
    /// It is measured what the network between load and target costs by itself.
    Networking,
    /// A launch, or a launch pair, begins.
    Launching {
        /// Its number, from 0.
        launch: usize,
        /// How many there are at most.
        of: usize,
    },
    /// A scenario begins.
    Driving {
        /// The scenario's name.
        scenario: &'a str,
    },
    /// A launch, or a launch pair, has ended.
    Launched {
        /// How many have.
        done: usize,
        /// How many there are at most.
        of: usize,
        /// Time since the first began.
        elapsed: Duration,
    },
}

/// Follows a run, and says after each launch pair whether it goes on.
pub trait RunObserver {
    /// Hears what is being done.
    fn progress(&mut self, progress: RunProgress<'_>);

    /// Judges what was counted so far of a scenario, one value a launch of each metric, and returns whether that is
    /// enough. Called after each launch of both sides but the last.
    fn is_counted_enough(&mut self, scenario: &str, counted: &[CountedMetric<'_>]) -> bool;

    /// Judges what was measured so far. Called after each launch pair.
    fn launch_pair_ended(&mut self, run: &Run) -> RunDecision;
}

/// Why a run could not begin. What goes wrong later is part of the run.
#[derive(Debug, Error)]
pub enum RunnerError {
    /// The folder for the targets' output cannot be made.
    #[error("failed to create `{path}` for the target's output")]
    Logs {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The processors cannot be listed.
    #[error("failed to place the load on a processor of its own")]
    Placement(#[source] io::Error),
    /// There is no network to measure over.
    #[error(transparent)]
    Network(#[from] RelayError),
    /// It was interrupted before there was anything to keep.
    #[error("interrupted before the first launch")]
    Interrupted,
}

/// Runs the plan. The record says why it ended, if it ended early; a failed launch is in it.
pub fn run(
    plan: &RunPlan<'_>,
    watcher: &mut dyn RunObserver,
    cancel: &Cancel,
) -> Result<Run, RunnerError> {
    std::fs::create_dir_all(&plan.logs)
        .map_err(|source| RunnerError::Logs { path: plan.logs.clone(), source })?;
    let (began, earlier) = (now(), plan.clock.sum());
    let trial = plan.clock.time(RunStage::Trial, || trial::run(plan, cancel))?;
    if trial.ended.is_some() {
        return Ok(Run { ended: trial.ended, ..run_record::blank(plan, machine::read()) });
    }
    let oracles = match plan.clock.time(RunStage::Trial, || base_oracle::learn(plan, cancel))? {
        Ok(oracles) => oracles,
        Err(ended) => {
            return Ok(Run { ended: Some(ended), ..run_record::blank(plan, machine::read()) });
        }
    };
    // At once: a count would only say that there is none.
    if trial.is_head_worse
        && let Some(mut run) = prove_failure(plan, oracles.clone(), watcher, cancel)?
    {
        plan.clock.add_rest(began.elapsed(), earlier);
        run.stages = plan.clock.take();
        return Ok(run);
    }
    let before = now();
    // Before anything is pinned: counting may take every processor.
    let counted = plan.clock.time(RunStage::Count, || {
        instruction_counts::count(plan, &trial.programs, watcher, cancel)
    })?;
    let counting = before.elapsed();
    let mut session =
        plan.clock.time(RunStage::Prepare, || RunSession::new(plan, watcher, cancel))?;
    session.judge_by_base(oracles);
    for (scenario, work) in session.run.scenarios.iter_mut().zip(counted) {
        scenario.work = work;
    }
    for (scenario, load) in session.run.scenarios.iter_mut().zip(trial.loads) {
        scenario.fitted_load = load;
    }
    session.run.wall_ns = units::nanos(counting);
    session.run.counting_ns = units::nanos(counting);
    session.launch_all(counting, watcher);
    plan.clock.add_rest(began.elapsed(), earlier);
    session.run.stages = plan.clock.take();
    Ok(session.run)
}

/// Drives one launch pair of which head is known to fail, as proof that base does not. Returns nothing where head did
/// not fail again: then it is no evidence of anything.
fn prove_failure(
    plan: &RunPlan<'_>,
    oracles: Vec<ScenarioOracle>,
    watcher: &mut dyn RunObserver,
    cancel: &Cancel,
) -> Result<Option<Run>, RunnerError> {
    let mut session = RunSession::new(plan, watcher, cancel)?;
    session.judge_by_base(oracles);
    let planned = std::mem::replace(&mut session.run.launches_planned, 1);
    session.launch_all(Duration::ZERO, &mut ProofObserver(watcher));
    session.run.launches_planned = planned;
    Ok(session.run.ended.is_some().then_some(session.run))
}

/// Lets another observer see what is done, and ends after one launch pair.
struct ProofObserver<'a>(&'a mut dyn RunObserver);

impl RunObserver for ProofObserver<'_> {
    fn progress(&mut self, progress: RunProgress<'_>) {
        self.0.progress(progress);
    }

    fn is_counted_enough(&mut self, scenario: &str, counted: &[CountedMetric<'_>]) -> bool {
        self.0.is_counted_enough(scenario, counted)
    }

    fn launch_pair_ended(&mut self, _run: &Run) -> RunDecision {
        RunDecision::Stop
    }
}

#[expect(clippy::disallowed_methods, reason = "the runner measures how long a run takes")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "files have times of day")]
fn system_time() -> SystemTime {
    SystemTime::now()
}

struct RunSession<'a> {
    plan: &'a RunPlan<'a>,
    prepared: Vec<ScenarioRequests>,
    services: SideServices,
    placement: CpuPlacement,
    /// Where copies of the programs go, if each launch executes its own.
    copies: Option<PathBuf>,
    layouts: LaunchLayouts,
    /// The launch pair after the one that runs, once that ends.
    next: Option<NextPair>,
    /// Keeps the load where it is.
    pinned: Option<AffinityGuard>,
    coins: ChaCha8Rng,
    /// When the builds had ended, and no target was started yet.
    built: SystemTime,
    cancel: &'a Cancel,
    run: Run,
}

impl<'a> RunSession<'a> {
    fn new(
        plan: &'a RunPlan<'a>,
        watcher: &mut dyn RunObserver,
        cancel: &'a Cancel,
    ) -> Result<Self, RunnerError> {
        // Before this thread is pinned: the machine is not smaller for that.
        let machine = machine::read();
        let (placement, pinned) = place(plan.suite.target.cpus)?;
        let mut prepared = Vec::new();
        for scenario in &plan.suite.scenarios {
            watcher.progress(RunProgress::Preparing { scenario: &scenario.name });
            prepared.push(ScenarioRequests::new(scenario, &plan.suite.sampling));
            if cancel.is_raised() {
                return Err(RunnerError::Interrupted);
            }
        }
        let mut run = run_record::blank(plan, machine);
        run.placement = plan.base.is_some().then(|| placement::layout(plan));
        if run.placement.as_ref().is_some_and(PlacementRecord::keeps_layout) {
            run.gate = plan.suite.gate.clone().with_layout_margin();
        }
        let layouts = LaunchLayouts::new(&plan.layout, plan.coins);
        let copies = placement::copies_folder(plan);
        if plan.suite.scenarios.iter().any(|scenario| scenario.network.is_some()) {
            watcher.progress(RunProgress::Networking);
            run.network_cost = Some(network_cost(&placement)?);
        }
        let coins = ChaCha8Rng::seed_from_u64(plan.coins);
        let built = system_time();
        let services = SideServices::of(plan);
        Ok(Self {
            plan,
            prepared,
            services,
            placement,
            copies,
            layouts,
            next: None,
            pinned,
            coins,
            built,
            cancel,
            run,
        })
    }

    /// Makes one launch or launch pair after the other, until there are enough or something ends them.
    fn launch_all(&mut self, counting: Duration, watcher: &mut dyn RunObserver) {
        let (plan, began) = (self.plan, now());
        // Side by side, base is the yardstick.
        let mut yardstick = plan.base.is_none().then(YardstickWorkload::new);
        let of = self.run.launches_planned;
        for launch in 0..of {
            if self.cancel.is_raised() {
                self.run.ended = Some(EarlyEnd::Interrupted);
                break;
            }
            watcher.progress(RunProgress::Launching { launch, of });
            self.read(yardstick.as_mut());
            let outcome = match &plan.base {
                Some(base) => self.launch_pair(base, watcher),
                None => self.launch(watcher),
            };
            self.run.wall_ns = units::nanos(counting + began.elapsed());
            if let Err(failure) = outcome {
                self.run.ended = Some(failure.ended(self.cancel));
                break;
            }
            watcher.progress(RunProgress::Launched {
                done: launch + 1,
                of,
                elapsed: began.elapsed(),
            });
            if plan.base.is_none() {
                continue;
            }
            let decide = || watcher.launch_pair_ended(&self.run);
            match plan.clock.time(RunStage::Decide, decide) {
                RunDecision::Continue { settled } => self.settle(&settled),
                RunDecision::Stop => break,
            }
        }
        self.read(yardstick.as_mut());
    }

    /// Has the launch pairs to come do without some scenarios.
    fn settle(&mut self, scenarios: &[usize]) {
        for &number in scenarios {
            self.run.scenarios[number].is_settled = true;
        }
    }

    /// Has answers held against what base answers, where that is known.
    fn judge_by_base(&mut self, oracles: Vec<ScenarioOracle>) {
        let scenarios = self.prepared.iter_mut().zip(&mut self.run.scenarios);
        for ((prepared, scenario), oracle) in scenarios.zip(oracles) {
            prepared.judge_by_base(oracle.answers);
            scenario.oracle = oracle.records;
        }
    }

    /// Reads the yardstick, if there is one.
    fn read(&mut self, yardstick: Option<&mut YardstickWorkload>) {
        let Some(yardstick) = yardstick else { return };
        yardstick.read(self.placement.cpus.as_ref());
        self.run.yardstick = yardstick.yardstick();
    }

    /// One launch of the head alone.
    fn launch(&mut self, watcher: &mut dyn RunObserver) -> Result<(), LaunchFailure> {
        let alone = NextPair::unplaced(Side::Head, None);
        let head = self.start(&self.plan.head, &alone, Side::Head, None)?;
        self.run.confinement = launch_result::confinement(&self.plan.head, &head.target);
        for (index, prepared) in self.prepared.iter().enumerate() {
            watcher.progress(RunProgress::Driving { scenario: &prepared.scenario.name });
            let driven = SideDriver::new(&head, prepared, self.conditions(index))?;
            let trial = launch::single(driven, &self.plan.suite.sampling)?;
            self.run.scenarios[index].trials.push_single(trial.result);
            self.run.scenarios[index].add_calls(Side::Head, trial.dependencies);
        }
        self.plan.clock.time(RunStage::Stop, || stop(head))
    }

    /// One launch of each build, alive together.
    fn launch_pair(
        &mut self,
        base: &SutBuild,
        watcher: &mut dyn RunObserver,
    ) -> Result<(), LaunchFailure> {
        let mut pair = match self.next.take() {
            Some(next) => next,
            None => self.draw_pair(),
        };
        let first = pair.first;
        let [of_first, of_second] = self.plan.clock.time(RunStage::Launch, || pair.placed());
        let (base, head) = match first {
            Side::Base => {
                let base = self.start(base, &pair, Side::Base, of_first)?;
                (base, self.start(&self.plan.head, &pair, Side::Head, of_second)?)
            }
            Side::Head => {
                let head = self.start(&self.plan.head, &pair, Side::Head, of_first)?;
                (self.start(base, &pair, Side::Base, of_second)?, head)
            }
        };
        self.ensure_two_programs(&base, &head)?;
        self.run.confinement = launch_result::confinement(&self.plan.head, &head.target);
        for (index, prepared) in self.prepared.iter().enumerate() {
            if self.run.scenarios[index].is_settled {
                continue;
            }
            watcher.progress(RunProgress::Driving { scenario: &prepared.scenario.name });
            let sampling = &self.plan.suite.sampling;
            let conditions = self.conditions(index);
            let uncounted_every = self.plan.uncounted_every;
            let dosed = DriveConditions { uncounted_every, ..conditions };
            let driven = |launched, conditions| SideDriver::new(launched, prepared, conditions);
            let scenario = &mut self.run.scenarios[index];
            // Only what base has never answered is new; later it is a fault.
            let is_first = scenario.launches() == 0;
            if scenario.absent_in_base.is_none() {
                let sides = match first {
                    Side::Base => [driven(&base, conditions)?, driven(&head, dosed)?],
                    Side::Head => {
                        let head = driven(&head, dosed)?;
                        [driven(&base, conditions)?, head]
                    }
                };
                let coins = &mut self.coins;
                match launch::paired(sides, first, sampling, &mut || flip(coins)) {
                    Ok((base, head)) => {
                        scenario.add_calls(Side::Base, base.dependencies);
                        scenario.add_calls(Side::Head, head.dependencies);
                        let (base, head) = (base.result, head.result);
                        scenario.trials.push_pair(LaunchPair { first, base, head });
                        continue;
                    }
                    Err(failure) => match failure.absent_in_base().filter(|_| is_first) {
                        Some(status) => scenario.set_absent_in_base(status),
                        None => return Err(failure),
                    },
                }
            }
            let alone = launch::single(driven(&head, dosed)?, sampling)?;
            scenario.trials.push_single(alone.result);
            scenario.add_calls(Side::Head, alone.dependencies);
        }
        self.see_placement(&base.target, &head.target);
        self.next = self.next_pair();
        self.plan.clock.time(RunStage::Stop, || match first {
            Side::Base => stop_in_order([base, head]),
            Side::Head => stop_in_order([head, base]),
        })
    }

    /// Draws which side of a launch pair is launched first, and where its functions lie.
    fn draw_pair(&mut self) -> NextPair {
        let first = self.coin();
        NextPair::unplaced(first, self.relinked())
    }

    /// Begins the launch pair after one that has been driven; none if that is the last.
    fn next_pair(&mut self) -> Option<NextPair> {
        let planned = self.run.launches_planned;
        let is_last = record::whole_launches(&self.run.scenarios) >= planned;
        if is_last || self.copies.is_none() {
            return None;
        }
        let (first, programs) = (self.coin(), self.relinked());
        let base = self.plan.base.as_ref()?;
        let placing = |build: &SutBuild, relinked: Option<PathBuf>| {
            let command = next_pair::command(build)?.clone();
            let command = TargetCommand { copies: self.copies.clone(), relinked, ..command };
            let cpus = self.pinned.as_ref().map(AffinityGuard::before);
            Some(ProgramPlacing { command, cpus })
        };
        let of_base = placing(base, programs.as_ref().map(|it| it.base.clone()));
        let of_head = placing(&self.plan.head, programs.as_ref().map(|it| it.head.clone()));
        let in_order = match first {
            Side::Base => [of_base, of_head],
            Side::Head => [of_head, of_base],
        };
        Some(NextPair::begin(first, programs, in_order))
    }

    /// Returns the programs of the next launch pair, if both sides were linked again. If they could not
    /// be, the rest is measured as built, by the rules for that.
    fn relinked(&mut self) -> Option<ProgramPair> {
        match self.layouts.next() {
            Ok(programs) => programs,
            Err(obstacle) => {
                self.leave_layout(obstacle);
                None
            }
        }
    }

    fn leave_layout(&mut self, obstacle: LayoutObstacle) {
        self.layouts = LaunchLayouts::as_built();
        if let Some(placement) = &mut self.run.placement {
            placement.merge(placement::not_redrawn(obstacle));
        }
        self.run.gate = self.plan.suite.gate.clone().with_layout_margin();
    }

    /// Writes down where code lay, while both sides run.
    fn see_placement(&mut self, base: &Target, head: &Target) {
        if let Some(placement) = &mut self.run.placement {
            placement.merge(placement::observe(base, head));
        }
        let is_copy = |target: &Target| target.placement().is_some_and(PlacementMethod::is_redrawn);
        if self.layouts.are_relinked() && !(is_copy(base) && is_copy(head)) {
            self.leave_layout(LayoutObstacle::NotPlaced);
        }
    }

    /// Fails if both sides run a file that a build of this run wrote.
    fn ensure_two_programs(
        &self,
        base: &LaunchHandle,
        head: &LaunchHandle,
    ) -> Result<(), LaunchFailure> {
        let Some(since) = self.plan.built_since else { return Ok(()) };
        let failed = |error: TargetError| LaunchFailure::launch(Side::Head, &error);
        // What the targets write themselves, such as a database that a command line names, is younger.
        let written = since..self.built;
        match sut::shared_start_file(&base.target, &head.target, &written).map_err(failed)? {
            Some(path) => Err(failed(TargetError::SameFile { path })),
            None => Ok(()),
        }
    }

    /// Starts a side of a launch pair, of which the program may have been placed before.
    fn start(
        &self,
        build: &SutBuild,
        pair: &NextPair,
        side: Side,
        program: Option<ProgramPlacement>,
    ) -> Result<LaunchHandle, LaunchFailure> {
        let launch = TargetLaunch {
            target: &self.plan.suite.target,
            logs: &self.plan.logs,
            placement: &self.placement,
            copies: self.copies.clone(),
            services: self.services.side(side).clone(),
            relinked: pair.relinked(side),
            program,
            cancel: self.cancel,
        };
        let launched = self.plan.clock.time(RunStage::Launch, || launch.start(side, build))?;
        self.plan.live.launched();
        Ok(launched)
    }

    /// What holds for the next launch of a scenario.
    fn conditions(&self, scenario: usize) -> DriveConditions<'a> {
        let plan = self.plan;
        let scenario = &self.run.scenarios[scenario];
        let seed = plan.coins.wrapping_add(scenario.launches() as u64);
        let usual = plan.suite.sampling.load.usual();
        DriveConditions {
            sampling: &plan.suite.sampling,
            load: scenario.fitted_load.map_or(usual, |it| it.lasts),
            warm_up: scenario.fitted_load.and_then(|it| it.warm_up),
            live: &plan.live,
            cancel: self.cancel,
            seed,
            uncounted_every: None,
            clock: &plan.clock,
        }
    }

    fn coin(&mut self) -> Side {
        flip(&mut self.coins)
    }
}

/// How a build comes to life.
struct TargetLaunch<'a> {
    target: &'a TargetSpec,
    /// Where its output goes.
    logs: &'a Path,
    placement: &'a CpuPlacement,
    /// Where a copy of the program goes, if the launch executes its own.
    copies: Option<PathBuf>,
    services: ServiceSet,
    /// What that is a copy of, if not of the program as built.
    relinked: Option<PathBuf>,
    /// Where its pages lie, if that was drawn before.
    program: Option<ProgramPlacement>,
    cancel: &'a Cancel,
}

impl TargetLaunch<'_> {
    fn start(self, side: Side, build: &SutBuild) -> Result<LaunchHandle, LaunchFailure> {
        let Self { target: spec, logs, placement, copies, services, relinked, program, cancel } =
            self;
        let log = logs.join(format!("{}.log", side.name()));
        let reached = ConnectionSetup::new(&build.source, spec)
            .map_err(|error| LaunchFailure::new(side, None, launch_failure::report(&error)))?;
        let ask = reached.ask();
        let target = match &build.source {
            BuildSource::Start(command) => {
                let command = sut::TargetCommand::clone(command);
                let command = sut::TargetCommand { ask, copies, services, relinked, ..command };
                Target::start_placed(&command, program, placement, &log, cancel)
            }
            BuildSource::Attach(url) => {
                Target::attach(url, &spec.ready, spec.ready_timeout, &ask, cancel)
            }
        };
        let target = target.map_err(|error| LaunchFailure::launch(side, &error))?;
        Ok(LaunchHandle { side, target, reached })
    }
}

fn flip(coins: &mut ChaCha8Rng) -> Side {
    if coins.next_u32() & 1 == 0 { Side::Base } else { Side::Head }
}

fn stop(launched: LaunchHandle) -> Result<(), LaunchFailure> {
    let LaunchHandle { side, target, reached: _ } = launched;
    stopped((side, target.begin_stop()))
}

/// Stops both launches of a pair, which end together, and deletes what they leave in the order of launch, never by
/// side: what is deleted first is given out last.
fn stop_in_order(launched: [LaunchHandle; 2]) -> Result<(), LaunchFailure> {
    let [first, second] = launched.map(|it| (it.side, it.target.begin_stop()));
    stopped(first).and_then(|()| stopped(second))
}

/// Waits for the end of a target that was sent SIGTERM.
fn stopped((side, target): (Side, EndingTarget)) -> Result<(), LaunchFailure> {
    target.finish().map(|_| ()).map_err(|error| LaunchFailure::launch(side, &error))
}

/// Keeps target and load apart, where the machine has room: both builds share the target's
/// processors, as only one of them is driven at a time. The load stays where it is pinned until the
/// second value is dropped.
fn place(cpus: CpuSelection) -> Result<(CpuPlacement, Option<AffinityGuard>), RunnerError> {
    let available = CpuSet::available().map_err(RunnerError::Placement)?;
    match (cpus, available.split()) {
        (CpuSelection::Auto, Some(split)) => {
            let pinned = split.load.pin_thread().map_err(RunnerError::Placement)?;
            Ok((CpuPlacement { cpus: Some(split.target) }, Some(pinned)))
        }
        (CpuSelection::Auto, None) | (CpuSelection::Shared, _) => {
            Ok((CpuPlacement { cpus: None }, None))
        }
    }
}

fn network_cost(placement: &CpuPlacement) -> Result<record::NetworkCost, RelayError> {
    let cost = network::measure(placement)?;
    Ok(record::NetworkCost {
        added_ns: cost.added_ns,
        direct_ns: cost.direct_ns,
        cpu_per_exchange_ns: cost.cpu_per_exchange_ns,
        cpu_per_mib_ns: cost.cpu_per_mib_ns,
    })
}
