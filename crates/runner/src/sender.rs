//! Sends a scenario's requests a number at a time, for tools that count instead of timing.

use std::net::SocketAddr;

use crate::client_settings;
use crate::requests::ScenarioRequests;
use load::measure::Measurement;
use load::pacing::StopCondition;
use load::{ClientSettings, ConnectionReuse, Exchange, FailureKind, LoadClient, Timeouts};
use profile::{DriveError, ProfileDriver};
use suite::{SamplingPlan, Scenario};
use thiserror::Error;
use units::cancel::Cancel;

/// Why requests were not all sent and answered rightly.
#[derive(Debug, Error)]
pub enum SendError {
    /// A request failed.
    #[error("{kind}: {detail}")]
    Failed {
        /// In which way.
        kind: FailureKind,
        /// What came instead of the right answer.
        detail: String,
    },
    /// It was interrupted.
    #[error("{answered} of {requests} requests answered")]
    Unanswered {
        /// Requests that were answered.
        answered: u64,
        /// Requests that were to be sent.
        requests: u64,
    },
}

/// The requests of a scenario and the right answers, in memory.
pub struct RequestSender {
    prepared: ScenarioRequests,
    cancel: Cancel,
}

impl RequestSender {
    /// Makes the requests.
    pub fn new(scenario: &Scenario, sampling: &SamplingPlan, cancel: &Cancel) -> Self {
        Self { prepared: ScenarioRequests::new(scenario, sampling), cancel: cancel.clone() }
    }

    /// Returns the XML pairs in one request.
    pub fn pairs(&self) -> u64 {
        self.prepared.pairs
    }

    /// Returns the requests in one unit of work.
    pub fn requests_per_unit(&self) -> u64 {
        self.prepared.scenario.requests_per_unit()
    }

    /// Returns the bytes of a request's body, on average over the different ones.
    pub fn request_bytes(&self) -> u64 {
        self.prepared.body_bytes()
    }

    /// Returns what sends requests over one connection, one after the other, and checks every
    /// answer.
    ///
    /// One connection, whatever the scenario says: in which order several are served is chance, and
    /// that is what a count has to be free of.
    pub fn drive(&self, address: SocketAddr) -> Result<ProfileDriver<'_>, DriveError> {
        let plan = self.prepared.plan(&address.to_string())?;
        let settings = client_settings::one_at_a_time(&self.prepared.scenario);
        // Under a profiler a target is up to fifty times slower than under load, for which the time-outs are.
        let (reuse, timeouts) = (ConnectionReuse::Kept, Timeouts::default());
        let settings = ClientSettings { reuse, timeouts, ..settings };
        let has_setup = !plan.setup.is_empty();
        let mut client = LoadClient::new(address, plan, settings, self.cancel.clone())?;
        if has_setup {
            let mut setup = Measurement::default();
            client.set_up(&mut |exchange: &Exchange| setup.record(exchange))?;
            all_right(&setup)?;
        }
        Ok(Box::new(move |requests| {
            let stop =
                StopCondition { failures_max: Some(1), ..StopCondition::after_requests(requests) };
            let mut measurement = Measurement::default();
            let sink = &mut |exchange: &Exchange| measurement.record(exchange);
            client.drive(stop, sink)?;
            let answered = measurement.answered();
            all_right(&measurement)?;
            if answered == requests {
                Ok(())
            } else {
                Err(SendError::Unanswered { answered, requests }.into())
            }
        }))
    }
}

/// Fails if a request did.
fn all_right(measurement: &Measurement) -> Result<(), SendError> {
    match measurement.failures().iter().next() {
        Some((kind, failures)) => {
            let detail = failures.first.detail.clone();
            Err(SendError::Failed { kind: *kind, detail })
        }
        None => Ok(()),
    }
}
