//! How large what is read may be: each bound in one place, so that a file costs memory and time that
//! are known before it is opened. `docs/reliability.md` has them as a table.
//!
//! A record may come from a fork, through an artifact, into the job that has the right to publish.
//! Bounds are far above what a measurement writes, and such that a file that keeps them is judged in
//! half a gigabyte and seconds.

use thiserror::Error;

use crate::histogram;
use crate::{
    IdenticalProgram, LaunchResult, LaunchResults, Revision, Run, ScenarioRun, StatementCount,
};

/// The largest record that is read, in bytes.
pub const RUN_BYTES_MAX: u64 = 32 << 20;
/// The largest record of an older schema, which passes through a tree of values.
pub const OLD_RUN_BYTES_MAX: u64 = 8 << 20;
/// The largest table of `decide` and `trend`, in bytes.
pub const TABLE_BYTES_MAX: u64 = 16 << 20;
/// Rows of a table of `decide`: pairs times metrics.
pub const TABLE_ROWS_MAX: usize = 100_000;
/// Rows of a table of `trend`, whose slopes are of every row to every other.
pub const TREND_ROWS_MAX: usize = 5_000;
/// Pairs of rows over all metrics of such a table: 4 metrics of 5 000 rows, 400 of 500.
pub const TREND_PAIRS_MAX: usize = 50_000_000;
/// The record of the attempts at a comparison, in bytes.
pub const EVIDENCE_BYTES_MAX: u64 = 32 << 20;
/// All records of a history together, in bytes.
pub const HISTORY_BYTES_MAX: u64 = 128 << 20;
/// A configuration, its certificates among them.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// The template of a request.
pub const TEMPLATE_BYTES_MAX: u64 = 16 << 20;
/// A document of a schema.
pub const SCHEMA_BYTES_MAX: u64 = 16 << 20;
/// The documents of a corpus together.
pub const CORPUS_BYTES_MAX: u64 = 256 << 20;
/// Scenarios of a run.
pub const SCENARIOS_MAX: usize = 200;
/// Launches of a run, of both sides and over all scenarios.
pub const LAUNCHES_MAX: usize = 20_000;
/// Levels of load over all launches, each with a histogram.
pub const STEPS_MAX: usize = 10_000;
/// Operations of all scenarios.
pub const OPERATIONS_MAX: usize = 500;
/// Operations times launches of their scenario, over all scenarios: each is judged as a scenario.
pub const OPERATION_LAUNCHES_MAX: usize = 100_000;
/// Earlier attempts at a comparison.
pub const ATTEMPTS_MAX: usize = 1_000;
/// Launch pairs of all earlier attempts, more than which no rule judges.
pub const EARLIER_PAIRS_MAX: usize = 2_000;
/// Stored runs that a run is held against.
pub const STORED_RUNS_MAX: usize = 100;
/// Limits of a scenario, or of one of its operations.
pub const LIMITS_MAX: usize = 100;
/// Moments at which the memory of one launch was seen: a slope is of each to all others.
pub const LAUNCH_POINTS_MAX: usize = 512;
/// Moments at which a launch's memory was seen, over all launches.
pub const SERIES_POINTS_MAX: usize = 1_000_000;
/// Counts of all histograms together, in bytes.
pub const COUNTS_BYTES_MAX: usize = 128 << 20;
/// Call stacks of one build in a scenario, unpacked, in bytes.
pub const STACKS_BYTES_MAX: u64 = 8 << 20;
/// All call stacks that a page draws, unpacked, in bytes: those of 45 programs like the reference API on
/// both sides.
pub const PAGE_STACKS_BYTES_MAX: u64 = 32 << 20;
/// Frames of all call stacks that a page draws, whether they are wide enough to be seen or not.
pub const PAGE_FRAMES_MAX: usize = 200_000;
/// Statements that a side executes at one service, each of which is looked for on the other side.
pub const STATEMENTS_MAX: usize = 1_000;
/// Statements of all services, scenarios and sides.
pub const ALL_STATEMENTS_MAX: usize = 100_000;
/// Bytes of a name: of a scenario, a branch, a store, a statement.
pub const NAME_BYTES_MAX: usize = 4_096;

/// Which bound a record exceeds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{found} {what} are more than a run may have, at most {most}")]
pub struct BoundError {
    /// What there is too much of.
    pub what: &'static str,
    /// How much there is.
    pub found: usize,
    /// How much there may be.
    pub most: usize,
}

fn ensure(what: &'static str, found: usize, most: usize) -> Result<(), BoundError> {
    if found <= most { Ok(()) } else { Err(BoundError { what, found, most }) }
}

/// The same of counts that are measured.
fn ensure_no_more(what: &'static str, found: u64, most: u64) -> Result<(), BoundError> {
    let number = |count| usize::try_from(count).unwrap_or(usize::MAX);
    ensure(what, number(found), number(most))
}

/// Fails if a record that was read has more of anything than a run may have.
pub(super) fn check(run: &Run) -> Result<(), BoundError> {
    ensure("scenarios", run.scenarios.len(), SCENARIOS_MAX)?;
    let suite = run.shard.as_ref().map_or(0, |shard| shard.suite.len());
    ensure("scenarios", suite, SCENARIOS_MAX)?;
    ensure("shards", run.shards.len(), SCENARIOS_MAX)?;
    let launches = || run.scenarios.iter().flat_map(launches);
    ensure("launches", launches().count(), LAUNCHES_MAX)?;
    for launch in launches() {
        ensure_no_more("failed requests of a launch", launch.failed(), launch.requests)?;
        for step in &launch.steps {
            ensure_no_more("failed requests of a level", step.failed, step.requests)?;
        }
    }
    ensure("levels of load", launches().map(|it| it.steps.len()).sum(), STEPS_MAX)?;
    let operations = run.scenarios.iter().map(operations).sum();
    ensure("operations", operations, OPERATIONS_MAX)?;
    let operations = run.scenarios.iter().map(operation_launches).sum();
    ensure("launches of operations", operations, OPERATION_LAUNCHES_MAX)?;
    let earlier = run.evidence.as_ref().map_or(&[][..], |state| &state.earlier);
    ensure("earlier attempts", earlier.len(), ATTEMPTS_MAX)?;
    let pairs = earlier.iter().map(|attempt| attempt.launch_pairs.len()).sum();
    ensure("launch pairs of earlier attempts", pairs, EARLIER_PAIRS_MAX)?;
    let stored = run.history.as_ref().map_or(0, |history| history.runs.len());
    ensure("stored runs", stored, STORED_RUNS_MAX)?;
    let limits = run.scenarios.iter().flat_map(limit_counts).max().unwrap_or(0);
    ensure("limits of a scenario", limits, LIMITS_MAX)?;
    let points = |launch: &LaunchResult| launch.probes.as_ref().map_or(0, |it| it.series.len());
    let most = launches().map(points).max().unwrap_or(0);
    ensure("moments of memory in a launch", most, LAUNCH_POINTS_MAX)?;
    ensure("moments of memory", launches().map(points).sum(), SERIES_POINTS_MAX)?;
    let counts: u64 = launches().flat_map(histograms).map(histogram::counts_bytes).sum();
    let counts = usize::try_from(counts).unwrap_or(usize::MAX);
    ensure("bytes of counts in histograms", counts, COUNTS_BYTES_MAX)?;
    ensure(
        "statements at a service",
        services(run).map(<[_]>::len).max().unwrap_or(0),
        STATEMENTS_MAX,
    )?;
    ensure("statements", services(run).map(<[_]>::len).sum(), ALL_STATEMENTS_MAX)?;
    let longest = names(run).map(str::len).max().unwrap_or(0);
    ensure("bytes in a name", longest, NAME_BYTES_MAX)?;
    // One level only: a run that confirms another is not confirmed itself.
    match &run.confirming {
        Some(confirming) if confirming.confirming.is_some() => {
            Err(BoundError { what: "runs that confirm one another", found: 2, most: 1 })
        }
        Some(confirming) => check(confirming),
        None => Ok(()),
    }
}

fn launches(scenario: &ScenarioRun) -> Box<dyn Iterator<Item = &LaunchResult> + '_> {
    match &scenario.trials {
        LaunchResults::Paired(pairs) => {
            Box::new(pairs.iter().flat_map(|pair| [&pair.base, &pair.head]))
        }
        LaunchResults::Single(launches) => Box::new(launches.iter()),
    }
}

fn operations(scenario: &ScenarioRun) -> usize {
    scenario.workload.operations.as_ref().map_or(0, |it| it.operations.len())
}

/// How many results of operations are made of a scenario, whatever its launches hold.
fn operation_launches(scenario: &ScenarioRun) -> usize {
    let operations = operations(scenario);
    let results = launches(scenario).map(|it| it.operations.len()).sum::<usize>();
    operations.saturating_mul(launches(scenario).count()).max(results)
}

fn limit_counts(scenario: &ScenarioRun) -> impl Iterator<Item = usize> {
    let operations = scenario.operation_limits.values().map(Vec::len);
    operations.chain([scenario.limits.len()])
}

fn histograms(launch: &LaunchResult) -> impl Iterator<Item = &str> {
    let operations = launch.operations.iter().flat_map(|it| [&it.histogram, &it.response]);
    let steps = launch.steps.iter().map(|it| &it.histogram);
    let own = [&launch.histogram].into_iter().chain(&launch.response);
    own.chain(steps).chain(operations).map(String::as_str)
}

/// The statements of each side at each service.
fn services(run: &Run) -> impl Iterator<Item = &[StatementCount]> {
    let services = run.scenarios.iter().flat_map(|it| &it.dependencies);
    let sides = services.flat_map(|it| it.base.iter().chain(&it.head));
    sides.map(|side| side.statements.as_slice())
}

/// What is shown in tables and headings, where every byte is looked at several times.
fn names(run: &Run) -> impl Iterator<Item = &str> {
    let machine = &run.machine;
    let history = run.history.iter();
    let shards = run.shards.iter().flat_map(|it| {
        let own = [&it.started, &it.machine.cpu, &it.machine.kernel, &it.machine.image];
        own.into_iter().chain(&it.scenarios).map(String::as_str)
    });
    let past = history.clone().flat_map(|it| &it.runs);
    let past = past.flat_map(|it| {
        it.scenarios.iter().map(|it| it.name.as_str()).chain(revision(&it.revision))
    });
    [&run.tool, &run.started, &run.config, &machine.cpu, &machine.kernel, &machine.image]
        .into_iter()
        .map(String::as_str)
        .chain(run.scenarios.iter().map(|it| it.name.as_str()))
        .chain(run.gate.scenarios.keys().map(String::as_str))
        .chain(revision(&run.head))
        .chain(run.base.iter().flat_map(revision))
        .chain(run.identical.iter().flat_map(identical))
        .chain(run.shard.iter().flat_map(|it| &it.suite).map(String::as_str))
        .chain(shards)
        .chain(services(run).flatten().map(|it| it.statement.as_str()))
        .chain(history.flat_map(|it| [it.name.as_str(), it.store.as_str()]))
        .chain(past)
}

fn revision(revision: &Revision) -> [&str; 2] {
    [&revision.label, revision.commit.as_deref().unwrap_or_default()]
}

fn identical(program: &IdenticalProgram) -> [&str; 2] {
    [&program.sha256, program.executable.as_deref().unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{LEVEL, call, paired};
    use crate::metric::limit::Limit;

    #[test]
    fn a_run_that_was_measured_is_within_the_bounds_and_more_of_anything_is_refused_by_name() {
        let run = paired(50, LEVEL, LEVEL);
        assert_eq!(check(&run), Ok(()));
        let refused = |change: fn(&mut Run)| {
            let mut run = run.clone();
            change(&mut run);
            check(&run).unwrap_err().to_string()
        };
        let many = refused(|run| {
            let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { panic!() };
            *pairs = vec![pairs[0].clone(); LAUNCHES_MAX / 2 + 1];
        });
        assert_eq!(many, "20002 launches are more than a run may have, at most 20000");
        let long = refused(|run| run.scenarios[0].name = "x".repeat(NAME_BYTES_MAX + 1));
        assert_eq!(long, "4097 bytes in a name are more than a run may have, at most 4096");
        let wide = refused(|run| run.scenarios = vec![run.scenarios[0].clone(); 201]);
        assert_eq!(wide, "201 scenarios are more than a run may have, at most 200");
        let limited = refused(|run| {
            let limit = Limit::parse("p95", "<= 1 s").unwrap();
            run.scenarios[0].limits = vec![limit; LIMITS_MAX + 1];
        });
        assert_eq!(limited, "101 limits of a scenario are more than a run may have, at most 100");
        let chatty = refused(|run| {
            let names: Vec<String> = (0..=STATEMENTS_MAX).map(|i| format!("SELECT {i}")).collect();
            let statements: Vec<_> = names.iter().map(|it| (it.as_str(), 1, 1)).collect();
            call(run, &statements);
        });
        let expected = "1001 statements at a service are more than a run may have, at most 1000";
        assert_eq!(chatty, expected);
        let nested = refused(|run| {
            let inner = Run { confirming: Some(Box::new(run.clone())), ..run.clone() };
            run.confirming = Some(Box::new(inner));
        });
        assert!(nested.starts_with("2 runs that confirm one another"), "{nested}");
    }
}
