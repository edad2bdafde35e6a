//! Reads records of older schemas as what they meant, one step a schema.
//!
//! A step changes the text's structure, not a type: the types of old schemas are gone, and a chain of
//! steps needs no more of them. Files are never rewritten, because their names tell the digest of what
//! was written.

mod sentence;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::metric::Metric;
use crate::metric::gate::{GateRules, MetricPolicy, MetricRule};
use crate::metric::limit::Limit;
use crate::workload::{LoadRecord, Workload};
use crate::{FailureReport, LimitsRecord};

pub use crate::migration::sentence::SentenceError;

type MigrationStep = fn(&mut Map<String, Value>) -> Result<(), SentenceError>;

/// The step from each schema, from the first on, to the next.
const STEPS: [MigrationStep; 2] = [name_what_was_implied, put_values_for_sentences];
const _: () = assert!(STEPS.len() + 1 == crate::SCHEMA as usize, "a schema has no step");

/// Returns a record of schema `from`, at least 1, in the form of this version's.
pub(super) fn migrate(mut record: Value, from: u32) -> Result<Value, SentenceError> {
    let done = usize::try_from(from).unwrap_or(usize::MAX).saturating_sub(1);
    if let Value::Object(fields) = &mut record {
        for step in STEPS.iter().skip(done) {
            apply(*step, fields)?;
        }
    }
    Ok(record)
}

/// Applies a step to a record, and to the one within it that was measured to confirm it.
fn apply(step: MigrationStep, record: &mut Map<String, Value>) -> Result<(), SentenceError> {
    step(record)?;
    record.insert("schema".to_owned(), crate::SCHEMA.into());
    match record.get_mut("confirming") {
        Some(Value::Object(confirming)) => apply(step, confirming),
        Some(_) | None => Ok(()),
    }
}

/// From 1 to 2. The first versions knew one time of a request, and did not say so; later ones of the same
/// schema did.
#[expect(clippy::unnecessary_wraps, reason = "a step of the migration, as the others are")]
fn name_what_was_implied(record: &mut Map<String, Value>) -> Result<(), SentenceError> {
    for scenario in objects(record.get_mut("scenarios")) {
        scenario.entry("times").or_insert_with(|| "service".into());
    }
    Ok(())
}

/// From 2 to 3. Loads, limits, failures and what keeps a target to its limits were sentences. What is of
/// another type than it was is left to the parser, which names its place.
///
/// When a comparison had been looked at decided how far its evidence was good for. Now it is good after any
/// launch pair, so the looks and the rule that chose them go.
fn put_values_for_sentences(record: &mut Map<String, Value>) -> Result<(), SentenceError> {
    record.remove("looks");
    if let Some(Value::Object(gate)) = record.get_mut("gate") {
        gate.remove("stopping");
    }
    for scenario in objects(record.get_mut("scenarios")) {
        put_workload(scenario)?;
        put_limits(scenario)?;
        for launch in launches(scenario) {
            put_failures(launch)?;
            group_counters(launch);
        }
        require_counts(scenario);
    }
    if let Some(Value::Object(history)) = record.get_mut("history") {
        for note in history.get_mut("notes").and_then(Value::as_array_mut).into_iter().flatten() {
            if note.is_string() {
                *note = json!({ "kind": "words", "text": note.take() });
            }
        }
        for past in objects(history.get_mut("runs")) {
            for scenario in objects(past.get_mut("scenarios")) {
                put_workload(scenario)?;
            }
        }
    }
    if let Some(planned) = record.remove("launches_asked") {
        record.insert("launches_planned".to_owned(), planned);
    }
    let failed = record.get_mut("ended").and_then(|ended| ended.get_mut("failed"));
    if let Some(Value::Object(failed)) = failed {
        put_report(failed);
    }
    leave_out_later_metrics(record);
    put_confinement(record)
}

/// A metric that a version did not know had no part in what it decided.
fn leave_out_later_metrics(record: &mut Map<String, Value>) {
    let Some(rules) = record.get_mut("gate").and_then(|gate| gate.get_mut("rules")) else { return };
    let Value::Object(rules) = rules else { return };
    let default = GateRules::default();
    for metric in Metric::ALL {
        let off = MetricRule { policy: MetricPolicy::Off, ..default.rule(metric) };
        rules.entry(metric.key()).or_insert_with(|| value(&off));
    }
}

/// The objects in a list; none where there is something else.
fn objects(list: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let list = list.and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The launches of a scenario, of both sides.
fn launches(scenario: &mut Map<String, Value>) -> Vec<&mut Map<String, Value>> {
    let Some(Value::Object(trials)) = scenario.get_mut("trials") else { return Vec::new() };
    let mut launches = Vec::new();
    for (form, list) in trials {
        let list = objects(Some(list));
        if form == "paired" {
            let sides = list.flat_map(Map::values_mut);
            launches.extend(sides.filter_map(Value::as_object_mut));
        } else {
            launches.extend(list);
        }
    }
    launches
}

fn value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("keys are strings and numbers are finite")
}

/// `load`, a sentence, and `payload` become `workload`.
fn put_workload(scenario: &mut Map<String, Value>) -> Result<(), SentenceError> {
    let (Some(Value::String(load)), Some(Value::String(payload))) =
        (scenario.get("load"), scenario.get("payload"))
    else {
        return Ok(());
    };
    let said = sentence::scenario(load)?;
    let workload = Workload {
        kind: said.kind,
        path: None,
        payload: payload.clone(),
        load: LoadRecord::Summary(said.load),
        network: said.network,
        operations: None,
    };
    scenario.retain(|key, _| key != "load" && key != "payload");
    scenario.insert("workload".to_owned(), value(&workload));
    Ok(())
}

/// A map from a quantity to a sentence becomes a list.
fn put_limits(scenario: &mut Map<String, Value>) -> Result<(), SentenceError> {
    let Some(Value::Object(limits)) = scenario.get("limits") else { return Ok(()) };
    let limit = |(key, text): (&String, &Value)| {
        let text = text.as_str().unwrap_or_default();
        Limit::parse(key, text).map_err(|_| SentenceError::new("a limit", &format!("{key} {text}")))
    };
    let limits: Vec<Limit> = limits.iter().map(limit).collect::<Result<_, _>>()?;
    scenario.insert("limits".to_owned(), value(&limits));
    Ok(())
}

/// `failures`, a map from a kind to a count, and `examples`, one from a kind to its first failure,
/// become a list. `first_failure` repeated the first example.
fn put_failures(launch: &mut Map<String, Value>) -> Result<(), SentenceError> {
    let Some(Value::Object(failures)) = launch.get("failures") else { return Ok(()) };
    let failure = |(kind, count): (&String, &Value)| {
        let first = launch.get("examples").and_then(|examples| examples.get(kind));
        Ok(json!({"kind": sentence::failure_kind(kind)?, "count": count, "first": first}))
    };
    let failures: Vec<Value> = failures.iter().map(failure).collect::<Result<_, _>>()?;
    launch.retain(|key, _| key != "examples" && key != "first_failure");
    launch.insert("failures".to_owned(), failures.into());
    Ok(())
}

/// What the kernel counted stands together.
fn group_counters(launch: &mut Map<String, Value>) {
    const KEYS: [&str; 4] =
        ["switches_voluntary", "switches_involuntary", "faults_minor", "faults_major"];
    let Some(Value::Object(probes)) = launch.get_mut("probes") else { return };
    let counters: Map<_, _> = KEYS.iter().filter_map(|key| probes.remove_entry(*key)).collect();
    probes.insert("counters".to_owned(), counters.into());
}

/// `2.00 GiB by a control group (v2)` becomes a size and a backend, and so do processors.
/// Whether a count was required had another name.
fn require_counts(scenario: &mut Map<String, Value>) {
    let unavailable = scenario.get_mut("work").and_then(|work| work.get_mut("unavailable"));
    let Some(Value::Object(unavailable)) = unavailable else { return };
    if let Some(required) = unavailable.remove("asked") {
        unavailable.insert("required".to_owned(), required);
    }
    put_report(unavailable);
}

/// What went wrong was one text. Its first line becomes the summary, the rest an excerpt.
fn put_report(failure: &mut Map<String, Value>) {
    let Some(Value::String(reason)) = failure.get_mut("reason") else { return };
    let (summary, rest) = reason.split_once('\n').unwrap_or((reason.as_str(), ""));
    let rest = rest.trim();
    let excerpts = (!rest.is_empty()).then(|| rest.to_owned()).into_iter().collect();
    let report = FailureReport { excerpts, ..summary.into() };
    failure.insert("reason".to_owned(), value(&report));
}

fn put_confinement(record: &mut Map<String, Value>) -> Result<(), SentenceError> {
    let Some(Value::Object(confinement)) = record.get("confinement") else { return Ok(()) };
    let text = |key| confinement.get(key).and_then(Value::as_str);
    let limits = LimitsRecord {
        memory: text("memory").map(sentence::memory_limit).transpose()?,
        cpu: text("cpu").map(sentence::cpu_limit).transpose()?,
        note: text("note").map(str::to_owned),
    };
    record.insert("confinement".to_owned(), value(&limits));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use sut::network::NetworkConditions;

    use crate::fixtures::{LEVEL, limits, paired};
    use crate::metric::Metric;
    use crate::workload::{ArrivalShape, LoadRecord, ModelSummary, ReusePolicy};
    use crate::{FailureKind, LatencyBasis, LaunchResults, Run, SCHEMA};

    const FIRST: &[u8] = include_bytes!("../fixtures/run-schema-1.json");
    const SECOND: &[u8] = include_bytes!("../fixtures/run-schema-2.json");
    /// A run that was set against kept ones.
    const HISTORY: &[u8] = include_bytes!("../fixtures/run-schema-2-history.json");

    fn parse(text: &[u8]) -> Result<Run, String> {
        let run = Run::parse(text, Path::new("main/run.json"));
        run.map_err(|error| units::text::diagnosis(&error))
    }

    #[test]
    fn a_record_of_the_first_schema_is_read_as_what_it_meant() {
        let run = parse(FIRST).unwrap();
        assert_eq!((run.schema, run.scenarios[0].times), (SCHEMA, LatencyBasis::Service));
        assert_eq!(parse(&run.to_json()).unwrap(), run);
    }

    #[test]
    fn sentences_of_the_second_schema_are_read_as_values() {
        let run = parse(SECOND).unwrap();
        let confinement = run.confinement.as_ref().unwrap();
        assert_eq!(confinement.memory.as_ref().unwrap().bytes_max, 1 << 30);
        let [tiny, visitors, hasty, steps] = &run.scenarios[..] else { panic!("{run:?}") };
        assert_eq!(
            tiny.limits,
            limits(&[
                ("errors", "0 %"),
                ("p95", "<= 1.23 s"),
                ("rss", "<= 1.5 GiB"),
                ("throughput", ">= 1 pairs/s"),
            ])
        );
        let LoadRecord::Summary(load) = &visitors.workload.load else { panic!("{visitors:?}") };
        let lasts = Duration::from_millis(200);
        let open = ModelSummary::Open { shape: ArrivalShape::Poisson, per_s: 50.2, lasts };
        assert_eq!((load.connections, load.reuse, &load.model), (4, ReusePolicy::Kept, &open));
        let network = NetworkConditions::parse("latency=3ms,resets=25%").unwrap();
        assert_eq!(hasty.workload.network, Some(network));
        let LaunchResults::Single(launches) = &hasty.trials else { panic!("{hasty:?}") };
        let failures = launches.iter().flat_map(|launch| &launch.failures);
        let failures: Vec<_> = failures.map(|it| (it.kind, it.count, it.first.is_some())).collect();
        assert_eq!(failures, [(FailureKind::Reset, 1, true)]);
        let steps = &steps.workload.load.summary().model;
        let climbing = ModelSummary::Steps { connections: vec![1, 3], requests: 4 };
        assert_eq!(steps, &climbing);
        assert_eq!(parse(&run.to_json()).unwrap(), run);
    }

    #[test]
    fn a_history_within_a_record_is_migrated_with_it() {
        let run = parse(HISTORY).unwrap();
        let history = run.history.as_ref().unwrap();
        for past in &history.runs {
            assert!(past.scenarios[0].workload.measures_as(&run.scenarios[0].workload));
            assert!(past.scenarios[0].levels.contains_key(&Metric::Cpu));
        }
        assert_eq!(parse(&run.to_json()).unwrap(), run);
    }

    #[test]
    fn when_an_old_comparison_was_looked_at_does_not_matter() {
        let text = String::from_utf8(FIRST.to_vec()).unwrap();
        assert!(text.contains("\"looks\""));
        let text = text.replace("\"alpha\"", "\"stopping\":\"until-decided\",\"alpha\"");
        assert_eq!(parse(text.as_bytes()).unwrap(), parse(FIRST).unwrap());
    }

    #[test]
    fn a_newer_schema_is_refused_with_what_to_do() {
        let newer = Run { schema: SCHEMA + 1, tool: "9.1.0".to_owned(), ..paired(1, LEVEL, LEVEL) };
        insta::assert_snapshot!(parse(&newer.to_json()).unwrap_err(), @"
        run `main/run.json` has schema 4, this version reads up to 3

        hint: update xmlperf to the version that wrote it, 9.1.0, or a later one
        ");
        insta::assert_snapshot!(parse(b"{\"schema\":0}").unwrap_err(), @"failed to parse run `main/run.json`: schemas begin with 1");
        insta::assert_snapshot!(parse(b"{\"schema\":1}").unwrap_err(), @"failed to parse run `main/run.json`: missing field `tool`");
    }
}
