//! The requests of a scenario as data, for programs that send them in place of the load engine: the same
//! bytes in the same order.

use std::collections::BTreeSet;
use std::sync::Arc;

use load::{
    BodyFraming, BodySource, LoadRequest, RequestContent, RequestError, RequestHead, RequestMethod,
    RequestOrder, SuccessCheck, UnsendableRequest,
};
use payload::{AnswerRule, LivePart, LiveText, LiveTextError, ResponseLocation};
use suite::{SamplingPlan, Scenario};
use thiserror::Error;

use crate::requests::ScenarioRequests;

/// The requests of a scenario, and their order.
#[derive(Debug, Clone)]
pub struct RequestListing {
    /// All different requests, operation after operation.
    pub requests: Vec<ListedRequest>,
    /// Which of them is next.
    pub order: RequestOrder,
    /// Requests, by their place, that each virtual user sends once before all others.
    pub setup: Vec<usize>,
    /// Units of work in one request.
    pub units: u64,
}

/// A request, as far as it is known before it is sent.
#[derive(Clone)]
pub struct ListedRequest {
    /// Its operation, by its number in the scenario.
    pub operation: usize,
    /// Its number among those of its operation, from 0.
    pub number: usize,
    /// What it does.
    pub method: RequestMethod,
    /// Where it is sent.
    pub path: LiveText,
    /// The media type of its body, if it has one.
    pub media_type: Option<String>,
    /// Its other headers, as name and value, without those that say how long the body is.
    pub headers: Vec<(String, LiveText)>,
    /// What follows its head.
    pub body: ListedBody,
    /// What makes an answer right.
    pub answer: ListedAnswer,
}

/// The body of a request.
#[derive(Clone)]
pub enum ListedBody {
    /// There is none.
    Nothing,
    /// It is known, to the byte.
    Known(Arc<dyn BodySource>, BodyFraming),
    /// It is filled in when it is sent.
    Live(LiveText),
}

/// What makes an answer right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedAnswer {
    /// Status 200, and a JSON object whose `matched` is this.
    Verdict(bool),
    /// Status 200, and a JSON object with `results`, each with a `matched`, in this order, and with counts
    /// that fit.
    Verdicts(Vec<bool>),
    /// A status from 200 to 299.
    Success,
    /// Such a status, and a SOAP envelope without a fault.
    Soap,
    /// A status below 500.
    Survival,
    /// Values at places, and a status from 200 to 299 unless one is among them: one value is that of the
    /// first there, several are all of them.
    Values(Vec<(ResponseLocation, Vec<LiveText>)>),
}

/// Why there is no such listing.
#[derive(Debug, Error)]
pub enum ListingError {
    /// A template does with a value that is known only when a request is sent what no other program does.
    #[error("operation `{operation}`")]
    Template {
        /// The operation.
        operation: String,
        /// What it does.
        source: LiveTextError,
    },
    /// A request cannot be made.
    #[error(transparent)]
    Unsendable(#[from] UnsendableRequest),
    /// A request cannot be made, as its template fails.
    #[error("the request cannot be made: {reason}")]
    NoRequest {
        /// What the template says.
        reason: String,
    },
}

impl std::fmt::Debug for ListedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListedRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl ListedRequest {
    /// Returns the head as the load engine sends it to `host` by HTTP/1.1, with its empty line. Nothing in it may
    /// be open.
    pub fn head(&self, host: &str) -> Result<String, RequestError> {
        let fixed = |text: &LiveText| text.fixed().unwrap_or_default();
        let headers: Vec<_> = self.headers.iter().map(|(name, it)| (name, fixed(it))).collect();
        let headers: Vec<_> =
            headers.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
        let content = match &self.body {
            ListedBody::Known(source, framing) => {
                RequestContent::Streamed(Arc::clone(source), *framing)
            }
            ListedBody::Nothing | ListedBody::Live(_) => RequestContent::Nothing,
        };
        let path = fixed(&self.path);
        let head = RequestHead {
            method: self.method,
            path: &path,
            host,
            content_type: self.media_type.as_deref(),
            headers: &headers,
        };
        Ok(LoadRequest::new(head, content, Arc::new(SuccessCheck))?.preview(0).head)
    }
}

impl ListedBody {
    /// Returns all of a known body.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let Self::Known(source, _) = self else { return None };
        let (mut pieces, mut bytes) = (source.begin(), Vec::new());
        while pieces.next_into(&mut bytes) {}
        Some(bytes)
    }
}

impl ListedAnswer {
    fn of(rule: AnswerRule<'_>) -> Result<Self, ListingError> {
        let fixed = |text: &String| LiveText(vec![LivePart::Text(text.clone())]);
        Ok(match rule {
            AnswerRule::Verdict(verdict) => Self::Verdict(verdict),
            AnswerRule::Verdicts(verdicts) => Self::Verdicts(verdicts),
            AnswerRule::Success => Self::Success,
            AnswerRule::Soap => Self::Soap,
            AnswerRule::Survival => Self::Survival,
            AnswerRule::Values(values) => {
                let value = |it: &payload::ExpectedValue| {
                    (it.place.clone(), it.values.iter().map(fixed).collect())
                };
                Self::Values(values.iter().map(value).collect())
            }
            AnswerRule::Unsendable(reason) => {
                return Err(ListingError::NoRequest { reason: reason.to_owned() });
            }
        })
    }
}

impl RequestListing {
    /// Makes the requests that the load engine sends, and lists them.
    pub fn new(scenario: &Scenario, sampling: &SamplingPlan) -> Result<Self, ListingError> {
        ScenarioRequests::new(scenario, sampling).listing()
    }
}

impl ScenarioRequests {
    fn listing(&self) -> Result<RequestListing, ListingError> {
        let captures = self.capture_names();
        let mut requests = Vec::new();
        for operation in 0..self.scenario.operations.len() {
            for number in 0..self.different_of(operation) {
                requests.push(self.listed(operation, number, &captures)?);
            }
        }
        let setup = self.scenario.setup.iter().map(|operation| self.first_of(*operation)).collect();
        Ok(RequestListing { requests, order: self.order(), setup, units: self.pairs })
    }

    fn listed(
        &self,
        operation: usize,
        number: usize,
        captures: &BTreeSet<String>,
    ) -> Result<ListedRequest, ListingError> {
        let it = &self.scenario.operations[operation];
        let body = match self.content_of(operation, number) {
            RequestContent::Nothing => ListedBody::Nothing,
            RequestContent::Kept(body) => {
                let bytes = body.bytes().clone();
                let length = BodyFraming::Length(bytes.len() as u64);
                ListedBody::Known(Arc::new(bytes), length)
            }
            RequestContent::Streamed(source, framing) => ListedBody::Known(source, framing),
        };
        let headers = it.payload.headers(it.kind);
        let mut listed = ListedRequest {
            operation,
            number,
            method: it.method,
            path: it.path.as_str().into(),
            media_type: it.method.has_body().then(|| it.payload.content_type(it.kind).to_owned()),
            headers: headers.iter().map(|(name, it)| (name.clone(), it.as_str().into())).collect(),
            body,
            answer: ListedAnswer::of(self.expectation_of(operation, number).rule())?,
        };
        let Some(renderer) = &it.renderer else { return Ok(listed) };
        let index = u64::try_from(number).unwrap_or(u64::MAX);
        let context = Arc::new(it.payload.request_context(it.kind, index));
        let texts = renderer.open(&context, captures).map_err(|source| {
            let operation = it.name.as_ref().map(ToString::to_string).unwrap_or_default();
            ListingError::Template { operation, source }
        })?;
        (listed.path, listed.headers) = (texts.path, texts.headers);
        if it.is_live {
            if let (Some(body), true) = (texts.body, it.method.has_body()) {
                listed.body = ListedBody::Live(body);
            }
            if let Some(expected) = texts.expected {
                listed.answer = ListedAnswer::Values(expected);
            }
        }
        Ok(listed)
    }
}
