//! How fast the machine is right now: a workload that never changes, run between the launches.
//!
//! A run of another day is slower when the machine is, and the yardstick tells how much of a change
//! that explains. The workload is frozen: [`VERSION`] rises with any change to it, and readings of two
//! versions are never set against each other. It is small enough to be run before every launch, and
//! made of what an API does: integers and branches, loads that miss the caches, messages over the
//! loopback. Each part is done in pieces, of which the fastest counts: how fast the machine is when
//! nothing comes between.

use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::now;
use record::history::{Yardstick, YardstickReading};
use sut::CpuSet;

/// The workload below. Raised with any change to it.
const VERSION: u32 = 1;

/// Pieces of each part.
const PIECES: u32 = 8;
/// Steps of a piece of the integer part, about 2 ms.
const STEPS: u32 = 800_000;
/// Words of the memory part, 8 MiB, and dependent loads from it in a piece, about 2 ms.
const WORDS: usize = 1 << 21;
const LOADS: u32 = 25_000;
/// Messages of a piece of the loopback part, and their bytes, about 2 ms.
const MESSAGES: u32 = 100;
const MESSAGE_BYTES: usize = 1_024;

/// A workload that is ready to run.
pub(super) struct YardstickWorkload {
    cycle: Vec<u32>,
    readings: Vec<YardstickReading>,
}

impl YardstickWorkload {
    pub(super) fn new() -> Self {
        Self { cycle: cycle(WORDS), readings: Vec::new() }
    }

    /// Runs it once, on the processors of the target. A reading that fails is left out: the numbers of
    /// the run are good without it.
    pub(super) fn read(&mut self, cpus: Option<&CpuSet>) {
        let cycle = &self.cycle;
        let reading = thread::scope(|scope| {
            let read = move || {
                let _pinned = cpus.map(CpuSet::pin_thread).transpose()?;
                reading(cycle)
            };
            let reader = thread::Builder::new().spawn_scoped(scope, read)?;
            reader.join().expect("the yardstick does not panic")
        });
        self.readings.extend(reading.ok());
    }

    /// Returns what was read.
    pub(super) fn yardstick(&self) -> Option<Yardstick> {
        let readings = self.readings.clone();
        (!readings.is_empty()).then_some(Yardstick { version: VERSION, readings })
    }
}

fn reading(cycle: &[u32]) -> io::Result<YardstickReading> {
    Ok(YardstickReading {
        integer_ns: fastest(&mut || {
            black_box(integers(STEPS));
            Ok(())
        })?,
        memory_ns: fastest(&mut || {
            black_box(walk(cycle, LOADS));
            Ok(())
        })?,
        loopback_ns: messages()?,
    })
}

/// The time of the fastest of all pieces.
fn fastest(piece: &mut dyn FnMut() -> io::Result<()>) -> io::Result<u64> {
    let mut fastest = u64::MAX;
    for _ in 0..PIECES {
        let began = now();
        piece()?;
        fastest = fastest.min(units::nanos(began.elapsed()));
    }
    Ok(fastest)
}

/// Xorshift with a branch that no processor predicts.
fn integers(steps: u32) -> u64 {
    let (mut state, mut sum) = (0x9e37_79b9_7f4a_7c15_u64, 0_u64);
    for _ in 0..steps {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        sum = if state & 1 == 0 { sum.wrapping_add(state) } else { sum ^ state.rotate_left(9) };
    }
    sum
}

/// A single cycle through all words in an order without a pattern (Sattolo).
fn cycle(words: usize) -> Vec<u32> {
    let length = u32::try_from(words).expect("a small number of words");
    let mut next: Vec<u32> = (0..length).collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for i in (1..words).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let j = usize::try_from(state % i as u64).expect("below a length");
        next.swap(i, j);
    }
    next
}

fn walk(cycle: &[u32], loads: u32) -> u32 {
    let mut place = 0_u32;
    for _ in 0..loads {
        place = cycle[usize::try_from(place).expect("32 bits fit")];
    }
    place
}

/// Messages to and fro between two threads.
fn messages() -> io::Result<u64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        let answer = move || {
            let mut message = [0; MESSAGE_BYTES];
            for _ in 0..PIECES * MESSAGES {
                server.read_exact(&mut message)?;
                server.write_all(&message)?;
            }
            io::Result::Ok(())
        };
        let echo = thread::Builder::new().spawn_scoped(scope, answer)?;
        let mut message = [7; MESSAGE_BYTES];
        let time = fastest(&mut || {
            for _ in 0..MESSAGES {
                client.write_all(&message)?;
                client.read_exact(&mut message)?;
            }
            Ok(())
        });
        // Ends the echo also where a message failed.
        drop(client);
        echo.join().expect("an echo does not panic").and(time)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is computed is frozen with the version.
    #[test]
    fn the_workload_is_what_it_was() {
        assert_eq!(integers(1_000), 10_020_197_482_327_311_010);
        let cycle = cycle(1 << 12);
        assert_eq!(walk(&cycle, 1_000), 1_246);
        assert_eq!(walk(&cycle, 1 << 12), 0, "one cycle through all words");
    }

    #[test]
    fn a_reading_has_every_part() {
        let mut workload = YardstickWorkload { cycle: cycle(1 << 10), readings: Vec::new() };
        assert_eq!(workload.yardstick(), None);
        workload.read(None);
        let yardstick = workload.yardstick().unwrap();
        let [reading] = yardstick.readings[..] else { panic!("one reading") };
        assert!(reading.integer_ns > 0 && reading.memory_ns > 0 && reading.loopback_ns > 0);
    }
}
