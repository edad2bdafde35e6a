//! Runs a user's commands around a launch: by a shell, to their end, within a time.
//!
//! What such a command leaves running is ended with it: what has to run beside a target is a service.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Pid;
use units::cancel::Cancel;

use super::cgroup::ResourceLimits;
use super::deadline::CancelDeadline;
use super::end_watch::ProcessEndWatch;
use super::failure::{LogTail, ProcessEnd, TargetError};
use super::filled_command::FilledCommand;
use super::hook_spec::{HookKind, HookSpec};
use super::placeholder::PlaceholderValues;
use super::placement::ProgramPlacement;
use super::poll_backoff::PollBackoff;
use super::sut_process::SutProcess;
use super::{CpuPlacement, LaunchContext, TargetCommand};

/// How long a hook that follows a launch may go on after Ctrl-C: it may undo what was done outside.
const AFTER_CANCEL: Duration = Duration::from_secs(1);

impl HookSpec {
    /// Runs it to its end. Its output is in a log of its own beside that of the target.
    pub(super) fn run(
        &self,
        launch: &LaunchContext<'_>,
        values: &PlaceholderValues,
    ) -> Result<(), TargetError> {
        let Self { kind, script, timeout } = self;
        let command = TargetCommand {
            limits: ResourceLimits::default(),
            container: None,
            ..launch.command.clone()
        };
        let words = ["/bin/sh", "-c", &values.fill(script)].map(str::to_owned);
        let filled = FilledCommand::of_words(words.to_vec(), &command, values);
        let log = launch.log.with_extension(format!("{kind}.log"));
        let program = ProgramPlacement::original();
        let context = LaunchContext { command: &command, log: &log, ..*launch };
        let mut shell = SutProcess::spawn(&context, &filled, program)?;
        let grace = if *kind == HookKind::AfterLaunch { AFTER_CANCEL } else { Duration::ZERO };
        let ending = wait(&shell, CancelDeadline::new(*timeout, launch.cancel, grace));
        shell.kill(&[])?;
        let tail = || LogTail::of(&log).without(&filled.secret_values());
        match ending? {
            Some(ProcessEnd::Status(0)) => Ok(()),
            Some(ending) => Err(TargetError::HookFailed { hook: *kind, ending, tail: tail() }),
            None => Err(TargetError::HookLate { hook: *kind, after: *timeout, tail: tail() }),
        }
    }
}

/// Returns how the shell ended; none of one that goes on after the time.
fn wait(
    shell: &SutProcess,
    mut deadline: CancelDeadline<'_>,
) -> Result<Option<ProcessEnd>, TargetError> {
    let mut pause = PollBackoff::default();
    let end = ProcessEndWatch::of(Pid::from_child(&shell.child));
    loop {
        if let Some(ending) = shell.ending()? {
            return Ok(Some(ending));
        }
        if deadline.has_passed() {
            return if shell.cancel.is_raised() { Err(TargetError::Cancelled) } else { Ok(None) };
        }
        end.wait(pause.longer());
    }
}

/// The hook that follows a launch. It runs when this is dropped, too: what was done before a launch that
/// failed is to be undone as well.
#[derive(Debug)]
pub(super) struct AfterLaunch {
    hook: HookSpec,
    command: TargetCommand,
    values: PlaceholderValues,
    placement: CpuPlacement,
    log: PathBuf,
    cancel: Cancel,
    is_done: bool,
}

impl AfterLaunch {
    /// Returns the hook of a launch, if it has one.
    pub(super) fn of(launch: &LaunchContext<'_>, values: &PlaceholderValues) -> Option<Self> {
        Some(Self {
            hook: launch.command.hooks.after.clone()?,
            command: launch.command.clone(),
            values: values.clone(),
            placement: launch.placement.clone(),
            log: launch.log.to_owned(),
            cancel: launch.cancel.clone(),
            is_done: false,
        })
    }

    /// Runs it.
    pub(super) fn run(mut self) -> Result<(), TargetError> {
        self.run_once()
    }

    fn run_once(&mut self) -> Result<(), TargetError> {
        self.is_done = true;
        let Self { hook, command, values, placement, log, cancel, .. } = &*self;
        hook.run(&LaunchContext { command, placement, log, cancel }, values)
    }
}

impl Drop for AfterLaunch {
    fn drop(&mut self) {
        if !self.is_done {
            // The launch has failed already, and that is the failure to report.
            let _ = self.run_once();
        }
    }
}
