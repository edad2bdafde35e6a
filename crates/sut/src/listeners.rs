//! Finds out who listens where, from the kernel's socket tables.
//!
//! Wanted when things go wrong: a target that ignores the port it was given listens on another, and
//! the error can say on which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::sockopt;
use rustix::process::Pid;

use super::process::ProcessStat;

/// Returns the TCP ports on which one of the processes listens.
pub(super) fn ports(processes: &[ProcessStat]) -> BTreeSet<u16> {
    let ports = port_of_socket();
    processes
        .iter()
        .flat_map(|process| sockets(process.pid))
        .filter_map(|socket| ports.get(&socket).copied())
        .collect()
}

/// Returns the oldest of the processes that listen on the port, which is the one that started the
/// others.
pub(super) fn owner(port: u16, processes: &[ProcessStat]) -> Option<Pid> {
    let ports = port_of_socket();
    let listens = |process: &&ProcessStat| {
        sockets(process.pid).iter().any(|socket| ports.get(socket) == Some(&port))
    };
    let owners = processes.iter().filter(listens);
    owners.min_by_key(|process| process.started_ticks).map(|process| process.pid)
}

/// Returns the process that has made the Unix socket listen.
pub(super) fn peer(path: &Path) -> Option<Pid> {
    let stream = UnixStream::connect(path).ok()?;
    Some(sockopt::socket_peercred(&stream).ok()?.pid)
}

/// The numbers of the sockets that a process has open; none, if it may not be looked into.
fn sockets(pid: Pid) -> BTreeSet<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_pid())) else {
        return BTreeSet::new();
    };
    entries
        .filter_map(|entry| {
            let link = fs::read_link(entry.ok()?.path()).ok()?;
            link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

fn port_of_socket() -> BTreeMap<u64, u16> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| table.lines().filter_map(listener).collect::<Vec<_>>())
        .collect()
}

/// Reads the number and the port of a socket, if the line is one that listens (state `0A`).
fn listener(line: &str) -> Option<(u64, u16)> {
    let fields = line.split_whitespace().collect::<Vec<_>>();
    if *fields.get(3)? != "0A" {
        return None;
    }
    let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
    Some((fields.get(9)?.parse().ok()?, port))
}

#[cfg(test)]
mod tests {
    use super::super::process;
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_is_found_by_its_port_and_a_port_by_its_owner() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let running = process::running().unwrap();
        let own = rustix::process::getpid();
        assert_eq!(owner(port, &running), Some(own));
        let own = running.into_iter().filter(|p| p.pid == own).collect::<Vec<_>>();
        assert!(ports(&own).contains(&port));
        drop(listener);
        assert!(!ports(&own).contains(&port));
    }
}
