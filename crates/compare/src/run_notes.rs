//! Collects what a reader has to know beside the verdicts.

use record::{Machine, OracleRecord, Run, ScenarioRun};

use crate::note::ComparisonNote;
use crate::{MetricResult, launch_course, offsets, stored, work};

/// What a reader has to know, in the order of the run: scenarios, counts, confirmation, history.
pub(super) fn notes(
    run: &Run,
    rows: &[MetricResult],
    confirmed: Vec<ComparisonNote>,
) -> Vec<ComparisonNote> {
    let mut notes = new_scenarios(run);
    notes.extend(shard_note(run));
    notes.extend(oracles(run));
    notes.extend(launch_course::notes(run));
    notes.extend(run.scenarios.iter().filter_map(few_requests));
    notes.extend(offsets::note(run, rows));
    notes.extend(work::notes(run));
    notes.extend(confirmed);
    if let Some(history) = &run.history {
        notes.extend(stored::notes(run, history));
        let chosen = history.notes.iter().cloned();
        notes.extend(chosen.map(|note| ComparisonNote::History { note }));
    }
    notes
}

/// What is said of a part of a suite, and of a run that was joined from parts.
fn shard_note(run: &Run) -> Option<ComparisonNote> {
    if let Some(shard) = &run.shard {
        let elsewhere = run.scenarios_elsewhere().count();
        return Some(ComparisonNote::Part { part: shard.part, elsewhere });
    }
    let mut machines: Vec<Machine> = Vec::new();
    for shard in &run.shards {
        if !machines.contains(&shard.machine) {
            machines.push(shard.machine.clone());
        }
    }
    let shards = run.shards.len();
    (shards > 0).then_some(ComparisonNote::Joined { shards, machines })
}

/// What is said of scenarios that base does not have.
fn new_scenarios(run: &Run) -> Vec<ComparisonNote> {
    let new = run.scenarios.iter().filter_map(|scenario| {
        let status = scenario.absent_in_base?;
        Some(ComparisonNote::NewScenario { scenario: scenario.name.clone(), status })
    });
    new.collect()
}

/// What is said of a scenario whose launches are cut short.
fn few_requests(scenario: &ScenarioRun) -> Option<ComparisonNote> {
    let load = scenario.fitted_load.filter(|it| it.is_cut())?;
    Some(ComparisonNote::FewRequests { scenario: scenario.name.clone(), load })
}

/// What is said of base's answers where these are the right ones.
fn oracles(run: &Run) -> Vec<ComparisonNote> {
    let of_scenario = |scenario: &ScenarioRun| {
        let name = scenario.name.clone();
        let note = move |oracle: OracleRecord| {
            let OracleRecord { operation, requests: _, answers, left_out } = oracle;
            ComparisonNote::BaseOracle { scenario: name.clone(), operation, answers, left_out }
        };
        scenario.oracle.iter().cloned().map(note).collect::<Vec<_>>()
    };
    run.scenarios.iter().flat_map(of_scenario).collect()
}
