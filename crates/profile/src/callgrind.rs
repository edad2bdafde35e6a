//! Counts the instructions that one XML pair takes.
//!
//! The target runs under callgrind, answers some requests, has its counters set to zero, answers
//! the requests that count, and dumps its counters. That leaves out starting up, filling
//! caches and shutting down, at one launch a value; the slope between two launches needs two, and
//! adds their noise. Values of one launch would share its hash seeds and its heap, so every value
//! has a launch of its own.
//!
//! What glibc's `memcpy` and its like cost depends on the instructions they find on the processor,
//! by 6 % of the reference API's work. They are made to find none beyond SSE2, which every x86-64
//! processor has. Code that queries the processor itself sees what valgrind emulates, which
//! is the same wherever the processor has AVX2.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use record::instruction_counts::{self, BuildCounts};
use sut::{Target, TargetCommand};

use super::failure::ProfileError;
use super::graph::{CallGraph, CallgrindSyntaxError};
use super::monitor::MonitorConnection;
use super::session::{self, ProfileSession, files};
use super::{CostUnit, Profile, ProfileTotal, program, valgrind};

const TOOL: &str = "callgrind";

/// For glibc from 2.33 on, and for the names before.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-ERMS,\
    -FSRM,-BMI1,-BMI2,-LZCNT,-MOVBE,-POPCNT,-RTM,-SSSE3,-SSE4_1,-SSE4_2,-AVX_Usable,-AVX2_Usable,\
    -AVX512F_Usable,-AVX_Fast_Unaligned_Load,-Fast_Unaligned_Copy";

/// Functions that hand out memory, of glibc, musl, jemalloc and mimalloc.
const ALLOCATORS: [&str; 18] = [
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "__libc_malloc",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
    "_rjem_malloc",
    "_rjem_mallocx",
    "_rjem_calloc",
    "_rjem_rallocx",
    "mi_malloc",
    "mi_malloc_aligned",
    "mi_realloc_aligned",
];

/// Functions that take less than this part of the whole are not kept.
const FUNCTIONS_PART: f64 = 100_000.0;

/// What was counted on one version of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct CallgrindCounts {
    /// Instructions per XML pair, one value for each launch.
    pub instructions: Vec<f64>,
    /// Calls to `malloc` and its like per XML pair, one value for each launch.
    pub allocations: Vec<f64>,
    /// Where the instructions went, over all launches.
    pub graph: CallGraph,
    /// XML pairs behind the graph.
    pub pairs: u64,
    /// What the program was compiled with and which C library it runs on.
    pub toolchain: String,
}

impl CallgrindCounts {
    /// Returns what is kept of it.
    pub fn count(&self) -> BuildCounts {
        let profile = self.profile();
        let mut functions = profile.functions();
        let least = self.graph.total() as f64 / profile.divisor / FUNCTIONS_PART;
        functions.retain(|function| function.own >= least);
        for function in &mut functions {
            function.own = thousandths(function.own);
            function.inclusive = thousandths(function.inclusive);
        }
        BuildCounts {
            toolchain: self.toolchain.clone(),
            instructions: self.instructions.iter().copied().map(thousandths).collect(),
            allocations: self.allocations.iter().copied().map(thousandths).collect(),
            functions,
            stacks: instruction_counts::pack(&profile.folded()),
        }
    }

    /// Returns what the functions took, in instructions per unit of work.
    pub fn profile(&self) -> Profile {
        let figure = |name, values: &[f64]| ProfileTotal {
            name,
            is_per_unit: true,
            values: values.to_vec(),
        };
        Profile {
            figures: vec![
                figure("instructions", &self.instructions),
                figure("allocations", &self.allocations),
            ],
            unit: CostUnit::InstructionsPerUnit,
            stacks: self.graph.stacks(),
            divisor: self.pairs as f64,
            files: self.graph.files(),
        }
    }
}

impl ProfileSession<'_> {
    /// Counts base and head, each in its own folder, side by side: instructions do not depend on
    /// what else runs.
    pub fn count_both(
        &self,
        base: (&TargetCommand, &Path),
        head: (&TargetCommand, &Path),
    ) -> Result<(CallgrindCounts, CallgrindCounts), ProfileError> {
        self.count_both_until(base, head, &mut |_, _| false)
    }

    /// Counts base and head as [`count_both`](Self::count_both) does, until `is_enough` says of both so far that
    /// no further launch is needed.
    pub fn count_both_until(
        &self,
        base: (&TargetCommand, &Path),
        head: (&TargetCommand, &Path),
        is_enough: &mut dyn FnMut(&CallgrindCounts, &CallgrindCounts) -> bool,
    ) -> Result<(CallgrindCounts, CallgrindCounts), ProfileError> {
        let of = |(command, dir)| CountedTarget::of(self, command, dir);
        let mut sides = [of(base)?, of(head)?];
        for launch in 1..=self.plan.launches {
            let [base, head] = &sides;
            if launch > 1 && is_enough(&base.counts, &head.counts) {
                break;
            }
            count_side_by_side(&mut sides, launch)?;
        }
        let [base, head] = sides;
        Ok((base.counts, head.counts))
    }

    /// Counts one launch of each target, side by side, and returns its instructions per unit of work.
    /// Leaves the files of each in its folder.
    pub fn count_each(
        &self,
        targets: &[(TargetCommand, PathBuf)],
    ) -> Result<Vec<f64>, ProfileError> {
        let targets = targets.iter().map(|(command, dir)| CountedTarget::of(self, command, dir));
        let mut targets = targets.collect::<Result<Vec<_>, _>>()?;
        count_side_by_side(&mut targets, 1)?;
        Ok(targets.iter().map(|target| target.counts.instructions.iter().sum()).collect())
    }

    /// Counts one target. Leaves its files in `dir`.
    pub fn count(
        &self,
        command: &TargetCommand,
        dir: &Path,
    ) -> Result<CallgrindCounts, ProfileError> {
        let mut target = CountedTarget::of(self, command, dir)?;
        for launch in 1..=self.plan.launches {
            let graph = target.launch(launch)?;
            target.add(&graph);
        }
        Ok(target.counts)
    }

    fn count_once(&self, command: &TargetCommand, dir: &Path) -> Result<CallGraph, ProfileError> {
        let root = command.dir.canonicalize().map_err(files(&command.dir))?;
        // Ends after the target: what debugs a process is not to leave it halfway.
        let mut monitors = Vec::new();
        let mut api = self.start(TOOL, &wrapped(command, dir), dir)?;
        api.load(self.plan.warmup_requests)?;
        let counted = CountedProcesses::of(&api.target, dir)?;
        for &pid in &counted.pids {
            let mut monitor = self.monitor(dir, pid)?;
            monitor.command("zero").map_err(|error| ended(pid, error))?;
            monitors.push((pid, monitor));
        }
        api.load(self.plan.requests)?;
        if CountedProcesses::of(&api.target, dir)? != counted {
            return Err(restless());
        }
        for (pid, monitor) in &mut monitors {
            monitor.command("dump").map_err(|error| ended(*pid, error))?;
        }
        api.stop()?;
        let mut graph = read(dir)?;
        graph.shorten_files(&root);
        Ok(graph)
    }

    /// Connects to callgrind in a process.
    fn monitor(&self, dir: &Path, pid: u32) -> Result<MonitorConnection<'_>, ProfileError> {
        let mut vgdb = Command::new("vgdb");
        join_by_name(&mut vgdb, pid).map_err(|error| ended(pid, error))?;
        vgdb.arg(format!("--vgdb-prefix={}", prefix(dir).display()))
            .arg(format!("--pid={pid}"))
            // Do not wait for the target to be busy: it is idle.
            .arg("--max-invoke-ms=1");
        let log = dir.join(format!("vgdb-{pid}.log"));
        MonitorConnection::open(TOOL, vgdb, &log, self.cancel).map_err(|error| ended(pid, error))
    }
}

/// Why a process could not be given a command: it may have ended, or be about to, when it no longer answers.
fn ended(pid: u32, error: ProfileError) -> ProfileError {
    const POLL: Duration = Duration::from_millis(10);
    const POLLS: usize = 50;
    if matches!(error, ProfileError::Cancelled) {
        return error;
    }
    for _ in 0..POLLS {
        if !is_valgrind(pid) {
            return restless();
        }
        thread::sleep(POLL);
    }
    error
}

/// A target, and what was counted of it so far.
struct CountedTarget<'a, 's> {
    session: &'a ProfileSession<'s>,
    command: &'a TargetCommand,
    dir: &'a Path,
    counts: CallgrindCounts,
}

impl<'a, 's> CountedTarget<'a, 's> {
    fn of(
        session: &'a ProfileSession<'s>,
        command: &'a TargetCommand,
        dir: &'a Path,
    ) -> Result<Self, ProfileError> {
        valgrind::check(TOOL, command)?;
        let counts = CallgrindCounts {
            instructions: Vec::new(),
            allocations: Vec::new(),
            graph: CallGraph::default(),
            pairs: 0,
            toolchain: program::toolchain(command),
        };
        Ok(Self { session, command, dir, counts })
    }

    /// Counts a launch, in a folder of its number.
    fn launch(&self, number: usize) -> Result<CallGraph, ProfileError> {
        let dir = session::empty_folder(&launch_folder(self.dir, number))?;
        let graph = self.session.count_once(self.command, &dir).map_err(valgrind::explained)?;
        (self.session.progress)();
        Ok(graph)
    }

    fn add(&mut self, graph: &CallGraph) {
        let pairs = self.session.pairs();
        let per_pair = |count: u64| count as f64 / pairs as f64;
        let counts = &mut self.counts;
        counts.instructions.push(per_pair(graph.total()));
        counts.allocations.push(per_pair(graph.calls_into(|name| ALLOCATORS.contains(&name))));
        counts.graph.add(graph);
        counts.pairs += pairs;
    }
}

/// Counts a launch of each target, each in a thread of its own: instructions do not depend on what else runs.
fn count_side_by_side(
    targets: &mut [CountedTarget<'_, '_>],
    launch: usize,
) -> Result<(), ProfileError> {
    let launched = &*targets;
    let graphs = thread::scope(|scope| {
        let mut running = Vec::new();
        for target in launched {
            let count = move || target.launch(launch);
            running.push(thread::Builder::new().spawn_scoped(scope, count));
        }
        let counted = running.into_iter().zip(launched).map(|(counting, target)| match counting {
            Ok(counting) => {
                counting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
            // The system refuses a thread: one after the other.
            Err(_) => target.launch(launch),
        });
        counted.collect::<Result<Vec<_>, _>>()
    })?;
    for (target, graph) in targets.iter_mut().zip(&graphs) {
        target.add(graph);
    }
    Ok(())
}

/// Why a target is not counted of which processes come and go.
fn restless() -> ProfileError {
    let reason =
        "it starts or ends processes while it answers requests, and what these do is not counted";
    ProfileError::Unsuited { tool: TOOL, reason: reason.to_owned() }
}

/// The processes of a target that count.
#[derive(Debug, PartialEq, Eq)]
struct CountedProcesses {
    pids: Vec<u32>,
    /// Processes that have written their counts, as they do when they end.
    ended: usize,
}

impl CountedProcesses {
    fn of(target: &Target, dir: &Path) -> Result<Self, ProfileError> {
        let pids = target.pids().map_err(|source| session::failed(TOOL, source))?;
        let mut pids: Vec<u32> = pids.into_iter().filter(|&pid| is_valgrind(pid)).collect();
        pids.sort_unstable();
        let is_of_process = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"callgrind."))
        };
        let written = session::files_ending(dir, ".out")?;
        Ok(Self { pids, ended: written.iter().filter(|path| is_of_process(path)).count() })
    }
}

/// Variables whose values are parts of the names of the files by which valgrind and vgdb meet.
const MEETING_NAMES: [&str; 4] = ["LOGNAME", "USER", "HOST", "HOSTNAME"];

/// Gives vgdb the names that the target has: a container sets `HOSTNAME`, of which a target gets nothing.
fn join_by_name(vgdb: &mut Command, pid: u32) -> Result<(), ProfileError> {
    let path = PathBuf::from(format!("/proc/{pid}/environ"));
    let environment = fs::read(&path).map_err(files(&path))?;
    for name in MEETING_NAMES {
        match value_of(&environment, name) {
            Some(value) => vgdb.env(name, OsStr::from_bytes(value)),
            None => vgdb.env_remove(name),
        };
    }
    Ok(())
}

/// The value of a variable in an environment as the kernel shows it.
fn value_of<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut pairs = environment.split(|&byte| byte == 0);
    pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// Returns what a build that was counted in `dir` cost, over all its launches.
pub fn read_counts(dir: &Path, launches: usize) -> Result<CallGraph, ProfileError> {
    let mut sum = CallGraph::default();
    for launch in 1..=launches {
        sum.add(&read(&launch_folder(dir, launch))?);
    }
    Ok(sum)
}

fn launch_folder(dir: &Path, launch: usize) -> PathBuf {
    dir.join(format!("launch-{launch}"))
}

/// Returns a number without the digits that mean nothing, so that it is short as text and the same
/// when it is read again.
fn thousandths(value: f64) -> f64 {
    units::whole(value * 1_000.0).map_or(value, |whole| units::exact(whole) / 1_000.0)
}

fn wrapped(command: &TargetCommand, dir: &Path) -> TargetCommand {
    // Valgrind replaces `%p` and its like in the first path, but not in the second.
    let out = dir.display().to_string().replace('%', "%%");
    let options = [
        "--demangle=no".to_owned(),
        // Costs of addresses are costs of lines, by the line tables of the program.
        "--dump-instr=yes".to_owned(),
        format!("--callgrind-out-file={out}/callgrind.%p.out"),
        format!("--vgdb-prefix={}", prefix(dir).display()),
    ];
    let mut command = valgrind::under(TOOL, &options, command);
    let given = command.take_env("GLIBC_TUNABLES").map(|given| given + ":").unwrap_or_default();
    command.env.push(("GLIBC_TUNABLES".to_owned(), (given + TUNABLES).into()));
    command
}

fn prefix(dir: &Path) -> PathBuf {
    dir.join("vgdb")
}

/// A shell that started the target may have ended its part, and other children may be no program
/// that valgrind took over.
fn is_valgrind(pid: u32) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe"));
    program.is_ok_and(|path| path.to_string_lossy().contains("/callgrind-"))
}

/// Adds up what all processes have written on request; what they wrote when they ended
/// is in files without a number.
fn read(dir: &Path) -> Result<CallGraph, ProfileError> {
    let mut sum = CallGraph::default();
    for path in session::files_ending(dir, ".out.1")? {
        let graph = CallGraph::parse(&session::read(&path)?).map_err(
            |CallgrindSyntaxError { line, expected }| ProfileError::Malformed {
                path,
                line,
                expected,
            },
        )?;
        sum.add(&graph);
    }
    if sum.total() == 0 {
        let reason = "it counted nothing while requests were answered".to_owned();
        return Err(ProfileError::Tool { tool: TOOL, reason });
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn folders_with_percent_signs_and_the_users_own_tunables_stay_as_they_are() {
        let env = [("GLIBC_TUNABLES", "glibc.malloc.arena_max=1"), ("A", "b")];
        let command = TargetCommand {
            start: "./api {port}".to_owned(),
            dir: PathBuf::from("."),
            environment: <_>::default(),
            env: env.map(|(name, value)| (name.into(), value.to_owned().into())).to_vec(),
            port_env: None,
            ready: "/".into(),
            ask: <_>::default(),
            ready_timeout: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(1),
            limits: <_>::default(),
            container: None,
            copies: None,
            services: <_>::default(),
            hooks: <_>::default(),
            relinked: None,
        };
        let wrapped = wrapped(&command, Path::new("/tmp/50%"));
        insta::assert_snapshot!(wrapped.start, @"valgrind --quiet --tool=callgrind --trace-children=yes '--demangle=no' '--dump-instr=yes' '--callgrind-out-file=/tmp/50%%/callgrind.%p.out' '--vgdb-prefix=/tmp/50%/vgdb' ./api {port}");
        assert_eq!(wrapped.env[0], ("A".to_owned(), "b".to_owned().into()));
        assert!(
            wrapped.env[1]
                .1
                .text()
                .unwrap()
                .starts_with("glibc.malloc.arena_max=1:glibc.cpu.hwcaps=-AVX,")
        );
    }
}
