//! Draws the outcome of a comparison as a whole from its rows and limits.

use record::{EarlyEnd, FailureReport, LaunchResult, LaunchResults, Run, ScenarioRun};

use crate::decision::Verdict;
use crate::limits::LimitCheck;
use crate::{Comparison, ComparisonOutcome, MetricResult, work};

pub(super) fn outcome(
    run: &Run,
    launches: usize,
    rows: &[MetricResult],
    limits: &[LimitCheck],
) -> ComparisonOutcome {
    let any = |verdict| rows.iter().any(|row| row.verdict() == Some(verdict));
    if matches!(run.ended, Some(EarlyEnd::HeadFailed(_))) {
        return ComparisonOutcome::Regressed;
    }
    let missing =
        early_end(run, launches, any(Verdict::Regressed)).or_else(|| gap(run, launches, rows));
    if let Some(reason) = missing {
        return ComparisonOutcome::NotMeasured(reason);
    }
    if any(Verdict::Regressed) || limits.iter().any(|check| !check.holds()) {
        ComparisonOutcome::Regressed
    } else if any(Verdict::Inconclusive) || rows.iter().any(MetricResult::is_lost) {
        ComparisonOutcome::Inconclusive
    } else if any(Verdict::Improved) {
        ComparisonOutcome::Improved
    } else {
        ComparisonOutcome::Pass
    }
}

/// A comparison with stored runs that could not be confirmed side by side is not measured either.
pub(super) fn with_confirmation(
    outcome: ComparisonOutcome,
    confirming: Option<&Comparison>,
) -> ComparisonOutcome {
    match confirming.map(|paired| &paired.outcome) {
        Some(ComparisonOutcome::NotMeasured(reason)) => {
            ComparisonOutcome::NotMeasured(reason.clone().within("side by side")).min(outcome)
        }
        Some(_) | None => outcome,
    }
}

/// Why a run that ended early has no outcome.
fn early_end(run: &Run, launches: usize, is_regressed: bool) -> Option<FailureReport> {
    match &run.ended {
        Some(EarlyEnd::Failed { side, scenario, reason }) => {
            let during = scenario.as_ref().map(|name| format!(" in `{name}`")).unwrap_or_default();
            Some(reason.clone().within(format!("{}{during}", side.name())))
        }
        // A verdict stands wherever the evidence ends; what has none was not measured to its end.
        Some(EarlyEnd::Interrupted) if !is_regressed => {
            let planned = run.launches_planned;
            Some(format!("interrupted after {launches} of {planned} launches").into())
        }
        Some(EarlyEnd::HeadFailed(_) | EarlyEnd::Interrupted) | None => None,
    }
}

/// What a run lacks, without which it has no outcome.
fn gap(run: &Run, launches: usize, rows: &[MetricResult]) -> Option<FailureReport> {
    if let Some(reason) = work::missing(run) {
        return Some(reason);
    }
    if rows.is_empty() || (launches == 0 && run.launches_planned > 0) {
        return Some("nothing was measured".into());
    }
    if let Some(scenario) = run.scenarios.iter().find(|scenario| is_idle(scenario)) {
        let name = &scenario.name;
        let reason = format!(
            "in scenario {name} a launch answered requests without any CPU time: the process that was measured is not \
             the one that answers"
        );
        return Some(reason.into());
    }
    let silent = run.scenarios.iter().find(|scenario| is_silent(scenario))?;
    Some(format!("in scenario {} a launch answered no requests", silent.name).into())
}

/// Whether a launch answered requests in no time of its processors.
fn is_idle(scenario: &ScenarioRun) -> bool {
    let idle = |trial: &LaunchResult| trial.requests > 0 && trial.cpu_ns == Some(0);
    match &scenario.trials {
        LaunchResults::Paired(pairs) => {
            pairs.iter().any(|pair| idle(&pair.base) || idle(&pair.head))
        }
        LaunchResults::Single(trials) => trials.iter().any(idle),
    }
}

/// Whether a launch was measured that did nothing: no rate of errors, no limit would notice.
fn is_silent(scenario: &ScenarioRun) -> bool {
    match &scenario.trials {
        LaunchResults::Paired(pairs) => {
            pairs.iter().any(|pair| pair.base.requests == 0 || pair.head.requests == 0)
        }
        LaunchResults::Single(trials) => trials.iter().any(|trial| trial.requests == 0),
    }
}
