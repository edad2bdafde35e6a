//! Makes a scenario's requests once, so that both builds are sent the very same bytes.
//!
//! A body that is too large to be kept is made again each time it is sent. That takes no memory, and
//! less time than sending it does.

use std::collections::BTreeSet;
use std::sync::Arc;

use load::measure::OperationPlace;
use load::{
    AnswerCapture, BodyPieces, BodySource, LoadRequest, PlannedRequest, RequestContent,
    RequestForm, RequestHead, RequestOrder, RequestPlan, ResponseCheck, UnsendableRequest,
};
use payload::{
    BodyStream, LiveValues, PayloadKind, PayloadSpec, RequestFraming, ResponseExpectation,
};
use record::OperationName;
use suite::{Operation, SamplingPlan, Scenario};

use crate::base_answer::{self, BaseAnswer};
use crate::expectation_check::ExpectationCheck;
use crate::live_request::{OperationCapture, OperationRequest};
use crate::request_order;

/// Memory that the different bodies of a scenario may take together, in bytes.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A scenario with its payloads in memory.
pub(super) struct ScenarioRequests {
    pub(super) scenario: Scenario,
    /// Units of work in one request.
    pub(super) pairs: u64,
    /// The requests of each operation.
    operations: Vec<Vec<ScenarioRequest>>,
    order: RequestOrder,
    /// What base answers, by the place of the request; nothing where the right ones are written.
    answers_of_base: Vec<Option<Arc<BaseAnswer>>>,
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

impl ScenarioRequest {
    /// Makes request number `index` (from 0), and keeps its body unless it is too large.
    fn new(operation: &Operation, index: u64) -> Self {
        let (spec, kind) = (&operation.payload, operation.kind);
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

    /// Returns a request without templates.
    fn request(&self, operation: &Operation, host: &str) -> Result<LoadRequest, UnsendableRequest> {
        let Operation { method, path, payload: spec, kind, .. } = operation;
        let headers = spec.headers(*kind);
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let content_type = method.has_body().then(|| spec.content_type(*kind));
        let head = RequestHead { method: *method, path, host, content_type, headers: &headers };
        let check: Arc<dyn ResponseCheck> = Arc::<ExpectationCheck>::clone(&self.truth);
        let request = LoadRequest::new(head, self.content(operation), check);
        request.map_err(|error| UnsendableRequest(error.into()))
    }

    /// Returns what follows the head of the request.
    fn content(&self, operation: &Operation) -> RequestContent {
        if !operation.method.has_body() {
            return RequestContent::Nothing;
        }
        let framing = operation.payload.framing;
        let source: Arc<dyn BodySource> = match (&self.body, framing) {
            (MessageBody::Kept(body), RequestFraming::Length) => {
                return RequestContent::Kept(body.clone());
            }
            (MessageBody::Kept(body), RequestFraming::Chunked) => Arc::new(body.bytes().clone()),
            (MessageBody::Made(recipe), _) => Arc::<BodyRecipe>::clone(recipe),
        };
        RequestContent::Streamed(
            source,
            match framing {
                RequestFraming::Length => load::BodyFraming::Length(self.bytes as u64),
                RequestFraming::Chunked => load::BodyFraming::Chunked,
            },
        )
    }
}

/// Makes the requests of an operation: as many different ones as are wanted, but no more than fit in
/// memory.
fn prepare(operation: &Operation, wanted: u64, bytes_max: usize) -> Vec<ScenarioRequest> {
    let heads_differ = operation.renderer.as_ref().is_some_and(|it| it.has_different_heads());
    // All requests without a body are one, unless their paths tell them apart.
    let differ = operation.method.has_body() || heads_differ;
    let wanted = if differ { wanted } else { wanted.min(1) };
    let mut messages: Vec<ScenarioRequest> = Vec::new();
    let mut bytes = 0;
    for index in 0..wanted {
        let message = ScenarioRequest::new(operation, index);
        bytes += message.bytes;
        messages.push(message);
        if bytes + bytes / messages.len() > bytes_max {
            break;
        }
    }
    messages
}

impl ScenarioRequests {
    /// Makes the requests: as many different ones as are configured, but no more than are sent or fit
    /// in memory.
    pub(super) fn new(scenario: &Scenario, sampling: &SamplingPlan) -> Self {
        let bodies = scenario.bodies(sampling);
        let bytes_max = BODY_BYTES_MAX / scenario.operations.len().max(1);
        let prepare = |operation: &Operation| prepare(operation, bodies, bytes_max);
        let operations: Vec<_> = scenario.operations.iter().map(prepare).collect();
        let different: Vec<usize> = operations.iter().map(Vec::len).collect();
        let order = match &scenario.order {
            None => RequestOrder::InTurn,
            Some(order) => request_order::of(order, &different, scenario.first().payload.seed),
        };
        Self {
            scenario: scenario.clone(),
            pairs: scenario.pairs_held(),
            operations,
            order,
            answers_of_base: Vec::new(),
        }
    }

    /// Has answers held against what base answers to the same requests.
    pub(super) fn judge_by_base(&mut self, answers: Vec<Option<Arc<BaseAnswer>>>) {
        self.answers_of_base = answers;
    }

    /// Returns the places of the requests that the load sends, each once, or as often as it is in a cycle.
    pub(super) fn places(&self) -> Vec<usize> {
        match &self.order {
            RequestOrder::InTurn => (0..self.operations.iter().map(Vec::len).sum()).collect(),
            RequestOrder::Shared(places) => {
                places.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
            }
            RequestOrder::PerUser(cycle) => cycle.places.to_vec(),
        }
    }

    /// Returns the places of the requests that each virtual user sends before the load.
    pub(super) fn setup_places(&self) -> Vec<usize> {
        self.scenario.setup.iter().map(|operation| self.first_of(*operation)).collect()
    }

    /// Returns what the answer to the first request of an operation must be, for a person.
    pub(super) fn expected(&self, operation: usize) -> String {
        let by_name = self.scenario.operations.get(operation).and_then(|it| self.by_name(it));
        if let Some(expected) = by_name {
            return expected.describe();
        }
        let first = self.operations.get(operation).and_then(|messages| messages.first());
        first.map_or_else(String::new, |message| message.truth.0.describe())
    }

    /// What the answer must hold, with the names of values that are not known yet; none where all are, or where
    /// the templates compute with them.
    fn by_name(&self, operation: &Operation) -> Option<ResponseExpectation> {
        let renderer = operation.renderer.as_ref().filter(|_| operation.is_live)?;
        let names = self.capture_names();
        let context = Arc::new(operation.payload.request_context(operation.kind, 0));
        let open = renderer.open(&context, &names).ok()?;
        open.fill(&LiveValues::as_names(&names))?.expected
    }

    /// Returns how many different requests there are.
    pub(super) fn different(&self) -> u64 {
        u64::try_from(self.operations.iter().map(Vec::len).sum::<usize>()).unwrap_or(u64::MAX)
    }

    /// Returns the mean size of the bodies.
    pub(super) fn body_bytes(&self) -> u64 {
        let sizes = self.operations.iter().flatten().map(|message| message.bytes);
        let different = usize::try_from(self.different()).unwrap_or(usize::MAX);
        let mean = sizes.sum::<usize>() / different.max(1);
        u64::try_from(mean).unwrap_or(u64::MAX)
    }

    /// Returns which operation the request at a place of the plan is of, where there are several.
    pub(super) fn operation_place(&self, request: usize) -> Option<OperationPlace> {
        self.scenario.order.as_ref()?;
        let mut body = request;
        for (operation, messages) in self.operations.iter().enumerate() {
            match body.checked_sub(messages.len()) {
                Some(beyond) => body = beyond,
                None => return Some(OperationPlace { operation, body }),
            }
        }
        None
    }

    /// Returns how many different requests each of several operations has; nothing where there is one.
    pub(super) fn different_by_operation(&self) -> Vec<usize> {
        let several = self.scenario.order.as_ref().map_or(0, |_| self.operations.len());
        self.operations.iter().take(several).map(Vec::len).collect()
    }

    /// Returns the name of the operation that the request at a place of the plan is of, if it has one.
    pub(super) fn operation_name(&self, request: usize) -> Option<&OperationName> {
        let place = self.operation_place(request)?;
        self.scenario.operations.get(place.operation)?.name.as_ref()
    }

    /// Returns the place of the first request of an operation.
    pub(super) fn first_of(&self, operation: usize) -> usize {
        self.operations[..operation].iter().map(Vec::len).sum()
    }

    /// Returns how many different requests an operation has.
    pub(super) fn different_of(&self, operation: usize) -> usize {
        self.operations[operation].len()
    }

    /// Returns what follows the head of a request of an operation.
    pub(super) fn content_of(&self, operation: usize, number: usize) -> RequestContent {
        self.operations[operation][number].content(&self.scenario.operations[operation])
    }

    /// Returns what the answer to a request of an operation must be, unless a template says so anew each
    /// time.
    pub(super) fn expectation_of(&self, operation: usize, number: usize) -> &ResponseExpectation {
        &self.operations[operation][number].truth.0
    }

    /// Returns the order of the requests.
    pub(super) fn order(&self) -> RequestOrder {
        self.order.clone()
    }

    /// Returns the names of all captures.
    pub(super) fn capture_names(&self) -> BTreeSet<String> {
        let captures = self.scenario.operations.iter().flat_map(|operation| &operation.captures);
        captures.map(|capture| capture.name.clone()).collect()
    }

    /// Returns the requests as they are sent to `host`, and their order. The bodies are shared, not copied.
    pub(super) fn plan(&self, host: &str) -> Result<RequestPlan, UnsendableRequest> {
        let mut requests = Vec::new();
        let names = self.capture_names();
        for (operation, messages) in self.scenario.operations.iter().zip(&self.operations) {
            let shared = Arc::new(operation.clone());
            let captures = &operation.captures;
            let taken = || OperationCapture(captures.clone());
            let capture: Option<Arc<dyn AnswerCapture>> =
                (!captures.is_empty()).then(|| Arc::new(taken()) as Arc<dyn AnswerCapture>);
            for (index, message) in (0..).zip(messages) {
                let form = match &operation.renderer {
                    None => RequestForm::Prepared(message.request(operation, host)?),
                    Some(renderer) => {
                        let context = operation.payload.request_context(operation.kind, index);
                        let context = Arc::new(context);
                        let open = || renderer.open(&context, &names).ok();
                        templated(OperationRequest {
                            operation: Arc::clone(&shared),
                            renderer: Arc::clone(renderer),
                            open: operation.is_live.then(open).flatten(),
                            context,
                            host: host.to_owned(),
                            content: message.content(operation),
                            check: Arc::<ExpectationCheck>::clone(&message.truth),
                        })?
                    }
                };
                let planned = PlannedRequest { form, capture: capture.clone() };
                let of_base = self.answers_of_base.get(requests.len()).and_then(Option::as_ref);
                requests.push(match of_base {
                    Some(answer) => base_answer::judged_by(answer, planned),
                    None => planned,
                });
            }
        }
        let (order, cookies) = (self.order.clone(), self.scenario.cookies);
        Ok(RequestPlan { requests, order, setup: self.setup_places(), cookies })
    }
}

/// Renders a request once, unless it has to be rendered each time.
fn templated(request: OperationRequest) -> Result<RequestForm, UnsendableRequest> {
    if request.operation.is_live {
        return Ok(RequestForm::Live(Arc::new(request)));
    }
    let values = LiveValues::placeholders(&BTreeSet::new());
    request.with(values).map(RequestForm::Prepared)
}
