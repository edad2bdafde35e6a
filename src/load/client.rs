//! The engine: hands requests to connections, moves their bytes, and tells how each ended.
//!
//! Written against the [`Network`] seam, so that a test can script the time and the peer.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::answer::{Answer, Broken, Progress};
use super::exchange::{Exchange, Failure, FailureKind, KEPT_BYTES_MAX};
use super::network::{Address, Network, Ready, System};
use super::pacing::{Closed, Next, Stop};
use super::request::Request;
use crate::cancel::Cancel;
use crate::units;

pub use super::pacing::Ended;

/// How often a wait looks at time-outs and at [`Cancel`], and how long a refused connection rests.
const TICK_NS: u64 = 50_000_000;

/// How requests are sent, whatever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Connections, and so requests in flight, at most.
    pub connections: NonZeroUsize,
    /// What is waited for, and how long.
    pub timeouts: Timeouts,
    /// Largest answer, head and body, that is read.
    pub answer_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: NonZeroUsize::MIN,
            timeouts: Timeouts::default(),
            answer_bytes_max: 1 << 30,
        }
    }
}

/// How long each part of an exchange may take; they are looked at every 50 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first packet until the connection is there.
    pub connect: Duration,
    /// From *sent* until the first byte of the answer.
    pub first_byte: Duration,
    /// From *sent* until the last byte of the answer.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_mins(10),
            total: Duration::from_mins(10),
        }
    }
}

/// Why no load could be made. Whatever the target does wrong is a failed exchange instead.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The list of requests is empty.
    #[error("there is no request to send")]
    NoRequest,
    /// The system refused a socket, memory for it, or a port to connect from.
    #[error(
        "failed to open a connection to `{address}`\n\nhint: this machine is out of sockets or ports; ask for fewer connections"
    )]
    Exhausted {
        /// The target.
        address: Address,
        /// The system's reason.
        source: io::Error,
    },
    /// The readiness queue failed.
    #[error("failed to wait for connections")]
    Wait(#[from] io::Error),
}

/// What a drive did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drive {
    /// When it began, in nanoseconds since the client was made.
    pub began_ns: u64,
    /// When the last exchange was done.
    pub ended_ns: u64,
    /// Exchanges that ended, rightly or not.
    pub exchanges: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Why it sent nothing more.
    pub ended: Ended,
}

impl Drive {
    /// Returns the time from the beginning to the end of the last exchange.
    pub fn wall(&self) -> Duration {
        Duration::from_nanos(self.ended_ns - self.began_ns)
    }
}

/// Connections to one target, and the requests to send over them.
pub struct Client {
    engine: Engine<System>,
}

impl Client {
    /// Makes a client of `address` that sends `requests` in turn. Nothing is connected yet.
    pub fn new(
        address: impl Into<Address>,
        requests: Arc<[Request]>,
        settings: Settings,
        cancel: Cancel,
    ) -> Result<Self, LoadError> {
        let address = address.into();
        let network = System::new(address.clone(), settings.connections.get())?;
        let engine = Engine::new(network, address, requests, settings, cancel)?;
        Ok(Self { engine })
    }

    /// Sends requests, each connection its next when the last is answered, until `stop` is reached;
    /// those in flight are then awaited. `sink` gets every exchange as it ends.
    ///
    /// Requests are taken in turn, going on where the last drive ended; connections are kept.
    pub fn drive(
        &mut self,
        stop: Stop,
        sink: &mut impl FnMut(&Exchange),
    ) -> Result<Drive, LoadError> {
        self.engine.drive(stop, sink)
    }

    /// Closes every connection and makes new ones, so that none sticks to one worker of the target.
    ///
    /// Returns when they are there, or refused: the next drive tries those again and reports them.
    pub fn renew(&mut self) -> Result<(), LoadError> {
        self.engine.renew()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is no connection.
    Closed,
    /// There will be one, and then nothing is to be sent.
    Opening,
    /// There will be one, and a request is to be sent then.
    Assigned,
    /// There is one, without a request.
    Idle,
    /// A request is being sent, or its answer awaited or read.
    Busy,
}

/// Whether the end of a stream has been announced already, and will not be a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Ahead,
    Seen,
}

struct Slot {
    state: State,
    /// Index of the request.
    request: usize,
    due_ns: u64,
    /// When connecting began, then when the request was sent.
    sent_ns: u64,
    written: usize,
    end: End,
    answer: Answer,
}

struct Engine<N> {
    network: N,
    address: Address,
    requests: Arc<[Request]>,
    /// Index of the request that is next.
    turn: usize,
    settings: Settings,
    cancel: Cancel,
    slots: Vec<Slot>,
    ready: Vec<Ready>,
    /// Slots that were refused a connection and rest until the next tick.
    resting: Vec<usize>,
    busy: usize,
    tick_ns: u64,
}

/// What a drive has in hand while it runs.
struct Driving<'a> {
    work: Closed,
    drive: Drive,
    sink: &'a mut dyn FnMut(&Exchange),
}

impl<N: Network> Engine<N> {
    fn new(
        network: N,
        address: Address,
        requests: Arc<[Request]>,
        settings: Settings,
        cancel: Cancel,
    ) -> Result<Self, LoadError> {
        if requests.is_empty() {
            return Err(LoadError::NoRequest);
        }
        let slot = || Slot {
            state: State::Closed,
            request: 0,
            due_ns: 0,
            sent_ns: 0,
            written: 0,
            end: End::Ahead,
            answer: Answer::new(settings.answer_bytes_max),
        };
        let slots = (0..settings.connections.get()).map(|_| slot()).collect();
        let (ready, resting) = (Vec::new(), Vec::new());
        let (turn, busy, tick_ns) = (0, 0, 0);
        Ok(Self {
            network,
            address,
            requests,
            turn,
            settings,
            cancel,
            slots,
            ready,
            resting,
            busy,
            tick_ns,
        })
    }

    fn drive(&mut self, stop: Stop, sink: &mut dyn FnMut(&Exchange)) -> Result<Drive, LoadError> {
        self.sweep()?;
        let began_ns = self.network.now_ns();
        let ended = Ended::Reached;
        let drive = Drive { began_ns, ended_ns: began_ns, exchanges: 0, failures: 0, ended };
        let mut driving = Driving { work: Closed::new(stop, began_ns), drive, sink };
        self.tick_ns = began_ns + TICK_NS;
        for slot in 0..self.slots.len() {
            self.give(slot, &mut driving)?;
        }
        while self.busy > 0 || !self.resting.is_empty() {
            if self.cancel.is_raised() {
                self.abandon();
                driving.drive.ended = Ended::Cancelled;
                return Ok(driving.drive);
            }
            self.wait()?;
            for at in 0..self.ready.len() {
                self.progress(self.ready[at], &mut driving)?;
            }
            self.tick(&mut driving)?;
        }
        let now_ns = self.network.now_ns();
        driving.drive.ended = driving.work.ended(now_ns).unwrap_or(Ended::Reached);
        Ok(driving.drive)
    }

    /// Learns which kept connections the target has closed since the last drive.
    fn sweep(&mut self) -> Result<(), LoadError> {
        self.network.wait(0, &mut self.ready)?;
        for ready in self.ready.drain(..) {
            if ready.readable {
                self.network.close(ready.slot);
                self.slots[ready.slot].state = State::Closed;
            }
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        self.abandon();
        let began_ns = self.network.now_ns();
        let until_ns = began_ns + units::nanos(self.settings.timeouts.connect);
        let mut opening = 0_usize;
        for slot in 0..self.slots.len() {
            if self.open(slot)?.is_ok() {
                self.slots[slot].state = State::Opening;
                opening += 1;
            }
        }
        while opening > 0 && !self.cancel.is_raised() && self.network.now_ns() < until_ns {
            self.wait()?;
            for ready in self.ready.drain(..) {
                let slot = &mut self.slots[ready.slot];
                if slot.state == State::Opening && ready.writable {
                    opening -= 1;
                    slot.state = State::Idle;
                    if self.network.opened(ready.slot).is_err() {
                        self.network.close(ready.slot);
                        slot.state = State::Closed;
                    }
                }
            }
        }
        Ok(())
    }

    /// Closes everything; what was in flight is not reported.
    fn abandon(&mut self) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.state != State::Closed {
                self.network.close(at);
                slot.state = State::Closed;
            }
        }
        self.busy = 0;
        self.resting.clear();
    }

    fn wait(&mut self) -> Result<(), LoadError> {
        let now_ns = self.network.now_ns();
        self.tick_ns = self.tick_ns.max(now_ns);
        Ok(self.network.wait(self.tick_ns, &mut self.ready)?)
    }

    /// Looks at time-outs and lets refused connections try again, once every tick.
    fn tick(&mut self, driving: &mut Driving<'_>) -> Result<(), LoadError> {
        let now_ns = self.network.now_ns();
        if now_ns < self.tick_ns {
            return Ok(());
        }
        self.tick_ns = now_ns + TICK_NS;
        for slot in 0..self.slots.len() {
            if let Some(detail) = self.overdue(slot, now_ns) {
                self.fail(slot, FailureKind::Timeout, detail, driving)?;
            }
        }
        for slot in std::mem::take(&mut self.resting) {
            self.give(slot, driving)?;
        }
        Ok(())
    }

    fn overdue(&self, slot: usize, now_ns: u64) -> Option<String> {
        let Slot { state, sent_ns, ref answer, .. } = self.slots[slot];
        let timeouts = self.settings.timeouts;
        let passed = |limit| now_ns.saturating_sub(sent_ns) >= units::nanos(limit);
        let (what, limit) = match state {
            State::Assigned if passed(timeouts.connect) => ("connection", timeouts.connect),
            State::Busy if answer.received() == 0 && passed(timeouts.first_byte) => {
                ("first byte", timeouts.first_byte)
            }
            State::Busy if passed(timeouts.total) => ("whole answer", timeouts.total),
            State::Closed | State::Opening | State::Assigned | State::Idle | State::Busy => {
                return None;
            }
        };
        Some(format!("no {what} within {}", units::duration(limit)))
    }

    /// Gives a free slot its next request, if there is one.
    fn give(&mut self, slot: usize, driving: &mut Driving<'_>) -> Result<(), LoadError> {
        let now_ns = self.network.now_ns();
        let Next::Send { due_ns } = driving.work.next(now_ns) else {
            return Ok(());
        };
        self.busy += 1;
        let it = &mut self.slots[slot];
        it.request = self.turn;
        self.turn = (self.turn + 1) % self.requests.len();
        it.due_ns = due_ns;
        it.sent_ns = now_ns;
        it.written = 0;
        it.end = End::Ahead;
        it.answer.restart(self.requests[it.request].answer);
        match it.state {
            State::Idle => self.send(slot, driving),
            State::Opening => {
                it.state = State::Assigned;
                Ok(())
            }
            State::Closed => match self.open(slot)? {
                Ok(()) => {
                    self.slots[slot].state = State::Assigned;
                    Ok(())
                }
                Err(error) => self.refused(slot, &error, driving),
            },
            State::Assigned | State::Busy => unreachable!("only a free slot is given a request"),
        }
    }

    /// Begins to connect. The outer error is ours, the inner one the target's.
    fn open(&mut self, slot: usize) -> Result<io::Result<()>, LoadError> {
        use rustix::io::Errno;
        let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL];
        match self.network.open(slot) {
            Err(source)
                if ours.iter().any(|it| source.raw_os_error() == Some(it.raw_os_error())) =>
            {
                Err(LoadError::Exhausted { address: self.address.clone(), source })
            }
            opening => Ok(opening),
        }
    }

    fn refused(
        &mut self,
        slot: usize,
        error: &io::Error,
        driving: &mut Driving<'_>,
    ) -> Result<(), LoadError> {
        let kind = match error.kind() {
            io::ErrorKind::TimedOut => FailureKind::Timeout,
            _ => FailureKind::Refused,
        };
        let detail = format!("no connection to {}: {error}", self.address);
        self.fail(slot, kind, detail, driving)
    }

    fn progress(&mut self, ready: Ready, driving: &mut Driving<'_>) -> Result<(), LoadError> {
        let slot = ready.slot;
        match self.slots[slot].state {
            State::Opening | State::Assigned if ready.writable => self.connected(slot, driving),
            State::Busy => {
                if ready.writable && self.unsent(slot) {
                    self.write(slot, driving)?;
                }
                // Writing can end the exchange; the slot then has a new one, with nothing to read.
                if ready.readable && self.slots[slot].state == State::Busy {
                    self.slots[slot].end = if ready.gone { End::Seen } else { End::Ahead };
                    self.read(slot, driving)?;
                }
                Ok(())
            }
            State::Idle if ready.readable => {
                self.network.close(slot);
                self.slots[slot].state = State::Closed;
                Ok(())
            }
            State::Closed | State::Opening | State::Assigned | State::Idle => Ok(()),
        }
    }

    fn connected(&mut self, slot: usize, driving: &mut Driving<'_>) -> Result<(), LoadError> {
        let assigned = self.slots[slot].state == State::Assigned;
        match (self.network.opened(slot), assigned) {
            (Ok(()), true) => self.send(slot, driving),
            (Ok(()), false) => {
                self.slots[slot].state = State::Idle;
                Ok(())
            }
            (Err(error), true) => self.refused(slot, &error, driving),
            (Err(_), false) => {
                self.network.close(slot);
                self.slots[slot].state = State::Closed;
                Ok(())
            }
        }
    }

    fn unsent(&self, slot: usize) -> bool {
        let slot = &self.slots[slot];
        slot.written < self.requests[slot.request].wire_bytes()
    }

    fn send(&mut self, slot: usize, driving: &mut Driving<'_>) -> Result<(), LoadError> {
        let now_ns = self.network.now_ns();
        let it = &mut self.slots[slot];
        it.state = State::Busy;
        it.sent_ns = now_ns;
        self.write(slot, driving)
    }

    /// Writes what the socket takes. A peer that takes no more may have answered all the same.
    fn write(&mut self, slot: usize, driving: &mut Driving<'_>) -> Result<(), LoadError> {
        while self.unsent(slot) {
            let it = &mut self.slots[slot];
            match self.network.send(slot, self.requests[it.request].unsent(it.written)) {
                Ok(written) => it.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    it.end = End::Seen;
                    self.read(slot, driving)?;
                    if self.slots[slot].state == State::Busy && self.unsent(slot) {
                        return self.fail(
                            slot,
                            FailureKind::Reset,
                            format!("sending: {error}"),
                            driving,
                        );
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads what is there, until the answer is whole.
    fn read(&mut self, slot: usize, driving: &mut Driving<'_>) -> Result<(), LoadError> {
        loop {
            let Slot { answer, end, .. } = &mut self.slots[slot];
            let room = answer.room();
            let spare = room.capacity() - room.len();
            match self.network.receive(slot, room) {
                Ok(0) => {
                    return match answer.closed() {
                        Ok(()) => self.answered(slot, driving),
                        Err(Broken { kind, detail }) => self.fail(slot, kind, detail, driving),
                    };
                }
                Ok(received) => match answer.advance(received) {
                    Ok(Progress::Whole) => return self.answered(slot, driving),
                    // Less than there was room for: the rest will be announced.
                    Ok(Progress::More) if received < spare && *end == End::Ahead => {
                        return Ok(());
                    }
                    Ok(Progress::More) => {}
                    Err(Broken { kind, detail }) => return self.fail(slot, kind, detail, driving),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = match answer.received() {
                        0 => FailureKind::Reset,
                        _ => FailureKind::ShortBody,
                    };
                    return self.fail(slot, kind, format!("receiving: {error}"), driving);
                }
            }
        }
    }

    /// The answer is whole: stops the clock, then judges it.
    fn answered(&mut self, slot: usize, driving: &mut Driving<'_>) -> Result<(), LoadError> {
        let done_ns = self.network.now_ns();
        let it = &mut self.slots[slot];
        let request = &self.requests[it.request];
        let whole = it.written == request.wire_bytes();
        let outcome = request.check.check(it.answer.status(), it.answer.body()).map_err(|detail| {
            let status = it.answer.status();
            let right = (200..300).contains(&status);
            let kind = if right { FailureKind::WrongAnswer } else { FailureKind::Status(status) };
            failure(kind, detail, it.answer.bytes())
        });
        it.state = State::Idle;
        if !whole || !it.answer.keeps_alive() || it.end == End::Seen {
            it.state = State::Closed;
            self.network.close(slot);
        }
        self.end(slot, done_ns, outcome, driving);
        self.give(slot, driving)
    }

    /// The exchange failed in a way that leaves its connection unusable.
    fn fail(
        &mut self,
        slot: usize,
        kind: FailureKind,
        detail: String,
        driving: &mut Driving<'_>,
    ) -> Result<(), LoadError> {
        let done_ns = self.network.now_ns();
        let it = &mut self.slots[slot];
        let refused = it.state != State::Busy;
        it.state = State::Closed;
        self.network.close(slot);
        let outcome = Err(failure(kind, detail, self.slots[slot].answer.bytes()));
        self.end(slot, done_ns, outcome, driving);
        if refused {
            // Trying again at once would spin on a target that is not there.
            self.resting.push(slot);
            Ok(())
        } else {
            self.give(slot, driving)
        }
    }

    fn end(
        &mut self,
        slot: usize,
        done_ns: u64,
        outcome: Result<(), Failure>,
        driving: &mut Driving<'_>,
    ) {
        self.busy -= 1;
        let it = &self.slots[slot];
        driving.drive.exchanges += 1;
        driving.drive.ended_ns = done_ns;
        if outcome.is_err() {
            driving.drive.failures += 1;
            driving.work.failed();
        }
        (driving.sink)(&Exchange {
            request: it.request,
            connection: slot,
            due_ns: it.due_ns,
            sent_ns: it.sent_ns,
            done_ns,
            request_bytes: it.written as u64,
            response_bytes: it.answer.received(),
            outcome,
        });
    }
}

fn failure(kind: FailureKind, detail: String, answer: &[u8]) -> Failure {
    let answer = answer[..answer.len().min(KEPT_BYTES_MAX)].to_vec();
    Failure { kind, detail, answer }
}
