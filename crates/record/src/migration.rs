//! Reads records of older schemas as what they meant, one step a schema.
//!
//! A step changes the text's structure, not a type: the types of old schemas are gone, and a chain of
//! steps needs no more of them. Files are never rewritten, because their names tell the digest of what
//! was written.

use serde_json::{Map, Value};

type MigrationStep = fn(&mut Map<String, Value>);

/// The step from each schema, from the first on, to the next.
const STEPS: [MigrationStep; 1] = [name_what_was_implied];
const _: () = assert!(STEPS.len() + 1 == crate::SCHEMA as usize, "a schema has no step");

/// Returns a record of schema `from`, at least 1, in the form of this version's.
pub(super) fn migrate(mut record: Value, from: u32) -> Value {
    let done = usize::try_from(from).unwrap_or(usize::MAX).saturating_sub(1);
    if let Value::Object(fields) = &mut record {
        for step in STEPS.iter().skip(done) {
            step(fields);
        }
        fields.insert("schema".to_owned(), crate::SCHEMA.into());
    }
    record
}

/// From 1 to 2. The first versions looked after planned launch pairs and knew one time of a request, and
/// did not say so; later ones of the same schema did.
fn name_what_was_implied(record: &mut Map<String, Value>) {
    if let Some(Value::Object(gate)) = record.get_mut("gate") {
        gate.entry("stopping").or_insert_with(|| "planned-looks".into());
    }
    let scenarios = record.get_mut("scenarios").and_then(Value::as_array_mut);
    for scenario in scenarios.into_iter().flatten().filter_map(Value::as_object_mut) {
        scenario.entry("times").or_insert_with(|| "service".into());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::fixtures::{LEVEL, paired};
    use crate::metric::gate::StoppingRule;
    use crate::{LatencyBasis, Run, SCHEMA};

    const FIRST: &[u8] = include_bytes!("../fixtures/run-schema-1.json");

    fn parse(text: &[u8]) -> Result<Run, String> {
        Run::parse(text, Path::new("main/run.json")).map_err(|error| {
            let source = std::error::Error::source(&error);
            source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
        })
    }

    #[test]
    fn a_record_of_the_first_schema_is_read_as_what_it_meant() {
        let run = parse(FIRST).unwrap();
        assert_eq!((run.schema, run.scenarios[0].times), (SCHEMA, LatencyBasis::Service));
        assert_eq!(run.gate.gate().unwrap().stopping, StoppingRule::PlannedLooks);
        assert_eq!(parse(&run.to_json()).unwrap(), run);
    }

    #[test]
    fn what_an_old_record_does_say_is_kept() {
        let text = String::from_utf8(FIRST.to_vec()).unwrap();
        let text = text.replace("\"alpha\"", "\"stopping\":\"until-decided\",\"alpha\"");
        let run = parse(text.as_bytes()).unwrap();
        assert_eq!(run.gate.gate().unwrap().stopping, StoppingRule::UntilDecided);
    }

    #[test]
    fn a_newer_schema_is_refused_with_what_to_do() {
        let newer = Run { schema: SCHEMA + 1, tool: "9.1.0".to_owned(), ..paired(1, LEVEL, LEVEL) };
        insta::assert_snapshot!(parse(&newer.to_json()).unwrap_err(), @"
        run `main/run.json` has schema 3, this version reads up to 2

        hint: update xmlperf to the version that wrote it, 9.1.0, or a later one
        ");
        insta::assert_snapshot!(parse(b"{\"schema\":0}").unwrap_err(), @"failed to parse run `main/run.json`: schemas begin with 1");
        insta::assert_snapshot!(parse(b"{\"schema\":1}").unwrap_err(), @"failed to parse run `main/run.json`: missing field `tool`");
    }
}
