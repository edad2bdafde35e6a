//! Sets what was measured against what was promised.

use crate::compare::values::{self, Launch};
use crate::metric::Metric;
use crate::metric::limit::{Limit, Quantity};
use crate::record::{ScenarioRun, Trial};
use crate::stats::quantile;
use crate::units;

/// One limit, and the value that keeps or breaks it.
#[derive(Debug, Clone)]
pub struct Promise {
    /// The scenario's name.
    pub scenario: String,
    /// What was promised.
    pub limit: Limit,
    /// What was measured, over all launches of head; none if it could not be.
    pub measured: Option<f64>,
}

impl Promise {
    /// Returns whether the promise is kept. One that could not be checked is not.
    pub fn holds(&self) -> bool {
        self.measured.is_some_and(|measured| self.limit.holds(measured))
    }
}

/// Returns the promises of a scenario, with what was measured.
pub(super) fn of(scenario: &ScenarioRun) -> Result<Vec<Promise>, String> {
    let head = scenario.head();
    if head.is_empty() {
        return Ok(Vec::new());
    }
    let launches = head
        .iter()
        .map(|trial| Launch::new(trial, scenario.times))
        .collect::<Result<Vec<_>, _>>()?;
    let promise = |limit: Limit| Promise {
        scenario: scenario.name.clone(),
        limit,
        measured: measured(limit.quantity, &head, &launches),
    };
    Ok(scenario.limits()?.into_iter().map(promise).collect())
}

fn measured(quantity: Quantity, trials: &[&Trial], launches: &[Launch<'_>]) -> Option<f64> {
    let sum = |of: fn(&Trial) -> u64| units::exact(trials.iter().map(|trial| of(trial)).sum());
    let value = match quantity {
        Quantity::Errors => sum(Trial::failed) / sum(|trial| trial.requests),
        Quantity::Metric(Metric::Throughput) => {
            sum(|trial| trial.pairs) * 1e9 / sum(|trial| trial.wall_ns)
        }
        // The middle one of the launches: one that was disturbed is no leak, and a leak is in each.
        Quantity::Growth => {
            let growth = launches.iter().map(|launch| Some(launch.growth()?.ln.exp_m1()));
            quantile::median(&growth.collect::<Option<Vec<_>>>()?)
        }
        // The largest of all launches: a promise about memory is about the worst moment.
        Quantity::Metric(Metric::Rss) => {
            units::exact(trials.iter().map(|trial| trial.rss_bytes_max).max()??)
        }
        Quantity::Metric(metric) => values::overall(&launches.iter().collect::<Vec<_>>(), metric)?,
    };
    value.is_finite().then_some(value)
}
