//! Starts the target and sends one request of each operation, to see whether the configuration is right.

use anyhow::Result;
use runner::{CheckOutcome, ScenarioExchange};
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
    let mut outcome = runner::check(&suite, &head, &logs, options.body_bytes_max, cancel)?;
    let names = suite.request_variables();
    let lent = selection.workplace.environment.lend(names.iter().map(String::as_str));
    let secrets: Vec<String> = lent
        .values()
        .map(|value| value.expose().to_string_lossy().into_owned())
        .filter(|text| !text.is_empty())
        .collect();
    outcome.exchanges.iter_mut().for_each(|exchange| mask(exchange, &secrets));
    Ok(outcome)
}

/// Takes the values of the environment out of what is shown: the output of a job is often public.
fn mask(exchange: &mut ScenarioExchange, secrets: &[String]) {
    let masked =
        |text: &str| secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"));
    let bytes = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => masked(text).into_bytes(),
        Err(_) => masked(&String::from_utf8_lossy(bytes)).into_bytes(),
    };
    if secrets.is_empty() {
        return;
    }
    if let Some(request) = &mut exchange.request {
        request.head = masked(&request.head);
        request.body = bytes(&request.body);
    }
    exchange.answer_head = masked(&exchange.answer_head);
    exchange.answer_body = bytes(&exchange.answer_body);
    if let Some(fault) = &mut exchange.fault {
        fault.summary = masked(&fault.summary);
    }
}
