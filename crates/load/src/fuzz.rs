//! What reads answers, for `fuzz/`, which drives it without sockets.

use std::sync::Arc;

use crate::http1::ResponseBodyRule;
use crate::http2::connection::{Http2Connection, Http2Event};
use crate::http2::request::Http2Request;
use crate::request::{LoadRequest, SuccessCheck};
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
    let request = LoadRequest::get("/", "localhost", &[], Arc::new(SuccessCheck));
    let request = request.expect("a request of constants is sound");
    let request = Http2Request::new(&request, "http").expect("it has no headers of HTTP/1.1");
    let mut connection = Http2Connection::new();
    let (mut status, mut bytes, mut is_open) = (0, 0, false);
    for piece in frames.chunks(piece_bytes.max(1)) {
        connection.room().extend_from_slice(piece);
        while let Some(event) = connection.next().ok()? {
            let is_whole = match event {
                Http2Event::Room if !is_open && connection.has_room() => {
                    connection.open(0, &request, None, true);
                    is_open = true;
                    false
                }
                Http2Event::Room => false,
                Http2Event::Head { head, is_last, .. } => {
                    status = head.status;
                    is_last
                }
                Http2Event::Data { part, is_last, .. } => {
                    bytes += connection.part(part).len();
                    is_last
                }
                Http2Event::Reset { .. } | Http2Event::Goodbye => return None,
            };
            if is_whole {
                return Some((status, bytes));
            }
        }
        let sent = connection.unsent().len();
        connection.advance(sent);
    }
    None
}
