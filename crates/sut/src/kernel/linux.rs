//! Linux, by its own system calls.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};
use rustix::net::sockopt;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, prlimit};
use rustix::thread::{CpuSet as Mask, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Whether processes can be watched and placed, which a launch takes.
pub(crate) const LAUNCHES: bool = true;

/// Returns the processors that this thread may run on.
pub(crate) fn thread_cpus() -> io::Result<Vec<usize>> {
    let mask = sched_getaffinity(None)?;
    Ok((0..Mask::MAX_CPU).filter(|&cpu| mask.is_set(cpu)).collect())
}

/// Keeps this thread, and what it starts, on these processors.
pub(crate) fn place_thread(cpus: &[usize]) -> io::Result<()> {
    let mut mask = Mask::new();
    for &cpu in cpus {
        mask.set(cpu);
    }
    Ok(sched_setaffinity(None, &mask)?)
}

/// Returns what becomes readable when a process ends; nothing if the kernel gives out no such
/// descriptor, or the process has ended and was waited for.
pub(crate) fn end_of(pid: Pid) -> Option<OwnedFd> {
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Returns the CPU time of all threads of a process, including those that have ended.
pub(crate) fn cpu_clock(pid: Pid) -> io::Result<Duration> {
    let mut clock = 0;
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    #[expect(unsafe_code, reason = "rustix has no clock of another process")]
    // SAFETY: both calls only write to the places they are given, which live long enough; `time`
    // is read only if the second call says that it wrote it.
    let time = unsafe {
        let error = libc::clock_getcpuclockid(pid.as_raw_pid(), &raw mut clock);
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        if libc::clock_gettime(clock, time.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        time.assume_init()
    };
    let part = |value: i64| u64::try_from(value).map_err(io::Error::other);
    Ok(Duration::from_secs(part(time.tv_sec)?) + Duration::from_nanos(part(time.tv_nsec)?))
}

/// Returns how long the machine runs, with the time that it slept.
pub(crate) fn since_boot() -> Option<Duration> {
    Duration::try_from(clock_gettime(ClockId::Boottime)).ok()
}

/// Limits the private writable memory of a process, and of each that it starts.
pub(crate) fn limit_data(pid: Pid, bytes: u64) -> io::Result<()> {
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    prlimit(Some(pid), Resource::Data, limit)?;
    Ok(())
}

/// Returns the process at the other end of a socket.
pub(crate) fn peer(stream: &UnixStream) -> io::Result<Pid> {
    Ok(sockopt::socket_peercred(stream)?.pid)
}

/// Has processes below this one that lose their parents become its children, or no longer.
pub(crate) fn adopt_orphans(reaper: Option<Pid>) -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(reaper)?)
}

/// Sends this process a signal when its parent ends.
pub(crate) fn signal_at_end_of_parent(signal: Signal) -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(signal))?)
}

/// Gives the pages of a file that are cached back.
pub(crate) fn drop_cached(file: &File) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// Gives a part of a file back to the disk; what follows keeps its place.
pub(crate) fn make_hole(file: &File, from: u64, bytes: u64) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, from, bytes)?)
}
