//! Makes a scenario's requests once, so that both builds are sent the very same bytes.
//!
//! A body that is too large to be kept is made again each time it is sent. That takes no memory, and
//! less time than sending it does.

use std::sync::Arc;

use load::{BodyPieces, BodySource, LoadRequest, RequestError, ResponseCheck, WrongResponse};
use payload::{BodyStream, PayloadKind, PayloadSpec, RequestFraming, ResponseExpectation};
use suite::{SamplingPlan, Scenario};

/// Memory that the different bodies of a scenario may take together, in bytes.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A scenario with its payloads in memory.
pub(super) struct ScenarioRequests {
    pub(super) scenario: Scenario,
    /// XML pairs in one request.
    pub(super) pairs: u64,
    messages: Vec<ScenarioRequest>,
}

/// One request, without its head.
struct ScenarioRequest {
    body: MessageBody,
    /// Size of the body.
    bytes: usize,
    truth: Arc<ExpectationCheck>,
}

enum MessageBody {
    Kept(load::RequestBody),
    /// Too large: this makes it.
    Made(Arc<BodyRecipe>),
}

/// What makes one body.
struct BodyRecipe {
    spec: PayloadSpec,
    kind: PayloadKind,
    index: u64,
}

impl BodySource for BodyRecipe {
    fn begin(&self) -> Box<dyn BodyPieces> {
        Box::new(GeneratedPieces(BodyStream::new(&self.spec, self.kind, self.index)))
    }
}

/// A generated body in the form that the load engine takes.
struct GeneratedPieces(BodyStream);

impl BodyPieces for GeneratedPieces {
    fn next_into(&mut self, out: &mut Vec<u8>) -> bool {
        self.0.next_into(out)
    }
}

/// The truth about one request, as the load engine sees it.
struct ExpectationCheck(ResponseExpectation);

impl ResponseCheck for ExpectationCheck {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), WrongResponse> {
        self.0.check(status, body).map_err(|mismatch| WrongResponse::Content(mismatch.into()))
    }
}

impl ScenarioRequest {
    /// Makes request number `index` (from 0), and keeps its body unless it is too large.
    fn new(scenario: &Scenario, index: u64) -> Self {
        let (spec, kind) = (&scenario.payload, scenario.kind);
        let mut stream = BodyStream::new(spec, kind, index);
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
            MessageBody::Made(Arc::new(BodyRecipe { spec: spec.clone(), kind, index }))
        } else {
            MessageBody::Kept(kept.into())
        };
        Self { body, bytes, truth: Arc::new(ExpectationCheck(stream.into_expected())) }
    }
}

impl ScenarioRequests {
    /// Makes the requests: as many different ones as are configured, but no more than are sent or fit
    /// in memory.
    pub(super) fn new(scenario: &Scenario, sampling: &SamplingPlan) -> Self {
        let mut messages: Vec<ScenarioRequest> = Vec::new();
        let mut bytes = 0;
        for index in 0..scenario.bodies(sampling) {
            let message = ScenarioRequest::new(scenario, index);
            bytes += message.bytes;
            messages.push(message);
            if bytes + bytes / messages.len() > BODY_BYTES_MAX {
                break;
            }
        }
        let pairs = scenario.payload.pairs_held(scenario.kind);
        Self { scenario: scenario.clone(), pairs, messages }
    }

    /// Returns what the answer to the first request must be, for a person.
    pub(super) fn expected(&self) -> String {
        self.messages.first().map_or_else(String::new, |message| message.truth.0.describe())
    }

    /// Returns how many different requests there are.
    pub(super) fn different(&self) -> u64 {
        u64::try_from(self.messages.len()).unwrap_or(u64::MAX)
    }

    /// Returns the mean size of the bodies.
    pub(super) fn body_bytes(&self) -> u64 {
        let sizes = self.messages.iter().map(|message| message.bytes);
        let mean = sizes.sum::<usize>() / self.messages.len().max(1);
        u64::try_from(mean).unwrap_or(u64::MAX)
    }

    /// Returns the requests as they are sent to `host`. The bodies are shared, not copied.
    pub(super) fn requests(&self, host: &str) -> Result<Vec<LoadRequest>, RequestError> {
        let Scenario { payload: spec, kind, path, .. } = &self.scenario;
        let (content_type, headers) = (spec.content_type(*kind), spec.headers(*kind));
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = |message: &ScenarioRequest| {
            let check: Arc<dyn ResponseCheck> = Arc::<ExpectationCheck>::clone(&message.truth);
            let source: Arc<dyn BodySource> = match (&message.body, spec.framing) {
                (MessageBody::Kept(body), RequestFraming::Length) => {
                    let body = body.clone();
                    return LoadRequest::post(path, host, content_type, &headers, body, check);
                }
                (MessageBody::Kept(body), RequestFraming::Chunked) => {
                    Arc::new(body.bytes().clone())
                }
                (MessageBody::Made(recipe), _) => Arc::<BodyRecipe>::clone(recipe),
            };
            let framing = match spec.framing {
                RequestFraming::Length => load::BodyFraming::Length(message.bytes as u64),
                RequestFraming::Chunked => load::BodyFraming::Chunked,
            };
            LoadRequest::stream(path, host, content_type, &headers, source, framing, check)
        };
        self.messages.iter().map(request).collect()
    }
}
