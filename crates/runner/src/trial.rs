//! Tries one request of each scenario before anything is counted or measured, as `check` does: a wrong header
//! then costs seconds.
//!
//! What head alone gets wrong is a change for the worse, which the launches find and prove. Only where base
//! answers wrongly too, or where there is none, is it the configuration that is wrong.

use std::path::PathBuf;

use record::{EarlyEnd, FailureReport, FittedLoad, Side};
use suite::Scenario;
use units::cancel::Cancel;

use crate::check::{self, CheckOutcome, CheckSubject, ExchangeFault, ScenarioExchange};
use crate::launch_failure::beginning;
use crate::side_driver::LaunchHandle;
use crate::{RunPlan, RunnerError, SutBuild, limits, load_probe};

/// Bytes of a request's body that are kept: it is shown by `check`, and not here.
const BODY_BYTES_MAX: usize = 0;

/// What a trial has shown.
pub(super) struct TrialOutcome {
    /// Why nothing can be measured, if no side answers as it must.
    pub(super) ended: Option<EarlyEnd>,
    /// Whether head alone fails.
    pub(super) is_head_worse: bool,
    /// The files that the processes of head execute which listen.
    pub(super) programs: Vec<PathBuf>,
    /// By scenario, how long each side is warmed up and driven, where that is fitted to head.
    pub(super) loads: Vec<Option<FittedLoad>>,
}

/// Tries head, and base where head fails.
pub(super) fn run(plan: &RunPlan<'_>, cancel: &Cancel) -> Result<TrialOutcome, RunnerError> {
    let mut outcome = of_side(plan, Side::Head, &plan.head, cancel)?;
    if let (Some(EarlyEnd::Failed { .. }), Some(base)) = (&outcome.ended, &plan.base) {
        let of_base = of_side(plan, Side::Base, base, cancel)?;
        if !matches!(of_base.ended, Some(EarlyEnd::Failed { .. })) {
            outcome.is_head_worse = of_base.ended.is_none();
            outcome.ended = of_base.ended;
        }
    }
    Ok(outcome)
}

/// Starts one side, sends a request of each scenario, and finds what is wrong with the first that fails.
fn of_side(
    plan: &RunPlan<'_>,
    side: Side,
    build: &SutBuild,
    cancel: &Cancel,
) -> Result<TrialOutcome, RunnerError> {
    let subject = CheckSubject { suite: plan.suite, build, side };
    let mut loads = Vec::new();
    let mut answered = |launched: &LaunchHandle, exchanges: &[ScenarioExchange]| {
        // Base is tried only where head fails, and then there is nothing to fit.
        if side == Side::Head {
            let scenarios = plan.suite.scenarios.iter();
            let fitted = |it| load_probe::fit(plan, it, launched, cancel);
            let is_right = |it: &&Scenario| {
                exchanges
                    .iter()
                    .all(|exchange| exchange.scenario != it.name || exchange.fault.is_none())
            };
            loads = scenarios.map(|it| Some(it).filter(is_right).and_then(fitted)).collect();
        }
    };
    let outcome = check::check_side(subject, &plan.logs, BODY_BYTES_MAX, cancel, &mut answered)?;
    if cancel.is_raised() {
        let ended = Some(EarlyEnd::Interrupted);
        return Ok(TrialOutcome { ended, is_head_worse: false, programs: Vec::new(), loads });
    }
    if !is_compiled_beforehand(&outcome.programs) {
        for load in loads.iter_mut().flatten() {
            *load = load.of_runtime(plan.suite.sampling.load.usual());
        }
    }
    let mut exchanges = outcome.exchanges.iter();
    let wrong = exchanges.find_map(|exchange| Some((exchange, fault(plan, exchange)?)));
    let failed = match (&outcome.failure, wrong) {
        (_, Some((exchange, fault))) => {
            Some((Some(exchange.scenario.clone()), report(exchange, fault, &outcome)))
        }
        (failure, None) => failure.clone().map(|reason| (None, reason)),
    };
    let ended = failed.map(|(scenario, reason)| EarlyEnd::Failed { side, scenario, reason });
    Ok(TrialOutcome { ended, is_head_worse: false, programs: outcome.programs, loads })
}

/// Returns whether the programs are known not to compile as they run, which takes a warm-up longer than their pace tells.
fn is_compiled_beforehand(programs: &[PathBuf]) -> bool {
    !programs.is_empty() && programs.iter().all(|it| profile::program_obstacle(it).is_none())
}

/// Returns what is wrong with an exchange, unless a limit of its scenario allows failures.
fn fault<'a>(plan: &RunPlan<'_>, exchange: &'a ScenarioExchange) -> Option<&'a ExchangeFault> {
    let scenario = plan.suite.scenarios.iter().find(|it| it.name == exchange.scenario);
    let allowed = scenario.map_or(0.0, |scenario| limits::allowed_errors(&scenario.limits));
    exchange.fault.as_ref().filter(|_| allowed <= 0.0)
}

fn report(
    exchange: &ScenarioExchange,
    fault: &ExchangeFault,
    outcome: &CheckOutcome,
) -> FailureReport {
    let request = match &exchange.operation {
        Some(operation) => format!("the first request of {operation}"),
        None => "the first request".to_owned(),
    };
    let mut report = FailureReport::from(format!("{request} failed: {}", fault.summary));
    let answer = beginning(&exchange.answer_body);
    if !answer.trim().is_empty() {
        report.excerpts.push(format!("answer: {}", answer.trim()));
    }
    report.excerpts.extend(outcome.log_tail.as_ref().map(ToString::to_string));
    report.hints.extend(fault.setting.map(|setting| format!("setting: {setting}")));
    report.hints.push("`xmlperf check` shows the request and the answer in whole".to_owned());
    report
}
