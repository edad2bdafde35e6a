//! What was not written by xmlperf may hold any numbers: a record is judged and shown with them, or refused.

use std::collections::BTreeSet;
use std::panic;
use std::path::Path;

use compare::Comparison;
use record::{LaunchResults, LoadLevel, LoadStep, NetworkUse, Run};
use serde_json::Value;

use crate::page_tests::states;
use crate::{html, json, markdown};

/// A run of one build with levels of load, of which the other states have none.
fn with_levels() -> Run {
    let mut run = record::fixtures::alone(record::fixtures::LEVEL);
    let LaunchResults::Single(launches) = &mut run.scenarios[0].trials else {
        panic!("one build was measured")
    };
    for launch in launches {
        launch.steps.push(LoadStep {
            level: LoadLevel::Connections(3),
            wall_ns: 1_000_000_000,
            requests: launch.requests,
            failed: 0,
            histogram: launch.histogram.clone(),
            held: None,
        });
    }
    run
}

/// A run whose sides call something, by way of a network.
fn with_calls() -> Run {
    let mut run = record::fixtures::paired(4, record::fixtures::LEVEL, record::fixtures::LEVEL);
    record::fixtures::call(&mut run, &[("SELECT $1", 1, 2), ("BEGIN", 1, 0)]);
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else {
        panic!("two builds were measured")
    };
    for pair in pairs {
        pair.head.network = Some(NetworkUse { connections: 1, resets: 0, bytes: 9, cpu_ns: 5 });
    }
    run
}

/// The places of whole numbers in a document; those of all elements of a list are one.
fn places(document: &Value, at: &str, found: &mut BTreeSet<String>) {
    match document {
        Value::Number(number) if number.is_u64() => {
            found.insert(at.to_owned());
        }
        Value::Array(elements) => elements.iter().for_each(|it| places(it, at, found)),
        Value::Object(fields) => {
            fields.iter().for_each(|(key, it)| places(it, &format!("{at}/{key}"), found));
        }
        _ => {}
    }
}

/// Puts a number into all of a place.
fn set(document: &mut Value, at: &str, place: &str, number: u64) {
    match document {
        Value::Number(old) if at == place && old.is_u64() => *old = number.into(),
        Value::Array(elements) => elements.iter_mut().for_each(|it| set(it, at, place, number)),
        Value::Object(fields) => {
            let below = |key: &str| format!("{at}/{key}");
            fields.iter_mut().for_each(|(key, it)| set(it, &below(key), place, number));
        }
        _ => {}
    }
}

fn show(text: &[u8]) {
    let Ok(run) = Run::parse(text, Path::new("run.json")) else { return };
    let Ok(comparison) = Comparison::of(&run) else { return };
    html::render(&comparison);
    markdown::render(&comparison);
    json::render(&comparison);
}

#[test]
fn every_number_of_a_record_may_be_the_smallest_and_the_largest() {
    let kept = ["unchanged", "failed", "with causes", "level changed", "stored"];
    let mut runs: Vec<Run> =
        states().into_iter().filter(|(name, _)| kept.contains(name)).map(|(_, run)| run).collect();
    runs.extend([with_levels(), with_calls()]);
    let (mut seen, mut panicked) = (BTreeSet::new(), Vec::new());
    for run in runs {
        let document: Value = serde_json::from_slice(&run.to_json()).unwrap();
        let mut found = BTreeSet::new();
        places(&document, "", &mut found);
        // A place that several states have is tried in the first.
        for place in found.difference(&seen) {
            for number in [0, 1, u64::from(u32::MAX), u64::MAX / 3, u64::MAX] {
                let mut extreme = document.clone();
                set(&mut extreme, "", place, number);
                let text = serde_json::to_vec(&extreme).unwrap();
                if panic::catch_unwind(|| show(&text)).is_err() {
                    panicked.push(format!("{place} is {number}"));
                }
            }
        }
        seen.extend(found);
    }
    assert_eq!(panicked, [""; 0]);
    assert!(seen.len() > 60, "{} places", seen.len());
}

#[test]
fn more_failures_than_requests_are_refused() {
    let mut run = with_levels();
    let LaunchResults::Single(launches) = &mut run.scenarios[0].trials else {
        panic!("one build was measured")
    };
    launches[0].steps[0].failed = launches[0].steps[0].requests + 1;
    let refused = Run::parse(&run.to_json(), Path::new("run.json")).unwrap_err();
    let refused = units::text::error_chain(&refused);
    assert!(refused.contains("failed requests of a level"), "{refused}");
}
