//! Learns what base answers, where no one has written down what is right: head must answer the same.
//!
//! Two launches of base are sent the same requests, the second one more of them. What they answer
//! differently, such as times, and numbers that rise with each request, says nothing of head, and is left
//! out. What is left must be in every answer of either side under load.

use std::sync::Arc;

use load::pacing::StopCondition;
use load::{Exchange, FailureKind, LoadClient, RequestOrder, RequestPlan};
use payload::{AnswerFacts, VaryingPlaces};
use record::{EarlyEnd, FailureReport, OracleRecord, Side};
use suite::{AnswerTruth, SamplingPlan, Scenario};
use sut::SharedServices;
use units::cancel::Cancel;
use units::text::error_chain;

use crate::answer_observer::{AnswerObserver, observed};
use crate::base_answer::BaseAnswer;
use crate::client_settings;
use crate::launch_failure::{LaunchFailure, beginning, report};
use crate::requests::ScenarioRequests;
use crate::side_driver::LaunchHandle;
use crate::{RunPlan, RunnerError, SutBuild, TargetLaunch, place, stop};

/// How often each launch is sent all requests. The second more often than the first: what depends on the
/// requests before it varies as well.
const ROUNDS: [usize; 2] = [1, 3];

/// What base answers to the requests of one scenario.
#[derive(Clone, Default)]
pub(super) struct ScenarioOracle {
    /// By the place of the request; none where the right one is written.
    pub(super) answers: Vec<Option<Arc<BaseAnswer>>>,
    pub(super) records: Vec<OracleRecord>,
}

/// Returns what base answers, for each scenario; or why it cannot be learnt.
pub(super) fn learn(
    plan: &RunPlan<'_>,
    cancel: &Cancel,
) -> Result<Result<Vec<ScenarioOracle>, EarlyEnd>, RunnerError> {
    let wanted = plan.suite.scenarios.iter().any(follows_base);
    let Some(base) = plan.base.as_ref().filter(|_| wanted) else { return Ok(Ok(Vec::new())) };
    let of = |scenario: &Scenario| AnswerLearner::new(scenario, &plan.suite.sampling);
    let mut learners: Vec<_> = plan.suite.scenarios.iter().map(of).collect();
    for rounds in ROUNDS {
        if let Err(failure) = query_base(plan, base, &mut learners, rounds, cancel)? {
            return Ok(Err(failure.ended(cancel)));
        }
    }
    Ok(Ok(learners.into_iter().map(AnswerLearner::into_oracle).collect()))
}

fn follows_base(scenario: &Scenario) -> bool {
    scenario.operations.iter().any(|operation| operation.truth == AnswerTruth::Base)
}

/// Starts base, sends it the requests of all scenarios so often, and stops it.
fn query_base(
    plan: &RunPlan<'_>,
    base: &SutBuild,
    learners: &mut [AnswerLearner],
    rounds: usize,
    cancel: &Cancel,
) -> Result<Result<(), LaunchFailure>, RunnerError> {
    let (placement, _pinned) = place(plan.suite.target.cpus)?;
    let launch = TargetLaunch {
        target: &plan.suite.target,
        logs: &plan.logs,
        placement: &placement,
        copies: None,
        services: base.services(&SharedServices::default()),
        relinked: None,
        program: None,
        cancel,
    };
    let outcome = launch.start(Side::Base, base).and_then(|launched| {
        let mut wanted = learners.iter_mut().filter(|it| follows_base(&it.requests.scenario));
        wanted.try_for_each(|learner| learner.query(&launched, rounds, cancel))?;
        stop(launched)
    });
    Ok(outcome)
}

/// The answers to the requests of a scenario, as they come.
struct AnswerLearner {
    requests: ScenarioRequests,
    /// The first answer to each request, by its place.
    first: Vec<Option<FirstAnswer>>,
    /// By operation.
    operations: Vec<LearntOperation>,
}

struct FirstAnswer {
    status: u16,
    body: Vec<u8>,
    facts: AnswerFacts,
}

#[derive(Clone, Default)]
struct LearntOperation {
    answers: usize,
    varying: VaryingPlaces,
}

impl AnswerLearner {
    fn new(scenario: &Scenario, sampling: &SamplingPlan) -> Self {
        let requests = ScenarioRequests::new(scenario, sampling);
        let different = usize::try_from(requests.different()).unwrap_or(usize::MAX);
        let operations = vec![LearntOperation::default(); scenario.operations.len()];
        Self { requests, first: (0..different).map(|_| None).collect(), operations }
    }

    /// Sends a launch the setup and so often all requests, as one virtual user.
    fn query(
        &mut self,
        launched: &LaunchHandle,
        rounds: usize,
        cancel: &Cancel,
    ) -> Result<(), LaunchFailure> {
        let load = self.requests.places();
        let setup: Vec<usize> = self.requests.setup_places();
        let all = setup.iter().chain(load.iter().cycle().take(load.len() * rounds)).copied();
        let places: Vec<usize> = all.collect();
        let seen = Arc::new(AnswerObserver::default());
        let mut client = self.client(launched, &places, &seen, cancel)?;
        for place in places {
            let mut exchanged = None;
            let sink = &mut |exchange: &Exchange| exchanged = Some(exchange.clone());
            let sent = client.drive(StopCondition::after_requests(1), sink);
            sent.map_err(|error| self.failure(report(&error)))?;
            let Some(exchange) = exchanged else { return Err(self.failure("interrupted")) };
            let answer = seen.take();
            match exchange.outcome {
                Ok(()) => self.learn(place, answer.status, answer.body),
                // Base has no such operation: it is new, which the first launch pair finds.
                Err(failure) if is_absent(failure.kind) => {
                    self.first.fill_with(|| None);
                    return Ok(());
                }
                Err(failure) => {
                    let summary = format!(
                        "base failed while its answers were learnt, {}: {}",
                        failure.kind, failure.detail
                    );
                    let excerpts = vec![format!("answer: {}", beginning(&answer.body))];
                    let report = FailureReport::from(summary);
                    return Err(self.failure(FailureReport { excerpts, ..report }));
                }
            }
        }
        Ok(())
    }

    fn client(
        &self,
        launched: &LaunchHandle,
        places: &[usize],
        seen: &Arc<AnswerObserver>,
        cancel: &Cancel,
    ) -> Result<LoadClient, LaunchFailure> {
        let plan = self.requests.plan(&launched.reached.host(&launched.target));
        let plan = plan.map_err(|error| self.failure(error_chain(&error)))?;
        let plan = RequestPlan {
            requests: plan.requests.into_iter().map(|it| observed(it, seen)).collect(),
            order: RequestOrder::Shared(places.into()),
            setup: Vec::new(),
            ..plan
        };
        let settings = client_settings::one_at_a_time(&self.requests.scenario);
        let place = launched.target.place();
        let client = launched.reached.client(place, None, plan, settings, cancel.clone());
        client.map_err(|error| self.failure(report(&error)))
    }

    fn learn(&mut self, place: usize, status: u16, body: Vec<u8>) {
        let facts = AnswerFacts::read(status, &body);
        let operation = self.operation(place);
        let learnt = &mut self.operations[operation];
        learnt.answers += 1;
        match &self.first[place] {
            Some(first) => learnt.varying.learn(&first.facts, &facts),
            None => self.first[place] = Some(FirstAnswer { status, body, facts }),
        }
    }

    fn operation(&self, place: usize) -> usize {
        self.requests.operation_place(place).map_or(0, |it| it.operation)
    }

    fn into_oracle(self) -> ScenarioOracle {
        let operations = &self.requests.scenario.operations;
        let varying: Vec<_> =
            self.operations.iter().map(|it| Arc::new(it.varying.clone())).collect();
        let of_base: Vec<_> = operations.iter().map(|it| it.truth == AnswerTruth::Base).collect();
        let mut requests = vec![0; operations.len()];
        let places: Vec<_> = (0..self.first.len()).map(|place| self.operation(place)).collect();
        let answers = self.first.into_iter().zip(places).map(|(first, operation)| {
            let FirstAnswer { status, body, facts } = first.filter(|_| of_base[operation])?;
            requests[operation] += 1;
            let varying = Arc::clone(&varying[operation]);
            Some(Arc::new(BaseAnswer { status, body, facts, varying }))
        });
        let answers: Vec<_> = answers.collect();
        let records = operations.iter().zip(&self.operations).zip(&requests);
        let records = records.filter(|(_, requests)| **requests > 0);
        let record =
            |((operation, learnt), requests): ((&suite::Operation, &LearntOperation), &usize)| {
                OracleRecord {
                    operation: operation.name.clone(),
                    requests: *requests,
                    answers: learnt.answers,
                    left_out: learnt.varying.shown(),
                }
            };
        let records = records.map(record).collect();
        ScenarioOracle { answers, records }
    }

    fn failure(&self, reason: impl Into<FailureReport>) -> LaunchFailure {
        let scenario = Some(self.requests.scenario.name.clone());
        LaunchFailure::new(Side::Base, scenario, reason.into())
    }
}

/// Whether base says by this that it does not serve what is sent.
fn is_absent(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Status(404 | 405 | 501))
}
