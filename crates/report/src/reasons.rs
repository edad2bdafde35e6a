//! What a change is in, in sentences that every format has.

use compare::Comparison;

use crate::anatomy;
use crate::calls;

/// Returns a sentence for each service whose statements changed or could not be counted, then one for each scenario
/// whose change is in one part of the time of a request. Names are in backticks.
pub fn sentences(comparison: &Comparison) -> Vec<String> {
    let mut sentences = calls::sentences(comparison);
    sentences.extend(anatomy::sentences(comparison));
    sentences
}
