//! What the relay adds by itself: exchanges with an echo on the target's processors, in turn over a
//! direct connection and through a network that shapes nothing.

use std::io;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::super::{CpuPlacement, CpuSet, now};
use super::{NetworkConditions, Relay, RelayError, Traffic};

/// Exchanges of a block, all on one side, and blocks on each side.
const BLOCK: u32 = 40;
const BLOCKS: usize = 15;

/// Size of a message, that of a small request and its answer; and of a large one.
const SMALL_BYTES: usize = 1 << 10;
const LARGE_BYTES: usize = 1 << 20;

/// Large messages.
const LARGE: u32 = 16;

/// How long an echo may take before something is broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a network costs that shapes nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelayCost {
    /// What it adds to the time of an exchange of 1 KiB, in nanoseconds: the difference of the
    /// quickest blocks, which other programs disturbed least.
    pub added_ns: f64,
    /// The time of an exchange without it.
    pub direct_ns: f64,
    /// CPU time of the relay for an exchange of 1 KiB, in nanoseconds.
    pub cpu_per_exchange_ns: f64,
    /// CPU time of the relay for each MiB that it passes on, in nanoseconds.
    pub cpu_per_mib_ns: f64,
}

/// Measures the cost, which takes a fraction of a second. The echo runs where the target does, the
/// relay where this thread does.
pub fn measure(placement: &CpuPlacement) -> Result<RelayCost, RelayError> {
    let echo = echo(placement.cpus.as_ref()).map_err(RelayError::NotMade)?;
    let mut relay = Relay::start(echo, &NetworkConditions::default(), 0, 1)?;
    let through = relay.address();
    let mut sides = [connect(echo)?, connect(through)?];
    let (mut direct, mut shaped) = (Vec::new(), Vec::new());
    block(&mut sides[1], SMALL_BYTES, BLOCK)?;
    let before = relay.traffic()?;
    for _ in 0..BLOCKS {
        direct.push(block(&mut sides[0], SMALL_BYTES, BLOCK)?);
        shaped.push(block(&mut sides[1], SMALL_BYTES, BLOCK)?);
    }
    let small = relay.traffic()?;
    block(&mut sides[1], LARGE_BYTES, LARGE)?;
    let large = relay.traffic()?;
    let exchanges = f64::from(BLOCK) * BLOCKS as f64;
    let mib = units::exact(large.bytes - small.bytes) / 1_048_576.0;
    let quickest = |blocks: Vec<f64>| blocks.into_iter().fold(f64::INFINITY, f64::min);
    let direct_ns = quickest(direct);
    let cpu_ns = |from: &Traffic, to: &Traffic| to.cpu.saturating_sub(from.cpu).as_secs_f64() * 1e9;
    Ok(RelayCost {
        added_ns: quickest(shaped) - direct_ns,
        direct_ns,
        cpu_per_exchange_ns: cpu_ns(&before, &small) / exchanges,
        cpu_per_mib_ns: cpu_ns(&small, &large) / mib,
    })
}

fn connect(address: SocketAddr) -> Result<TcpStream, RelayError> {
    let connect = || {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    connect().map_err(RelayError::NotMade)
}

/// Returns the mean time of an exchange in nanoseconds, over a block of them.
fn block(stream: &mut TcpStream, bytes: usize, exchanges: u32) -> Result<f64, RelayError> {
    let mut exchange = || -> io::Result<f64> {
        let (message, mut answer) = (vec![b'x'; bytes], vec![0; bytes]);
        let length = u32::try_from(bytes).map_err(io::Error::other)?.to_be_bytes();
        let began = now();
        for _ in 0..exchanges {
            if bytes == SMALL_BYTES {
                stream.write_all(&[&length[..], &message[4..]].concat())?;
            } else {
                stream.write_all(&length)?;
                stream.write_all(&message[4..])?;
            }
            stream.read_exact(&mut answer)?;
        }
        Ok(began.elapsed().as_secs_f64() * 1e9 / f64::from(exchanges))
    };
    exchange().map_err(RelayError::Broken)
}

/// Answers each message, which begins with its length, by as many bytes when all of it is there.
/// Serves two connections, each until its end.
fn echo(cpus: Option<&CpuSet>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    for _ in 0..2 {
        let (listener, cpus) = (listener.try_clone()?, cpus.cloned());
        thread::Builder::new().name("echo".to_owned()).spawn(move || {
            // Placed elsewhere, the measured cost is a little another one.
            let _pinned = cpus.as_ref().map(CpuSet::pin_thread);
            // The measurement sees that it has ended.
            drop(serve(&listener));
        })?;
    }
    Ok(address)
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut message = vec![0; LARGE_BYTES];
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let bytes = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
        let rest = message.get_mut(4..bytes).ok_or(io::ErrorKind::InvalidData)?;
        stream.read_exact(rest)?;
        stream.write_all(&message[..bytes])?;
    }
}
