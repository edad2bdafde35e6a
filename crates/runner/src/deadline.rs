//! The end of what may take only so long.

use std::time::{Duration, Instant};

/// A moment after which nothing more is begun.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// Returns the moment that lies so far ahead.
    pub fn after(time: Duration) -> Self {
        Self(crate::now() + time)
    }

    /// Returns whether it is over.
    pub fn is_over(self) -> bool {
        crate::now() >= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_over_when_its_time_is() {
        assert!(Deadline::after(Duration::ZERO).is_over());
        assert!(!Deadline::after(Duration::from_hours(1)).is_over());
    }
}
