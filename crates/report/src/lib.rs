//! Renders a comparison. Computes nothing: what two formats show was computed once, in `compare`.

pub mod agent;
mod anatomy;
pub mod code_quality;
pub mod confirmation;
mod details;
pub mod flame;
pub mod functions;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod markup;
pub mod reproduction;
pub mod terminal;
pub mod timings;
pub mod tracking;
pub mod trend;
mod wording;

pub use crate::wording::{judged, revision, sentence, title};

#[cfg(test)]
mod tests;
