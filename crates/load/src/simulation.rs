//! Tests of the engine under a clock that only scripts move: hours pass in milliseconds.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::engine::LoadEngine;
use super::exchange::{Exchange, FailureKind};
use super::http1::UnsentBytes;
use super::http2::Http2Engine;
use super::network::{Address, NetworkDriver, SocketReadiness};
use super::pacing::{
    ArrivalSchedule, ClosedWorkload, DriveEnd, OpenWorkload, PacingModel, StopCondition,
};
use super::request::{LoadRequest, SuccessCheck};
use super::request_plan::RequestPlan;
use super::settings::{ClientSettings, ConnectionReuse, DriveOutcome};
use units::cancel::Cancel;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a scripted target does with a request that arrives at a time.
enum SimulatedReply {
    /// Sends this at that time.
    At(u64, &'static [u8]),
    /// Sends this at that time, and closes.
    Last(u64, &'static [u8]),
    Never,
}

#[derive(Clone, Copy)]
enum SimulatedEvent {
    Opened,
    Bytes(&'static [u8]),
    End,
}

#[derive(Default)]
struct SimulatedPeer {
    life: u64,
    open: bool,
    /// Bytes, and when they came.
    inbox: VecDeque<(&'static [u8], u64)>,
    arrived_ns: Option<u64>,
    ended: bool,
    refused: bool,
}

struct SimulatedNetwork<F> {
    now_ns: u64,
    serve: F,
    peers: Vec<SimulatedPeer>,
    /// What will happen, by time and order; to the connection of a slot in one of its lives.
    script: BTreeMap<(u64, u64), (usize, u64, SimulatedEvent)>,
    order: u64,
    refuses: bool,
    /// Until when the listener has no room for a connection.
    full_until_ns: u64,
    opened: u64,
    /// Times at which this process is not run, with their lengths.
    frozen: Vec<(u64, u64)>,
    /// Whether it tells when bytes came.
    tells: bool,
    /// By how much too early it says that they came.
    tells_early_ns: u64,
    /// When the target closes the first connection of a slot.
    ends: Vec<(usize, u64)>,
    raises: Option<(u64, Cancel)>,
    waits: u64,
    sleeps: u64,
}

impl<F: FnMut(u64) -> SimulatedReply> SimulatedNetwork<F> {
    fn new(connections: usize, serve: F) -> Self {
        let mut peers = Vec::new();
        peers.resize_with(connections, SimulatedPeer::default);
        let (script, frozen) = (BTreeMap::new(), Vec::new());
        let (now_ns, order, opened, waits, sleeps) = (0, 0, 0, 0, 0);
        let (refuses, tells, raises) = (false, false, None);
        let (tells_early_ns, ends) = (0, Vec::new());
        Self {
            now_ns,
            serve,
            peers,
            script,
            order,
            refuses,
            full_until_ns: 0,
            opened,
            frozen,
            tells,
            tells_early_ns,
            ends,
            raises,
            waits,
            sleeps,
        }
    }

    fn will(&mut self, at_ns: u64, slot: usize, happening: SimulatedEvent) {
        self.order += 1;
        self.script.insert((at_ns, self.order), (slot, self.peers[slot].life, happening));
    }
}

impl<F: FnMut(u64) -> SimulatedReply> NetworkDriver for &mut SimulatedNetwork<F> {
    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn open(&mut self, slot: usize) -> io::Result<()> {
        let life = self.peers[slot].life + 1;
        self.peers[slot] =
            SimulatedPeer { life, open: true, refused: self.refuses, ..SimulatedPeer::default() };
        self.opened += 1;
        if self.now_ns < self.full_until_ns {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.will(self.now_ns, slot, SimulatedEvent::Opened);
        let ends = self.ends.iter().find(|(which, _)| *which == slot && life == 1).copied();
        if let Some((_, at_ns)) = ends {
            self.will(at_ns, slot, SimulatedEvent::End);
        }
        Ok(())
    }

    fn opened(&mut self, slot: usize) -> io::Result<()> {
        let refused = self.peers[slot].refused;
        if refused { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(()) }
    }

    fn close(&mut self, slot: usize) {
        assert!(self.peers[slot].open, "slot {slot} is closed twice");
        self.peers[slot].open = false;
    }

    fn send(&mut self, slot: usize, unsent: &UnsentBytes<'_>) -> io::Result<usize> {
        assert!(self.peers[slot].open, "slot {slot} is closed");
        match (self.serve)(self.now_ns) {
            SimulatedReply::At(at_ns, bytes) => {
                self.will(at_ns, slot, SimulatedEvent::Bytes(bytes));
            }
            SimulatedReply::Last(at_ns, bytes) => {
                self.will(at_ns, slot, SimulatedEvent::Bytes(bytes));
                self.will(at_ns, slot, SimulatedEvent::End);
            }
            SimulatedReply::Never => {}
        }
        Ok(unsent.parts.concat().len())
    }

    fn receive(&mut self, slot: usize, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let peer = &mut self.peers[slot];
        let Some((bytes, at_ns)) = peer.inbox.pop_front() else {
            return if peer.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        };
        peer.arrived_ns = self.tells.then(|| at_ns.saturating_sub(self.tells_early_ns));
        buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn note_arrivals(&mut self) {}

    fn arrived_ns(&self, slot: usize) -> Option<u64> {
        self.peers[slot].arrived_ns
    }

    fn sleep(&mut self, until_ns: u64, _then_ns: Option<u64>) -> io::Result<()> {
        self.sleeps += 1;
        self.now_ns = self.now_ns.max(until_ns);
        Ok(())
    }

    fn wait(&mut self, until_ns: u64, ready: &mut Vec<SocketReadiness>) -> io::Result<()> {
        self.waits += u64::from(until_ns > self.now_ns);
        ready.clear();
        let next_ns = self.script.keys().next().map_or(until_ns, |(at_ns, _)| *at_ns);
        self.now_ns = self.now_ns.max(next_ns.min(until_ns));
        for (at_ns, for_ns) in &self.frozen {
            if (*at_ns..*at_ns + *for_ns).contains(&self.now_ns) {
                self.now_ns = at_ns + for_ns;
            }
        }
        if let Some((at_ns, cancel)) = &self.raises
            && *at_ns <= self.now_ns
        {
            cancel.raise();
        }
        while let Some(entry) = self.script.first_entry() {
            if entry.key().0 > self.now_ns {
                break;
            }
            let (at_ns, _) = *entry.key();
            let (slot, life, happening) = entry.remove();
            let peer = &mut self.peers[slot];
            if peer.life != life || !peer.open {
                continue;
            }
            match happening {
                SimulatedEvent::Opened => {}
                SimulatedEvent::Bytes(bytes) => peer.inbox.push_back((bytes, at_ns)),
                SimulatedEvent::End => peer.ended = true,
            }
            ready.retain(|ready| ready.slot != slot);
            let readable = peer.ended || !peer.inbox.is_empty();
            ready.push(SocketReadiness { slot, readable, writable: true, gone: peer.ended });
        }
        Ok(())
    }
}

fn settings(connections: usize) -> ClientSettings {
    let connections = NonZeroUsize::new(connections).unwrap();
    ClientSettings { connections, ..ClientSettings::default() }
}

fn drive<F: FnMut(u64) -> SimulatedReply>(
    network: &mut SimulatedNetwork<F>,
    settings: ClientSettings,
    model: &PacingModel,
) -> (DriveOutcome, Vec<Exchange>) {
    let request = LoadRequest::get("/", "test", &[], Arc::new(SuccessCheck)).unwrap();
    let address = Address::Unix("scripted".into());
    let cancel = network.raises.as_ref().map(|(_, cancel)| cancel.clone()).unwrap_or_default();
    let plan = RequestPlan::from(&[request]);
    let mut engine = LoadEngine::new(network, address, &plan, settings, cancel).unwrap();
    let mut exchanges = Vec::new();
    let drive = engine.drive(model, &mut |exchange| exchanges.push(exchange.clone())).unwrap();
    (drive, exchanges)
}

fn open(per_s: f64, lasts: Duration) -> PacingModel {
    let schedule = ArrivalSchedule::constant(per_s, lasts).unwrap();
    PacingModel::Open(OpenWorkload {
        schedule,
        late_max: Duration::from_mins(1),
        failures_max: None,
    })
}

fn closed(stop: StopCondition) -> PacingModel {
    PacingModel::Closed(stop.into())
}

/// Returns the value in milliseconds that a share of the times does not exceed.
fn quantile_ms(times: &[u64], share: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = units::whole(share * (times.len() - 1) as f64).unwrap();
    times[usize::try_from(rank).unwrap()] as f64 / MS as f64
}

/// A target that needs 0.1 ms, and does nothing in the second from 4 s on.
fn stalls(now_ns: u64) -> SimulatedReply {
    let stalled = (4 * SECOND..5 * SECOND).contains(&now_ns);
    SimulatedReply::At(if stalled { 5 * SECOND } else { now_ns } + MS / 10, OK)
}

#[test]
fn a_stall_of_a_second_is_a_tenth_of_the_response_times_however_few_connections_there_are() {
    for (connections, tells) in [(16, false), (16, true), (10_000, false), (10_000, true)] {
        let mut network = SimulatedNetwork::new(connections, stalls);
        network.tells = tells;
        let model = open(5_000.0, Duration::from_secs(10));
        let (drive, exchanges) = drive(&mut network, settings(connections), &model);
        assert_eq!((drive.exchanges, drive.failures, drive.dropped), (50_000, 0, 0));
        let response: Vec<_> = exchanges.iter().map(Exchange::response_ns).collect();
        // 5 000 of 50 000 were due in the stall and waited between 1 s and nothing.
        for (share, expected_ms) in [(0.85, 0.1), (0.95, 500.0), (0.99, 900.0), (1.0, 1_000.0)] {
            // With 16 connections, those that queued are sent 16 at a time, 0.1 ms apart.
            let catching_up_ms = 5_000.0 / 16.0 * 0.1 + 1.0;
            let found_ms = quantile_ms(&response, share);
            let right = expected_ms - 1.0..expected_ms + catching_up_ms;
            assert!(right.contains(&found_ms), "{share}: {found_ms} ms, {connections} connections");
        }
        assert!(exchanges.iter().all(|exchange| exchange.lag_ns == 0));
        let capped = connections == 16;
        assert_eq!(drive.late > 4_900, capped, "{} late", drive.late);
        assert_eq!(drive.in_flight_max, if capped { 16 } else { 5_001 });
    }
}

/// A target over HTTP/2 with one connection, which answers one request after the other at the time that `answers` says.
fn http2(answers: impl Fn(u64) -> u64) -> SimulatedNetwork<impl FnMut(u64) -> SimulatedReply> {
    let mut sent = 0_u32;
    SimulatedNetwork::new(4, move |now_ns| {
        sent += 1;
        if sent == 1 {
            // Its settings, when those of the client come.
            return SimulatedReply::At(now_ns, &[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        }
        // Status 200, and nothing more, on the next stream.
        let stream = (2 * (sent - 2) + 1).to_be_bytes();
        let frame = [&[0, 0, 1, 1, 5][..], &stream, &[0x88]].concat();
        SimulatedReply::At(answers(now_ns), frame.leak())
    })
}

fn drive_http2<F: FnMut(u64) -> SimulatedReply>(
    network: &mut SimulatedNetwork<F>,
    streams: usize,
    model: &PacingModel,
) -> (DriveOutcome, Vec<Exchange>) {
    let request = LoadRequest::get("/", "test", &[], Arc::new(SuccessCheck)).unwrap();
    let (address, plan) = (Address::Unix("scripted".into()), RequestPlan::from(&[request]));
    let (streams, cancel) = (NonZeroUsize::new(streams).unwrap(), Cancel::default());
    let engine = Http2Engine::new(network, address, "http", &plan, settings(1), streams, cancel);
    let mut exchanges = Vec::new();
    let drive = engine.unwrap().drive(model, &mut |it| exchanges.push(it.clone())).unwrap();
    (drive, exchanges)
}

#[test]
fn a_stall_of_a_second_is_as_long_over_http2() {
    for tells in [false, true] {
        let mut network = http2(|now_ns| match stalls(now_ns) {
            SimulatedReply::At(at_ns, _) => at_ns,
            SimulatedReply::Last(..) | SimulatedReply::Never => unreachable!(),
        });
        network.tells = tells;
        let model = open(5_000.0, Duration::from_secs(10));
        let (drive, exchanges) = drive_http2(&mut network, 1, &model);
        assert_eq!((drive.exchanges, drive.failures, drive.dropped), (50_000, 0, 0));
        assert_eq!(drive.in_flight_max, 1);
        assert!(exchanges.iter().all(|it| it.lag_ns == 0 && it.service_ns() >= MS / 10));
        let response: Vec<_> = exchanges.iter().map(Exchange::response_ns).collect();
        // What queued in the second of the stall takes another one to be sent, 0.1 ms apart: a fifth of the
        // requests waits, between 1 s and nothing.
        for (share, expected_ms) in [(0.79, 0.1), (0.85, 250.0), (0.95, 750.0), (0.99, 950.0)] {
            let found_ms = quantile_ms(&response, share);
            assert!((found_ms - expected_ms).abs() < 2.0, "{share}: {found_ms} ms");
        }
        assert!((drive.in_flight_mean() - service_share(&drive, &exchanges)).abs() < 0.001);
    }
}

#[test]
fn an_answer_over_http2_counts_from_when_it_came_and_wakes_no_thread() {
    let mut network = http2(|now_ns| now_ns + 70_000);
    network.tells = true;
    let (drive, exchanges) = drive_http2(&mut network, 9, &open(5_000.0, Duration::from_secs(2)));
    assert_eq!((drive.exchanges, drive.failures), (10_000, 0));
    assert!(exchanges.iter().all(|exchange| exchange.response_ns() == 70_000));
    let woken = network.waits + network.sleeps;
    assert!((10_000..10_010).contains(&woken), "{woken} wakes");
}

/// Little's law: the service times, over the time of the drive.
fn service_share(drive: &DriveOutcome, exchanges: &[Exchange]) -> f64 {
    let service_ns: u64 = exchanges.iter().map(Exchange::service_ns).sum();
    service_ns as f64 / (drive.ended_ns - drive.began_ns) as f64
}

#[test]
fn an_answer_counts_from_when_it_came_and_wakes_no_thread() {
    let mut network = SimulatedNetwork::new(9, |now_ns| SimulatedReply::At(now_ns + 70_000, OK));
    network.tells = true;
    let (drive, exchanges) =
        drive(&mut network, settings(9), &open(5_000.0, Duration::from_secs(2)));
    assert_eq!((drive.exchanges, drive.failures), (10_000, 0));
    assert!(exchanges.iter().all(|exchange| exchange.response_ns() == 70_000));
    assert!((drive.in_flight_mean() / 0.35 - 1.0).abs() < 0.002, "{}", drive.in_flight_mean());
    let woken = network.waits + network.sleeps;
    assert!((10_000..10_010).contains(&woken), "{woken} wakes");
}

/// A packet that was lost and sent again 0.2 s later fills a gap: the system tells of the one behind.
#[test]
fn an_answer_was_not_there_while_nothing_was_announced() {
    let mut network =
        SimulatedNetwork::new(250, |now_ns| SimulatedReply::At(now_ns + 200 * MS, OK));
    (network.tells, network.tells_early_ns) = (true, 199 * MS);
    let model = open(1_000.0, Duration::from_secs(1));
    let (drive, exchanges) = drive(&mut network, settings(250), &model);
    assert_eq!(drive.failures, 0);
    let shortest_ns = exchanges.iter().map(Exchange::service_ns).min().unwrap();
    assert!(shortest_ns > 190 * MS, "{shortest_ns}");
}

#[test]
fn a_connection_that_takes_no_part_gets_no_request_when_it_is_closed() {
    let mut network = SimulatedNetwork::new(3, |now_ns| SimulatedReply::At(now_ns + 10 * MS, OK));
    network.ends = vec![(1, 5 * MS), (2, 15 * MS)];
    let request = LoadRequest::get("/", "test", &[], Arc::new(SuccessCheck)).unwrap();
    let address = Address::Unix("scripted".into());
    let plan = RequestPlan::from(&[request]);
    let mut engine =
        LoadEngine::new(&mut network, address, &plan, settings(3), Cancel::default()).unwrap();
    engine.renew().unwrap();
    let one = ClosedWorkload {
        connections: NonZeroUsize::new(1),
        ..StopCondition::after_requests(5).into()
    };
    let mut used = Vec::new();
    let drive =
        engine.drive(&PacingModel::Closed(one), &mut |it| used.push(it.connection)).unwrap();
    assert_eq!((drive.exchanges, drive.failures, drive.in_flight_max), (5, 0, 1));
    assert_eq!(used, [0; 5]);
}

#[test]
fn what_fills_a_buffer_or_is_not_whole_is_heard_at_once() {
    static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n".to_vec();
        answer.resize(answer.len() + 40_000, b'x');
        answer
    });
    for (tells, sleeps) in [(false, 0), (true, 1)] {
        let mut network =
            SimulatedNetwork::new(9, |now_ns| SimulatedReply::At(now_ns + 70_000, &LARGE));
        network.tells = tells;
        let (drive, _) = drive(&mut network, settings(9), &open(5_000.0, Duration::from_secs(1)));
        assert_eq!((drive.exchanges, drive.failures), (5_000, 0));
        // One at most, before it is known how large the answers are.
        assert!(network.sleeps <= sleeps, "{} sleeps", network.sleeps);
    }
}

#[test]
fn a_closed_load_would_have_hidden_that_stall() {
    let mut network = SimulatedNetwork::new(16, stalls);
    let stop = StopCondition::after(Duration::from_secs(10));
    let (_, exchanges) = drive(&mut network, settings(16), &closed(stop));
    let slow = exchanges.iter().filter(|exchange| exchange.service_ns() > MS).count();
    assert_eq!((slow, exchanges.len() > 1_000_000), (16, true));
}

#[test]
fn requests_are_sent_when_due_and_the_rate_is_the_configured_one() {
    let mut network = SimulatedNetwork::new(100, |now_ns| SimulatedReply::At(now_ns + 3 * MS, OK));
    let (drive, exchanges) =
        drive(&mut network, settings(100), &open(7_000.0, Duration::from_secs(3)));
    assert_eq!(drive.exchanges, 21_000);
    assert!(exchanges.iter().all(|exchange| exchange.sent_ns == exchange.due_ns));
    // Little's law: 7 000/s for 3 ms each.
    assert!((drive.in_flight_mean() / 21.0 - 1.0).abs() < 0.002, "{}", drive.in_flight_mean());
}

#[test]
fn requests_too_late_to_be_sent_are_dropped_and_counted() {
    let mut network = SimulatedNetwork::new(1, |now_ns| SimulatedReply::At(now_ns + SECOND, OK));
    let schedule = ArrivalSchedule::constant(10.0, Duration::from_secs(10)).unwrap();
    let late_max = Duration::from_secs(2);
    let model = PacingModel::Open(OpenWorkload { schedule, late_max, failures_max: None });
    let (drive, exchanges) = drive(&mut network, settings(1), &model);
    assert_eq!(drive.exchanges + drive.dropped, 100);
    assert!((12..=13).contains(&drive.exchanges), "{}", drive.exchanges);
    assert!(exchanges.iter().all(|exchange| exchange.sent_ns - exchange.due_ns <= 2 * SECOND));
}

#[test]
fn a_generator_that_is_not_run_says_so() {
    let mut network = SimulatedNetwork::new(10, |now_ns| SimulatedReply::At(now_ns + MS / 10, OK));
    network.frozen.push((SECOND, 300 * MS));
    let (drive, exchanges) =
        drive(&mut network, settings(10), &open(1_000.0, Duration::from_secs(2)));
    assert_eq!(drive.exchanges, 2_000);
    let lag: Vec<_> = exchanges.iter().map(|exchange| exchange.lag_ns).collect();
    let lagging = lag.iter().filter(|lag_ns| **lag_ns > 0).count();
    assert_eq!(lag.iter().max(), Some(&(300 * MS)));
    assert!((10..=301).contains(&lagging), "{lagging} of 300 that were due meanwhile");
}

#[test]
fn connections_think_between_requests_and_only_the_configured_ones_take_part() {
    let mut network = SimulatedNetwork::new(5, |now_ns| SimulatedReply::At(now_ns + MS, OK));
    let stop = StopCondition::after(Duration::from_secs(1));
    let model = PacingModel::Closed(ClosedWorkload {
        connections: NonZeroUsize::new(3),
        think: Duration::from_millis(9),
        ..stop.into()
    });
    let (drive, exchanges) = drive(&mut network, settings(5), &model);
    assert_eq!((drive.exchanges, drive.in_flight_max), (300, 3));
    let mut last = [None; 3];
    for exchange in exchanges {
        let last = &mut last[exchange.connection];
        assert!(last.is_none_or(|done_ns| exchange.sent_ns == done_ns + 9 * MS));
        *last = Some(exchange.done_ns);
    }
}

#[test]
fn a_target_that_is_not_there_is_tried_twenty_times_a_second() {
    let mut network = SimulatedNetwork::new(1, |_| SimulatedReply::Never);
    network.refuses = true;
    let stop = StopCondition {
        at_most: Some(Duration::from_secs(10)),
        ..StopCondition::after_requests(1_000_000)
    };
    let (drive, exchanges) = drive(&mut network, settings(1), &closed(stop));
    assert_eq!((drive.ended, drive.exchanges, drive.failures), (DriveEnd::OutOfTime, 200, 200));
    assert!(exchanges.iter().all(|exchange| exchange.service_ns() == 0));
    assert_eq!(exchanges[0].outcome.as_ref().unwrap_err().kind, FailureKind::Refused);
}

#[test]
fn a_listener_that_is_full_is_tried_again_up_to_the_time_out() {
    let answered = |now_ns| SimulatedReply::At(now_ns + MS, OK);
    let after = StopCondition::after_requests(4);
    let mut network = SimulatedNetwork::new(2, answered);
    network.full_until_ns = 3 * SECOND;
    let (tried, exchanges) = drive(&mut network, settings(2), &closed(after));
    assert_eq!((tried.exchanges, tried.failures), (4, 0), "{exchanges:?}");
    assert!(exchanges[0].response_ns().abs_diff(3 * SECOND) <= 2 * MS, "{exchanges:?}");
    assert!(exchanges.iter().all(|it| it.service_ns() == MS), "{exchanges:?}");

    let mut network = SimulatedNetwork::new(1, answered);
    network.full_until_ns = u64::MAX;
    let (failed, exchanges) = drive(&mut network, settings(1), &closed(after));
    assert_eq!((failed.exchanges, failed.failures), (4, 4));
    let failure = exchanges[0].outcome.as_ref().unwrap_err();
    assert_eq!(failure.detail, "no connection within 10.0 s");
    assert!(network.opened <= 40_010, "{} times", network.opened);

    let mut network = SimulatedNetwork::new(2, answered);
    network.full_until_ns = SECOND;
    let request = LoadRequest::get("/", "test", &[], Arc::new(SuccessCheck)).unwrap();
    let (address, plan) = (Address::Unix("scripted".into()), RequestPlan::from(&[request]));
    let mut engine =
        LoadEngine::new(&mut network, address, &plan, settings(2), Cancel::default()).unwrap();
    engine.renew().unwrap();
    let mut waited_ns = 0;
    engine.drive(&closed(after), &mut |it| waited_ns += it.sent_ns - it.due_ns).unwrap();
    assert_eq!(waited_ns, 0, "the connections were not there");
}

#[test]
fn hanging_for_minutes_costs_no_work_and_ends_at_the_time_out() {
    let mut network = SimulatedNetwork::new(2, |_| SimulatedReply::Never);
    let (drive, exchanges) =
        drive(&mut network, settings(2), &closed(StopCondition::after_requests(2)));
    assert_eq!((drive.exchanges, drive.failures), (2, 2));
    let failure = exchanges[0].outcome.as_ref().unwrap_err();
    assert_eq!(
        (failure.kind, failure.detail.as_str()),
        (FailureKind::Timeout, "no first byte within 10.0 min")
    );
    assert!(exchanges[0].service_ns().abs_diff(600 * SECOND) <= 50 * MS);
    assert!(network.waits <= 600 * 20 + 10, "{} waits", network.waits);
}

#[test]
fn a_wish_to_stop_is_seen_within_a_tenth_of_a_second() {
    let mut network = SimulatedNetwork::new(3, |_| SimulatedReply::Never);
    network.raises = Some((7 * SECOND + 1, Cancel::default()));
    let (drive, _) = drive(&mut network, settings(3), &closed(StopCondition::after_requests(9)));
    assert_eq!((drive.ended, drive.exchanges), (DriveEnd::Cancelled, 0));
    assert!(network.now_ns <= 7 * SECOND + 100 * MS, "{}", network.now_ns);
    assert!(network.peers.iter().all(|peer| !peer.open));
}

#[test]
fn a_connection_lives_as_long_as_both_sides_want() {
    let opened = |reuse, close: bool| {
        let mut network = SimulatedNetwork::new(2, move |now_ns| {
            let (at_ns, bytes) = (now_ns + MS, OK);
            if close {
                SimulatedReply::Last(at_ns, bytes)
            } else {
                SimulatedReply::At(at_ns, bytes)
            }
        });
        let (drive, _) = drive(
            &mut network,
            ClientSettings { reuse, ..settings(2) },
            &closed(StopCondition::after_requests(100)),
        );
        assert_eq!((drive.exchanges, drive.failures), (100, 0));
        network.opened
    };
    assert_eq!(opened(ConnectionReuse::Kept, false), 2);
    assert_eq!(opened(ConnectionReuse::PerRequest, false), 100);
    assert_eq!(opened(ConnectionReuse::Kept, true), 100);
}

#[test]
fn the_end_of_a_connection_after_half_an_answer_is_seen_at_once() {
    let mut network =
        SimulatedNetwork::new(1, |now_ns| SimulatedReply::Last(now_ns + MS, &OK[..OK.len() - 1]));
    let (_, exchanges) =
        drive(&mut network, settings(1), &closed(StopCondition::after_requests(1)));
    assert_eq!(exchanges[0].service_ns(), MS);
    assert_eq!(exchanges[0].outcome.as_ref().unwrap_err().kind, FailureKind::ShortBody);
}

/// Answers the requests that `is_answered` says, by their number from 1, and closes the connection on the
/// others without a word.
fn closing(requests: u64, is_answered: impl Fn(u64) -> bool) -> (DriveOutcome, Vec<Exchange>) {
    let mut number = 0;
    let mut network = SimulatedNetwork::new(1, move |now_ns| {
        number += 1;
        if is_answered(number) {
            SimulatedReply::At(now_ns + MS, OK)
        } else {
            SimulatedReply::Last(now_ns + MS, b"")
        }
    });
    drive(&mut network, settings(1), &closed(StopCondition::after_requests(requests)))
}

#[test]
fn a_request_that_crossed_the_end_of_its_kept_connection_is_sent_once_more() {
    let (drive, exchanges) = closing(30, |number| number % 4 != 0);
    assert_eq!((drive.exchanges, drive.failures, drive.resent), (30, 0, 9));
    assert!(exchanges.iter().all(|exchange| exchange.service_ns() == MS), "from when it was sent");
    let waited = exchanges.iter().filter(|exchange| exchange.response_ns() == 2 * MS).count();
    assert_eq!(waited, 9, "from when it was due");
    assert!((drive.in_flight_mean() - 30.0 / 39.0).abs() < 1e-9, "{}", drive.in_flight_mean());
}

#[test]
fn a_target_that_answers_nothing_on_a_new_connection_fails_the_request() {
    let (drive, exchanges) = closing(4, |number| number == 1);
    // The second request is sent again, and fails; for the others there is no kept connection.
    assert_eq!((drive.exchanges, drive.failures, drive.resent), (4, 3, 1));
    assert_eq!(exchanges[1].outcome.as_ref().unwrap_err().kind, FailureKind::Reset);
}
