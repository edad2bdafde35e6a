//! Systems that launch no targets: every function refuses, but for how many processors there are.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

/// Whether processes can be watched and placed, which a launch takes.
pub(crate) const LAUNCHES: bool = false;

/// Returns all processors: a thread can be kept to none of them.
pub(crate) fn thread_cpus() -> io::Result<Vec<usize>> {
    Ok((0..thread::available_parallelism()?.get()).collect())
}

pub(crate) fn place_thread(_cpus: &[usize]) -> io::Result<()> {
    unsupported()
}

/// Returns nothing: the end is found by asking again and again.
pub(crate) fn end_of(_pid: Pid) -> Option<OwnedFd> {
    None
}

pub(crate) fn cpu_clock(_pid: Pid) -> io::Result<Duration> {
    unsupported()
}

pub(crate) fn since_boot() -> Option<Duration> {
    None
}

pub(crate) fn limit_data(_pid: Pid, _bytes: u64) -> io::Result<()> {
    unsupported()
}

pub(crate) fn peer(_stream: &UnixStream) -> io::Result<Pid> {
    unsupported()
}

pub(crate) fn adopt_orphans(_reaper: Option<Pid>) -> io::Result<()> {
    unsupported()
}

pub(crate) fn signal_at_end_of_parent(_signal: Signal) -> io::Result<()> {
    unsupported()
}

pub(crate) fn drop_cached(_file: &File) -> io::Result<()> {
    unsupported()
}

pub(crate) fn make_hole(_file: &File, _from: u64, _bytes: u64) -> io::Result<()> {
    unsupported()
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}
