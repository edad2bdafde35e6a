//! Sends a scenario's requests a number at a time, for tools that count instead of timing.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use crate::requests::ScenarioRequests;
use load::measure::Measurement;
use load::pacing::StopCondition;
use load::{ClientSettings, Exchange, HttpVersion, LoadClient};
use suite::{SamplingPlan, Scenario};
use units::cancel::Cancel;

/// Sends so many requests, or says what was wrong with the first that failed.
pub type RequestDriver<'a> = Box<dyn FnMut(u64) -> Result<(), String> + 'a>;

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

    /// Returns the bytes of a request's body, on average over the different ones.
    pub fn request_bytes(&self) -> u64 {
        self.prepared.body_bytes()
    }

    /// Returns what sends requests over one connection, one after the other, and checks every
    /// answer.
    ///
    /// One connection, whatever the scenario says: in which order several are served is chance, and
    /// that is what a count has to be free of.
    pub fn drive(&self, address: SocketAddr) -> Result<RequestDriver<'_>, String> {
        let bodies =
            self.prepared.requests(&address.to_string()).map_err(|error| error.to_string())?;
        let http = match self.prepared.scenario.load.http {
            HttpVersion::One => HttpVersion::One,
            HttpVersion::Two { .. } => HttpVersion::Two { streams: NonZeroUsize::MIN },
        };
        let settings = ClientSettings { http, ..ClientSettings::default() };
        let mut client = LoadClient::new(address, &bodies, settings, self.cancel.clone())
            .map_err(|error| error.to_string())?;
        Ok(Box::new(move |requests| {
            let stop =
                StopCondition { failures_max: Some(1), ..StopCondition::after_requests(requests) };
            let mut measurement = Measurement::default();
            let sink = &mut |exchange: &Exchange| measurement.record(exchange);
            client.drive(stop, sink).map_err(|error| error.to_string())?;
            match measurement.failures().iter().next() {
                Some((kind, failures)) => Err(format!("{kind}: {}", failures.first.detail)),
                None if measurement.answered() == requests => Ok(()),
                None => Err(format!("{} of {requests} requests answered", measurement.answered())),
            }
        }))
    }
}
