//! The answer on a stream, as far as it has come.

use std::sync::Arc;

use super::connection::AnswerHead;
use crate::answer_memory::AnswerMemory;
use crate::exchange::{ExchangeFailure, FailureKind};
use crate::http1::ResponseBodyRule;
use crate::judge::{CompleteResponse, ResponseHeaders};
use crate::request::ResponseCheck;
use crate::response::{ContentEncoding, ResponseFault};
use crate::virtual_user::{AnswerTaker, TakenValues};

#[derive(Default)]
pub(super) struct StreamAnswer {
    head: Option<AnswerHead>,
    body: Vec<u8>,
    memory: AnswerMemory,
}

impl StreamAnswer {
    /// Forgets the last answer and keeps its memory, unless others need it.
    pub(super) fn restart(&mut self, bytes_max: usize) {
        self.head = None;
        self.memory.empty(&mut self.body, bytes_max);
    }

    /// Whether anything of it is there.
    pub(super) fn has_begun(&self) -> bool {
        self.head.is_some()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes its head.
    pub(super) fn begin(&mut self, head: AnswerHead, bytes_max: usize) {
        let length = head.length.filter(|length| *length <= bytes_max);
        // What is announced is reserved at once, so the budget comes first.
        if let Some(length) = length.filter(|length| self.memory.take(*length, bytes_max)) {
            self.body.reserve_exact(length);
        }
        self.head = Some(head);
    }

    /// Takes a part of its body.
    pub(super) fn extend(&mut self, part: &[u8], bytes_max: usize) -> Result<(), ResponseFault> {
        let is_large = self.body.len() + part.len() > bytes_max;
        if is_large || !self.memory.take(self.body.capacity(), bytes_max) {
            let detail = format!("the answer is larger than the {bytes_max} bytes allowed");
            return Err(ResponseFault { kind: FailureKind::Malformed, detail });
        }
        self.body.extend_from_slice(part);
        Ok(())
    }

    /// Returns what is wrong with an answer that the target has ended.
    fn fault(&self, rule: ResponseBodyRule) -> Option<ResponseFault> {
        let head = self.head.as_ref()?;
        let (got, length) = (self.body.len(), head.length?);
        // Those tell the length of what they leave out (RFC 9110, 8.6).
        let is_left_out = rule == ResponseBodyRule::Never || head.status == 304;
        if got == length || is_left_out && got == 0 {
            return None;
        }
        let kind = if got < length { FailureKind::ShortBody } else { FailureKind::Malformed };
        let detail = format!("the answer ended after {got} of {length} bytes");
        Some(ResponseFault { kind, detail })
    }

    /// Returns what to say of an answer that was cut off.
    pub(super) fn cut(&self) -> ResponseFault {
        let Some(head) = &self.head else {
            let detail = "the connection was closed before an answer".to_owned();
            return ResponseFault { kind: FailureKind::Reset, detail };
        };
        let got = self.body.len();
        let detail = match head.length {
            Some(length) => format!("the answer ended after {got} of {length} bytes"),
            None => format!("the answer ended after {got} bytes"),
        };
        ResponseFault { kind: FailureKind::ShortBody, detail }
    }

    /// Judges it once the target has ended it.
    pub(super) fn judge(
        &self,
        rule: ResponseBodyRule,
        check: &Arc<dyn ResponseCheck>,
        taker: AnswerTaker<'_>,
        inflated: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<TakenValues, ExchangeFailure> {
        if let Some(ResponseFault { kind, detail }) = self.fault(rule) {
            return Err(ExchangeFailure::new(kind, detail, &self.body));
        }
        let head = self.head.as_ref();
        let (status, encoding) =
            head.map_or((0, ContentEncoding::Plain), |head| (head.status, head.encoding));
        let headers = ResponseHeaders::Apart(head.map_or(&[], |head| &head.headers));
        let body = self.body.as_slice();
        let answer = CompleteResponse { status, encoding, body, bytes: body, headers };
        answer.judge(&**check, taker, inflated, bytes_max)
    }
}
