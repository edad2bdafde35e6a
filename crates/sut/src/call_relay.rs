//! Relays between a target and what it calls, which count the calls.
//!
//! A launch has its own, so that what two sides call is kept apart where they share a service. They lie before the
//! target only: setups, hooks, readiness and services that use others reach each other directly.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use calls::{CallCounting, CallObstacle, CallProtocol, CallTally, CallTotals, StatementCount};
use units::environment::EnvValue;

use super::TargetCommand;
use super::failure::TargetError;
use super::launch_space::PlaceholderUse;
use super::network::Relay;

/// Something that a target calls and that is not started here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencySpec {
    /// Its name, which placeholders and reports have.
    pub name: String,
    /// Host and port, as they are written in the variables of the target.
    pub address: String,
    /// Whether its calls are counted, and as what.
    pub calls: CallCounting,
}

/// What a target called of one service or dependency in a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyCalls {
    /// Its name.
    pub name: String,
    /// What it speaks; none if nothing was called.
    pub protocol: Option<CallProtocol>,
    /// What keeps calls from being counted, if something does.
    pub obstacle: Option<CallObstacle>,
    /// How much passed.
    pub totals: CallTotals,
    /// The statements that were executed.
    pub statements: Vec<StatementCount>,
}

/// The relays of one launch.
#[derive(Debug, Default)]
pub(super) struct CallRelays(Vec<CallRelay>);

#[derive(Debug)]
struct CallRelay {
    name: String,
    relay: Relay,
    /// What stands for it in the variables of the target, of a dependency.
    address: Option<String>,
}

impl CallRelays {
    /// Puts a relay before a service, if the target names it and its calls are to be counted.
    pub(super) fn add_service(
        &mut self,
        name: &str,
        service: SocketAddr,
        calls: CallCounting,
        command: &TargetCommand,
    ) -> Result<(), TargetError> {
        let is_used = || PlaceholderUse::of(command.texts()).services.contains(name);
        if calls == CallCounting::Off || !is_used() {
            return Ok(());
        }
        self.add(name, service, calls, None)
    }

    /// Puts a relay before something that runs already, in the place of its address.
    pub(super) fn add_dependency(
        &mut self,
        spec: &DependencySpec,
        command: &TargetCommand,
    ) -> Result<(), TargetError> {
        let DependencySpec { name, address, calls } = spec;
        let is_written = command.env.iter().any(|(_, value)| has_address(value, address, command));
        let is_named = || PlaceholderUse::of(command.texts()).services.contains(name);
        if !is_written && !is_named() {
            let (name, address) = (name.clone(), address.clone());
            return Err(TargetError::UnusedDependency { name, address });
        }
        let place = resolved(address).map_err(|source| TargetError::UnknownDependency {
            name: name.clone(),
            address: address.clone(),
            source,
        })?;
        self.add(name, place, *calls, Some(address.clone()))
    }

    fn add(
        &mut self,
        name: &str,
        service: SocketAddr,
        calls: CallCounting,
        address: Option<String>,
    ) -> Result<(), TargetError> {
        let relay = Relay::count_calls(service, calls)
            .map_err(|source| TargetError::NoCallRelay { name: name.to_owned(), source })?;
        self.0.push(CallRelay { name: name.to_owned(), relay, address });
        Ok(())
    }

    /// Returns the ports on which the target finds what is behind the relays.
    pub(super) fn ports(&self) -> impl Iterator<Item = (String, u16)> {
        self.0.iter().map(|it| (it.name.clone(), it.relay.address().port()))
    }

    /// Returns what stands in the place of each address of a dependency.
    pub(super) fn swaps(&self) -> BTreeMap<String, u16> {
        let swap = |it: &CallRelay| Some((it.address.clone()?, it.relay.address().port()));
        self.0.iter().filter_map(swap).collect()
    }

    /// Returns how much has passed up to now, in a fixed order.
    pub(super) fn totals(&self) -> Vec<CallTotals> {
        self.each(|_, tally| tally.totals())
    }

    /// Returns all that is known of the calls up to now, in the same order.
    pub(super) fn calls(&self) -> Vec<DependencyCalls> {
        self.each(|name, tally| DependencyCalls {
            name: name.to_owned(),
            protocol: tally.protocol(),
            obstacle: tally.obstacle(),
            totals: tally.totals(),
            statements: tally.statements().to_vec(),
        })
    }

    fn each<T>(&self, show: impl Fn(&str, &CallTally) -> T) -> Vec<T> {
        let of = |it: &CallRelay| it.relay.with_calls(|tally| show(&it.name, tally));
        self.0.iter().filter_map(of).collect()
    }
}

/// Looks up an address; of several places, returns the first that takes a connection, as a program would find it.
fn resolved(address: &str) -> io::Result<SocketAddr> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let places: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    let listens = |place: &&SocketAddr| TcpStream::connect_timeout(place, PATIENCE).is_ok();
    let found = if places.len() > 1 { places.iter().find(listens) } else { None };
    found.or(places.first()).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn has_address(value: &EnvValue, address: &str, command: &TargetCommand) -> bool {
    let is_in = |text: &str| with_addresses(text, &[(address.to_owned(), 0)].into()) != text;
    match value {
        EnvValue::Text(text) => is_in(text),
        EnvValue::Inherited(from) => {
            let lent = command.environment.lent(from);
            lent.and_then(|value| value.expose().to_str()).is_some_and(is_in)
        }
    }
}

/// Returns a text with `127.0.0.1` and a port in the place of each address. A part of a longer name or number is
/// none.
pub(super) fn with_addresses(text: &str, swaps: &BTreeMap<String, u16>) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let mut text = text.to_owned();
    for (address, port) in swaps {
        let mut swapped = String::with_capacity(text.len());
        let mut written = 0;
        for (start, _) in text.match_indices(address.as_str()) {
            let end = start + address.len();
            let is_longer = text[..start].ends_with(is_part)
                || text[end..].starts_with(|c: char| c.is_ascii_digit());
            if start >= written && !is_longer {
                swapped.push_str(&text[written..start]);
                swapped.extend(["127.0.0.1:", &port.to_string()]);
                written = end;
            }
        }
        swapped.push_str(&text[written..]);
        text = swapped;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_swapped_where_it_stands_as_a_whole() {
        let swaps = [("db.internal:5432".to_owned(), 4001), ("cache:6379".to_owned(), 4002)].into();
        let check = |text: &str, expected: &str| {
            assert_eq!(with_addresses(text, &swaps), expected);
        };
        check(
            "postgres://app:pw@db.internal:5432/orders?x=db.internal:5432",
            "postgres://app:pw@127.0.0.1:4001/orders?x=127.0.0.1:4001",
        );
        check("cache:6379,db.internal:5432", "127.0.0.1:4002,127.0.0.1:4001");
        check("mydb.internal:5432 db.internal:54321", "mydb.internal:5432 db.internal:54321");
        check("orders_db.internal:5432", "orders_db.internal:5432");
        check("", "");
    }
}
