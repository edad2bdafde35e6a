//! The reference API's comparison: the same either way round, true of a document and itself, and JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reference::EqualitySemantics;
use reference::fuzz::compare;

fuzz_target!(|documents: (&str, &str)| {
    let (first, second) = documents;
    for (_, semantics) in EqualitySemantics::NAMES {
        let matched = |a: &str, b: &str| {
            let (answer, read) = compare(semantics, a, b);
            let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
            (answer["matched"].as_bool().expect("a boolean"), read)
        };
        let there = matched(first, second);
        assert_eq!(there, matched(second, first), "either way round");
        let (itself, read) = matched(first, first);
        assert_eq!(itself, read, "a document equals itself");
    }
});
