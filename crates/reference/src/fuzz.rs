//! The comparison of documents, for `fuzz/`, which drives it without a server.

use units::Ratio;

use crate::engine::{CompareEngine, EqualitySemantics};
use crate::ignore::IgnoreRules;
use crate::verdict::VerdictLog;

/// Compares two documents, and returns what the API answers about them: its part of a batch's answer, and
/// whether both could be read.
pub fn compare(semantics: EqualitySemantics, first: &str, second: &str) -> (Vec<u8>, bool) {
    let mut engine = CompareEngine::new(semantics, Ratio(0.0));
    let mut log = VerdictLog::default();
    let documents = [first.to_owned(), second.to_owned()];
    let fault = engine.compare_texts(documents, IgnoreRules::default(), &mut log);
    let mut answer = Vec::new();
    log.cursor().write_next(&mut answer);
    (answer, fault.is_none())
}
