//! Variables of the environment that templates may name: `{{ env.ORDERS_TOKEN }}`.
//!
//! A template has the name and never the value, so that neither a configuration nor a digest has it. The values
//! are lent by the program, which alone reads the environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Object, Value};
use units::environment::SecretValue;

/// What stands in a template that is tried before its values are known.
pub(super) const PLACEHOLDER: &str = "0";

/// Values of the environment, by the name of the variable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LentValues(Arc<BTreeMap<String, SecretValue>>);

/// The values, as a template has them.
#[derive(Debug)]
struct LentObject(LentValues);

impl LentValues {
    /// Takes the values.
    pub fn new(values: BTreeMap<String, SecretValue>) -> Self {
        Self(Arc::new(values))
    }

    /// Returns what stands in templates for these values.
    pub(super) fn as_value(&self) -> Value {
        Value::from_object(LentObject(self.clone()))
    }
}

impl Object for LentObject {
    /// The value of a variable. One that is not lent yet has a place in a template that is tried before.
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = self.0.0.get(key.as_str()?);
        let text = value.map_or_else(|| PLACEHOLDER.into(), |it| it.expose().to_string_lossy());
        Some(text.into_owned().into())
    }
}
