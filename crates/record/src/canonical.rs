//! One text for one value, so that a digest follows what a value is and not how it was written.
//!
//! Objects are sorted by key whatever order the serialiser has, and a zero has no sign: both differ
//! between values that mean the same. Nothing else is changed, so two different values have two texts.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Returns the canonical JSON of a value whose keys are strings and whose numbers are finite.
///
/// ```
/// # use xmlperf_record::canonical;
/// let one = serde_json::json!({"rate": -0.0, "name": "smoke"});
/// assert_eq!(canonical::json(&one), r#"{"name":"smoke","rate":0.0}"#);
/// ```
pub fn json(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).expect("keys are strings and numbers are finite");
    sorted(value).to_string()
}

/// Returns the SHA-256 of the canonical JSON of a value, in hexadecimal digits.
pub fn digest(value: &impl Serialize) -> String {
    units::hex(&Sha256::digest(json(value)))
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            // The map keeps its own order only if no dependency switches `preserve_order` on.
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            fields.into_iter().map(|(key, value)| (key, sorted(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Number(number) if number.is_f64() && number.as_f64() == Some(0.0) => 0.0.into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn neither_the_order_of_keys_nor_the_sign_of_a_zero_is_in_it() {
        let (one, other) = (
            json!({"a": -0.0, "b": [{"d": 1, "c": 2}]}),
            json!({"b": [{"c": 2, "d": 1}], "a": 0.0}),
        );
        assert_eq!(json(&one), r#"{"a":0.0,"b":[{"c":2,"d":1}]}"#);
        assert_eq!(digest(&one), digest(&other));
    }

    proptest! {
        #[test]
        #[expect(clippy::float_cmp, reason = "equality to the last bit is the property")]
        fn two_numbers_have_one_text_only_if_they_are_equal(a: f64, b: f64) {
            prop_assume!(a.is_finite() && b.is_finite());
            prop_assert_eq!(json(&a) == json(&b), a == b);
            prop_assert_eq!(serde_json::from_str::<f64>(&json(&a)).unwrap(), a);
        }
    }
}
