//! What all tools have in common: a target that runs under one, the load on it, and helpers that
//! end when a person wants to stop.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use sut::{CpuPlacement, LogTail, Target, TargetCommand, TargetError};
use units::cancel::Cancel;

use super::failure::{DriveError, ProfileError};

/// How much is run for how many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfilePlan {
    /// Requests before counting, at least one.
    pub warmup_requests: u64,
    /// Requests that count, at least one.
    pub requests: u64,
    /// Units of work in each request, at least one.
    pub pairs_per_request: u64,
    /// Requests in one unit of work, at least one: more than one where a whole flow is a unit. Both numbers
    /// of requests are multiples of it.
    pub requests_per_unit: u64,
    /// Launches, each of which gives one value; tools that need no more take one.
    pub launches: usize,
}

/// What is run, and how it is loaded.
#[derive(Clone, Copy)]
pub struct ProfileSession<'a> {
    /// How much.
    pub plan: ProfilePlan,
    /// Gets ready to send requests to a target that has just started.
    pub drive: &'a (dyn Fn(SocketAddr) -> Result<ProfileDriver<'a>, DriveError> + Sync),
    /// Hears of every launch that is done.
    pub progress: &'a (dyn Fn() + Sync),
    /// Ends it all.
    pub cancel: &'a Cancel,
}

/// Sends so many requests and checks the answers. The connection stays open until it is dropped, so
/// that what connecting takes is part of the warm-up.
pub type ProfileDriver<'a> = Box<dyn FnMut(u64) -> Result<(), DriveError> + 'a>;

/// A target under a tool, and the load on it.
pub(super) struct ProfileTarget<'a> {
    tool: &'static str,
    pub(super) target: Target,
    drive: ProfileDriver<'a>,
    cancel: &'a Cancel,
}

/// A helper that runs while the target is loaded; dropping it kills it.
#[derive(Debug)]
pub(super) struct HelperProcess {
    child: Child,
    log: PathBuf,
}

impl ProfileSession<'_> {
    /// Returns the units of work that count in one launch.
    pub(super) fn pairs(&self) -> u64 {
        let pairs = self.plan.requests * self.plan.pairs_per_request / self.plan.requests_per_unit;
        assert!(pairs > 0, "the plan has no units of work to count");
        pairs
    }

    /// Starts a command, its output in `dir`, and gets ready to load it.
    pub(super) fn start(
        &self,
        tool: &'static str,
        command: &TargetCommand,
        dir: &Path,
    ) -> Result<ProfileTarget<'_>, ProfileError> {
        let log = dir.join("target.log");
        let target = Target::start(command, &CpuPlacement::default(), &log, self.cancel)
            .map_err(|source| failed(tool, source))?;
        let address = target.address().expect("what is started listens on a port");
        let drive = (self.drive)(address);
        let drive = drive.map_err(|source| ProfileError::Load { tool, source })?;
        Ok(ProfileTarget { tool, target, drive, cancel: self.cancel })
    }

    /// Runs a helper to its end, on `input`, with its output in `out`.
    pub(super) fn run(
        &self,
        tool: &'static str,
        process: &mut Command,
        input: Stdio,
        out: &Path,
    ) -> Result<(), ProfileError> {
        let mut helper = HelperProcess::start(tool, process.stdin(input), out)?;
        let status = helper.end(tool, self.cancel)?;
        if status.success() { Ok(()) } else { Err(helper.failure(tool, process, status)) }
    }
}

impl ProfileTarget<'_> {
    /// Sends requests. Why the target died is the better story, if it did.
    pub(super) fn load(&mut self, requests: u64) -> Result<(), ProfileError> {
        let driven = (self.drive)(requests);
        if self.cancel.is_raised() {
            return Err(ProfileError::Cancelled);
        }
        let tool = self.tool;
        self.target.alive().map_err(|source| failed(tool, source))?;
        driven.map_err(|source| ProfileError::Load { tool, source })
    }

    /// Ends the target.
    pub(super) fn stop(self) -> Result<(), ProfileError> {
        let tool = self.tool;
        drop(self.drive);
        self.target.stop().map(drop).map_err(|source| failed(tool, source))
    }
}

impl HelperProcess {
    pub(super) fn start(
        tool: &'static str,
        process: &mut Command,
        out: &Path,
    ) -> Result<Self, ProfileError> {
        let file = File::create(out).map_err(files(out))?;
        Self::spawn(tool, process.stdout(file), &out.with_extension("log"))
    }

    /// Starts a helper whose standard output goes where `process` says.
    pub(super) fn spawn(
        tool: &'static str,
        process: &mut Command,
        log: &Path,
    ) -> Result<Self, ProfileError> {
        let file = File::create(log).map_err(files(log))?;
        let child = process.stderr(file).spawn().map_err(|error| {
            let program = process.get_program().display();
            ProfileError::Tool { tool, reason: format!("cannot run `{program}`: {error}") }
        })?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Waits until it has ended.
    pub(super) fn end(
        &mut self,
        tool: &'static str,
        cancel: &Cancel,
    ) -> Result<ExitStatus, ProfileError> {
        const POLL: Duration = Duration::from_millis(5);
        const POLLS_MAX: usize = 60_000;
        for _ in 0..POLLS_MAX {
            if let Some(status) = self.ended(tool)? {
                return Ok(status);
            }
            if cancel.is_raised() {
                return Err(ProfileError::Cancelled);
            }
            thread::sleep(POLL);
        }
        Err(ProfileError::Tool { tool, reason: "it did not come to an end".to_owned() })
    }

    /// What writes to its standard input, and reads its standard output, where these are pipes.
    pub(super) fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        Some((self.child.stdin.take()?, self.child.stdout.take()?))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn ended(&mut self, tool: &'static str) -> Result<Option<ExitStatus>, ProfileError> {
        let failed = |error: io::Error| ProfileError::Tool { tool, reason: error.to_string() };
        self.child.try_wait().map_err(failed)
    }

    /// Returns what it said on standard error.
    pub(super) fn said(&self) -> String {
        LogTail::of(&self.log).lines().join(" · ")
    }

    pub(super) fn failure(
        &self,
        tool: &'static str,
        process: &Command,
        status: ExitStatus,
    ) -> ProfileError {
        let program = process.get_program().display();
        let reason = format!("`{program}` ended with {status}: {}", self.said());
        ProfileError::Tool { tool, reason }
    }
}

impl Drop for HelperProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a folder and returns its full path. What an earlier session left there is removed: it would
/// be read as if it were of this one.
pub(super) fn folder(dir: &Path) -> Result<PathBuf, ProfileError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(files(dir)(error)),
        Ok(()) | Err(_) => {}
    }
    fs::create_dir_all(dir).and_then(|()| dir.canonicalize()).map_err(files(dir))
}

/// Makes a folder without what an earlier run left in it, and returns its full path.
pub(super) fn empty_folder(dir: &Path) -> Result<PathBuf, ProfileError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(files(dir)(error)),
        Ok(()) | Err(_) => folder(dir),
    }
}

/// Returns the files of a folder whose name `ends` so, sorted.
pub(super) fn files_ending(dir: &Path, end: &str) -> Result<Vec<PathBuf>, ProfileError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(files(dir))? {
        let path = entry.map_err(files(dir))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

pub(super) fn read(path: &Path) -> Result<String, ProfileError> {
    let bytes = fs::read(path).map_err(files(path))?;
    // Names of functions and files may hold anything.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn failed(tool: &'static str, source: TargetError) -> ProfileError {
    match source {
        TargetError::Cancelled => ProfileError::Cancelled,
        source => ProfileError::Target { tool, source: Box::new(source) },
    }
}

pub(super) fn files(path: &Path) -> impl FnOnce(io::Error) -> ProfileError {
    let path = path.to_owned();
    |source| ProfileError::Files { path, source }
}
