//! Packs a histogram into one line of text: HdrHistogram V2, deflated, in base64.
//!
//! It is the format that the other HdrHistogram libraries read, so that a record's latencies can be
//! looked at with their tools.

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    DeserializeError, Deserializer, Serializer as _, V2DeflateSerializer,
};
use thiserror::Error;

pub use load::measure::{percentile, requests_needed};

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
    /// It does not hold what it should.
    #[error("histogram is not HdrHistogram V2: {0}")]
    Format(#[from] DeserializeError),
}

/// Reads a histogram back.
pub fn decode(text: &str) -> Result<Histogram<u64>, HistogramError> {
    let bytes = STANDARD.decode(text)?;
    Ok(Deserializer::new().deserialize(&mut bytes.as_slice())?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        fn garbage_is_refused_without_a_panic(text in ".{0,200}") {
            prop_assert!(decode(&text).is_err());
        }
    }
}
