//! Reads OpenAPI 3.0 and 3.1.
//!
//! The document is walked as it is written rather than through the types of a crate: those of `openapiv3` are
//! for 3.0, those of `oas3` for 3.1, a description with one odd field would be refused whole, and neither
//! knows where in the document something stands.

use load::RequestMethod;

use crate::description::address::{path_encoded, percent_encoded};
use crate::description::api::{ApiDescription, DescribedOperation, HeaderText, OperationBody};
use crate::description::credentials::{CredentialNames, is_credential};
use crate::description::document::{DocumentNode, DocumentValue};
use crate::description::failure::DescriptionError;
use crate::description::format::DescriptionFormat;
use crate::description::gap::{CarryGap, GapReason};
use crate::description::json_sample::{SchemaSampler, xml_document};
use crate::description::template_text::{literal, whole};

/// Operations of a description, at most.
const OPERATIONS_MAX: usize = 1_000;

/// Words of a path item that are methods.
const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

/// Headers that are described elsewhere: parameters of these names are to be ignored.
const OWN_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// Reads a description.
pub(super) fn read(value: &DocumentValue) -> Result<ApiDescription, DescriptionError> {
    let root = DocumentNode::root(value);
    let version = root.need("openapi")?;
    let found = version.value.plain().unwrap_or_default();
    if !found.starts_with("3.") {
        return Err(DescriptionError::Version {
            pointer: version.pointer,
            found,
            wanted: "a version of OpenAPI from 3.0 on",
            help: "a description of Swagger 2 is converted by `swagger2openapi`",
        });
    }
    let mut reader = OpenApiReader {
        prefix: prefix(&root),
        root: root.clone(),
        sampler: SchemaSampler::default(),
        credentials: CredentialNames::default(),
        description: ApiDescription::new(DescriptionFormat::OpenApi),
    };
    for (path, item) in root.need("paths")?.need_fields()? {
        if path.starts_with('/') {
            reader.path(path, &item)?;
        }
    }
    for (name, webhook) in root.get("webhooks").map_or_else(Vec::new, |it| it.fields()) {
        let gap = GapReason::Script("a webhook");
        reader.description.gaps.push(CarryGap::new(format!("{} {name}", webhook.pointer), gap));
    }
    Ok(reader.finish())
}

struct OpenApiReader<'a> {
    root: DocumentNode<'a>,
    /// The path of the first server.
    prefix: String,
    sampler: SchemaSampler,
    credentials: CredentialNames,
    description: ApiDescription,
}

/// The path of the first server's address, its variables filled in.
fn prefix(root: &DocumentNode<'_>) -> String {
    let servers = root.items_of("servers");
    let Some(server) = servers.first() else { return String::new() };
    let mut url = server.text_of("url").unwrap_or_default().to_owned();
    for (name, variable) in server.get("variables").map_or_else(Vec::new, |it| it.fields()) {
        let default = variable.value.get("default").and_then(DocumentValue::plain);
        url = url.replace(&format!("{{{name}}}"), &default.unwrap_or_default());
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => &url,
    };
    let path = path.trim_end_matches('/');
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    if is_path { path.to_owned() } else { String::new() }
}

impl<'a> OpenApiReader<'a> {
    fn gap(&mut self, place: &str, reason: GapReason) {
        self.description.gaps.push(CarryGap::new(place, reason));
    }

    fn path(&mut self, path: &str, item: &DocumentNode<'a>) -> Result<(), DescriptionError> {
        let Some(item) = item.resolve()? else {
            let target = item.text_of("$ref").unwrap_or_default().to_owned();
            self.gap(&item.pointer, GapReason::ExternalReference(target));
            return Ok(());
        };
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let name = method.to_uppercase();
            match RequestMethod::from_name(&name) {
                Some(method) => self.operation(path, method, &item, &operation)?,
                None => self.gap(&operation.pointer, GapReason::Method(name)),
            }
            let found = self.description.operations.len();
            if found > OPERATIONS_MAX {
                let what = "operations";
                return Err(DescriptionError::TooMany { what, found, most: OPERATIONS_MAX });
            }
        }
        Ok(())
    }

    fn operation(
        &mut self,
        path: &str,
        method: RequestMethod,
        item: &DocumentNode<'a>,
        node: &DocumentNode<'a>,
    ) -> Result<(), DescriptionError> {
        let default = format!("{}{}", method.name().to_lowercase(), path.replace(['{', '}'], ""));
        let name = node.text_of("operationId").unwrap_or(&default);
        let mut operation =
            DescribedOperation::new(name, method, String::new(), node.pointer.clone());
        let parameters = parameters(item, node)?;
        self.address(path, &parameters, &mut operation)?;
        if method.has_body() && !self.body(node, &mut operation)? {
            return Ok(());
        }
        answer(node, &mut operation)?;
        self.security(node, &mut operation)?;
        if method == RequestMethod::Delete {
            operation.is_sent = false;
            self.gap(name, GapReason::Deletion);
        }
        self.description.operations.push(operation);
        Ok(())
    }

    /// Fills in the path, the query and the headers.
    fn address(
        &mut self,
        path: &str,
        parameters: &[DocumentNode<'a>],
        operation: &mut DescribedOperation,
    ) -> Result<(), DescriptionError> {
        let mut filled = format!("{}{path}", self.prefix);
        let mut query = Vec::new();
        for parameter in parameters {
            let name = parameter.need("name")?.need_text()?;
            let kind = parameter.need("in")?.need_text()?;
            let is_needed = parameter.flag_of("required") || has_example(parameter)?;
            if kind != "path" && (!is_needed || parameter.flag_of("deprecated")) {
                continue;
            }
            let value = self.parameter(parameter)?;
            match kind {
                "path" => {
                    filled = filled.replace(&format!("{{{name}}}"), &percent_encoded(&value));
                }
                "query" => {
                    let pair = format!("{}={}", percent_encoded(name), percent_encoded(&value));
                    query.push(literal(&pair));
                }
                "header" if OWN_PARAMETERS.contains(&name.to_lowercase().as_str()) => {}
                "header" => {
                    let text = if is_credential(name) && !has_example(parameter)? {
                        let place = format!("the header {name}");
                        HeaderText::Variable(self.credentials.variable(name, &place))
                    } else {
                        HeaderText::Template(literal(&value))
                    };
                    operation.headers.push((name.to_owned(), text));
                }
                _ => self
                    .gap(&parameter.pointer, GapReason::Security(format!("the cookie `{name}`"))),
            }
        }
        operation.path = literal(&path_encoded(&filled));
        if !query.is_empty() {
            operation.path = format!("{}?{}", operation.path, query.join("&"));
        }
        Ok(())
    }

    /// The value of a parameter as it is written.
    fn parameter(&mut self, parameter: &DocumentNode<'a>) -> Result<String, DescriptionError> {
        let own = parameter.get("example").map(|it| it.value.clone()).or(first_example(parameter)?);
        let value = match (own, parameter.get("schema"), parameter.get("content")) {
            (Some(own), _, _) => own,
            (None, Some(schema), _) => self.sampler.value(&schema)?,
            (None, None, content) => {
                let media = content.and_then(|it| it.fields().into_iter().next());
                match media.and_then(|(_, media)| media.get("schema")) {
                    Some(schema) => self.sampler.value(&schema)?,
                    None => DocumentValue::Text("text".to_owned()),
                }
            }
        };
        Ok(match &value {
            DocumentValue::List(items) => {
                items.iter().filter_map(DocumentValue::plain).collect::<Vec<_>>().join(",")
            }
            other => other.plain().unwrap_or_else(|| other.json()),
        })
    }

    /// Fills in the body. Returns whether the operation can be sent.
    fn body(
        &mut self,
        node: &DocumentNode<'a>,
        operation: &mut DescribedOperation,
    ) -> Result<bool, DescriptionError> {
        let Some(written) = node.get("requestBody") else { return Ok(true) };
        let Some(body) = written.resolve()? else {
            let target = written.text_of("$ref").unwrap_or_default().to_owned();
            self.gap(&written.pointer, GapReason::ExternalReference(target));
            return Ok(false);
        };
        let media = body.need("content")?.need_fields()?;
        let Some((media_type, media)) = preferred(&media) else {
            let names: Vec<&str> = media.iter().map(|(name, _)| *name).collect();
            self.gap(&node.pointer, GapReason::MediaType(names.join(", ")));
            return Ok(!body.flag_of("required") && media.is_empty());
        };
        let text = self.body_text(media_type, media)?;
        operation.content_type = Some(media_type.to_owned());
        operation.body = OperationBody::Template(whole(literal(&text)));
        Ok(true)
    }

    /// An example of a body, or one that its schema allows.
    fn body_text(
        &mut self,
        media_type: &str,
        media: &DocumentNode<'a>,
    ) -> Result<String, DescriptionError> {
        let own = media.get("example").map(|it| it.value.clone()).or(first_example(media)?);
        if let Some(DocumentValue::Text(text)) = own {
            return Ok(text);
        }
        let schema = media.get("schema");
        let value = match (own, &schema) {
            (Some(own), _) => own,
            (None, Some(schema)) => self.sampler.value(schema)?,
            (None, None) => DocumentValue::Fields(Vec::new()),
        };
        if is_xml(media_type) {
            // An example of the whole document is that as it is.
            if let DocumentValue::Text(text) = &value
                && text.trim_start().starts_with('<')
            {
                return Ok(text.clone());
            }
            return xml_document(schema.as_ref().unwrap_or(media), &value);
        }
        if media_type.contains("urlencoded") {
            let DocumentValue::Fields(fields) = &value else { return Ok(String::new()) };
            let pair = |(name, value): &(String, DocumentValue)| {
                let value = value.plain().unwrap_or_else(|| value.json());
                format!("{}={}", percent_encoded(name), percent_encoded(&value))
            };
            return Ok(fields.iter().map(pair).collect::<Vec<_>>().join("&"));
        }
        match (media_type.starts_with("text/"), value.plain()) {
            (true, Some(text)) => Ok(text),
            _ => Ok(value.json()),
        }
    }

    /// Adds what proves who sends the request, by the first way that is described.
    fn security(
        &mut self,
        node: &DocumentNode<'a>,
        operation: &mut DescribedOperation,
    ) -> Result<(), DescriptionError> {
        let wanted = node.get("security").or_else(|| self.root.get("security"));
        let ways = wanted.map_or_else(Vec::new, |wanted| wanted.items());
        let needs_none = ways.iter().any(|way| way.fields().is_empty());
        let Some(way) = ways.first().filter(|_| !needs_none) else { return Ok(()) };
        for (name, _) in way.fields() {
            let schemes = self.root.get("components").and_then(|it| it.get("securitySchemes"));
            let Some(scheme) = schemes.and_then(|it| it.get(name)) else { continue };
            let Some(scheme) = scheme.resolve()? else { continue };
            let header = match (scheme.text_of("type"), scheme.text_of("in")) {
                (Some("http" | "oauth2" | "openIdConnect"), _) => "Authorization",
                (Some("apiKey"), Some("header")) => scheme.need("name")?.need_text()?,
                (Some("apiKey"), Some("query")) => {
                    let parameter = scheme.need("name")?.need_text()?;
                    let sign = if operation.path.contains('?') { '&' } else { '?' };
                    let value =
                        self.credentials.template(parameter, &format!("the parameter {parameter}"));
                    let name = percent_encoded(parameter);
                    operation.path = format!("{}{sign}{name}={value}", operation.path);
                    continue;
                }
                (Some("apiKey"), _) => "Cookie",
                (kind, _) => {
                    let kind = format!("`{}`", kind.unwrap_or("nothing"));
                    self.gap(&operation.name, GapReason::Security(kind));
                    continue;
                }
            };
            let variable = self.credentials.variable(header, &format!("the header {header}"));
            operation.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(header));
            operation.headers.push((header.to_owned(), HeaderText::Variable(variable)));
        }
        Ok(())
    }

    fn finish(self) -> ApiDescription {
        let mut description = self.description;
        description.gaps.extend(self.sampler.gaps);
        description.variables = self.credentials.into_variables();
        // A deletion is tried last: what it deletes is needed before.
        description.operations.sort_by_key(|operation| !operation.is_sent);
        description
    }
}

/// Notes the status and the form of a right answer.
fn answer(
    node: &DocumentNode<'_>,
    operation: &mut DescribedOperation,
) -> Result<(), DescriptionError> {
    let answers = node.get("responses").map_or_else(Vec::new, |it| it.fields());
    let success = answers.iter().filter(|(status, _)| status.starts_with('2'));
    let Some((status, answer)) = success.min_by_key(|(status, _)| *status) else {
        return Ok(());
    };
    operation.status = status.parse().ok();
    let Some(answer) = answer.resolve()? else { return Ok(()) };
    let media = answer.get("content").map_or_else(Vec::new, |it| it.fields());
    let of_xml = media.iter().find(|(name, _)| is_xml(name));
    if let Some((name, _)) = of_xml.or(media.first()) {
        let text = HeaderText::Template(literal(name));
        operation.headers.push(("Accept".to_owned(), text));
    }
    Ok(())
}

/// The parameters of an operation: its own before those of its path.
fn parameters<'a>(
    item: &DocumentNode<'a>,
    node: &DocumentNode<'a>,
) -> Result<Vec<DocumentNode<'a>>, DescriptionError> {
    let mut all: Vec<DocumentNode<'a>> = Vec::new();
    for written in node.items_of("parameters").into_iter().chain(item.items_of("parameters")) {
        let Some(parameter) = written.resolve()? else { continue };
        let key = |it: &DocumentNode<'_>| {
            (it.text_of("name").map(str::to_owned), it.text_of("in").map(str::to_owned))
        };
        if !all.iter().any(|other| key(other) == key(&parameter)) {
            all.push(parameter);
        }
    }
    Ok(all)
}

/// The first of several examples.
fn first_example(node: &DocumentNode<'_>) -> Result<Option<DocumentValue>, DescriptionError> {
    let examples = node.get("examples").map_or_else(Vec::new, |it| it.fields());
    let Some((_, example)) = examples.first() else { return Ok(None) };
    let Some(example) = example.resolve()? else { return Ok(None) };
    Ok(example.get("value").map(|value| value.value.clone()))
}

/// Whether a value is named that the service knows.
fn has_example(parameter: &DocumentNode<'_>) -> Result<bool, DescriptionError> {
    let own = parameter.get("example").is_some() || first_example(parameter)?.is_some();
    let Some(schema) = parameter.get("schema") else { return Ok(own) };
    let Some(schema) = schema.resolve()? else { return Ok(own) };
    Ok(own || schema.get("example").is_some())
}

/// The media type to send: XML before JSON, those before others.
fn preferred<'m, 'a>(
    media: &'m [(&'a str, DocumentNode<'a>)],
) -> Option<(&'a str, &'m DocumentNode<'a>)> {
    let is_json = |name: &str| name.contains("json");
    let is_text = |name: &str| name.contains("urlencoded") || name.starts_with("text/");
    let ranks: [&dyn Fn(&str) -> bool; 3] = [&is_xml, &is_json, &is_text];
    let found = ranks.iter().find_map(|fits| media.iter().find(|(name, _)| fits(name)));
    found.map(|(name, media)| (*name, media))
}

fn is_xml(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim();
    name.ends_with("/xml") || name.ends_with("+xml")
}
