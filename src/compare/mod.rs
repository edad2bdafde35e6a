//! Sets a head against its base and says what follows.
//!
//! What was computed and what it means are two things: [`decision`] turns differences into verdicts
//! and knows neither metric names nor files, so that the rule can be tested, and its error rate
//! simulated, without measuring anything.

pub mod decision;
