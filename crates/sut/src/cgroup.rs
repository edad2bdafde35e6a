//! Puts a target into a control group of its own, of either version of the kernel's interface.
//!
//! Four files are read and five written, so this is done here: `cgroups-rs` brings a D-Bus client
//! and its runtime along and looks under `/sys/fs/cgroup` only, `controlgroup` knows the first
//! version only and is not maintained. Where groups may be made differs from machine to machine
//! (hybrid hierarchies, delegation by systemd, read-only containers), so what stands in the way is
//! a value, for the report to put into words.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::Pid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sampler;

/// What a target may take, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ResourceLimits {
    /// Memory of all its processes together where there are control groups or a container; else
    /// the private writable memory of each (`RLIMIT_DATA`).
    pub memory_bytes_max: Option<u64>,
    /// Processors' worth of time: 1.5 is one and a half seconds of CPU in a second. Needs control
    /// groups or a container.
    pub cpus_max: Option<f64>,
}

/// A part of the kernel that keeps a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Cpu,
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
        }
    }
}

/// The two interfaces, which one machine may have side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CgroupVersion {
    /// A hierarchy for each controller.
    V1,
    /// One for all.
    V2,
}

impl fmt::Display for CgroupVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

/// Why there is no group with a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CgroupError {
    /// The kernel does not have it, or does not show it here.
    Missing(Controller),
    /// As in a container.
    ReadOnly(PathBuf),
    /// It belongs to another user.
    NotDelegated(PathBuf),
    /// Version 2 hands controllers on only from groups without processes of their own.
    Occupied(PathBuf, Controller),
    /// Anything else.
    Failed(PathBuf, String),
}

impl CgroupError {
    fn of(path: &Path, controller: Controller, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(path),
            io::ErrorKind::PermissionDenied => Self::NotDelegated(path),
            io::ErrorKind::ResourceBusy => Self::Occupied(path, controller),
            _ => Self::Failed(path, error.to_string()),
        }
    }
}

impl fmt::Display for CgroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(controller) => {
                write!(f, "no control group here has the {} controller", controller.name())
            }
            Self::ReadOnly(path) => write!(f, "`{}` is read-only", path.display()),
            Self::NotDelegated(path) => {
                write!(f, "the control group `{}` is not delegated to this user", path.display())
            }
            Self::Occupied(path, controller) => write!(
                f,
                "the control group `{}` has processes, and so hands no {} controller on",
                path.display(),
                controller.name()
            ),
            Self::Failed(path, reason) => write!(f, "`{}`: {reason}", path.display()),
        }
    }
}

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CgroupMount {
    version: CgroupVersion,
    /// Of the first version only.
    controllers: Vec<String>,
    /// What of the hierarchy is shown, and where.
    root: PathBuf,
    point: PathBuf,
}

/// The hierarchies that this process sees, and where it is in each.
#[derive(Debug, Clone)]
pub(super) struct CgroupHierarchies {
    mounts: Vec<CgroupMount>,
    /// Controllers and path, as `/proc/self/cgroup` has them; version 2 has no controllers.
    places: Vec<(Vec<String>, PathBuf)>,
}

impl CgroupHierarchies {
    /// Reads those of this process; none where the kernel shows none.
    pub(super) fn of_this_process() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
    }

    fn parse(mountinfo: &str, cgroup: &str) -> Self {
        let place = |line: &str| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let controllers = controllers.split(',').filter(|name| !name.is_empty());
            Some((controllers.map(str::to_owned).collect(), PathBuf::from(path)))
        };
        Self {
            mounts: mountinfo.lines().filter_map(CgroupMount::parse).collect(),
            places: cgroup.lines().filter_map(place).collect(),
        }
    }

    /// Returns the groups in which one with a controller may be made, the best first. A first
    /// version that has the controller is looked at alone: the kernel gives it to one of the two.
    fn parents(&self, controller: Controller) -> Option<(CgroupVersion, Vec<PathBuf>)> {
        let has = |names: &[String]| names.iter().any(|name| name == controller.name());
        let first = self.mounts.iter().find(|mount| has(&mount.controllers));
        if let Some(mount) = first {
            let place = self.places.iter().find(|(names, _)| has(names));
            let own = place.map_or_else(|| mount.point.clone(), |(_, path)| mount.path(path));
            return Some((CgroupVersion::V1, vec![own]));
        }
        let mount = self.mounts.iter().find(|mount| mount.version == CgroupVersion::V2)?;
        let place = self.places.iter().find(|(names, _)| names.is_empty());
        let own = place.map_or_else(|| mount.point.clone(), |(_, path)| mount.path(path));
        let known = fs::read_to_string(mount.point.join("cgroup.controllers")).ok()?;
        if !lists(&known, controller) {
            return None;
        }
        // This process is in its own group, which therefore can rarely hand controllers on; the
        // one above it does already.
        let above = own.parent().filter(|_| own != mount.point).map(Path::to_owned);
        Some((CgroupVersion::V2, [Some(own), above].into_iter().flatten().collect()))
    }
}

impl CgroupMount {
    /// Understands a line of `mountinfo` that is about control groups.
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (unescaped(fields.next()?), unescaped(fields.next()?));
        let mut fields = after.split(' ');
        let version = match fields.next()? {
            "cgroup" => CgroupVersion::V1,
            "cgroup2" => CgroupVersion::V2,
            _ => return None,
        };
        let options = fields.nth(1)?.split(',').map(str::to_owned);
        let controllers = if version == CgroupVersion::V1 { options.collect() } else { Vec::new() };
        Some(Self { version, controllers, root: root.into(), point: point.into() })
    }

    /// Returns where a path of the hierarchy is seen; the mount itself, if it is not below it.
    fn path(&self, path: &Path) -> PathBuf {
        // Joining nothing would add a slash.
        match path.strip_prefix(&self.root) {
            Ok(rest) if rest != Path::new("") => self.point.join(rest),
            Ok(_) | Err(_) => self.point.clone(),
        }
    }
}

/// `mountinfo` writes spaces as `\040`.
fn unescaped(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

fn lists(names: &str, controller: Controller) -> bool {
    names.split_whitespace().any(|name| name == controller.name())
}

/// A group for each controller that a limit needs; removed when it is dropped.
#[derive(Debug, Default)]
pub(super) struct CgroupSet {
    parts: Vec<ControllerGroup>,
}

#[derive(Debug, Clone)]
struct ControllerGroup {
    controller: Controller,
    version: CgroupVersion,
    folder: PathBuf,
}

impl CgroupSet {
    /// Makes groups that keep the limits, as far as that can be done, and says what stood in the
    /// way of the others.
    pub(super) fn make(
        hierarchies: &CgroupHierarchies,
        limits: &ResourceLimits,
        name: &str,
    ) -> (Self, Vec<(Controller, CgroupError)>) {
        let (mut group, mut obstacles) = (Self::default(), Vec::new());
        let wanted = [
            limits.memory_bytes_max.map(|_| Controller::Memory),
            limits.cpus_max.map(|_| Controller::Cpu),
        ];
        for controller in wanted.into_iter().flatten() {
            match group.add(hierarchies, limits, name, controller) {
                Ok(part) => group.parts.push(part),
                Err(obstacle) => obstacles.push((controller, obstacle)),
            }
        }
        (group, obstacles)
    }

    fn add(
        &self,
        hierarchies: &CgroupHierarchies,
        limits: &ResourceLimits,
        name: &str,
        controller: Controller,
    ) -> Result<ControllerGroup, CgroupError> {
        let missing = CgroupError::Missing(controller);
        let (version, parents) = hierarchies.parents(controller).ok_or(missing.clone())?;
        let mut first = None;
        for parent in parents {
            let made = self.add_in(&parent, version, limits, name, controller);
            match made {
                Ok(part) => return Ok(part),
                Err(obstacle) => first = first.or(Some(obstacle)),
            }
        }
        Err(first.unwrap_or(missing))
    }

    fn add_in(
        &self,
        parent: &Path,
        version: CgroupVersion,
        limits: &ResourceLimits,
        name: &str,
        controller: Controller,
    ) -> Result<ControllerGroup, CgroupError> {
        if version == CgroupVersion::V2 {
            hand_on(parent, controller)?;
        }
        let folder = parent.join(name);
        let known = self.parts.iter().any(|part| part.folder == folder);
        if !known {
            // One of this name is left of a run that was killed, with nothing in it any more.
            let _ = fs::remove_dir(&folder);
            fs::create_dir(&folder).map_err(|error| CgroupError::of(parent, controller, &error))?;
        }
        let part = ControllerGroup { controller, version, folder };
        let obstacle = match part.limit(limits) {
            Ok(()) if part.takes_processes() => return Ok(part),
            Ok(()) => CgroupError::Occupied(parent.to_owned(), controller),
            Err(error) => CgroupError::of(&part.folder, controller, &error),
        };
        if !known {
            // It is empty; if it stays, it holds nothing.
            let _ = fs::remove_dir(&part.folder);
        }
        Err(obstacle)
    }

    /// Returns the interface that keeps a limit.
    pub(super) fn version(&self, controller: Controller) -> Option<CgroupVersion> {
        self.part(controller).map(|part| part.version)
    }

    fn part(&self, controller: Controller) -> Option<&ControllerGroup> {
        self.parts.iter().find(|part| part.controller == controller)
    }

    /// Returns the folders, each once.
    pub(super) fn folders(&self) -> Vec<&Path> {
        let mut folders: Vec<&Path> = self.parts.iter().map(|part| part.folder.as_path()).collect();
        folders.dedup();
        folders
    }

    /// Returns the processes in it.
    pub(super) fn pids(&self) -> Vec<Pid> {
        let procs = |folder: &&Path| fs::read_to_string(folder.join("cgroup.procs")).ok();
        let all = self.folders().iter().filter_map(procs).collect::<Vec<_>>().join("\n");
        all.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)).collect()
    }

    /// Returns how many of its processes the kernel has killed for want of memory.
    pub(super) fn killed(&self) -> u64 {
        let Some(part) = self.part(Controller::Memory) else { return 0 };
        let file = match part.version {
            CgroupVersion::V1 => "memory.oom_control",
            CgroupVersion::V2 => "memory.events",
        };
        let text = fs::read_to_string(part.folder.join(file)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }

    /// Returns for how long its quota was used up.
    pub(super) fn throttled(&self) -> Duration {
        let Some(part) = self.part(Controller::Cpu) else { return Duration::ZERO };
        let text = fs::read_to_string(part.folder.join("cpu.stat")).unwrap_or_default();
        match part.version {
            CgroupVersion::V1 => sampler::throttled("", &text),
            CgroupVersion::V2 => sampler::throttled(&text, ""),
        }
    }
}

/// Lets groups inside have a controller.
fn hand_on(parent: &Path, controller: Controller) -> Result<(), CgroupError> {
    let file = parent.join("cgroup.subtree_control");
    let failed = |error: io::Error| CgroupError::of(parent, controller, &error);
    if lists(&fs::read_to_string(&file).map_err(failed)?, controller) {
        return Ok(());
    }
    // The kernel refuses this for memory. For processors it would make the group a threaded one,
    // which no process can be moved below, and that is not ours to do. The root alone may have both.
    let read = |file| fs::read_to_string(parent.join(file)).unwrap_or_default();
    if !read("cgroup.type").is_empty() && !read("cgroup.procs").is_empty() {
        return Err(CgroupError::Occupied(parent.to_owned(), controller));
    }
    fs::write(&file, format!("+{}", controller.name())).map_err(failed)
}

impl ControllerGroup {
    /// Whether processes can be moved into it: not if a group above it is a threaded one.
    fn takes_processes(&self) -> bool {
        let kind = fs::read_to_string(self.folder.join("cgroup.type")).unwrap_or_default();
        kind.trim() != "domain invalid"
    }

    fn limit(&self, limits: &ResourceLimits) -> io::Result<()> {
        const PERIOD_US: u64 = 100_000;
        let set = |file: &str, value: String| fs::write(self.folder.join(file), value);
        let bytes = limits.memory_bytes_max.unwrap_or(u64::MAX);
        let quota_us = limits.cpus_max.unwrap_or(0.0) * PERIOD_US as f64;
        // Less than a millisecond is refused by the kernel.
        let quota_us = units::whole(quota_us).unwrap_or(u64::MAX).max(1_000);
        match (self.controller, self.version) {
            (Controller::Memory, CgroupVersion::V2) => {
                // A kernel without swap has no such file; then nothing can be swapped either.
                let _ = set("memory.swap.max", "0".to_owned());
                set("memory.max", bytes.to_string())
            }
            (Controller::Memory, CgroupVersion::V1) => {
                set("memory.limit_in_bytes", bytes.to_string())?;
                let _ = set("memory.memsw.limit_in_bytes", bytes.to_string());
                Ok(())
            }
            (Controller::Cpu, CgroupVersion::V2) => {
                set("cpu.max", format!("{quota_us} {PERIOD_US}"))
            }
            (Controller::Cpu, CgroupVersion::V1) => {
                set("cpu.cfs_period_us", PERIOD_US.to_string())?;
                set("cpu.cfs_quota_us", quota_us.to_string())
            }
        }
    }
}

impl Drop for CgroupSet {
    fn drop(&mut self) {
        const TRIES: usize = 40;
        for folder in self.folders() {
            for _ in 0..TRIES {
                match fs::remove_dir(folder) {
                    // The last process may still be on its way out.
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        thread::sleep(Duration::from_millis(5));
                    }
                    Ok(()) | Err(_) => break,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files in a folder of its own that look like a hierarchy.
    struct FakeHierarchy(tempfile::TempDir);

    impl FakeHierarchy {
        fn new(files: &[(&str, &str)]) -> Self {
            let fake = Self(tempfile::tempdir().unwrap());
            for (path, content) in files {
                let path = fake.0.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
            fake
        }

        fn hierarchies(&self, mounts: &str, cgroup: &str) -> CgroupHierarchies {
            CgroupHierarchies::parse(
                &mounts.replace("ROOT", self.0.path().to_str().unwrap()),
                cgroup,
            )
        }

        fn read(&self, path: &str) -> String {
            fs::read_to_string(self.0.path().join(path)).unwrap()
        }

        #[track_caller]
        fn check(&self, hierarchies: &CgroupHierarchies, expected: &str) -> CgroupSet {
            let limits = ResourceLimits { memory_bytes_max: Some(64 << 20), cpus_max: Some(1.5) };
            let (group, obstacles) = CgroupSet::make(hierarchies, &limits, "g");
            let obstacles = obstacles.iter().map(|(_, obstacle)| obstacle.to_string());
            let folders = group.parts.iter().map(|part| part.folder.display().to_string());
            let said = folders.chain(obstacles).collect::<Vec<_>>().join("\n");
            assert_eq!(said.replace(self.0.path().to_str().unwrap(), "ROOT"), expected);
            group
        }
    }

    const V2: &str = "31 23 0:28 / ROOT rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn a_delegated_group_hands_both_controllers_on() {
        let fake = FakeHierarchy::new(&[
            ("cgroup.controllers", "cpuset cpu io memory\n"),
            ("user/cgroup.subtree_control", "cpu memory\n"),
            ("user/app/cgroup.subtree_control", ""),
            ("user/app/cgroup.type", "domain\n"),
            ("user/app/cgroup.procs", "1\n"),
        ]);
        // The own group can hand nothing on, the one above it does.
        let group = fake.check(&fake.hierarchies(V2, "0::/user/app\n"), "ROOT/user/g\nROOT/user/g");
        assert_eq!(fake.read("user/app/cgroup.subtree_control"), "", "it was changed");
        assert_eq!(fake.read("user/g/memory.max"), "67108864");
        assert_eq!(fake.read("user/g/memory.swap.max"), "0");
        assert_eq!(fake.read("user/g/cpu.max"), "150000 100000");
        assert_eq!(group.folders().len(), 1);
        assert_eq!(group.killed(), 0);
        let events = "low 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n";
        fs::write(fake.0.path().join("user/g/memory.events"), events).unwrap();
        fs::write(fake.0.path().join("user/g/cpu.stat"), "nr_throttled 2\nthrottled_usec 7\n")
            .unwrap();
        assert_eq!((group.killed(), group.throttled()), (1, Duration::from_micros(7)));
        assert_eq!(group.version(Controller::Cpu), Some(CgroupVersion::V2));
    }

    #[test]
    fn the_first_version_has_a_hierarchy_for_each_controller_also_beside_the_second() {
        let mounts = "1 0 0:1 / ROOT/memory rw - cgroup cgroup rw,memory\n\
                      2 0 0:2 /docker/c ROOT/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                      3 0 0:3 / ROOT/unified rw - cgroup2 cgroup2 rw\n";
        let fake = FakeHierarchy::new(&[
            ("memory/own/tasks", ""),
            ("cpu/tasks", ""),
            ("unified/cgroup.controllers", "hugetlb\n"),
        ]);
        let cgroup = "4:memory:/own\n2:cpu,cpuacct:/docker/c\n0::/\n";
        let group = fake.check(&fake.hierarchies(mounts, cgroup), "ROOT/memory/own/g\nROOT/cpu/g");
        assert_eq!(fake.read("memory/own/g/memory.limit_in_bytes"), "67108864");
        assert_eq!(fake.read("cpu/g/cpu.cfs_quota_us"), "150000");
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        fs::write(fake.0.path().join("memory/own/g/memory.oom_control"), control).unwrap();
        assert_eq!(group.killed(), 3);
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let none = FakeHierarchy::new(&[]);
        let missing = "no control group here has the memory controller\n\
                       no control group here has the cpu controller";
        none.check(&none.hierarchies("", ""), missing);
        let partial = FakeHierarchy::new(&[
            ("cgroup.controllers", "cpuset io memory\n"),
            ("cgroup.subtree_control", "memory\n"),
        ]);
        let expected = "ROOT/g\nno control group here has the cpu controller";
        partial.check(&partial.hierarchies(V2, "0::/\n"), expected);
        let path = || PathBuf::from("/sys/fs/cgroup/x");
        let obstacle = |kind: io::ErrorKind| {
            CgroupError::of(&path(), Controller::Memory, &kind.into()).to_string()
        };
        insta::assert_snapshot!(obstacle(io::ErrorKind::ReadOnlyFilesystem), @"`/sys/fs/cgroup/x` is read-only");
        insta::assert_snapshot!(obstacle(io::ErrorKind::PermissionDenied), @"the control group `/sys/fs/cgroup/x` is not delegated to this user");
        insta::assert_snapshot!(obstacle(io::ErrorKind::ResourceBusy), @"the control group `/sys/fs/cgroup/x` has processes, and so hands no memory controller on");
    }

    #[test]
    fn a_mount_that_shows_a_part_of_a_hierarchy_hides_the_rest_of_the_path() {
        let line = "5 0 0:2 /docker/c /sys/my\\040groups rw - cgroup cgroup rw,memory";
        let mount = CgroupMount::parse(line).unwrap();
        assert_eq!(mount.path(Path::new("/docker/c/x")), Path::new("/sys/my groups/x"));
        assert_eq!(mount.path(Path::new("/docker/c")), Path::new("/sys/my groups"));
        assert_eq!(mount.path(Path::new("/elsewhere")), Path::new("/sys/my groups"));
    }
}
