//! Drives one launch, or the two of a launch pair, through one scenario.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::load;
use crate::load::pacing::Stop;
use crate::load::{Client, FailureKind, Settings};
use crate::measure::Measurement;
use crate::metric::limit::Quantity;
use crate::record;
use crate::record::{Ended, Side, Trial, histogram};
use crate::runner::prepared::Prepared;
use crate::scenario::{Amount, Sampling, Scenario};
use crate::target::{Tail, Target, TargetError, Usage};
use crate::units;

/// Why a launch yielded no numbers.
#[derive(Debug)]
pub(super) struct Failure {
    side: Side,
    scenario: Option<String>,
    reason: String,
}

impl Failure {
    /// A target that did not start or stop as it should.
    pub(super) fn launch(side: Side, error: &TargetError) -> Self {
        Self { side, scenario: None, reason: chain(error) }
    }

    /// How the record tells it: a failure that follows from Ctrl-C is an interruption.
    pub(super) fn ended(self, cancel: &Cancel) -> Ended {
        if cancel.is_raised() {
            return Ended::Interrupted;
        }
        Ended::Failed { side: self.side, scenario: self.scenario, reason: self.reason }
    }
}

/// An error and its causes, `a: b: c`.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A started target and where its output goes.
pub(super) struct Launched {
    pub(super) side: Side,
    pub(super) target: Target,
    pub(super) log: PathBuf,
}

/// One side under load: a running target, the connections to it, and what was seen.
pub(super) struct Driven<'a> {
    launched: &'a Launched,
    scenario: &'a Scenario,
    client: Client,
    measurement: Measurement,
    before: Option<Usage>,
}

/// Drives a launch alone. Slices follow each other without a break.
pub(super) fn single(mut side: Driven<'_>, sampling: &Sampling) -> Result<Trial, Failure> {
    side.warm_up(sampling)?;
    side.begin()?;
    while let Some(stop) = side.next_slice(sampling) {
        side.slice(stop)?;
    }
    side.trial()
}

/// Drives base and head in turn; the first of every two slices is drawn by `coin`.
pub(super) fn paired(
    mut sides: [Driven<'_>; 2],
    sampling: &Sampling,
    coin: &mut dyn FnMut() -> Side,
) -> Result<(Trial, Trial), Failure> {
    for side in &mut sides {
        side.warm_up(sampling)?;
    }
    for side in &mut sides {
        side.begin()?;
    }
    while let Some(stop) = sides.iter().find_map(|side| side.next_slice(sampling)) {
        let [base, head] = &mut sides;
        let (first, second) = match coin() {
            Side::Base => (base, head),
            Side::Head => (head, base),
        };
        first.slice(stop)?;
        second.slice(stop)?;
    }
    let [base, head] = sides;
    Ok((base.trial()?, head.trial()?))
}

impl<'a> Driven<'a> {
    /// Makes ready to send a scenario's requests to a running target.
    pub(super) fn new(
        launched: &'a Launched,
        prepared: &'a Prepared,
        cancel: &Cancel,
    ) -> Result<Self, Failure> {
        let scenario = &prepared.scenario;
        let failed = |reason: String| Failure {
            side: launched.side,
            scenario: Some(scenario.name.clone()),
            reason,
        };
        let connections = usize::try_from(scenario.load.connections).unwrap_or(usize::MAX);
        let connections = NonZeroUsize::new(connections).unwrap_or(NonZeroUsize::MIN);
        let settings = Settings { connections, ..Settings::default() };
        let address = launched.target.address();
        let requests = prepared.requests(address).map_err(|error| failed(chain(&error)))?;
        let client = Client::new(address, requests, settings, cancel.clone())
            .map_err(|error| failed(chain(&error)))?;
        let measurement = Measurement::default();
        Ok(Self { launched, scenario, client, measurement, before: None })
    }

    /// Sends load that is not measured, but checked all the same. A scenario of a given number of
    /// requests promises something about its first one too, so it has no warm-up.
    fn warm_up(&mut self, sampling: &Sampling) -> Result<(), Failure> {
        if self.scenario.load.amount != Amount::Time || sampling.warm_up.is_zero() {
            return Ok(());
        }
        self.slice(stop(sampling.warm_up, 1))?;
        self.measurement = Measurement::default();
        Ok(())
    }

    /// From here on, CPU time and memory count.
    fn begin(&mut self) -> Result<(), Failure> {
        if self.launched.target.pid().is_none() {
            return Ok(());
        }
        self.launched.target.reset_peak().map_err(|error| self.failure(&chain(&error)))?;
        self.before = Some(self.usage()?);
        Ok(())
    }

    fn usage(&self) -> Result<Usage, Failure> {
        self.launched.target.usage().map_err(|error| self.failure(&chain(&error)))
    }

    /// The stretch to drive next, if there is one left.
    fn next_slice(&self, sampling: &Sampling) -> Option<Stop> {
        let done = self.measurement.answered() + self.measurement.failed();
        match self.scenario.load.amount {
            Amount::Time => {
                let open = self.measurement.wall() < sampling.load;
                open.then(|| stop(sampling.slice, sampling.slice_requests))
            }
            Amount::Requests(requests) => {
                let left = requests.saturating_sub(done).min(sampling.slice_requests);
                (left > 0).then(|| stop(Duration::ZERO, left))
            }
        }
    }

    /// Drives one slice. The connections are renewed before it, outside the measured time: a kept
    /// connection sticks to a worker of the target, and what that worker is worth would be measured
    /// instead of the build.
    fn slice(&mut self, stop: Stop) -> Result<(), Failure> {
        self.client.renew().map_err(|error| self.failure(&chain(&error)))?;
        let measurement = &mut self.measurement;
        let driven = self.client.drive(stop, &mut |exchange| measurement.record(exchange));
        let drive = driven.map_err(|error| self.failure(&chain(&error)))?;
        if drive.ended == load::Ended::Cancelled {
            return Err(self.failure("interrupted"));
        }
        self.measurement.end_slice(drive.wall());
        self.check()
    }

    /// Fails on a wrong answer, and on more failures than the scenario allows.
    fn check(&self) -> Result<(), Failure> {
        let failures = self.measurement.failures();
        let wrong = failures.get(&FailureKind::WrongAnswer);
        let Some((kind, first)) = wrong
            .map(|wrong| (FailureKind::WrongAnswer, wrong))
            .or_else(|| failures.iter().next().map(|(kind, failures)| (*kind, failures)))
        else {
            return Ok(());
        };
        let (failed, answered) = (self.measurement.failed(), self.measurement.answered());
        let share = units::exact(failed) / units::exact(failed + answered);
        if wrong.is_none() && share <= allowed_errors(self.scenario) {
            return Ok(());
        }
        // A target that died is the cause, and what the connections say of it only a symptom.
        self.launched.target.alive().map_err(|error| self.failure(&chain(&error)))?;
        let requests = failed + answered;
        let mut reason = format!(
            "{failed} of {requests} requests failed; first, {kind}: {}",
            first.first.detail
        );
        let answer = String::from_utf8_lossy(&first.first.answer);
        if kind != FailureKind::WrongAnswer && !answer.trim().is_empty() {
            let beginning: String = answer.trim().chars().take(200).collect();
            reason = format!("{reason}\n\nanswer: {beginning}");
        }
        reason.push_str(&Tail::of(&self.launched.log).to_string());
        Err(self.failure(&reason))
    }

    fn failure(&self, reason: &str) -> Failure {
        let scenario = Some(self.scenario.name.clone());
        Failure { side: self.launched.side, scenario, reason: reason.to_owned() }
    }

    /// What the launch yielded in this scenario.
    fn trial(self) -> Result<Trial, Failure> {
        self.launched.target.alive().map_err(|error| self.failure(&chain(&error)))?;
        let usage = match self.before {
            Some(before) => Some((before, self.usage()?)),
            None => None,
        };
        let measurement = &self.measurement;
        let slices = measurement.slices().iter();
        let failures = measurement.failures();
        let first = failures.iter().next();
        let pairs_per_request = self.scenario.kind.pairs(self.scenario.payload.pairs);
        Ok(Trial {
            ready_ns: units::nanos(self.launched.target.ready_after()),
            wall_ns: units::nanos(measurement.wall()),
            requests: measurement.answered() + measurement.failed(),
            pairs: measurement.answered() * pairs_per_request,
            cpu_ns: usage.map(|(before, after)| units::nanos(after.cpu.saturating_sub(before.cpu))),
            rss_bytes_max: usage.map(|(_, after)| after.rss_peak_bytes),
            bytes_sent: measurement.request_bytes(),
            bytes_received: measurement.response_bytes(),
            slices: slices
                .map(|slice| record::Slice { requests: slice.count, service_ns: slice.sum_ns })
                .collect(),
            histogram: histogram::encode(measurement.service()),
            failures: failures.iter().map(|(kind, it)| (kind.to_string(), it.count)).collect(),
            first_failure: first.map(|(kind, it)| format!("{kind}: {}", it.first.detail)),
        })
    }
}

/// A failing target is left alone after its first failures, instead of being asked on.
fn stop(at_least: Duration, requests: u64) -> Stop {
    const FAILURES_MAX: u64 = 10;
    Stop { at_least, requests, at_most: None, failures_max: Some(FAILURES_MAX) }
}

/// The share of failed requests that the scenario's limits allow; none, if they do not speak of it.
fn allowed_errors(scenario: &Scenario) -> f64 {
    let errors = scenario.limits.iter().find(|limit| limit.quantity == Quantity::Errors);
    errors.map_or(0.0, |limit| limit.value)
}
