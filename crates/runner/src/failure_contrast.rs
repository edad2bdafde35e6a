//! Asks base what head failed at, to tell a change for the worse from a target that cannot be measured.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use load::pacing::{ClosedWorkload, PacingModel, StopCondition};
use load::{Exchange, ResponseCheck, WrongResponse};
use record::{FailureContrast, FailureExample, FailureReport, Side};
use units::cancel::Cancel;

use crate::client_settings;
use crate::launch_failure::{self, LaunchFailure};
use crate::side_driver::SideDriver;

/// How many times the requests that head had answered until it failed are sent to base. If base failed
/// as often, it would get through with a probability of 5 %.
const REPEATS: u64 = 3;

/// Longest time for that.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Returns what the failure of a side means: head alone is at fault if base answers rightly, many times
/// over, what head did not.
pub(super) fn contrast(sides: &mut [SideDriver<'_>; 2], failure: LaunchFailure) -> LaunchFailure {
    let [base, head] = sides;
    let Some(fault) = &failure.fault else { return failure };
    if failure.side == Side::Base {
        return failure;
    }
    if let Err(of_base) = prove(base, head.requests_total.saturating_mul(REPEATS)) {
        let (of_base, of_head) = (of_base.reason, failure.reason);
        let reason = FailureReport {
            summary: format!(
                "both sides fail: base, {}; head, {}",
                of_base.summary, of_head.summary
            ),
            excerpts: [of_base.excerpts, of_head.excerpts].concat(),
            hints: [of_base.hints, of_head.hints].concat(),
        };
        return LaunchFailure { reason, fault: None, ..failure };
    }
    let contrast = FailureContrast {
        scenario: head.scenario.name.clone(),
        kind: fault.kind,
        failed: fault.failed,
        requests: fault.requests,
        base_requests: base.requests_total,
        head: fault.example.clone(),
        reason: failure.reason.clone(),
        base: fault.request.and_then(|request| answer(base, request)),
    };
    LaunchFailure { contrast: Some(Box::new(contrast)), ..failure }
}

/// Sends so many requests; fails as the measured load does.
fn prove(side: &mut SideDriver<'_>, requests: u64) -> Result<(), LaunchFailure> {
    let stop = StopCondition {
        at_least: Duration::ZERO,
        requests,
        at_most: Some(TIME_MAX),
        failures_max: Some(1),
    };
    side.follow(&PacingModel::Closed(ClosedWorkload::from(stop)))?;
    side.check()
}

/// What a side answers to one request of the scenario, if it answers.
fn answer(side: &SideDriver<'_>, request: usize) -> Option<FailureExample> {
    let launched = side.launched;
    let plan = side.prepared.plan(&launched.reached.host(&launched.target)).ok()?;
    let capture = Arc::new(AnswerCapture::default());
    let check = Arc::<AnswerCapture>::clone(&capture);
    let request = [plan.requests.get(request)?.prepared()?.with_check(check)];
    let settings = client_settings::one_at_a_time(side.scenario);
    let place = launched.target.place();
    let client = launched.reached.client(place, None, &request, settings, Cancel::default());
    // Without a connection there is nothing to show beside head's answer.
    let mut client = client.ok()?;
    let sink = &mut |_: &Exchange| {};
    client.drive(StopCondition::after_requests(1), sink).ok()?;
    capture.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Any answer is right; its status and beginning are kept.
#[derive(Default)]
struct AnswerCapture(Mutex<Option<FailureExample>>);

impl ResponseCheck for AnswerCapture {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), WrongResponse> {
        let answer = launch_failure::beginning(body);
        let example = FailureExample { detail: format!("status {status}"), answer };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(example);
        Ok(())
    }
}
