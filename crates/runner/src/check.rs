//! Starts a build as a launch would, sends one request of each operation, and measures nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use load::pacing::StopCondition;
use load::{
    Exchange, ExchangeFailure, FailureKind, LoadClient, RequestOrder, RequestPlan, RequestPreview,
};
use record::{FailureReport, Side};
use suite::{OperationOrder, SamplingPlan, Scenario, Suite};
use sut::{LogTail, SharedServices};
use units::cancel::Cancel;
use units::text::error_chain;

use crate::answer_observer::{AnswerObserver, ObservedAnswer, observed};
use crate::client_settings;
use crate::launch_failure::LaunchFailure;
use crate::requests::ScenarioRequests;
use crate::side_driver::LaunchHandle;
use crate::{RunnerError, SutBuild, TargetLaunch, place, stop};

/// XML pairs in a request at most: whether a request is right shows in few of them.
const PAIRS_MAX: u64 = 100;

/// What became of a check.
#[derive(Debug)]
pub struct CheckOutcome {
    /// From the start of the process until it was ready; none if it never was.
    pub ready_after: Option<Duration>,
    /// Where its output is.
    pub log: PathBuf,
    /// The end of that; none of a target that was not started here.
    pub log_tail: Option<LogTail>,
    /// The files that its processes execute which listen.
    pub programs: Vec<PathBuf>,
    /// One exchange of each operation of each scenario, in the order of the configuration.
    pub exchanges: Vec<ScenarioExchange>,
    /// Why the target did not start, or did not stop.
    pub failure: Option<FailureReport>,
}

/// One request of an operation, and what came of it.
#[derive(Debug)]
pub struct ScenarioExchange {
    /// The scenario's name.
    pub scenario: String,
    /// The operation's, if it has one.
    pub operation: Option<String>,
    /// What was sent; none of a request that cannot be made.
    pub request: Option<RequestPreview>,
    /// XML pairs of the scenario that the request leaves out.
    pub pairs_left_out: u64,
    /// What the answer must be.
    pub expected: String,
    /// The head of the answer as it came; empty with HTTP/2, and without an answer.
    pub answer_head: String,
    /// The body of the answer, decompressed.
    pub answer_body: Vec<u8>,
    /// From the first byte sent to the last one received; none if nothing was sent.
    pub time: Option<Duration>,
    /// Why it is wrong, if it is.
    pub fault: Option<ExchangeFault>,
}

/// What is wrong with an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeFault {
    /// In a line.
    pub summary: String,
    /// The setting that is likely to be wrong, and why.
    pub setting: Option<&'static str>,
}

impl CheckOutcome {
    /// Returns whether the target started, and answered each request as it must.
    pub fn is_right(&self) -> bool {
        self.failure.is_none() && self.exchanges.iter().all(|exchange| exchange.fault.is_none())
    }
}

/// Starts `build`, sends one request of each operation, and stops it. Its output goes into `logs`.
///
/// Of a body as it was sent, at most `body_bytes_max` bytes are kept.
pub fn check(
    suite: &Suite,
    build: &SutBuild,
    logs: &Path,
    body_bytes_max: usize,
    cancel: &Cancel,
) -> Result<CheckOutcome, RunnerError> {
    let subject = CheckSubject { suite, build, side: Side::Head };
    check_side(subject, logs, body_bytes_max, cancel, &mut |_, _| {})
}

/// What is checked.
#[derive(Clone, Copy)]
pub(super) struct CheckSubject<'a> {
    pub(super) suite: &'a Suite,
    pub(super) build: &'a SutBuild,
    pub(super) side: Side,
}

/// Checks the build of either side. `answered` gets the target while it still runs, and what it answered.
pub(super) fn check_side(
    subject: CheckSubject<'_>,
    logs: &Path,
    body_bytes_max: usize,
    cancel: &Cancel,
    answered: &mut dyn FnMut(&LaunchHandle, &[ScenarioExchange]),
) -> Result<CheckOutcome, RunnerError> {
    let CheckSubject { suite, build, side } = subject;
    std::fs::create_dir_all(logs)
        .map_err(|source| RunnerError::Logs { path: logs.to_path_buf(), source })?;
    let (placement, _pinned) = place(suite.target.cpus)?;
    let launch = TargetLaunch {
        target: &suite.target,
        logs,
        placement: &placement,
        copies: None,
        services: build.services(&SharedServices::default()),
        relinked: None,
        program: None,
        cancel,
    };
    let log = logs.join(format!("{}.log", side.name()));
    let mut outcome = CheckOutcome {
        ready_after: None,
        log,
        log_tail: None,
        programs: Vec::new(),
        exchanges: Vec::new(),
        failure: None,
    };
    let launched = match launch.start(side, build) {
        Ok(launched) => launched,
        Err(LaunchFailure { reason, .. }) => {
            return Ok(CheckOutcome { failure: Some(reason), ..outcome });
        }
    };
    outcome.ready_after = Some(launched.target.ready_after());
    let sampling = SamplingPlan { bodies: 1, ..suite.sampling.clone() };
    for scenario in &suite.scenarios {
        let sent = FirstRequests::new(scenario, &sampling);
        outcome.exchanges.extend(sent.exchanges(&launched, body_bytes_max, cancel));
    }
    answered(&launched, &outcome.exchanges);
    outcome.programs = launched.target.serving_programs();
    outcome.log_tail = launched.target.log_tail();
    outcome.failure = stop(launched).err().map(|failure| failure.reason);
    Ok(outcome)
}

/// The first request of each operation of a scenario, cut to a small number of pairs.
struct FirstRequests<'a> {
    scenario: &'a Scenario,
    requests: ScenarioRequests,
}

impl<'a> FirstRequests<'a> {
    fn new(scenario: &'a Scenario, sampling: &SamplingPlan) -> Self {
        let small = scenario.clone().with_pairs_max(PAIRS_MAX);
        Self { scenario, requests: ScenarioRequests::new(&small, sampling) }
    }

    /// Sends them one after the other, as one virtual user: the setup, then the load's in their order.
    fn exchanges(
        &self,
        launched: &LaunchHandle,
        body_bytes_max: usize,
        cancel: &Cancel,
    ) -> Vec<ScenarioExchange> {
        let steps = self.steps();
        let mut exchanges: Vec<_> = steps.iter().map(|number| self.unsent(*number)).collect();
        let host = launched.reached.host(&launched.target);
        let seen = Arc::new(AnswerObserver::default());
        let client = self.requests.plan(&host).map_err(|error| error_chain(&error));
        let client = client.and_then(|plan| {
            let places: Vec<_> = steps.iter().map(|it| self.requests.first_of(*it)).collect();
            let plan = RequestPlan {
                requests: plan.requests.into_iter().map(|it| observed(it, &seen)).collect(),
                order: RequestOrder::Shared(places.into()),
                setup: Vec::new(),
                ..plan
            };
            let settings = client_settings::one_at_a_time(self.scenario);
            let client = launched.reached.client(
                launched.target.place(),
                None,
                plan,
                settings,
                cancel.clone(),
            );
            client.map_err(|error| error_chain(&error))
        });
        let mut client = match client {
            Ok(client) => client,
            Err(reason) => {
                for exchange in &mut exchanges {
                    exchange.fault = Some(ExchangeFault::unsent(reason.clone()));
                }
                return exchanges;
            }
        };
        for exchange in &mut exchanges {
            send(&mut client, exchange);
            let ObservedAnswer { request, status: _, head, body } = seen.take();
            exchange.request = request.map(|request| request.preview(body_bytes_max));
            (exchange.answer_head, exchange.answer_body) = (head, body);
        }
        exchanges
    }

    /// Numbers of the operations in the order in which a virtual user sends them, each once.
    fn steps(&self) -> Vec<usize> {
        let Scenario { operations, order, setup, .. } = self.scenario;
        let flow = match order {
            Some(OperationOrder::Flow(flow)) => flow.clone(),
            Some(OperationOrder::Mix(_)) | None => (0..operations.len()).collect(),
        };
        let mut steps = Vec::new();
        for number in setup.iter().copied().chain(flow) {
            if !steps.contains(&number) {
                steps.push(number);
            }
        }
        steps
    }

    /// The exchange before anything is sent.
    fn unsent(&self, number: usize) -> ScenarioExchange {
        let operation = &self.scenario.operations[number];
        ScenarioExchange {
            scenario: self.scenario.name.clone(),
            operation: operation.name.as_ref().map(ToString::to_string),
            request: None,
            pairs_left_out: operation.payload.pairs.saturating_sub(PAIRS_MAX),
            expected: self.requests.expected(number),
            answer_head: String::new(),
            answer_body: Vec::new(),
            time: None,
            fault: None,
        }
    }
}

/// Sends the next request, and notes what came of it.
fn send(client: &mut LoadClient, exchange: &mut ScenarioExchange) {
    let mut exchanged = None;
    let sink = &mut |exchange: &Exchange| exchanged = Some(exchange.clone());
    let sent = client.drive(StopCondition::after_requests(1), sink);
    (exchange.time, exchange.fault) = match (sent, exchanged) {
        (Err(error), _) => (None, Some(ExchangeFault::unsent(error_chain(&error)))),
        (Ok(_), None) => (None, Some(ExchangeFault::unsent("interrupted".to_owned()))),
        (Ok(_), Some(exchange)) => {
            let time = Duration::from_nanos(exchange.service_ns());
            (Some(time), exchange.outcome.err().map(|failure| ExchangeFault::of(&failure)))
        }
    };
}

impl ExchangeFault {
    fn unsent(summary: String) -> Self {
        Self { summary, setting: None }
    }

    fn of(failure: &ExchangeFailure) -> Self {
        Self {
            summary: format!("{}: {}", failure.kind, failure.detail),
            setting: setting(failure.kind),
        }
    }
}

/// The setting that a failure points at.
fn setting(kind: FailureKind) -> Option<&'static str> {
    Some(match kind {
        FailureKind::Status(401 | 403 | 407) => {
            "`headers` in `[request]`: the target wants credentials that were not sent, or refuses them"
        }
        FailureKind::Status(404 | 410) => "`path`: the target has nothing at it",
        FailureKind::Status(405 | 501) => {
            "`path` or `method`: what is at the path takes no such method"
        }
        FailureKind::Status(406) => "`headers` in `[request]`: `Accept` names no form that it has",
        FailureKind::Status(413) => "`pairs`: the body is larger than the target takes",
        FailureKind::Status(415) => "`content-type` in `[request]`: the target takes another",
        FailureKind::Status(400 | 422) => {
            "`kind`, or the `template`, in `[request]`: the target does not understand the body"
        }
        FailureKind::Status(301 | 302 | 303 | 307 | 308) => {
            "`path`: the target is elsewhere, as `Location` says; redirects are not followed"
        }
        FailureKind::Status(500..) => "none of xmlperf: the target failed; its log may say why",
        FailureKind::WrongAnswer => {
            "`kind` or `expect` in `[request]`, `semantics` in `[target]`, or the target's answer"
        }
        FailureKind::Timeout => "`timeouts` of the load: the answer did not come in time",
        FailureKind::Malformed => "`scheme` in `[target]`, or `http` of the load",
        FailureKind::Status(_)
        | FailureKind::Refused
        | FailureKind::Reset
        | FailureKind::ShortBody => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_points_at_the_setting_that_causes_it() {
        let points = |kind, key: &str| assert!(setting(kind).unwrap().contains(key), "{kind}");
        points(FailureKind::Status(401), "`headers`");
        points(FailureKind::Status(404), "`path`");
        points(FailureKind::Status(415), "`content-type`");
        points(FailureKind::Status(422), "`template`");
        points(FailureKind::Status(503), "log");
        points(FailureKind::WrongAnswer, "`expect`");
        assert_eq!(setting(FailureKind::Refused), None);
    }
}
