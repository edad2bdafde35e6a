//! Runs the program under test, from its first byte of output to the end of its last child.
//!
//! A target is a process group of its own with a marker in its environment. It ends in one of four
//! ways, and none leaves a process behind: [`Target::stop`] asks and then forces; dropping forces;
//! Ctrl-C raises [`Cancel`], on which everybody returns and drops; and if this process is killed, a
//! guard outside it does the rest (see `orphan_guard.rs`). A process that leaves the group is found as a
//! descendant or by the marker. What escapes is a daemon that has left the group, outlived its
//! parent *and* wiped its environment: it looks like a foreign process, and those are not killed.
//!
//! The port is chosen by binding port 0 and letting go. Another process may take it before the target
//! does; a target that says so and exits is started once more on another port.

mod address;
mod call_relay;
mod cgroup;
mod container;
mod cpus;
mod deadline;
pub mod elf;
mod end_watch;
mod failure;
mod hook;
mod hook_spec;
pub mod host;
mod launch_space;
pub mod layout;
mod limit_backend;
mod listeners;
mod log_ends;
pub mod network;
mod orphan_guard;
mod placeholder;
pub mod placement;
mod process;
mod readiness;
mod ready_condition;
mod run_queue;
mod sampler;
mod service;
mod serving;
mod shell;
mod start_files;
mod starting;
pub mod supervisor;
mod target_processes;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::iter::Sum;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group,
    prlimit, waitid,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use units::cancel::Cancel;
use units::environment::{ChildEnvironment, EnvValue, SecretValue};

pub use address::{TargetAddress, Url};
pub use call_relay::{DependencyCalls, DependencySpec};
pub use calls::{CallCounting, CallTotals};
use cgroup::CgroupSet;
pub use cgroup::{CgroupVersion, ResourceLimits};
use container::ContainerHandle;
pub use container::ContainerSpec;
pub use cpus::{AffinityGuard, CpuSet, CpuSplit};
use deadline::CancelDeadline;
pub use end_watch::ProcessEndWatch;
pub use failure::{ListenerHint, LogTail, ProcessEnd, ReadyAdvice, TargetError};
use hook::AfterLaunch;
pub use hook_spec::{HookKind, HookSpec, LaunchHooks};
use launch_space::LaunchSpace;
use limit_backend::LimitScope;
pub use limit_backend::{LimitBackend, LimitEnforcement};
use log_ends::LogKeeper;
pub use log_ends::{LogEnds, create_log};
use orphan_guard::OrphanGuard;
use placeholder::PlaceholderValues;
pub use placeholder::{Placeholder, PlaceholderError, is_name as is_placeholder_name};
use placement::{MappedFile, PlacementMethod, ProgramPlacement};
use process::ProcessStat;
pub use readiness::{ProbeError, ProbeQuery, ReadinessProbe};
use readiness::{Readiness, ReadinessDecision};
pub use ready_condition::{LogPattern, ReadyCondition, ReadySign};
pub use run_queue::RunQueueClock;
pub use sampler::{CpuClock, HostInterference, ResourceSample, ResourceSeries, Sampler};
use service::LaunchServices;
pub use service::{ServiceScope, ServiceSet, ServiceSpec, SharedServices};
pub use shell::shell_syntax;
pub use start_files::{invoked_at, shared_start_file};
pub use target_processes::TargetProcesses;

/// How a target is started, where it answers, and how long it may take.
#[derive(Debug, Clone)]
pub struct TargetCommand {
    /// Program and arguments, split as a shell would, without one; each [`Placeholder`] gets its value.
    pub start: String,
    /// Where it runs; a relative program is looked for from here.
    pub dir: PathBuf,
    /// What of the environment is not inherited.
    pub environment: ChildEnvironment,
    /// Variables on top of the inherited ones, with placeholders in their values.
    pub env: Vec<(String, EnvValue)>,
    /// The variable that tells the port.
    pub port_env: Option<String>,
    /// What shows that the target can work.
    pub ready: ReadyCondition,
    /// How its readiness is polled.
    pub ask: ReadinessProbe,
    /// From start to ready.
    pub ready_timeout: Duration,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout: Duration,
    /// What it may take.
    pub limits: ResourceLimits,
    /// Makes `start` an image and its program's arguments, `IMAGE [ARGUMENT…]`, in which `{port}`
    /// and the variable mean the port inside.
    pub container: Option<ContainerSpec>,
    /// Makes each launch execute a copy of the program, so that its pages lie anew: the folder for
    /// copies that cannot be made beside it. Without, the program itself is executed.
    pub copies: Option<PathBuf>,
    /// What it needs beside it.
    pub services: ServiceSet,
    /// What is run around it.
    pub hooks: LaunchHooks,
    /// The program linked again, with its functions in another order: where each launch executes a copy,
    /// it is one of this file.
    pub relinked: Option<PathBuf>,
}

impl TargetCommand {
    /// Returns the ELF file that is executed, if `start` names one by a path.
    pub fn elf_program(&self) -> Option<PathBuf> {
        self.container.is_none().then(|| placement::elf_program(&first_word(self), &self.dir))?
    }

    /// Draws where the pages of its program lie for one launch, if that is wanted and it is a program.
    pub fn place_program(&self) -> ProgramPlacement {
        match (self.elf_program(), &self.copies) {
            (Some(program), Some(folder)) => {
                ProgramPlacement::draw(&program, self.relinked.as_deref(), folder)
            }
            (None, _) | (_, None) => ProgramPlacement::original(),
        }
    }

    /// Takes a variable out and returns its value, for a tool that sets the variable too.
    pub fn take_env(&mut self, name: &str) -> Option<String> {
        let at = self.env.iter().position(|(set, _)| set == name)?;
        match self.env.remove(at).1 {
            EnvValue::Text(text) => Some(text),
            EnvValue::Inherited(from) => {
                self.environment.lent(&from)?.expose().to_str().map(str::to_owned)
            }
        }
    }

    /// Whether it learns the port on which it is to listen.
    fn gets_port(&self) -> bool {
        let names_port = |text: &str| text.contains("{port}");
        self.container.is_some() || self.port_env.is_some() || self.texts().any(names_port)
    }

    /// Whether something is to listen on its port.
    fn is_listener(&self) -> bool {
        self.gets_port() || self.ready.is_on_own_port()
    }

    /// The texts that may have placeholders.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let values = self.env.iter().filter_map(|(_, value)| value.text());
        let hooks = self.hooks.before.iter().chain(&self.hooks.after);
        let scripts = hooks.map(|hook| hook.script.as_str());
        std::iter::once(self.start.as_str()).chain(values).chain(scripts)
    }
}

/// What the start of a target or a service takes.
#[derive(Clone, Copy)]
struct LaunchContext<'a> {
    command: &'a TargetCommand,
    placement: &'a CpuPlacement,
    /// Where its output goes; that of what is beside it goes into the same folder.
    log: &'a Path,
    cancel: &'a Cancel,
}

/// Where a target runs.
#[derive(Debug, Clone, Default)]
pub struct CpuPlacement {
    /// The processors, inherited by all its threads and children; without it, those of this thread.
    pub cpus: Option<CpuSet>,
}

/// What the kernel counted of living threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessCounters {
    /// Times that a thread gave up the processor.
    pub switches_voluntary: u64,
    /// Times that the processor was taken from a thread.
    pub switches_involuntary: u64,
    /// Page faults that needed no disk.
    pub faults_minor: u64,
    /// Page faults that did.
    pub faults_major: u64,
    /// Bytes read from storage; none in records of old.
    #[serde(default)]
    pub storage_read_bytes: u64,
    /// Bytes written to storage; none in records of old.
    #[serde(default)]
    pub storage_written_bytes: u64,
}

impl ProcessCounters {
    /// Returns what was counted since; nothing of a process that has taken its counts with it.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        self.with(before, u64::saturating_sub)
    }

    fn with(self, other: Self, of: fn(u64, u64) -> u64) -> Self {
        Self {
            switches_voluntary: of(self.switches_voluntary, other.switches_voluntary),
            switches_involuntary: of(self.switches_involuntary, other.switches_involuntary),
            faults_minor: of(self.faults_minor, other.faults_minor),
            faults_major: of(self.faults_major, other.faults_major),
            storage_read_bytes: of(self.storage_read_bytes, other.storage_read_bytes),
            storage_written_bytes: of(self.storage_written_bytes, other.storage_written_bytes),
        }
    }
}

impl Sum for ProcessCounters {
    fn sum<I: Iterator<Item = Self>>(counters: I) -> Self {
        counters.fold(Self::default(), |sum, more| sum.with(more, |a, b| a + b))
    }
}

/// What a target and all its descendants used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    /// User and system time since the start, of all threads and processes. Exact to the microsecond
    /// for living processes, rounded down to 10 ms for each child that has ended.
    pub cpu: Duration,
    /// Resident memory now, summed over processes: pages that they share count for each.
    pub rss_bytes: u64,
    /// Highest resident memory of each living process since its start or
    /// [`Target::reset_peak`], summed.
    pub rss_peak_bytes: u64,
    /// That less the pages of files that are resident now, summed.
    pub memory_peak_bytes: u64,
    /// User time of all threads, to 10 ms a process.
    pub user: Duration,
    /// System time of all threads, to 10 ms a process.
    pub system: Duration,
    /// What the kernel counted.
    pub counters: ProcessCounters,
    /// Open files and sockets.
    pub files: u64,
    /// Living threads.
    pub threads: u64,
    /// Living processes.
    pub processes: u64,
}

/// How a target ended after SIGTERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopOutcome {
    /// It ended by itself within the time-out, and left nothing behind.
    Gracefully,
    /// It, or something it had started, had to be killed.
    ByForce,
}

/// A running target; dropping it kills it.
#[derive(Debug)]
pub struct Target {
    place: TargetAddress,
    ready_after: Duration,
    /// The process at the root of the tree; an attached target may be on another machine.
    root: Option<Pid>,
    /// Only what was started here is ever ended here.
    own: Option<SutProcess>,
    /// In the order of their ends, after that of the process that uses them.
    after: Option<AfterLaunch>,
    space: LaunchSpace,
    services: LaunchServices,
}

/// What ending a target takes.
#[derive(Debug)]
struct SutProcess {
    child: Child,
    guard: Option<OrphanGuard>,
    marker: String,
    stop_timeout: Duration,
    /// A target's own end is not waited for much longer when this is raised.
    cancel: Cancel,
    log: PathBuf,
    /// Ends the keeping when nothing writes any more.
    _log_keeper: LogKeeper,
    /// What is kept out of messages.
    secrets: Vec<SecretValue>,
    limits: ResourceLimits,
    /// The processes that listen, once it is ready: the command may end and leave them running.
    serving: Vec<ProcessStat>,
    cage: LimitScope,
    /// Dropped last, when no process executes the copy any more.
    program: ProgramPlacement,
}

impl Target {
    /// Starts the command on a free port of 127.0.0.1 and waits until it is ready.
    ///
    /// Both its output streams go to `log`, which is replaced.
    pub fn start(
        command: &TargetCommand,
        placement: &CpuPlacement,
        log: &Path,
        cancel: &Cancel,
    ) -> Result<Self, TargetError> {
        Self::start_placed(command, None, placement, log, cancel)
    }

    /// Starts the command with a program whose pages were placed before, by [`TargetCommand::place_program`].
    pub fn start_placed(
        command: &TargetCommand,
        program: Option<ProgramPlacement>,
        placement: &CpuPlacement,
        log: &Path,
        cancel: &Cancel,
    ) -> Result<Self, TargetError> {
        if !command.gets_port() {
            return Err(TargetError::NoPort { start: command.start.clone() });
        }
        let launch = LaunchContext { command, placement, log, cancel };
        let mut placed = program;
        retry_port(|| {
            let services = command.services.begin(&launch)?;
            let values = services.values(command)?;
            // Copying is ours, and no part of the time until the target is ready.
            let program = placed.take().unwrap_or_else(|| command.place_program());
            Self::start_once(&launch, values, services, program)
        })
    }

    /// Starts a service beside others.
    fn start_beside(
        launch: &LaunchContext<'_>,
        others: &LaunchServices,
    ) -> Result<Self, TargetError> {
        retry_port(|| {
            let values = others.values(launch.command)?;
            let program = launch.command.place_program();
            Self::start_once(launch, values, LaunchServices::default(), program)
        })
    }

    fn start_once(
        launch: &LaunchContext<'_>,
        values: PlaceholderValues,
        services: LaunchServices,
        program: ProgramPlacement,
    ) -> Result<Self, TargetError> {
        let LaunchContext { command, log, cancel, .. } = *launch;
        let address = address::free_loopback().map_err(TargetError::NoFreePort)?;
        let inside = command.container.as_ref().map_or(address.port(), |container| container.port);
        let values = PlaceholderValues { port: inside, ..values };
        let space = LaunchSpace::prepare(values, command.texts(), &log.with_extension("dir"))?;
        let after = AfterLaunch::of(launch, &space.values);
        if let Some(before) = &command.hooks.before {
            before.run(launch, &space.values)?;
        }
        let relayed = services.relayed(&space.values);
        let filled = FilledCommand::new(command, &relayed, address.port())?;
        let started = now();
        let own = SutProcess::spawn(launch, &filled, program)?;
        let root = Pid::from_child(&own.child);
        let mut target = Self {
            place: TargetAddress::Port(address),
            ready_after: Duration::ZERO,
            root: Some(root),
            own: Some(own),
            after,
            space,
            services,
        };
        target.ready_after = target.wait_until_ready(command, started, cancel)?;
        if let Some(container) = target.container() {
            target.root = container.pid();
        }
        Ok(target)
    }

    /// Takes a target that runs already, such as `http://127.0.0.1:3000` or `unix:/run/api.sock`, and waits until it
    /// is ready; a line of its log cannot be waited for. It is never stopped.
    pub fn attach(
        url: &str,
        ready: &ReadyCondition,
        ready_timeout: Duration,
        ask: &ReadinessProbe,
        cancel: &Cancel,
    ) -> Result<Self, TargetError> {
        let place = address::resolve(url)?;
        let started = now();
        let mut pause = PollBackoff::default();
        let mut decision = ReadinessDecision::new(ready.probe_timeout, ready_timeout, started);
        loop {
            let patience = decision.patience();
            let query = ProbeQuery { place: &place, path: "", patience, cancel };
            match decision.after(ask.sees(&ready.sign, &query)) {
                Readiness::Ready => break,
                _ if cancel.is_raised() => return Err(TargetError::Cancelled),
                Readiness::TooLate(last) => {
                    return Err(TargetError::Unreachable { url: url.to_owned(), last });
                }
                Readiness::NotYet => pause.take(),
            }
        }
        let processes = process::running().map_err(TargetError::Unreadable)?;
        let root = match &place {
            TargetAddress::Port(address) if address.ip().is_loopback() => {
                listeners::owner(address.port(), &processes)
            }
            TargetAddress::Port(_) => None,
            TargetAddress::Socket(path) => listeners::peer(path),
        };
        Ok(Self {
            place,
            ready_after: started.elapsed(),
            root,
            own: None,
            after: None,
            space: LaunchSpace::default(),
            services: LaunchServices::default(),
        })
    }

    /// Returns where it answers.
    pub fn place(&self) -> &TargetAddress {
        &self.place
    }

    /// Returns its address and port; none of a Unix socket, which only what runs already has.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.place {
            TargetAddress::Port(address) => Some(address),
            TargetAddress::Socket(_) => None,
        }
    }

    fn port(&self) -> u16 {
        self.address().map_or(0, |address| address.port())
    }

    /// Returns the time from start to the first 2xx.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Returns the process that was started, or for an attached target the one that listens, if it
    /// is on this machine and may be seen.
    pub fn pid(&self) -> Option<u32> {
        self.root.and_then(|pid| u32::try_from(pid.as_raw_pid()).ok())
    }

    /// Returns all its processes, as they are at this moment.
    pub fn pids(&self) -> Result<Vec<u32>, TargetError> {
        let pid = |process: &ProcessStat| u32::try_from(process.pid.as_raw_pid()).ok();
        Ok(self.family()?.iter().filter_map(pid).collect())
    }

    /// Returns how much it has called up to now of each thing whose calls are counted, in a fixed order.
    pub fn call_totals(&self) -> Vec<CallTotals> {
        self.services.relays.totals()
    }

    /// Returns what it has called up to now, in the same order.
    pub fn calls(&self) -> Vec<DependencyCalls> {
        self.services.relays.calls()
    }

    /// Returns how the pages of its program were placed; none of what was not started here as a
    /// program of this machine.
    pub fn placement(&self) -> Option<PlacementMethod> {
        let own = self.own.as_ref().filter(|own| own.cage.container.is_none());
        own.map(|own| own.program.method())
    }

    /// Returns the files that its processes execute from.
    pub fn executable_mappings(&self) -> Result<BTreeSet<MappedFile>, TargetError> {
        // A process may end between the listing and the reading.
        let mappings = |pid: u32| placement::executable_mappings(pid).unwrap_or_default();
        Ok(self.pids()?.into_iter().flat_map(mappings).collect())
    }

    /// Returns who keeps it to its limits.
    pub fn confinement(&self) -> LimitEnforcement {
        self.own.as_ref().map(|own| own.cage.confinement.clone()).unwrap_or_default()
    }

    /// Returns for how long its share of the processors was used up; a container's is not known.
    pub fn throttled(&self) -> Duration {
        self.own.as_ref().map(|own| own.cage.group.throttled()).unwrap_or_default()
    }

    fn container(&self) -> Option<&ContainerHandle> {
        self.own.as_ref()?.cage.container.as_ref()
    }

    /// Returns the last lines that it wrote; none of what runs already.
    pub fn log_tail(&self) -> Option<LogTail> {
        self.own.as_ref().map(SutProcess::tail)
    }

    /// Fails if the target or a service of it has ended, with its status and the end of its log, or if memory ran out
    /// for a process of it.
    pub fn alive(&self) -> Result<(), TargetError> {
        let Some(own) = &self.own else { return Ok(()) };
        // A service that has ended is why the target fails.
        self.services.alive()?;
        let ending = own.ending()?;
        let tail = || own.tail();
        // A command that has put its server into the background ends with 0.
        let is_daemon = ending == Some(ProcessEnd::Status(0)) && !own.serving.is_empty();
        if is_daemon && own.serving.iter().any(ProcessStat::is_running) {
            return Ok(());
        }
        if let Some(bytes) = own.limits.memory_bytes_max
            && own.ran_out_of_memory(ending)
        {
            let limit = units::bytes(units::exact(bytes));
            return Err(TargetError::OutOfMemory { ending, limit, tail: tail() });
        }
        match ending {
            None => Ok(()),
            Some(_) if is_daemon => Err(TargetError::DaemonDied { tail: tail() }),
            Some(ending) => Err(TargetError::Died { ending, tail: tail() }),
        }
    }

    /// Ends the target: SIGTERM to its process group, SIGKILL to whatever is left after the
    /// time-out, or a moment after Ctrl-C. An attached target is left alone.
    ///
    /// Fails if the target had ended before, as what was measured on it then means little.
    pub fn stop(self) -> Result<StopOutcome, TargetError> {
        self.begin_stop().finish()
    }

    /// Sends SIGTERM and waits for nothing, so that several targets take the time to end together.
    pub fn begin_stop(self) -> EndingTarget {
        let found = self.alive();
        let known = self.own.as_ref().map(SutProcess::terminate);
        EndingTarget { target: self, found, known }
    }

    fn family(&self) -> Result<Vec<ProcessStat>, TargetError> {
        let root = self.root.ok_or(TargetError::NoProcess)?;
        let running = process::running().map_err(TargetError::Unreadable)?;
        Ok(match &self.own {
            Some(own) if own.cage.container.is_none() => {
                process::family(root, &own.serving, &running)
            }
            Some(_) | None => process::descendants(root, &running),
        })
    }
}

/// A target that has been sent SIGTERM.
#[derive(Debug)]
pub struct EndingTarget {
    target: Target,
    /// Whether it was there until then.
    found: Result<(), TargetError>,
    /// What belonged to it, where it was started here.
    known: Option<Result<Vec<ProcessStat>, TargetError>>,
}

impl EndingTarget {
    /// Waits for its end, as [`Target::stop`] does.
    pub fn finish(mut self) -> Result<StopOutcome, TargetError> {
        let stopped = match (&mut self.target.own, self.known) {
            (Some(own), Some(known)) => own.stop(&known?)?,
            _ => StopOutcome::Gracefully,
        };
        let after = self.target.after.take().map_or(Ok(()), AfterLaunch::run);
        self.found.and(after).map(|()| stopped)
    }
}

impl SutProcess {
    fn spawn(
        launch: &LaunchContext<'_>,
        filled: &FilledCommand,
        program: ProgramPlacement,
    ) -> Result<Self, TargetError> {
        let LaunchContext { command, placement, log, cancel } = *launch;
        let marker = marker();
        let cage = LimitScope::new(command, &marker.replace("XMLPERF_LAUNCH=", "xmlperf-"))?;
        let mut process = match &cage.container {
            Some(running) => running.command(command, filled, placement),
            None => direct(filled, program.executable(), &cage.group),
        };
        let log_keeper = prepare(&mut process, command, &marker, log)?;
        let mut guard =
            OrphanGuard::post(&marker, &command.environment, program.executable(), &cage.removal())
                .map_err(TargetError::NoGuard)?;
        let child = {
            let pinned = placement.cpus.as_ref().map(CpuSet::pin_thread);
            let _pinned = pinned.transpose().map_err(TargetError::NotPlaced)?;
            let name = process.get_program().to_string_lossy().into_owned();
            spawn_unless_busy(&mut process).map_err(|source| not_started(command, &name, source))?
        };
        let group = Pid::from_child(&child);
        let watching = guard.watch(group);
        let own = Self {
            child,
            guard: Some(guard),
            marker,
            stop_timeout: command.stop_timeout,
            cancel: cancel.clone(),
            log: log.to_owned(),
            _log_keeper: log_keeper,
            secrets: filled.secret_values(),
            limits: command.limits,
            serving: Vec::new(),
            cage,
            program,
        };
        watching.map_err(TargetError::NoGuard)?;
        if let (Some(bytes), Some(LimitBackend::DataLimit)) =
            (own.limits.memory_bytes_max, &own.cage.confinement.memory)
        {
            let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
            prlimit(Some(group), Resource::Data, limit)
                .map_err(|errno| TargetError::NotPlaced(errno.into()))?;
        }
        Ok(own)
    }

    /// Sends SIGTERM to all that belongs to it, and returns what that was.
    fn terminate(&self) -> Result<Vec<ProcessStat>, TargetError> {
        let root = Pid::from_child(&self.child);
        // Those who leave the group are recognised by their parents, so before these are gone.
        let running = process::running().map_err(TargetError::Unreadable)?;
        let before = process::family(root, &self.serving, &running);
        // Gone already: there is no process left to look at.
        let _ = kill_process_group(root, Signal::TERM);
        let is_outside = |process: &&ProcessStat| process.group != root.as_raw_pid();
        for process in self.serving.iter().filter(is_outside).filter(|it| it.is_running()) {
            let _ = kill_process(process.pid, Signal::TERM);
        }
        Ok(before)
    }

    /// Waits until what was sent SIGTERM has ended, and kills what has not after the time-out, or a
    /// moment after Ctrl-C.
    fn stop(&mut self, known: &[ProcessStat]) -> Result<StopOutcome, TargetError> {
        let root = Pid::from_child(&self.child);
        let mut deadline = CancelDeadline::new(self.stop_timeout, &self.cancel, STOP_AFTER_CANCEL);
        let mut pause = PollBackoff::default();
        let serves = || self.serving.iter().any(ProcessStat::is_running);
        let end = ProcessEndWatch::of(root);
        while !deadline.has_passed() {
            let has_ended = ending(root)?.is_some();
            match (has_ended, has_ended && serves()) {
                (false, _) => end.wait(pause.longer()),
                // What it has left in the background is no child of ours.
                (true, true) => pause.take(),
                (true, false) => break,
            }
        }
        self.kill(known)
    }

    /// Kills whatever is left, until nothing is.
    fn kill(&mut self, known: &[ProcessStat]) -> Result<StopOutcome, TargetError> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let deadline = now() + PATIENCE;
        let mut stopped = StopOutcome::Gracefully;
        let mut pause = PollBackoff::default();
        if let Some(container) = &self.cage.container {
            container.remove()?;
        }
        loop {
            let left = self.left(known).map_err(TargetError::Unreadable)?;
            if left.is_empty() {
                break;
            }
            if now() >= deadline {
                let pids = left.iter().map(|process| process.pid.as_raw_pid()).collect();
                return Err(TargetError::Unkillable { pids });
            }
            stopped = StopOutcome::ByForce;
            for process in left {
                // It may have ended since it was seen.
                let _ = kill_process(process.pid, Signal::KILL);
            }
            pause.take();
        }
        // The root has ended, so this returns at once; until then its number stays taken.
        let _ = self.child.wait();
        if let Some(guard) = self.guard.take() {
            guard.dismiss();
        }
        Ok(stopped)
    }

    /// Returns how the target ended, if it has. The command of a container ends with 128 and the
    /// signal that ended what is inside.
    fn ending(&self) -> Result<Option<ProcessEnd>, TargetError> {
        let ending = ending(Pid::from_child(&self.child))?;
        Ok(match (ending, &self.cage.container) {
            (Some(ProcessEnd::Status(status @ 129..=192)), Some(_)) => {
                Some(ProcessEnd::Signal(status - 128))
            }
            (ending, _) => ending,
        })
    }

    /// Returns whether memory is why the target ended, or a process of it while it lives on.
    fn ran_out_of_memory(&self, ending: Option<ProcessEnd>) -> bool {
        let said = || ending.is_some() && self.tail().says_out_of_memory();
        match (&self.cage.container, &self.cage.confinement.memory) {
            // The engine takes too long to list what runs.
            (Some(container), _) => ending.is_some() && container.ran_out_of_memory(),
            (None, Some(LimitBackend::ControlGroup(_))) => self.cage.group.killed() > 0 || said(),
            (None, Some(LimitBackend::DataLimit)) => said(),
            (None, Some(LimitBackend::Engine(_)) | None) => false,
        }
    }

    fn tail(&self) -> LogTail {
        LogTail::of(&self.log).without(&self.secrets)
    }

    fn left(&self, known: &[ProcessStat]) -> io::Result<Vec<ProcessStat>> {
        let running = process::running()?;
        let family = process::family(Pid::from_child(&self.child), &self.serving, &running);
        let caged = self.cage.group.pids();
        let ours = |process: &ProcessStat| {
            caged.contains(&process.pid)
                || family.iter().chain(known).any(|member| member.is_same(process))
                || process::carries(process.pid, &self.marker)
        };
        Ok(running.into_iter().filter(ours).collect())
    }
}

impl Drop for SutProcess {
    fn drop(&mut self) {
        if self.guard.is_some() {
            let _ = self.kill(&[]);
        }
    }
}

/// Waits a little longer each time: short at first, as many targets are ready within milliseconds.
#[derive(Debug)]
struct PollBackoff(Duration);

impl Default for PollBackoff {
    fn default() -> Self {
        Self(Duration::from_millis(2))
    }
}

impl PollBackoff {
    const LONGEST: Duration = Duration::from_millis(50);

    fn take(&mut self) {
        thread::sleep(self.longer());
    }

    /// Returns the time to wait now, and makes the next one longer.
    fn longer(&mut self) -> Duration {
        let now = self.0;
        self.0 = (self.0 * 3 / 2).min(Self::LONGEST);
        now
    }
}

/// The clock by which what is done to a target's files and processes is bounded.
#[expect(clippy::disallowed_methods, reason = "starting, stopping and linking are bounded in time")]
pub fn now() -> Instant {
    Instant::now()
}

/// A variable that no other launch has, always of one length: a longer environment moves the stack,
/// which alone can change how fast a program runs.
fn marker() -> String {
    static LAUNCHES: AtomicU32 = AtomicU32::new(0);
    let launch = LAUNCHES.fetch_add(1, Ordering::Relaxed);
    format!("XMLPERF_LAUNCH={:010}-{launch:010}", std::process::id())
}

/// Tries once more with another port, if the first was taken in the meantime.
fn retry_port(
    mut start: impl FnMut() -> Result<Target, TargetError>,
) -> Result<Target, TargetError> {
    match start() {
        Err(TargetError::PortTaken { .. }) => start(),
        result => result,
    }
}

/// A command with the values of one launch in the place of its placeholders.
struct FilledCommand {
    words: Vec<String>,
    env: Vec<(String, String)>,
    /// Variables whose values are not shown.
    secrets: Vec<(String, SecretValue)>,
    /// The port on 127.0.0.1.
    port: u16,
    /// Further ports, each with the same number in a container and outside.
    further_ports: Vec<u16>,
}

impl FilledCommand {
    fn new(
        command: &TargetCommand,
        values: &PlaceholderValues,
        port: u16,
    ) -> Result<Self, TargetError> {
        let words = words(&command.start)?.iter().map(|word| values.fill(word)).collect();
        Ok(Self { port, ..Self::of_words(words, command, values) })
    }

    /// Returns other words with the variables of a command.
    fn of_words(words: Vec<String>, command: &TargetCommand, values: &PlaceholderValues) -> Self {
        let (mut env, mut secrets) = (Vec::new(), Vec::new());
        for (name, value) in &command.env {
            match value {
                EnvValue::Text(text) => {
                    let filled = call_relay::with_addresses(&values.fill(text), &values.swaps);
                    env.push((name.clone(), filled));
                }
                EnvValue::Inherited(from) => {
                    let swapped = |text: &str| call_relay::with_addresses(text, &values.swaps);
                    let lent = command.environment.lent(from).map(|value| value.map_text(swapped));
                    secrets.extend(lent.map(|value| (name.clone(), value)));
                }
            }
        }
        env.extend(command.port_env.iter().map(|name| (name.clone(), values.port.to_string())));
        let further_ports = values.ports.values().copied().collect();
        Self { words, env, secrets, port: values.port, further_ports }
    }

    fn secret_values(&self) -> Vec<SecretValue> {
        self.secrets.iter().map(|(_, value)| value.clone()).collect()
    }
}

/// Returns the words of a start command.
fn words(start: &str) -> Result<Vec<String>, TargetError> {
    if let Some(word) = shell_syntax(start) {
        return Err(TargetError::ShellSyntax { start: start.to_owned(), word });
    }
    let words = shlex::split(start).filter(|words| !words.is_empty());
    words.ok_or_else(|| TargetError::NotWords { start: start.to_owned() })
}

/// How long a target may take to end after Ctrl-C, where its time-out is longer.
const STOP_AFTER_CANCEL: Duration = Duration::from_millis(500);

/// Enters control groups before the program is there, so that all it does is counted.
const ENTER: &str = r#"
n=$1; shift
while [ "$n" -gt 0 ]; do
    echo $$ > "$1/cgroup.procs" || exit 126
    shift; n=$((n - 1))
done
exec "$@"
"#;

/// Starts a process. A file that was just written cannot be executed while a process that another
/// thread was forking still holds it open, which lasts until that one executes its own program.
fn spawn_unless_busy(process: &mut std::process::Command) -> io::Result<Child> {
    const TRIES: u32 = 50;
    let mut pause = PollBackoff::default();
    for _ in 1..TRIES {
        match process.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => pause.take(),
            result => return result,
        }
    }
    process.spawn()
}

/// The command of a process without a container, which executes `copy` in the program's place.
fn direct(launch: &FilledCommand, copy: Option<&Path>, group: &CgroupSet) -> std::process::Command {
    let (name, words) = launch.words.split_first().expect("a command has a word");
    let program = copy.map_or_else(|| OsString::from(name), |copy| copy.as_os_str().to_owned());
    let folders = group.folders();
    let mut process = if folders.is_empty() {
        let mut process = std::process::Command::new(program);
        process.arg0(name);
        process
    } else {
        let mut process = std::process::Command::new("/bin/sh");
        process.args(["-c", ENTER, failure::ENTERING]).arg(folders.len().to_string());
        // A shell executes a program by its path only, so that a copy sees its own name.
        process.args(folders).arg(program);
        process
    };
    process.args(words).envs(launch.env.iter().map(|(name, value)| (name, value)));
    process.envs(launch.secrets.iter().map(|(name, value)| (name, value.expose())));
    process
}

/// What a target and the engine of a container have in common.
fn prepare(
    process: &mut std::process::Command,
    command: &TargetCommand,
    marker: &str,
    log: &Path,
) -> Result<LogKeeper, TargetError> {
    let not_logged = |source| TargetError::NoLog { path: log.to_owned(), source };
    let out = create_log(log).map_err(not_logged)?;
    let err = out.try_clone().map_err(not_logged)?;
    let is_watched = matches!(command.ready.sign, ReadySign::LogLine(_));
    let keeper = LogKeeper::start(&out, is_watched).map_err(not_logged)?;
    // A variable of `env` that has the name of a withheld one keeps its own value.
    let given = process.get_envs().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    for name in command.environment.removed().iter().filter(|name| !given.contains(name)) {
        process.env_remove(name);
    }
    process
        .current_dir(&command.dir)
        .envs(marker.split_once('='))
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0);
    Ok(keeper)
}

fn first_word(command: &TargetCommand) -> String {
    shlex::split(&command.start).unwrap_or_default().into_iter().next().unwrap_or_default()
}

fn not_started(command: &TargetCommand, program: &str, source: io::Error) -> TargetError {
    let program = program.to_owned();
    if !command.dir.is_dir() {
        return TargetError::NoDirectory { dir: command.dir.clone() };
    }
    if source.kind() == io::ErrorKind::NotFound {
        return TargetError::NotFound { program, dir: command.dir.clone() };
    }
    TargetError::NotStarted { program, source }
}

/// Returns how a child ended, if it has; it stays to be waited for, so its number is not reused.
fn ending(pid: Pid) -> Result<Option<ProcessEnd>, TargetError> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status =
        waitid(WaitId::Pid(pid), options).map_err(|errno| TargetError::Unreadable(errno.into()))?;
    Ok(status.map(|status| match status.terminating_signal() {
        Some(signal) => ProcessEnd::Signal(signal),
        None => ProcessEnd::Status(status.exit_status().unwrap_or_default()),
    }))
}
