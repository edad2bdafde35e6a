//! Sees how fast a target answers, so that a launch is driven for as long as it has to be and no longer.

use std::time::Duration;

use record::FittedLoad;
use suite::{LoadAmount, LoadTime, Scenario, WarmUpPlan, WorkloadModel};
use units::cancel::Cancel;

use crate::RunPlan;
use crate::live::LiveMetrics;
use crate::requests::ScenarioRequests;
use crate::side_driver::{DriveConditions, LaunchHandle, SideDriver};

/// Load before the answers are timed, and while they are: each holds at least one request.
const SETTLING: Duration = Duration::from_millis(50);
const PROBE: Duration = Duration::from_millis(50);

/// Returns how long each side of a scenario's launch pairs is warmed up and driven, by what one launch shows; none where the
/// configuration says it, and where the target does not answer: then the launches tell why.
pub(super) fn fit(
    plan: &RunPlan<'_>,
    scenario: &Scenario,
    launched: &LaunchHandle,
    cancel: &Cancel,
) -> Option<FittedLoad> {
    let LoadTime::Fitted { least, usual } = plan.suite.sampling.load else { return None };
    let takes_time =
        matches!(scenario.load.model, WorkloadModel::Closed { amount: LoadAmount::Time, .. });
    // What was measured alone stands beside earlier runs, which were all driven for the usual time.
    if !takes_time || plan.base.is_none() {
        return None;
    }
    let prepared = ScenarioRequests::new(scenario, &plan.suite.sampling);
    let conditions = DriveConditions {
        sampling: &plan.suite.sampling,
        load: usual,
        warm_up: None,
        // Monitoring shows launches.
        live: &LiveMetrics::default(),
        cancel,
        seed: plan.coins,
        uncounted_every: None,
        clock: &plan.clock,
    };
    let mut side = SideDriver::new(launched, &prepared, conditions).ok()?;
    side.set_up().ok()?;
    side.warm_up_load(SETTLING).ok()?;
    side.end_warm_up(None);
    side.warm_up_load(PROBE).ok()?;
    let answered = u32::try_from(side.measurement.answered()).unwrap_or(u32::MAX);
    let interval = side.measurement.wall().checked_div(answered)?;
    let load = FittedLoad::at(interval, least, usual);
    Some(match plan.suite.sampling.warm_up {
        WarmUpPlan::Fitted { usual } => load.with_warm_up(scenario.load.connections, usual),
        WarmUpPlan::For(_) | WarmUpPlan::Steady => load,
    })
}
