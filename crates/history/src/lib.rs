//! What kept runs say about the past: [`trend`] finds the runs at which a metric changed, [`bisect`]
//! the commit.

pub mod bisect;
pub mod trend;
