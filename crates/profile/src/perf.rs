//! Samples where the CPU time goes, on the running program and at full speed.
//!
//! Stacks are taken from a copy of the stack and the program's unwind tables (`dwarf`): frame
//! pointers are left out of most release builds, and half a stack misleads.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use sut::TargetCommand;

use super::failure::ProfileError;
use super::names;
use super::session::{self, HelperProcess, ProfileSession};
use super::stacks::CallStacks;
use super::{CostUnit, Profile, ProfileTotal};

const TOOL: &str = "perf";

/// Returns the version of perf.
pub fn version() -> Result<String, ProfileError> {
    let install = "apt-get install linux-perf` or `linux-tools-generic";
    let missing = ProfileError::NotInstalled { tool: TOOL, install };
    let output = Command::new(TOOL).arg("--version").output().map_err(|_| missing)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl ProfileSession<'_> {
    /// Samples one target while it answers. Leaves its files in `dir`.
    pub fn sample(&self, command: &TargetCommand, dir: &Path) -> Result<Profile, ProfileError> {
        let dir = &session::folder(dir)?;
        version()?;
        let mut api = self.start(TOOL, command, dir)?;
        api.load(self.plan.warmup_requests)?;
        let pids = api.target.pids().map_err(|source| session::failed(TOOL, source))?;
        let data = dir.join("perf.data");
        let mut recorder = self.record(&pids, &data)?;
        api.load(self.plan.requests)?;
        self.end(&mut recorder)?;
        api.stop()?;

        let text = dir.join("perf.txt");
        let mut script = Command::new(TOOL);
        script
            .args(["script", "--no-inline", "--no-demangle", "-F", "ip,sym,dso", "-i"])
            .arg(&data);
        self.run(TOOL, &mut script, Stdio::null(), &text)?;
        (self.progress)();
        profile(&session::read(&text)?)
    }

    /// Starts to record, and returns when recording is on.
    fn record(&self, pids: &[u32], data: &Path) -> Result<HelperProcess, ProfileError> {
        const POLL: Duration = Duration::from_millis(5);
        let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let mut record = Command::new(TOOL);
        // A prime, so that samples do not keep step with anything that happens every millisecond.
        record.args(["record", "-F", "997", "--call-graph", "dwarf,16384", "-p", &pids, "-o"]);
        let mut recorder = HelperProcess::start(
            TOOL,
            record.arg(data).stdin(Stdio::null()),
            &data.with_file_name("perf-record.out"),
        )?;
        // The header of the file is written once the counters are open.
        while !data.metadata().is_ok_and(|file| file.len() > 0) {
            if let Some(status) = recorder.ended(TOOL)? {
                return Err(refused(&recorder.said())
                    .unwrap_or_else(|| recorder.failure(TOOL, &record, status)));
            }
            if self.cancel.is_raised() {
                return Err(ProfileError::Cancelled);
            }
            thread::sleep(POLL);
        }
        Ok(recorder)
    }

    fn end(&self, recorder: &mut HelperProcess) -> Result<(), ProfileError> {
        let pid = i32::try_from(recorder.pid()).ok().and_then(Pid::from_raw);
        // If it has ended already, waiting returns at once, and the missing file tells.
        let _ = pid.map(|pid| kill_process(pid, Signal::INT));
        // It ends by the signal, whose number is its status.
        recorder.end(TOOL, self.cancel).map(drop)
    }
}

/// Returns the failure that says how to get the permission, if that is what was missing.
fn refused(said: &str) -> Option<ProfileError> {
    const SIGNS: [&str; 4] =
        ["perf_event_paranoid", "Operation not permitted", "Permission denied", "not supported"];
    SIGNS.iter().any(|sign| said.contains(sign)).then(|| ProfileError::Forbidden {
        tool: TOOL,
        reason: said.chars().take(300).collect(),
        hint: "`sudo sysctl kernel.perf_event_paranoid=1`, or `--tool callgrind`, which needs no \
               permission",
    })
}

fn profile(text: &str) -> Result<Profile, ProfileError> {
    let stacks = parse(text);
    let samples = stacks.total();
    if samples == 0 {
        let reason = "it took no samples; give the target more requests".to_owned();
        return Err(ProfileError::Tool { tool: TOOL, reason });
    }
    Ok(Profile {
        figures: vec![ProfileTotal {
            name: "samples",
            is_per_unit: false,
            values: vec![samples as f64],
        }],
        unit: CostUnit::PercentOfSamples,
        stacks,
        divisor: samples as f64 / 100.0,
        files: BTreeMap::new(),
    })
}

/// Reads frames of `ADDRESS SYMBOL (OBJECT)`, innermost first, a sample to each paragraph.
fn parse(text: &str) -> CallStacks {
    let mut stacks = CallStacks::default();
    for sample in text.split("\n\n") {
        let mut stack = sample.lines().filter_map(frame).collect::<Vec<_>>();
        stack.reverse();
        if !stack.is_empty() {
            stacks.add(stack, 1);
        }
    }
    stacks
}

fn frame(line: &str) -> Option<Arc<str>> {
    let (_, rest) = line.trim().split_once(' ')?;
    let (symbol, object) = rest.rsplit_once(" (")?;
    let symbol = if symbol == "[unknown]" { "???" } else { symbol };
    Some(names::readable(symbol, object.trim_end_matches(')')).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_paragraphs_of_frames_innermost_first() {
        let text = "
\t          1b0233 _ZN4core3fmt5write17h0123456789abcdefE (/tmp/api)
\t          1cd747 main (/tmp/api)
\t           27249 __libc_start_call_main (/usr/lib/libc.so.6)

\t          1cd747 main (/tmp/api)
\t           27249 __libc_start_call_main (/usr/lib/libc.so.6)

\t7ffe12345678 [unknown] (/tmp/api)
\t           27249 operator new(unsigned long) (/usr/lib/libc.so.6)

";
        let stacks = parse(text);
        let lines = stacks.iter().map(|(stack, cost)| format!("{} {cost}", stack.join(";")));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
        __libc_start_call_main;main 1
        __libc_start_call_main;main;core::fmt::write 1
        operator new(unsigned long);[unknown in api] 1
        ");
        let error = profile("").unwrap_err();
        assert!(error.to_string().contains("took no samples"), "{error}");
    }

    #[test]
    fn a_missing_permission_says_how_to_get_it() {
        let said = "Error: · Access to performance monitoring and observability operations is \
                    limited. · Consider adjusting /proc/sys/kernel/perf_event_paranoid setting";
        assert!(refused(said).unwrap().is_unavailable());
        assert!(refused("failed to mmap with 12 (Cannot allocate memory)").is_none());
    }
}
