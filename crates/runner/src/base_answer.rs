//! Holds an answer against what base answers to the same request.

use std::sync::Arc;

use load::{
    CapturedValues, LiveRequest, LoadRequest, PlannedRequest, RequestForm, ResponseCheck,
    UnsendableRequest, WrongResponse,
};
use payload::{AnswerFacts, VaryingPlaces};

/// What base answers to one request.
pub(super) struct BaseAnswer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) facts: AnswerFacts,
    /// Where it answers differently from time to time.
    pub(super) varying: Arc<VaryingPlaces>,
}

/// Returns a request whose answer must say what base's says, beside what was required of it before.
pub(super) fn judged_by(answer: &Arc<BaseAnswer>, planned: PlannedRequest) -> PlannedRequest {
    let form = match planned.form {
        RequestForm::Prepared(request) => RequestForm::Prepared(with_base(&request, answer)),
        RequestForm::Live(live) => {
            RequestForm::Live(Arc::new(JudgedRequest { live, answer: Arc::clone(answer) }))
        }
    };
    PlannedRequest { form, capture: planned.capture }
}

fn with_base(request: &LoadRequest, answer: &Arc<BaseAnswer>) -> LoadRequest {
    let check = BaseCheck { promised: request.check(), answer: Arc::clone(answer) };
    request.with_check(Arc::new(check))
}

/// A request that is made each time it is sent.
struct JudgedRequest {
    live: Arc<dyn LiveRequest>,
    answer: Arc<BaseAnswer>,
}

impl LiveRequest for JudgedRequest {
    fn render(&self, captured: &Arc<CapturedValues>) -> Result<LoadRequest, UnsendableRequest> {
        Ok(with_base(&self.live.render(captured)?, &self.answer))
    }
}

/// What an answer must be.
struct BaseCheck {
    /// What the kind of request promises.
    promised: Arc<dyn ResponseCheck>,
    answer: Arc<BaseAnswer>,
}

impl ResponseCheck for BaseCheck {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), WrongResponse> {
        self.promised.check(status, body)?;
        let BaseAnswer { status: status_of_base, body: body_of_base, facts, varying } =
            &*self.answer;
        // The same bytes say the same, and need not be read.
        if status == *status_of_base && body == body_of_base {
            return Ok(());
        }
        match facts.difference(&AnswerFacts::read(status, body), varying) {
            Some(difference) => Err(WrongResponse::Content(difference.into())),
            None => Ok(()),
        }
    }

    fn observe(&self, bytes: &[u8]) {
        self.promised.observe(bytes);
    }
}
