//! Makes a scenario's requests once, so that both builds are sent the very same bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::load::{Check, Request, RequestError};
use crate::payload;
use crate::payload::{Expected, Message};
use crate::scenario::{Amount, Sampling, Scenario};

/// Memory that the different bodies of a scenario may take together, in bytes.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A scenario with its payloads in memory.
pub(super) struct Prepared {
    pub(super) scenario: Scenario,
    /// XML pairs in one request.
    pub(super) pairs: u64,
    messages: Vec<(Message, Arc<Truth>)>,
}

/// The truth about one request, as the load engine sees it.
struct Truth(Expected);

impl Check for Truth {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), String> {
        self.0.check(status, body).map_err(|mismatch| mismatch.to_string())
    }
}

impl Prepared {
    /// Makes the requests: as many different ones as are asked for, but no more than are sent or fit
    /// in memory.
    pub(super) fn new(scenario: &Scenario, sampling: &Sampling) -> Self {
        let wanted = match scenario.load.amount {
            Amount::Time => sampling.bodies,
            Amount::Requests(requests) => sampling.bodies.min(requests),
        };
        let mut messages: Vec<(Message, Arc<Truth>)> = Vec::new();
        let mut bytes = 0;
        for index in 0..wanted {
            let message = payload::message(&scenario.payload, scenario.kind, index);
            bytes += message.body.len();
            let truth = Arc::new(Truth(message.expected.clone()));
            messages.push((message, truth));
            if bytes + bytes / messages.len() > BODY_BYTES_MAX {
                break;
            }
        }
        let pairs = messages.first().map_or(0, |(message, _)| message.expected.pairs());
        Self { scenario: scenario.clone(), pairs, messages }
    }

    /// Returns the requests as they are sent to `address`. The bodies are shared, not copied.
    pub(super) fn requests(&self, address: SocketAddr) -> Result<Arc<[Request]>, RequestError> {
        let host = address.to_string();
        let request = |(message, truth): &(Message, Arc<Truth>)| {
            let headers: Vec<(&str, &str)> = message
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let check: Arc<dyn Check> = Arc::<Truth>::clone(truth);
            let path = &self.scenario.path;
            let (kind, body) = (&message.content_type, message.body.clone());
            Request::post(path, &host, kind, &headers, body, check)
        };
        self.messages.iter().map(request).collect()
    }
}
