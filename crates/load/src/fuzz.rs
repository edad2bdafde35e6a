//! What reads answers, for `fuzz/`, which drives it without sockets.

use std::time::Duration;

use bytes::Bytes;
use h2::client::Builder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::{runtime, time};

use crate::http1::ResponseBodyRule;
use crate::http2::stream::PartialResponse;
use crate::response::{ResponseBuffer, ResponseProgress};
use crate::settings::ClientSettings;

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

/// Sends one request by HTTP/2 to a peer that answers it with `frames`, whatever they are, and closes.
/// Returns whether a whole answer came.
pub fn http2(frames: &[u8]) -> bool {
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime of one thread needs no resources");
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let talk = async {
            let handshake = Builder::new().enable_push(false).handshake::<_, Bytes>(near).await;
            let Ok((sender, connection)) = handshake else { return false };
            let mover = tokio::spawn(connection);
            let Ok(mut sender) = sender.ready().await else { return false };
            let request = hyper::Request::get("http://localhost/").body(());
            let request = request.expect("a request of constants is sound");
            let Ok((response, _)) = sender.send_request(request, true) else { return false };
            let settings =
                ClientSettings { answer_bytes_max: ANSWER_BYTES_MAX, ..ClientSettings::default() };
            let heard = PartialResponse::default().listen(response, &settings).await;
            mover.abort();
            heard.is_ok()
        };
        let peer = async {
            let _ = far.write_all(frames).await;
            let _ = far.shutdown().await;
            // What the client sends has room until it has ended.
            let _ = far.read_to_end(&mut Vec::new()).await;
        };
        let both = async {
            tokio::select! {
                heard = talk => heard,
                () = async { peer.await; std::future::pending().await } => false,
            }
        };
        time::timeout(Duration::from_secs(10), both).await.expect("an answer ends with its bytes")
    })
}
