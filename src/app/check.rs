//! Starts the target and sends one request of each operation, to see whether the configuration is right.

use anyhow::Result;
use runner::CheckOutcome;
use units::cancel::Cancel;

use crate::app::builds::BuildFinder;
use crate::app::event::EventSink;
use crate::app::selection::{SuiteSelection, TargetUse};

/// What is checked.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The choice of what is checked.
    pub selection: SuiteSelection,
    /// Command that starts the target, instead of the configuration's.
    pub start: Option<String>,
    /// Of each request body, at most so many bytes are shown.
    pub body_bytes_max: usize,
}

/// Builds the checkout if there is a command for it, and tries the requests on it.
pub fn check(
    options: &CheckOptions,
    events: &mut dyn EventSink,
    cancel: &Cancel,
) -> Result<CheckOutcome> {
    let selection = &options.selection;
    let suite = selection.suite(TargetUse::unless(options.start.is_some()))?;
    selection.prepare(events)?;
    let finder = BuildFinder { selection, suite: &suite, cancel };
    let head = finder.head(options.start.as_deref(), events)?;
    let logs = selection.out.join("logs");
    Ok(runner::check(&suite, &head, &logs, options.body_bytes_max, cancel)?)
}
