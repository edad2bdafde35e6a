//! The record of a run before anything is measured, and of one in which nothing has to be.

use std::collections::BTreeMap;

use record::metric::limit::Limit;
use record::{IdenticalProgram, LaunchResults, Machine, OperationName, Run, ScenarioRun};
use suite::{LaneMode, Scenario};

use crate::{RunPlan, machine};

/// Returns the record of a comparison whose sides are one program: nothing is started or sent.
pub fn identical(plan: &RunPlan<'_>, program: IdenticalProgram) -> Run {
    Run { identical: Some(program), launches_planned: 0, ..blank(plan, machine::read()) }
}

/// The record before the first launch.
pub(super) fn blank(plan: &RunPlan<'_>, machine: Machine) -> Run {
    let sampling = &plan.suite.sampling;
    let paired = plan.base.is_some();
    let scenario = |scenario: &Scenario| ScenarioRun {
        name: scenario.name.clone(),
        workload: scenario.workload(sampling),
        pairs_per_request: scenario.pairs_held(),
        requests_per_unit: scenario.requests_per_unit(),
        unit: Some(scenario.unit.clone()),
        limits: scenario.limits.clone(),
        times: scenario.load.times(),
        trials: if paired {
            LaunchResults::Paired(Vec::new())
        } else {
            LaunchResults::Single(Vec::new())
        },
        work: None,
        absent_in_base: None,
        oracle: Vec::new(),
        dependencies: Vec::new(),
        operation_limits: operation_limits(scenario),
        fitted_load: None,
        is_settled: false,
    };
    let launches_planned = match plan.suite.lanes.time {
        LaneMode::Off => 0,
        LaneMode::IfPossible | LaneMode::On if paired => sampling.launch_pairs_max,
        LaneMode::IfPossible | LaneMode::On => sampling.launches,
    };
    Run {
        schema: record::SCHEMA,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        wall_ns: 0,
        counting_ns: 0,
        stages: BTreeMap::new(),
        seed: plan.coins,
        generator: payload::GENERATOR_VERSION,
        config: plan.suite.digest.clone(),
        invocation: plan.invocation.clone(),
        machine,
        machine_id: machine::identity(plan.lifetime),
        base: plan.base.as_ref().map(|base| base.revision.clone()),
        head: plan.head.revision.clone(),
        gate: plan.suite.gate.clone(),
        launches_planned,
        budget_ns: plan.budget.map(units::nanos),
        soft_budget_ns: sampling.soft_budget.filter(|_| plan.budget.is_none()).map(units::nanos),
        network_cost: None,
        confinement: None,
        placement: None,
        identical: None,
        ended: None,
        scenarios: plan.suite.scenarios.iter().map(scenario).collect(),
        yardstick: None,
        history: None,
        evidence: plan.evidence.clone(),
        offsets: Vec::new(),
        confirms: plan.confirms.clone(),
        confirming: None,
        shard: plan.suite.shard.clone(),
        shards: Vec::new(),
        cost: plan.suite.cost,
    }
}

/// What must hold of operations; nothing of those without a limit.
fn operation_limits(scenario: &Scenario) -> BTreeMap<OperationName, Vec<Limit>> {
    let limited = scenario.operations.iter().filter(|it| !it.limits.is_empty());
    limited.filter_map(|it| Some((it.name.clone()?, it.limits.clone()))).collect()
}
