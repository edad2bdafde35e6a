//! Shares, and how well a simulation knows them.

use crate::student;

/// How often something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportion {
    /// Times that it happened.
    pub count: u64,
    /// Times that it could have happened.
    pub of: u64,
}

impl Proportion {
    /// Returns the share; NaN of nothing.
    pub fn share(self) -> f64 {
        self.count as f64 / self.of as f64
    }

    /// Returns the limits of the true share, each wrong with probability `level` (Wilson 1927).
    ///
    /// Unlike the share plus and minus its standard error, they stay in 0 to 1 and are not empty at
    /// a count of 0.
    pub fn limits(self, level: f64) -> (f64, f64) {
        let z = student::normal_quantile(1.0 - level);
        let (n, share) = (self.of as f64, self.share());
        let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let reach =
            z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        ((centre - reach).max(0.0), (centre + reach).min(1.0))
    }
}
