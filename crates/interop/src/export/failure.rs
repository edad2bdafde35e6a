//! Why a scenario cannot be exported.

use std::fmt::Display;

use load::RequestError;
use miette::Diagnostic;
use thiserror::Error;

use crate::export::gap::{ExportGap, GapKey};
use crate::export::plan::ExportFormat;

/// Why a scenario cannot be exported.
#[derive(Debug, Error, Diagnostic)]
pub enum ExportError {
    /// The tool cannot express all of it.
    #[error("{format} cannot express {}", list(gaps))]
    #[diagnostic(help("{}", advice(gaps)))]
    Gaps {
        /// The tool.
        format: ExportFormat,
        /// What it cannot express.
        gaps: Vec<ExportGap>,
    },
    /// A request cannot be sent by any tool.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Request(#[from] RequestError),
}

fn list<T: Display>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    match all.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{}, nor {last}", first.join(", ")),
    }
}

fn advice(gaps: &[ExportGap]) -> String {
    let keys: Vec<GapKey> = gaps.iter().filter_map(ExportGap::key).collect();
    if keys.len() < gaps.len() {
        return "k6 expresses most: `xmlperf export k6`".to_owned();
    }
    let mut names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    names.dedup();
    format!("`--without {}` leaves out what does not change what is sent", names.join(","))
}
