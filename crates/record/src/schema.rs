//! The JSON Schema of what is written, made from the types that write it.
//!
//! Objects are open: a reader who validates by today's schema accepts the fields that a later minor version
//! adds. What is read stays closed, by `deny_unknown_fields` on the types themselves.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::{Run, SCHEMA};

/// Returns the schema of the run file that this version writes, as JSON with a final newline.
pub fn run() -> String {
    document::<Run>(&format!("run.json of xmlperf, schema {SCHEMA}"))
}

/// Returns the schema of the documents that a type is serialized to, by draft 2020-12, as JSON with a final
/// newline.
pub fn document<T: JsonSchema>(title: &str) -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with_transform(RecursiveTransform(open));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema has only string keys");
    text.push('\n');
    text
}

/// Lets an object have further fields, and turns links between items of Rust into plain names.
fn open(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    for key in ["additionalProperties", "unevaluatedProperties"] {
        if object.get(key) == Some(&Value::Bool(false)) {
            object.remove(key);
        }
    }
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace("[`", "`").replace("`]", "`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_open(schema: &Value) -> bool {
        match schema {
            Value::Object(object) => {
                let is_closed = |key: &str| object.get(key) == Some(&Value::Bool(false));
                !is_closed("additionalProperties")
                    && !is_closed("unevaluatedProperties")
                    && object.values().all(is_open)
            }
            Value::Array(items) => items.iter().all(is_open),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }

    #[test]
    fn objects_take_fields_that_later_versions_add_and_require_those_of_this_one() {
        let schema: Value = serde_json::from_str(&run()).unwrap();
        assert!(is_open(&schema));
        let required: Vec<&str> =
            schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for field in ["schema", "tool", "head", "base", "scenarios", "gate"] {
            assert!(required.contains(&field), "{field} is not in {required:?}");
        }
        // What records of old lack is optional, and what is not serialized by its fields has its own form.
        assert!(!required.contains(&"invocation"));
        let point = &schema["$defs"]["ResourcePoint"];
        assert_eq!(point["type"], "array", "{point}");
        assert_eq!(schema["$defs"]["Timeouts"]["properties"]["connect_ns"]["type"], "integer");
    }
}
