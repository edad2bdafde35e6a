//! Runs the program under test, from its first byte of output to the end of its last child.
//!
//! A target is a process group of its own with a marker in its environment. It ends in one of four
//! ways, and none leaves a process behind: [`Target::stop`] asks and then forces; dropping forces;
//! Ctrl-C raises [`Cancel`], on which every wait returns and its target is dropped; and if this process is killed, a
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
mod filled_command;
mod hook;
mod hook_spec;
pub mod host;
mod kernel;
mod launch_space;
pub mod layout;
mod limit_backend;
mod listeners;
mod log_ends;
pub mod network;
mod orphan_guard;
mod placeholder;
pub mod placement;
mod poll_backoff;
mod process;
mod readiness;
mod ready_condition;
mod resource_usage;
mod run_queue;
mod sampler;
mod service;
mod serving;
mod shell;
mod start_files;
mod starting;
pub mod supervisor;
mod sut_process;
mod target_processes;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use units::cancel::Cancel;
use units::environment::{ChildEnvironment, EnvValue};

pub use address::{TargetAddress, Url};
pub use call_relay::{DependencyCalls, DependencySpec};
pub use calls::{CallCounting, CallTotals};
pub use cgroup::{CgroupVersion, ResourceLimits};
use container::ContainerHandle;
pub use container::ContainerSpec;
pub use cpus::{AffinityGuard, CpuSet, CpuSplit};
pub use end_watch::ProcessEndWatch;
pub use failure::{ListenerHint, LogTail, ProcessEnd, ReadyAdvice, TargetError};
use filled_command::FilledCommand;
use hook::AfterLaunch;
pub use hook_spec::{HookKind, HookSpec, LaunchHooks};
use launch_space::LaunchSpace;
pub use limit_backend::{LimitBackend, LimitEnforcement};
pub use log_ends::{LogEnds, create_log};
use placeholder::PlaceholderValues;
pub use placeholder::{Placeholder, PlaceholderError, is_name as is_placeholder_name};
use placement::{MappedFile, PlacementMethod, ProgramPlacement};
use poll_backoff::PollBackoff;
use process::ProcessStat;
pub use readiness::{ProbeError, ProbeQuery, ReadinessProbe};
use readiness::{Readiness, ReadinessDecision};
pub use ready_condition::{LogPattern, ReadyCondition, ReadySign};
pub use resource_usage::{ProcessCounters, ResourceUsage};
pub use run_queue::RunQueueClock;
pub use sampler::{CpuClock, HostInterference, ResourceSample, ResourceSeries, Sampler};
use service::LaunchServices;
pub use service::{ServiceScope, ServiceSet, ServiceSpec, SharedServices};
pub use shell::shell_syntax;
pub use start_files::{invoked_at, shared_start_file};
pub use sut_process::StopOutcome;
use sut_process::SutProcess;
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

impl Target {
    /// Fails where no target can be launched, so that this is known before one is built.
    pub fn ensure_launches() -> Result<(), TargetError> {
        if kernel::LAUNCHES {
            return Ok(());
        }
        Err(TargetError::NoLaunches { system: std::env::consts::OS })
    }

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
        Self::ensure_launches()?;
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
        let root = process_behind(&place)?;
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
        let own = self.own.as_ref().filter(|own| own.scope.container.is_none());
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
        self.own.as_ref().map(|own| own.scope.confinement.clone()).unwrap_or_default()
    }

    /// Returns for how long its share of the processors was used up; a container's is not known.
    pub fn throttled(&self) -> Duration {
        self.own.as_ref().map(|own| own.scope.group.throttled()).unwrap_or_default()
    }

    fn container(&self) -> Option<&ContainerHandle> {
        self.own.as_ref()?.scope.container.as_ref()
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
            Some(own) if own.scope.container.is_none() => {
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

/// The clock by which what is done to a target's files and processes is bounded.
#[expect(clippy::disallowed_methods, reason = "starting, stopping and linking are bounded in time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Returns the process that listens, if it is on this machine and may be seen.
fn process_behind(place: &TargetAddress) -> Result<Option<Pid>, TargetError> {
    if !kernel::LAUNCHES {
        return Ok(None);
    }
    let processes = process::running().map_err(TargetError::Unreadable)?;
    Ok(match place {
        TargetAddress::Port(address) if address.ip().is_loopback() => {
            listeners::owner(address.port(), &processes)
        }
        TargetAddress::Port(_) => None,
        TargetAddress::Socket(path) => listeners::peer(path),
    })
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

fn first_word(command: &TargetCommand) -> String {
    shlex::split(&command.start).unwrap_or_default().into_iter().next().unwrap_or_default()
}
