//! Counts the instructions that one XML pair takes.
//!
//! The target runs under callgrind, answers some requests, has its counters set to zero, answers
//! the requests that count, and is asked for its counters. That leaves out starting up, filling
//! caches and shutting down, at one launch a value; the slope between two launches needs two, and
//! adds their noise. Values of one launch would share its hash seeds and its heap, so every value
//! has a launch of its own.
//!
//! What glibc's `memcpy` and its like cost depends on the instructions they find on the processor,
//! by 4 % of the reference API's work. They are told to find none beyond SSE2, which every x86-64
//! processor has. Code that asks the processor itself is told by valgrind what it emulates, which
//! is the same wherever the processor has AVX2.

use std::borrow::Cow;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::target::{Command, Placement, Target, TargetError};

use super::failure::ProfileError;
use super::graph::{Graph, Malformed};
use super::program;

const TOOL: &str = "callgrind";

/// For glibc from 2.33 on, and for the names before.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-ERMS,\
    -FSRM,-BMI1,-BMI2,-LZCNT,-MOVBE,-POPCNT,-RTM,-SSSE3,-SSE4_1,-SSE4_2,-AVX_Usable,-AVX2_Usable,\
    -AVX512F_Usable,-AVX_Fast_Unaligned_Load,-Fast_Unaligned_Copy";

/// A target runs up to fifty times slower, and starting takes longest.
const READY_TIMEOUT_MIN: Duration = Duration::from_mins(1);

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

/// How much is run for how many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Requests before counting, at least one.
    pub warmup_requests: u64,
    /// Requests that count, at least one.
    pub requests: u64,
    /// XML pairs in each request, at least one.
    pub pairs_per_request: u64,
    /// Launches, each of which gives one value.
    pub launches: usize,
}

/// What is counted, and how it is loaded.
pub struct Session<'a> {
    /// How much.
    pub plan: Plan,
    /// Sends so many requests to the address and checks the answers.
    pub drive: &'a (dyn Fn(SocketAddr, u64) -> Result<(), String> + Sync),
    /// Hears of every launch that is done.
    pub progress: &'a (dyn Fn() + Sync),
    /// Ends it all.
    pub cancel: &'a Cancel,
}

/// What was counted on one version of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Instructions per XML pair, one value for each launch.
    pub instructions: Vec<f64>,
    /// Calls to `malloc` and its like per XML pair, one value for each launch.
    pub allocations: Vec<f64>,
    /// Where the instructions went, over all launches.
    pub graph: Graph,
    /// XML pairs behind the graph.
    pub pairs: u64,
}

/// Returns the version of valgrind.
pub fn version() -> Result<String, ProfileError> {
    let missing = ProfileError::NotInstalled {
        tool: "valgrind",
        install: "apt-get install valgrind` or `dnf install valgrind",
    };
    let output = std::process::Command::new("valgrind").arg("--version").output();
    let output = output.map_err(|_| missing)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Session<'_> {
    /// Counts base and head, each in its own folder, side by side: instructions do not depend on
    /// what else runs.
    pub fn count_both(
        &self,
        base: (&Command, &Path),
        head: (&Command, &Path),
    ) -> Result<(Work, Work), ProfileError> {
        thread::scope(|scope| {
            let base = scope.spawn(|| self.count(base.0, base.1));
            let head = self.count(head.0, head.1);
            let base = base.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok((base?, head?))
        })
    }

    /// Counts one target. Leaves its files in `dir`.
    pub fn count(&self, command: &Command, dir: &Path) -> Result<Work, ProfileError> {
        version()?;
        if let Some(reason) = program::obstacle(command) {
            return Err(ProfileError::Unsuited { tool: TOOL, reason });
        }
        let pairs = self.plan.requests * self.plan.pairs_per_request;
        assert!(pairs > 0, "the plan has no XML pairs to count");
        let mut work = Work {
            instructions: Vec::new(),
            allocations: Vec::new(),
            graph: Graph::default(),
            pairs: 0,
        };
        for launch in 1..=self.plan.launches {
            let graph = self.launch(command, &dir.join(format!("launch-{launch}")))?;
            let per_pair = |count: u64| count as f64 / pairs as f64;
            work.instructions.push(per_pair(graph.total()));
            work.allocations.push(per_pair(graph.calls_into(|name| ALLOCATORS.contains(&name))));
            work.graph.add(&graph);
            work.pairs += pairs;
            (self.progress)();
        }
        Ok(work)
    }

    fn launch(&self, command: &Command, dir: &Path) -> Result<Graph, ProfileError> {
        fs::create_dir_all(dir).map_err(files(dir))?;
        let dir = dir.canonicalize().map_err(files(dir))?;
        let failed = |source| match source {
            TargetError::Cancelled => ProfileError::Cancelled,
            source => explained(source),
        };
        let root = command.dir.canonicalize().map_err(files(&command.dir))?;
        let command = wrapped(command, &dir);
        let log = dir.join("target.log");
        let target =
            Target::start(&command, &Placement::default(), &log, self.cancel).map_err(failed)?;
        self.drive(&target, self.plan.warmup_requests)?;
        let pids = target.pids().map_err(failed)?;
        let pids = pids.into_iter().filter(|&pid| is_valgrind(pid)).collect::<Vec<_>>();
        self.tell(&dir, &pids, "zero")?;
        self.drive(&target, self.plan.requests)?;
        self.tell(&dir, &pids, "dump")?;
        target.stop().map_err(failed)?;
        let mut graph = read(&dir)?;
        graph.shorten_files(&root);
        Ok(graph)
    }

    fn drive(&self, target: &Target, requests: u64) -> Result<(), ProfileError> {
        let driven = (self.drive)(target.address(), requests);
        if self.cancel.is_raised() {
            return Err(ProfileError::Cancelled);
        }
        // Why it did not answer is the better story, where it has died.
        target.alive().map_err(explained)?;
        driven.map_err(|reason| ProfileError::Load { tool: TOOL, reason })
    }

    /// Gives a command to callgrind in each of the processes.
    fn tell(&self, dir: &Path, pids: &[u32], command: &str) -> Result<(), ProfileError> {
        for pid in pids {
            let child = std::process::Command::new("vgdb")
                .arg(format!("--vgdb-prefix={}", prefix(dir).display()))
                .arg(format!("--pid={pid}"))
                // Do not wait for the target to be busy: it is idle.
                .arg("--max-invoke-ms=1")
                .arg(command)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(|error| tool_failed(format!("cannot run `vgdb`: {error}")))?;
            self.wait(child)?;
        }
        Ok(())
    }

    fn wait(&self, mut child: Child) -> Result<(), ProfileError> {
        const POLL: Duration = Duration::from_millis(5);
        const POLLS_MAX: usize = 6_000;
        for _ in 0..POLLS_MAX {
            match child.try_wait() {
                Ok(None) if !self.cancel.is_raised() => thread::sleep(POLL),
                _ => break,
            }
        }
        let _ = child.kill();
        let output = child.wait_with_output().map_err(|error| tool_failed(error.to_string()))?;
        if self.cancel.is_raised() {
            return Err(ProfileError::Cancelled);
        }
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " · ");
        Err(tool_failed(format!("`vgdb` ended with {}: {said}", output.status)))
    }
}

/// Returns the command under callgrind. Children are followed, as the command may be a script.
fn wrapped(command: &Command, dir: &Path) -> Command {
    let quoted =
        |option: String| shlex::try_quote(&option).map_or_else(|_| option.clone(), Cow::into_owned);
    // Valgrind replaces `%p` and its like here, but not in the other.
    let out = dir.display().to_string().replace('%', "%%");
    let start = format!(
        "valgrind --quiet --tool=callgrind --trace-children=yes --demangle=no {} {} {}",
        quoted(format!("--callgrind-out-file={out}/callgrind.%p.out")),
        quoted(format!("--vgdb-prefix={}", prefix(dir).display())),
        command.start
    );
    let mut env = command.env.clone();
    let given = env.iter().position(|(name, _)| name == "GLIBC_TUNABLES");
    let given = given.map(|at| env.remove(at).1 + ":").unwrap_or_default();
    env.push(("GLIBC_TUNABLES".to_owned(), given + TUNABLES));
    let ready_timeout = command.ready_timeout.max(READY_TIMEOUT_MIN);
    Command { start, env, ready_timeout, memory_bytes_max: None, ..command.clone() }
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

/// Adds up what all processes have written when they were asked; what they wrote when they ended is
/// numbered without a part.
fn read(dir: &Path) -> Result<Graph, ProfileError> {
    let mut sum = Graph::default();
    for entry in fs::read_dir(dir).map_err(files(dir))? {
        let path = entry.map_err(files(dir))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".out.1")) {
            let text = fs::read_to_string(&path).map_err(files(&path))?;
            let graph = Graph::parse(&text).map_err(|Malformed { line, expected }| {
                ProfileError::Malformed { path, line, expected }
            })?;
            sum.add(&graph);
        }
    }
    if sum.total() == 0 {
        return Err(tool_failed("it counted nothing while requests were answered".to_owned()));
    }
    Ok(sum)
}

/// Tells what valgrind cannot do from what the target did wrong.
fn explained(source: TargetError) -> ProfileError {
    const SIGNS: [(&str, &str); 4] = [
        (
            "unhandled instruction",
            "it uses instructions that this valgrind does not know, as programs built for one \
             processor do (`target-cpu=native`)",
        ),
        ("executable with setuid", "it is a set-user-id program"),
        ("wrong ELF executable class", "it is for another processor"),
        ("cannot execute binary file", "it is for another processor"),
    ];
    let text = source.to_string();
    let sign = SIGNS.iter().find(|(sign, _)| text.contains(sign));
    match sign {
        Some((_, reason)) => ProfileError::Unsuited { tool: TOOL, reason: (*reason).to_owned() },
        None => ProfileError::Target { tool: TOOL, source: Box::new(source) },
    }
}

fn tool_failed(reason: String) -> ProfileError {
    ProfileError::Tool { tool: TOOL, reason }
}

fn files(path: &Path) -> impl FnOnce(std::io::Error) -> ProfileError {
    let path = path.to_owned();
    |source| ProfileError::Files { path, source }
}

#[cfg(test)]
mod tests {
    use crate::target::{Ending, Tail};

    use super::*;

    fn command(env: &[(&str, &str)]) -> Command {
        Command {
            start: "./api --port {port}".to_owned(),
            dir: PathBuf::from("."),
            env: env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            port_env: None,
            ready: "/".to_owned(),
            ready_timeout: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(1),
            memory_bytes_max: Some(1 << 30),
        }
    }

    #[test]
    fn folders_with_spaces_and_percent_signs_reach_valgrind_as_they_are() {
        let wrapped = wrapped(&command(&[]), Path::new("/tmp/a b/50%"));
        insta::assert_snapshot!(wrapped.start, @"valgrind --quiet --tool=callgrind --trace-children=yes --demangle=no '--callgrind-out-file=/tmp/a b/50%%/callgrind.%p.out' '--vgdb-prefix=/tmp/a b/50%/vgdb' ./api --port {port}");
        assert_eq!(wrapped.ready_timeout, Duration::from_mins(1));
        assert_eq!(wrapped.memory_bytes_max, None);
    }

    #[test]
    fn the_users_own_tunables_stay() {
        let given = ("GLIBC_TUNABLES", "glibc.malloc.arena_max=1");
        let env = wrapped(&command(&[given, ("A", "b")]), Path::new("/tmp")).env;
        assert_eq!(env[0], ("A".to_owned(), "b".to_owned()));
        assert!(env[1].1.starts_with("glibc.malloc.arena_max=1:glibc.cpu.hwcaps=-AVX,"));
    }

    #[track_caller]
    fn check(said: &str, unsuited: bool) {
        let log = tempfile::NamedTempFile::new().unwrap();
        fs::write(log.path(), said).unwrap();
        let (ending, after) = (Ending::Status(1), Duration::from_secs(1));
        let error = TargetError::ExitedAtOnce { ending, after, tail: Tail::of(log.path()) };
        let error = explained(error);
        assert_eq!(error.is_unavailable(), unsuited, "{error}");
    }

    #[test]
    fn what_valgrind_cannot_do_is_told_from_what_the_target_did_wrong() {
        check("vex amd64->IR: unhandled instruction bytes: 0x62 0xF1", true);
        check("valgrind: ./api: cannot execute binary file", true);
        check("error: no configuration", false);
    }
}
