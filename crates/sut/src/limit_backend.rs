//! Decides who keeps a target to its limits: a container engine, control groups, or for memory, as
//! a last resort, a limit on each process. A share of the processors has no last resort.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cgroup::{CgroupHierarchies, CgroupSet, CgroupVersion, Controller};
use super::container::ContainerHandle;
use super::{TargetCommand, TargetError};

/// The backend that keeps a target to its limits; none where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitEnforcement {
    /// That on memory.
    pub memory: Option<LimitBackend>,
    /// That on processors.
    pub cpu: Option<LimitBackend>,
    /// Why it is not a better one.
    pub note: Option<String>,
}

/// What keeps a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitBackend {
    /// The kernel, for all processes together.
    ControlGroup(CgroupVersion),
    /// The kernel, for the private writable memory of each process (`RLIMIT_DATA`).
    DataLimit,
    /// A container engine.
    Engine(String),
}

impl fmt::Display for LimitBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlGroup(version) => write!(f, "a control group ({version})"),
            Self::DataLimit => f.write_str("a limit on the data of each process"),
            Self::Engine(engine) => f.write_str(engine),
        }
    }
}

/// What a target runs in.
#[derive(Debug, Default)]
pub(super) struct LimitScope {
    pub(super) group: CgroupSet,
    pub(super) container: Option<ContainerHandle>,
    pub(super) confinement: LimitEnforcement,
}

impl LimitScope {
    /// Makes what the command's limits need, under a `name` that nothing else has.
    pub(super) fn new(command: &TargetCommand, name: &str) -> Result<Self, TargetError> {
        if let Some(container) = &command.container {
            let running = ContainerHandle::choose(container, command, name)?;
            return Ok(Self::of_container(command, running));
        }
        let (group, obstacles) =
            CgroupSet::make(&CgroupHierarchies::of_this_process(), &command.limits, name);
        let kept = |controller| group.version(controller).map(LimitBackend::ControlGroup);
        let (memory, cpu) = (kept(Controller::Memory), kept(Controller::Cpu));
        let obstacle = |controller| {
            let found = obstacles.iter().find(|(of, _)| *of == controller);
            found.map(|(_, obstacle)| obstacle.to_string())
        };
        if let (Some(cpus), Some(obstacle)) = (command.limits.cpus_max, obstacle(Controller::Cpu)) {
            return Err(TargetError::NoQuota { cpus, obstacle });
        }
        let note = obstacle(Controller::Memory);
        let memory = memory.or(note.as_ref().map(|_| LimitBackend::DataLimit));
        Ok(Self { group, container: None, confinement: LimitEnforcement { memory, cpu, note } })
    }

    fn of_container(command: &TargetCommand, running: ContainerHandle) -> Self {
        let engine = || LimitBackend::Engine(running.engine().to_owned());
        let confinement = LimitEnforcement {
            memory: command.limits.memory_bytes_max.map(|_| engine()),
            cpu: command.limits.cpus_max.map(|_| engine()),
            note: None,
        };
        Self { group: CgroupSet::default(), container: Some(running), confinement }
    }

    /// Returns the command that removes it once this process is gone, as words; none for nothing.
    pub(super) fn removal(&self) -> Vec<String> {
        if let Some(container) = &self.container {
            return container.removal();
        }
        let folders = self.group.folders();
        if folders.is_empty() {
            return Vec::new();
        }
        let folders = folders.iter().map(|folder| folder.display().to_string());
        std::iter::once("rmdir".to_owned()).chain(folders).collect()
    }
}
