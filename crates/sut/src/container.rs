//! Runs an image as the target, through the command line of docker or podman.
//!
//! The engine's command stays in the foreground: its output is the log, its end the container's
//! end, and SIGTERM to it reaches the container. It does not remove the container by itself, or
//! whether memory ran out could not be read any more; that is done here, and by the guard.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Pid;
use thiserror::Error;
use units::environment::ChildEnvironment;

use super::failure::TargetError;
use super::filled_command::FilledCommand;
use super::{CpuPlacement, TargetCommand, now};

/// How an image is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSpec {
    /// The port on which the program inside listens.
    pub port: u16,
    /// The engine's program; without it, `docker` or else `podman`.
    pub engine: Option<String>,
}

/// Engines that are looked for, in order.
const ENGINES: [&str; 2] = ["docker", "podman"];

/// How long an engine may think about a question, or about removing a container.
const PATIENCE: Duration = Duration::from_secs(20);

/// A container that was begun, until it is removed.
#[derive(Debug)]
pub(super) struct ContainerHandle {
    engine: String,
    dir: PathBuf,
    environment: ChildEnvironment,
    name: String,
    /// The port inside.
    port: u16,
}

/// Why an engine did not do what was requested.
#[derive(Debug, Error)]
enum EngineError {
    #[error("`{engine}` was not found")]
    NotFound { engine: String },
    #[error("`{engine}`: {source}")]
    NotStarted { engine: String, source: io::Error },
    #[error("`{command}` does not answer")]
    NoAnswer { command: String },
    #[error("`{command}`: {said}")]
    Refused { command: String, said: String },
    #[error(transparent)]
    Unreadable(#[from] io::Error),
}

impl EngineError {
    /// Returns whether there is no such container.
    fn is_no_container(&self) -> bool {
        match self {
            // What docker and podman write.
            Self::Refused { said, .. } => said.to_lowercase().contains("no such container"),
            Self::NotFound { .. }
            | Self::NotStarted { .. }
            | Self::NoAnswer { .. }
            | Self::Unreadable(_) => false,
        }
    }
}

impl ContainerHandle {
    /// Finds an engine that works, and names the container. Nothing is started yet.
    pub(super) fn choose(
        container: &ContainerSpec,
        command: &TargetCommand,
        name: &str,
    ) -> Result<Self, TargetError> {
        let known = || ENGINES.map(str::to_owned).to_vec();
        let candidates = container.engine.clone().map_or_else(known, |engine| vec![engine]);
        let mut reasons = Vec::new();
        for engine in candidates {
            let running = Self {
                engine,
                dir: command.dir.clone(),
                environment: command.environment.clone(),
                name: name.to_owned(),
                port: container.port,
            };
            match running.ask(&["ps", "--quiet"]) {
                Ok(_) => return Ok(running),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Err(TargetError::NoEngine { reasons: reasons.join("; ") })
    }

    /// Returns the engine's program.
    pub(super) fn engine(&self) -> &str {
        &self.engine
    }

    /// Returns the command that runs the image, and answers on `port` of 127.0.0.1.
    pub(super) fn command(
        &self,
        command: &TargetCommand,
        launch: &FilledCommand,
        placement: &CpuPlacement,
    ) -> Command {
        let mut process = Command::new(&self.engine);
        process.args(["run", "--name", &self.name, "--label", "xmlperf"]);
        let own = (launch.port, self.port);
        for (outside, inside) in launch.further_ports.iter().map(|port| (*port, *port)).chain([own])
        {
            process.arg("--publish").arg(format!("127.0.0.1:{outside}:{inside}"));
        }
        if let Some(bytes) = command.limits.memory_bytes_max {
            // As much with swap as without means no swap.
            process.arg(format!("--memory={bytes}b")).arg(format!("--memory-swap={bytes}b"));
        }
        if let Some(cpus) = command.limits.cpus_max {
            process.arg(format!("--cpus={cpus}"));
        }
        if let Some(cpus) = &placement.cpus {
            let numbers: Vec<_> = cpus.numbers().iter().map(usize::to_string).collect();
            process.arg(format!("--cpuset-cpus={}", numbers.join(",")));
        }
        for (name, value) in &launch.env {
            process.arg("--env").arg(format!("{name}={value}"));
        }
        // Without its value, which would be in the list of processes: the engine takes it from its own.
        for (name, value) in &launch.secrets {
            process.arg("--env").arg(name).env(name, value.expose());
        }
        process.args(&launch.words);
        process
    }

    /// Returns the first process in it, if it can be seen from here: an engine may run it on a
    /// machine of its own.
    pub(super) fn pid(&self) -> Option<Pid> {
        let pid = self.ask(&["inspect", "--format", "{{.State.Pid}}", &self.name]).ok()?;
        let pid = Pid::from_raw(pid.trim().parse().ok()?)?;
        Path::new(&format!("/proc/{}", pid.as_raw_pid())).exists().then_some(pid)
    }

    /// Returns whether the engine says that memory ran out; it says nothing of a container that it
    /// does not have.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let said = self.ask(&["inspect", "--format", "{{.State.OOMKilled}}", &self.name]);
        said.is_ok_and(|said| said.trim() == "true")
    }

    /// Returns the words that remove it, whether it runs or not.
    pub(super) fn removal(&self) -> Vec<String> {
        // From `/`, where the guard is, a relative program would not be found.
        let engine = if self.engine.contains('/') {
            self.dir.join(&self.engine).display().to_string()
        } else {
            self.engine.clone()
        };
        vec![engine, "rm".to_owned(), "--force".to_owned(), self.name.clone()]
    }

    /// Removes it, if there is one.
    pub(super) fn remove(&self) -> Result<(), TargetError> {
        // Not there is what is wanted.
        match self.ask(&["rm", "--force", &self.name]) {
            Err(error) if !error.is_no_container() => {
                Err(TargetError::NotRemoved { name: self.name.clone(), reason: error.to_string() })
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Returns what the engine says.
    fn ask(&self, arguments: &[&str]) -> Result<String, EngineError> {
        let engine = &self.engine;
        let command = || format!("{engine} {}", arguments[0]);
        let mut process = Command::new(engine);
        for name in self.environment.removed() {
            process.env_remove(name);
        }
        let mut child = process
            .args(arguments)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => EngineError::NotFound { engine: engine.clone() },
                _ => EngineError::NotStarted { engine: engine.clone(), source },
            })?;
        let deadline = now() + PATIENCE;
        // Answers are a line, and fit into the pipe.
        while child.try_wait()?.is_none() {
            if now() >= deadline {
                let _ = child.kill();
                let _ = child.wait();
                return Err(EngineError::NoAnswer { command: command() });
            }
            thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
        Err(EngineError::Refused { command: command(), said })
    }
}
