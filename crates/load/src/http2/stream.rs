//! One request and its answer, on a stream of its own.

use std::future;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use hyper::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use tokio::time;

use super::StreamContext;
use super::connections::StreamOpener;
use crate::answer_memory::AnswerMemory;
use crate::body::BodySource;
use crate::exchange::{Exchange, ExchangeFailure, FailureKind};
use crate::judge::{CompleteResponse, ResponseHeaders};
use crate::request::{LoadRequest, RequestContent, ResponseCheck};
use crate::response::{ContentEncoding, ResponseFault};
use crate::settings::{ClientSettings, LoadError};
use crate::virtual_user::{AnswerTaker, TakenValues};

/// A request as HTTP/2 has it.
pub(super) struct Http2Request {
    head: Parts,
    body: Http2Payload,
    check: Arc<dyn ResponseCheck>,
}

enum Http2Payload {
    Nothing,
    /// Shared by all streams.
    Kept(Bytes),
    Made(Arc<dyn BodySource>),
}

impl Http2Request {
    /// Encodes a request; `scheme` is that of the connection.
    pub(super) fn new(request: &LoadRequest, scheme: &str) -> Result<Self, LoadError> {
        let wrong = |error: hyper::http::Error| LoadError::Http2 { reason: error.to_string() };
        let mut built = hyper::Request::builder().method(request.method.name());
        let mut authority = &request.host;
        if let Some(content_type) = &request.content_type {
            built = built.header(CONTENT_TYPE, content_type);
        }
        if let Some(bytes) = request.content_length() {
            built = built.header(CONTENT_LENGTH, bytes);
        }
        for (name, value) in &request.headers {
            if is_forbidden(name, value) {
                let reason = format!("its header `{name}: {value}` is one of HTTP/1.1 alone");
                return Err(LoadError::Http2 { reason });
            }
            // HTTP/2 has a pseudo-header for the one, and other frames for what the others say.
            if name.eq_ignore_ascii_case(HOST.as_str()) {
                authority = value;
            } else if ![CONNECTION, TRANSFER_ENCODING]
                .iter()
                .any(|it| name.eq_ignore_ascii_case(it.as_str()))
            {
                built = built.header(name, value);
            }
        }
        let uri = format!("{scheme}://{authority}{}", request.path);
        let built = built.uri(uri).version(hyper::Version::HTTP_2);
        let head = built.body(()).map_err(wrong)?.into_parts().0;
        let body = match &request.content {
            RequestContent::Streamed(source, _) => Http2Payload::Made(Arc::clone(source)),
            RequestContent::Kept(body) if !body.bytes().is_empty() => {
                Http2Payload::Kept(body.bytes().clone())
            }
            RequestContent::Kept(_) | RequestContent::Nothing => Http2Payload::Nothing,
        };
        Ok(Self { head, body, check: Arc::clone(&request.check) })
    }
}

/// Whether a header is about a connection of HTTP/1.1 (RFC 9113, 8.2.2): the library would refuse each request.
fn is_forbidden(name: &str, value: &str) -> bool {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    ["keep-alive", "proxy-connection", "upgrade"].into_iter().any(is)
        || is("te") && !value.trim().eq_ignore_ascii_case("trailers")
}

/// A request that was handed out.
pub(super) struct StreamJob {
    pub(super) place: usize,
    pub(super) line: usize,
    pub(super) request: usize,
    /// The request, if it is not the prepared one of its place.
    pub(super) live: Option<Arc<Http2Request>>,
    pub(super) due_ns: u64,
    /// From when on it could have been sent: it was due, and its place was free.
    pub(super) possible_ns: u64,
}

impl StreamJob {
    /// Returns how much later than possible it is sent, if that is now.
    fn lag_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.possible_ns)
    }

    /// Returns the exchange of a request of which nothing was sent.
    pub(super) fn unsent(&self, done_ns: u64, outcome: Result<(), ExchangeFailure>) -> Exchange {
        Exchange {
            request: self.request,
            connection: self.line,
            due_ns: self.due_ns,
            sent_ns: done_ns,
            done_ns,
            lag_ns: self.lag_ns(done_ns),
            request_bytes: 0,
            response_bytes: 0,
            flow_ns: None,
            outcome,
        }
    }
}

/// What became of it.
pub(super) struct StreamOutcome {
    pub(super) job: StreamJob,
    /// Whether there was no connection to send it on.
    pub(super) refused: bool,
    /// Whether it was sent for the second time.
    pub(super) is_resent: bool,
    pub(super) exchange: Exchange,
    /// What a right answer leaves with the virtual user.
    pub(super) taken: Option<TakenValues>,
}

/// What was heard of an answer.
#[derive(Default)]
pub(crate) struct PartialResponse {
    status: u16,
    gzip: Option<ContentEncoding>,
    length: Option<usize>,
    /// Whether the target says that it has not processed the request.
    is_unprocessed: bool,
    keeps_headers: bool,
    /// Those that are text, if they are wanted.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    memory: AnswerMemory,
}

/// Sends a request and hears its answer; once more if the target says that it has not processed it. Fails if this
/// machine cannot.
pub(super) async fn exchange(
    shared: Arc<StreamContext>,
    job: StreamJob,
) -> Result<StreamOutcome, LoadError> {
    let mut exchange = job.unsent(job.due_ns, Ok(()));
    let mut is_resent = false;
    loop {
        let Some(opener) = open(&shared, &job, &mut exchange, is_resent).await? else {
            return Ok(StreamOutcome { job, refused: true, is_resent, exchange, taken: None });
        };
        shared.in_flight(|in_flight| in_flight.sent(exchange.sent_ns));
        let end = send_once(&shared, &job, opener, &mut exchange).await;
        if matches!(end, SendingEnd::Unprocessed) && !is_resent {
            // Service time counts from the second sending, so what is in flight does too (Little's law).
            shared.in_flight(|in_flight| in_flight.done(exchange.sent_ns));
            exchange.outcome = Ok(());
            is_resent = true;
            continue;
        }
        shared.in_flight(|in_flight| in_flight.done(exchange.done_ns));
        let taken = match end {
            SendingEnd::Answered(taken) => Some(taken),
            SendingEnd::Failed | SendingEnd::Unprocessed => None,
        };
        return Ok(StreamOutcome { job, refused: false, is_resent, exchange, taken });
    }
}

/// Finds what opens the stream, and notes when. Returns nothing if there is no connection, as the exchange then says.
async fn open(
    shared: &StreamContext,
    job: &StreamJob,
    exchange: &mut Exchange,
    is_resent: bool,
) -> Result<Option<StreamOpener>, LoadError> {
    let at_once = shared.lines.opener_at_once(job.line);
    exchange.sent_ns = shared.clock.now_ns();
    if !is_resent {
        // Up to here the request waited for the generator, from here on for the target.
        exchange.lag_ns = job.lag_ns(exchange.sent_ns);
    }
    if at_once.is_some() {
        return Ok(at_once);
    }
    // Boxed: it holds all of a handshake, which a stream of a kept connection would carry along.
    let opener = Box::pin(shared.lines.opener(job.line)).await?;
    exchange.sent_ns = shared.clock.now_ns();
    if let Err(error) = &opener {
        exchange.done_ns = exchange.sent_ns;
        exchange.outcome = Err(refused(shared, error));
    }
    Ok(opener.ok())
}

/// How one sending of a request ended. Of a failure, the exchange has the reason.
enum SendingEnd {
    Answered(TakenValues),
    Failed,
    /// The target has not processed it, and says so.
    Unprocessed,
}

async fn send_once(
    shared: &StreamContext,
    job: &StreamJob,
    opener: StreamOpener,
    exchange: &mut Exchange,
) -> SendingEnd {
    let request = job.live.as_deref().or(shared.requests[job.request].as_ref());
    let request = request.expect("what is not prepared is rendered before it is handed out");
    let taker = AnswerTaker::of(&shared.plan, job.request);
    let mut heard = PartialResponse { keeps_headers: taker.is_needed(), ..<_>::default() };
    exchange.request_bytes = 0;
    let (total, sent) = (shared.settings.timeouts.total, &mut exchange.request_bytes);
    let talk = converse(opener.sender, request, shared, &mut heard, sent);
    let talked = time::timeout(total, talk).await.unwrap_or_else(|_| {
        Err(timed_out(&format!("whole answer within {}", units::duration(total))))
    });
    exchange.done_ns = shared.clock.now_ns();
    shared.lines.freed(job.line);
    exchange.response_bytes = heard.body.len() as u64;
    let outcome = match talked {
        Ok(()) => heard.judge(&*request.check, taker, shared.settings.answer_bytes_max),
        Err(cut) => {
            let ResponseFault { kind, detail } =
                opener.ended.get().map_or(cut, |error| broken(error, &heard));
            Err(ExchangeFailure::new(kind, detail, &heard.body))
        }
    };
    match outcome {
        Ok(taken) => SendingEnd::Answered(taken),
        Err(failure) => {
            exchange.outcome = Err(failure);
            if heard.is_unprocessed { SendingEnd::Unprocessed } else { SendingEnd::Failed }
        }
    }
}

fn refused(shared: &StreamContext, error: &io::Error) -> ExchangeFailure {
    let timed_out = error.kind() == io::ErrorKind::TimedOut;
    let kind = if timed_out { FailureKind::Timeout } else { FailureKind::Refused };
    let detail = if timed_out {
        let limit = units::duration(shared.settings.timeouts.connect);
        format!("no connection with room for a stream within {limit}")
    } else {
        format!("no connection to {}: {error}", shared.lines.address())
    };
    ExchangeFailure::new(kind, detail, &[])
}

fn timed_out(what: &str) -> ResponseFault {
    ResponseFault { kind: FailureKind::Timeout, detail: format!("no {what}") }
}

/// Sends and listens at once: an answer may come before its request is whole.
async fn converse(
    mut sender: SendRequest<Bytes>,
    request: &Http2Request,
    shared: &StreamContext,
    heard: &mut PartialResponse,
    sent: &mut u64,
) -> Result<(), ResponseFault> {
    let head = hyper::Request::from_parts(request.head.clone(), ());
    let bodyless = matches!(request.body, Http2Payload::Nothing);
    let opened = sender.send_request(head, bodyless);
    let (response, stream) = opened.map_err(|error| heard.cut(&error))?;
    let listening = heard.listen(response, &shared.settings);
    let sending = async {
        // If it fails, the answer says why.
        let _ = send(stream, &request.body, sent).await;
        future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        outcome = listening => outcome,
        () = sending => Ok(()),
    }
}

async fn send(
    mut stream: SendStream<Bytes>,
    body: &Http2Payload,
    sent: &mut u64,
) -> Result<(), h2::Error> {
    match body {
        Http2Payload::Nothing => {}
        Http2Payload::Kept(bytes) => {
            *sent = bytes.len() as u64;
            stream.send_data(bytes.clone(), true)?;
        }
        Http2Payload::Made(source) => {
            let mut pieces = source.begin();
            let mut piece = Vec::new();
            while pieces.next_into(&mut piece) {
                let mut rest = Bytes::from(std::mem::take(&mut piece));
                while !rest.is_empty() {
                    stream.reserve_capacity(rest.len());
                    let Some(room) = future::poll_fn(|cx| stream.poll_capacity(cx)).await else {
                        return Ok(());
                    };
                    let part = rest.split_to(room?.min(rest.len()));
                    *sent += part.len() as u64;
                    stream.send_data(part, false)?;
                }
            }
            stream.send_data(Bytes::new(), true)?;
        }
    }
    Ok(())
}

impl PartialResponse {
    /// Takes note of an error before the first byte of the answer.
    fn cut(&mut self, error: &h2::Error) -> ResponseFault {
        self.is_unprocessed = is_unprocessed(error);
        broken(error, self)
    }

    pub(crate) async fn listen(
        &mut self,
        response: ResponseFuture,
        settings: &ClientSettings,
    ) -> Result<(), ResponseFault> {
        let limit = settings.timeouts.first_byte;
        let response = time::timeout(limit, response)
            .await
            .map_err(|_| timed_out(&format!("first byte within {}", units::duration(limit))))?;
        let response = response.map_err(|error| self.cut(&error))?;
        self.status = response.status().as_u16();
        if self.keeps_headers {
            let text = |(name, value): (&HeaderName, &HeaderValue)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            };
            self.headers = response.headers().iter().filter_map(text).collect();
        }
        let header = |name| response.headers().get(name).map(hyper::header::HeaderValue::as_bytes);
        self.gzip = header(CONTENT_ENCODING).map(ContentEncoding::named);
        self.length = header(CONTENT_LENGTH)
            .and_then(|value| str::from_utf8(value).ok())
            .and_then(|value| value.parse().ok());
        let bytes_max = settings.answer_bytes_max;
        let length = self.length.filter(|length| *length <= bytes_max);
        // What is announced is reserved at once, so the budget comes first.
        if let Some(length) = length.filter(|length| self.memory.take(*length, bytes_max)) {
            self.body.reserve_exact(length);
        }
        self.read(response.into_body(), bytes_max).await
    }

    async fn read(&mut self, mut body: RecvStream, bytes_max: usize) -> Result<(), ResponseFault> {
        while let Some(part) = body.data().await {
            let part = part.map_err(|error| broken(&error, self))?;
            let is_large = self.body.len() + part.len() > bytes_max;
            if is_large || !self.memory.take(self.body.capacity(), bytes_max) {
                let detail = format!("the answer is larger than the {bytes_max} bytes allowed");
                return Err(ResponseFault { kind: FailureKind::Malformed, detail });
            }
            self.body.extend_from_slice(&part);
            // It fails only on a stream that has ended, which the next read tells.
            let _ = body.flow_control().release_capacity(part.len());
        }
        Ok(())
    }

    fn judge(
        &self,
        check: &dyn ResponseCheck,
        taker: AnswerTaker<'_>,
        bytes_max: usize,
    ) -> Result<TakenValues, ExchangeFailure> {
        let encoding = self.gzip.unwrap_or(ContentEncoding::Plain);
        let (status, body) = (self.status, self.body.as_slice());
        let headers = ResponseHeaders::Apart(&self.headers);
        let answer = CompleteResponse { status, encoding, body, bytes: body, headers };
        answer.judge(check, taker, &mut Vec::new(), bytes_max)
    }
}

/// Whether the target says that it has not processed the request: its stream was refused, or is beyond the last one
/// that a goodbye names, which are all that the library ends with it (RFC 9113, 6.8 and 8.7).
fn is_unprocessed(error: &h2::Error) -> bool {
    let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (error.is_go_away() || is_refused)
}

/// Puts an error of the library into the words of the kinds.
fn broken(error: &h2::Error, heard: &PartialResponse) -> ResponseFault {
    let short = heard.length.is_some_and(|length| heard.body.len() < length);
    if error.is_library() && short {
        let (got, length) = (heard.body.len(), heard.length.unwrap_or_default());
        let detail = format!("the answer ended after {got} of {length} bytes");
        return ResponseFault { kind: FailureKind::ShortBody, detail };
    }
    if error.is_library() {
        return ResponseFault {
            kind: FailureKind::Malformed,
            detail: format!("no HTTP/2: {error}"),
        };
    }
    let kind = if heard.status == 0 { FailureKind::Reset } else { FailureKind::ShortBody };
    let reason = error.reason().map(|reason| format!("{reason:?}"));
    let detail = match reason {
        Some(reason) if error.is_go_away() => format!("GOAWAY: {reason}"),
        Some(reason) => format!("RST_STREAM: {reason}"),
        None => format!("receiving: {error}"),
    };
    ResponseFault { kind, detail }
}
