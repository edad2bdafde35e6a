//! Variates of the simulation, by tables: a comparison draws tens of thousands, and the error rate is known only from
//! millions of comparisons.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp1, StandardNormal};

pub(crate) use stats::draw::uniform;

/// Returns a standard normal number.
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// Returns an exponential number of mean 1.
pub(crate) fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    Exp1.sample(rng)
}
