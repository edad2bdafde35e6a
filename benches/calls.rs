//! What the relay that counts calls adds to a call, beside a direct connection.
//!
//! A service that answers each command of Redis by a line, on a thread of its own; blocks of calls directly and through
//! the relay in turn, so that a busy machine slows both alike. `cargo bench --bench calls`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run must stop")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use rustix::time::{ClockId, clock_gettime};
use sut::CallCounting;
use sut::network::Relay;

const COMMAND: &[u8] = b"*2\r\n$3\r\nGET\r\n$7\r\nitem:42\r\n";
const CALLS: u32 = 2_000;
const BLOCKS: usize = 25;

fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            connection.set_nodelay(true).unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 256];
                while matches!(connection.read(&mut bytes), Ok(1..)) {
                    connection.write_all(b"$-1\r\n").unwrap();
                }
            });
        }
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_nodelay(true).unwrap();
    connection
}

fn now_s() -> f64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Time of a call, in microseconds.
fn block(connection: &mut TcpStream) -> f64 {
    let mut answer = [0; 5];
    let start_s = now_s();
    for _ in 0..CALLS {
        connection.write_all(COMMAND).unwrap();
        connection.read_exact(&mut answer).unwrap();
    }
    (now_s() - start_s) * 1e6 / f64::from(CALLS)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let address = service();
    let mut relay = Relay::count_calls(address, CallCounting::Detected).unwrap();
    let mut sides = [connect(address), connect(relay.address())];
    for side in &mut sides {
        block(side);
    }
    let cpu_s = |relay: &mut Relay| relay.traffic().unwrap().cpu.as_secs_f64();
    let before_s = cpu_s(&mut relay);
    let (mut direct, mut relayed) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        direct.push(block(&mut sides[0]));
        relayed.push(block(&mut sides[1]));
    }
    let cpu_us = (cpu_s(&mut relay) - before_s) * 1e6;
    let calls = f64::from(CALLS) * BLOCKS as f64;
    let counted = relay.with_calls(|tally| tally.totals().queries).unwrap();
    assert_eq!(counted, u64::from(CALLS) * (BLOCKS as u64 + 1));
    let (direct, relayed) = (median(direct), median(relayed));
    println!(
        "direct {direct:.1} µs a call, through the relay {relayed:.1} µs: {:.1} µs more, {:.2} times; CPU of the relay \
         {:.1} µs a call",
        relayed - direct,
        relayed / direct,
        cpu_us / calls
    );
}
