//! Waits until a target that was started is ready, and says why it is not.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use units::cancel::Cancel;

use super::address::TargetAddress;
use super::failure::{self, ListenerHint, ProcessEnd, TargetError};
use super::readiness::{ProbeError, ProbeQuery, Readiness, ReadinessDecision, connect};
use super::ready_condition::{LogWatch, ReadySign};
use super::sut_process::not_started;
use super::{Target, TargetCommand, first_word, listeners, now};

/// From one look at a target to the next.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// How long a target is given to find its port taken. A runtime may take seconds to come so far.
const OUTRUN_MAX: Duration = Duration::from_secs(5);

impl Target {
    /// Waits until the command's condition holds and its port is served by the target. Returns how long the
    /// condition took: that the port is the target's is a question of ours.
    pub(super) fn wait_until_ready(
        &mut self,
        command: &TargetCommand,
        started: Instant,
        cancel: &Cancel,
    ) -> Result<Duration, TargetError> {
        let mut watch = LogWatch::default();
        let probe_timeout = command.ready.probe_timeout;
        let mut decision = ReadinessDecision::new(probe_timeout, command.ready_timeout, started);
        loop {
            let patience = decision.patience();
            let readiness = decision.after(self.probe(command, &mut watch, patience, cancel));
            if readiness == Readiness::Ready {
                let ready_after = started.elapsed();
                if command.is_listener()
                    && let Err(error) = self.find_serving()
                {
                    return Err(self.outrun(error, command, started, cancel));
                }
                return self.alive().map(|()| ready_after);
            }
            self.still_starting(command, started.elapsed())?;
            if cancel.is_raised() {
                return Err(TargetError::Cancelled);
            }
            if let Readiness::TooLate(last) = readiness {
                return Err(self.not_ready(command, last));
            }
            // In steps of a fiftieth, as the time until it is ready is measured by them.
            thread::sleep((started.elapsed() / 50).clamp(PAUSE_MIN, PAUSE_MAX));
        }
    }

    /// Says why another program serves the port: it may have taken it just before the target could, which then ends
    /// and says so.
    fn outrun(
        &self,
        error: TargetError,
        command: &TargetCommand,
        started: Instant,
        cancel: &Cancel,
    ) -> TargetError {
        let seen = now();
        while matches!(error, TargetError::ServedElsewhere { .. }) && seen.elapsed() < OUTRUN_MAX {
            if let Err(ended) = self.still_starting(command, started.elapsed()) {
                return ended;
            }
            if cancel.is_raised() {
                return TargetError::Cancelled;
            }
            thread::sleep(PAUSE_MAX);
        }
        error
    }

    /// Looks once whether it is ready. A sign elsewhere than on its own port is not enough: what is
    /// measured listens there.
    fn probe(
        &mut self,
        command: &TargetCommand,
        watch: &mut LogWatch,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<(), ProbeError> {
        let sees = |place: &TargetAddress| {
            let query = ProbeQuery { place, path: "", patience, cancel };
            command.ask.sees(&command.ready.sign, &query)
        };
        let is_container = command.container.is_some();
        match (&command.ready.sign, self.named_port(command)) {
            (ReadySign::LogLine(pattern), _) => {
                let own = self.own.as_ref().expect("what is started is its own");
                if !watch.sees(&own.log, pattern) {
                    return Err(ProbeError::NoLogLine { pattern: pattern.to_string() });
                }
            }
            (ReadySign::Answer { .. } | ReadySign::Listener, Some(place)) => {
                on_loopback(&place, is_container, sees)?;
            }
            (ReadySign::Answer { .. } | ReadySign::Listener, None) => {
                self.place = on_loopback(&self.place, is_container, sees)?;
                return Ok(());
            }
        }
        if command.is_listener() {
            self.place = on_loopback(&self.place, is_container, |place| {
                connect(&ProbeQuery { place, path: "", patience, cancel })
            })?;
        }
        Ok(())
    }

    /// Returns where the further port is on which readiness shows, if it is another than its own.
    fn named_port(&self, command: &TargetCommand) -> Option<TargetAddress> {
        let port = self.space.values.ports.get(command.ready.port.as_ref()?)?;
        Some(TargetAddress::Port((Ipv4Addr::LOCALHOST, *port).into()))
    }

    fn still_starting(&self, command: &TargetCommand, after: Duration) -> Result<(), TargetError> {
        match self.alive() {
            Err(TargetError::Died { ending: ProcessEnd::Status(0), .. })
                if self.is_in_background()? =>
            {
                Ok(())
            }
            Err(TargetError::Died { ending, tail }) => {
                let port = self.port();
                // A further port may have been taken as well as the first.
                let is_given = |other: &u16| {
                    *other == port || self.space.values.ports.values().any(|given| given == other)
                };
                Err(if tail.says_not_found() {
                    not_started(command, &first_word(command), std::io::ErrorKind::NotFound.into())
                } else if let Some(fixed) = tail.port_in_use().filter(|other| !is_given(other)) {
                    TargetError::FixedPort { port: fixed, tail }
                } else if tail.says_port_in_use() {
                    TargetError::PortTaken { port, tail }
                } else if ending == ProcessEnd::Status(0) {
                    TargetError::EndedBeforeReady { after, tail }
                } else {
                    let withheld = command.environment.missing();
                    TargetError::ExitedAtOnce { ending, after, tail, withheld }
                })
            }
            result => result,
        }
    }

    fn not_ready(&self, command: &TargetCommand, last: String) -> TargetError {
        let family = self.family().unwrap_or_default();
        let addresses = listeners::addresses(&family);
        let (own, others): (Vec<_>, Vec<_>) =
            addresses.into_iter().partition(|address| address.port() == self.port());
        let address = own
            .into_iter()
            .find(|address| !address.ip().is_unspecified() && !address.ip().is_loopback());
        let given = &self.space.values.ports;
        let others = others.iter().map(SocketAddr::port);
        let others = others.filter(|port| given.values().all(|given| given != port));
        let elsewhere = ListenerHint::of(address, others.collect());
        let tail = self.log_tail().unwrap_or_default();
        let advice = failure::ReadyAdvice::of(elsewhere.clone(), command.environment.missing());
        TargetError::NotReady { after: command.ready_timeout, last, elsewhere, tail, advice }
    }
}

/// Probes a place and, if nothing listens there, the same port of `::1`, which is what `localhost` means to
/// some runtimes; returns where it succeeded. An engine publishes the port of a container on 127.0.0.1
/// alone.
fn on_loopback(
    first: &TargetAddress,
    is_container: bool,
    probe: impl Fn(&TargetAddress) -> Result<(), ProbeError>,
) -> Result<TargetAddress, ProbeError> {
    let (closed, port) = match (probe(first), first) {
        (Err(closed @ ProbeError::Closed { .. }), TargetAddress::Port(address))
            if !is_container =>
        {
            (closed, address.port())
        }
        (result, _) => return result.map(|()| first.clone()),
    };
    let other = TargetAddress::Port((Ipv6Addr::LOCALHOST, port).into());
    match probe(&other) {
        Err(ProbeError::Closed { .. }) => Err(closed),
        result => result.map(|()| other),
    }
}
