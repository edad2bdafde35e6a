//! Turns numbers into estimates, intervals and probabilities.
//!
//! `f64` in, `f64` out: no domain word, no clock, and no random number that the caller did not hand
//! in, so that whoever stores a seed can repeat a result to the last bit. Everything that decides is
//! exact or conservative at small samples; a normal approximation stands in only where the sample is
//! so large that it cannot be told from the exact law.

pub mod draw;
pub mod evidence;
pub mod hodges_lehmann;
pub mod levels;
pub mod means;
pub mod multiple;
pub mod proportion;
pub mod quantile;
pub mod rank_sum;
pub mod segment;
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
