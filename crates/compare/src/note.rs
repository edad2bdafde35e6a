//! What a reader has to know beside the verdicts, and what is not held against the change.

use std::fmt;

use serde::Serialize;

use record::history::HistoryNote;
use record::metric::Metric;
use record::shard::ShardNumber;
use record::{FailureReport, Machine};
use units::Ratio;

/// What a reader has to know beside the verdicts. Its text is a sentence without its full stop, with names
/// between backquotes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ComparisonNote {
    /// Base does not serve what a scenario asks for, so head alone is held to its limits.
    NewScenario {
        /// Name of the scenario.
        scenario: String,
        /// The status that base answers.
        status: u16,
    },
    /// Instructions could not be counted, and did not have to be.
    WorkUnavailable {
        /// Why.
        reason: FailureReport,
    },
    /// A time that stored runs made suspicious was measured side by side, and is judged by that.
    Confirmed {
        /// Name of the scenario.
        scenario: String,
        /// The metric.
        metric: Metric,
        /// What a report calls it, with the unit of work.
        #[serde(skip)]
        label: String,
        /// Stored runs that it was suspected by.
        stored_runs: usize,
        /// ln(head / base) by these.
        change_ln: f64,
        /// Probability that it is slower by these.
        p_slower: f64,
    },
    /// The baseline has a scenario that was not measured.
    ScenarioMissing {
        /// Its name.
        scenario: String,
    },
    /// No stored run is of a machine like this one.
    OtherMachine {
        /// This machine.
        here: Machine,
        /// That of the newest stored run.
        there: Machine,
    },
    /// What is known of the machine's own offset of one build.
    MachineOffsets {
        /// How many comparisons of a build with itself tell it.
        comparisons: usize,
        /// One for each metric that decides and of which it is known.
        offsets: Vec<OffsetRow>,
    },
    /// The run measured a part of its suite.
    Part {
        /// Which part.
        part: ShardNumber,
        /// Scenarios that other parts measure.
        elsewhere: usize,
    },
    /// The run was joined from those of several machines.
    Joined {
        /// How many.
        shards: usize,
        /// The machines, each kind once.
        machines: Vec<Machine>,
    },
    /// About the choice of the stored runs.
    History {
        /// What.
        note: HistoryNote,
    },
}

/// The machine's own offset of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OffsetRow {
    /// Name of the scenario.
    pub scenario: String,
    /// The metric.
    pub metric: Metric,
    /// What a report calls it, with the unit of work.
    #[serde(skip)]
    pub label: String,
    /// Its standard deviation.
    pub offset: Ratio,
    /// The floor that hides it.
    pub floor_needed: Ratio,
    /// The floor that the metric has.
    pub floor: Ratio,
}

/// Smaller offsets are not listed.
const OFFSET_SHOWN_MIN: f64 = 0.000_5;

/// With two decimals of a percent: the estimate knows no more.
fn rounded(ratio: Ratio) -> Ratio {
    Ratio((ratio.0 * 1e4).round() / 1e4)
}

impl OffsetRow {
    fn name(&self) -> String {
        format!("`{}` {}", self.scenario, self.label)
    }
}

fn offset_sentence(comparisons: usize, offsets: &[OffsetRow]) -> String {
    let shown: Vec<&OffsetRow> =
        offsets.iter().filter(|it| it.offset.0 >= OFFSET_SHOWN_MIN).collect();
    let sizes: Vec<String> =
        shown.iter().map(|it| format!("{} {}", it.name(), rounded(it.offset))).collect();
    let sizes = if sizes.is_empty() {
        format!("below {} in each metric that decides", Ratio(OFFSET_SHOWN_MIN))
    } else {
        sizes.join(", ")
    };
    let wanting = shown.iter().filter(|it| it.floor_needed > it.floor);
    let wanting = wanting.map(|it| {
        format!(
            "; {} asks for a floor of {}, and has {}",
            it.name(),
            rounded(it.floor_needed),
            it.floor
        )
    });
    let wanting: String = wanting.collect();
    format!(
        "the machine's own offset of one build, by {comparisons} comparisons with itself: {sizes}{wanting}"
    )
}

impl fmt::Display for ComparisonNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewScenario { scenario, status } => write!(
                f,
                "`{scenario}` is new: base answers it by {status}, so it is measured on head alone, \
                 against its limits"
            ),
            Self::WorkUnavailable { reason } => {
                f.write_str(&reason.sentence("work lane not available"))
            }
            Self::Confirmed { scenario, metric: _, label, stored_runs, change_ln, p_slower } => {
                write!(
                    f,
                    "`{scenario}` {label} was suspected by {stored_runs} stored runs ({}, {}) and measured \
                 again side by side",
                    units::change(*change_ln),
                    units::probability(*p_slower),
                )
            }
            Self::ScenarioMissing { scenario } => {
                write!(f, "scenario `{scenario}` of the baseline was not measured")
            }
            Self::OtherMachine { here, there } => write!(
                f,
                "this machine is {}; that of the newest stored run was {}",
                machine(here),
                machine(there)
            ),
            Self::MachineOffsets { comparisons, offsets } => {
                f.write_str(&offset_sentence(*comparisons, offsets))
            }
            Self::Part { part, elsewhere } => write!(
                f,
                "this is shard {part}, judged as a part: {} measured elsewhere, and `xmlperf merge` \
                 judges all",
                units::text::plural(*elsewhere, "scenario")
            ),
            Self::Joined { shards, machines } => {
                let machines: Vec<String> = machines.iter().map(machine).collect();
                let shards = units::text::plural(*shards, "shard");
                write!(f, "joined from {shards}, measured on {}", machines.join("; "))
            }
            Self::History { note } => note.fmt(f),
        }
    }
}

fn machine(machine: &Machine) -> String {
    let cores = units::text::plural(machine.cores, "core");
    format!("{}, {cores}, {}", machine.cpu, machine.image)
}
