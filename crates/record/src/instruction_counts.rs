//! What was counted of a scenario, launch by launch and function by function.
//!
//! Times are of one machine and one moment; a count is of the program. So it is kept whole, with who
//! counted and what compiled the program, and a run that cannot be repeated any more still says in
//! which function the next one differs.

use std::collections::BTreeMap;
use std::io;
use std::io::{Read as _, Write as _};

use crate::FailureReport;
use crate::causes::WorkCauses;
use crate::metric::Metric;
use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What became of the work lane in a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum CountOutcome {
    /// It was counted.
    Counted(Box<InstructionCounts>),
    /// It could not be.
    Unavailable {
        /// Why not, and what would help.
        reason: FailureReport,
        /// Whether it was required, so that a run without it is not whole.
        required: bool,
    },
}

/// The counts of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstructionCounts {
    /// Name and version of what counted.
    pub counter: String,
    /// XML pairs in a request of this lane, which may be fewer than in one that is timed.
    pub pairs_per_request: u64,
    /// Requests that were counted in every launch.
    pub requests: u64,
    /// What is compared against, if two builds were counted.
    pub base: Option<BuildCounts>,
    /// What is judged.
    pub head: BuildCounts,
    /// Which lines and hunks the difference is in, where it was looked into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causes: Option<Box<WorkCauses>>,
}

/// What was counted of one build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuildCounts {
    /// What the program was compiled with and which C library it runs on; empty if it does not say.
    pub toolchain: String,
    /// Instructions per XML pair, one value a launch.
    pub instructions: Vec<f64>,
    /// Calls to `malloc` and its like per XML pair, one value a launch.
    pub allocations: Vec<f64>,
    /// What the functions took, over all launches, without the smallest.
    pub functions: Vec<FunctionCost>,
    /// Call stacks with their instructions per thousand XML pairs, as [`pack`] packs them.
    pub stacks: String,
}

/// What a metric of a scenario was counted at so far, one value a launch.
#[derive(Debug, Clone, Copy)]
pub struct CountedMetric<'a> {
    /// The metric.
    pub metric: Metric,
    /// Of base.
    pub base: &'a [f64],
    /// Of head.
    pub head: &'a [f64],
}

/// What a function took, in the unit of its profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionCost {
    /// Its name, as a person would write it.
    pub name: String,
    /// Source file; empty if the program does not say.
    pub file: String,
    /// In the function itself, with what was inlined into it.
    pub own: f64,
    /// With all that it called.
    pub inclusive: f64,
}

/// Call stacks, outermost function first, joined by semicolons, with what each cost.
pub type FoldedStacks = BTreeMap<String, u64>;

/// Returns stacks as one line of text: a line `STACK COST` each, deflated, in base64.
pub fn pack(stacks: &FoldedStacks) -> String {
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
    for (stack, cost) in stacks {
        writeln!(deflated, "{stack} {cost}").expect("writing to memory does not fail");
    }
    STANDARD.encode(deflated.finish().expect("writing to memory does not fail"))
}

/// Why a text is not packed stacks.
#[derive(Debug, Error)]
pub enum StacksError {
    /// It is not base64.
    #[error("stacks are not base64: {0}")]
    Base64(#[from] DecodeError),
    /// It does not hold text.
    #[error("stacks are not deflated text: {0}")]
    Deflate(#[from] io::Error),
    /// There is more of it than there is room for.
    #[error("stacks have more than {bytes_max} bytes")]
    TooLarge {
        /// The room.
        bytes_max: u64,
    },
    /// A line of the text is none.
    #[error("`{line}` is not a stack with its cost")]
    Line {
        /// The line.
        line: String,
    },
}

/// Call stacks as text, one a line: a map of them would take ten times the memory of short ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackLines(String);

impl StackLines {
    /// Returns each stack with what it cost.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.lines().filter_map(stack_of)
    }

    /// Returns how long the text is, in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Reads packed stacks whose text has at most `bytes_max` bytes.
pub fn unpack(text: &str, bytes_max: u64) -> Result<StackLines, StacksError> {
    let packed = STANDARD.decode(text)?;
    let mut bytes = Vec::new();
    DeflateDecoder::new(packed.as_slice()).take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(StacksError::TooLarge { bytes_max });
    }
    let lines = String::from_utf8(bytes).map_err(io::Error::other)?;
    match lines.lines().find(|line| stack_of(line).is_none()) {
        Some(line) => Err(StacksError::Line { line: line.to_owned() }),
        None => Ok(StackLines(lines)),
    }
}

fn stack_of(line: &str) -> Option<(&str, u64)> {
    let (stack, cost) = line.rsplit_once(' ')?;
    Some((stack, cost.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stacks_survive_the_record(
            stacks in prop::collection::btree_map("[a-z:<>, ]{1,9}(;[a-z]{1,9}){0,4}", any::<u64>(), 0..40)
        ) {
            let lines = unpack(&pack(&stacks), 1 << 20).unwrap();
            let read: FoldedStacks = lines.iter().map(|(stack, cost)| (stack.to_owned(), cost)).collect();
            prop_assert_eq!(read, stacks);
        }
    }

    #[test]
    fn what_is_no_packed_text_is_said_to_be_none() {
        for (text, expected) in [("*", "base64"), ("AAAA", "deflated")] {
            assert!(unpack(text, 1 << 20).unwrap_err().to_string().contains(expected));
        }
    }

    #[test]
    fn no_more_is_unpacked_than_there_is_room_for() {
        let packed = pack(&FoldedStacks::from([("main".to_owned(), 1), ("x".repeat(1 << 20), 2)]));
        let bytes = unpack(&packed, 2 << 20).unwrap().bytes();
        assert_eq!(unpack(&packed, bytes).unwrap().iter().count(), 2);
        let error = unpack(&packed, bytes - 1).unwrap_err().to_string();
        assert_eq!(error, format!("stacks have more than {} bytes", bytes - 1));
    }
}
