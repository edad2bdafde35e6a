//! Starts a process in a group of its own, and ends all that came of it: of a target, a service or a hook.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use units::cancel::Cancel;
use units::environment::SecretValue;

use super::cgroup::{CgroupSet, ResourceLimits};
use super::cpus::CpuSet;
use super::deadline::CancelDeadline;
use super::end_watch::ProcessEndWatch;
use super::failure::{self, LogTail, ProcessEnd, TargetError};
use super::filled_command::FilledCommand;
use super::kernel;
use super::limit_backend::{LimitBackend, LimitScope};
use super::log_ends::{LogKeeper, create_log};
use super::orphan_guard::OrphanGuard;
use super::placement::ProgramPlacement;
use super::poll_backoff::PollBackoff;
use super::process::{self, ProcessStat};
use super::ready_condition::ReadySign;
use super::{LaunchContext, TargetCommand, now};

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

/// How a target ended after SIGTERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopOutcome {
    /// It ended by itself within the time-out, and left nothing behind.
    Gracefully,
    /// It, or something it had started, had to be killed.
    ByForce,
}

/// What ending a target takes.
#[derive(Debug)]
pub(super) struct SutProcess {
    pub(super) child: Child,
    guard: Option<OrphanGuard>,
    pub(super) marker: String,
    stop_timeout: Duration,
    /// A target's own end is not waited for much longer when this is raised.
    pub(super) cancel: Cancel,
    pub(super) log: PathBuf,
    /// Ends the keeping when nothing writes any more.
    _log_keeper: LogKeeper,
    /// What is kept out of messages.
    secrets: Vec<SecretValue>,
    pub(super) limits: ResourceLimits,
    /// The processes that listen, once it is ready: the command may end and leave them running.
    pub(super) serving: Vec<ProcessStat>,
    pub(super) scope: LimitScope,
    /// Dropped last, when no process executes the copy any more.
    pub(super) program: ProgramPlacement,
}

impl SutProcess {
    pub(super) fn spawn(
        launch: &LaunchContext<'_>,
        filled: &FilledCommand,
        program: ProgramPlacement,
    ) -> Result<Self, TargetError> {
        let LaunchContext { command, placement, log, cancel } = *launch;
        let marker = marker();
        let scope = LimitScope::new(command, &marker.replace("XMLPERF_LAUNCH=", "xmlperf-"))?;
        let mut process = match &scope.container {
            Some(running) => running.command(command, filled, placement),
            None => direct(filled, program.executable(), &scope.group),
        };
        let log_keeper = prepare(&mut process, command, &marker, log)?;
        let mut guard = OrphanGuard::post(
            &marker,
            &command.environment,
            program.executable(),
            &scope.removal(),
        )
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
            scope,
            program,
        };
        watching.map_err(TargetError::NoGuard)?;
        if let (Some(bytes), Some(LimitBackend::DataLimit)) =
            (own.limits.memory_bytes_max, &own.scope.confinement.memory)
        {
            kernel::limit_data(group, bytes).map_err(TargetError::NotPlaced)?;
        }
        Ok(own)
    }

    /// Sends SIGTERM to all that belongs to it, and returns what that was.
    pub(super) fn terminate(&self) -> Result<Vec<ProcessStat>, TargetError> {
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
    pub(super) fn stop(&mut self, known: &[ProcessStat]) -> Result<StopOutcome, TargetError> {
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
    pub(super) fn kill(&mut self, known: &[ProcessStat]) -> Result<StopOutcome, TargetError> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let deadline = now() + PATIENCE;
        let mut stopped = StopOutcome::Gracefully;
        let mut pause = PollBackoff::default();
        if let Some(container) = &self.scope.container {
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
    pub(super) fn ending(&self) -> Result<Option<ProcessEnd>, TargetError> {
        let ending = ending(Pid::from_child(&self.child))?;
        Ok(match (ending, &self.scope.container) {
            (Some(ProcessEnd::Status(status @ 129..=192)), Some(_)) => {
                Some(ProcessEnd::Signal(status - 128))
            }
            (ending, _) => ending,
        })
    }

    /// Returns whether memory is why the target ended, or a process of it while it lives on.
    pub(super) fn ran_out_of_memory(&self, ending: Option<ProcessEnd>) -> bool {
        let said = || ending.is_some() && self.tail().says_out_of_memory();
        match (&self.scope.container, &self.scope.confinement.memory) {
            // The engine takes too long to list what runs.
            (Some(container), _) => ending.is_some() && container.ran_out_of_memory(),
            (None, Some(LimitBackend::ControlGroup(_))) => self.scope.group.killed() > 0 || said(),
            (None, Some(LimitBackend::DataLimit)) => said(),
            (None, Some(LimitBackend::Engine(_)) | None) => false,
        }
    }

    pub(super) fn tail(&self) -> LogTail {
        LogTail::of(&self.log).without(&self.secrets)
    }

    pub(super) fn left(&self, known: &[ProcessStat]) -> io::Result<Vec<ProcessStat>> {
        let running = process::running()?;
        let family = process::family(Pid::from_child(&self.child), &self.serving, &running);
        let confined = self.scope.group.pids();
        let ours = |process: &ProcessStat| {
            confined.contains(&process.pid)
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

/// A variable that no other launch has, always of one length: a longer environment moves the stack,
/// which alone can change how fast a program runs.
fn marker() -> String {
    static LAUNCHES: AtomicU32 = AtomicU32::new(0);
    let launch = LAUNCHES.fetch_add(1, Ordering::Relaxed);
    format!("XMLPERF_LAUNCH={:010}-{launch:010}", std::process::id())
}

/// Starts a process. A file that was just written cannot be executed while a process that another
/// thread was forking still holds it open, which lasts until that one executes its own program.
fn spawn_unless_busy(process: &mut Command) -> io::Result<Child> {
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
fn direct(launch: &FilledCommand, copy: Option<&Path>, group: &CgroupSet) -> Command {
    let (name, words) = launch.words.split_first().expect("a command has a word");
    let program = copy.map_or_else(|| OsString::from(name), |copy| copy.as_os_str().to_owned());
    let folders = group.folders();
    let mut process = if folders.is_empty() {
        let mut process = Command::new(program);
        process.arg0(name);
        process
    } else {
        let mut process = Command::new("/bin/sh");
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
    process: &mut Command,
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

pub(super) fn not_started(
    command: &TargetCommand,
    program: &str,
    source: io::Error,
) -> TargetError {
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
