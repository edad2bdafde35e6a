//! What reads answers, for `fuzz/`, which drives it without sockets.

use crate::http1::ResponseBodyRule;
use crate::http2;
use crate::response::{ResponseBuffer, ResponseProgress};

/// Bytes that an answer may take: a bound that is reached quickly.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What came of an answer: its status and body, or what is wrong with it.
pub type AnswerOutcome = Result<(u16, Vec<u8>), String>;

/// Reads an HTTP/1.1 answer that comes in pieces of `piece_bytes` bytes, and then the end of the
/// connection.
pub fn http1(text: &[u8], piece_bytes: usize) -> AnswerOutcome {
    let mut answer = ResponseBuffer::new(ANSWER_BYTES_MAX);
    answer.restart(ResponseBodyRule::Possible);
    for piece in text.chunks(piece_bytes.max(1)) {
        answer.room().extend_from_slice(piece);
        match answer.advance(piece.len()) {
            Ok(ResponseProgress::More) => {}
            Ok(ResponseProgress::Whole) => return Ok((answer.status(), answer.body().to_vec())),
            Err(fault) => return Err(fault.detail),
        }
    }
    match answer.closed() {
        Ok(()) => Ok((answer.status(), answer.body().to_vec())),
        Err(fault) => Err(fault.detail),
    }
}

/// Sends one request by HTTP/2 to a peer that answers it with `frames`, whatever they are, in pieces of `piece_bytes`
/// bytes. Returns the status and the length of the answer, if it came whole.
pub fn http2(frames: &[u8], piece_bytes: usize) -> Option<(u16, usize)> {
    http2::fuzz::read_answer(frames, piece_bytes)
}
