//! Makes a scenario's requests once, so that both builds are sent the very same bytes.
//!
//! A body that is too large to be kept is made again each time it is sent. That takes no memory, and
//! less time than sending it does.

use std::sync::Arc;

use crate::load;
use crate::load::{Check, Pieces, Request, RequestError, Source};
use crate::payload::{Expected, Framing, Kind, Spec, Stream};
use crate::scenario::{Amount, Model, Sampling, Scenario};

/// Memory that the different bodies of a scenario may take together, in bytes.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A scenario with its payloads in memory.
pub(super) struct Prepared {
    pub(super) scenario: Scenario,
    /// XML pairs in one request.
    pub(super) pairs: u64,
    messages: Vec<Message>,
}

/// One request, without its head.
struct Message {
    body: Body,
    /// Size of the body.
    bytes: usize,
    truth: Arc<Truth>,
}

enum Body {
    Kept(load::Body),
    /// Too large: this makes it.
    Made(Arc<Recipe>),
}

/// What makes one body.
struct Recipe {
    spec: Spec,
    kind: Kind,
    index: u64,
}

impl Source for Recipe {
    fn begin(&self) -> Box<dyn Pieces> {
        Box::new(Stream::new(&self.spec, self.kind, self.index))
    }
}

impl Pieces for Stream {
    fn next_into(&mut self, out: &mut Vec<u8>) -> bool {
        Self::next_into(self, out)
    }
}

/// The truth about one request, as the load engine sees it.
struct Truth(Expected);

impl Check for Truth {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), String> {
        self.0.check(status, body).map_err(|mismatch| mismatch.to_string())
    }
}

impl Message {
    /// Makes request number `index` (from 0), and keeps its body unless it is too large.
    fn new(scenario: &Scenario, index: u64) -> Self {
        let (spec, kind) = (&scenario.payload, scenario.kind);
        let mut stream = Stream::new(spec, kind, index);
        let (mut kept, mut piece, mut bytes) = (Vec::new(), Vec::new(), 0);
        while stream.next_into(&mut piece) {
            bytes += piece.len();
            if bytes > BODY_BYTES_MAX {
                kept = Vec::new();
                piece.clear();
            }
            kept.append(&mut piece);
        }
        let body = if bytes > BODY_BYTES_MAX {
            Body::Made(Arc::new(Recipe { spec: spec.clone(), kind, index }))
        } else {
            Body::Kept(kept.into())
        };
        Self { body, bytes, truth: Arc::new(Truth(stream.into_expected())) }
    }
}

impl Prepared {
    /// Makes the requests: as many different ones as are asked for, but no more than are sent or fit
    /// in memory.
    pub(super) fn new(scenario: &Scenario, sampling: &Sampling) -> Self {
        let wanted = match scenario.load.model {
            Model::Closed { amount: Amount::Requests(requests), .. }
            | Model::Steps { requests, .. } => sampling.bodies.min(requests),
            Model::Closed { amount: Amount::Time | Amount::For(_), .. }
            | Model::Open { .. }
            | Model::Capacity { .. } => sampling.bodies,
        };
        let mut messages: Vec<Message> = Vec::new();
        let mut bytes = 0;
        for index in 0..wanted {
            let message = Message::new(scenario, index);
            bytes += message.bytes;
            messages.push(message);
            if bytes + bytes / messages.len() > BODY_BYTES_MAX {
                break;
            }
        }
        let pairs = messages.first().map_or(0, |message| message.truth.0.pairs());
        Self { scenario: scenario.clone(), pairs, messages }
    }

    /// Returns the mean size of the bodies.
    pub(super) fn body_bytes(&self) -> u64 {
        let sizes = self.messages.iter().map(|message| message.bytes);
        let mean = sizes.sum::<usize>() / self.messages.len().max(1);
        u64::try_from(mean).unwrap_or(u64::MAX)
    }

    /// Returns the requests as they are sent to `host`. The bodies are shared, not copied.
    pub(super) fn requests(&self, host: &str) -> Result<Arc<[Request]>, RequestError> {
        let Scenario { payload: spec, kind, path, .. } = &self.scenario;
        let (content_type, headers) = (spec.content_type(*kind), spec.headers(*kind));
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = |message: &Message| {
            let check: Arc<dyn Check> = Arc::<Truth>::clone(&message.truth);
            let source: Arc<dyn Source> = match (&message.body, spec.framing) {
                (Body::Kept(body), Framing::Length) => {
                    let body = body.clone();
                    return Request::post(path, host, content_type, &headers, body, check);
                }
                (Body::Kept(body), Framing::Chunked) => Arc::new(body.bytes().clone()),
                (Body::Made(recipe), _) => Arc::<Recipe>::clone(recipe),
            };
            let framing = match spec.framing {
                Framing::Length => load::Framing::Length(message.bytes as u64),
                Framing::Chunked => load::Framing::Chunked,
            };
            Request::stream(path, host, content_type, &headers, source, framing, check)
        };
        self.messages.iter().map(request).collect()
    }
}
