//! Turns numbers into estimates, intervals and probabilities.
//!
//! `f64` in, `f64` out: no domain word, no clock, and no random number that the caller did not hand
//! in, so that a stored seed repeats a result to the last bit. Everything that decides is
//! exact or conservative at small samples; a normal approximation stands in only where the sample is
//! so large that it is indistinguishable from the exact law.
//!
//! ```
//! use xmlperf_stats::{hodges_lehmann, signed_rank};
//!
//! // Ten paired differences, in percent, of which at least 1 has to be shown.
//! let differences = [5.23, 4.08, 3.93, 6.14, 5.54, 4.56, 5.02, 4.39, 5.37, 4.56];
//! let above: Vec<f64> = differences.iter().map(|difference| difference - 1.0).collect();
//!
//! // All ten lie above it: ten fair coins do that once in 1024 throws.
//! let p = signed_rank::p_greater(&signed_rank::signed_midranks(&above));
//! assert!((p - 1.0 / 1024.0).abs() < 1e-12);
//!
//! // The limits are those that the same test does not reject at the same level.
//! let shift = hodges_lehmann::one_sample(&differences, 0.00305);
//! assert!(4.0 < shift.low && shift.low < shift.value && shift.value < shift.high);
//! ```

mod autoregression;
pub mod course;
pub mod draw;
pub mod evidence;
pub mod hodges_lehmann;
pub mod levels;
pub mod means;
pub mod multiple;
pub mod offset;
pub mod proportion;
pub mod quantile;
pub mod rank_sum;
pub mod sensitivity;
pub mod signed_rank;
pub mod student;
pub mod trend;

/// A whole number of moderate size, held as `f64`, as an index; 0 if it is below.
fn index(value: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    {
        value as usize
    }
}
