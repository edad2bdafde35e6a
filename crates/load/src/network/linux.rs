//! The driver of Linux: epoll, two timers in turn, and the kernel's word on when bytes arrived.
//!
//! Every connection is registered once, edge-triggered, for both directions, so a request costs one
//! send, one receive and its share of a wait. Waiting takes a time in nanoseconds: a timer that
//! counts milliseconds would be the largest error of an open load.

use std::io;
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::buffer;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::thread;
use rustix::time::ClockId;

use super::page_pipe::PagePipe;
use super::{Address, Clock, EVENTS_MAX, NetworkDriver, SocketReadiness, connect, read};
use crate::arrival;
use crate::arrival::ReceiveResult;
use crate::body::SealedBytes;
use crate::http1::UnsentBytes;
use crate::timers::TimerPair;

/// Connections that pages are lent to. With more, all copy: their pipes would take the last of the files that a
/// process may have open, often 1024.
const LENDING_MAX: usize = 64;

/// Connections of this system.
pub(crate) struct LinuxNetwork {
    address: Address,
    clock: Clock,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    sockets: Vec<SystemSocket>,
    arrivals: ArrivalStamps,
    alarms: TimerPair,
    /// Whether the sockets take pages, as far as it is known.
    takes_pages: bool,
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
    /// What lends it pages, once it has sent some.
    pages: Option<PagePipe>,
    /// Tells events of a closed socket, already fetched, from those of its successor.
    generation: u32,
    /// When what was last received had arrived.
    arrived_ns: Option<u64>,
}

impl LinuxNetwork {
    pub(crate) fn new(address: Address, connections: usize) -> io::Result<Self> {
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
            takes_pages: connections <= LENDING_MAX,
        })
    }

    /// Receives into memory that is initialised already; 0 is the end of the stream.
    pub(crate) fn receive_slice(&mut self, slot: usize, into: &mut [u8]) -> io::Result<usize> {
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

    /// Sends a body's rest without a copy. Returns none if that cannot be done.
    fn lend(&mut self, slot: usize, rest: SealedBytes<'_>) -> Option<io::Result<usize>> {
        let SystemSocket { fd, pages, .. } = &mut self.sockets[slot];
        let socket = fd.as_ref().expect("the engine uses open connections only");
        let pipe = match pages {
            Some(pipe) => Some(pipe),
            None => PagePipe::new(socket, &self.address).ok().map(|pipe| pages.insert(pipe)),
        };
        let sent = pipe.and_then(|pipe| pipe.send(socket, rest));
        if sent.is_none() {
            self.sockets[slot].pages = None;
            self.takes_pages = false;
        }
        sent.map(|sent| sent.map_err(Into::into))
    }

    fn fd(&self, slot: usize) -> &OwnedFd {
        self.sockets[slot].fd.as_ref().expect("the engine uses open connections only")
    }
}

fn socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    net::socket_with(family, SocketType::STREAM, flags, None)
}

impl NetworkDriver for LinuxNetwork {
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
        let fd = connect(&self.address, socket)?;
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
        socket.pages = None;
        socket.generation = socket.generation.wrapping_add(1);
    }

    fn send(&mut self, slot: usize, unsent: &UnsentBytes<'_>) -> io::Result<usize> {
        // Without a signal: a library does not know what the program does about SIGPIPE. Only
        // `splice` has no such flag, and relies on Rust's own default, which is to ignore it.
        let flags = SendFlags::NOSIGNAL;
        let sealed = unsent.sealed.filter(|_| self.takes_pages);
        if let ([[], _], Some(rest)) = (unsent.parts, sealed)
            && let Some(sent) = self.lend(slot, rest)
        {
            return sent;
        }
        let socket = self.fd(slot);
        let sent = match (unsent.parts, sealed) {
            ([first @ [_, ..], _], Some(_)) => net::send(socket, first, flags | SendFlags::MORE)?,
            ([one, []] | [[], one], _) => net::send(socket, one, flags)?,
            ([first, rest], _) => {
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
pub(crate) struct PreciseWaits {
    before_ns: u64,
}

impl PreciseWaits {
    /// Returns none where the system has no such setting: the lag of the generator will say so.
    pub(crate) fn begin() -> Option<Self> {
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::thread;

    use super::*;
    use crate::body::RequestBody;
    use crate::network::tests::{connected, fill, rest, wait_for};

    #[test]
    fn pages_are_lent_until_the_system_takes_none_and_nothing_is_paced() {
        let (mut network, mut peer) = connected(LinuxNetwork::new);
        assert_eq!(net::sockopt::tcp_congestion(network.fd(0)).unwrap(), "reno");
        let bytes: Vec<u8> = (0..7_500_000_u32).flat_map(u32::to_be_bytes).collect();
        let body = RequestBody::from(bytes.clone());
        let mut sent = fill(&mut network, &body);
        // The pipe holds more than was sent.
        assert!(network.sockets[0].pages.is_some());
        network.sockets[0].pages = None;
        network.takes_pages = false;
        let reading = thread::spawn(move || {
            let mut received = vec![0; 4 * 7_500_000];
            peer.read_exact(&mut received).map(|()| received)
        });
        while sent < bytes.len() {
            match network.send(0, &rest(&body, sent)) {
                Ok(more) => sent += more,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    wait_for(&mut network, |it| it.writable);
                }
            }
        }
        assert!(network.sockets[0].pages.is_none());
        assert!(reading.join().unwrap().unwrap() == bytes, "the bytes differ");
    }

    #[test]
    fn many_connections_copy() {
        let address = Address::Tcp(([127, 0, 0, 1], 9).into());
        let takes_pages =
            |connections| LinuxNetwork::new(address.clone(), connections).unwrap().takes_pages;
        assert!(takes_pages(LENDING_MAX) && !takes_pages(LENDING_MAX + 1));
    }
}
