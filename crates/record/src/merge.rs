//! Joins the runs of the parts of a suite into the run that one machine would have made of all.
//!
//! Nothing is judged here, and nothing is averaged: every launch stays what it was, so the joined record
//! is judged as a whole, with one family over all parts. What would make that wrong is refused by the names of
//! the files: another build, another configuration, other rules, a part or a launch that is there twice.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::shard::{ShardNumber, ShardRecord, ShardSource};
use crate::stage::StageTimes;
use crate::{EarlyEnd, PlacementRecord, Run, ScenarioRun};

/// A run, and the file that it came from.
#[derive(Debug, Clone)]
pub struct RunFile {
    /// The file.
    pub path: PathBuf,
    /// The run.
    pub run: Run,
}

/// Why runs are not the parts of one suite.
#[derive(Debug, Error, Diagnostic)]
pub enum MergeError {
    /// There is no run.
    #[error("there is no run to join")]
    Nothing,
    /// A run measured a whole suite.
    #[error("`{path}` is no shard: it measured all of its suite")]
    #[diagnostic(help("`--shard 1/3` measures a part; `xmlperf report` shows a whole run"))]
    Whole {
        /// The file.
        path: PathBuf,
    },
    /// A run rests on what others measured.
    #[error("`{path}` rests on {what}, which is not joined")]
    #[diagnostic(help("measure shards side by side with a base, or alone"))]
    Dependent {
        /// The file.
        path: PathBuf,
        /// What it rests on.
        what: &'static str,
    },
    /// Two runs did not measure the same.
    #[error("`{first}` and `{second}` differ in {what}")]
    Different {
        /// The first file.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A part is there twice: its launches would count twice.
    #[error("`{first}` and `{second}` are both shard {part}")]
    PartTwice {
        /// The first file.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
        /// The part.
        part: ShardNumber,
    },
    /// A scenario is in two parts.
    #[error("`{first}` and `{second}` both measured `{scenario}`")]
    #[diagnostic(help("shards divide a suite alike where `--shard-times` names the same file"))]
    ScenarioTwice {
        /// The first file.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
        /// The scenario.
        scenario: String,
    },
    /// Parts are missing.
    #[error("of {of} shards, {} missing beside `{beside}`", missing_parts(missing))]
    PartMissing {
        /// A file that says how many there are.
        beside: PathBuf,
        /// Numbers of those that are missing, from 1.
        missing: Vec<usize>,
        /// How many there are.
        of: usize,
    },
    /// No part has a scenario of the suite.
    #[error("no shard measured `{scenario}`, which `{beside}` names")]
    #[diagnostic(help("shards divide a suite alike where `--shard-times` names the same file"))]
    ScenarioMissing {
        /// A file that names it.
        beside: PathBuf,
        /// The scenario.
        scenario: String,
    },
}

fn missing_parts(missing: &[usize]) -> String {
    let numbers: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", numbers.join(", "))
}

/// A run that is known to be a part.
struct Part {
    file: RunFile,
    shard: ShardRecord,
}

/// Returns the run of the whole suite. Its machine and seed are those of the first part, its time that of the
/// longest; [`Run::shards`] has those of each.
pub fn merge(files: Vec<RunFile>) -> Result<Run, MergeError> {
    let mut parts: Vec<Part> = files.into_iter().map(Part::of).collect::<Result<_, _>>()?;
    parts.sort_by_key(|it| it.shard.part.number());
    for pair in parts.windows(2) {
        let [first, second] = pair else { unreachable!("windows of two") };
        ensure_alike(&parts[0], second)?;
        if first.shard.part == second.shard.part {
            return Err(MergeError::PartTwice {
                first: first.file.path.clone(),
                second: second.file.path.clone(),
                part: first.shard.part,
            });
        }
    }
    let first = parts.first().ok_or(MergeError::Nothing)?;
    let of = first.shard.part.of();
    let is_there = |number: &usize| parts.iter().any(|it| it.shard.part.number() == *number);
    let missing: Vec<usize> = (1..=of).filter(|number| !is_there(number)).collect();
    if !missing.is_empty() {
        return Err(MergeError::PartMissing { beside: first.file.path.clone(), missing, of });
    }
    let scenarios = first.shard.suite.iter().map(|name| scenario(&parts, name));
    let mut scenarios = scenarios.collect::<Result<Vec<_>, _>>()?;
    count_once(&mut scenarios);
    Ok(joined(parts, scenarios))
}

impl Part {
    fn of(file: RunFile) -> Result<Self, MergeError> {
        let RunFile { path, run } = &file;
        let dependencies = [
            ("stored runs", run.history.is_some()),
            ("attempts before it", run.evidence.is_some()),
            ("the run of another machine", run.confirms.is_some() || run.confirming.is_some()),
        ];
        if let Some((what, _)) = dependencies.into_iter().find(|(_, is_there)| *is_there) {
            return Err(MergeError::Dependent { path: path.clone(), what });
        }
        match run.shard.clone() {
            Some(shard) => Ok(Self { file, shard }),
            None => Err(MergeError::Whole { path: path.clone() }),
        }
    }

    fn scenario(&self, name: &str) -> Option<&ScenarioRun> {
        self.file.run.scenarios.iter().find(|it| it.name == name)
    }
}

/// Fails unless two parts measured the same builds, by the same configuration and rules.
fn ensure_alike(first: &Part, second: &Part) -> Result<(), MergeError> {
    let (one, other) = (&first.file.run, &second.file.run);
    let fingerprints = [
        ("the version of xmlperf", one.tool == other.tool),
        ("the version of the payload generator", one.generator == other.generator),
        ("the number of shards", first.shard.part.of() == second.shard.part.of()),
        ("the scenarios of the suite", first.shard.suite == second.shard.suite),
        ("the configuration", one.config == other.config),
        ("the base", one.base == other.base),
        ("the head", one.head == other.head),
        ("the program of both sides", one.identical == other.identical),
        ("the rules of the gate", one.gate == other.gate),
        ("the launches", one.launches_planned == other.launches_planned),
        ("the budget", one.budget_ns == other.budget_ns),
        ("the soft budget", one.soft_budget_ns == other.soft_budget_ns),
        ("the processor's architecture", one.machine.arch == other.machine.arch),
    ];
    match fingerprints.into_iter().find(|(_, is_same)| !is_same) {
        None => Ok(()),
        Some((what, _)) => Err(MergeError::Different {
            first: first.file.path.clone(),
            second: second.file.path.clone(),
            what,
        }),
    }
}

/// Returns the only run of a scenario.
fn scenario(parts: &[Part], name: &str) -> Result<ScenarioRun, MergeError> {
    let mut owners = parts.iter().filter_map(|part| Some((part, part.scenario(name)?)));
    let path = |part: &Part| part.file.path.clone();
    let Some((owner, found)) = owners.next() else {
        return Err(MergeError::ScenarioMissing {
            beside: path(&parts[0]),
            scenario: name.to_owned(),
        });
    };
    match owners.next() {
        None => Ok(found.clone()),
        Some((other, _)) => Err(MergeError::ScenarioTwice {
            first: path(owner),
            second: path(other),
            scenario: name.to_owned(),
        }),
    }
}

/// Leaves one count of the same requests: a run of all counts them once, and each part counted its own.
fn count_once(scenarios: &mut [ScenarioRun]) {
    for at in 1..scenarios.len() {
        let (earlier, rest) = scenarios.split_at_mut(at);
        let scenario = &mut rest[0];
        if earlier.iter().any(|it| it.work.is_some() && it.sends_same(scenario)) {
            scenario.work = None;
        }
    }
}

fn joined(parts: Vec<Part>, scenarios: Vec<ScenarioRun>) -> Run {
    let shards = parts.iter().map(|it| ShardSource::of(&it.file.run, it.shard.part)).collect();
    let runs: Vec<Run> = parts.into_iter().map(|it| it.file.run).collect();
    let placement = placement(&runs);
    let offsets = runs.iter().flat_map(own_offsets).collect();
    let longest = |time: fn(&Run) -> u64| runs.iter().map(time).max().unwrap_or(0);
    let (wall_ns, counting_ns) = (longest(|run| run.wall_ns), longest(|run| run.counting_ns));
    let started = runs.iter().map(|run| run.started.clone()).min().unwrap_or_default();
    let ended = runs.iter().filter_map(|run| run.ended.clone()).min_by_key(gravity);
    let network_cost = runs.iter().find_map(|run| run.network_cost);
    let confinement = runs.iter().find_map(|run| run.confinement.clone());
    let first = runs.into_iter().next().expect("no parts are no run");
    Run {
        shard: None,
        shards,
        scenarios,
        started,
        wall_ns,
        counting_ns,
        ended,
        placement,
        offsets,
        network_cost,
        confinement,
        // The parts had stages of their own, at the same time.
        stages: StageTimes::default(),
        invocation: first.invocation.map(of_all_parts),
        // One number for the speed of several machines would be that of none.
        yardstick: None,
        ..first
    }
}

/// The options that measure all parts at once: those of a part without what makes it one.
fn of_all_parts(words: Vec<String>) -> Vec<String> {
    let mut words = words.into_iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "--shard" | "--shard-times") {
            // Its value goes with it.
            words.next();
        } else {
            kept.push(word);
        }
    }
    kept
}

/// The least trusted placement of all parts, as the least trusted launch stands for a run.
fn placement(runs: &[Run]) -> Option<PlacementRecord> {
    let mut placements = runs.iter().filter_map(|run| run.placement.clone());
    let mut all = placements.next()?;
    placements.for_each(|placement| all.merge(placement));
    Some(all)
}

/// What is known of a machine's offsets in the scenarios that it measured.
fn own_offsets(run: &Run) -> impl Iterator<Item = crate::MachineOffset> {
    let is_own = |name: &str| run.scenarios.iter().any(|it| it.name == name);
    run.offsets.iter().filter(move |it| is_own(&it.scenario)).cloned()
}

/// Which of several early ends is that of the whole: first what leaves a suite without numbers.
fn gravity(ended: &EarlyEnd) -> u8 {
    match ended {
        EarlyEnd::Failed { .. } => 0,
        EarlyEnd::HeadFailed(_) => 1,
        EarlyEnd::Interrupted => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fixtures::{LEVEL, shards};

    fn files(runs: Vec<Run>) -> Vec<RunFile> {
        let file = |(at, run): (usize, Run)| RunFile { path: format!("{at}.json").into(), run };
        runs.into_iter().enumerate().map(file).collect()
    }

    /// What is said of three shards after a change of them.
    fn refused(change: impl FnOnce(&mut Vec<Run>)) -> String {
        let (_, mut runs) = shards(5, LEVEL, LEVEL);
        change(&mut runs);
        merge(files(runs)).unwrap_err().to_string()
    }

    #[test]
    fn the_parts_in_any_order_are_the_run_of_all() {
        let (whole, mut runs) = shards(5, LEVEL, LEVEL);
        runs.reverse();
        let joined = merge(files(runs)).unwrap();
        assert_eq!(joined.shards.len(), 3);
        assert_eq!(joined.shards[0].scenarios, ["a", "c"]);
        assert_eq!(Run { shards: Vec::new(), ..joined }, whole);
    }

    #[test]
    fn a_joined_record_is_read_back_as_it_was() {
        let (_, runs) = shards(5, LEVEL, LEVEL);
        let joined = merge(files(runs)).unwrap();
        assert_eq!(Run::parse(&joined.to_json(), Path::new("x")).unwrap(), joined);
    }

    #[test]
    fn what_would_not_be_one_run_is_refused_by_the_names_of_files() {
        assert_eq!(merge(Vec::new()).unwrap_err().to_string(), "there is no run to join");
        let whole = refused(|runs| runs[1].shard = None);
        assert_eq!(whole, "`1.json` is no shard: it measured all of its suite");
        let twice = refused(|runs| runs[2] = runs[1].clone());
        assert_eq!(twice, "`1.json` and `2.json` are both shard 2/3");
        let missing = refused(|runs| drop(runs.remove(1)));
        assert_eq!(missing, "of 3 shards, 2 is missing beside `0.json`");
        let missing = refused(|runs| runs.truncate(1));
        assert_eq!(missing, "of 3 shards, 2, 3 are missing beside `0.json`");
        let build = refused(|runs| runs[2].head.commit = Some("0".repeat(40)));
        assert_eq!(build, "`0.json` and `2.json` differ in the head");
        let config = refused(|runs| runs[1].config = "other".to_owned());
        assert_eq!(config, "`0.json` and `1.json` differ in the configuration");
        let rules = refused(|runs| runs[1].gate.alpha = 0.05);
        assert_eq!(rules, "`0.json` and `1.json` differ in the rules of the gate");
        let scenario = refused(|runs| {
            let other = runs[0].scenarios[0].clone();
            runs[1].scenarios.push(other);
        });
        assert_eq!(scenario, "`0.json` and `1.json` both measured `a`");
        let lost = refused(|runs| runs[1].scenarios.clear());
        assert_eq!(lost, "no shard measured `b`, which `0.json` names");
        let history = refused(|runs| {
            runs[1].history = crate::fixtures::remembered(&[1], LEVEL).history;
        });
        assert_eq!(history, "`1.json` rests on stored runs, which is not joined");
    }

    #[test]
    fn the_line_that_makes_the_joined_run_again_measures_all_of_it() {
        let (_, mut runs) = shards(5, LEVEL, LEVEL);
        let words = ["--shard", "1/3", "--seed", "7", "--shard-times", "old.json", "--no-build"];
        runs[0].invocation = Some(words.map(str::to_owned).to_vec());
        let joined = merge(files(runs)).unwrap();
        assert_eq!(joined.invocation.unwrap(), ["--seed", "7", "--no-build"]);
    }

    #[test]
    fn the_gravest_end_of_a_part_is_that_of_all() {
        let (_, mut runs) = shards(5, LEVEL, LEVEL);
        runs[0].ended = Some(EarlyEnd::Interrupted);
        let failed = EarlyEnd::Failed {
            side: crate::Side::Head,
            scenario: Some("c".to_owned()),
            reason: "it fell".into(),
        };
        runs[2].ended = Some(failed.clone());
        assert_eq!(merge(files(runs)).unwrap().ended, Some(failed));
    }

    #[test]
    fn what_two_parts_counted_of_the_same_requests_counts_once() {
        let (_, mut runs) = shards(5, LEVEL, LEVEL);
        for run in &mut runs {
            for scenario in &mut run.scenarios {
                scenario.work = Some(crate::fixtures::counted(100_000.0, 100_000.0));
            }
        }
        let joined = merge(files(runs)).unwrap();
        let counted: Vec<bool> = joined.scenarios.iter().map(|it| it.work.is_some()).collect();
        // The fixtures' scenarios all send the same.
        assert_eq!(counted, [true, false, false, false]);
    }
}
