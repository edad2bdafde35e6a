//! Pages of the memory, lent to a socket by way of a pipe (`vmsplice`, `splice`): no copy is made of them.

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::pipe::{self, IoSliceRaw, PipeFlags, SpliceFlags};

use super::Address;
use crate::body::SealedBytes;

/// Bytes that are put into a pipe at once.
const HELD_BYTES_MAX: usize = 1 << 17;

/// What a connection within this machine may have under way, in bytes: twice as much as others. No copy that this
/// side makes has to stay in the caches, and the more is under way, the seldomer both sides wake.
const LOCAL_BUFFER_BYTES: usize = 2 * super::LOCAL_BUFFER_BYTES;

/// The pipe of one connection.
pub(super) struct PagePipe {
    /// Where pages go in.
    input: OwnedFd,
    output: OwnedFd,
    /// Bytes that are in it: the beginning of what is to be sent next.
    held: usize,
}

impl PagePipe {
    /// Returns the pipe of a socket to `address`, which gets room for what pages are lent for.
    pub(super) fn new(socket: impl AsFd, address: &Address) -> Result<Self, Errno> {
        let (output, input) = pipe::pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        // Refused to a user who has very many of them: a smaller one costs more calls than it saves copies.
        pipe::fcntl_setpipe_size(&input, HELD_BYTES_MAX)?;
        if address.is_loopback() {
            sockopt::set_socket_send_buffer_size(socket, LOCAL_BUFFER_BYTES)?;
        }
        Ok(Self { input, output, held: 0 })
    }

    /// Sends as much of a body's rest as there is room for, and returns how much; none if the system lends no pages, or
    /// none to this kind of socket. The rest begins where the last call for this connection has ended.
    pub(super) fn send(
        &mut self,
        socket: impl AsFd,
        rest: SealedBytes<'_>,
    ) -> Option<Result<usize, Errno>> {
        let (rest, flags) = (rest.bytes(), SpliceFlags::NONBLOCK);
        if self.held == 0 {
            // The system would look up pages beyond that in vain.
            let part = IoSliceRaw::from_slice(&rest[..rest.len().min(HELD_BYTES_MAX)]);
            #[expect(
                unsafe_code,
                reason = "the system reads the memory after the call that names it"
            )]
            // SAFETY: sealed pages are not written to any more, and the system keeps them until they are sent.
            let held = unsafe { pipe::vmsplice(&self.input, &[part], flags) };
            self.held = held.ok()?;
        }
        let more = if self.held < rest.len() { SpliceFlags::MORE } else { SpliceFlags::empty() };
        match pipe::splice(&self.output, None, socket, None, self.held, flags | more) {
            // The last is what a filter of system calls says.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => None,
            Err(error) => Some(Err(error)),
            Ok(sent) => {
                self.held -= sent;
                Some(Ok(sent))
            }
        }
    }
}
