//! Makes a value that a JSON schema allows, and writes it as JSON or as XML.
//!
//! Examples that the schema has come first: their values are known to the service more often than one that
//! only fits. A schema within itself ends where it would begin again.

use quick_xml::escape::escape;
use serde_json::Number;

use crate::description::document::{DocumentNode, DocumentValue};
use crate::description::failure::DescriptionError;
use crate::description::gap::{CarryGap, GapReason};

/// Schemas within schemas.
const DEPTH_MAX: usize = 24;
/// Values of one sample: a schema of a few lines can ask for billions.
const VALUES_MAX: usize = 5_000;
/// Items that a sample's list has at most.
const ITEMS_MAX: usize = 10;
/// Characters of a text that a sample has at most.
const CHARS_MAX: usize = 1_000;

/// Makes samples, and notes what it cannot make.
#[derive(Debug, Default)]
pub(super) struct SchemaSampler {
    /// Pointers of the schemas that the current one stands in.
    open: Vec<String>,
    values: usize,
    pub(super) gaps: Vec<CarryGap>,
}

impl SchemaSampler {
    /// Returns a value that fits, or null where there is none of an end.
    pub(super) fn value(
        &mut self,
        schema: &DocumentNode<'_>,
    ) -> Result<DocumentValue, DescriptionError> {
        (self.open, self.values) = (Vec::new(), 0);
        Ok(self.sample(schema)?.unwrap_or(DocumentValue::Null))
    }

    /// Returns a value that fits; none where the schema stands within itself.
    fn sample(
        &mut self,
        schema: &DocumentNode<'_>,
    ) -> Result<Option<DocumentValue>, DescriptionError> {
        let Some(schema) = self.resolve(schema)? else { return Ok(None) };
        self.values += 1;
        let is_within = self.open.contains(&schema.pointer);
        if is_within || self.open.len() >= DEPTH_MAX || self.values > VALUES_MAX {
            return Ok(None);
        }
        if let Some(example) = example(&schema) {
            return Ok(Some(example));
        }
        self.open.push(schema.pointer.clone());
        let made = self.made(&schema);
        self.open.pop();
        made
    }

    fn resolve<'a>(
        &mut self,
        schema: &DocumentNode<'a>,
    ) -> Result<Option<DocumentNode<'a>>, DescriptionError> {
        let resolved = schema.resolve()?;
        if resolved.is_none() {
            let target = schema.text_of("$ref").unwrap_or_default().to_owned();
            self.gaps.push(CarryGap::new(schema.shown(), GapReason::ExternalReference(target)));
        }
        Ok(resolved)
    }

    /// Returns a value by the keywords of a schema without an example.
    fn made(
        &mut self,
        schema: &DocumentNode<'_>,
    ) -> Result<Option<DocumentValue>, DescriptionError> {
        let parts = schema.items_of("allOf");
        if !parts.is_empty() {
            return self.joined(schema, &parts).map(Some);
        }
        for key in ["oneOf", "anyOf"] {
            for choice in schema.items_of(key) {
                if let Some(value) = self.sample(&choice)?
                    && value != DocumentValue::Null
                {
                    return Ok(Some(value));
                }
            }
        }
        match kind(schema) {
            "object" => self.object(schema).map(Some),
            "array" => self.list(schema).map(Some),
            "string" => Ok(Some(DocumentValue::Text(self.text(schema)))),
            "integer" => Ok(Some(number(schema, true))),
            "number" => Ok(Some(number(schema, false))),
            "boolean" => Ok(Some(DocumentValue::Flag(true))),
            _ => Ok(Some(DocumentValue::Null)),
        }
    }

    fn joined(
        &mut self,
        schema: &DocumentNode<'_>,
        parts: &[DocumentNode<'_>],
    ) -> Result<DocumentValue, DescriptionError> {
        let mut joined = DocumentValue::Fields(Vec::new());
        let own = self.object(schema)?;
        let mut values = Vec::new();
        for part in parts {
            values.extend(self.sample(part)?);
        }
        for value in values.into_iter().chain([own]) {
            match value {
                DocumentValue::Fields(fields) => {
                    for (key, value) in fields {
                        joined.set(&key, value);
                    }
                }
                // `allOf` around one reference to a plain value, as documents of 3.0 describe a field.
                DocumentValue::Null => {}
                plain => return Ok(plain),
            }
        }
        Ok(joined)
    }

    fn object(&mut self, schema: &DocumentNode<'_>) -> Result<DocumentValue, DescriptionError> {
        let mut fields = Vec::new();
        let properties = schema.get("properties").map_or_else(Vec::new, |it| it.fields());
        for (name, property) in properties {
            let is_read_only = self.resolve(&property)?.is_some_and(|it| it.flag_of("readOnly"));
            if is_read_only {
                continue;
            }
            if let Some(value) = self.sample(&property)? {
                fields.push((name.to_owned(), value));
            }
        }
        Ok(DocumentValue::Fields(fields))
    }

    fn list(&mut self, schema: &DocumentNode<'_>) -> Result<DocumentValue, DescriptionError> {
        let wanted = schema.number_of("minItems").and_then(units::whole).unwrap_or(1).max(1);
        let wanted = usize::try_from(wanted).unwrap_or(ITEMS_MAX).min(ITEMS_MAX);
        let mut list = Vec::new();
        if let Some(items) = schema.get("items") {
            for _ in 0..wanted {
                list.extend(self.sample(&items)?);
            }
        }
        Ok(DocumentValue::List(list))
    }

    fn text(&mut self, schema: &DocumentNode<'_>) -> String {
        if let Some(pattern) = schema.text_of("pattern") {
            if let Some(text) = payload::pattern_text(pattern) {
                return text;
            }
            let part = GapReason::SchemaPart(format!("the pattern `{pattern}`"));
            self.gaps.push(CarryGap::new(schema.shown(), part));
        }
        let plain = match schema.text_of("format") {
            Some("date") => "2026-01-31",
            Some("date-time") => "2026-01-31T12:00:00Z",
            Some("time") => "12:00:00Z",
            Some("duration") => "P1D",
            Some("uuid") => "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            Some("email") => "load@example.com",
            Some("hostname") => "example.com",
            Some("ipv4") => "192.0.2.1",
            Some("ipv6") => "2001:db8::1",
            Some("uri" | "url") => "https://example.com/",
            Some("byte") => "AQID",
            _ => "text",
        };
        let bound = |key: &str| {
            let bound = schema.number_of(key).and_then(units::whole);
            bound.map(|bound| usize::try_from(bound).unwrap_or(CHARS_MAX).min(CHARS_MAX))
        };
        let (least, most) = (bound("minLength").unwrap_or(0), bound("maxLength"));
        let filled = plain.chars().chain(std::iter::repeat('x')).take(plain.len().max(least));
        filled.take(most.unwrap_or(CHARS_MAX)).collect()
    }
}

/// A value that the schema names itself.
fn example(schema: &DocumentNode<'_>) -> Option<DocumentValue> {
    let value = |key: &str| schema.get(key).map(|node| node.value.clone());
    let first = |key: &str| schema.items_of(key).first().map(|node| node.value.clone());
    let all =
        [value("example"), first("examples"), value("default"), value("const"), first("enum")];
    all.into_iter().flatten().next()
}

/// The type of the values, as it is written or as the other keywords show.
fn kind<'a>(schema: &DocumentNode<'a>) -> &'a str {
    let written = schema.get("type").and_then(|kind| match kind.text() {
        Some(text) => Some(text),
        None => kind.items().iter().filter_map(DocumentNode::text).find(|kind| *kind != "null"),
    });
    let has = |key: &str| schema.get(key).is_some();
    match written {
        Some(kind) => kind,
        None if has("properties") || has("additionalProperties") => "object",
        None if has("items") => "array",
        None if has("format") || has("pattern") || has("minLength") => "string",
        None if has("minimum") || has("maximum") => "number",
        None => "null",
    }
}

fn number(schema: &DocumentNode<'_>, is_whole: bool) -> DocumentValue {
    let step = schema.number_of("multipleOf").filter(|step| *step > 0.0).unwrap_or(1.0);
    let exclusive = |key: &str, bound: Option<f64>| match schema.number_of(key) {
        Some(bound) => (Some(bound), true),
        // In 3.0 it is a flag beside the bound.
        None => (bound, schema.flag_of(key)),
    };
    let (least, is_least_out) = exclusive("exclusiveMinimum", schema.number_of("minimum"));
    let (most, is_most_out) = exclusive("exclusiveMaximum", schema.number_of("maximum"));
    let mut value = match (least, most) {
        (Some(least), _) => {
            let value = (least / step).ceil() * step;
            if is_least_out && value <= least { value + step } else { value }
        }
        (None, Some(most)) => {
            let value = (most / step).floor() * step;
            if is_most_out && value >= most { value - step } else { value }
        }
        (None, None) => step,
    };
    if !is_whole && most.is_some_and(|most| value > most) {
        value = f64::midpoint(least.unwrap_or(0.0), most.unwrap_or(0.0));
    }
    let whole = units::whole(value).map(Number::from).filter(|_| value.fract() == 0.0);
    let number = whole.or_else(|| Number::from_f64(value)).unwrap_or_else(|| Number::from(1));
    DocumentValue::Number(number)
}

/// Writes a value of a schema as an XML document, by the schema's `xml` keywords.
pub(super) fn xml_document(
    schema: &DocumentNode<'_>,
    value: &DocumentValue,
) -> Result<String, DescriptionError> {
    let of_reference = schema.text_of("$ref").and_then(|target| target.rsplit('/').next());
    let resolved = schema.resolve()?.unwrap_or_else(|| schema.clone());
    let title =
        resolved.pointer.rsplit('/').next().filter(|_| resolved.pointer.contains("schemas"));
    let name = of_reference.or(title).unwrap_or("root");
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    match value {
        DocumentValue::List(items) => {
            let inner = resolved.get("items").unwrap_or_else(|| resolved.clone());
            let children = |out: &mut String| {
                items.iter().try_for_each(|item| write_element(out, name, &inner, item, 1))
            };
            let name = element_name(&resolved, name)?;
            out.extend([format!("<{name}>\n")]);
            children(&mut out)?;
            out.extend([format!("</{name}>\n")]);
        }
        value => write_element(&mut out, name, &resolved, value, 0)?,
    }
    Ok(out)
}

fn write_element(
    out: &mut String,
    name: &str,
    schema: &DocumentNode<'_>,
    value: &DocumentValue,
    depth: usize,
) -> Result<(), DescriptionError> {
    let schema = schema.resolve()?.unwrap_or_else(|| schema.clone());
    let name = element_name(&schema, name)?;
    let indent = "  ".repeat(depth);
    let namespace = namespace(&schema);
    let DocumentValue::Fields(fields) = value else {
        let text = value.plain().unwrap_or_default();
        out.extend([format!("{indent}<{name}{namespace}>{}</{name}>\n", escape(&text))]);
        return Ok(());
    };
    let mut attributes = String::new();
    let mut children = Vec::new();
    for (key, value) in fields {
        let property = property(&schema, key)?;
        let is_attribute = property
            .as_ref()
            .and_then(|it| it.get("xml"))
            .is_some_and(|it| it.flag_of("attribute"));
        match (is_attribute, value.plain()) {
            (true, Some(text)) => {
                let name = element_name(property.as_ref().unwrap_or(&schema), key)?;
                attributes.extend([format!(" {name}=\"{}\"", escape(&text))]);
            }
            _ => children.push((key, property, value)),
        }
    }
    if children.is_empty() {
        out.extend([format!("{indent}<{name}{namespace}{attributes}/>\n")]);
        return Ok(());
    }
    out.extend([format!("{indent}<{name}{namespace}{attributes}>\n")]);
    for (key, property, value) in children {
        let property = property.unwrap_or_else(|| schema.clone());
        write_property(out, key, &property, value, depth + 1)?;
    }
    out.extend([format!("{indent}</{name}>\n")]);
    Ok(())
}

/// A list is as many elements, or one around them.
fn write_property(
    out: &mut String,
    key: &str,
    schema: &DocumentNode<'_>,
    value: &DocumentValue,
    depth: usize,
) -> Result<(), DescriptionError> {
    let DocumentValue::List(items) = value else {
        return write_element(out, key, schema, value, depth);
    };
    let inner = schema.get("items").unwrap_or_else(|| schema.clone());
    let is_wrapped = schema.get("xml").is_some_and(|xml| xml.flag_of("wrapped"));
    if !is_wrapped {
        return items.iter().try_for_each(|item| write_element(out, key, &inner, item, depth));
    }
    let name = element_name(schema, key)?;
    let indent = "  ".repeat(depth);
    out.extend([format!("{indent}<{name}>\n")]);
    items.iter().try_for_each(|item| write_element(out, key, &inner, item, depth + 1))?;
    out.extend([format!("{indent}</{name}>\n")]);
    Ok(())
}

/// The schema of a property, also where it stands in a part of `allOf`.
fn property<'a>(
    schema: &DocumentNode<'a>,
    key: &str,
) -> Result<Option<DocumentNode<'a>>, DescriptionError> {
    let mut left = vec![schema.clone()];
    let mut looked_at = 0;
    while let Some(schema) = left.pop() {
        let Some(schema) = schema.resolve()? else { continue };
        if let Some(property) = schema.get("properties").and_then(|it| it.get(key)) {
            return property.resolve();
        }
        looked_at += 1;
        if looked_at > DEPTH_MAX {
            break;
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            left.extend(schema.items_of(key));
        }
    }
    Ok(None)
}

fn namespace(schema: &DocumentNode<'_>) -> String {
    let xml = schema.get("xml");
    let text = |key: &str| xml.as_ref().and_then(|xml| xml.text_of(key));
    match (text("namespace"), text("prefix")) {
        (Some(namespace), Some(prefix)) => format!(" xmlns:{prefix}=\"{}\"", escape(namespace)),
        (Some(namespace), None) => format!(" xmlns=\"{}\"", escape(namespace)),
        (None, _) => String::new(),
    }
}

/// The name that an element or attribute has, with its prefix.
fn element_name(schema: &DocumentNode<'_>, key: &str) -> Result<String, DescriptionError> {
    let xml = schema.get("xml");
    let text = |key: &str| xml.as_ref().and_then(|xml| xml.text_of(key));
    let name = text("name").unwrap_or(key);
    let name = match text("prefix").filter(|_| text("namespace").is_some()) {
        Some(prefix) => format!("{prefix}:{name}"),
        None => name.to_owned(),
    };
    let is_first = |c: char| c.is_alphabetic() || c == '_';
    let is_word = |c: char| c.is_alphanumeric() || "-_.:".contains(c);
    if name.starts_with(is_first) && name.chars().all(is_word) {
        Ok(name)
    } else {
        let pointer = schema.shown();
        Err(DescriptionError::Field { pointer, found: name, wanted: "the name of an element" })
    }
}
