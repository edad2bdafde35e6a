//! The network between load and target over real sockets: that every byte arrives, in order, late
//! by what was configured, and that ends and breaks are passed on as what they are.
//!
//! Times are only bounded from below: how late a busy machine is besides is not the network's.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up must fail")]
#![expect(clippy::disallowed_methods, reason = "a delay is what is tested")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sut::CpuPlacement;
use sut::network::{self, NetworkConditions, Relay};

const PATIENCE: Duration = Duration::from_secs(20);

/// A peer that serves one connection and returns what became of it.
fn peer<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

/// Answers every byte by itself.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(read @ 1..) = (&stream).read(&mut buffer) {
                    if (&stream).write_all(&buffer[..read]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn relay(target: SocketAddr, network: &str) -> Relay {
    Relay::start(target, &NetworkConditions::parse(network).unwrap(), 42, 1).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Bytes of which no two stretches are alike.
fn body(bytes: u32) -> Vec<u8> {
    let mix = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0];
    (0..bytes).map(mix).collect()
}

/// Sends, says that this was all, and reads the answer to its end, which is the same.
#[track_caller]
fn check_carried(network: &str, bytes: u32) -> Duration {
    let (target, served) = peer(|mut stream| {
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        stream.write_all(&got).unwrap();
        got
    });
    let mut relay = relay(target, network);
    let stream = connect(relay.address());
    let (sent, began) = (body(bytes), Instant::now());
    (&stream).write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    (&stream).read_to_end(&mut answer).unwrap();
    let took = began.elapsed();
    assert!(served.join().unwrap() == sent && answer == sent, "bytes differ");
    let traffic = relay.traffic().unwrap();
    assert_eq!((traffic.connections, traffic.resets), (1, 0));
    assert_eq!(traffic.bytes, 2 * u64::from(bytes));
    assert!(!traffic.cpu.is_zero());
    took
}

#[test]
fn every_byte_arrives_in_order_and_a_half_closed_connection_is_answered() {
    check_carried("latency=0s", 20_000_000);
    check_carried("latency=2ms,jitter=2ms", 3_000_000);
    check_carried("latency=1ms,jitter=500us,bandwidth=200Mbit/s", 300_000);
}

#[test]
fn an_exchange_takes_two_latencies_and_a_body_its_time_on_the_wire() {
    assert!(check_carried("latency=30ms", 10) >= Duration::from_millis(60));
    assert!(check_carried("bandwidth=10Mbit/s", 50_000) >= Duration::from_millis(80));
    // No less than the latency without the jitter.
    assert!(check_carried("latency=20ms,jitter=5ms", 10) >= Duration::from_millis(30));
}

#[test]
fn a_wire_is_shared_by_its_connections() {
    let relay = relay(echo(), "bandwidth=10Mbit/s");
    let (address, began) = (relay.address(), Instant::now());
    let exchange = || {
        let mut stream = connect(address);
        stream.write_all(&body(25_000)).unwrap();
        stream.read_exact(&mut vec![0; 25_000]).unwrap();
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(exchange);
        }
    });
    assert!(began.elapsed() >= Duration::from_millis(80));
}

#[test]
fn so_many_exchanges_are_reset_before_they_reach_the_target() {
    let mut relay = relay(echo(), "latency=0s,resets=20%");
    let mut stream = connect(relay.address());
    let (mut resets, mut answer) = (0, [0; 8]);
    for _ in 0..300 {
        let said = stream.write_all(b"question").and_then(|()| stream.read_exact(&mut answer));
        if let Err(error) = said {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            resets += 1;
            stream = connect(relay.address());
        }
    }
    assert!((30..90).contains(&resets), "{resets}");
    let traffic = relay.traffic().unwrap();
    assert_eq!((traffic.resets, traffic.connections), (resets, resets + 1));
}

#[test]
fn who_refuses_or_breaks_off_is_seen_as_that_from_the_other_side() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refusing = relay(closed, "latency=1ms");
    let refused = connect(refusing.address()).read(&mut [0]);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionReset);

    // A target that ends with something unread resets its connection.
    let (target, _served) = peer(|stream| stream.peek(&mut [0]).unwrap());
    let breaking = relay(target, "latency=1ms");
    let mut stream = connect(breaking.address());
    stream.write_all(b"question").unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);

    // And so does a load that leaves with an answer unread.
    let (target, served) = peer(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"answer").unwrap();
        stream.read(&mut [0]).map_err(|error| error.kind())
    });
    let leaving = relay(target, "latency=1ms");
    let stream = connect(leaving.address());
    stream.peek(&mut [0]).unwrap();
    drop(stream);
    assert_eq!(served.join().unwrap(), Err(ErrorKind::ConnectionReset));
}

#[test]
fn a_target_that_answers_and_closes_early_is_heard_although_the_body_goes_on() {
    let (target, _served) = peer(|mut stream| {
        stream.read_exact(&mut [0; 4]).unwrap();
        stream.write_all(b"too large").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap()
    });
    let relay = relay(target, "latency=1ms");
    let stream = connect(relay.address());
    let mut sender = stream.try_clone().unwrap();
    let sending = thread::spawn(move || sender.write_all(&body(8_000_000)).unwrap());
    let mut answer = String::new();
    (&stream).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "too large");
    sending.join().unwrap();
}

#[test]
fn what_a_target_does_not_read_stays_with_the_load() {
    let (target, served) = peer(|stream| stream);
    let relay = relay(target, "latency=5ms");
    let mut stream = connect(relay.address());
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let (piece, mut taken) = (vec![0; 1 << 20], 0);
    let error = loop {
        match stream.write(&piece) {
            Ok(written) => taken += written,
            Err(error) => break error,
        }
        // A window of 4 MiB, and what the kernel keeps for two connections.
        assert!(taken < 64 << 20, "no end to what is kept");
    };
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    drop(served.join().unwrap());
}

#[test]
fn a_network_that_is_dropped_ends_its_connections() {
    let relay = relay(echo(), "latency=10s");
    let mut stream = connect(relay.address());
    stream.write_all(b"question").unwrap();
    drop(relay);
    let end = stream.read(&mut [0]);
    assert!(matches!(&end, Ok(0)) || end.unwrap_err().kind() == ErrorKind::ConnectionReset);
}

#[test]
fn its_own_cost_is_measured_beside_a_direct_connection() {
    let cost = network::measure(&CpuPlacement::default()).unwrap();
    assert!(cost.direct_ns > 0.0 && cost.added_ns > -cost.direct_ns);
    assert!(cost.cpu_per_exchange_ns > 1_000.0 && cost.cpu_per_exchange_ns < 10e6, "{cost:?}");
    assert!(cost.cpu_per_mib_ns > 1_000.0, "{cost:?}");
}

/// Runs itself once more, in a process of its own with few descriptors.
#[test]
fn a_relay_without_descriptors_waits_for_them() {
    const FEW: &str = "XMLPERF_FEW_DESCRIPTORS";
    if std::env::var_os(FEW).is_none() {
        let itself = std::env::current_exe().unwrap();
        let name = "network::a_relay_without_descriptors_waits_for_them";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("ulimit -n 48; exec \"$0\" --exact {name} --nocapture")]);
        let output = shell.arg(itself).env(FEW, "1").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    // Not served by a thread, which would lack descriptors too.
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut relay = relay(target.local_addr().unwrap(), "latency=0s");
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
    }
    // The relay has no descriptor for the connection that this one makes.
    taken.pop();
    let mut waiting = connect(relay.address());
    let before = relay.traffic().unwrap().cpu;
    thread::sleep(Duration::from_millis(400));
    let used = relay.traffic().unwrap().cpu.saturating_sub(before);
    assert!(used < Duration::from_millis(40), "it took {used:?} of CPU time");
    // One by one, as another part of the program would: with one alone the connection is not broken off.
    for file in taken {
        drop(file);
        thread::sleep(Duration::from_millis(3));
    }
    waiting.write_all(b"x").unwrap();
    target.accept().unwrap().0.read_exact(&mut [0]).unwrap();
}
