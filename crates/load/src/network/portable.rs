//! The driver of every system but Linux: readiness by `mio`, and sleeps of the thread.
//!
//! The runtime of HTTP/2 waits by `mio` too, so that it is no further dependency; and unlike
//! `polling` it says that a peer has ended its stream, without which the engine could not tell a
//! connection that is kept. These systems do not say when bytes arrived: an open load is woken by
//! every answer and reads the clock then, which costs more but measures the same. All bodies are copied.

use std::io;
use std::thread;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::buffer;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::{Errno, FdFlags};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketType};

use super::{Address, Clock, EVENTS_MAX, NetworkDriver, SPIN_NS, SocketReadiness, connect};
use crate::http1::UnsentBytes;

/// Sending makes no signal: a library does not know what the program does about SIGPIPE.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
/// Apple's sockets are set so when they are made.
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: SendFlags = SendFlags::empty();

/// Connections of a system of which no more is known than that it is a Unix.
pub(crate) struct PortableNetwork {
    address: Address,
    clock: Clock,
    poll: Poll,
    events: Events,
    sockets: Vec<PortableSocket>,
}

struct PortableSocket {
    fd: Option<OwnedFd>,
    /// What its events are known by: its slot and a multiple of how many slots there are, which tells
    /// those of a closed socket from those of its successor.
    token: usize,
    /// Where it stands in what the present wait tells.
    place: Option<usize>,
}

impl PortableNetwork {
    pub(crate) fn new(address: Address, connections: usize) -> io::Result<Self> {
        let socket = |slot| PortableSocket { fd: None, token: slot, place: None };
        Ok(Self {
            address,
            clock: Clock::new(),
            poll: Poll::new()?,
            // A system may tell of reading and writing apart.
            events: Events::with_capacity(2 * connections.clamp(8, EVENTS_MAX)),
            sockets: (0..connections).map(socket).collect(),
        })
    }

    /// Receives into memory that is initialised already; 0 is the end of the stream.
    pub(crate) fn receive_slice(&mut self, slot: usize, into: &mut [u8]) -> io::Result<usize> {
        let (received, _) = net::recv(self.fd(slot), into, RecvFlags::empty())?;
        Ok(received)
    }

    fn fd(&self, slot: usize) -> &OwnedFd {
        self.sockets[slot].fd.as_ref().expect("the engine uses open connections only")
    }

    /// Adds what the last wait of the system has found.
    fn tell(&mut self, ready: &mut Vec<SocketReadiness>) {
        for event in &self.events {
            let Token(token) = event.token();
            let slot = token % self.sockets.len();
            let socket = &mut self.sockets[slot];
            if socket.token != token {
                continue;
            }
            let gone = event.is_read_closed() || event.is_write_closed() || event.is_error();
            // One answer a slot: the second of two could be taken for one of a successor, which the
            // engine may connect in between.
            let place = *socket.place.get_or_insert_with(|| {
                ready.push(SocketReadiness { slot, readable: false, writable: false, gone: false });
                ready.len() - 1
            });
            ready[place].readable |= event.is_readable() || gone;
            ready[place].writable |= event.is_writable() || gone;
            ready[place].gone |= gone;
        }
        for it in ready.iter() {
            self.sockets[it.slot].place = None;
        }
    }
}

/// Makes a socket that never waits and that no child inherits. Not every system does both at once.
fn socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    let fd = net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    #[cfg(target_vendor = "apple")]
    net::sockopt::set_socket_nosigpipe(&fd, true)?;
    Ok(fd)
}

impl NetworkDriver for PortableNetwork {
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    // The engine is woken by answers where no arrival is known.
    fn note_arrivals(&mut self) {}

    fn arrived_ns(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn open(&mut self, slot: usize) -> io::Result<()> {
        let fd = connect(&self.address, socket)?;
        let token = Token(self.sockets[slot].token);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), token, both)?;
        self.sockets[slot].fd = Some(fd);
        Ok(())
    }

    fn opened(&mut self, slot: usize) -> io::Result<()> {
        Ok(net::sockopt::socket_error(self.fd(slot))??)
    }

    fn close(&mut self, slot: usize) {
        let slots = self.sockets.len();
        let socket = &mut self.sockets[slot];
        // Closing takes it out of the system's queue.
        socket.fd = None;
        socket.token = socket.token.checked_add(slots).unwrap_or(slot);
    }

    fn send(&mut self, slot: usize, unsent: &UnsentBytes<'_>) -> io::Result<usize> {
        let socket = self.fd(slot);
        let sent = match unsent.parts {
            [one, []] | [[], one] => net::send(socket, one, SEND_FLAGS)?,
            [first, rest] => {
                let pieces = [io::IoSlice::new(first), io::IoSlice::new(rest)];
                net::sendmsg(socket, &pieces, &mut <_>::default(), SEND_FLAGS)?
            }
        };
        Ok(sent)
    }

    fn receive(&mut self, slot: usize, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let room = buffer::spare_capacity(buffer);
        let (received, _) = net::recv(self.fd(slot), room, RecvFlags::empty())?;
        Ok(received)
    }

    fn sleep(&mut self, until_ns: u64, _then_ns: Option<u64>) -> io::Result<()> {
        thread::sleep(Duration::from_nanos(until_ns.saturating_sub(self.now_ns())));
        Ok(())
    }

    fn wait(&mut self, until_ns: u64, ready: &mut Vec<SocketReadiness>) -> io::Result<()> {
        ready.clear();
        loop {
            let left_ns = until_ns.saturating_sub(self.now_ns());
            let timeout = Duration::from_nanos(left_ns.saturating_sub(SPIN_NS));
            match self.poll.poll(&mut self.events, Some(timeout)) {
                Ok(()) => {}
                // A signal: its handler raises the flag that the engine looks at.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                Err(error) => return Err(error),
            }
            self.tell(ready);
            if !ready.is_empty() || self.now_ns() >= until_ns {
                return Ok(());
            }
        }
    }
}

/// What no system but Linux has: a setting by which waits end at the requested nanosecond.
#[cfg(not(target_os = "linux"))]
pub(crate) enum PreciseWaits {}

#[cfg(not(target_os = "linux"))]
impl PreciseWaits {
    pub(crate) fn begin() -> Option<Self> {
        None
    }
}
