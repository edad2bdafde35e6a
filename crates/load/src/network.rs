//! The clock and the sockets: everything of the system that the engine touches, behind one seam.
//!
//! Every connection is registered once, edge-triggered, for both directions, so a request costs one
//! send, one receive and its share of a wait. Waiting takes a time in nanoseconds: a timer that
//! counts milliseconds would be the largest error of an open load.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use rustix::buffer;
use rustix::event::{Timespec, epoll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs;
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::thread;
use rustix::time;
use rustix::time::ClockId;

use super::arrival;
use super::arrival::ReceiveResult;
use super::http1::UnsentBytes;
use super::timers::TimerPair;

/// Where a target listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address and port.
    Tcp(SocketAddr),
    /// The path of a socket.
    Unix(PathBuf),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What can be done on a connection without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SocketReadiness {
    pub(super) slot: usize,
    /// There are bytes, or the peer is gone.
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer will send nothing more than what is there, and that is not announced again.
    pub(super) gone: bool,
}

/// Most connections that one wait tells of.
pub(super) const EVENTS_MAX: usize = 256;

/// What a connection within this machine may have under way, in bytes; the system doubles it.
///
/// Left to itself the system lets it grow to megabytes, for distances that are not there: a large
/// body then leaves the caches between the two copies, and costs twice the CPU time.
const LOCAL_BUFFER_BYTES: usize = 180_000;

/// A clock and numbered connections, `slot` from 0. Nothing but [`NetworkDriver::wait`] and
/// [`NetworkDriver::sleep`] waits.
pub(super) trait NetworkDriver {
    /// Returns nanoseconds since this was made.
    fn now_ns(&self) -> u64;
    /// From now on, the system notes when bytes arrive, as far as it can.
    fn note_arrivals(&mut self);
    /// Returns when what was last received on a connection had arrived, if that was noted.
    fn arrived_ns(&self, slot: usize) -> Option<u64>;
    /// Begins to connect; the slot becomes writable when that has succeeded or failed.
    fn open(&mut self, slot: usize) -> io::Result<()>;
    /// Returns how connecting has ended.
    fn opened(&mut self, slot: usize) -> io::Result<()>;
    fn close(&mut self, slot: usize);
    /// Sends as much as there is room for.
    fn send(&mut self, slot: usize, unsent: &UnsentBytes<'_>) -> io::Result<usize>;
    /// Appends at most the spare capacity of `buffer`; 0 is the end of the stream.
    fn receive(&mut self, slot: usize, buffer: &mut Vec<u8>) -> io::Result<usize>;
    /// Waits until something is ready or the time has come, and replaces what `ready` holds.
    fn wait(&mut self, until_ns: u64, ready: &mut Vec<SocketReadiness>) -> io::Result<()>;
    /// Waits until the time has come, whatever becomes ready meanwhile. `then_ns`, if known, is when
    /// the next sleep is to end.
    fn sleep(&mut self, until_ns: u64, then_ns: Option<u64>) -> io::Result<()>;
}

/// The real one.
pub(super) struct SystemNetwork {
    address: Address,
    clock: Clock,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    sockets: Vec<SystemSocket>,
    arrivals: ArrivalStamps,
    alarms: TimerPair,
}

/// Whether it is noted when bytes arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArrivalStamps {
    Ignored,
    Noted,
}

#[derive(Default)]
struct SystemSocket {
    fd: Option<OwnedFd>,
    /// Tells events of a closed socket, already fetched, from those of its successor.
    generation: u32,
    /// When what was last received had arrived.
    arrived_ns: Option<u64>,
}

impl SystemNetwork {
    pub(super) fn new(address: Address, connections: usize) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut sockets = Vec::new();
        sockets.resize_with(connections, SystemSocket::default);
        let events = Vec::with_capacity(connections.clamp(16, EVENTS_MAX));
        let (clock, alarms) = (Clock::new(), TimerPair::new()?);
        Ok(Self {
            address,
            clock,
            epoll,
            events,
            sockets,
            arrivals: ArrivalStamps::Ignored,
            alarms,
        })
    }

    fn connect(&self) -> io::Result<OwnedFd> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let open = |family| net::socket_with(family, SocketType::STREAM, flags, None);
        let (fd, connecting) = match &self.address {
            Address::Tcp(address) => {
                let v4 = address.is_ipv4();
                let fd = open(if v4 { AddressFamily::INET } else { AddressFamily::INET6 })?;
                tune(&fd, address)?;
                let connecting = net::connect(&fd, address);
                (fd, connecting)
            }
            Address::Unix(path) => {
                let fd = open(AddressFamily::UNIX)?;
                let connecting = net::connect(&fd, &SocketAddrUnix::new(path)?);
                (fd, connecting)
            }
        };
        match connecting {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(fd),
            Err(error) => Err(error.into()),
        }
    }

    /// Receives into memory that is initialised already; 0 is the end of the stream.
    pub(super) fn receive_slice(&mut self, slot: usize, into: &mut [u8]) -> io::Result<usize> {
        if self.arrivals == ArrivalStamps::Noted {
            let received = arrival::receive_slice(self.fd(slot), into);
            return self.arrived(slot, received);
        }
        let (received, _) = net::recv(self.fd(slot), into, RecvFlags::empty())?;
        Ok(received)
    }

    fn arrived(&mut self, slot: usize, received: io::Result<ReceiveResult>) -> io::Result<usize> {
        let (received, at) = received?;
        self.sockets[slot].arrived_ns = at.map(|at| self.since_origin_ns(at));
        Ok(received)
    }

    /// Translates a time of day, not long ago, into nanoseconds since this was made.
    fn since_origin_ns(&self, at: Duration) -> u64 {
        let age = read(ClockId::Realtime).saturating_sub(at);
        self.now_ns().saturating_sub(units::nanos(age))
    }

    fn fd(&self, slot: usize) -> &OwnedFd {
        self.sockets[slot].fd.as_ref().expect("the engine uses open connections only")
    }
}

impl NetworkDriver for SystemNetwork {
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn note_arrivals(&mut self) {
        self.arrivals = ArrivalStamps::Noted;
        for fd in self.sockets.iter().filter_map(|socket| socket.fd.as_ref()) {
            // Where it cannot be had, no arrival is notified, and the engine is woken by answers.
            let _ = arrival::note(fd);
        }
    }

    fn arrived_ns(&self, slot: usize) -> Option<u64> {
        self.sockets[slot].arrived_ns
    }

    fn open(&mut self, slot: usize) -> io::Result<()> {
        let fd = self.connect()?;
        let generation = self.sockets[slot].generation;
        let key = u64::from(generation) << 32 | slot as u64;
        let interest = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &fd, epoll::EventData::new_u64(key), interest)?;
        if self.arrivals == ArrivalStamps::Noted {
            let _ = arrival::note(&fd);
        }
        self.sockets[slot].fd = Some(fd);
        Ok(())
    }

    fn opened(&mut self, slot: usize) -> io::Result<()> {
        Ok(net::sockopt::socket_error(self.fd(slot))??)
    }

    fn close(&mut self, slot: usize) {
        let socket = &mut self.sockets[slot];
        socket.fd = None;
        socket.generation = socket.generation.wrapping_add(1);
    }

    fn send(&mut self, slot: usize, unsent: &UnsentBytes<'_>) -> io::Result<usize> {
        // Without a signal: a library does not know what the program does about SIGPIPE. Only
        // `sendfile` has no such flag, and relies on Rust's own default, which is to ignore it.
        let (socket, flags) = (self.fd(slot), SendFlags::NOSIGNAL);
        let sent = match (unsent.parts, unsent.file) {
            ([[], rest], Some((file, mut at))) => {
                match fs::sendfile(socket, file, Some(&mut at), rest.len()) {
                    // This kind of socket takes no pages.
                    Err(Errno::INVAL | Errno::NOSYS) => net::send(socket, rest, flags)?,
                    sent => sent?,
                }
            }
            ([first, _], Some(_)) => net::send(socket, first, flags | SendFlags::MORE)?,
            ([one, []] | [[], one], None) => net::send(socket, one, flags)?,
            ([first, rest], None) => {
                let pieces = [io::IoSlice::new(first), io::IoSlice::new(rest)];
                net::sendmsg(socket, &pieces, &mut <_>::default(), flags)?
            }
        };
        Ok(sent)
    }

    fn receive(&mut self, slot: usize, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if self.arrivals == ArrivalStamps::Noted {
            let received = arrival::receive(self.fd(slot), buffer);
            return self.arrived(slot, received);
        }
        let room = buffer::spare_capacity(buffer);
        let (received, _) = net::recv(self.fd(slot), room, RecvFlags::empty())?;
        Ok(received)
    }

    fn sleep(&mut self, until_ns: u64, then_ns: Option<u64>) -> io::Result<()> {
        let clock = self.clock;
        self.alarms.sleep(clock.at(until_ns), then_ns.map(|then_ns| clock.at(then_ns)))
    }

    fn wait(&mut self, until_ns: u64, ready: &mut Vec<SocketReadiness>) -> io::Result<()> {
        ready.clear();
        self.events.clear();
        let timeout = Duration::from_nanos(until_ns.saturating_sub(self.now_ns()));
        let timeout = Timespec::try_from(timeout).ok();
        match epoll::wait(&self.epoll, buffer::spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) => {}
            // A signal: its handler raises the flag that the engine looks at.
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let gone = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        for event in &self.events {
            let (flags, key) = (event.flags, event.data.u64());
            let slot = usize::try_from(key & u64::from(u32::MAX)).expect("a slot came from usize");
            if u64::from(self.sockets[slot].generation) == key >> 32 {
                ready.push(SocketReadiness {
                    slot,
                    readable: flags.intersects(epoll::EventFlags::IN | gone),
                    writable: flags.intersects(epoll::EventFlags::OUT | gone),
                    gone: flags.intersects(gone),
                });
            }
        }
        Ok(())
    }
}

/// While it lives, waits of this thread end at the requested nanosecond, not up to 50 µs later.
///
/// It is no setting for good: a target that is started by this thread would inherit it.
pub(super) struct PreciseWaits {
    before_ns: u64,
}

impl PreciseWaits {
    /// Returns none where the system has no such setting: the lag of the generator will say so.
    pub(super) fn begin() -> Option<Self> {
        let before_ns = thread::current_timer_slack().ok()?;
        thread::set_current_timer_slack(NonZeroU64::new(1)).ok()?;
        Some(Self { before_ns })
    }
}

impl Drop for PreciseWaits {
    fn drop(&mut self) {
        // It was accepted before; and a wait that is too precise does no harm.
        let _ = thread::set_current_timer_slack(NonZeroU64::new(self.before_ns));
    }
}

/// The clock that can be slept by. Times are nanoseconds since it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Duration,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { origin: read(ClockId::Monotonic) }
    }

    pub(super) fn now_ns(self) -> u64 {
        units::nanos(read(ClockId::Monotonic).saturating_sub(self.origin))
    }

    /// Translates one of its times into one of the system's monotonic clock.
    pub(super) fn at(self, at_ns: u64) -> Duration {
        self.origin + Duration::from_nanos(at_ns)
    }
}

/// The one place where the load reads a clock.
fn read(id: ClockId) -> Duration {
    Duration::try_from(time::clock_gettime(id)).unwrap_or_default()
}

/// Sets up a socket to `address`.
pub(super) fn tune(socket: impl AsFd, address: &SocketAddr) -> io::Result<()> {
    net::sockopt::set_tcp_nodelay(&socket, true)?;
    if address.ip().is_loopback() {
        net::sockopt::set_socket_send_buffer_size(&socket, LOCAL_BUFFER_BYTES)?;
    }
    Ok(())
}

/// Whether a connection could not even be tried because this machine is out of something.
pub(super) fn is_ours(error: &io::Error) -> bool {
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL];
    ours.iter().any(|it| error.raw_os_error() == Some(it.raw_os_error()))
}
