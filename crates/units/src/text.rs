//! Counts with their nouns, and errors with their causes.

use std::error::Error;
use std::fmt::Display;
use std::iter;

use miette::Diagnostic;

/// Returns an error and its causes, `a: b: c`.
///
/// A cause that the text before it quotes already is left out: some libraries print their causes.
///
/// ```
/// # use std::io;
/// let error = io::Error::other(io::Error::other("no space left"));
/// assert_eq!(xmlperf_units::text::error_chain(&error), "no space left");
/// ```
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Returns what to do about an error, by itself and by the causes that it names as diagnostics.
pub fn hints(error: &dyn Diagnostic) -> Vec<String> {
    let causes = iter::successors(Some(error), |&cause| cause.diagnostic_source());
    causes.filter_map(|cause| Some(cause.help()?.to_string())).collect()
}

/// Returns an error and its causes in a line, and its hints in a paragraph each.
pub fn diagnosis(error: &dyn Diagnostic) -> String {
    with_hints(error_chain(error), hints(error))
}

/// Returns a text with hints after it, in a paragraph each.
pub fn with_hints(text: String, hints: impl IntoIterator<Item = String>) -> String {
    hints.into_iter().fold(text, |text, hint| format!("{text}\n\nhint: {hint}"))
}

/// Returns a count with its noun.
///
/// ```
/// # use xmlperf_units::text::plural;
/// assert_eq!((plural(1, "launch"), plural(2, "launch")), ("1 launch".into(), "2 launches".into()));
/// ```
pub fn plural<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) { format!("1 {noun}") } else { format!("{count} {}", plural_noun(noun)) }
}

/// Returns the word for several.
///
/// ```
/// # use xmlperf_units::text::plural_noun;
/// assert_eq!(["launch", "order"].map(plural_noun), ["launches", "orders"]);
/// ```
pub fn plural_noun(noun: &str) -> String {
    if noun.ends_with("ch") { format!("{noun}es") } else { format!("{noun}s") }
}

/// Returns the place in an order.
///
/// ```
/// # use xmlperf_units::text::ordinal;
/// assert_eq!([1, 2, 3, 11, 22, 113].map(ordinal), ["1st", "2nd", "3rd", "11th", "22nd", "113th"]);
/// ```
pub fn ordinal(place: u32) -> String {
    let ending = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{place}{ending}")
}

#[cfg(test)]
mod tests {
    use miette::MietteDiagnostic;
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error, Diagnostic)]
    #[error("no route")]
    #[diagnostic(help("check the cable"))]
    struct RouteError;

    #[derive(Debug, Error, Diagnostic)]
    enum ConnectError {
        #[error("cannot connect")]
        #[diagnostic(help("check the port"))]
        Route(
            #[source]
            #[diagnostic_source]
            RouteError,
        ),
        #[error("request failed: {0}")]
        Quoted(#[source] RouteError),
    }

    #[test]
    fn causes_follow_the_message_and_hints_come_last() {
        let error = ConnectError::Route(RouteError);
        let text = "cannot connect: no route\n\nhint: check the port\n\nhint: check the cable";
        assert_eq!(diagnosis(&error), text);
        assert_eq!(diagnosis(&MietteDiagnostic::new("no advice")), "no advice");
    }

    #[test]
    fn a_quoted_cause_is_not_repeated() {
        let error = ConnectError::Quoted(RouteError);
        assert_eq!(error_chain(&error), "request failed: no route");
    }
}
