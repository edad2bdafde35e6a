//! What a reader has to know beside the verdicts, and what is not held against the change.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use record::history::HistoryNote;
use record::metric::Metric;
use record::shard::ShardNumber;
use record::{FailureReport, FittedLoad, Machine, OperationName, REQUESTS_WANTED, Side};
use units::Ratio;

/// What a reader has to know beside the verdicts. Its text is a sentence without its full stop, with names
/// between backquotes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ComparisonNote {
    /// Base does not serve what a scenario asks for, so head alone is held to its limits.
    NewScenario {
        /// Name of the scenario.
        scenario: String,
        /// The status that base answers.
        status: u16,
    },
    /// Base's answers are the right ones, apart from what it answers differently from time to time.
    BaseOracle {
        /// Name of the scenario.
        scenario: String,
        /// The operation, if there are several.
        #[serde(skip_serializing_if = "Option::is_none")]
        operation: Option<OperationName>,
        /// Answers that this was learnt from.
        answers: usize,
        /// Places that are left out.
        left_out: Vec<String>,
    },
    /// The cost of a request changes during the launches.
    CostCourse {
        /// Name of the scenario.
        scenario: String,
        /// Whose launches.
        side: Side,
        /// How it goes.
        course: LaunchCourse,
        /// CPU time of a request at the end over that at the beginning, minus 1; of one that does both, the
        /// highest over the lowest.
        change: Ratio,
    },
    /// A warm-up that was to go on until the target is steady ended before that.
    NeverSteady {
        /// Name of the scenario.
        scenario: String,
        /// Whose launches.
        side: Side,
        /// In how many launches.
        unsteady: usize,
        /// Of how many.
        launches: usize,
    },
    /// A warm-up held few requests, and it is not known that the cost of one was steady after it.
    ShortWarmUp {
        /// Name of the scenario.
        scenario: String,
        /// Requests of a connection, in the launch with the fewest.
        requests: u64,
    },
    /// A target is so slow that the time of a launch, at its bound, holds few requests.
    FewRequests {
        /// Name of the scenario.
        scenario: String,
        /// How long each side of a launch is driven, and how fast the target answers.
        load: FittedLoad,
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

/// How the cost of a request goes during a launch, if it does not stay as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaunchCourse {
    /// It falls.
    WarmingUp,
    /// It rises.
    SlowingDown,
    /// It does both.
    Unsteady,
}

/// The machine's own offset of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
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
            Self::BaseOracle { scenario, operation, answers, left_out } => {
                let operation = operation.as_ref().map(|name| format!(" {name}"));
                let operation = operation.unwrap_or_default();
                let left_out = left_out_words(left_out);
                write!(
                    f,
                    "`{scenario}`{operation} must be answered as base answers it, by {answers} answers; {left_out}"
                )
            }
            Self::CostCourse { scenario, side, course, change } => {
                write!(f, "`{scenario}`: {}", course_sentence(*side, *course, *change))
            }
            Self::NeverSteady { scenario, side, unsteady, launches } => write!(
                f,
                "`{scenario}`: {} was not steady when its warm-up reached its bounds, in {unsteady} of \
                 {launches} launches",
                side.name()
            ),
            Self::ShortWarmUp { scenario, requests } => {
                f.write_str(&short_warm_up_sentence(scenario, *requests))
            }
            Self::FewRequests { scenario, load } => {
                f.write_str(&few_requests_sentence(scenario, *load))
            }
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

fn left_out_words(places: &[String]) -> String {
    if places.is_empty() {
        return "they never differed, so nothing is left out".to_owned();
    }
    let places: Vec<_> = places.iter().map(|place| format!("`{place}`")).collect();
    format!("left out is what differed between them: {}", places.join(", "))
}

fn short_warm_up_sentence(scenario: &str, requests: u64) -> String {
    format!(
        "`{scenario}`: the warm-up held {} of a connection; a runtime that compiles as it runs needs 100 or \
         more, so raise `warm-up` in `[sampling]` if the target is one",
        units::text::plural(requests, "request")
    )
}

fn few_requests_sentence(scenario: &str, load: FittedLoad) -> String {
    format!(
        "`{scenario}`: the target answers every {}, so that {} hold about {} on each side of a launch, of \
         {REQUESTS_WANTED} that a level wants; with a longer `load` in `[sampling]` fewer launch pairs are needed",
        units::duration(load.interval),
        units::duration(load.lasts),
        units::text::plural(load.requests(), "request"),
    )
}

fn course_sentence(side: Side, course: LaunchCourse, change: Ratio) -> String {
    let (side, change) = (side.name(), units::change(change.0.ln_1p()));
    match course {
        LaunchCourse::WarmingUp => format!(
            "{side} is still warming up: CPU time of a request changes by {change} from the beginning of \
             a launch to its end; raise `warm-up` in `[sampling]`, or set it to \"steady\""
        ),
        LaunchCourse::SlowingDown => format!(
            "{side} is slowing down: CPU time of a request changes by {change} from the beginning of a \
             launch to its end, as where state grows; a shorter `load` in `[sampling]` shows less of it"
        ),
        LaunchCourse::Unsteady => format!(
            "{side} is not steady: CPU time of a request moves by {change} during a launch, up and down"
        ),
    }
}

fn machine(machine: &Machine) -> String {
    let cores = units::text::plural(machine.cores, "core");
    format!("{}, {cores}, {}", machine.cpu, machine.image)
}
