//! Drives load as streams over HTTP/2 connections.
//!
//! It is made as the engine of HTTP/1.1 is, and against the same [`NetworkDriver`] seam: no task and no timer for a
//! request, and what is due at once leaves in one call. What one connection says is the business of `connection`.

mod answer;
mod connection;
mod frame;
#[cfg(any(fuzzing, test))]
pub(super) mod fuzz;
mod hpack;
mod huffman;
mod lines;
mod request;
#[cfg(test)]
mod tests;
mod transfer;

use std::collections::VecDeque;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;

use self::answer::StreamAnswer;
use self::connection::Http2Connection;
use self::request::Http2Request;
use super::arrival_watch::ArrivalWatch;
use super::drive::{LoadDrive, NEVER_NS, TICK_NS};
use super::exchange::{Exchange, ExchangeFailure, FailureKind};
use super::network::{self, Address, EndNotice, NetworkDriver, SocketReadiness};
use super::pacing::{PacerStep, PacingModel, StopCondition};
use super::request_plan::{PlannedRequest, RequestPlan};
use super::response::ResponseFault;
use super::settings::{ClientSettings, ConnectionReuse, DriveOutcome, LoadError};
use super::virtual_user::{TakenValues, VirtualUsers};
use units::cancel::Cancel;

/// Most turns that are made to learn what has happened since the last drive.
const SWEEPS_MAX: usize = 64;

/// Sockets of a line: connections that take no new streams have others beside them, until their last stream has
/// ended.
const LINE_SOCKETS: usize = 4;

/// Returns how many sockets an engine needs, for so many streams at once on each connection.
pub(super) fn sockets(settings: &ClientSettings, streams: NonZeroUsize) -> usize {
    let connections = settings.connections.get();
    match settings.reuse {
        ConnectionReuse::Kept => LINE_SOCKETS * connections,
        ConnectionReuse::PerRequest => connections.saturating_mul(streams.get()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SocketState {
    Closed,
    /// A connection is being made.
    Opening,
    /// There is one, although the target may not have said yet what it takes.
    Open,
}

struct Http2Socket {
    state: SocketState,
    connection: Http2Connection,
    end: EndNotice,
    /// Whether it took a request, or would have after the turn in which it began: where it ends, another one is worth
    /// a try.
    is_proven: bool,
    /// Places whose requests were opened since bytes were last sent.
    batch: Vec<usize>,
    /// Whether it is among those with something to send.
    is_touched: bool,
}

/// What requests see of a connection and of its successors.
struct Http2Line {
    /// The socket that takes new streams, or will.
    socket: usize,
    /// Places that wait for a connection, or for room on it.
    waiting: VecDeque<usize>,
    /// When its last stream ended.
    idle_ns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlaceState {
    Free,
    Waiting,
    /// Its stream is this one of this socket.
    Open {
        socket: usize,
        stream: u32,
    },
}

/// A place for a request in flight.
struct StreamPlace {
    state: PlaceState,
    /// Place of the request in the plan.
    request: usize,
    /// The request, if it is not the prepared one of its place.
    live: Option<Http2Request>,
    due_ns: u64,
    /// From when on it could have been sent: it was due, and its place was free.
    possible_ns: u64,
    /// When it began to wait, then when it was sent.
    sent_ns: u64,
    /// How much later than possible it was handed out, once that is known.
    lag_ns: Option<u64>,
    /// Since when there is no request here, or until when there shall be none.
    free_ns: u64,
    answer: StreamAnswer,
    /// Whether it was sent on its stream.
    is_sent: bool,
    /// Whether the request is sent for the second time.
    is_resent: bool,
}

/// Connections to one target whose streams carry the requests.
pub(super) struct Http2Engine<N> {
    network: N,
    address: Address,
    scheme: &'static str,
    plan: Arc<RequestPlan>,
    /// Those of the plan that are the same each time, by their place.
    requests: Vec<Option<Http2Request>>,
    users: VirtualUsers,
    settings: ClientSettings,
    cancel: Cancel,
    /// Streams that may be open on a connection.
    streams: usize,
    lines: Vec<Http2Line>,
    /// Those of line `n` are `n`, and those after it by the number of lines.
    sockets: Vec<Http2Socket>,
    places: Vec<StreamPlace>,
    /// Places without a request, the one that is free for longest first.
    free: VecDeque<usize>,
    /// Places that have a request.
    busy: usize,
    /// Lines that take part.
    part: usize,
    ready: Vec<SocketReadiness>,
    /// Sockets with more to read or to write than one turn may take.
    unfinished: Vec<usize>,
    /// Sockets with something to send.
    touched: Vec<usize>,
    /// Lines whose connection waits for room with the listener.
    unopened: Vec<usize>,
    tick_ns: u64,
    arrivals: ArrivalWatch,
    /// The last gzip body, decoded; kept for its memory.
    inflated: Vec<u8>,
}

impl<N: NetworkDriver> Http2Engine<N> {
    /// Makes an engine whose `network` has as many sockets as [`sockets`] says.
    pub(super) fn new(
        network: N,
        address: Address,
        scheme: &'static str,
        plan: &RequestPlan,
        settings: ClientSettings,
        streams: NonZeroUsize,
        cancel: Cancel,
    ) -> Result<Self, LoadError> {
        plan.check()?;
        let prepared = plan.requests.iter().map(PlannedRequest::prepared);
        let prepare = |request: Option<_>| request.map(|it| Http2Request::new(it, scheme));
        let requests = prepared.map(|it| prepare(it).transpose()).collect::<Result<_, _>>()?;
        let plan = Arc::new(plan.clone());
        let count = sockets(&settings, streams);
        let lines = match settings.reuse {
            ConnectionReuse::Kept => settings.connections.get(),
            ConnectionReuse::PerRequest => count,
        };
        let line = |socket| Http2Line { socket, waiting: VecDeque::new(), idle_ns: 0 };
        let socket = |_| Http2Socket {
            state: SocketState::Closed,
            connection: Http2Connection::new(),
            end: EndNotice::Ahead,
            is_proven: false,
            batch: Vec::new(),
            is_touched: false,
        };
        Ok(Self {
            network,
            address,
            scheme,
            users: VirtualUsers::new(Arc::clone(&plan)),
            plan,
            requests,
            settings,
            cancel,
            streams: streams.get(),
            lines: (0..lines).map(line).collect(),
            sockets: (0..count).map(socket).collect(),
            places: Vec::new(),
            free: VecDeque::new(),
            busy: 0,
            part: 0,
            ready: Vec::new(),
            unfinished: Vec::new(),
            touched: Vec::new(),
            unopened: Vec::new(),
            tick_ns: 0,
            arrivals: ArrivalWatch::default(),
            inflated: Vec::new(),
        })
    }

    /// Makes load. If that fails, no connection is left in the middle of something.
    pub(super) fn drive(
        &mut self,
        model: &PacingModel,
        sink: &mut dyn FnMut(&Exchange),
    ) -> Result<DriveOutcome, LoadError> {
        let drive = self.run(model, sink);
        if drive.is_err() {
            self.abandon();
        }
        drive
    }

    /// Returns the virtual users whose requests it sends.
    pub(super) fn users(&mut self) -> &mut VirtualUsers {
        &mut self.users
    }

    fn run(
        &mut self,
        model: &PacingModel,
        sink: &mut dyn FnMut(&Exchange),
    ) -> Result<DriveOutcome, LoadError> {
        self.sweep()?;
        self.enlist(model);
        if let PacingModel::Open(_) = model {
            self.network.note_arrivals();
        }
        let began_ns = self.network.now_ns();
        self.tick_ns = began_ns + TICK_NS;
        self.arrivals.begin(began_ns);
        let mut driving = LoadDrive::begin(model, began_ns, sink);
        self.hand_out(&mut driving);
        self.flush(&mut driving)?;
        while self.busy > 0 || driving.wake_ns != NEVER_NS {
            if self.cancel.is_raised() {
                self.abandon();
                return Ok(driving.cancelled());
            }
            let until_ns = if self.may_sleep(&driving) {
                self.network.sleep(driving.wake_ns, driving.pacer.then_ns())?;
                0
            } else {
                self.tick_ns.min(driving.wake_ns)
            };
            self.turn(until_ns, &mut driving)?;
            self.tick(&mut driving);
            self.hand_out(&mut driving);
            self.flush(&mut driving)?;
        }
        Ok(driving.ended(self.network.now_ns()))
    }

    /// Waits for what becomes ready, up to `until_ns`, and reads and writes it.
    fn turn(&mut self, until_ns: u64, driving: &mut LoadDrive<'_>) -> Result<(), LoadError> {
        let until_ns = if !self.unfinished.is_empty() {
            0
        } else if !self.unopened.is_empty() {
            until_ns.min(self.network.now_ns() + units::nanos(network::FULL_PAUSE))
        } else {
            until_ns
        };
        self.network.wait(until_ns, &mut self.ready)?;
        self.arrivals.looked(self.network.now_ns());
        for line in mem::take(&mut self.unopened) {
            self.connect(line, driving);
        }
        for at in 0..self.ready.len() {
            self.progress(self.ready[at], driving);
        }
        for socket in mem::take(&mut self.unfinished) {
            if self.sockets[socket].state == SocketState::Open {
                self.read(socket, driving);
                self.touch(socket);
            }
        }
        self.flush(driving)
    }

    /// Whether nothing needs to be done before the next request is due. Of several answers that came on a connection
    /// meanwhile, the system would tell when the last one did: so there is at most one to come.
    fn may_sleep(&self, driving: &LoadDrive<'_>) -> bool {
        let in_ns = driving.wake_ns.saturating_sub(self.network.now_ns());
        self.arrivals.may_sleep(in_ns)
            && self.unfinished.is_empty()
            && self.unopened.is_empty()
            && self.lines.iter().all(|line| line.waiting.is_empty())
            && self.sockets.iter().all(|it| match it.state {
                SocketState::Closed => true,
                SocketState::Opening => false,
                SocketState::Open => it.connection.is_quiet(),
            })
    }

    /// Learns what has happened to kept connections since the last drive.
    fn sweep(&mut self) -> Result<(), LoadError> {
        let mut sink = |_: &Exchange| {};
        let mut driving = LoadDrive::begin(&nothing(), self.network.now_ns(), &mut sink);
        for _ in 0..SWEEPS_MAX {
            self.turn(0, &mut driving)?;
            if self.ready.is_empty() || self.cancel.is_raised() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn renew(&mut self) -> Result<(), LoadError> {
        self.abandon();
        if self.settings.reuse == ConnectionReuse::PerRequest {
            return Ok(());
        }
        let mut sink = |_: &Exchange| {};
        let began_ns = self.network.now_ns();
        let mut driving = LoadDrive::begin(&nothing(), began_ns, &mut sink);
        let until_ns = began_ns + units::nanos(self.settings.timeouts.connect);
        for line in 0..self.lines.len() {
            self.connect(line, &mut driving);
        }
        let is_opening = |it: &Http2Socket| match it.state {
            SocketState::Closed => false,
            SocketState::Opening => true,
            SocketState::Open => !it.connection.is_ready(),
        };
        while !self.cancel.is_raised()
            && self.network.now_ns() < until_ns
            && (self.sockets.iter().any(is_opening) || !self.unopened.is_empty())
        {
            self.turn(self.network.now_ns() + TICK_NS, &mut driving)?;
        }
        // The next drive tries again what was not made, and reports it.
        self.unopened.clear();
        for socket in 0..self.sockets.len() {
            if is_opening(&self.sockets[socket]) {
                self.close(socket);
            }
        }
        driving.fault.map_or(Ok(()), Err)
    }

    /// Finds the connections and places that take part.
    fn enlist(&mut self, model: &PacingModel) {
        let all = self.settings.connections.get();
        let [part, places] = match model {
            PacingModel::Closed(closed) => closed.share(all, self.streams),
            PacingModel::Open(_) => [all, all.saturating_mul(self.streams)],
        };
        self.part = part;
        self.places.resize_with(places.max(self.places.len()), StreamPlace::default);
        self.free = (0..places).collect();
        for place in &mut self.places {
            place.free_ns = 0;
        }
    }

    /// Closes everything; what was in flight is not reported.
    fn abandon(&mut self) {
        for socket in 0..self.sockets.len() {
            if self.sockets[socket].state != SocketState::Closed {
                self.close(socket);
            }
        }
        for line in &mut self.lines {
            line.waiting.clear();
        }
        for place in &mut self.places {
            place.state = PlaceState::Free;
        }
        self.busy = 0;
        self.unfinished.clear();
        self.unopened.clear();
    }

    /// Gives free places what is due, and notes when to do so again.
    fn hand_out(&mut self, driving: &mut LoadDrive<'_>) {
        // At the end, as what fails at once would have it done again.
        driving.wake_ns = self.hand_out_due(driving);
    }

    /// Gives free places what is due, and returns when the next request is.
    fn hand_out_due(&mut self, driving: &mut LoadDrive<'_>) -> u64 {
        while let Some(place) = self.free.front().copied() {
            if self.users.is_done(place) {
                self.free.pop_front();
                continue;
            }
            let now_ns = self.network.now_ns();
            match driving.pacer.next(now_ns, self.places[place].free_ns) {
                PacerStep::Send { due_ns } => {
                    self.free.pop_front();
                    self.give(place, due_ns, now_ns, driving);
                }
                PacerStep::Later { at_ns } => return at_ns,
                PacerStep::Nothing => break,
            }
        }
        NEVER_NS
    }

    fn give(&mut self, place: usize, due_ns: u64, began_ns: u64, driving: &mut LoadDrive<'_>) {
        self.busy += 1;
        let request = self.users.next(place);
        let rendered = self.users.render(place, request).map_err(|error| error.to_string());
        let live = rendered.and_then(|rendered| {
            let encode = |it| Http2Request::new(&it, self.scheme);
            rendered.map(encode).transpose().map_err(|error| error.to_string())
        });
        // Rendering is the generator's time: it is lag, and no part of the service.
        let now_ns = match live {
            Ok(None) => began_ns,
            Ok(Some(_)) | Err(_) => self.network.now_ns(),
        };
        driving.drive.rendering_ns += now_ns - began_ns;
        let it = &mut self.places[place];
        driving.drive.late += u64::from(due_ns < it.free_ns);
        (it.request, it.due_ns, it.possible_ns) = (request, due_ns, due_ns.max(it.free_ns));
        (it.sent_ns, it.lag_ns, it.is_resent) = (now_ns, None, false);
        it.answer.restart(self.settings.answer_bytes_max);
        match live {
            Ok(live) => {
                it.live = live;
                self.assign(place, now_ns, driving);
            }
            Err(detail) => {
                let failure = ExchangeFailure::new(FailureKind::WrongAnswer, detail, &[]);
                self.unsent(place, failure, driving);
            }
        }
    }

    pub(super) fn end(
        &mut self,
        place: usize,
        sent: u64,
        done_ns: u64,
        outcome: Result<TakenValues, ExchangeFailure>,
        driving: &mut LoadDrive<'_>,
    ) {
        self.busy -= 1;
        let it = &mut self.places[place];
        it.state = PlaceState::Free;
        it.free_ns = done_ns;
        self.free.push_back(place);
        // Its place can be given another request, even if nothing else happens.
        driving.wake_ns = 0;
        let flow_ns = self.users.ended(place, done_ns - it.due_ns, outcome.as_ref().ok());
        driving.note(&Exchange {
            request: it.request,
            connection: place % self.part,
            due_ns: it.due_ns,
            sent_ns: it.sent_ns,
            done_ns,
            lag_ns: it.lag_ns.unwrap_or(0),
            request_bytes: sent,
            response_bytes: it.answer.body().len() as u64,
            flow_ns,
            outcome: outcome.map(|_| ()),
        });
    }

    /// Looks at time-outs, once every tick.
    fn tick(&mut self, driving: &mut LoadDrive<'_>) {
        let now_ns = self.network.now_ns();
        if now_ns < self.tick_ns {
            return;
        }
        self.tick_ns = now_ns + TICK_NS;
        for place in 0..self.places.len() {
            match self.places[place].state {
                PlaceState::Free => {}
                PlaceState::Waiting => self.tick_waiting(place, now_ns, driving),
                PlaceState::Open { socket, stream } => {
                    if let Some(detail) = self.overdue(place, now_ns) {
                        let fault = ResponseFault { kind: FailureKind::Timeout, detail };
                        self.cut(socket, stream, fault, driving);
                    }
                }
            }
        }
    }

    fn overdue(&self, place: usize, now_ns: u64) -> Option<String> {
        let it = &self.places[place];
        let timeouts = self.settings.timeouts;
        let passed = |limit| now_ns.saturating_sub(it.sent_ns) >= units::nanos(limit);
        let (what, limit) = if !it.answer.has_begun() && passed(timeouts.first_byte) {
            ("first byte", timeouts.first_byte)
        } else if passed(timeouts.total) {
            ("whole answer", timeouts.total)
        } else {
            return None;
        };
        Some(format!("no {what} within {}", units::duration(limit)))
    }
}

impl Default for StreamPlace {
    fn default() -> Self {
        Self {
            state: PlaceState::Free,
            request: 0,
            live: None,
            due_ns: 0,
            possible_ns: 0,
            sent_ns: 0,
            lag_ns: None,
            free_ns: 0,
            answer: StreamAnswer::default(),
            is_sent: false,
            is_resent: false,
        }
    }
}

/// A load of no requests.
fn nothing() -> PacingModel {
    PacingModel::Closed(StopCondition::after_requests(0).into())
}
