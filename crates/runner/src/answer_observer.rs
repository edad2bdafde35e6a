//! Keeps what was sent and what came back of requests that are sent one after the other.

use std::sync::{Arc, Mutex, PoisonError};

use load::{
    CapturedValues, LiveRequest, LoadRequest, PlannedRequest, RequestForm, ResponseCheck,
    UnsendableRequest, WrongResponse,
};

/// Returns a request of which is kept what was sent and what came back.
pub(super) fn observed(planned: PlannedRequest, seen: &Arc<AnswerObserver>) -> PlannedRequest {
    let form = ObservedRequest { form: planned.form, seen: Arc::clone(seen) };
    PlannedRequest { form: RequestForm::Live(Arc::new(form)), capture: planned.capture }
}

/// A request whose answer is observed.
struct ObservedRequest {
    form: RequestForm,
    seen: Arc<AnswerObserver>,
}

impl LiveRequest for ObservedRequest {
    fn render(&self, captured: &Arc<CapturedValues>) -> Result<LoadRequest, UnsendableRequest> {
        let request = match &self.form {
            RequestForm::Prepared(request) => request.clone(),
            RequestForm::Live(live) => live.render(captured)?,
        };
        *self.seen.answer.lock().unwrap_or_else(PoisonError::into_inner) =
            ObservedAnswer { request: Some(request.clone()), ..ObservedAnswer::default() };
        let observed: Arc<dyn ResponseCheck> = Arc::<AnswerObserver>::clone(&self.seen);
        Ok(request.with_check(observed))
    }
}

/// Checks an answer as the scenario does, and keeps it with its request.
#[derive(Default)]
pub(super) struct AnswerObserver {
    answer: Mutex<ObservedAnswer>,
}

/// A request, and what was answered to it.
#[derive(Default)]
pub(super) struct ObservedAnswer {
    /// None of a request that could not be made.
    pub(super) request: Option<LoadRequest>,
    /// The status; 0 without an answer.
    pub(super) status: u16,
    /// The head as it came; empty with HTTP/2.
    pub(super) head: String,
    /// The body, decompressed.
    pub(super) body: Vec<u8>,
}

impl AnswerObserver {
    /// Returns the last request with its answer, once.
    pub(super) fn take(&self) -> ObservedAnswer {
        std::mem::take(&mut *self.answer.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResponseCheck for AnswerObserver {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), WrongResponse> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.status = status;
        answer.body = body.to_vec();
        match &answer.request {
            Some(request) => request.check().check(status, body),
            None => Ok(()),
        }
    }

    fn observe(&self, bytes: &[u8]) {
        const END: &[u8] = b"\r\n\r\n";
        let end = bytes.windows(END.len()).position(|window| window == END);
        let is_http1 = bytes.starts_with(b"HTTP/");
        let head = end.filter(|_| is_http1).map_or(&[][..], |end| &bytes[..end + END.len()]);
        let head = String::from_utf8_lossy(head).into_owned();
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).head = head;
    }
}
