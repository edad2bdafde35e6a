//! Packs a histogram into one line of text: HdrHistogram V2, deflated, in base64.
//!
//! It is the format that the other HdrHistogram libraries read, so that a record's latencies can be
//! looked at with their tools.

use std::io::{self, Read as _};

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    DeserializeError, Deserializer, Serializer as _, V2DeflateSerializer,
};
use thiserror::Error;

pub use load::measure::{percentile, requests_needed};

/// The longest text, and the most that it inflates to: three digits up to a day need a third of that.
const TEXT_BYTES_MAX: usize = 1 << 20;
const PLAIN_BYTES_MAX: u64 = 1 << 20;
const DIGITS_MAX: u32 = 3;
const HIGHEST_NS_MAX: u64 = 86_400_000_000_000;
/// What V2 begins with when it is deflated, and after how many bytes the deflated part begins.
const COMPRESSED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
const HEADER_BYTES: usize = 8;

/// Returns the mean of the slowest share of the times, which is in (0, 1], in nanoseconds; none without
/// times. At least one of them counts, and the one at the border counts in part.
pub fn slowest_mean(times: &Histogram<u64>, share: f64) -> Option<f64> {
    if times.is_empty() {
        return None;
    }
    let wanted = (times.len() as f64 * share).max(1.0);
    let (mut left, mut sum) = (wanted, 0.0);
    let values: Vec<_> = times.iter_recorded().collect();
    for value in values.iter().rev() {
        let count = (value.count_at_value() as f64).min(left);
        sum += count * times.median_equivalent(value.value_iterated_to()) as f64;
        left -= count;
        if left <= 0.0 {
            break;
        }
    }
    Some(sum / wanted)
}

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
pub fn decode(text: &str) -> Result<Histogram<u64>, HistogramError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(HistogramError::Bound("at most 1 MiB of text"));
    }
    let bytes = STANDARD.decode(text)?;
    let plain = match bytes.split_at_checked(HEADER_BYTES) {
        Some((header, deflated)) if header.starts_with(&COMPRESSED) => inflate(deflated)?,
        Some(_) | None => bytes,
    };
    check_header(&plain)?;
    Ok(Deserializer::new().deserialize(&mut plain.as_slice())?)
}

fn inflate(deflated: &[u8]) -> Result<Vec<u8>, HistogramError> {
    let mut plain = Vec::new();
    ZlibDecoder::new(deflated).take(PLAIN_BYTES_MAX + 1).read_to_end(&mut plain)?;
    if plain.len() as u64 > PLAIN_BYTES_MAX {
        return Err(HistogramError::Bound("at most 1 MiB inflated"));
    }
    Ok(plain)
}

/// Refuses what would be allocated for nothing. The header is a cookie, the length of the counts, an
/// offset, the digits, the lowest and the highest value.
fn check_header(plain: &[u8]) -> Result<(), HistogramError> {
    let number = |at: usize| {
        let bytes = plain.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().expect("a range of four")))
    };
    let high_ns = plain.get(24..32).map(|it| u64::from_be_bytes(it.try_into().expect("eight")));
    let (Some(counts), Some(digits), Some(high_ns)) = (number(4), number(12), high_ns) else {
        return Err(HistogramError::Bound("at least a header"));
    };
    if digits > DIGITS_MAX {
        return Err(HistogramError::Bound("at most 3 digits"));
    }
    if high_ns > HIGHEST_NS_MAX {
        return Err(HistogramError::Bound("times of at most 1 day"));
    }
    if u64::from(counts) > PLAIN_BYTES_MAX {
        return Err(HistogramError::Bound("at most 1 MiB of counts"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
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

    proptest! {
        #[test]
        fn a_histogram_survives_the_record(values in prop::collection::vec(1_u64..600_000_000_000, 0..200)) {
            let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
            for value in values {
                histogram.record(value).unwrap();
            }
            prop_assert_eq!(decode(&encode(&histogram)).unwrap(), histogram);
        }

        #[test]
        fn the_mean_of_the_slowest_is_that_of_the_sorted_end(
            values in prop::collection::vec(1_u64..600_000_000_000, 1..200),
        ) {
            let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
            for &value in &values {
                histogram.record(value).unwrap();
            }
            let mut sorted: Vec<_> = values.iter().map(|value| *value as f64).collect();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let wanted = (sorted.len() as f64 / 10.0).max(1.0);
            let weights = (0_u32..).map(|i| (wanted - f64::from(i)).clamp(0.0, 1.0));
            let expected = sorted.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / wanted;
            let mean = slowest_mean(&histogram, 0.1).unwrap();
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
