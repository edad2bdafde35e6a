//! Judges again what was recorded.

use std::path::Path;

use anyhow::Context as _;
use compare::Comparison;
use record::Run;

use crate::app::failure::UseCaseError;

/// Reads a run and draws its verdicts anew from its numbers.
pub fn report(file: &Path) -> anyhow::Result<Comparison> {
    if !file.exists() {
        return Err(UseCaseError::NoRunFile { path: file.to_path_buf() }.into());
    }
    let run = Run::load(file)?;
    Comparison::of(&run).with_context(|| format!("unusable `{}`", file.display()))
}
