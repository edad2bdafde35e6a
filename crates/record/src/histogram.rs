//! Packs a histogram into one line of text: HdrHistogram V2, deflated, in base64.
//!
//! It is the format that the other HdrHistogram libraries read, so that a record's latencies can be
//! looked at with their tools.

use std::io::ErrorKind::UnexpectedEof;
use std::io::{self, Read as _};

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use flate2::bufread::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::iterators::IterationValue;
use hdrhistogram::serialization::{DeserializeError, Serializer as _, V2DeflateSerializer};
use thiserror::Error;

pub use load::measure::requests_needed;

/// The longest text, and the most that it inflates to: three digits up to a day need a third of that.
const TEXT_BYTES_MAX: usize = 1 << 20;
const PLAIN_BYTES_MAX: u64 = 1 << 20;
const DIGITS_MAX: u32 = 3;
const HIGHEST_NS_MAX: u64 = 86_400_000_000_000;
/// What V2 begins with when it is deflated, and after how many bytes the deflated part begins.
const COMPRESSED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
const HEADER_BYTES: usize = 8;
/// What it begins with when it is not, and after how many bytes the counts begin.
const PLAIN: u32 = 0x1c84_9313;
const PLAIN_HEADER_BYTES: usize = 40;
/// Letters within which a text shows its header: the codes of a deflated block take 300 bytes at most.
const BEGIN_LETTERS: usize = 512;

/// Returns the histogram as text.
pub fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("writing to memory does not fail, and the counts fit");
    STANDARD.encode(bytes)
}

/// Why a text is not a histogram.
#[derive(Debug, Error)]
pub enum HistogramError {
    /// It is not base64.
    #[error("histogram is not base64: {0}")]
    Base64(#[from] DecodeError),
    /// It is not deflated.
    #[error("histogram is not deflated: {0}")]
    Deflate(#[from] io::Error),
    /// It would take more memory than any measurement fills.
    #[error("histogram is out of bounds: {0}")]
    Bound(&'static str),
    /// It does not hold what it should.
    #[error("histogram is not HdrHistogram V2: {0}")]
    Format(#[from] DeserializeError),
}

/// Reads a histogram back. What it says of its own size is checked before that much is allocated.
pub fn decode(text: &str) -> Result<RecordedTimes, HistogramError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(HistogramError::Bound("at most 1 MiB of text"));
    }
    let bytes = STANDARD.decode(text)?;
    let plain = match deflated(&bytes) {
        Some(deflated) => inflate(deflated)?,
        None => bytes,
    };
    let header = PlainHeader::read(&plain).ok_or(HistogramError::Bound("at least a header"))?;
    header.check()?;
    let PlainHeader { low_ns, high_ns, digits, .. } = header;
    let layout = BinLayout::new(low_ns, high_ns, digits);
    let layout = layout.ok_or(DeserializeError::InvalidParameters)?;
    let counts = plain.get(PLAIN_HEADER_BYTES..).and_then(|it| it.get(..header.counts_bytes()));
    let counts = counts.ok_or_else(|| DeserializeError::from(io::Error::from(UnexpectedEof)))?;
    Ok(RecordedTimes::new(layout, bins(counts, layout)?))
}

/// Returns how many bytes of counts [`decode`] has to read of a text at most, from its first letters alone.
pub fn counts_bytes(text: &str) -> u64 {
    let begin = &text.as_bytes()[..text.len().min(BEGIN_LETTERS)];
    let plain = STANDARD.decode(begin).ok().and_then(|bytes| {
        let Some(deflated) = deflated(&bytes) else { return PlainHeader::read(&bytes) };
        let mut plain = [0; PLAIN_HEADER_BYTES];
        ZlibDecoder::new(deflated).read_exact(&mut plain).ok()?;
        PlainHeader::read(&plain)
    });
    // What hides its header behind many empty blocks is as large as may be.
    plain.map_or(PLAIN_BYTES_MAX, |header| u64::from(header.counts).min(PLAIN_BYTES_MAX))
}

/// Returns the deflated part of a histogram, if it has one.
fn deflated(bytes: &[u8]) -> Option<&[u8]> {
    let (header, deflated) = bytes.split_at_checked(HEADER_BYTES)?;
    header.starts_with(&COMPRESSED).then_some(deflated)
}

fn inflate(deflated: &[u8]) -> Result<Vec<u8>, HistogramError> {
    let mut plain = Vec::new();
    ZlibDecoder::new(deflated).take(PLAIN_BYTES_MAX + 1).read_to_end(&mut plain)?;
    if plain.len() as u64 > PLAIN_BYTES_MAX {
        return Err(HistogramError::Bound("at most 1 MiB inflated"));
    }
    Ok(plain)
}

/// What a histogram says of itself before its counts.
#[derive(Debug, Clone, Copy)]
struct PlainHeader {
    cookie: u32,
    /// Bytes of the counts.
    counts: u32,
    offset: u32,
    digits: u32,
    low_ns: u64,
    high_ns: u64,
    ratio: f64,
}

impl PlainHeader {
    fn read(plain: &[u8]) -> Option<Self> {
        let word = |at: usize| plain.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let long = |at: usize| plain.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
        Some(Self {
            cookie: word(0)?,
            counts: word(4)?,
            offset: word(8)?,
            digits: word(12)?,
            low_ns: long(16)?,
            high_ns: long(24)?,
            ratio: f64::from_bits(long(32)?),
        })
    }

    fn counts_bytes(self) -> usize {
        usize::try_from(self.counts).unwrap_or(usize::MAX)
    }

    /// Refuses what would be allocated for nothing, and what is of another format.
    fn check(self) -> Result<(), HistogramError> {
        if self.digits > DIGITS_MAX {
            return Err(HistogramError::Bound("at most 3 digits"));
        }
        if self.high_ns > HIGHEST_NS_MAX {
            return Err(HistogramError::Bound("times of at most 1 day"));
        }
        if u64::from(self.counts) > PLAIN_BYTES_MAX {
            return Err(HistogramError::Bound("at most 1 MiB of counts"));
        }
        if self.cookie != PLAIN {
            return Err(DeserializeError::InvalidCookie.into());
        }
        if self.offset != 0 || self.ratio.to_bits() != 1.0_f64.to_bits() {
            return Err(DeserializeError::UnsupportedFeature.into());
        }
        Ok(())
    }
}

/// Reads the counts of bins in their order, each a number in zigzag and LEB128; one below 0 is as many empty bins.
fn bins(mut counts: &[u8], layout: BinLayout) -> Result<Vec<RecordedBin>, DeserializeError> {
    let (mut bins, mut number) = (Vec::new(), 0_u64);
    while !counts.is_empty() {
        let encoded = leb128(&mut counts)?;
        let half = encoded >> 1;
        if encoded & 1 == 1 {
            number = number.saturating_add(half).saturating_add(1);
            continue;
        }
        if half > 0 {
            let place = usize::try_from(number).ok().filter(|place| *place < layout.bins);
            let number = place.ok_or(DeserializeError::EncodedArrayTooLong)?;
            bins.push(RecordedBin { number, count: half });
        }
        number = number.saturating_add(1);
    }
    Ok(bins)
}

/// Takes a number of seven binary digits a byte, the ninth of eight.
fn leb128(bytes: &mut &[u8]) -> Result<u64, DeserializeError> {
    let (mut number, mut place) = (0, 0);
    loop {
        let Some((byte, rest)) = bytes.split_first() else {
            return Err(DeserializeError::from(io::Error::from(UnexpectedEof)));
        };
        *bytes = rest;
        if place == 8 {
            return Ok(number | u64::from(*byte) << 56);
        }
        number |= u64::from(byte & 0x7f) << (7 * place);
        place += 1;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
}

/// The times of a histogram, rising: it takes the memory of what was measured, not of what could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedTimes {
    layout: BinLayout,
    bins: Vec<RecordedBin>,
    /// How many times there are.
    total: u64,
}

/// Times that a histogram takes for equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RecordedBin {
    number: usize,
    count: u64,
}

impl RecordedTimes {
    fn new(layout: BinLayout, bins: Vec<RecordedBin>) -> Self {
        let total = bins.iter().fold(0, |total: u64, bin| total.saturating_add(bin.count));
        Self { layout, bins, total }
    }

    /// Returns the times of a histogram.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let digits = histogram.sigfig().into();
        let layout = BinLayout::new(histogram.low(), histogram.high(), digits);
        let layout = layout.expect("a histogram has bounds that make one");
        let bin = |it: IterationValue<u64>| RecordedBin {
            number: layout.number(it.value_iterated_to()),
            count: it.count_at_value(),
        };
        Self::new(layout, histogram.iter_recorded().map(bin).collect())
    }

    /// Returns how many times there are.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Returns the mean in nanoseconds; none without times.
    pub fn mean_ns(&self) -> Option<f64> {
        let total = self.total as f64;
        let share = |bin: &RecordedBin| self.middle_ns(*bin) * bin.count as f64 / total;
        (!self.is_empty()).then(|| self.bins.iter().fold(0.0, |sum, bin| sum + share(bin)))
    }

    /// Returns the largest time in nanoseconds, as precisely as it is kept; none without times.
    pub fn max_ns(&self) -> Option<u64> {
        self.bins.last().map(|bin| self.layout.highest(bin.number))
    }

    /// Returns the value in nanoseconds below which the share `quantile` of the times lies, in (0, 1).
    ///
    /// `None` unless at least ten times lie above it: fewer say more about chance than about the target.
    pub fn percentile_ns(&self, quantile: f64) -> Option<u64> {
        if self.total < requests_needed(quantile) {
            return None;
        }
        let wanted = units::whole((quantile * self.total as f64).ceil());
        let wanted = wanted.unwrap_or(self.total).max(1);
        let mut seen = 0_u64;
        let mut reaches = |bin: &RecordedBin| {
            seen = seen.saturating_add(bin.count);
            seen >= wanted
        };
        self.bins.iter().find(|bin| reaches(bin)).map(|bin| self.layout.highest(bin.number))
    }

    /// Returns the mean of the slowest share of the times, which is in (0, 1], in nanoseconds; none without
    /// times. At least one of them counts, and the one at the border counts in part.
    pub fn slowest_mean_ns(&self, share: f64) -> Option<f64> {
        if self.is_empty() {
            return None;
        }
        let wanted = (self.total as f64 * share).max(1.0);
        let (mut left, mut sum) = (wanted, 0.0);
        for bin in self.bins.iter().rev() {
            let count = (bin.count as f64).min(left);
            sum += count * self.middle_ns(*bin);
            left -= count;
            if left <= 0.0 {
                break;
            }
        }
        Some(sum / wanted)
    }

    /// The middle of a bin, rounded up.
    fn middle_ns(&self, bin: RecordedBin) -> f64 {
        (self.layout.lowest(bin.number) + self.layout.width(bin.number) / 2) as f64
    }
}

/// The times of several histograms together, in the bins of the first.
#[derive(Debug, Clone)]
pub struct TimesSum {
    layout: BinLayout,
    counts: Vec<u64>,
    /// Whether a time of one of them is beyond those bins.
    is_partial: bool,
}

impl TimesSum {
    /// Returns the sum of one histogram.
    pub fn of(times: &RecordedTimes) -> Self {
        let layout = times.layout;
        let mut sum = Self { layout, counts: vec![0; layout.bins], is_partial: false };
        sum.add(times);
        sum
    }

    /// Adds the times of a histogram.
    pub fn add(&mut self, times: &RecordedTimes) {
        for bin in &times.bins {
            let number = self.layout.number(times.layout.lowest(bin.number));
            match self.counts.get_mut(number) {
                Some(count) => *count = count.saturating_add(bin.count),
                None => self.is_partial = true,
            }
        }
    }

    /// Returns all of them, unless some time did not fit.
    pub fn whole(&self) -> Option<RecordedTimes> {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let bins = filled.map(|(number, &count)| RecordedBin { number, count });
        (!self.is_partial).then(|| RecordedTimes::new(self.layout, bins.collect()))
    }
}

/// Which times share a bin. Below a power of two each has its own; from each power of two on to the next they are
/// twice as wide as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BinLayout {
    /// Lowest binary digits of a time, which are not kept.
    dropped: u32,
    /// Binary digits that are kept of a time, besides the highest.
    kept: u32,
    /// How many bins there are.
    bins: usize,
}

impl BinLayout {
    /// Returns the layout that HdrHistogram has for these bounds and decimal digits, at most a day and three;
    /// none where it has none.
    fn new(low_ns: u64, high_ns: u64, digits: u32) -> Option<Self> {
        if low_ns < 1 || high_ns < low_ns.checked_mul(2)? {
            return None;
        }
        let dropped = low_ns.ilog2();
        let digits = (2 * 10_u64.pow(digits)).next_power_of_two().ilog2();
        // Each doubling of what fits is half as many bins again.
        let doublings = (high_ns >> dropped >> digits).checked_ilog2().map_or(0, |it| it + 1);
        let kept = digits - 1;
        let bins = usize::try_from(u64::from(doublings + 2) << kept).ok()?;
        Some(Self { dropped, kept, bins })
    }

    fn doublings(self, number: usize) -> u32 {
        u32::try_from(number >> self.kept).unwrap_or(u32::MAX).saturating_sub(1)
    }

    fn lowest(self, number: usize) -> u64 {
        let doublings = self.doublings(number);
        (number as u64 - (u64::from(doublings) << self.kept)) << (doublings + self.dropped)
    }

    fn width(self, number: usize) -> u64 {
        1 << (self.doublings(number) + self.dropped)
    }

    fn highest(self, number: usize) -> u64 {
        self.lowest(number) + (self.width(number) - 1)
    }

    /// Returns the bin of a time, which may be beyond the last.
    fn number(self, time_ns: u64) -> usize {
        let time = time_ns >> self.dropped;
        let doublings = (u64::BITS - time.leading_zeros()).saturating_sub(self.kept + 1);
        let number = (u64::from(doublings) << self.kept) + (time >> doublings);
        usize::try_from(number).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use hdrhistogram::serialization::Deserializer;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_inflates_beyond_all_histograms_is_refused() {
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::best());
        let zeros = vec![0; 1 << 16];
        (0..100).for_each(|_| deflated.write_all(&zeros).unwrap());
        let bytes = [&COMPRESSED[..], &[0; 4], &deflated.finish().unwrap()].concat();
        let error = decode(&STANDARD.encode(bytes)).unwrap_err();
        assert_eq!(error.to_string(), "histogram is out of bounds: at most 1 MiB inflated");
    }

    /// A histogram of some times, as another implementation reads it back from its text.
    fn filled(values: &[u64], high_ns: u64, digits: u8) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, high_ns, digits).unwrap();
        for value in values {
            histogram.record(*value).unwrap();
        }
        let bytes = STANDARD.decode(encode(&histogram)).unwrap();
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!(read, histogram);
        read
    }

    fn ensure_equal(times: &RecordedTimes, expected: &Histogram<u64>) {
        assert_eq!(times.len(), expected.len());
        assert_eq!(times.max_ns(), (!expected.is_empty()).then(|| expected.max()));
        assert_eq!(times.mean_ns(), (!expected.is_empty()).then(|| expected.mean()));
        for quantile in [0.01, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999] {
            let expected = load::measure::percentile(expected, quantile);
            assert_eq!(times.percentile_ns(quantile), expected, "{quantile}");
        }
    }

    #[test]
    fn what_has_no_header_in_its_first_letters_counts_as_the_largest() {
        let text = encode(&filled(&[1, 2_000_000, 3_000_000_000], 3_600_000_000_000, 3));
        let plain = inflate(deflated(&STANDARD.decode(&text).unwrap()).unwrap()).unwrap();
        assert_eq!(counts_bytes(&text), (plain.len() - PLAIN_HEADER_BYTES) as u64);
        assert_eq!(counts_bytes(&STANDARD.encode(&plain)), counts_bytes(&text));
        for hidden in ["", "?", &text[..20]] {
            assert_eq!(counts_bytes(hidden), PLAIN_BYTES_MAX, "{hidden}");
        }
    }

    proptest! {
        #[test]
        fn times_survive_the_record_as_another_implementation_reads_them(
            values in prop::collection::vec(1_u64..600_000_000_000, 0..3_000),
            near in prop::collection::vec(1_u64..9_000, 0..3_000),
            digits in 0_u8..4,
        ) {
            let all = [values, near].concat();
            let histogram = filled(&all, 3_600_000_000_000, digits);
            let times = decode(&encode(&histogram)).unwrap();
            ensure_equal(&times, &histogram);
            prop_assert_eq!(times, RecordedTimes::of(&histogram));
        }

        #[test]
        fn a_sum_of_histograms_is_the_histogram_of_all_times(
            values in prop::collection::vec(1_u64..9_000_000, 0..2_000),
            more in prop::collection::vec(1_u64..80_000_000_000, 0..2_000),
        ) {
            let (small, large) = (filled(&values, 10_000_000, 3), filled(&more, 86_400_000_000_000, 3));
            let [small, large] = [small, large].map(|it| decode(&encode(&it)).unwrap());
            let mut sum = TimesSum::of(&large);
            sum.add(&small);
            let all = filled(&[values, more.clone()].concat(), 86_400_000_000_000, 3);
            ensure_equal(&sum.whole().unwrap(), &all);
            // What is beyond the bins of the first makes the sum none.
            let mut sum = TimesSum::of(&small);
            sum.add(&large);
            prop_assert_eq!(sum.whole().is_some(), more.iter().all(|time| *time < 1 << 24));
        }

        #[test]
        fn every_time_is_in_the_bin_that_is_found_for_it(
            low in 1_u64..1_000_000_000, high in 2_u64..HIGHEST_NS_MAX, digits in 0_u32..4, time: u64,
        ) {
            let Some(layout) = BinLayout::new(low, high.max(2 * low), digits) else { return Ok(()) };
            let time = time % high.max(2 * low);
            let number = layout.number(time);
            prop_assert!(number < layout.bins);
            prop_assert!((layout.lowest(number)..=layout.highest(number)).contains(&time));
            prop_assert_eq!(layout.number(layout.highest(layout.bins - 1) + 1), layout.bins);
        }

        #[test]
        fn the_mean_of_the_slowest_is_that_of_the_sorted_end(
            values in prop::collection::vec(1_u64..600_000_000_000, 1..200),
        ) {
            let histogram = filled(&values, 3_600_000_000_000, 3);
            let mut sorted: Vec<_> = values.iter().map(|value| *value as f64).collect();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let wanted = (sorted.len() as f64 / 10.0).max(1.0);
            let weights = (0_u32..).map(|i| (wanted - f64::from(i)).clamp(0.0, 1.0));
            let expected = sorted.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / wanted;
            let mean = decode(&encode(&histogram)).unwrap().slowest_mean_ns(0.1).unwrap();
            prop_assert!((mean / expected - 1.0).abs() < 2e-3, "{mean} {expected}");
        }

        #[test]
        fn a_header_that_claims_more_than_a_measurement_fills_is_refused(
            digits in 0_u32..12, high: u64, counts: u32,
        ) {
            let plain = [
                0x1c84_9313_u32.to_be_bytes(), counts.to_be_bytes(), [0; 4], digits.to_be_bytes(),
            ].concat();
            let plain = [&plain[..], &1_u64.to_be_bytes(), &high.to_be_bytes(), &1.0_f64.to_be_bytes(), &[10]].concat();
            let is_large = digits > 3 || high > HIGHEST_NS_MAX || u64::from(counts) > PLAIN_BYTES_MAX;
            let refused = matches!(decode(&STANDARD.encode(plain)), Err(HistogramError::Bound(_)));
            prop_assert_eq!(refused, is_large);
        }

        #[test]
        fn garbage_is_refused_without_a_panic(text in ".{0,200}") {
            prop_assert!(decode(&text).is_err());
        }
    }
}
