//! Sets what was measured against the limits.

use crate::calls;
use crate::values::{self, LaunchValues, MergedTimes};
use record::instruction_counts::{BuildCounts, CountOutcome};
use record::metric::Metric;
use record::metric::limit::{Limit, LimitQuantity};
use record::work_unit::WorkUnit;
use record::{ContentError, LaunchResult, OperationName, ScenarioRun};
use stats::quantile;

/// One limit, and the value that keeps or breaks it.
#[derive(Debug, Clone)]
pub struct LimitCheck {
    /// The scenario's name.
    pub scenario: String,
    /// The operation's, if it is about one among several.
    pub operation: Option<OperationName>,
    /// What the scenario's rates and costs are counted in.
    pub unit: WorkUnit,
    /// What must hold.
    pub limit: Limit,
    /// What was measured, over all launches of head; none if it could not be.
    pub measured: Option<f64>,
}

impl LimitCheck {
    /// Returns what the limit is on, for a person: the operation, if it is about one, and the quantity.
    pub fn label(&self) -> String {
        let key = self.limit.quantity.key();
        match &self.operation {
            Some(operation) => format!("{operation} {key}"),
            None => key.to_owned(),
        }
    }

    /// Returns the limit as it is written.
    pub fn bound(&self) -> String {
        self.limit.text(&self.unit)
    }

    /// Returns the measured value as a person would write it, if there is one.
    pub fn measured_text(&self) -> Option<String> {
        self.measured.map(|measured| self.limit.quantity.format(measured, &self.unit))
    }

    /// Returns whether the limit is kept. One that could not be checked is not.
    pub fn holds(&self) -> bool {
        self.measured.is_some_and(|measured| self.limit.holds(measured))
    }
}

/// Returns the limits on an operation, which was `measured` as a scenario.
pub(super) fn of_operation(
    scenario: &ScenarioRun,
    operation: &OperationName,
    measured: &ScenarioRun,
) -> Result<Vec<LimitCheck>, ContentError> {
    let mut limits = of(measured)?;
    for check in &mut limits {
        check.scenario.clone_from(&scenario.name);
        check.operation = Some(operation.clone());
    }
    Ok(limits)
}

/// Returns the limits of a scenario, with what was measured.
pub(super) fn of(scenario: &ScenarioRun) -> Result<Vec<LimitCheck>, ContentError> {
    if scenario.limits.is_empty() {
        return Ok(Vec::new());
    }
    let head = scenario.head();
    let mut times = MergedTimes::default();
    let mut launches = Vec::new();
    for trial in &head {
        let (launch, histogram) = LaunchValues::unpack(trial, scenario.times)?;
        times.add(&histogram);
        launches.push(launch);
    }
    let check = |limit: Limit| LimitCheck {
        scenario: scenario.name.clone(),
        operation: None,
        unit: scenario.unit(),
        limit,
        measured: match limit.quantity {
            LimitQuantity::Metric(metric) if metric.is_counted() => counted(metric, scenario),
            LimitQuantity::Metric(_) | LimitQuantity::Errors | LimitQuantity::Growth => {
                measured(limit.quantity, &head, &launches, &times)
            }
        },
    };
    let limits = scenario.limits.iter().copied();
    Ok(limits.filter(|limit| is_checked(limit.quantity, scenario)).map(check).collect())
}

/// Whether the lane that decides it was run, or was to be. A limit without a lane is
/// not broken by that.
fn is_checked(quantity: LimitQuantity, scenario: &ScenarioRun) -> bool {
    match quantity {
        LimitQuantity::Metric(metric) if metric.is_counted() => scenario.work.is_some(),
        LimitQuantity::Metric(_) | LimitQuantity::Errors | LimitQuantity::Growth => {
            scenario.launches() > 0
        }
    }
}

/// The mean of the launches: counts hardly scatter.
fn counted(metric: Metric, scenario: &ScenarioRun) -> Option<f64> {
    let Some(CountOutcome::Counted(counted)) = &scenario.work else { return None };
    let BuildCounts { instructions, allocations, .. } = &counted.head;
    let values = if metric == Metric::Work { instructions } else { allocations };
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn measured(
    quantity: LimitQuantity,
    trials: &[&LaunchResult],
    launches: &[LaunchValues<'_>],
    times: &MergedTimes,
) -> Option<f64> {
    let sum = |of: fn(&LaunchResult) -> u64| {
        units::exact(units::total(trials.iter().map(|trial| of(trial))))
    };
    let value = match quantity {
        LimitQuantity::Errors => sum(LaunchResult::failed) / sum(|trial| trial.requests),
        LimitQuantity::Metric(Metric::Throughput) => {
            sum(|trial| trial.pairs) * 1e9 / sum(|trial| trial.wall_ns)
        }
        // The middle one of the launches: one that was disturbed is no leak, and a leak is in each.
        LimitQuantity::Growth => {
            // Below that, allocators and threads grow by themselves, whatever share it is.
            const BYTES_MIN: f64 = 1_048_576.0;
            let share = |launch: &LaunchValues<'_>| {
                let growth = launch.growth()?;
                Some(if growth.bytes < BYTES_MIN {
                    growth.ln.exp_m1().min(0.0)
                } else {
                    growth.ln.exp_m1()
                })
            };
            let growth = launches.iter().map(share);
            quantile::median(&growth.collect::<Option<Vec<_>>>()?)
        }
        // The largest of all launches: a limit on memory is about the worst moment.
        LimitQuantity::Metric(Metric::Rss) => {
            units::exact(trials.iter().map(|trial| trial.rss_bytes_max).max()??)
        }
        LimitQuantity::Metric(metric) if metric.is_of_calls() => calls::level(trials, metric)?,
        LimitQuantity::Metric(metric) => {
            values::held_to_limit(&launches.iter().collect::<Vec<_>>(), times, metric)?
        }
    };
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::FailureReport;
    use record::LaunchResults;
    use record::fixtures::{LEVEL, limits, paired};
    use record::instruction_counts::InstructionCounts;

    #[test]
    fn a_limit_of_a_count_is_checked_where_the_lane_was_to_run() {
        let mut run = paired(10, LEVEL, LEVEL);
        let scenario = &mut run.scenarios[0];
        scenario.limits = limits(&[("work", "<= 100 instructions/pair")]);
        assert!(of(scenario).unwrap().is_empty(), "the lane was left out");
        scenario.work =
            Some(CountOutcome::Unavailable { reason: FailureReport::default(), required: false });
        assert!(!of(scenario).unwrap()[0].holds(), "what was not measured is not kept");
        let head = BuildCounts {
            toolchain: String::new(),
            instructions: vec![99.0, 100.0],
            allocations: vec![2.0],
            functions: Vec::new(),
            stacks: String::new(),
        };
        let counter = String::new();
        let counted = InstructionCounts {
            counter,
            pairs_per_request: 1,
            requests: 1,
            base: None,
            head,
            causes: None,
        };
        scenario.work = Some(CountOutcome::Counted(Box::new(counted)));
        let checks = of(scenario).unwrap();
        assert_eq!((checks[0].measured, checks[0].holds()), (Some(99.5), true));
        // Of the lane alone, nothing else is required.
        scenario
            .limits
            .extend(limits(&[("allocations", "<= 1 allocations/pair"), ("p95", "<= 1 s")]));
        scenario.trials = LaunchResults::Single(Vec::new());
        let checks = of(scenario).unwrap();
        let kept = checks.iter().map(|check| (check.limit.quantity.key(), check.holds()));
        assert_eq!(kept.collect::<Vec<_>>(), [("work", true), ("allocations", false)]);
    }
}
