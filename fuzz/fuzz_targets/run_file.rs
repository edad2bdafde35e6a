//! A run file can be judged and shown in every form, or is refused.
#![no_main]

use std::path::Path;

use compare::Comparison;
use libfuzzer_sys::fuzz_target;
use record::Run;

fuzz_target!(|text: &[u8]| {
    let Ok(run) = Run::parse(text, Path::new("run.json")) else { return };
    let again = Run::parse(&run.to_json(), Path::new("run.json"));
    assert_eq!(again.expect("what was written is read").to_json(), run.to_json());
    let Ok(comparison) = Comparison::of(&run) else { return };
    let _ = report::html::render(&comparison);
    let markdown = report::markdown::render(&comparison);
    assert!(!markdown.contains('\u{1b}'), "a control character in markdown");
    let json = report::json::render(&comparison);
    serde_json::from_str::<serde_json::Value>(&json).expect("JSON is JSON");
});
