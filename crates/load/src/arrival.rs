//! Receives bytes together with the moment at which the system got them.
//!
//! An open load is woken by its schedule. To be woken by every answer too, only to read the clock,
//! would double what it costs; the kernel has read it already, and tells by `SO_TIMESTAMPNS`.

use std::io;
use std::mem;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use rustix::fd::{AsRawFd, OwnedFd};

/// Words of control data: enough for one moment with its head.
const CONTROL_WORDS: usize = 16;

/// Makes the system note when bytes come. Fails where it has no such setting.
pub(super) fn note(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of_val(&on)).expect("an int is small");
    let value = ptr::from_ref(&on).cast();
    let (fd, option) = (socket.as_raw_fd(), libc::SO_TIMESTAMPNS);
    #[expect(unsafe_code, reason = "rustix does not know this option")]
    // SAFETY: the option takes an int, which lives here, and its size.
    let result = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, value, size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What was received: how many bytes, 0 at the end of the stream, and when the last of them came by
/// the system's time of day, if that was noted.
pub(super) type ReceiveResult = (usize, Option<Duration>);

/// Appends at most the spare capacity of `buffer`.
pub(super) fn receive(socket: &OwnedFd, buffer: &mut Vec<u8>) -> io::Result<ReceiveResult> {
    let (received, at) = fill(socket, buffer.spare_capacity_mut())?;
    #[expect(unsafe_code, reason = "no vector can be filled by the system without it")]
    // SAFETY: so many bytes of the spare capacity were written by the system.
    unsafe {
        buffer.set_len(buffer.len() + received);
    }
    Ok((received, at))
}

/// Receives into memory that is initialised already.
pub(super) fn receive_slice(socket: &OwnedFd, into: &mut [u8]) -> io::Result<ReceiveResult> {
    fill(socket, as_room(into))
}

fn as_room(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    #[expect(unsafe_code, reason = "the standard library has no such conversion yet")]
    // SAFETY: both have one layout, and the system writes bytes into it and nothing undefined.
    unsafe {
        &mut *(ptr::from_mut(bytes) as *mut [MaybeUninit<u8>])
    }
}

fn fill(socket: &OwnedFd, room: &mut [MaybeUninit<u8>]) -> io::Result<ReceiveResult> {
    let mut control = [0_u64; CONTROL_WORDS];
    let mut piece = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    #[expect(unsafe_code, reason = "rustix does not know the control data of this option")]
    // SAFETY: all zeros are a valid header, whose two buffers live here and have the sizes given.
    unsafe {
        let mut header: libc::msghdr = mem::zeroed();
        header.msg_iov = &raw mut piece;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = length(size_of_val(&control));
        let received = libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0);
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        Ok((received, noted(&header)))
    }
}

/// A length of some bytes of control data. C libraries differ in its type: `size_t` in glibc, `socklen_t` in musl.
fn length<T: TryFrom<usize>>(bytes: usize) -> T {
    let Ok(length) = T::try_from(bytes) else { unreachable!("control data take a few bytes") };
    length
}

/// The time that the control data of a header begins with, if it does.
///
/// # Safety
///
/// The header's control data are as long as it says, and begin with a message that is whole, if any.
#[expect(unsafe_code, reason = "control data are read by their place")]
unsafe fn noted(header: &libc::msghdr) -> Option<Duration> {
    // SAFETY: a message that is there is whole, and one of this type holds a time.
    let at = unsafe {
        let message = libc::CMSG_FIRSTHDR(ptr::from_ref(header));
        let is_time = !message.is_null()
            && (*message).cmsg_level == libc::SOL_SOCKET
            && (*message).cmsg_type == libc::SO_TIMESTAMPNS;
        is_time.then(|| libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned())
    };
    duration(at?)
}

fn duration(at: libc::timespec) -> Option<Duration> {
    Some(Duration::new(u64::try_from(at.tv_sec).ok()?, u32::try_from(at.tv_nsec).ok()?))
}

/// Runs under Miri as well, by `fuzz/miri.sh`: what the system would write is written here.
#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of control data with one message of so many words.
    fn noted_of(kind: libc::c_int, words: &[u64]) -> Option<Duration> {
        let mut control = [0_u64; CONTROL_WORDS];
        let head_bytes = size_of::<libc::cmsghdr>();
        let bytes = if words.is_empty() { 0 } else { head_bytes + size_of_val(words) };
        control[head_bytes / 8..][..words.len()].copy_from_slice(words);
        #[expect(unsafe_code, reason = "the header is one of the system's")]
        // SAFETY: all zeros are a valid header; its control data live here and have that size.
        unsafe {
            let message = control.as_mut_ptr().cast::<libc::cmsghdr>();
            (*message).cmsg_len = length(bytes);
            (*message).cmsg_level = libc::SOL_SOCKET;
            (*message).cmsg_type = kind;
            let mut header: libc::msghdr = mem::zeroed();
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = length(bytes);
            noted(&header)
        }
    }

    #[test]
    fn only_a_time_is_read_as_one() {
        assert_eq!(noted_of(libc::SO_TIMESTAMPNS, &[5, 7]), Some(Duration::new(5, 7)));
        assert_eq!(noted_of(libc::SO_TIMESTAMPNS, &[]), None);
        assert_eq!(noted_of(libc::SCM_RIGHTS, &[5]), None);
        // Before 1970.
        assert_eq!(noted_of(libc::SO_TIMESTAMPNS, &[u64::MAX, 0]), None);
    }

    #[test]
    fn what_is_written_to_the_room_stands_in_the_bytes() {
        let mut bytes = [1, 2, 3];
        as_room(&mut bytes)[1].write(9);
        assert_eq!(bytes, [1, 9, 3]);
    }
}
