//! Where a target listens, and how a user writes that.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::TargetError;

/// Where a target listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetAddress {
    /// An address and port.
    Port(SocketAddr),
    /// The path of a Unix socket.
    Socket(PathBuf),
}

impl fmt::Display for TargetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The parts of a URL to attach to: `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Url<'a> {
    /// Plain, with the host and, if it is written, the port.
    Http(&'a str),
    /// Over TLS, likewise.
    Https(&'a str),
    /// A Unix socket.
    Unix(&'a Path),
}

impl<'a> Url<'a> {
    /// Takes a URL apart.
    pub fn parse(url: &'a str) -> Result<Self, TargetError> {
        let wrong = || TargetError::NotUrl { url: url.to_owned() };
        if let Some(path) = url.strip_prefix("unix:") {
            let path = Path::new(path.strip_prefix("//").unwrap_or(path));
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(wrong()) };
        }
        let (secure, authority) = match url.strip_prefix("https://") {
            Some(authority) => (true, authority),
            None => (false, url.strip_prefix("http://").ok_or_else(wrong)?),
        };
        let authority = authority.trim_end_matches('/');
        let port = authority.rsplit_once(':').map(|(_, port)| port);
        // The end of an address of IPv6 is none.
        let port = port.filter(|port| !port.ends_with(']'));
        let legal = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if authority.is_empty() || authority.contains('/') || !legal {
            return Err(wrong());
        }
        Ok(if secure { Self::Https(authority) } else { Self::Http(authority) })
    }

    /// Returns the host without its port.
    pub fn host(self) -> &'a str {
        match self {
            Self::Http(authority) | Self::Https(authority) => {
                let host = port_of(authority).map_or(authority, |(host, _)| host);
                host.trim_start_matches('[').trim_end_matches(']')
            }
            Self::Unix(_) => "localhost",
        }
    }
}

fn port_of(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = authority.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Looks up where a URL leads to.
pub(super) fn resolve(url: &str) -> Result<TargetAddress, TargetError> {
    let (authority, port) = match Url::parse(url)? {
        Url::Http(authority) => (authority, 80),
        Url::Https(authority) => (authority, 443),
        Url::Unix(path) => return Ok(TargetAddress::Socket(path.to_owned())),
    };
    let has_port = port_of(authority).is_some();
    let authority = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
    let addresses: Vec<SocketAddr> = authority
        .to_socket_addrs()
        .map_err(|source| TargetError::Unresolved { url: url.to_owned(), source })?
        .collect();
    let address = listening(&addresses).or(addresses.first().copied());
    Ok(TargetAddress::Port(address.ok_or_else(|| TargetError::NotUrl { url: url.to_owned() })?))
}

/// Finds a port that is free on 127.0.0.1 and, where there is IPv6, on `::1`: a target may listen on
/// either, and what another program has there must not be taken for it.
pub(super) fn free_loopback() -> io::Result<SocketAddr> {
    const TRIES: u32 = 32;
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    for _ in 1..TRIES {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        if !has_ipv6 || TcpListener::bind((Ipv6Addr::LOCALHOST, address.port())).is_ok() {
            return Ok(address);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Of several addresses of a name, such as `localhost` of IPv6 and IPv4, the first that listens.
fn listening(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    const PATIENCE: Duration = Duration::from_millis(500);
    if addresses.len() < 2 {
        return None;
    }
    let listens = |address: &SocketAddr| TcpStream::connect_timeout(address, PATIENCE).is_ok();
    addresses.iter().copied().find(listens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_addresses_the_one_that_listens_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(listening(&[closed, there]), Some(there));
        assert_eq!(listening(&[closed, closed]), None);
    }

    #[test]
    fn a_url_leads_to_a_port_or_to_a_socket() {
        let lead = |url| resolve(url).map(|place| place.to_string()).map_err(|_| ());
        assert_eq!(lead("http://127.0.0.1:3000"), Ok("127.0.0.1:3000".to_owned()));
        assert_eq!(lead("http://127.0.0.1/"), Ok("127.0.0.1:80".to_owned()));
        assert_eq!(lead("https://127.0.0.1"), Ok("127.0.0.1:443".to_owned()));
        assert_eq!(lead("https://[::1]:8443"), Ok("[::1]:8443".to_owned()));
        assert_eq!(lead("unix:/run/api.sock"), Ok("unix:/run/api.sock".to_owned()));
        assert_eq!(lead("unix:///run/api.sock"), Ok("unix:/run/api.sock".to_owned()));
        for wrong in [
            "127.0.0.1:1",
            "ftp://a",
            "unix:api.sock",
            "http://",
            "https://a/b",
            "http://a:99999",
            "http://a:b",
            "http://a:0",
        ] {
            assert_eq!(lead(wrong), Err(()), "{wrong}");
        }
        assert_eq!(lead("http://[::1]"), Ok("[::1]:80".to_owned()));
        assert_eq!(Url::parse("https://api.test:8443").unwrap().host(), "api.test");
        assert_eq!(Url::parse("https://[::1]:8443").unwrap().host(), "::1");
    }
}
