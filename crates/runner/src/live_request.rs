//! Requests that are rendered as they are sent: the templates are those of the scenario, the number that no
//! other request has, the time and what is random are made here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use load::{
    AnswerCapture, AnswerParts, CapturedValues, LiveRequest, LoadRequest, RequestBody,
    RequestContent, RequestHead, ResponseCheck, UnsendableRequest, WrongResponse,
};
use payload::{
    Capture, LiveTexts, LiveValues, PayloadSpec, RequestContext, RequestFraming, RequestRenderer,
    ResponseExpectation,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use suite::Operation;

use crate::expectation_check::ExpectationCheck;

/// Characters of a nonce: more than 128 bits of 62 letters and digits.
const NONCE_CHARS: usize = 22;

/// The number of the next request. It begins with the microseconds since 1970, so that no later run has
/// a number of this one: no load sends a million requests a second.
static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
    let now = jiff::Timestamp::now().as_microsecond();
    AtomicU64::new(u64::try_from(now).unwrap_or_default())
});

/// One request of an operation, without what is known only when it is sent.
pub(super) struct OperationRequest {
    pub(super) operation: Arc<Operation>,
    pub(super) renderer: Arc<RequestRenderer>,
    pub(super) context: Arc<RequestContext>,
    /// The request as far as it is known before; none where the templates compute with what is not.
    pub(super) open: Option<LiveTexts>,
    /// The value of the header `Host`.
    pub(super) host: String,
    /// What follows the head, unless a template makes it anew each time.
    pub(super) content: RequestContent,
    /// What the answer is held against, unless a template says so anew each time.
    pub(super) check: Arc<dyn ResponseCheck>,
}

impl LiveRequest for OperationRequest {
    fn render(&self, captured: &Arc<CapturedValues>) -> Result<LoadRequest, UnsendableRequest> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let is_used = |name: &str| self.renderer.names(name);
        self.with(moment(number, &is_used, Arc::clone(captured)))
    }
}

impl OperationRequest {
    /// Returns the request with these values.
    pub(super) fn with(&self, values: LiveValues) -> Result<LoadRequest, UnsendableRequest> {
        let wrong = |error: Box<dyn std::error::Error + Send + Sync>| UnsendableRequest(error);
        let filled = self.open.as_ref().and_then(|open| open.fill(&values));
        let texts = if let Some(texts) = filled {
            texts
        } else {
            let rendered = self.renderer.render(&self.context, values);
            rendered.map_err(|error| wrong(error.into()))?
        };
        let headers: Vec<_> =
            texts.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let Operation { method, payload, kind, .. } = &*self.operation;
        let head = RequestHead {
            method: *method,
            path: &texts.path,
            host: &self.host,
            content_type: method.has_body().then(|| payload.content_type(*kind)),
            headers: &headers,
        };
        let is_live = self.operation.is_live;
        let content = match texts.body {
            Some(body) if is_live && method.has_body() => encoded(payload, body.into_bytes()),
            Some(_) | None => self.content.clone(),
        };
        let check = match texts.expected {
            Some(expected) if is_live => checked(expected),
            Some(_) | None => Arc::clone(&self.check),
        };
        LoadRequest::new(head, content, check).map_err(|error| wrong(error.into()))
    }
}

/// Returns a body that was made for one request, as the payload goes over the wire.
fn encoded(spec: &PayloadSpec, body: Vec<u8>) -> RequestContent {
    let body = spec.encode(body);
    match spec.framing {
        RequestFraming::Length => RequestContent::Kept(RequestBody::once(body)),
        RequestFraming::Chunked => {
            RequestContent::Streamed(Arc::new(Bytes::from(body)), load::BodyFraming::Chunked)
        }
    }
}

fn checked(expected: ResponseExpectation) -> Arc<dyn ResponseCheck> {
    Arc::new(ExpectationCheck(expected))
}

/// What a request that is sent now has of its own, as far as it is used: it costs as much as sending the
/// request. All that is random follows from its number, which no other request has.
fn moment(
    unique: u64,
    is_used: &dyn Fn(&str) -> bool,
    captured: Arc<CapturedValues>,
) -> LiveValues {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (mut uuid, mut nonce, mut now) = (String::new(), String::new(), String::new());
    if is_used("uuid") || is_used("nonce") {
        let mut draws = ChaCha8Rng::seed_from_u64(unique);
        let mut bytes = [0; 16];
        draws.fill_bytes(&mut bytes);
        // Version 4 and the variant of RFC 9562.
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = units::hex(&bytes);
        uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        let letter = |_| char::from(LETTERS[usize::from(draws.next_u32().to_le_bytes()[0]) % 62]);
        nonce = (0..NONCE_CHARS).map(letter).collect();
    }
    if is_used("now") {
        now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    }
    LiveValues { unique: unique.to_string(), uuid, now, nonce, captured }
}

/// What an operation takes from its answers.
pub(super) struct OperationCapture(pub(super) Vec<Capture>);

impl AnswerCapture for OperationCapture {
    fn capture(&self, answer: &AnswerParts<'_>) -> Result<CapturedValues, WrongResponse> {
        let find = |capture: &Capture| {
            let found = capture.find(answer.headers, answer.body);
            let value = found.map_err(|miss| WrongResponse::Content(miss.into()))?;
            Ok((capture.name.clone(), value))
        };
        self.0.iter().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_request_has_a_number_a_uuid_and_a_nonce_of_its_own() {
        let moments = (0..500).map(|number| moment(number, &|_| true, Arc::default()));
        let mut seen = BTreeSet::new();
        for LiveValues { uuid, nonce, unique, now, .. } in moments {
            let shape: Vec<usize> = uuid.split('-').map(str::len).collect();
            assert_eq!(shape, [8, 4, 4, 4, 12], "{uuid}");
            assert!(uuid[14..].starts_with('4') && "89ab".contains(&uuid[19..20]), "{uuid}");
            assert!(nonce.len() == 22 && nonce.chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(now.len() == 24 && now.ends_with('Z'), "{now}");
            assert!(seen.insert(uuid) && seen.insert(nonce) && seen.insert(unique));
        }
    }
}
