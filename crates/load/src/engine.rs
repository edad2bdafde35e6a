//! Hands requests to connections, moves their bytes, and tells how each exchange ended.
//!
//! Written against the [`NetworkDriver`] seam, so that a test can script the time and the peer. There is
//! no timer per request: time-outs are looked at 20 times a second, due requests by the length of
//! the wait itself.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::Arc;

use super::arrival_watch::ArrivalWatch;
use super::drive::{LoadDrive, NEVER_NS, TICK_NS};
use super::exchange::{Exchange, ExchangeFailure, FailureKind};
use super::http1::{ConnectionEnd, Http1Request, ResponseBodyRule};
use super::judge::{CompleteResponse, ResponseHeaders};
use super::network;
use super::network::{Address, EndNotice, NetworkDriver, SocketReadiness};
use super::pacing::{PacerStep, PacingModel};
use super::pieces::RequestProgress;
use super::request_plan::{PlannedRequest, RequestPlan, UnsendableRequest, current};
use super::response::{ResponseBuffer, ResponseFault, ResponseProgress};
use super::settings::{ClientSettings, ConnectionReuse, DriveOutcome, LoadError};
use super::virtual_user::{AnswerTaker, TakenValues, VirtualUsers};
use units::cancel::Cancel;

/// Most pieces of a request that are written before other connections have their turn: 4 MiB of a
/// body that is made while it is sent.
const WRITES_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlotState {
    /// There is no connection.
    Closed,
    /// One is being made, without a request for it.
    Opening,
    /// One is being made, and a request is to be sent then.
    Assigned,
    /// There is one, without a request.
    Idle,
    /// A request is being sent, or its answer awaited or read.
    Busy,
}

struct ConnectionSlot {
    state: SlotState,
    /// Place of the request in the plan.
    request: usize,
    /// The request, if it is not the prepared one of its place.
    live: Option<Http1Request>,
    due_ns: u64,
    /// When connecting began, then when the request was sent.
    sent_ns: u64,
    /// How much later than possible the request was handed out.
    lag_ns: u64,
    /// Since when there is no request here, or until when there shall be none.
    free_ns: u64,
    outgoing: RequestProgress,
    end: EndNotice,
    answer: ResponseBuffer,
    passage: PassageState,
    /// Answers that came over the connection.
    answers: u64,
    /// Whether the request is sent for the second time.
    is_resent: bool,
}

/// Whether bytes of an exchange wait for the network to take or to bring the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PassageState {
    Clear,
    Blocked,
}

/// Connections to one target, and the requests to send over them.
pub(super) struct LoadEngine<N> {
    network: N,
    address: Address,
    plan: Arc<RequestPlan>,
    /// Those of the plan that are the same each time, by their place.
    requests: Vec<Option<Http1Request>>,
    end: ConnectionEnd,
    users: VirtualUsers,
    settings: ClientSettings,
    cancel: Cancel,
    slots: Vec<ConnectionSlot>,
    ready: Vec<SocketReadiness>,
    /// Free slots with a connection, the one that is free for longest first: all get their share.
    idle: VecDeque<usize>,
    /// Free slots without one.
    closed: VecDeque<usize>,
    /// Slots that have a request, be it in flight or waiting for its connection.
    busy: usize,
    /// Slots whose passage is blocked.
    blocked: usize,
    /// Slots with more to write than one turn may take.
    unfinished: Vec<usize>,
    /// Slots whose connection waits for room with the listener.
    unopened: Vec<usize>,
    tick_ns: u64,
    arrivals: ArrivalWatch,
    /// The last gzip body, decoded; kept for its memory.
    inflated: Vec<u8>,
}

impl<N: NetworkDriver> LoadEngine<N> {
    pub(super) fn new(
        network: N,
        address: Address,
        plan: &RequestPlan,
        settings: ClientSettings,
        cancel: Cancel,
    ) -> Result<Self, LoadError> {
        plan.check()?;
        let end = match settings.reuse {
            ConnectionReuse::Kept => ConnectionEnd::Kept,
            ConnectionReuse::PerRequest => ConnectionEnd::Close,
        };
        let prepared = plan.requests.iter().map(PlannedRequest::prepared);
        let requests = prepared.map(|it| Some(Http1Request::new(it?, end))).collect();
        let plan = Arc::new(plan.clone());
        let slot = || ConnectionSlot {
            state: SlotState::Closed,
            request: 0,
            live: None,
            due_ns: 0,
            sent_ns: 0,
            lag_ns: 0,
            free_ns: 0,
            outgoing: RequestProgress::default(),
            end: EndNotice::Ahead,
            answer: ResponseBuffer::new(settings.answer_bytes_max),
            passage: PassageState::Clear,
            answers: 0,
            is_resent: false,
        };
        Ok(Self {
            network,
            address,
            users: VirtualUsers::new(Arc::clone(&plan)),
            plan,
            requests,
            end,
            settings,
            cancel,
            slots: (0..settings.connections.get()).map(|_| slot()).collect(),
            ready: Vec::new(),
            idle: VecDeque::new(),
            closed: VecDeque::new(),
            busy: 0,
            blocked: 0,
            unfinished: Vec::new(),
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
        self.hand_out(&mut driving)?;
        while self.busy > 0 || driving.wake_ns != NEVER_NS {
            if self.cancel.is_raised() {
                self.abandon();
                return Ok(driving.cancelled());
            }
            if self.may_sleep(&driving) {
                self.network.sleep(driving.wake_ns, driving.pacer.then_ns())?;
                self.look(0)?;
                self.forget_closed(&mut driving);
                self.hand_out(&mut driving)?;
            } else {
                let until_ns = self.tick_ns.min(driving.wake_ns);
                let until_ns = if self.unfinished.is_empty() { until_ns } else { 0 };
                self.look(self.opens_ns(until_ns))?;
            }
            for slot in mem::take(&mut self.unopened) {
                self.connect(slot, &mut driving)?;
            }
            // All that has arrived is read before anything is sent: sending takes longer, and would
            // make the later answers look late.
            for at in 0..self.ready.len() {
                self.progress(self.ready[at], &mut driving);
            }
            for slot in mem::take(&mut self.unfinished) {
                if self.slots[slot].state == SlotState::Busy {
                    self.write(slot, &mut driving);
                }
            }
            if let Some(fault) = driving.fault.take() {
                return Err(fault);
            }
            self.tick(&mut driving);
            self.hand_out(&mut driving)?;
        }
        Ok(driving.ended(self.network.now_ns()))
    }

    /// Returns the end of a wait up to `until_ns`, or earlier if a connection is to be tried again.
    fn opens_ns(&self, until_ns: u64) -> u64 {
        if self.unopened.is_empty() {
            return until_ns;
        }
        until_ns.min(self.network.now_ns() + units::nanos(network::FULL_PAUSE))
    }

    /// Waits for what becomes ready, and notes when it looked.
    fn look(&mut self, until_ns: u64) -> Result<(), LoadError> {
        self.network.wait(until_ns, &mut self.ready)?;
        self.arrivals.looked(self.network.now_ns());
        Ok(())
    }

    /// Takes note of free connections that the target has closed, before one is given a request.
    fn forget_closed(&mut self, driving: &mut LoadDrive<'_>) {
        let mut at = 0;
        while let Some(ready) = self.ready.get(at).copied() {
            if self.slots[ready.slot].state == SlotState::Idle {
                self.ready.swap_remove(at);
                self.progress(ready, driving);
            } else {
                at += 1;
            }
        }
    }

    /// Whether nothing needs to be done before the next request is due.
    fn may_sleep(&self, driving: &LoadDrive<'_>) -> bool {
        let in_ns = driving.wake_ns.saturating_sub(self.network.now_ns());
        self.blocked == 0 && self.arrivals.may_sleep(in_ns)
    }

    /// Notes whether a slot has to hear of its connection at once.
    fn pass(&mut self, slot: usize, passage: PassageState) {
        let it = &mut self.slots[slot];
        match (it.passage, passage) {
            (PassageState::Clear, PassageState::Blocked) => self.blocked += 1,
            (PassageState::Blocked, PassageState::Clear) => self.blocked -= 1,
            (PassageState::Clear, PassageState::Clear)
            | (PassageState::Blocked, PassageState::Blocked) => {}
        }
        it.passage = passage;
    }

    /// Learns which kept connections the target has closed since the last drive.
    fn sweep(&mut self) -> Result<(), LoadError> {
        loop {
            self.network.wait(0, &mut self.ready)?;
            if self.ready.is_empty() {
                return Ok(());
            }
            for at in 0..self.ready.len() {
                let SocketReadiness { slot, readable, .. } = self.ready[at];
                if readable && self.slots[slot].state == SlotState::Idle {
                    self.close(slot);
                }
            }
        }
    }

    fn close(&mut self, slot: usize) {
        self.network.close(slot);
        self.unopened.retain(|unopened| *unopened != slot);
        self.slots[slot].state = SlotState::Closed;
    }

    /// Finds the connections that take part.
    fn enlist(&mut self, model: &PacingModel) {
        let all = self.slots.len();
        let part = match model {
            PacingModel::Closed(closed) => closed.share(all, 1)[0],
            PacingModel::Open(_) => all,
        };
        let is_idle = |slot: &usize| self.slots[*slot].state == SlotState::Idle;
        (self.idle, self.closed) = (0..part).partition(is_idle);
        for slot in &mut self.slots {
            slot.free_ns = 0;
        }
    }

    pub(super) fn renew(&mut self) -> Result<(), LoadError> {
        self.abandon();
        let until_ns = self.network.now_ns() + units::nanos(self.settings.timeouts.connect);
        let mut opening = 0_usize;
        self.unopened = (0..self.slots.len()).collect();
        while !self.cancel.is_raised() {
            for slot in mem::take(&mut self.unopened) {
                match self.open(slot)? {
                    Ok(()) => {
                        self.slots[slot].state = SlotState::Opening;
                        opening += 1;
                    }
                    Err(error) if network::is_full(&self.address, &error) => {
                        self.unopened.push(slot);
                    }
                    // The next drive tries it again, and reports it.
                    Err(_) => {}
                }
            }
            if opening + self.unopened.len() == 0 || self.network.now_ns() >= until_ns {
                break;
            }
            let tick_ns = self.opens_ns(self.network.now_ns() + TICK_NS);
            self.network.wait(tick_ns, &mut self.ready)?;
            for at in 0..self.ready.len() {
                let SocketReadiness { slot, readable, writable, .. } = self.ready[at];
                if self.slots[slot].state == SlotState::Opening && writable {
                    opening -= 1;
                    self.slots[slot].state = SlotState::Idle;
                    if self.network.opened(slot).is_err() {
                        self.close(slot);
                    }
                }
                // A target that sends something before a request takes none: the next drive connects
                // again, and hears it then.
                if self.slots[slot].state == SlotState::Idle && readable {
                    self.close(slot);
                }
            }
        }
        self.unopened.clear();
        for slot in 0..self.slots.len() {
            if self.slots[slot].state == SlotState::Opening {
                self.close(slot);
            }
        }
        Ok(())
    }

    /// Closes everything; what was in flight is not reported.
    fn abandon(&mut self) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].state != SlotState::Closed {
                self.close(slot);
            }
            self.slots[slot].passage = PassageState::Clear;
        }
        (self.busy, self.blocked) = (0, 0);
        self.unfinished.clear();
        self.unopened.clear();
    }

    /// Looks at time-outs, once every tick.
    fn tick(&mut self, driving: &mut LoadDrive<'_>) {
        let now_ns = self.network.now_ns();
        if now_ns < self.tick_ns {
            return;
        }
        self.tick_ns = now_ns + TICK_NS;
        for slot in 0..self.slots.len() {
            if let Some(detail) = self.overdue(slot, now_ns) {
                self.fail(slot, FailureKind::Timeout, detail, driving);
            }
        }
    }

    fn overdue(&self, slot: usize, now_ns: u64) -> Option<String> {
        let ConnectionSlot { state, sent_ns, ref answer, .. } = self.slots[slot];
        let timeouts = self.settings.timeouts;
        let passed = |limit| now_ns.saturating_sub(sent_ns) >= units::nanos(limit);
        let (what, limit) = match state {
            SlotState::Assigned if passed(timeouts.connect) => ("connection", timeouts.connect),
            SlotState::Busy if answer.received() == 0 && passed(timeouts.first_byte) => {
                ("first byte", timeouts.first_byte)
            }
            SlotState::Busy if passed(timeouts.total) => ("whole answer", timeouts.total),
            SlotState::Closed
            | SlotState::Opening
            | SlotState::Assigned
            | SlotState::Idle
            | SlotState::Busy => {
                return None;
            }
        };
        Some(format!("no {what} within {}", units::duration(limit)))
    }

    /// Gives free slots what is due, those with a connection first, and notes when to do so again.
    fn hand_out(&mut self, driving: &mut LoadDrive<'_>) -> Result<(), LoadError> {
        driving.wake_ns = NEVER_NS;
        for state in [SlotState::Idle, SlotState::Closed] {
            loop {
                let free = if state == SlotState::Idle { &mut self.idle } else { &mut self.closed };
                let Some(slot) = free.front().copied() else {
                    break;
                };
                if self.users.is_done(slot) {
                    free.pop_front();
                    continue;
                }
                let now_ns = self.network.now_ns();
                match driving.pacer.next(now_ns, self.slots[slot].free_ns) {
                    PacerStep::Send { due_ns } => {
                        free.pop_front();
                        self.give(slot, due_ns, now_ns, driving)?;
                    }
                    PacerStep::Later { at_ns } => {
                        driving.wake_ns = driving.wake_ns.min(at_ns);
                        break;
                    }
                    PacerStep::Nothing => return Ok(()),
                }
            }
        }
        Ok(())
    }

    fn give(
        &mut self,
        slot: usize,
        due_ns: u64,
        now_ns: u64,
        driving: &mut LoadDrive<'_>,
    ) -> Result<(), LoadError> {
        self.busy += 1;
        let request = self.users.next(slot);
        let rendered = self.users.render(slot, request);
        let it = &mut self.slots[slot];
        driving.drive.late += u64::from(due_ns < it.free_ns);
        (it.request, it.due_ns, it.is_resent) = (request, due_ns, false);
        it.live = match rendered {
            Ok(rendered) => rendered.map(|request| Http1Request::new(&request, self.end)),
            Err(error) => {
                self.unsendable(slot, &error, driving);
                return Ok(());
            }
        };
        // Rendering is the generator's time: it is lag, and no part of the service.
        let began_ns = now_ns;
        let now_ns = if it.live.is_some() { self.network.now_ns() } else { began_ns };
        driving.drive.rendering_ns += now_ns - began_ns;
        it.sent_ns = now_ns;
        it.lag_ns = now_ns.saturating_sub(due_ns.max(it.free_ns));
        it.begin(&self.requests);
        if it.state == SlotState::Idle {
            self.send(slot, now_ns, driving);
            return Ok(());
        }
        it.state = SlotState::Assigned;
        self.pass(slot, PassageState::Blocked);
        self.connect(slot, driving)
    }

    /// A request that cannot be made fails without being sent, and leaves its connection as it is.
    fn unsendable(&mut self, slot: usize, error: &UnsendableRequest, driving: &mut LoadDrive<'_>) {
        let done_ns = self.network.now_ns();
        let it = &mut self.slots[slot];
        it.lag_ns = 0;
        it.sent_ns = done_ns;
        it.free_ns = done_ns + driving.pacer.rest_ns();
        it.outgoing = RequestProgress::default();
        it.answer.restart(ResponseBodyRule::Never);
        if it.state == SlotState::Idle {
            self.idle.push_back(slot);
        } else {
            self.closed.push_back(slot);
        }
        let failure = ExchangeFailure::new(FailureKind::WrongAnswer, error.to_string(), &[]);
        self.end(slot, done_ns, Err(failure), driving);
    }

    /// Begins to connect for a request; tries it again up to the time-out, while the listener is full.
    fn connect(&mut self, slot: usize, driving: &mut LoadDrive<'_>) -> Result<(), LoadError> {
        match self.open(slot)? {
            Ok(()) => {}
            Err(error) if network::is_full(&self.address, &error) => self.unopened.push(slot),
            Err(error) => self.refused(slot, &error, driving),
        }
        Ok(())
    }

    /// Begins to connect. The outer error is ours, the inner one the target's.
    fn open(&mut self, slot: usize) -> Result<io::Result<()>, LoadError> {
        self.slots[slot].answers = 0;
        match self.network.open(slot) {
            Err(source) if network::is_ours(&source) => {
                Err(LoadError::Exhausted { address: self.address.clone(), source })
            }
            opening => Ok(opening),
        }
    }

    fn refused(&mut self, slot: usize, error: &io::Error, driving: &mut LoadDrive<'_>) {
        let timed_out = error.kind() == io::ErrorKind::TimedOut;
        let kind = if timed_out { FailureKind::Timeout } else { FailureKind::Refused };
        let detail = format!("no connection to {}: {error}", self.address);
        self.fail(slot, kind, detail, driving);
    }

    fn progress(&mut self, ready: SocketReadiness, driving: &mut LoadDrive<'_>) {
        let slot = ready.slot;
        match self.slots[slot].state {
            SlotState::Assigned if ready.writable => match self.network.opened(slot) {
                Ok(()) => {
                    let now_ns = self.network.now_ns();
                    self.send(slot, now_ns, driving);
                    // What is there already will not be announced again.
                    if ready.readable && self.slots[slot].state == SlotState::Busy {
                        self.slots[slot].end = ready.end();
                        self.read(slot, driving);
                    }
                }
                Err(error) => self.refused(slot, &error, driving),
            },
            SlotState::Busy => {
                if ready.writable {
                    self.write(slot, driving);
                }
                // Writing can fail, and end the exchange.
                if ready.readable && self.slots[slot].state == SlotState::Busy {
                    self.slots[slot].end = ready.end();
                    self.read(slot, driving);
                }
            }
            SlotState::Idle if ready.readable => {
                self.close(slot);
                // One that takes no part in this drive is in no list.
                if let Some(at) = self.idle.iter().position(|idle| *idle == slot) {
                    self.idle.remove(at);
                    self.closed.push_back(slot);
                }
            }
            SlotState::Closed | SlotState::Opening | SlotState::Assigned | SlotState::Idle => {}
        }
    }

    fn send(&mut self, slot: usize, now_ns: u64, driving: &mut LoadDrive<'_>) {
        driving.in_flight.sent(now_ns);
        self.slots[slot].state = SlotState::Busy;
        self.slots[slot].sent_ns = now_ns;
        self.write(slot, driving);
    }

    /// Writes what the socket takes, or as much as is one slot's turn. A peer that takes no more may
    /// have answered all the same.
    fn write(&mut self, slot: usize, driving: &mut LoadDrive<'_>) {
        for _ in 0..WRITES_MAX {
            let ConnectionSlot { outgoing, live, request, .. } = &mut self.slots[slot];
            let request = current(live.as_ref(), &self.requests, *request);
            let Some(unsent) = outgoing.unsent(request) else {
                return self.pass(slot, PassageState::Clear);
            };
            match self.network.send(slot, &unsent) {
                Ok(written) => outgoing.advance(request, written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.pass(slot, PassageState::Blocked);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.slots[slot].end = EndNotice::Seen;
                    self.read(slot, driving);
                    if self.slots[slot].state == SlotState::Busy {
                        self.broken(slot, FailureKind::Reset, format!("sending: {error}"), driving);
                    }
                    return;
                }
            }
        }
        self.pass(slot, PassageState::Blocked);
        self.unfinished.push(slot);
    }

    /// Reads what is there, until the answer is whole.
    fn read(&mut self, slot: usize, driving: &mut LoadDrive<'_>) {
        loop {
            let ConnectionSlot { answer, end, .. } = &mut self.slots[slot];
            let room = answer.room();
            let spare = room.capacity() - room.len();
            let (kind, detail) = match self.network.receive(slot, room) {
                Ok(0) => match answer.closed() {
                    Ok(()) => return self.answered(slot, driving),
                    Err(ResponseFault { kind, detail }) => (kind, detail),
                },
                Ok(received) => match answer.advance(received) {
                    Ok(ResponseProgress::Whole) => return self.answered(slot, driving),
                    // Less than there was room for: the rest will be announced.
                    Ok(ResponseProgress::More) if received < spare && *end == EndNotice::Ahead => {
                        return self.pass(slot, PassageState::Blocked);
                    }
                    Ok(ResponseProgress::More) => continue,
                    Err(ResponseFault { kind, detail }) => (kind, detail),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let nothing = answer.received() == 0;
                    let kind = if nothing { FailureKind::Reset } else { FailureKind::ShortBody };
                    (kind, format!("receiving: {error}"))
                }
            };
            return self.broken(slot, kind, detail, driving);
        }
    }

    /// The connection broke. A target may close one that is kept whenever no request is under way, and
    /// its word may cross the next request: that one is then sent once more over a new connection, as
    /// clients do (RFC 9112, 9.3.1).
    fn broken(
        &mut self,
        slot: usize,
        kind: FailureKind,
        detail: String,
        driving: &mut LoadDrive<'_>,
    ) {
        let it = &self.slots[slot];
        let crossed = kind == FailureKind::Reset && it.answer.received() == 0 && it.answers > 0;
        if crossed && !it.is_resent {
            self.resend(slot, driving);
        } else {
            self.fail(slot, kind, detail, driving);
        }
    }

    fn resend(&mut self, slot: usize, driving: &mut LoadDrive<'_>) {
        let now_ns = self.network.now_ns();
        // Service time counts from the second sending, so what is in flight does too (Little's law).
        driving.in_flight.done(self.slots[slot].sent_ns);
        driving.drive.resent += 1;
        self.close(slot);
        let it = &mut self.slots[slot];
        it.is_resent = true;
        it.state = SlotState::Assigned;
        it.sent_ns = now_ns;
        it.begin(&self.requests);
        self.pass(slot, PassageState::Blocked);
        if let Err(fault) = self.connect(slot, driving) {
            driving.fault = Some(fault);
        }
    }

    /// The answer is whole: stops the clock, then judges it.
    fn answered(&mut self, slot: usize, driving: &mut LoadDrive<'_>) {
        let done_ns = self.done_ns(slot);
        let it = &mut self.slots[slot];
        let ConnectionSlot { live, request: place, answer, .. } = &*it;
        let request = current(live.as_ref(), &self.requests, *place);
        let whole_answer = CompleteResponse {
            status: answer.status(),
            encoding: answer.encoding(),
            body: answer.body(),
            bytes: answer.bytes(),
            headers: ResponseHeaders::InBytes,
        };
        let bytes_max = self.settings.answer_bytes_max;
        let taker = AnswerTaker::of(&self.plan, *place);
        let outcome = whole_answer.judge(&*request.check, taker, &mut self.inflated, bytes_max);
        let whole = it.outgoing.is_whole(request) && it.end == EndNotice::Ahead;
        let is_kept = whole && answer.keeps_alive() && self.settings.reuse == ConnectionReuse::Kept;
        it.free_ns = done_ns;
        it.answers += 1;
        if is_kept {
            it.state = SlotState::Idle;
            self.idle.push_back(slot);
        } else {
            self.close(slot);
            self.closed.push_back(slot);
        }
        driving.in_flight.done(done_ns);
        self.end(slot, done_ns, outcome, driving);
    }

    /// Returns when the answer was there.
    fn done_ns(&mut self, slot: usize) -> u64 {
        let ConnectionSlot { sent_ns, ref answer, .. } = self.slots[slot];
        let (arrived_ns, now_ns) = (self.network.arrived_ns(slot), self.network.now_ns());
        let is_announced = self.slots.len() <= network::EVENTS_MAX;
        self.arrivals.done_ns(arrived_ns, sent_ns, now_ns, answer.received(), is_announced)
    }

    /// The exchange failed in a way that leaves its connection unusable.
    fn fail(
        &mut self,
        slot: usize,
        kind: FailureKind,
        detail: String,
        driving: &mut LoadDrive<'_>,
    ) {
        let done_ns = self.network.now_ns();
        let it = &mut self.slots[slot];
        if it.state == SlotState::Assigned {
            it.sent_ns = done_ns;
            it.free_ns = done_ns + driving.pacer.rest_ns();
        } else {
            driving.in_flight.done(done_ns);
            it.free_ns = done_ns;
        }
        self.close(slot);
        self.closed.push_back(slot);
        let failure = ExchangeFailure::new(kind, detail, self.slots[slot].answer.bytes());
        self.end(slot, done_ns, Err(failure), driving);
    }

    fn end(
        &mut self,
        slot: usize,
        done_ns: u64,
        outcome: Result<TakenValues, ExchangeFailure>,
        driving: &mut LoadDrive<'_>,
    ) {
        self.busy -= 1;
        self.pass(slot, PassageState::Clear);
        let it = &self.slots[slot];
        let flow_ns = self.users.ended(slot, done_ns - it.due_ns, outcome.as_ref().ok());
        driving.note(&Exchange {
            request: it.request,
            connection: slot,
            due_ns: it.due_ns,
            sent_ns: it.sent_ns,
            done_ns,
            lag_ns: it.lag_ns,
            request_bytes: it.outgoing.written() as u64,
            response_bytes: it.answer.received(),
            flow_ns,
            outcome: outcome.map(|_| ()),
        });
    }
}

impl ConnectionSlot {
    /// Makes ready to send the request, and to hear its answer.
    fn begin(&mut self, requests: &[Option<Http1Request>]) {
        let request = current(self.live.as_ref(), requests, self.request);
        self.outgoing.restart(request);
        self.end = EndNotice::Ahead;
        self.answer.restart(request.answer);
    }
}
