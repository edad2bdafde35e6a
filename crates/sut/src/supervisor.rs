//! Ends everything that xmlperf started, whatever ends xmlperf.
//!
//! Three processes take part. The *front* is the one that the user's shell started: it only passes
//! signals on and takes over the exit code. Its child, the *reaper*, is a subreaper: a process below it
//! that loses its parent becomes its child, also one that forked twice, called `setsid` and emptied its
//! environment. The reaper's child, the *worker*, is the program. When front or worker end, by SIGKILL
//! too, the reaper kills what is left below it. The front cannot be the reaper itself: SIGKILL to the
//! number that the shell shows would take both.
//!
//! Reaper and worker have a process group of their own, so that Ctrl-C reaches the front alone and
//! the worker gets each signal once.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group, setpgid, wait,
    waitpid,
};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1};
use signal_hook::iterator::Signals;

use super::kernel;
use super::process;

/// Signals on which a measurement ends and keeps what it has.
const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// A program such as `timeout` sends a signal to a process and to its group: that is one signal.
const SAME_SIGNAL: Duration = Duration::from_millis(300);

/// How long the worker may take to end after its signal. It ends what it started at once, so this is
/// for a fault of its own.
const WORKER_PATIENCE: Duration = Duration::from_secs(10);

/// How long a guard may take to remove a container or a control group.
const GUARD_PATIENCE: Duration = Duration::from_secs(8);

/// Killed processes take a moment to be gone; those that wait for a broken device never are.
const KILL_PATIENCE: Duration = Duration::from_secs(3);

/// The exit code of a run that could not be measured, here because the system refused something.
const NOT_MEASURED: u8 = 3;

/// The exit code of what SIGKILL has ended, as a shell shows it.
const KILLED: u8 = 137;

/// What the current process is, after [`supervise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SupervisedRole {
    /// It does the work.
    Worker,
    /// It has waited for the work, and is to end with this exit code.
    Ended(u8),
}

/// Becomes three processes, and returns in each of them: at once in the one that works, and in the
/// others when that has ended.
///
/// The process must have one thread. Fails where the system has no room for another process; nothing
/// has changed then, and a guard still ends the targets of a program that is killed. Fails, too, where
/// the system hands no orphans on; it launches no targets either.
pub fn supervise() -> io::Result<SupervisedRole> {
    if !kernel::LAUNCHES {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let front = getpid();
    let Some(reaper) = fork()? else {
        return Ok(reap(front).unwrap_or(SupervisedRole::Ended(NOT_MEASURED)));
    };
    // Both sides do it, so that neither can be first.
    let _ = setpgid(Some(reaper), Some(reaper));
    Ok(SupervisedRole::Ended(front_loop(reaper).unwrap_or(NOT_MEASURED)))
}

/// Returns the child's number in the parent, none in the child.
#[expect(unsafe_code, reason = "rustix has no fork, as it is unsafe in a process with threads")]
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the process has one thread, as `supervise` requires, so that the child finds no lock
    // held by a thread that it does not have.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Passes signals on until the reaper has ended.
fn front_loop(reaper: Pid) -> io::Result<u8> {
    let listened = ENDING.into_iter().chain([SIGTSTP, SIGCONT, SIGCHLD]);
    let mut signals = Signals::new(listened)?;
    let mut last: Option<(i32, Instant)> = None;
    // It may have ended before there was a handler.
    if let Some(code) = ended(reaper)? {
        return Ok(code);
    }
    for signal in signals.forever() {
        match signal {
            SIGCHLD => {
                if let Some(code) = ended(reaper)? {
                    return Ok(code);
                }
            }
            // The worker is in another group, which the terminal does not stop.
            SIGTSTP => {
                let _ = kill_process_group(reaper, Signal::STOP);
                let _ = kill_process(getpid(), Signal::STOP);
            }
            SIGCONT => {
                let _ = kill_process_group(reaper, Signal::CONT);
            }
            _ => {
                let again = last.is_some_and(|(before, at)| {
                    before == signal && now().duration_since(at) < SAME_SIGNAL
                });
                last = Some((signal, now()));
                if let (Some(signal), false) = (Signal::from_named_raw(signal), again) {
                    let _ = kill_process(reaper, signal);
                }
            }
        }
    }
    Ok(0)
}

/// Returns the exit code of a child that has ended.
fn ended(child: Pid) -> io::Result<Option<u8>> {
    Ok(waitpid(Some(child), WaitOptions::NOHANG)?.and_then(|(_, status)| exit_code(status)))
}

/// The exit code as a shell shows it; none of a process that only stopped.
fn exit_code(status: WaitStatus) -> Option<u8> {
    let code = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => return None,
    };
    Some(u8::try_from(code).unwrap_or(u8::MAX))
}

/// Becomes the reaper, and in its child the worker. A signal that comes before there are handlers ends
/// all three, as nothing has begun.
fn reap(front: Pid) -> io::Result<SupervisedRole> {
    let own = getpid();
    let _ = setpgid(None, None);
    kernel::adopt_orphans(Some(own))?;
    // Before the handlers, which the worker would take over with what they are registered in.
    let forked = fork();
    // Where there is no room for a third one, this one works as it would alone, and says what is refused.
    if forked.is_err() {
        kernel::adopt_orphans(None)?;
    }
    let parent = if forked.is_err() { front } else { own };
    let Ok(Some(worker)) = forked else {
        kernel::signal_at_end_of_parent(Signal::KILL)?;
        let is_orphan = rustix::process::getppid() != Some(parent);
        return Ok(if is_orphan { SupervisedRole::Ended(KILLED) } else { SupervisedRole::Worker });
    };
    kernel::signal_at_end_of_parent(Signal::USR1)?;
    let has_front = rustix::process::getppid() == Some(front);
    let code = if has_front { reaper_loop(worker).unwrap_or(NOT_MEASURED) } else { KILLED };
    end_all(own);
    Ok(SupervisedRole::Ended(code))
}

/// Passes signals on until the worker has ended or the front is gone, and returns the exit code.
fn reaper_loop(worker: Pid) -> io::Result<u8> {
    let mut signals = Signals::new(ENDING.into_iter().chain([SIGUSR1, SIGCHLD]))?;
    // It may have ended before there was a handler.
    if let Some(code) = reap_children(worker) {
        return Ok(code);
    }
    let worker_ended = Arc::new(AtomicBool::new(false));
    let mut is_ending = false;
    for signal in signals.forever() {
        match signal {
            // The front is gone.
            SIGUSR1 => return Ok(KILLED),
            SIGCHLD => {
                if let Some(code) = reap_children(worker) {
                    worker_ended.store(true, Ordering::Relaxed);
                    return Ok(code);
                }
            }
            _ => {
                if let Some(signal) = Signal::from_named_raw(signal) {
                    let _ = kill_process(worker, signal);
                }
                if !is_ending {
                    is_ending = true;
                    kill_later(worker, &worker_ended);
                }
            }
        }
    }
    Ok(KILLED)
}

/// Kills a worker that does not end by its signal.
fn kill_later(worker: Pid, ended: &Arc<AtomicBool>) {
    let ended = Arc::clone(ended);
    let kill = move || {
        thread::sleep(WORKER_PATIENCE);
        // It is a child of this process, so its number is not another's while it was not waited for.
        if !ended.load(Ordering::Relaxed) {
            let _ = kill_process(worker, Signal::KILL);
        }
    };
    // Where the system refuses a thread, a second signal ends a worker that does not end.
    let _ = thread::Builder::new().spawn(kill);
}

/// Waits for all children that have ended, and returns the exit code of the worker if it is among them.
fn reap_children(worker: Pid) -> Option<u8> {
    let mut code = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == worker {
            code = worker_code(status).or(code);
        }
    }
    code
}

/// The exit code of the worker. One that the system refuses memory aborts, after it has said so: nothing is
/// measured then.
fn worker_code(status: WaitStatus) -> Option<u8> {
    match status.terminating_signal() {
        Some(libc::SIGABRT) => Some(NOT_MEASURED),
        _ => exit_code(status),
    }
}

/// Kills what is left below the reaper. Guards go on until they have removed what has no process.
fn end_all(own: Pid) {
    let started = now();
    loop {
        let left = loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if !left {
            return;
        }
        let Ok(running) = process::running() else { return };
        let below = process::descendants(own, &running);
        let guards = below.iter().filter(|it| is_guard(it.pid)).map(|it| it.pid);
        let spared: Vec<Pid> = if started.elapsed() < GUARD_PATIENCE {
            guards
                .flat_map(|guard| process::descendants(guard, &running))
                .map(|it| it.pid)
                .collect()
        } else {
            Vec::new()
        };
        let others = below.iter().map(|it| it.pid).filter(|pid| *pid != own);
        let (waiting, killed): (Vec<_>, Vec<_>) = others.partition(|pid| spared.contains(pid));
        for pid in &killed {
            let _ = kill_process(*pid, Signal::KILL);
        }
        let patience = GUARD_PATIENCE + KILL_PATIENCE;
        if (waiting.is_empty() && killed.is_empty()) || started.elapsed() > patience {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is a guard of a target.
fn is_guard(pid: Pid) -> bool {
    let words = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
    let mut words = words.split(|&byte| byte == 0);
    words.next() == Some(b"/bin/sh")
        && words.any(|word| word == super::orphan_guard::NAME.as_bytes())
}

#[expect(clippy::disallowed_methods, reason = "waiting for processes to end is bounded in time")]
fn now() -> Instant {
    Instant::now()
}
