//! The comparison of a program with itself, of which nothing was measured.

use record::metric::gate::GateRules;
use record::{IdenticalProgram, Run, ScenarioRun};

use crate::evidence_path::EvidenceBasis;
use crate::{Comparison, ComparisonMethod, ComparisonMode, ComparisonOutcome};

/// Returns the program that both sides of a run are. None where anything was measured: numbers decide then.
pub(super) fn program(run: &Run) -> Option<&IdenticalProgram> {
    let is_blank = |scenario: &ScenarioRun| scenario.launches() == 0 && scenario.work.is_none();
    let is_unmeasured = run.base.is_some()
        && run.history.is_none()
        && run.ended.is_none()
        && run.scenarios.iter().all(is_blank);
    run.identical.as_ref().filter(|_| is_unmeasured)
}

/// Returns what follows where both sides are one program: nothing got worse, and there is no chance of a
/// false alarm.
pub(super) fn comparison(run: &Run, gate: &GateRules, program: &IdenticalProgram) -> Comparison {
    Comparison {
        base: run.base.clone(),
        head: run.head.clone(),
        baseline: None,
        machine: run.machine.clone(),
        rows: Vec::new(),
        limits: Vec::new(),
        notes: Vec::new(),
        details: Vec::new(),
        anatomies: Vec::new(),
        calls: Vec::new(),
        breakdowns: Vec::new(),
        prices: Vec::new(),
        shifts: Vec::new(),
        timelines: Vec::new(),
        histories: Vec::new(),
        evidence: EvidenceBasis::default(),
        placement: None,
        identical: Some(program.clone()),
        failure: None,
        attempts: None,
        method: ComparisonMethod {
            new_scenarios: Vec::new(),
            launches: 0,
            launches_least: 0,
            launches_planned: 0,
            mode: ComparisonMode::Paired,
            confirming: None,
            alpha: gate.alpha,
            family: 0,
            wall_ns: run.wall_ns,
            stages: run.stages.clone(),
            invocation: run.invocation.clone(),
            seed: run.seed,
            scenarios: run.scenarios.iter().map(|scenario| scenario.name.clone()).collect(),
            tool: run.tool.clone(),
            counted: None,
        },
        outcome: ComparisonOutcome::Pass,
    }
}
