//! What the engine relies on, held against every driver that can be compiled here, over real sockets.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use units::cancel::Cancel;

use super::portable::PortableNetwork;
use super::{Address, NetworkDriver, SocketReadiness};
use crate::body::RequestBody;
use crate::engine::LoadEngine;
use crate::http1::UnsentBytes;
use crate::pacing::{ArrivalSchedule, OpenWorkload, PacingModel};
use crate::{ClientSettings, Exchange, LoadRequest, RequestPlan, SuccessCheck};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// What a test that waits in vain takes, and fails.
const PATIENCE_NS: u64 = 20 * SECOND;

type NewDriver<N> = fn(Address, usize) -> io::Result<N>;

macro_rules! for_each_driver {
    ($($test:ident)*) => {
        #[cfg(target_os = "linux")]
        mod linux {
            use crate::network::linux::LinuxNetwork;

            $(#[test]
            fn $test() {
                super::$test(LinuxNetwork::new);
            })*

            #[test]
            fn bytes_are_received_into_memory_that_is_there() {
                let (mut network, mut peer) = super::connected(LinuxNetwork::new);
                super::check_slice(&mut peer, &mut network, LinuxNetwork::receive_slice);
            }
        }

        mod portable {
            use crate::network::portable::PortableNetwork;

            $(#[test]
            fn $test() {
                super::$test(PortableNetwork::new);
            })*

            #[test]
            fn bytes_are_received_into_memory_that_is_there() {
                let (mut network, mut peer) = super::connected(PortableNetwork::new);
                super::check_slice(&mut peer, &mut network, PortableNetwork::receive_slice);
            }
        }
    };
}

for_each_driver! {
    a_connection_that_is_made_can_be_written_to
    a_refused_connection_says_so
    a_unix_socket_is_connected
    more_than_fits_is_sent_as_room_comes
    a_unix_socket_takes_a_large_body
    what_a_closed_slot_has_not_sent_is_not_sent_by_its_successor
    bytes_that_do_not_fit_stay_to_be_received
    the_end_of_a_stream_is_announced_with_its_last_bytes
    a_wait_and_a_sleep_end_at_their_times
    what_happened_to_a_closed_slot_does_not_reach_its_successor
    an_open_load_sees_answers_when_they_come
}

fn listen() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, Address::Tcp(address))
}

/// A network whose only slot is connected, and the other end.
pub(super) fn connected<N: NetworkDriver>(new: NewDriver<N>) -> (N, TcpStream) {
    let (listener, address) = listen();
    let mut network = new(address, 1).unwrap();
    network.open(0).unwrap();
    wait_for(&mut network, |it| it.writable);
    network.opened(0).unwrap();
    (network, listener.accept().unwrap().0)
}

/// The same over a socket with a path.
fn connected_by_path<N: NetworkDriver>(new: NewDriver<N>) -> (N, UnixStream) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api");
    let listener = UnixListener::bind(&path).unwrap();
    let mut network = new(Address::Unix(path), 1).unwrap();
    network.open(0).unwrap();
    wait_for(&mut network, |it| it.writable);
    network.opened(0).unwrap();
    (network, listener.accept().unwrap().0)
}

/// What is unsent of a body, from `at` on.
pub(super) fn rest(body: &RequestBody, at: usize) -> UnsentBytes<'_> {
    UnsentBytes { parts: [&[], &body.bytes()[at..]], sealed: body.sealed_from(at) }
}

/// Sends as much of a body over slot 0 as there is room for where the peer reads nothing, and returns how much.
pub(super) fn fill(network: &mut impl NetworkDriver, body: &RequestBody) -> usize {
    let mut sent = 0;
    while let Ok(more) = network.send(0, &rest(body, sent)) {
        sent += more;
    }
    assert!((1..body.bytes().len()).contains(&sent), "{sent}");
    sent
}

/// Waits until that is true of slot 0.
#[track_caller]
pub(super) fn wait_for(
    network: &mut impl NetworkDriver,
    is_true: fn(&SocketReadiness) -> bool,
) -> SocketReadiness {
    let mut ready = Vec::new();
    let until_ns = network.now_ns() + PATIENCE_NS;
    while network.now_ns() < until_ns {
        let tick_ns = network.now_ns() + SECOND;
        network.wait(tick_ns, &mut ready).unwrap();
        assert!(ready.len() <= 1, "one answer a slot: {ready:?}");
        if let Some(found) = ready.iter().find(|it| is_true(it)) {
            return *found;
        }
    }
    panic!("it did not come true");
}

fn a_connection_that_is_made_can_be_written_to<N: NetworkDriver>(new: NewDriver<N>) {
    let (mut network, mut peer) = connected(new);
    assert_eq!(network.send(0, &UnsentBytes::one(b"ping")).unwrap(), 4);
    let mut received = [0; 4];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"ping");
}

fn a_refused_connection_says_so<N: NetworkDriver>(new: NewDriver<N>) {
    let (listener, address) = listen();
    drop(listener);
    let mut network = new(address, 1).unwrap();
    // A system may know at once.
    let refused = network.open(0).and_then(|()| {
        wait_for(&mut network, |it| it.writable);
        network.opened(0)
    });
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

fn a_unix_socket_is_connected<N: NetworkDriver>(new: NewDriver<N>) {
    let (mut network, mut peer) = connected_by_path(new);
    peer.write_all(b"ok").unwrap();
    wait_for(&mut network, |it| it.readable);
    let mut received = Vec::with_capacity(9);
    assert_eq!(network.receive(0, &mut received).unwrap(), 2);
    assert_eq!(received, b"ok");
}

fn more_than_fits_is_sent_as_room_comes<N: NetworkDriver>(new: NewDriver<N>) {
    let (mut network, mut peer) = connected(new);
    let reader = peer.try_clone().unwrap();
    check_large_request(&mut network, reader);
    peer.write_all(b"!").unwrap();
    wait_for(&mut network, |it| it.readable);
}

fn a_unix_socket_takes_a_large_body<N: NetworkDriver>(new: NewDriver<N>) {
    let (mut network, peer) = connected_by_path(new);
    check_large_request(&mut network, peer);
}

/// Sends large bodies one behind the other, as they are and in pages that are lent, each after another large part.
fn check_large_request(network: &mut impl NetworkDriver, peer: impl io::Read + Send + 'static) {
    // Pages that were mixed up would differ: their size is no multiple of this period.
    let pattern = |size: usize| (0..=250).cycle().take(size).collect::<Vec<u8>>();
    let (first, body) = (pattern(3 << 20), RequestBody::from(pattern((7 << 20) + 11)));
    let all = [first.as_slice(), body.bytes()].concat();
    let mut reader = Some(peer);
    let mut reading = None;
    for is_sealed in [false, true, true] {
        let mut sent = 0;
        while sent < all.len() {
            let at = sent.saturating_sub(first.len());
            let parts = [first.get(sent..).unwrap_or_default(), &body.bytes()[at..]];
            let sealed = body.sealed_from(at).filter(|_| is_sealed);
            match network.send(0, &UnsentBytes { parts, sealed }) {
                Ok(more) => sent += more,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    // Nothing was read so far: no socket holds all of it.
                    if let Some(mut peer) = reader.take() {
                        let mut received = vec![0; 3 * all.len()];
                        reading = Some(thread::spawn(move || {
                            peer.read_exact(&mut received).map(|()| received)
                        }));
                    }
                    wait_for(network, |it| it.writable);
                }
            }
        }
    }
    let received = reading.expect("sending had to wait").join().unwrap().unwrap();
    assert!(received == all.repeat(3), "the bytes differ");
}

fn what_a_closed_slot_has_not_sent_is_not_sent_by_its_successor<N: NetworkDriver>(
    new: NewDriver<N>,
) {
    let (listener, address) = listen();
    let mut network = new(address, 1).unwrap();
    let body: Vec<u8> = (0..5_u32 << 20).flat_map(u32::to_be_bytes).collect();
    let body = RequestBody::from(body);
    for _ in 0..3 {
        network.open(0).unwrap();
        wait_for(&mut network, |it| it.writable);
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(network.send(0, &UnsentBytes::one(b"head")).unwrap(), 4);
        fill(&mut network, &body);
        let mut received = [0; 1000];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(received.split_at(4), (b"head".as_slice(), &body.bytes()[..996]));
        network.close(0);
    }
}

fn bytes_that_do_not_fit_stay_to_be_received<N: NetworkDriver>(new: NewDriver<N>) {
    let (mut network, mut peer) = connected(new);
    let kind = network.receive(0, &mut Vec::with_capacity(9)).unwrap_err().kind();
    assert_eq!(kind, io::ErrorKind::WouldBlock);
    peer.write_all(b"0123456789").unwrap();
    assert!(!wait_for(&mut network, |it| it.readable).gone);
    let mut received = Vec::with_capacity(4);
    let room = received.capacity();
    assert_eq!(network.receive(0, &mut received).unwrap(), room);
    received.reserve(99);
    assert_eq!(network.receive(0, &mut received).unwrap(), 10 - room);
    assert_eq!(received, b"0123456789");
}

/// The part that encryption takes of a driver.
fn check_slice<N: NetworkDriver>(
    peer: &mut TcpStream,
    network: &mut N,
    receive: fn(&mut N, usize, &mut [u8]) -> io::Result<usize>,
) {
    network.note_arrivals();
    peer.write_all(b"01234").unwrap();
    wait_for(network, |it| it.readable);
    let mut into = [0; 9];
    assert_eq!(receive(network, 0, &mut into).unwrap(), 5);
    assert_eq!(&into, b"01234\0\0\0\0");
    assert_eq!(receive(network, 0, &mut into).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

fn the_end_of_a_stream_is_announced_with_its_last_bytes<N: NetworkDriver>(new: NewDriver<N>) {
    let (mut network, mut peer) = connected(new);
    peer.write_all(b"ok").unwrap();
    drop(peer);
    let gone = wait_for(&mut network, |it| it.gone);
    assert!(gone.readable);
    let mut received = Vec::with_capacity(9);
    assert_eq!(network.receive(0, &mut received).unwrap(), 2);
    assert_eq!(network.receive(0, &mut received).unwrap(), 0);
}

fn a_wait_and_a_sleep_end_at_their_times<N: NetworkDriver>(new: NewDriver<N>) {
    let (mut network, _peer) = connected(new);
    let mut ready = Vec::new();
    for step_ns in [0, MS / 3, 7 * MS] {
        let until_ns = network.now_ns() + step_ns;
        network.wait(until_ns, &mut ready).unwrap();
        assert!(network.now_ns() >= until_ns && ready.is_empty(), "{step_ns} {ready:?}");
        let until_ns = network.now_ns() + step_ns;
        network.sleep(until_ns, Some(until_ns + SECOND)).unwrap();
        assert!(network.now_ns() >= until_ns, "{step_ns}");
        // What has passed is not waited for.
        network.wait(0, &mut ready).unwrap();
        network.sleep(0, None).unwrap();
    }
    assert!(network.now_ns() < PATIENCE_NS);
}

fn what_happened_to_a_closed_slot_does_not_reach_its_successor<N: NetworkDriver>(
    new: NewDriver<N>,
) {
    let (listener, address) = listen();
    let mut network = new(address, 3).unwrap();
    for _ in 0..20 {
        network.open(1).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        // Readable and gone, which no wait has seen yet when the slot is used again.
        peer.write_all(b"of the first").unwrap();
        drop(peer);
        network.close(1);
        network.open(1).unwrap();
        let found = wait_for(&mut network, |it| it.slot == 1 && it.writable);
        assert!(!found.readable && !found.gone, "{found:?}");
        network.opened(1).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"of the second").unwrap();
        wait_for(&mut network, |it| it.readable);
        let mut received = Vec::with_capacity(99);
        network.receive(1, &mut received).unwrap();
        assert_eq!(received, b"of the second");
        network.close(1);
    }
}

/// Two requests a second apart, each answered after 5 ms: an answer that was only seen when the next
/// request was due would be a second late.
fn an_open_load_sees_answers_when_they_come<N: NetworkDriver>(new: NewDriver<N>) {
    let (listener, address) = listen();
    let server = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        while peer.read(&mut request).is_ok_and(|bytes| bytes > 0) {
            thread::sleep(Duration::from_millis(5));
            peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        }
    });
    let request = LoadRequest::get("/", "localhost", &[], Arc::new(SuccessCheck)).unwrap();
    let plan = RequestPlan::from(&[request]);
    let settings =
        ClientSettings { connections: NonZeroUsize::new(1).unwrap(), ..ClientSettings::default() };
    let network = new(address.clone(), 1).unwrap();
    let mut engine = LoadEngine::new(network, address, &plan, settings, Cancel::default()).unwrap();
    let model = PacingModel::Open(OpenWorkload {
        schedule: ArrivalSchedule::constant(1.0, Duration::from_secs(2)).unwrap(),
        late_max: Duration::from_secs(10),
        failures_max: None,
    });
    let mut exchanges = Vec::new();
    let mut record = |it: &Exchange| exchanges.push((it.sent_ns, it.done_ns, it.outcome.is_ok()));
    engine.drive(&model, &mut record).unwrap();
    drop(engine);
    server.join().unwrap();
    assert_eq!(exchanges.len(), 2);
    for (sent_ns, done_ns, is_answered) in exchanges {
        let service_ns = done_ns - sent_ns;
        assert!(is_answered && (5 * MS..900 * MS).contains(&service_ns), "{service_ns} ns");
    }
}

#[test]
fn a_portable_driver_knows_of_no_arrivals() {
    let (mut network, mut peer) = connected(PortableNetwork::new);
    network.note_arrivals();
    peer.write_all(b"ok").unwrap();
    wait_for(&mut network, |it| it.readable);
    network.receive(0, &mut Vec::with_capacity(9)).unwrap();
    assert_eq!(network.arrived_ns(0), None);
}
