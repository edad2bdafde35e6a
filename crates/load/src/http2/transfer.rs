//! Moves the bytes of connections, and does what they say.

use std::io;
use std::mem;

use super::connection::{self, Goodbye, Http2Event, OpenStream};
use super::frame::EndReason;
use super::{Http2Engine, Http2Socket, PlaceState, SocketState};
use crate::drive::LoadDrive;
use crate::exchange::{ExchangeFailure, FailureKind};
use crate::http1::UnsentBytes;
use crate::network::{self, EndNotice, NetworkDriver, SocketReadiness};
use crate::request_plan::current;
use crate::response::ResponseFault;
use crate::settings::LoadError;
use crate::virtual_user::AnswerTaker;

/// Most times that one socket is read or written before others have their turn.
const TURNS_MAX: usize = 64;

/// How a connection came to its end.
enum ConnectionLoss {
    /// The target closed it.
    Closed,
    /// The network failed.
    Failed(&'static str, io::Error),
    /// What came is no HTTP/2.
    Violated(ResponseFault),
}

impl ConnectionLoss {
    /// Returns what became of an answer that was `cut` off by it.
    fn fault(&self, goodbye: Option<Goodbye>, cut: ResponseFault) -> ResponseFault {
        let reason = goodbye.map(|goodbye| goodbye.reason);
        match (self, reason.filter(|reason| *reason != EndReason::NO_ERROR)) {
            (Self::Violated(fault), _) => fault.clone(),
            (_, Some(reason)) => ResponseFault { detail: format!("GOAWAY: {reason}"), ..cut },
            (Self::Closed, None) => cut,
            (Self::Failed(doing, error), None) => {
                ResponseFault { detail: format!("{doing}: {error}"), ..cut }
            }
        }
    }
}

impl<N: NetworkDriver> Http2Engine<N> {
    pub(super) fn progress(&mut self, ready: SocketReadiness, driving: &mut LoadDrive<'_>) {
        let SocketReadiness { slot: socket, readable, writable, .. } = ready;
        match self.sockets[socket].state {
            SocketState::Opening if writable => match self.network.opened(socket) {
                Ok(()) => self.sockets[socket].state = SocketState::Open,
                Err(error) => {
                    self.close(socket);
                    return self.refuse(socket % self.lines.len(), &error, driving);
                }
            },
            SocketState::Open => {}
            SocketState::Closed | SocketState::Opening => return,
        }
        if writable {
            self.touch(socket);
        }
        if readable {
            self.sockets[socket].end = ready.end();
            self.read(socket, driving);
        }
    }

    pub(super) fn touch(&mut self, socket: usize) {
        if !mem::replace(&mut self.sockets[socket].is_touched, true) {
            self.touched.push(socket);
        }
    }

    /// Notes when requests are sent, and sends them with all that waits to be sent.
    pub(super) fn flush(&mut self, driving: &mut LoadDrive<'_>) -> Result<(), LoadError> {
        while let Some(socket) = self.touched.pop() {
            self.sockets[socket].is_touched = false;
            if self.sockets[socket].state == SocketState::Open {
                self.stamp(socket, driving);
                self.write(socket, driving);
            }
        }
        driving.fault.take().map_or(Ok(()), Err)
    }

    fn stamp(&mut self, socket: usize, driving: &mut LoadDrive<'_>) {
        let Self { sockets, places, network, .. } = self;
        let Http2Socket { batch, connection, is_proven, .. } = &mut sockets[socket];
        *is_proven |= connection.has_room() || !batch.is_empty();
        if batch.is_empty() {
            return;
        }
        let now_ns = network.now_ns();
        for place in batch.drain(..) {
            let it = &mut places[place];
            let is_here = matches!(it.state, PlaceState::Open { socket: own, .. } if own == socket);
            // What has ended since is not sent any more.
            if is_here && !mem::replace(&mut it.is_sent, true) {
                it.sent_ns = now_ns;
                it.lag_ns.get_or_insert(now_ns.saturating_sub(it.possible_ns));
                driving.in_flight.sent(now_ns);
            }
        }
    }

    /// Writes what the socket takes, or as much as is its turn.
    fn write(&mut self, socket: usize, driving: &mut LoadDrive<'_>) {
        for _ in 0..TURNS_MAX {
            let connection = &mut self.sockets[socket].connection;
            let unsent = connection.unsent();
            if unsent.is_empty() {
                return;
            }
            match self.network.send(socket, &UnsentBytes::one(unsent)) {
                Ok(sent) => connection.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // It may have answered, or said why, all the same.
                    self.sockets[socket].end = EndNotice::Seen;
                    self.read(socket, driving);
                    if self.sockets[socket].state == SocketState::Open {
                        self.lose(socket, &ConnectionLoss::Failed("sending", error), driving);
                    }
                    return;
                }
            }
        }
        self.put_off(socket);
    }

    /// Goes on with a socket when others have had their turn.
    fn put_off(&mut self, socket: usize) {
        if !self.unfinished.contains(&socket) {
            self.unfinished.push(socket);
        }
    }

    /// Reads what is there, or as much as is its turn.
    pub(super) fn read(&mut self, socket: usize, driving: &mut LoadDrive<'_>) {
        for _ in 0..TURNS_MAX {
            let it = &mut self.sockets[socket];
            let room = it.connection.room();
            let spare = room.capacity() - room.len();
            let received = match self.network.receive(socket, room) {
                Ok(0) => return self.lose(socket, &ConnectionLoss::Closed, driving),
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return self.lose(socket, &ConnectionLoss::Failed("receiving", error), driving);
                }
            };
            if let Err(fault) = self.hear(socket, driving) {
                return self.lose(socket, &ConnectionLoss::Violated(fault), driving);
            }
            let it = &self.sockets[socket];
            if it.state != SocketState::Open {
                return;
            }
            // Less than there was room for: the rest will be announced.
            if received < spare && it.end == EndNotice::Ahead {
                return;
            }
        }
        self.put_off(socket);
    }

    /// Does what the received bytes say.
    fn hear(&mut self, socket: usize, driving: &mut LoadDrive<'_>) -> Result<(), ResponseFault> {
        let now_ns = self.network.now_ns();
        let bytes_max = self.settings.answer_bytes_max;
        while self.sockets[socket].state == SocketState::Open {
            let connection = &mut self.sockets[socket].connection;
            let Some(event) = connection.next()? else { break };
            match event {
                Http2Event::Room => self.serve(socket % self.lines.len(), driving),
                Http2Event::Head { stream, head, is_last } => {
                    let Some(place) = connection.place(stream) else { continue };
                    let it = &mut self.places[place];
                    if !it.is_sent {
                        return Err(connection::violation("an answer before its request"));
                    }
                    it.answer.begin(head, bytes_max);
                    if is_last {
                        self.answered(socket, stream, now_ns, driving);
                    }
                }
                Http2Event::Data { stream, part, is_last } => {
                    let Some(place) = connection.place(stream) else { continue };
                    let answer = &mut self.places[place].answer;
                    if let Err(fault) = answer.extend(connection.part(part), bytes_max) {
                        self.cut(socket, stream, fault, driving);
                    } else if is_last {
                        self.answered(socket, stream, now_ns, driving);
                    }
                }
                Http2Event::Reset { stream, reason } => self.reset(socket, stream, reason, driving),
                Http2Event::Goodbye => self.leave(socket, driving),
            }
        }
        // Settings and pings are to be answered, and windows to be opened.
        self.touch(socket);
        Ok(())
    }

    /// The answer is whole: the clock has stopped, it is judged.
    fn answered(&mut self, socket: usize, stream: u32, now_ns: u64, driving: &mut LoadDrive<'_>) {
        let Some(ended) = self.sockets[socket].connection.end(stream, true) else { return };
        let OpenStream { place, sent, .. } = ended;
        let it = &self.places[place];
        let (arrived_ns, bytes) = (self.network.arrived_ns(socket), it.answer.body().len() as u64);
        let is_announced = self.sockets.len() <= network::EVENTS_MAX;
        let done_ns = self.arrivals.done_ns(arrived_ns, it.sent_ns, now_ns, bytes, is_announced);
        let request = current(it.live.as_ref(), &self.requests, it.request);
        let taker = AnswerTaker::of(&self.plan, it.request);
        let bytes_max = self.settings.answer_bytes_max;
        let (rule, check) = (request.answer, &request.check);
        let outcome = it.answer.judge(rule, check, taker, &mut self.inflated, bytes_max);
        driving.in_flight.done(done_ns);
        self.end(place, sent, done_ns, outcome, driving);
        self.released(socket, done_ns, driving);
    }

    /// Ends a stream whose answer is not wanted any more.
    pub(super) fn cut(
        &mut self,
        socket: usize,
        stream: u32,
        fault: ResponseFault,
        driving: &mut LoadDrive<'_>,
    ) {
        let Some(ended) = self.sockets[socket].connection.end(stream, false) else { return };
        let done_ns = self.network.now_ns();
        self.touch(socket);
        self.fail(&ended, done_ns, fault, driving);
        self.released(socket, done_ns, driving);
    }

    /// The target has ended a stream. One that it did not process is opened once more (RFC 9113, 8.7).
    fn reset(
        &mut self,
        socket: usize,
        stream: u32,
        reason: EndReason,
        driving: &mut LoadDrive<'_>,
    ) {
        let Some(ended) = self.sockets[socket].connection.take(stream) else { return };
        let done_ns = self.network.now_ns();
        let it = &self.places[ended.place];
        if reason == EndReason::REFUSED_STREAM && !it.is_resent {
            self.resend(ended.place, driving);
        } else {
            let detail = format!("RST_STREAM: {reason}");
            let fault = ResponseFault { detail, ..it.answer.cut() };
            self.fail(&ended, done_ns, fault, driving);
        }
        self.released(socket, done_ns, driving);
    }

    /// The target takes no new streams, and has not processed those beyond the last one that it names (6.8).
    fn leave(&mut self, socket: usize, driving: &mut LoadDrive<'_>) {
        let Http2Socket { connection, is_proven, .. } = &mut self.sockets[socket];
        let Some(Goodbye { last, reason }) = connection.goodbye() else { return };
        let (is_proven, done_ns) = (*is_proven, self.network.now_ns());
        for ended in connection.take_from(last.saturating_add(1)) {
            if is_proven && !self.places[ended.place].is_resent {
                self.resend(ended.place, driving);
            } else {
                let detail = format!("GOAWAY: {reason}");
                let fault = ResponseFault { kind: FailureKind::Reset, detail };
                self.fail(&ended, done_ns, fault, driving);
            }
        }
        if !is_proven {
            let line = socket % self.lines.len();
            self.turn_away(line, FailureKind::Reset, &format!("GOAWAY: {reason}"), driving);
        }
        self.released(socket, done_ns, driving);
    }

    /// The connection has ended, and with it all that was under way on it.
    fn lose(&mut self, socket: usize, loss: &ConnectionLoss, driving: &mut LoadDrive<'_>) {
        let line = socket % self.lines.len();
        let Http2Socket { connection, is_proven, .. } = &mut self.sockets[socket];
        let (is_proven, goodbye) = (*is_proven, connection.goodbye());
        let done_ns = self.network.now_ns();
        let mut unsent = Vec::new();
        for ended in connection.take_from(0) {
            if self.places[ended.place].is_sent {
                let fault = loss.fault(goodbye, self.places[ended.place].answer.cut());
                self.fail(&ended, done_ns, fault, driving);
                self.lines[line].idle_ns = done_ns;
            } else {
                unsent.push(ended.place);
            }
        }
        self.close(socket);
        if is_proven {
            for place in unsent {
                self.resend(place, driving);
            }
            return self.serve(line, driving);
        }
        // Who is not there, or speaks something else, will do so again.
        self.lines[line].waiting.extend(unsent);
        match loss {
            ConnectionLoss::Closed => {
                self.refuse(line, &io::ErrorKind::UnexpectedEof.into(), driving);
            }
            ConnectionLoss::Failed(_, error) => self.refuse(line, error, driving),
            ConnectionLoss::Violated(fault) => {
                self.turn_away(line, fault.kind, &fault.detail, driving);
            }
        }
    }

    /// A request that has a stream has failed.
    fn fail(
        &mut self,
        ended: &OpenStream,
        done_ns: u64,
        fault: ResponseFault,
        driving: &mut LoadDrive<'_>,
    ) {
        let ResponseFault { kind, detail } = fault;
        let it = &self.places[ended.place];
        let failure = ExchangeFailure::new(kind, detail, it.answer.body());
        if it.is_sent {
            driving.in_flight.done(done_ns);
            self.end(ended.place, ended.sent, done_ns, Err(failure), driving);
        } else {
            self.unsent(ended.place, failure, driving);
        }
    }
}
