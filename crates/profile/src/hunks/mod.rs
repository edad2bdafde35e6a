//! Which lines and hunks of a change the difference of two builds is in.

mod code_text;
mod costs;
pub mod diff;
mod effects;
mod growth;
pub mod line_map;
pub mod line_profile;
mod ranking;
pub mod revert;
mod words;

pub use growth::line_growth;
pub use ranking::rank;
