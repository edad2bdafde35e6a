//! Renders a comparison. Computes nothing: what two formats show was computed once, in `compare`.

pub mod json;
pub mod markdown;
pub mod terminal;
mod words;

pub use crate::report::words::revision;

#[cfg(test)]
mod tests;
