//! Moves bytes between load and target as the network says: one thread, one readiness queue. Between a target and a
//! service it shapes nothing, and counts the calls that pass.
//!
//! It knows no HTTP, so that encrypted connections pass as they are. What a receiver does not take
//! stays with its sender: a connection holds a window of bytes each way and is not read beyond it.
//! Making a connection is not delayed, as the kernel answers for the listener.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use calls::{CallCounting, CallDirection, CallStream, CallTally};
use rustix::buffer;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt,
};
use rustix::time::{ClockId, clock_gettime};

use super::shaping;
use super::shaping::{BandwidthLink, DelayLine, ResetDraw, Segment, StreamEnd};
use super::{NetworkConditions, RelayError, Traffic};

/// Pieces that a connection may move before the others get their turn.
const PIECES_MAX: usize = 8;

/// How long no connection is accepted after the system had no descriptor for one, unless another ends first.
const ACCEPT_PAUSE_NS: u64 = 10_000_000;

/// Keys of what is no connection.
const LISTENER: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;

/// From load to target, and back: the place of a direction, and of the end that sends in it.
const UP: usize = 0;
const DOWN: usize = 1;

/// What a relay adds up of the calls that pass through it, and how it reads them.
#[derive(Debug, Clone)]
struct RelayCalls {
    counting: CallCounting,
    tally: Arc<Mutex<CallTally>>,
}

impl RelayCalls {
    fn tally(&self) -> MutexGuard<'_, CallTally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A network to one target, until it is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    wake: Arc<OwnedFd>,
    reports: mpsc::Receiver<Traffic>,
    thread: Option<JoinHandle<io::Result<()>>>,
    calls: Option<RelayCalls>,
}

impl Relay {
    /// Listens on a free port of 127.0.0.1 and passes on to `target`, for about so many
    /// `connections`. Runs on the processors of the calling thread. Jitter and resets repeat for a
    /// `seed`, connection by connection.
    pub fn start(
        target: SocketAddr,
        network: &NetworkConditions,
        seed: u64,
        connections: usize,
    ) -> Result<Self, RelayError> {
        let window_bytes = shaping::window_bytes(connections);
        Self::begin(target, RelaySettings { network: *network, seed, window_bytes, calls: None })
            .map_err(RelayError::NotMade)
    }

    /// Listens on a free port of 127.0.0.1, passes on to `service` as it is, and counts the calls that pass.
    pub fn count_calls(service: SocketAddr, counting: CallCounting) -> Result<Self, RelayError> {
        // As many connections as the pools of a program may have, with a window each.
        const CONNECTIONS: usize = 64;
        let settings = RelaySettings {
            network: NetworkConditions::default(),
            seed: 0,
            window_bytes: shaping::window_bytes(CONNECTIONS),
            calls: Some(RelayCalls { counting, tally: Arc::default() }),
        };
        Self::begin(service, settings).map_err(RelayError::NotMade)
    }

    fn begin(target: SocketAddr, settings: RelaySettings) -> io::Result<Self> {
        let listener = listen()?;
        let address = net::getsockname(&listener)?.try_into()?;
        let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let ended = Arc::new(AtomicBool::new(false));
        let (reporter, reports) = mpsc::channel();
        let shared = (Arc::clone(&ended), Arc::clone(&wake), reporter);
        let calls = settings.calls.clone();
        let mut relaying = RelayLoop::new(target, listener, settings, shared)?;
        let thread =
            thread::Builder::new().name("network".to_owned()).spawn(move || relaying.run())?;
        Ok(Self { address, ended, wake, reports, thread: Some(thread), calls })
    }

    /// Returns where the load connects.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows what is known of the calls up to now; nothing of a network that counts none.
    pub fn with_calls<T>(&self, show: impl FnOnce(&CallTally) -> T) -> Option<T> {
        self.calls.as_ref().map(|watch| show(&watch.tally()))
    }

    /// Returns what has passed up to now.
    pub fn traffic(&mut self) -> Result<Traffic, RelayError> {
        self.rouse();
        self.reports.recv().map_err(|_| {
            let ended = self.thread.take().map(JoinHandle::join);
            let error = match ended {
                Some(Ok(Err(error))) => error,
                Some(Ok(Ok(())) | Err(_)) | None => io::Error::other("its thread has ended"),
            };
            RelayError::Broken(error)
        })
    }

    fn rouse(&self) {
        // A counter that is full wakes too.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.rouse();
        if let Some(thread) = self.thread.take() {
            // Why it failed was returned to the caller.
            let _ = thread.join();
        }
    }
}

/// What a relay does to what passes.
#[derive(Debug)]
struct RelaySettings {
    network: NetworkConditions,
    seed: u64,
    window_bytes: usize,
    calls: Option<RelayCalls>,
}

fn listen() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let listener = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0)))?;
    net::listen(&listener, 1024)?;
    Ok(listener)
}

/// Makes a socket that is to be connected to the target.
fn target_socket(target: &SocketAddr) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(socket)
}

/// One end of a connection, and what is known to be possible on it without waiting.
#[derive(Debug)]
struct RelaySocket {
    fd: OwnedFd,
    readable: bool,
    writable: bool,
    /// The other side will send nothing more than what is there, and that is not announced again.
    gone: bool,
}

impl RelaySocket {
    fn new(fd: OwnedFd) -> Self {
        Self { fd, readable: false, writable: false, gone: false }
    }

    /// Returns how many bytes were taken; `None` if there is no room.
    fn send(&mut self, bytes: &[u8]) -> Result<Option<usize>, Errno> {
        match net::send(&self.fd, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => {
                self.writable = sent == bytes.len();
                Ok(Some(sent))
            }
            Err(Errno::AGAIN | Errno::INTR) => {
                self.writable = false;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns what there is: 0 at the end of the stream, `None` if nothing has come yet.
    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, Errno> {
        match net::recv(&self.fd, &mut *into, RecvFlags::empty()) {
            Ok((received, _)) => {
                self.readable = self.gone || received == into.len();
                Ok(Some(received))
            }
            Err(Errno::AGAIN | Errno::INTR) => {
                self.readable = false;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Lets closing tell the other side that the connection broke.
    fn break_off(&self) {
        // It may be broken already.
        let _ = sockopt::set_socket_linger(&self.fd, Some(Duration::ZERO));
    }
}

/// How far a direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DirectionState {
    /// Bytes may come.
    Open,
    /// Its end is under way.
    Ending,
    /// Its receiver takes nothing more, and what still comes is thrown away.
    HalfClosed,
    /// Nothing is left to do.
    Done,
}

#[derive(Debug)]
struct RelayDirection {
    line: DelayLine,
    stage: DirectionState,
    /// Whether a timer is set for its next piece.
    armed: bool,
    /// Whether it waits for the link, or for its turn.
    waits: bool,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RelayOutcome {
    Lives,
    /// Both directions have ended in order.
    Ended,
    /// The remaining side sees that it broke.
    Broke,
}

/// What a direction waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitReason {
    /// An event of a socket, or the arrival of a piece.
    Event,
    /// The link, or its turn.
    Turn,
}

#[derive(Debug)]
struct RelayConnection {
    /// That of the load and that of the target.
    ends: [RelaySocket; 2],
    ways: [RelayDirection; 2],
    coin: ResetDraw,
    /// What is spoken on it, where calls are counted.
    calls: Option<CallStream>,
    connecting: bool,
    /// Whether it is to be reset: nothing passes any more.
    fallen: bool,
}

/// What directions of all connections share.
struct RelayContext<'a> {
    link: &'a mut BandwidthLink,
    scratch: &'a mut [u8],
    traffic: &'a mut Traffic,
    calls: Option<&'a RelayCalls>,
    window_bytes: usize,
    round_trip_ns: u64,
}

impl RelayConnection {
    /// Delivers what has arrived.
    fn deliver(&mut self, way: usize, now_ns: u64) -> RelayOutcome {
        let (receiver, way) = (&mut self.ends[1 - way], &mut self.ways[way]);
        while receiver.writable && way.stage != DirectionState::Done {
            let Some(segment) = way.line.arrived(now_ns) else { break };
            match segment {
                Segment::End(StreamEnd::Reset) => return RelayOutcome::Broke,
                Segment::End(StreamEnd::Finished) => {
                    // A receiver that is gone needs no telling.
                    let _ = net::shutdown(&receiver.fd, Shutdown::Write);
                    way.stage = DirectionState::Done;
                }
                // Thrown away: the receiver takes nothing more.
                Segment::Bytes(_) if way.stage == DirectionState::HalfClosed => {}
                Segment::Bytes(mut bytes) => match receiver.send(&bytes) {
                    Ok(sent) => {
                        bytes.advance(sent.unwrap_or(0));
                        if !bytes.is_empty() {
                            way.line.put_back(bytes);
                        }
                    }
                    Err(_) => way.stage = DirectionState::HalfClosed,
                },
            }
        }
        self.fate()
    }

    fn fate(&self) -> RelayOutcome {
        if self.ways[DOWN].stage == DirectionState::HalfClosed {
            // The load is gone: there is no side left to answer.
            RelayOutcome::Broke
        } else if self.ways.iter().all(|way| way.stage == DirectionState::Done) {
            RelayOutcome::Ended
        } else {
            RelayOutcome::Lives
        }
    }

    /// Takes what there is, as far as link and window let it.
    fn take(&mut self, way: usize, now_ns: u64, shared: &mut RelayContext<'_>) -> WaitReason {
        for _ in 0..PIECES_MAX {
            let stage = self.ways[way].stage;
            let full = self.ways[way].line.bytes() >= shared.window_bytes;
            let open =
                matches!(stage, DirectionState::Open | DirectionState::HalfClosed) && !self.fallen;
            if !open || !self.ends[way].readable || full {
                return WaitReason::Event;
            }
            if shared.link.takes_ns() > now_ns {
                return WaitReason::Turn;
            }
            self.take_piece(way, now_ns, shared);
        }
        WaitReason::Turn
    }

    fn take_piece(&mut self, way: usize, now_ns: u64, shared: &mut RelayContext<'_>) {
        let piece_bytes_max = shared.link.piece_bytes_max();
        match self.ends[way].receive(&mut shared.scratch[..piece_bytes_max]) {
            Ok(None) => {}
            Ok(Some(0)) => self.end(way, now_ns, StreamEnd::Finished),
            Ok(Some(received)) => {
                shared.traffic.bytes += units::whole(received as f64).unwrap_or(0);
                // Before it passes on: an answer never comes before its call is counted.
                if let (Some(stream), Some(watch)) = (&mut self.calls, shared.calls) {
                    let to = if way == UP { CallDirection::Request } else { CallDirection::Reply };
                    stream.see(to, &shared.scratch[..received], &mut watch.tally());
                }
                match way {
                    UP if self.coin.falls() => self.fall(now_ns, shared),
                    UP => self.pass(way, now_ns, received, shared),
                    _ => {
                        self.coin.answered();
                        self.pass(way, now_ns, received, shared);
                    }
                }
            }
            Err(_) => self.end(way, now_ns, StreamEnd::Reset),
        }
    }

    /// Sends on what was received, at once if there is nothing to wait for.
    fn pass(&mut self, way: usize, now_ns: u64, received: usize, shared: &mut RelayContext<'_>) {
        let (receiver, way) = (&mut self.ends[1 - way], &mut self.ways[way]);
        if way.stage == DirectionState::HalfClosed {
            return;
        }
        let due_ns = way.line.due(shared.link.pass(now_ns, received));
        let mut piece = &shared.scratch[..received];
        if due_ns <= now_ns && way.line.is_empty() && receiver.writable {
            let Ok(sent) = receiver.send(piece) else {
                way.stage = DirectionState::HalfClosed;
                return;
            };
            piece = &piece[sent.unwrap_or(0)..];
        }
        if !piece.is_empty() {
            way.line.push(due_ns, Segment::Bytes(Bytes::copy_from_slice(piece)));
        }
    }

    /// Sends the end of a direction on its way.
    fn end(&mut self, way: usize, now_ns: u64, end: StreamEnd) {
        let way = &mut self.ways[way];
        if way.stage == DirectionState::HalfClosed {
            way.stage = DirectionState::Done;
            return;
        }
        let due_ns = way.line.due(now_ns);
        way.line.push(due_ns, Segment::End(end));
        way.stage = DirectionState::Ending;
    }

    /// Resets the connection: the target sees nothing of the request, the load learns of it when an
    /// answer could have come.
    fn fall(&mut self, now_ns: u64, shared: &mut RelayContext<'_>) {
        shared.traffic.resets += 1;
        self.fallen = true;
        let due_ns = self.ways[DOWN].line.due(now_ns).max(now_ns + shared.round_trip_ns);
        self.ways[DOWN].line.push(due_ns, Segment::End(StreamEnd::Reset));
    }

    fn break_off(&self) {
        self.ends.iter().for_each(RelaySocket::break_off);
    }
}

/// The thread's own.
struct RelayLoop {
    target: SocketAddr,
    listener: OwnedFd,
    /// When connections are accepted again, if none are now.
    accepts_ns: Option<u64>,
    network: NetworkConditions,
    seed: u64,
    window_bytes: usize,
    ended: Arc<AtomicBool>,
    wake: Arc<OwnedFd>,
    reporter: mpsc::Sender<Traffic>,
    epoll: OwnedFd,
    origin: Instant,
    links: [BandwidthLink; 2],
    /// Who waits for which link, in order.
    waiting: [VecDeque<u64>; 2],
    connections: HashMap<u64, RelayConnection>,
    /// When the next piece of a direction arrives: time, connection, direction.
    timers: BinaryHeap<Reverse<(u64, u64, usize)>>,
    scratch: Vec<u8>,
    traffic: Traffic,
    calls: Option<RelayCalls>,
}

impl RelayLoop {
    fn new(
        target: SocketAddr,
        listener: OwnedFd,
        settings: RelaySettings,
        (ended, wake, reporter): (Arc<AtomicBool>, Arc<OwnedFd>, mpsc::Sender<Traffic>),
    ) -> io::Result<Self> {
        let RelaySettings { network, seed, window_bytes, calls } = settings;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let level = epoll::EventFlags::IN;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), level)?;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), level)?;
        let links = [BandwidthLink::new(&network), BandwidthLink::new(&network)];
        let scratch = vec![0; links[UP].piece_bytes_max()];
        Ok(Self {
            target,
            listener,
            accepts_ns: None,
            network,
            seed,
            window_bytes,
            ended,
            wake,
            reporter,
            epoll,
            origin: super::super::now(),
            links,
            waiting: [VecDeque::new(), VecDeque::new()],
            connections: HashMap::new(),
            timers: BinaryHeap::new(),
            scratch,
            traffic: Traffic::default(),
            calls,
        })
    }

    fn run(&mut self) -> io::Result<()> {
        // Where the system has no such setting, pieces are late by up to 50 µs.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let mut events = Vec::with_capacity(256);
        while !self.ended.load(Ordering::Relaxed) {
            self.wait(&mut events)?;
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept(),
                    WAKE => self.report(),
                    key => self.ready(key, event.flags),
                }
            }
            self.arrivals();
            self.turns();
            self.resume();
        }
        Ok(())
    }

    fn now_ns(&self) -> u64 {
        units::nanos(self.origin.elapsed())
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        events.clear();
        let arrival_ns = self.timers.peek().map(|Reverse((due_ns, _, _))| *due_ns);
        let turns_ns = [UP, DOWN].into_iter().filter(|way| !self.waiting[*way].is_empty());
        let turn_ns = turns_ns.map(|way| self.links[way].takes_ns()).min();
        let until_ns = arrival_ns.into_iter().chain(turn_ns).chain(self.accepts_ns).min();
        let timeout = until_ns.map(|until_ns| until_ns.saturating_sub(self.now_ns()));
        let timeout = timeout.and_then(|ns| Timespec::try_from(Duration::from_nanos(ns)).ok());
        match epoll::wait(&self.epoll, buffer::spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn report(&mut self) {
        let mut count = [0; 8];
        // Empty already if another thread was faster; there is none.
        let _ = rustix::io::read(&*self.wake, &mut count);
        let cpu = Duration::try_from(clock_gettime(ClockId::ThreadCPUTime));
        self.traffic.cpu = cpu.unwrap_or_default();
        // There is no listener when it is being dropped.
        let _ = self.reporter.send(self.traffic);
    }

    fn accept(&mut self) {
        loop {
            let [load, target] = match self.socket_pair() {
                Ok(sockets) => sockets.map(RelaySocket::new),
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.pause();
                    return;
                }
                // There is none, or it is gone already: what is left is announced again.
                Err(_) => return,
            };
            if self.open(&load).is_none() {
                load.break_off();
                continue;
            }
            let number = self.traffic.connections;
            if self.open_target(&target, number).is_err() {
                load.break_off();
                continue;
            }
            self.traffic.connections += 1;
            let way = |place: u64| RelayDirection {
                line: DelayLine::new(&self.network, self.seed, 3 * number + place),
                stage: DirectionState::Open,
                armed: false,
                waits: false,
            };
            let connection = RelayConnection {
                ends: [load, target],
                ways: [way(0), way(1)],
                coin: ResetDraw::new(&self.network, self.seed, 3 * number + 2),
                calls: self
                    .calls
                    .as_ref()
                    .map(|watch| CallStream::begin(watch.counting, &mut watch.tally())),
                connecting: true,
                fallen: false,
            };
            self.connections.insert(number, connection);
        }
    }

    /// Accepts a connection, and makes the socket of its other end first: what is accepted cannot be put back if there is
    /// no descriptor for that.
    fn socket_pair(&self) -> Result<[OwnedFd; 2], Errno> {
        let target = target_socket(&self.target)?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        Ok([net::accept_with(&self.listener, flags)?, target])
    }

    /// Accepts nothing for a while: what the system has no descriptor for stays in the queue of the listener, which
    /// would be announced without end. The load waits, and times out.
    fn pause(&mut self) {
        if epoll::delete(&self.epoll, &self.listener).is_ok() {
            self.accepts_ns = Some(self.now_ns() + ACCEPT_PAUSE_NS);
        }
    }

    fn resume(&mut self) {
        if self.accepts_ns.is_some_and(|accepts_ns| accepts_ns <= self.now_ns()) {
            let key = epoll::EventData::new_u64(LISTENER);
            let added = epoll::add(&self.epoll, &self.listener, key, epoll::EventFlags::IN);
            self.accepts_ns = added.err().map(|_| self.now_ns() + ACCEPT_PAUSE_NS);
        }
    }

    /// Registers an accepted connection; its events come after it is known.
    fn open(&self, load: &RelaySocket) -> Option<()> {
        sockopt::set_tcp_nodelay(&load.fd, true).ok()?;
        self.register(&load.fd, 2 * self.traffic.connections).ok()
    }

    fn open_target(&self, target: &RelaySocket, number: u64) -> io::Result<()> {
        match net::connect(&target.fd, &self.target) {
            Ok(()) | Err(Errno::INPROGRESS) => self.register(&target.fd, 2 * number + 1),
            Err(error) => Err(error.into()),
        }
    }

    fn register(&self, fd: &OwnedFd, key: u64) -> io::Result<()> {
        let interest = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(key), interest)?)
    }

    fn ready(&mut self, key: u64, flags: epoll::EventFlags) {
        let (number, end) = (key / 2, if key.is_multiple_of(2) { UP } else { DOWN });
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let socket = &mut connection.ends[end];
        let gone = flags
            .intersects(epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        socket.gone |= gone;
        socket.readable |= gone || flags.intersects(epoll::EventFlags::IN);
        socket.writable |= gone || flags.intersects(epoll::EventFlags::OUT);
        if end == DOWN && connection.connecting {
            connection.connecting = false;
            if !matches!(sockopt::socket_error(&connection.ends[end].fd), Ok(Ok(()))) {
                self.close(number, RelayOutcome::Broke);
                return;
            }
        }
        // It sends in one direction and receives in the other.
        self.pump(number, end);
        self.pump(number, 1 - end);
    }

    /// Moves what can be moved in a direction, and sees to it that the rest is.
    fn pump(&mut self, number: u64, way: usize) {
        let now_ns = self.now_ns();
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let mut shared = RelayContext {
            link: &mut self.links[way],
            scratch: &mut self.scratch,
            traffic: &mut self.traffic,
            calls: self.calls.as_ref(),
            window_bytes: self.window_bytes,
            round_trip_ns: shaping::round_trip_ns(&self.network),
        };
        let mut fate = connection.deliver(way, now_ns);
        if fate == RelayOutcome::Lives {
            let wait = connection.take(way, now_ns, &mut shared);
            if wait == WaitReason::Turn && !std::mem::replace(&mut connection.ways[way].waits, true)
            {
                self.waiting[way].push_back(number);
            }
            fate = connection.deliver(way, now_ns);
        }
        if fate != RelayOutcome::Lives {
            self.close(number, fate);
            return;
        }
        self.arm(number, UP);
        self.arm(number, DOWN);
    }

    /// Sets a timer for the next piece, unless its receiver takes nothing: then that is waited for.
    fn arm(&mut self, number: u64, way: usize) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let (receiver, direction) = (&connection.ends[1 - way], &mut connection.ways[way]);
        if let (Some(due_ns), true, false) =
            (direction.line.next_due_ns(), receiver.writable, direction.armed)
        {
            direction.armed = true;
            self.timers.push(Reverse((due_ns, number, way)));
        }
    }

    fn arrivals(&mut self) {
        let now_ns = self.now_ns();
        while let Some(Reverse((due_ns, number, way))) = self.timers.peek().copied() {
            if due_ns > now_ns {
                break;
            }
            self.timers.pop();
            if let Some(connection) = self.connections.get_mut(&number) {
                connection.ways[way].armed = false;
                self.pump(number, way);
            }
        }
    }

    fn turns(&mut self) {
        for way in [UP, DOWN] {
            for _ in 0..self.waiting[way].len() {
                if self.links[way].takes_ns() > self.now_ns() {
                    break;
                }
                let Some(number) = self.waiting[way].pop_front() else { break };
                if let Some(connection) = self.connections.get_mut(&number) {
                    connection.ways[way].waits = false;
                    self.pump(number, way);
                }
            }
        }
    }

    fn close(&mut self, number: u64, fate: RelayOutcome) {
        let connection = self.connections.remove(&number);
        if let (Some(connection), RelayOutcome::Broke) = (connection, fate) {
            connection.break_off();
        }
        // Its descriptors are free.
        self.accepts_ns = self.accepts_ns.map(|_| 0);
    }
}
