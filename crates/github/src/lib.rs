//! Publishes a finished report where the reader of a pull request looks.
//!
//! Markdown and a conclusion come in; a comment, a check, a job summary and outputs go out. Nothing
//! here knows what a benchmark is, and nothing outside knows that GitHub exists. Publishing can
//! fail in many ways that say nothing about the measured code, so a failure is handed back as data
//! and never changes the conclusion.

pub mod acceptance;
pub mod api;
pub mod artifact;
pub mod base;
pub mod check;
pub mod comment;
pub mod context;
pub mod job;
pub mod publication;
pub mod publish;
pub mod retry;
pub mod sanitize;
pub mod transport;
pub mod truncation;

pub use publication::{Annotation, AnnotationLevel, CheckGate, Conclusion, FailOn, Publication};
