//! Which connection carries a request, and what waits for one.

use std::io;
use std::mem;

use super::connection::Http2Connection;
use super::{Http2Engine, PlaceState, SocketState};
use crate::drive::LoadDrive;
use crate::exchange::{ExchangeFailure, FailureKind};
use crate::network::{self, EndNotice, NetworkDriver};
use crate::request_plan::current;
use crate::settings::{ConnectionReuse, LoadError};
use crate::virtual_user::AnswerTaker;

impl<N: NetworkDriver> Http2Engine<N> {
    /// Returns the line of a place.
    fn line(&self, place: usize) -> usize {
        match self.settings.reuse {
            ConnectionReuse::Kept => place % self.part,
            ConnectionReuse::PerRequest => place,
        }
    }

    /// Opens a stream for a request, or has it wait for one.
    pub(super) fn assign(&mut self, place: usize, now_ns: u64, driving: &mut LoadDrive<'_>) {
        let line = self.line(place);
        if self.lines[line].waiting.is_empty() && self.has_room(line) {
            self.open(place, self.lines[line].socket);
            return;
        }
        let it = &mut self.places[place];
        it.state = PlaceState::Waiting;
        it.sent_ns = now_ns;
        // Up to here the request waited for the generator, from here on for the target.
        it.lag_ns.get_or_insert(now_ns.saturating_sub(it.possible_ns));
        self.lines[line].waiting.push_back(place);
        self.ensure(line, driving);
    }

    fn has_room(&self, line: usize) -> bool {
        let it = &self.sockets[self.lines[line].socket];
        it.state == SocketState::Open && it.connection.has_room()
    }

    fn open(&mut self, place: usize, socket: usize) {
        let it = &mut self.places[place];
        let request = current(it.live.as_ref(), &self.requests, it.request);
        let prepared = it.live.is_none().then_some(it.request);
        let keeps_headers = AnswerTaker::of(&self.plan, it.request).is_needed();
        let opened = &mut self.sockets[socket];
        let stream = opened.connection.open(place, request, prepared, keeps_headers);
        it.state = PlaceState::Open { socket, stream };
        it.is_sent = false;
        opened.batch.push(place);
        self.touch(socket);
    }

    /// Opens streams for requests that wait, as far as there is room.
    pub(super) fn serve(&mut self, line: usize, driving: &mut LoadDrive<'_>) {
        while let Some(place) = self.lines[line].waiting.front().copied() {
            if !self.has_room(line) {
                return self.ensure(line, driving);
            }
            self.lines[line].waiting.pop_front();
            self.places[place].sent_ns = self.network.now_ns();
            self.open(place, self.lines[line].socket);
        }
    }

    /// Sees to it that a line has a connection, or will have one.
    fn ensure(&mut self, line: usize, driving: &mut LoadDrive<'_>) {
        let socket = self.lines[line].socket;
        let it = &self.sockets[socket];
        if it.state == SocketState::Open && it.connection.is_leaving() {
            if it.connection.is_idle() {
                self.close(socket);
            } else {
                let mut own = (line..self.sockets.len()).step_by(self.lines.len());
                let closed = own.find(|own| self.sockets[*own].state == SocketState::Closed);
                // All are leaving: the one whose last stream ends first is the next.
                let Some(closed) = closed else { return };
                self.lines[line].socket = closed;
            }
        }
        self.connect(line, driving);
    }

    /// Begins to connect; tries it again later, while the listener is full.
    pub(super) fn connect(&mut self, line: usize, driving: &mut LoadDrive<'_>) {
        let socket = self.lines[line].socket;
        if self.unopened.contains(&line) || self.sockets[socket].state != SocketState::Closed {
            return;
        }
        match self.network.open(socket) {
            Ok(()) => {
                let it = &mut self.sockets[socket];
                it.state = SocketState::Opening;
                it.connection = Http2Connection::new();
                it.end = EndNotice::Ahead;
                it.is_proven = false;
            }
            Err(error) if network::is_full(&self.address, &error) => self.unopened.push(line),
            Err(source) if network::is_ours(&source) => {
                let address = self.address.clone();
                driving.fault = Some(LoadError::Exhausted { address, source });
            }
            Err(error) => self.refuse(line, &error, driving),
        }
    }

    /// Fails what waits for a connection that could not be made.
    pub(super) fn refuse(&mut self, line: usize, error: &io::Error, driving: &mut LoadDrive<'_>) {
        let timed_out = error.kind() == io::ErrorKind::TimedOut;
        let kind = if timed_out { FailureKind::Timeout } else { FailureKind::Refused };
        let detail = format!("no connection to {}: {error}", self.address);
        self.turn_away(line, kind, &detail, driving);
    }

    pub(super) fn turn_away(
        &mut self,
        line: usize,
        kind: FailureKind,
        detail: &str,
        driving: &mut LoadDrive<'_>,
    ) {
        for place in mem::take(&mut self.lines[line].waiting) {
            let failure = ExchangeFailure::new(kind, detail.to_owned(), &[]);
            self.unsent(place, failure, driving);
        }
    }

    /// A request failed before it was sent.
    pub(super) fn unsent(
        &mut self,
        place: usize,
        failure: ExchangeFailure,
        driving: &mut LoadDrive<'_>,
    ) {
        let done_ns = self.network.now_ns();
        let it = &mut self.places[place];
        it.sent_ns = done_ns;
        it.lag_ns.get_or_insert(done_ns.saturating_sub(it.possible_ns));
        self.end(place, 0, done_ns, Err(failure), driving);
        self.places[place].free_ns = done_ns + driving.pacer.rest_ns();
    }

    /// Gives a request that the target has not processed another stream.
    pub(super) fn resend(&mut self, place: usize, driving: &mut LoadDrive<'_>) {
        let now_ns = self.network.now_ns();
        let it = &mut self.places[place];
        if it.is_sent {
            // Service time counts from the second sending, so what is in flight does too (Little's law).
            driving.in_flight.done(it.sent_ns);
            driving.drive.resent += 1;
            it.is_resent = true;
        }
        it.answer.restart(self.settings.answer_bytes_max);
        self.assign(place, now_ns, driving);
    }

    /// A stream has ended: others may have its room.
    pub(super) fn released(&mut self, socket: usize, now_ns: u64, driving: &mut LoadDrive<'_>) {
        let line = socket % self.lines.len();
        self.lines[line].idle_ns = now_ns;
        let it = &self.sockets[socket];
        let is_over = self.settings.reuse == ConnectionReuse::PerRequest;
        if it.state == SocketState::Open
            && it.connection.is_idle()
            && (is_over || it.connection.is_leaving())
        {
            self.close(socket);
        }
        self.serve(line, driving);
    }

    pub(super) fn close(&mut self, socket: usize) {
        self.network.close(socket);
        let it = &mut self.sockets[socket];
        it.state = SocketState::Closed;
        it.batch.clear();
        self.unfinished.retain(|unfinished| *unfinished != socket);
    }

    /// How long streams take is up to the target, and limited by their own time; that a connection without streams
    /// takes none is like one that does not come.
    pub(super) fn tick_waiting(&mut self, place: usize, now_ns: u64, driving: &mut LoadDrive<'_>) {
        let line = self.line(place);
        let socket = self.lines[line].socket;
        let it = &self.sockets[socket];
        let is_served = it.state == SocketState::Open && !it.connection.is_idle();
        let since_ns = self.places[place].sent_ns.max(self.lines[line].idle_ns);
        let connect = self.settings.timeouts.connect;
        if is_served || now_ns.saturating_sub(since_ns) < units::nanos(connect) {
            return;
        }
        let is_made = it.state == SocketState::Open && it.connection.is_ready();
        if !is_made && it.state != SocketState::Closed {
            // For the others that wait, another one is tried.
            self.close(socket);
        }
        let within = units::duration(connect);
        let detail = format!("no connection with room for a stream within {within}");
        let failure = ExchangeFailure::new(FailureKind::Timeout, detail, &[]);
        self.lines[line].waiting.retain(|waiting| *waiting != place);
        self.unsent(place, failure, driving);
        self.serve(line, driving);
    }
}
