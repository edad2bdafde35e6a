//! Variables of the environment that templates may name: `{{ env.ORDERS_TOKEN }}`.
//!
//! A template has the name and never the value, so that neither a configuration nor a digest has it. The values
//! are lent by the program, which alone reads the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Value};
use quick_xml::escape::escape;
use units::environment::SecretValue;

/// What stands in a template that is tried before its values are known.
pub(super) const PLACEHOLDER: &str = "0";

/// Values of the environment, by the name of the variable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LentValues(Arc<BTreeMap<String, SecretValue>>);

/// What a text is, by the media type of its request, into which values are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TextForm {
    /// Nothing that is known: values are written as they are.
    #[default]
    Plain,
    /// JSON, in whose strings values stand.
    Json,
    /// XML, in whose elements or attributes values stand.
    Xml,
}

impl TextForm {
    /// Returns what a body of a media type is.
    pub fn of(media_type: &str) -> Self {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is = |name: &str| {
            essence.ends_with(&format!("/{name}")) || essence.ends_with(&format!("+{name}"))
        };
        match (is("json"), is("xml")) {
            (true, _) => Self::Json,
            (_, true) => Self::Xml,
            (false, false) => Self::Plain,
        }
    }

    fn escaped(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Xml => escape(text).into_owned(),
        }
    }
}

/// The values, as a template has them.
#[derive(Debug)]
struct LentObject(LentValues, TextForm);

/// A value that is escaped where a template writes it as it is. Filters have it unescaped: they say themselves
/// what becomes of it.
pub(super) struct LentText {
    text: String,
    form: TextForm,
}

impl LentText {
    /// Returns the text to be written.
    pub(super) fn escaped(&self) -> String {
        self.form.escaped(&self.text)
    }
}

// Not derived: it would show the value.
impl fmt::Debug for LentText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LentText").field("form", &self.form).finish_non_exhaustive()
    }
}

impl Object for LentText {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl LentValues {
    /// Takes the values.
    pub fn new(values: BTreeMap<String, SecretValue>) -> Self {
        Self(Arc::new(values))
    }

    /// Returns what stands for these values in templates of a form.
    pub(super) fn as_value(&self, form: TextForm) -> Value {
        Value::from_object(LentObject(self.clone(), form))
    }
}

impl Object for LentObject {
    /// The value of a variable. One that is not lent yet has a place in a template that is tried before.
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = self.0.0.get(key.as_str()?);
        let text = value.map_or_else(|| PLACEHOLDER.into(), |it| it.expose().to_string_lossy());
        let text = text.into_owned();
        // What needs no escape stays a text, which more can be done with.
        if self.1.escaped(&text) == text {
            return Some(text.into());
        }
        Some(Value::from_object(LentText { text, form: self.1 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_text_is_that_of_its_media_type() {
        for (media_type, form) in [
            ("application/json", TextForm::Json),
            ("application/vnd.acme.order+JSON; charset=utf-8", TextForm::Json),
            ("text/xml; charset=utf-8", TextForm::Xml),
            ("application/soap+xml; action=\"a/json\"", TextForm::Xml),
            ("application/x-www-form-urlencoded", TextForm::Plain),
            ("application/jsonl", TextForm::Plain),
            ("", TextForm::Plain),
        ] {
            assert_eq!(TextForm::of(media_type), form, "{media_type}");
        }
    }
}
