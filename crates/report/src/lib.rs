//! Renders a comparison. Computes nothing: what two formats show was computed once, in `compare`.

pub mod agent;
mod anatomy;
mod calls;
pub mod causes;
pub mod code_quality;
pub mod confirmation;
mod cost;
pub mod decision_page;
mod details;
mod explanation;
pub mod exposition;
pub mod families;
mod figure;
pub mod flame;
pub mod functions;
pub mod html;
pub mod index_page;
mod interval_bar;
pub mod json;
pub mod junit;
pub mod markdown;
mod markup;
mod page;
pub mod reasons;
pub mod reproduction;
pub mod terminal;
pub mod timings;
pub mod tracking;
pub mod trend;
mod unbroken;
mod wording;

pub use crate::wording::{judged, revision, sentence, title, verdict};

#[cfg(test)]
mod extreme_numbers_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
