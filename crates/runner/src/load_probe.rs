//! Sees how fast a target answers, so that a launch is driven for as long as it has to be and no longer.

use std::time::Duration;

use record::{FittedLoad, ProbedPace};
use stats::quantile;
use suite::{LoadAmount, LoadTime, Scenario, WarmUpPlan, WorkloadModel};
use units::Ratio;
use units::cancel::Cancel;

use crate::RunPlan;
use crate::live::LiveMetrics;
use crate::requests::ScenarioRequests;
use crate::side_driver::{DriveConditions, LaunchHandle, SideDriver};

/// Load before the answers are timed.
const SETTLING: Duration = Duration::from_millis(25);

/// Slices that tell how even a pace is, at least.
const SLICES_MIN: usize = 10;

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
    let load = FittedLoad::at(pace(&mut side, plan.suite.sampling.slice, least)?, least, usual);
    Some(match plan.suite.sampling.warm_up {
        WarmUpPlan::Fitted { usual } => load.with_warm_up(scenario.load.connections, usual),
        WarmUpPlan::For(_) | WarmUpPlan::Steady => load,
    })
}

/// Drives a side for a time, by slices that hold at least one request each, and returns how fast it answers.
fn pace(side: &mut SideDriver<'_>, slice: Duration, lasts: Duration) -> Option<ProbedPace> {
    let mut logs = Vec::new();
    let (mut answered, mut wall) = (0, Duration::ZERO);
    while wall < lasts {
        side.warm_up_load(slice).ok()?;
        let (answered_now, wall_now) = (side.measurement.answered(), side.measurement.wall());
        let took = wall_now.saturating_sub(wall);
        if took.is_zero() || answered_now == answered {
            return None;
        }
        logs.push((took.as_secs_f64() / units::exact(answered_now - answered)).ln());
        (answered, wall) = (answered_now, wall_now);
    }
    let interval = wall.checked_div(u32::try_from(answered).unwrap_or(u32::MAX))?;
    let scatter = (logs.len() >= SLICES_MIN).then(|| scatter(&logs));
    Some(ProbedPace { interval, scatter, slice: slice.max(interval) })
}

/// The standard deviation of a series, by the median of what neighbours differ by: a drift is no part of it, nor is
/// a moment in which the machine did something else.
fn scatter(logs: &[f64]) -> Ratio {
    /// Of a normal distribution.
    const OF_MEDIAN: f64 = 1.4826;
    let steps: Vec<f64> = logs.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    Ratio(OF_MEDIAN * quantile::median(&steps) / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

    use super::*;

    #[test]
    fn the_scatter_of_a_pace_leaves_out_its_drift_and_what_comes_once() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        // The sum of twelve uniform values has the variance 1.
        let noise: Vec<f64> = (0..1000)
            .map(|_| {
                0.02 * ((0..12).map(|_| f64::from(rng.next_u32()) / 2.0_f64.powi(32)).sum::<f64>()
                    - 6.0)
            })
            .collect();
        let series = |add: &dyn Fn(usize) -> f64| -> Vec<f64> {
            noise.iter().enumerate().map(|(it, noise)| noise + add(it)).collect()
        };
        let even = scatter(&series(&|_| 0.0)).0;
        assert!((0.018..0.022).contains(&even), "{even}");
        let drifting = scatter(&series(&|it| it as f64 * 0.001)).0;
        let disturbed = scatter(&series(&|it| if it == 50 { 3.0 } else { 0.0 })).0;
        assert!((drifting - even).abs() < 0.003 && (disturbed - even).abs() < 0.003);
        assert!(scatter(&[1.0; 20]).0.abs() < 1e-12);
    }
}
