//! Counts with their nouns, and errors with their causes.

use std::error;
use std::fmt::Display;
use std::iter;

/// What begins the advice at the end of an error's message.
const HINT: &str = "\n\nhint: ";

/// Returns an error and its causes, `a: b: c`, on which the advice follows of those that have any.
///
/// A cause that the text before it quotes already is left out: some libraries print their causes.
///
/// ```
/// # use std::io;
/// let error = io::Error::other(io::Error::other("no space left"));
/// assert_eq!(xmlperf_units::text::error_chain(&error), "no space left");
/// ```
pub fn error_chain(error: &dyn error::Error) -> String {
    let (mut text, mut hints) = (String::new(), String::new());
    let causes =
        iter::successors(error.source(), |cause| (*cause).source()).map(ToString::to_string);
    for message in iter::once(error.to_string()).chain(causes) {
        let message = match message.find(HINT) {
            Some(end) => {
                hints.push_str(&message[end..]);
                &message[..end]
            }
            None => &message,
        };
        if text.is_empty() {
            text.push_str(message);
        } else if !text.contains(message) {
            text = format!("{text}: {message}");
        }
    }
    text + &hints
}

/// Returns a count with its noun.
///
/// ```
/// # use xmlperf_units::text::plural;
/// assert_eq!((plural(1, "launch"), plural(2, "launch")), ("1 launch".into(), "2 launches".into()));
/// ```
pub fn plural<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) {
        format!("1 {noun}")
    } else if noun.ends_with("ch") {
        format!("{count} {noun}es")
    } else {
        format!("{count} {noun}s")
    }
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
    use std::error::Error;
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct ChainLink(&'static str, Option<Box<ChainLink>>);

    impl fmt::Display for ChainLink {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for ChainLink {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn causes_follow_the_message_and_advice_comes_last() {
        let cause = ChainLink("no route", None);
        let middle = ChainLink("cannot connect\n\nhint: check the port", Some(Box::new(cause)));
        let error = ChainLink("failed to warm up", Some(Box::new(middle)));
        let text = "failed to warm up: cannot connect: no route\n\nhint: check the port";
        assert_eq!(error_chain(&error), text);
    }

    #[test]
    fn a_quoted_cause_is_not_repeated() {
        let error =
            ChainLink("request failed: timed out", Some(Box::new(ChainLink("timed out", None))));
        assert_eq!(error_chain(&error), "request failed: timed out");
    }
}
