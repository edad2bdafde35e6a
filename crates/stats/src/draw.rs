//! Variates made from the caller's random bits.

use rand::{Rng, RngExt as _};

/// Returns a number in 0 to 1, 0 included.
pub fn uniform(rng: &mut impl Rng) -> f64 {
    rng.random()
}

/// Returns a standard normal number (Marsaglia's polar method).
pub fn normal(rng: &mut impl Rng) -> f64 {
    normals(rng).0
}

/// Returns two independent standard normal numbers for the price of one.
pub fn normals(rng: &mut impl Rng) -> (f64, f64) {
    loop {
        let (x, y) = (2.0 * uniform(rng) - 1.0, 2.0 * uniform(rng) - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            let scale = (-2.0 * square.ln() / square).sqrt();
            return (x * scale, y * scale);
        }
    }
}

/// Returns an exponential number of mean 1.
pub fn exponential(rng: &mut impl Rng) -> f64 {
    -(1.0 - uniform(rng)).ln()
}
