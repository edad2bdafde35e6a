//! The clock and the sockets: everything of the system that the engine touches, behind one seam.
//!
//! The driver of Linux is `linux`, that of other systems `portable`. The choice is made when the program
//! is built, so that a request costs no indirect call. Tests on Linux run both: code that only a Mac
//! executes would be executed by no test.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod page_pipe;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix};
use rustix::time;
use rustix::time::ClockId;

use super::http1::UnsentBytes;
#[cfg(target_os = "linux")]
pub(super) use linux::{LinuxNetwork as SystemNetwork, PreciseWaits};
#[cfg(not(target_os = "linux"))]
pub(super) use portable::{PortableNetwork as SystemNetwork, PreciseWaits};

/// Where a target listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address and port.
    Tcp(SocketAddr),
    /// The path of a socket.
    Unix(PathBuf),
}

impl Address {
    /// Whether it is a port of this machine.
    #[cfg(target_os = "linux")]
    fn is_loopback(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.ip().is_loopback())
    }
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

/// Whether the end of what a connection receives has been announced already, and will not be a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndNotice {
    Ahead,
    Seen,
}

impl SocketReadiness {
    pub(super) fn end(self) -> EndNotice {
        if self.gone { EndNotice::Seen } else { EndNotice::Ahead }
    }
}

/// Most connections that one wait tells of.
pub(super) const EVENTS_MAX: usize = 256;

/// For how long before its end a wait looks again and again, in nanoseconds: a system that saves energy
/// ends waits late, macOS among them, and in an open load each would count as response time.
#[cfg(any(test, not(target_os = "linux")))]
pub(super) const SPIN_NS: u64 = 2_000_000;

/// What a connection within this machine may have under way, in bytes; the system doubles it.
///
/// Left to itself the system lets it grow to megabytes, for distances that are not there: a large
/// body then leaves the caches between the two copies, and costs twice the CPU time.
const LOCAL_BUFFER_BYTES: usize = 180_000;

/// The congestion control of a connection within this machine: one that every Linux has and that spends no time
/// between packets. BBR, the default of some, waits for a timer after each, and so measures a large body at the rate
/// that it has estimated, not at that of the target.
#[cfg(target_os = "linux")]
const UNPACED: &str = "reno";

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
    #[cfg(target_os = "linux")]
    pub(super) fn at(self, at_ns: u64) -> Duration {
        self.origin + Duration::from_nanos(at_ns)
    }
}

/// The one place where the load reads a clock.
fn read(id: ClockId) -> Duration {
    Duration::try_from(time::clock_gettime(id)).unwrap_or_default()
}

/// Begins to connect a socket that never waits; how such a one is made depends on the system.
fn connect(
    address: &Address,
    socket: impl Fn(AddressFamily) -> Result<OwnedFd, Errno>,
) -> io::Result<OwnedFd> {
    let (fd, connecting) = match address {
        Address::Tcp(address) => {
            let v4 = address.is_ipv4();
            let fd = socket(if v4 { AddressFamily::INET } else { AddressFamily::INET6 })?;
            tune(&fd, address)?;
            let connecting = net::connect(&fd, address);
            (fd, connecting)
        }
        Address::Unix(path) => {
            let fd = socket(AddressFamily::UNIX)?;
            let connecting = net::connect(&fd, &SocketAddrUnix::new(path)?);
            (fd, connecting)
        }
    };
    match connecting {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(fd),
        Err(error) => Err(error.into()),
    }
}

/// Sets up a socket to `address`.
pub(super) fn tune(socket: impl AsFd, address: &SocketAddr) -> io::Result<()> {
    net::sockopt::set_tcp_nodelay(&socket, true)?;
    if address.ip().is_loopback() {
        net::sockopt::set_socket_send_buffer_size(&socket, LOCAL_BUFFER_BYTES)?;
        // Where this is not allowed, the connection is as the system is set.
        #[cfg(target_os = "linux")]
        let _ = net::sockopt::set_tcp_congestion(&socket, UNPACED);
    }
    Ok(())
}

/// How long to wait before it is tried again to connect to a listener that is full: as long as one that is served
/// takes to accept another connection.
pub(super) const FULL_PAUSE: Duration = Duration::from_millis(1);

/// Whether a connection could not be begun because the listener, a socket with a path, has no room for another. A port
/// lets it wait then.
pub(super) fn is_full(address: &Address, error: &io::Error) -> bool {
    matches!(address, Address::Unix(_)) && error.kind() == io::ErrorKind::WouldBlock
}

/// Whether a connection could not even be tried because this machine is out of something.
pub(super) fn is_ours(error: &io::Error) -> bool {
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL];
    ours.iter().any(|it| error.raw_os_error() == Some(it.raw_os_error()))
}
