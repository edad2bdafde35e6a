//! When a piece arrives: arithmetic on times that are passed in, so that a test needs no clock.
//!
//! A direction has one [`BandwidthLink`] that all connections share, and each connection a [`DelayLine`] behind
//! it. A link is a token bucket without a bucket: bytes pass one after the other at the rate, and
//! what is not used is gone. Times are computed for every piece and never rounded to a tick, so the
//! only quantum is the piece: a packet, or what passes in a tenth of a millisecond.

use std::collections::VecDeque;

use bytes::Bytes;
use rand::distr::{Bernoulli, Distribution as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::NetworkConditions;

/// Payload of an Ethernet packet, in bytes: what a slow link takes at a time.
const PACKET_BYTES: usize = 1448;

/// What a fast link takes at a time, in seconds.
const PIECE_S: f64 = 1e-4;

/// How far ahead of the link bytes are taken from their sockets. When they arrive does not depend
/// on it; it keeps the link busy while the relay is not on a processor.
const AHEAD_NS: u64 = 1_000_000;

/// Largest piece where there is no link to wait for, in bytes.
const PIECE_BYTES_MAX: usize = 256 << 10;

/// Bytes on their way in one direction, of all connections: they pass one after the other.
#[derive(Debug)]
pub(super) struct BandwidthLink {
    ns_per_byte: f64,
    free_ns: u64,
    piece_bytes_max: usize,
}

impl BandwidthLink {
    pub(super) fn new(network: &NetworkConditions) -> Self {
        let bytes_per_s = network.bits_per_s.map(|bits_per_s| bits_per_s / 8.0);
        let piece = |bytes_per_s: f64| {
            let piece = units::whole(bytes_per_s * PIECE_S).unwrap_or(u64::MAX);
            usize::try_from(piece).unwrap_or(usize::MAX).clamp(PACKET_BYTES, PIECE_BYTES_MAX)
        };
        Self {
            ns_per_byte: bytes_per_s.map_or(0.0, |bytes_per_s| 1e9 / bytes_per_s),
            free_ns: 0,
            piece_bytes_max: bytes_per_s.map_or(PIECE_BYTES_MAX, piece),
        }
    }

    /// Returns when the next piece may be taken; it never has to wait for no link.
    pub(super) fn takes_ns(&self) -> u64 {
        self.free_ns.saturating_sub(AHEAD_NS)
    }

    /// Returns the most bytes that are taken at once.
    pub(super) fn piece_bytes_max(&self) -> usize {
        self.piece_bytes_max
    }

    /// Returns when the last of `bytes` has passed that are there at `now_ns`.
    pub(super) fn pass(&mut self, now_ns: u64, bytes: usize) -> u64 {
        let takes_ns = units::whole((bytes as f64 * self.ns_per_byte).ceil()).unwrap_or(u64::MAX);
        self.free_ns = self.free_ns.max(now_ns).saturating_add(takes_ns);
        self.free_ns
    }
}

/// What comes last in a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamEnd {
    /// The sender has said everything; the other direction goes on.
    Finished,
    /// The connection broke.
    Reset,
}

/// A piece under way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Bytes(Bytes),
    End(StreamEnd),
}

/// One direction of one connection: what is under way, in order.
#[derive(Debug)]
pub(super) struct DelayLine {
    latency_ns: u64,
    jitter_ns: u64,
    draws: ChaCha8Rng,
    /// When the last piece arrives: none overtakes it.
    last_due_ns: u64,
    segments: VecDeque<(u64, Segment)>,
    bytes: usize,
}

impl DelayLine {
    /// Makes an empty line. Lines of one `seed` and different numbers have different jitter.
    pub(super) fn new(network: &NetworkConditions, seed: u64, number: u64) -> Self {
        Self {
            latency_ns: units::nanos(network.latency),
            jitter_ns: units::nanos(network.jitter),
            draws: draws(seed, number),
            last_due_ns: 0,
            segments: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Returns when a piece arrives that left the link at `passed_ns`.
    pub(super) fn due(&mut self, passed_ns: u64) -> u64 {
        let spread_ns = 2 * self.jitter_ns;
        let late_ns = self.draws.random_range(0..=spread_ns);
        let due_ns = (passed_ns + self.latency_ns - self.jitter_ns).saturating_add(late_ns);
        self.last_due_ns = self.last_due_ns.max(due_ns);
        self.last_due_ns
    }

    /// Sends a piece on its way, to arrive then.
    pub(super) fn push(&mut self, due_ns: u64, segment: Segment) {
        if let Segment::Bytes(bytes) = &segment {
            self.bytes += bytes.len();
        }
        self.segments.push_back((due_ns, segment));
    }

    /// Returns when the next piece arrives, if one is under way.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.segments.front().map(|(due_ns, _)| *due_ns)
    }

    /// Takes the next piece, if it has arrived.
    pub(super) fn arrived(&mut self, now_ns: u64) -> Option<Segment> {
        self.segments.front().filter(|(due_ns, _)| *due_ns <= now_ns)?;
        let (_, segment) = self.segments.pop_front()?;
        if let Segment::Bytes(bytes) = &segment {
            self.bytes -= bytes.len();
        }
        Some(segment)
    }

    /// Puts back what the receiver did not take.
    pub(super) fn put_back(&mut self, rest: Bytes) {
        self.bytes += rest.len();
        self.segments.push_front((0, Segment::Bytes(rest)));
    }

    /// Returns the bytes under way.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

/// Decides which exchanges of a connection are reset.
#[derive(Debug)]
pub(super) struct ResetDraw {
    share: Bernoulli,
    draws: ChaCha8Rng,
    /// Whether the target has said something since the last request began.
    answered: bool,
}

impl ResetDraw {
    pub(super) fn new(network: &NetworkConditions, seed: u64, number: u64) -> Self {
        let share = network.resets.map_or(0.0, |share| share.0);
        let share = Bernoulli::new(share).expect("a share was checked when it was read");
        Self { share, draws: draws(seed, number), answered: true }
    }

    /// Hears that the target has sent something.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// Returns whether what the load sends now is reset: once for each request, which is taken to
    /// begin with the first bytes after an answer.
    pub(super) fn falls(&mut self) -> bool {
        std::mem::take(&mut self.answered) && self.share.sample(&mut self.draws)
    }
}

fn draws(seed: u64, number: u64) -> ChaCha8Rng {
    let mut draws = ChaCha8Rng::seed_from_u64(seed);
    draws.set_stream(number);
    draws
}

/// Returns how many bytes of a connection may be under way in a direction: 32 MiB over all, so that
/// a large body passes at the speed of its receiver and never has to fit in memory.
pub(super) fn window_bytes(connections: usize) -> usize {
    ((32 << 20) / (2 * connections.max(1))).clamp(64 << 10, 4 << 20)
}

/// Returns the latency of a round trip, in nanoseconds, without jitter.
pub(super) fn round_trip_ns(network: &NetworkConditions) -> u64 {
    units::nanos(2 * network.latency)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use units::Ratio;

    fn network(latency_us: u64, jitter_us: u64, bits_per_s: Option<f64>) -> NetworkConditions {
        NetworkConditions {
            latency: Duration::from_micros(latency_us),
            jitter: Duration::from_micros(jitter_us),
            bits_per_s,
            resets: None,
        }
    }

    proptest! {
        /// Whatever is sent whenever: the bytes of a link pass at its rate, and no faster over any
        /// stretch, to a nanosecond a piece.
        #[test]
        fn a_wire_passes_bytes_at_its_rate(
            rate in 1e4..1e10_f64,
            pieces in prop::collection::vec((0_u64..5_000_000, 1_usize..100_000), 1..100),
        ) {
            let mut link = BandwidthLink::new(&network(0, 0, Some(rate)));
            let (mut now_ns, mut free_ns) = (0, 0_u64);
            for (pause_ns, bytes) in pieces {
                now_ns += pause_ns;
                let passed_ns = link.pass(now_ns, bytes);
                let takes_ns = bytes as f64 * 8e9 / rate;
                let expected_ns = units::exact(free_ns.max(now_ns)) + takes_ns;
                prop_assert!((units::exact(passed_ns) - expected_ns).abs() <= 1.0);
                free_ns = passed_ns;
            }
        }

        /// Pieces arrive in order, none before its latency less the jitter, and none later than
        /// that and the jitter of those before it can explain.
        #[test]
        fn a_line_delays_keeps_the_order_and_stays_within_the_jitter(
            latency_us in 1_u64..50_000,
            jitter in 0.0..=1.0_f64,
            seed: u64,
            pauses_ns in prop::collection::vec(0_u64..3_000_000, 1..200),
        ) {
            let jitter_us = units::whole((jitter * latency_us as f64).floor()).unwrap();
            let mut line = DelayLine::new(&network(latency_us, jitter_us, None), seed, 0);
            let (latency_ns, jitter_ns) = (latency_us * 1000, jitter_us * 1000);
            let mut passed_ns = 0;
            for (index, pause_ns) in pauses_ns.iter().enumerate() {
                passed_ns += pause_ns;
                let due_ns = line.due(passed_ns);
                prop_assert!(due_ns >= passed_ns + latency_ns - jitter_ns);
                prop_assert!(due_ns <= passed_ns + latency_ns + jitter_ns);
                line.push(due_ns, Segment::Bytes(vec![u8::try_from(index).unwrap()].into()));
            }
            let mut arrived = Vec::new();
            let mut now_ns = 0;
            while let Some(due_ns) = line.next_due_ns() {
                prop_assert!(due_ns >= now_ns);
                prop_assert!(due_ns == 0 || line.arrived(due_ns - 1).is_none());
                now_ns = due_ns;
                let Some(Segment::Bytes(piece)) = line.arrived(now_ns) else { panic!("no bytes") };
                arrived.extend(piece);
            }
            prop_assert!(arrived.iter().copied().eq((0..pauses_ns.len()).map(|i| u8::try_from(i).unwrap())));
            prop_assert_eq!(line.bytes(), 0);
        }
    }

    /// A link under a simulated clock: 1 MB at 10 Mbit/s with 20 ms takes 0.8 s and 20 ms, and at
    /// no time is more under way than the link holds.
    #[test]
    fn a_large_body_arrives_after_its_size_over_the_rate_and_the_latency() {
        let conditions = network(20_000, 0, Some(10e6));
        let (mut link, mut line) =
            (BandwidthLink::new(&conditions), DelayLine::new(&conditions, 1, 0));
        let (mut now_ns, mut left, mut most, mut last_ns) = (0, 1_000_000_usize, 0, 0);
        while left > 0 || !line.is_empty() {
            while left > 0 && link.takes_ns() <= now_ns {
                let piece = left.min(link.piece_bytes_max());
                left -= piece;
                let due_ns = line.due(link.pass(now_ns, piece));
                line.push(due_ns, Segment::Bytes(vec![0; piece].into()));
            }
            most = most.max(line.bytes());
            let link_ns = if left > 0 { link.takes_ns() } else { u64::MAX };
            now_ns = line.next_due_ns().unwrap_or(u64::MAX).min(link_ns).max(now_ns);
            while line.arrived(now_ns).is_some() {
                last_ns = now_ns;
            }
        }
        assert!(last_ns.abs_diff(820_000_000) < 1_000, "{last_ns}");
        // 20 ms of the link, what is taken ahead, and a packet.
        assert!(most <= 25_000 + 1_250 + 2 * PACKET_BYTES, "{most}");
    }

    #[test]
    fn a_fast_wire_has_no_quantum_above_a_tenth_of_a_millisecond() {
        let quantum_ns = |bits_per_s| {
            let mut link = BandwidthLink::new(&network(0, 0, Some(bits_per_s)));
            link.pass(0, link.piece_bytes_max())
        };
        assert_eq!(quantum_ns(1e9), 100_000);
        assert_eq!(quantum_ns(1e8), 115_840, "a packet is not split");
        assert_eq!(BandwidthLink::new(&network(0, 0, None)).pass(5, 1 << 20), 5);
    }

    #[test]
    fn jitter_repeats_for_a_seed_and_differs_between_lines() {
        let conditions = network(1_000, 1_000, None);
        let dues = |seed, number| {
            let mut line = DelayLine::new(&conditions, seed, number);
            (0..50).map(|i| line.due(i * 10_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(dues(1, 0), dues(1, 0));
        assert_ne!(dues(1, 0), dues(1, 1));
        assert_ne!(dues(1, 0), dues(2, 0));
    }

    #[test]
    fn the_share_of_resets_is_the_configured_one_and_a_request_is_drawn_for_once() {
        let link = NetworkConditions { resets: Some(Ratio(0.1)), ..NetworkConditions::default() };
        let mut coin = ResetDraw::new(&link, 7, 0);
        let exchange = |coin: &mut ResetDraw| {
            let falls = coin.falls();
            assert!(!coin.falls() && !coin.falls(), "the rest of a body is no new request");
            coin.answered();
            falls
        };
        let fallen = (0..10_000).filter(|_| exchange(&mut coin)).count();
        assert!((900..1100).contains(&fallen), "{fallen}");
        let mut never = ResetDraw::new(&NetworkConditions::default(), 7, 0);
        assert!((0..1_000).all(|_| !exchange(&mut never)));
    }
}
