//! Takes the heap apart at the moment when it is largest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sut::TargetCommand;

use super::failure::ProfileError;
use super::session::{self, ProfileSession};
use super::stacks::{self, CallStacks};
use super::{CostUnit, Profile, ProfileTotal, valgrind};

const TOOL: &str = "massif";

impl ProfileSession<'_> {
    /// Looks at the heap of one target. Leaves its files in `dir`.
    pub fn largest_heap(
        &self,
        command: &TargetCommand,
        dir: &Path,
    ) -> Result<Profile, ProfileError> {
        valgrind::check(TOOL, command)?;
        let dir = &session::folder(dir)?;
        let out = dir.display().to_string().replace('%', "%%");
        let options = [
            format!("--massif-out-file={out}/massif.%p.out"),
            // Deep enough for the stacks of an asynchronous runtime, and down to a thousandth.
            "--depth=100".to_owned(),
            "--threshold=0.1".to_owned(),
        ];
        let mut api = self
            .start(TOOL, &valgrind::under(TOOL, &options, command), dir)
            .map_err(valgrind::explained)?;
        api.load(self.plan.warmup_requests + self.plan.requests)?;
        api.stop()?;
        (self.progress)();

        // Of several processes, the largest is the server.
        let mut largest = PeakHeap::default();
        for path in session::files_ending(dir, ".out")? {
            let heap = parse(&session::read(&path)?);
            if heap.bytes > largest.bytes {
                largest = heap;
            }
        }
        if largest.bytes == 0 {
            let reason = "it saw no heap; is the target's allocator its own?".to_owned();
            return Err(ProfileError::Tool { tool: TOOL, reason });
        }
        Ok(largest.profile())
    }
}

/// The heap when it was largest.
#[derive(Debug, Default, PartialEq)]
struct PeakHeap {
    /// What was asked for, without what the allocator adds.
    bytes: u64,
    stacks: CallStacks,
}

impl PeakHeap {
    fn profile(self) -> Profile {
        Profile {
            figures: vec![ProfileTotal {
                name: "bytes at the peak",
                values: vec![self.bytes as f64],
            }],
            unit: CostUnit::BytesAtPeak,
            stacks: self.stacks.from_callers(stacks::is_library),
            divisor: 1.0,
            files: BTreeMap::new(),
        }
    }
}

fn parse(text: &str) -> PeakHeap {
    let mut heap = PeakHeap::default();
    for snapshot in text.split("#-----------\nsnapshot=").skip(1) {
        let Some((numbers, tree)) = snapshot.split_once("heap_tree=peak\n") else { continue };
        let bytes = numbers.lines().find_map(|line| line.strip_prefix("mem_heap_B="));
        heap.bytes = bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        heap.stacks = read_tree(tree);
    }
    heap
}

/// Reads lines of `n3: 1234 0xADDRESS: function (file:line)`, indented by their depth; `n3` says
/// that the next three of the depth below are callers of this one. What the callers do not account
/// for was asked for by stacks too small to be listed.
fn read_tree(tree: &str) -> CallStacks {
    let mut stacks = CallStacks::default();
    // Function and bytes that its callers have not accounted for, by depth, innermost first.
    let mut path = Vec::<(Arc<str>, u64)>::new();
    let mut settle = |path: &mut Vec<(Arc<str>, u64)>, depth: usize| {
        while path.len() > depth {
            let names = path.iter().skip(1).rev().map(|(name, _)| Arc::clone(name)).collect();
            if let Some((_, rest)) = path.pop() {
                stacks.add(names, rest);
            }
        }
    };
    for line in tree.lines() {
        let Some(node) = line.trim_start().strip_prefix('n') else { break };
        let depth = line.len() - line.trim_start().len();
        let Some((bytes, name)) = read_node(node) else { break };
        settle(&mut path, depth);
        if let Some((_, rest)) = path.last_mut() {
            *rest = rest.saturating_sub(bytes);
        }
        path.push((name, bytes));
    }
    settle(&mut path, 0);
    stacks
}

fn read_node(node: &str) -> Option<(u64, Arc<str>)> {
    let (_, rest) = node.split_once(": ")?;
    let (bytes, rest) = rest.split_once(' ')?;
    let name = match rest.strip_prefix("0x").and_then(|rest| rest.split_once(": ")) {
        Some((_, name)) => without_line(name),
        // The root, and the sum of what is too small.
        None => "[below 0.1 %]".to_owned(),
    };
    Some((bytes.parse().ok()?, name.into()))
}

/// `parse (src/a.rs:12)` to `parse (src/a.rs)`: lines move with every edit above them.
pub(super) fn without_line(name: &str) -> String {
    match name.strip_suffix(')').and_then(|name| name.rsplit_once(':')) {
        Some((start, line)) if line.chars().all(|c| c.is_ascii_digit()) => format!("{start})"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
desc: --massif-out-file=massif.out
cmd: ./api
time_unit: i
#-----------
snapshot=0
#-----------
time=0
mem_heap_B=0
mem_heap_extra_B=0
mem_stacks_B=0
heap_tree=empty
#-----------
snapshot=7
#-----------
time=100
mem_heap_B=1000
mem_heap_extra_B=24
mem_stacks_B=0
heap_tree=peak
n3: 1000 (heap allocation functions) malloc/new/new[], --alloc-fns, etc.
 n2: 700 0x10: alloc::raw_vec::RawVec<T,A>::grow (in /bin/api)
  n0: 500 0x11: xml::read (src/xml.rs:12)
  n1: 150 0x12: json::read (src/json.rs:7)
   n0: 150 0x13: main (src/main.rs:3)
 n0: 200 0x14: buffer (a.c:1)
 n0: 100 in 9 places, all below massif's threshold (0.10%)
#-----------
snapshot=8
#-----------
mem_heap_B=10
heap_tree=empty
";

    #[test]
    fn every_byte_of_the_peak_stands_with_one_stack() {
        let heap = parse(FILE);
        assert_eq!((heap.bytes, heap.stacks.total()), (1000, 1000));
        let profile = heap.profile();
        let lines = profile.stacks.iter().map(|(stack, n)| format!("{} {n}", stack.join(";")));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
        [below 0.1 %] 100
        alloc::raw_vec::RawVec<T,A>::grow (in /bin/api) 50
        buffer (a.c) 200
        main (src/main.rs);json::read (src/json.rs) 150
        xml::read (src/xml.rs) 500
        ");
    }

    #[test]
    fn a_file_without_a_peak_has_no_heap() {
        assert_eq!(parse("desc: x\ncmd: y\n"), PeakHeap::default());
    }
}
