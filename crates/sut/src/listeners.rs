//! Finds out who listens where, from the kernel's socket tables.
//!
//! Wanted when things go wrong: a target that ignores the port it was given listens on another, and
//! the error can say on which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::Pid;

use super::kernel;
use super::process::ProcessStat;

/// Returns the addresses and TCP ports on which one of the processes listens.
pub(super) fn addresses(processes: &[ProcessStat]) -> BTreeSet<SocketAddr> {
    let listeners = listening_sockets();
    processes
        .iter()
        .flat_map(|process| sockets(process.pid).unwrap_or_default())
        .filter_map(|socket| listeners.get(&socket).copied())
        .collect()
}

/// Who listens on a port, as far as that can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PortOwners {
    /// These processes.
    Known(Vec<ProcessStat>),
    /// The kernel does not show its sockets.
    Unseen,
}

/// Returns which of the processes listen on the port.
pub(super) fn owners(port: u16, processes: &[ProcessStat]) -> PortOwners {
    let listeners = listening_sockets();
    if listeners.is_empty() {
        return PortOwners::Unseen;
    }
    let listens = |process: &&ProcessStat| {
        let sockets = sockets(process.pid).unwrap_or_default();
        sockets.iter().any(|socket| listeners.get(socket).is_some_and(|it| it.port() == port))
    };
    PortOwners::Known(processes.iter().filter(listens).copied().collect())
}

/// Returns the oldest of the processes that listen on the port, which is the one that started the
/// others.
pub(super) fn owner(port: u16, processes: &[ProcessStat]) -> Option<Pid> {
    match owners(port, processes) {
        PortOwners::Known(owners) => {
            owners.iter().min_by_key(|process| process.started_ticks).map(|process| process.pid)
        }
        PortOwners::Unseen => None,
    }
}

/// Whether the sockets of a process may not be looked at, as with one of another user.
pub(super) fn is_hidden(process: &ProcessStat) -> bool {
    sockets(process.pid).is_none()
}

/// Returns the process that has made the Unix socket listen.
pub(super) fn peer(path: &Path) -> Option<Pid> {
    let stream = UnixStream::connect(path).ok()?;
    kernel::peer(&stream).ok()
}

/// The numbers of the sockets that a process has open; nothing, if it may not be looked into.
fn sockets(pid: Pid) -> Option<BTreeSet<u64>> {
    let entries = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_pid())).ok()?;
    let sockets = entries.filter_map(|entry| {
        let link = fs::read_link(entry.ok()?.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    });
    Some(sockets.collect())
}

fn listening_sockets() -> BTreeMap<u64, SocketAddr> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| table.lines().filter_map(listener).collect::<Vec<_>>())
        .collect()
}

/// Reads the number and the address of a socket, if the line is one that listens (state `0A`).
fn listener(line: &str) -> Option<(u64, SocketAddr)> {
    let fields = line.split_whitespace().collect::<Vec<_>>();
    if *fields.get(3)? != "0A" {
        return None;
    }
    let (address, port) = fields.get(1)?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((fields.get(9)?.parse().ok()?, SocketAddr::new(ip_address(address)?, port)))
}

/// Reads an address as the kernel prints it: in words of four bytes, each in the machine's order.
fn ip_address(text: &str) -> Option<IpAddr> {
    let words = text.as_bytes().chunks(8).map(|word| {
        let word = std::str::from_utf8(word).ok().filter(|word| word.len() == 8)?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    });
    match words.collect::<Option<Vec<_>>>()?.as_slice() {
        [word] => Some(IpAddr::from(*word)),
        [a, b, c, d] => {
            let bytes: [u8; 16] = [*a, *b, *c, *d].concat().try_into().ok()?;
            Some(IpAddr::from(bytes))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::process;
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_is_found_by_its_port_and_a_port_by_its_owner() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let port = address.port();
        let running = process::running().unwrap();
        let own = rustix::process::getpid();
        assert_eq!(owner(port, &running), Some(own));
        let own = running.into_iter().filter(|p| p.pid == own).collect::<Vec<_>>();
        assert!(addresses(&own).contains(&address));
        drop(listener);
        assert!(!addresses(&own).contains(&address));
        assert!(owners(port, &own) != PortOwners::Known(own));
    }

    #[test]
    fn an_address_is_read_as_the_kernel_prints_it() {
        // As on a machine whose words begin with the lowest byte.
        if cfg!(target_endian = "little") {
            assert_eq!(ip_address("0100007F"), Some([127, 0, 0, 1].into()));
            let localhost = "00000000000000000000000001000000";
            assert_eq!(ip_address(localhost), "::1".parse().ok());
        }
        assert_eq!(ip_address("00000000000000000000000000000000"), "::".parse().ok());
        assert_eq!(ip_address("0100"), None);
        assert_eq!(ip_address("zzzzzzzz"), None);
    }
}
