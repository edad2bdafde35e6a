//! What the program writes as JSON, read by the schemas that `docs/schema/` publishes.
#![expect(clippy::unwrap_used, reason = "a schema that cannot be read must fail")]

use std::fs;
use std::path::Path;

use boon::{Compiler, Schemas};
use serde_json::Value;

/// Reads a `report.json`, which is valid.
#[track_caller]
pub(crate) fn report(json: &[u8]) -> Value {
    valid("report.schema.json", json)
}

/// Reads a `run.json`, which is valid.
#[track_caller]
pub(crate) fn record(json: &[u8]) -> Value {
    valid("run.schema.json", json)
}

#[track_caller]
fn valid(schema: &str, json: &[u8]) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(schema);
    let published = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("published.json", published).unwrap();
    let index = compiler.compile("published.json", &mut schemas).unwrap();
    let document = serde_json::from_slice(json)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(json)));
    if let Err(error) = schemas.validate(&document, index) {
        panic!("it is not valid by {schema}: {error:#}");
    }
    document
}
