//! What reads the answers of a peer, without sockets.

use std::sync::Arc;

use super::connection::{Http2Connection, Http2Event};
use super::request::Http2Request;
use crate::request::{LoadRequest, SuccessCheck};

/// Sends one request by HTTP/2 to a peer that answers it with `frames`, whatever they are, in pieces of `piece_bytes`
/// bytes. Returns the status and the length of the answer, if it came whole.
pub(crate) fn read_answer(frames: &[u8], piece_bytes: usize) -> Option<(u16, usize)> {
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
