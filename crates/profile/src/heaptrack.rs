//! Counts allocations and finds out who asks for memory, at nearly full speed.
//!
//! The library that heaptrack puts below a program is used without its script: the script ends
//! with the process group of its target, and loses what was not yet written. What starting and the
//! first requests allocate is taken off by a second, shorter run.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use sut::TargetCommand;

use super::failure::ProfileError;
use super::names;
use super::session::{self, ProfileSession, files};
use super::stacks::{self, CallStacks};
use super::{CostUnit, Profile, ProfileTotal};

const TOOL: &str = "heaptrack";

const NOT_INSTALLED: ProfileError =
    ProfileError::NotInstalled { tool: TOOL, install: "apt-get install heaptrack" };

/// Where the parts of heaptrack are.
struct HeaptrackPaths {
    preload: PathBuf,
    interpret: PathBuf,
}

/// What one run allocated.
#[derive(Debug, Default, PartialEq)]
struct HeaptrackRun {
    stacks: CallStacks,
    temporary: u64,
    peak_bytes: f64,
    leaked_bytes: f64,
}

impl ProfileSession<'_> {
    /// Counts the allocations of one target. Leaves its files in `dir`.
    pub fn allocations(
        &self,
        command: &TargetCommand,
        dir: &Path,
    ) -> Result<Profile, ProfileError> {
        let parts = HeaptrackPaths::find().ok_or(NOT_INSTALLED)?;
        let (warmup, requests) = (self.plan.warmup_requests, self.plan.requests);
        let short = self.track(&parts, command, &dir.join("short"), warmup)?;
        let long = self.track(&parts, command, &dir.join("long"), warmup + requests)?;
        let pairs = self.pairs() as f64;
        let per_pair = |long: u64, short: u64| (long as f64 - short as f64) / pairs;
        let figure = |name, value| ProfileTotal { name, is_per_unit: false, values: vec![value] };
        let per_unit = |name, value| ProfileTotal { name, is_per_unit: true, values: vec![value] };
        Ok(Profile {
            figures: vec![
                per_unit("allocations", per_pair(long.stacks.total(), short.stacks.total())),
                per_unit("temporary allocations", per_pair(long.temporary, short.temporary)),
                figure("bytes at the peak", long.peak_bytes),
                figure("bytes never given back", long.leaked_bytes),
            ],
            unit: CostUnit::AllocationsPerUnit,
            stacks: long.stacks.without(&short.stacks).from_callers(stacks::is_library),
            divisor: pairs,
            files: BTreeMap::new(),
        })
    }

    fn track(
        &self,
        parts: &HeaptrackPaths,
        command: &TargetCommand,
        dir: &Path,
        requests: u64,
    ) -> Result<HeaptrackRun, ProfileError> {
        let dir = &session::folder(dir)?;
        let mut api = self.start(TOOL, &parts.below(command, dir), dir)?;
        api.load(requests)?;
        api.stop()?;
        (self.progress)();
        // A shell that started the target has its own file.
        let mut largest = HeaptrackRun::default();
        for raw in session::files_ending(dir, ".raw")? {
            let run = self.interpret(parts, &raw)?;
            if run.stacks.total() > largest.stacks.total() {
                largest = run;
            }
        }
        if largest.stacks.total() == 0 {
            let reason = "it is linked statically, or brings an allocator of its own".to_owned();
            return Err(ProfileError::Unsuited { tool: TOOL, reason });
        }
        Ok(largest)
    }

    fn interpret(&self, parts: &HeaptrackPaths, raw: &Path) -> Result<HeaptrackRun, ProfileError> {
        let (data, text) = (raw.with_extension("data"), raw.with_extension("txt"));
        let input = File::open(raw).map_err(files(raw))?;
        self.run(TOOL, &mut Command::new(&parts.interpret), input.into(), &data)?;
        let mut print = Command::new("heaptrack_print");
        print.args(["--print-peaks=0", "--print-temporary=0", "--print-leaks=0"]);
        // Every stack by itself, however little it allocated.
        print.args(["--merge-backtraces=0", "--peak-limit=1000000", "--file"]).arg(&data);
        self.run(TOOL, &mut print, Stdio::null(), &text)?;
        Ok(parse(&session::read(&text)?))
    }
}

impl HeaptrackPaths {
    /// Finds them beside the program `heaptrack`, where its script looks too.
    fn find() -> Option<Self> {
        let found = Command::new("/bin/sh").args(["-c", "command -v heaptrack"]).output().ok()?;
        let program = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
        let root = program.canonicalize().ok()?.parent()?.parent()?.to_owned();
        let triple = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
        let folders = ["lib", "lib64", triple.as_str()].map(|lib| root.join(lib).join("heaptrack"));
        folders.into_iter().find_map(|folder| {
            let preload = folder.join("libheaptrack_preload.so");
            let interpret = folder.join("libexec/heaptrack_interpret");
            (preload.is_file() && interpret.is_file()).then_some(Self { preload, interpret })
        })
    }

    /// Returns the command with the library below it.
    fn below(&self, command: &TargetCommand, dir: &Path) -> TargetCommand {
        let mut command = command.clone();
        let given = command.take_env("LD_PRELOAD");
        let given = given.map(|given| format!(":{given}")).unwrap_or_default();
        let preload = format!("{}{given}", self.preload.display());
        command.env.push(("LD_PRELOAD".to_owned(), preload.into()));
        // `$$` becomes the number of the process.
        let out = format!("{}/heaptrack.$$.raw", dir.display());
        command.env.push(("DUMP_HEAPTRACK_OUTPUT".to_owned(), out.into()));
        command
    }
}

/// Reads `N calls to allocation functions … from`, followed by frames, innermost first, and the
/// sums at the end.
fn parse(text: &str) -> HeaptrackRun {
    let mut run = HeaptrackRun::default();
    let mut calls = None;
    let mut frames = Vec::<(String, String)>::new();
    for line in text.lines().chain([""]) {
        if let Some((count, _)) = line.split_once(" calls to allocation functions with ") {
            calls = count.parse().ok();
        } else if let Some(path) = line.strip_prefix("    at ") {
            if let Some((_, file)) = frames.last_mut() {
                path.clone_into(file);
            }
        } else if line.starts_with("    in ") {
            // The object file, which the frames around it share.
        } else if let Some(name) = line.strip_prefix("  ")
            && calls.is_some()
        {
            frames.push((names::readable(name, ""), String::new()));
        } else if line.is_empty() || line.ends_with(':') {
            let stack = frames.drain(..).rev().map(label).collect::<Vec<_>>();
            run.stacks.add(stack, calls.take().unwrap_or(0));
        } else if let Some((name, value)) = line.split_once(": ") {
            read_sum(&mut run, name, value);
        }
    }
    run
}

fn read_sum(run: &mut HeaptrackRun, name: &str, value: &str) {
    let first = value.split(' ').next().unwrap_or(value);
    match name {
        "temporary memory allocations" => run.temporary = first.parse().unwrap_or(0),
        "peak heap memory consumption" => run.peak_bytes = bytes(first),
        "total memory leaked" => run.leaked_bytes = bytes(first),
        _ => {}
    }
}

fn label((name, path): (String, String)) -> Arc<str> {
    if path.is_empty() {
        return name.into();
    }
    without_line(&format!("{name} ({path})")).into()
}

/// Reads `273.99K`, in thousands.
fn bytes(text: &str) -> f64 {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match text[number.len()..].chars().next() {
        Some('K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        _ => 0,
    };
    number.parse::<f64>().unwrap_or(0.0) * 1000_f64.powi(power)
}

/// `parse (src/a.rs:12)` to `parse (src/a.rs)`: lines move with every edit above them.
fn without_line(name: &str) -> String {
    match name.strip_suffix(')').and_then(|name| name.rsplit_once(':')) {
        Some((start, line)) if line.chars().all(|c| c.is_ascii_digit()) => format!("{start})"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
reading file \"int\" - please wait, this might take some time...
Debuggee command was: ./api serve
finished reading file, now analyzing data:

MOST CALLS TO ALLOCATION FUNCTIONS
256 calls to allocation functions with 0B peak consumption from
  _RNvNtCslNYArtu3iFV_5alloc5alloc5alloc
    at library/alloc/src/alloc.rs:95
    in /tmp/api
  message
    at src/verdict.rs:41
    in /tmp/api
  main
    in /tmp/api

4 calls to allocation functions with 8.22K peak consumption from
  _dl_init
    at dl-init.c:1
    in /lib/ld.so


total runtime: 0.49s.
calls to allocation functions: 260 (5636/s)
temporary memory allocations: 153 (3128/s)
peak heap memory consumption: 273.99K
peak RSS (including heaptrack overhead): 7.70M
total memory leaked: 98B
";

    #[test]
    fn stacks_and_sums_are_read() {
        let run = parse(TEXT);
        let lines = run.stacks.iter().map(|(stack, n)| format!("{} {n}", stack.join(";")));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
        _dl_init (dl-init.c) 4
        main;message (src/verdict.rs);alloc::alloc::alloc (library/alloc/src/alloc.rs) 256
        ");
        assert_eq!(run.temporary, 153);
        assert!(
            (run.peak_bytes - 273_990.0).abs() < 1e-6 && (run.leaked_bytes - 98.0).abs() < 1e-6
        );
    }
}
