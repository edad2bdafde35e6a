//! Holds an answer against what is expected of it, for the load engine.

use load::{ResponseCheck, WrongResponse};
use payload::ResponseExpectation;

/// The truth about one request, as the load engine sees it.
pub(super) struct ExpectationCheck(pub(super) ResponseExpectation);

impl ResponseCheck for ExpectationCheck {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), WrongResponse> {
        self.0.check(status, body).map_err(|mismatch| WrongResponse::Content(mismatch.into()))
    }
}
