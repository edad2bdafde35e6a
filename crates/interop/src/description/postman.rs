//! Reads Postman collections, 2.0 and 2.1.

use std::collections::BTreeMap;

use load::RequestMethod;

use crate::description::address::{path_encoded, percent_encoded};
use crate::description::api::{ApiDescription, DescribedOperation, HeaderText, OperationBody};
use crate::description::credentials::{CredentialNames, is_credential};
use crate::description::document::{DocumentNode, DocumentValue};
use crate::description::failure::DescriptionError;
use crate::description::format::DescriptionFormat;
use crate::description::gap::{CarryGap, GapReason};
use crate::description::template_text::{literal, whole};

/// Folders within folders.
const DEPTH_MAX: usize = 16;
/// Requests of a collection, at most.
const OPERATIONS_MAX: usize = 1_000;

/// Reads a collection.
pub(super) fn read(value: &DocumentValue) -> Result<ApiDescription, DescriptionError> {
    let root = DocumentNode::root(value);
    let schema = root.need("info")?.need("schema")?;
    let found = schema.need_text()?;
    if !(found.contains("/v2.1") || found.contains("/v2.0")) {
        return Err(DescriptionError::Version {
            pointer: schema.pointer.clone(),
            found: found.to_owned(),
            wanted: "a collection of version 2",
            help: "export the collection anew from Postman, as v2.1",
        });
    }
    let mut reader = PostmanReader {
        variables: variables(&root),
        credentials: CredentialNames::default(),
        description: ApiDescription::new(DescriptionFormat::Postman),
    };
    reader.items(&root, root.get("auth").as_ref(), 0)?;
    if reader.description.operations.is_empty() {
        let reason = "it has no request over HTTP".to_owned();
        return Err(DescriptionError::NoOperation { reason });
    }
    let mut description = reader.description;
    description.variables = reader.credentials.into_variables();
    description.operations.sort_by_key(|operation| !operation.is_sent);
    Ok(description)
}

struct PostmanReader {
    variables: BTreeMap<String, String>,
    credentials: CredentialNames,
    description: ApiDescription,
}

/// The URL of a collection that has it in parts only, as converters write them.
fn joined_url(url: &DocumentNode<'_>) -> Option<String> {
    let texts = |key: &'static str| url.items_of(key).into_iter().filter_map(|part| part.text());
    let path: Vec<&str> = texts("path").collect();
    let host: Vec<&str> = texts("host").collect();
    if host.is_empty() && path.is_empty() {
        return None;
    }
    let pair = |pair: DocumentNode<'_>| {
        let key = pair.text_of("key").filter(|_| !pair.flag_of("disabled"))?;
        Some(format!("{key}={}", pair.text_of("value").unwrap_or_default()))
    };
    let query: Vec<String> = url.items_of("query").into_iter().filter_map(pair).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    Some(format!("{}/{}{query}", host.join("."), path.join("/")))
}

/// The values of a list of variables; those that are switched off are left out.
fn variables(node: &DocumentNode<'_>) -> BTreeMap<String, String> {
    let pair = |variable: &DocumentNode<'_>| {
        let name = variable.text_of("key").or(variable.text_of("id"))?;
        let value = variable.get("value")?.value.plain()?;
        (!variable.flag_of("disabled") && !value.is_empty()).then(|| (name.to_owned(), value))
    };
    node.items_of("variable").iter().filter_map(pair).collect()
}

impl PostmanReader {
    fn gap(&mut self, place: &str, reason: GapReason) {
        self.description.gaps.push(CarryGap::new(place, reason));
    }

    fn items<'a>(
        &mut self,
        node: &DocumentNode<'a>,
        auth: Option<&DocumentNode<'a>>,
        depth: usize,
    ) -> Result<(), DescriptionError> {
        self.scripts(node);
        if depth > DEPTH_MAX {
            let what = "folders within folders";
            return Err(DescriptionError::TooMany { what, found: depth, most: DEPTH_MAX });
        }
        for item in node.need("item")?.need_items()? {
            let own = item.get("auth");
            let auth = own.as_ref().or(auth);
            if item.get("item").is_some() {
                self.items(&item, auth, depth + 1)?;
            } else {
                self.scripts(&item);
                self.request(&item, auth)?;
            }
            let found = self.description.operations.len();
            if found > OPERATIONS_MAX {
                let what = "requests";
                return Err(DescriptionError::TooMany { what, found, most: OPERATIONS_MAX });
            }
        }
        Ok(())
    }

    /// Notes scripts, which are not run.
    fn scripts(&mut self, node: &DocumentNode<'_>) {
        let place = node.text_of("name").unwrap_or("the collection").to_owned();
        for event in node.items_of("event") {
            let lines = event.get("script").map_or_else(Vec::new, |it| it.items_of("exec"));
            let is_empty =
                lines.iter().all(|line| line.text().is_none_or(|it| it.trim().is_empty()));
            let what = match event.text_of("listen") {
                Some("prerequest") => "what runs before a request",
                _ => "a test of the answer",
            };
            if !is_empty {
                self.gap(&place, GapReason::Script(what));
            }
        }
    }

    fn request<'a>(
        &mut self,
        item: &DocumentNode<'a>,
        auth: Option<&DocumentNode<'a>>,
    ) -> Result<(), DescriptionError> {
        let request = item.need("request")?;
        let name = item.text_of("name").unwrap_or("request");
        let word = request.text_of("method").unwrap_or("GET").to_uppercase();
        let Some(method) = RequestMethod::from_name(&word) else {
            self.gap(name, GapReason::Method(word));
            return Ok(());
        };
        let Some(path) = self.address(name, &request) else {
            self.gap(name, GapReason::ComputedAddress);
            return Ok(());
        };
        let origin = request.pointer.clone();
        let mut operation = DescribedOperation::new(name, method, path, origin);
        self.headers(&request, &mut operation);
        let own = request.get("auth");
        self.auth(own.as_ref().or(auth), &mut operation);
        if method.has_body() && !self.body(name, &request, &mut operation) {
            return Ok(());
        }
        if method == RequestMethod::Delete {
            operation.is_sent = false;
            self.gap(name, GapReason::Deletion);
        }
        self.description.operations.push(operation);
        Ok(())
    }

    /// The path with its query, as a template; none where it is not known.
    fn address(&mut self, name: &str, request: &DocumentNode<'_>) -> Option<String> {
        let url = request.get("url")?;
        let whole = url.text().or(url.text_of("raw")).map(str::to_owned);
        let raw = whole.or_else(|| joined_url(&url))?;
        let values = variables(&url);
        // What stands before the path is the target's own address here.
        let rest = raw.split_once("://").map_or(raw.as_str(), |(_, rest)| rest);
        let rest = rest.split('#').next().unwrap_or_default();
        let start = rest.find(['/', '?']).unwrap_or(rest.len());
        let (path, query) = match rest[start..].split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&rest[start..], None),
        };
        let filled = path.split('/').map(|part| match part.strip_prefix(':') {
            Some(key) if !key.is_empty() => {
                percent_encoded(values.get(key).map_or("1", String::as_str))
            }
            _ => part.to_owned(),
        });
        let path = filled.collect::<Vec<_>>().join("/");
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let mut filled = self.text(name, &path, &path_encoded);
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            let mut pairs = Vec::new();
            for pair in query.split('&') {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let is_secret = is_credential(key) && !value.is_empty() && !value.contains("{{");
                pairs.push(if is_secret {
                    let place = format!("the parameter {key}");
                    format!("{}={}", literal(key), self.credentials.template(key, &place))
                } else {
                    self.text(name, pair, &path_encoded)
                });
            }
            filled = format!("{filled}?{}", pairs.join("&"));
        }
        Some(filled)
    }

    fn headers(&mut self, request: &DocumentNode<'_>, operation: &mut DescribedOperation) {
        for header in request.items_of("header") {
            let (Some(key), Some(value)) = (header.text_of("key"), header.text_of("value")) else {
                continue;
            };
            let is_there =
                operation.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(key));
            let is_own =
                ["content-length", "host", "connection", "postman-token", "accept-encoding"]
                    .contains(&key.to_lowercase().as_str());
            if header.flag_of("disabled") || is_there || is_own {
                continue;
            }
            if key.eq_ignore_ascii_case("content-type") {
                operation.content_type = Some(value.to_owned());
                continue;
            }
            let text = if is_credential(key) {
                let place = format!("the header {key}");
                HeaderText::Variable(self.credentials.variable(key, &place))
            } else {
                HeaderText::Template(self.text(&operation.name, value, &str::to_owned))
            };
            operation.headers.push((key.to_owned(), text));
        }
    }

    /// Adds what proves who sends the request.
    fn auth(&mut self, auth: Option<&DocumentNode<'_>>, operation: &mut DescribedOperation) {
        let Some(auth) = auth else { return };
        let header = match auth.text_of("type") {
            None | Some("noauth") => return,
            Some("apikey") => {
                let settings = auth.items_of("apikey");
                let setting = |name: &str| {
                    let found = settings.iter().find(|it| it.text_of("key") == Some(name))?;
                    found.text_of("value")
                };
                if setting("in") == Some("query") {
                    self.gap(&operation.name, GapReason::Security("a key in the query".to_owned()));
                    return;
                }
                setting("key").unwrap_or("X-Api-Key").to_owned()
            }
            Some("bearer" | "basic" | "oauth2" | "jwt") => "Authorization".to_owned(),
            Some(kind) => {
                self.gap(&operation.name, GapReason::Security(format!("`{kind}`")));
                return;
            }
        };
        let variable = self.credentials.variable(&header, &format!("the header {header}"));
        operation.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&header));
        operation.headers.push((header, HeaderText::Variable(variable)));
    }

    /// Fills in the body. Returns whether the operation can be sent.
    fn body(
        &mut self,
        name: &str,
        request: &DocumentNode<'_>,
        operation: &mut DescribedOperation,
    ) -> bool {
        let Some(body) = request.get("body").filter(|body| !body.flag_of("disabled")) else {
            return true;
        };
        let language = body.get("options").and_then(|it| it.get("raw"));
        let language = language.and_then(|it| it.text_of("language"));
        let (media, text) = match body.text_of("mode") {
            Some("raw") => {
                let media = match language {
                    Some("xml") => "application/xml",
                    Some("json") => "application/json",
                    _ => "text/plain",
                };
                (media, body.text_of("raw").unwrap_or_default().to_owned())
            }
            Some("urlencoded") => {
                let pair = |pair: &DocumentNode<'_>| {
                    let value = pair.text_of("value").unwrap_or_default();
                    let is_used = !pair.flag_of("disabled");
                    is_used.then(|| Some(format!("{}={value}", pair.text_of("key")?)))?
                };
                let pairs: Vec<String> =
                    body.items_of("urlencoded").iter().filter_map(pair).collect();
                ("application/x-www-form-urlencoded", pairs.join("&"))
            }
            Some("graphql") => {
                let query = body.get("graphql").map(|it| it.value.json()).unwrap_or_default();
                ("application/json", query)
            }
            Some(mode @ ("formdata" | "file")) => {
                self.gap(name, GapReason::MediaType(mode.to_owned()));
                return false;
            }
            _ => return true,
        };
        let media = operation.content_type.get_or_insert_with(|| media.to_owned()).clone();
        let text = self.credentials.body(&media, &self.known(&text));
        operation.body = OperationBody::Template(whole(self.opened(name, &text)));
        true
    }

    /// A text with Postman's variables in it as a template; `encode` is for what is known of it.
    fn text(&mut self, name: &str, text: &str, encode: &dyn Fn(&str) -> String) -> String {
        let known = self.known(text);
        let mut out = String::new();
        let mut rest = known.as_str();
        while let Some((before, variable, after)) = next_variable(rest) {
            out.push_str(&literal(&encode(before)));
            out.push_str(&self.variable(name, variable));
            rest = after;
        }
        out + &literal(&encode(rest))
    }

    /// A text in which the variables of the collection that prove nothing are filled in.
    fn known(&self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, variable, after)) = next_variable(rest) {
            out.push_str(before);
            match self.variables.get(variable).filter(|_| !is_credential(variable)) {
                Some(value) => out.push_str(value),
                None => out.extend([format!("{{{{{variable}}}}}")]),
            }
            rest = after;
        }
        out + rest
    }

    /// A template of a body, in which Postman's variables stand as text, with those as variables.
    fn opened(&mut self, name: &str, template: &str) -> String {
        let mark = literal("{{");
        let (mut out, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once(mark.as_str()) {
            out.push_str(before);
            let named = after.split_once("}}").filter(|(variable, _)| is_name(variable));
            if let Some((variable, after)) = named {
                out.push_str(&self.variable(name, variable));
                rest = after;
            } else {
                out.push_str(&mark);
                rest = after;
            }
        }
        out + rest
    }

    /// What stands for a variable that the collection gives no value, or whose value is not written.
    fn variable(&mut self, operation: &str, variable: &str) -> String {
        let plain = match variable.trim() {
            "$guid" | "$randomUUID" => "{{ uuid }}",
            "$timestamp" => "{{ unique }}",
            "$isoTimestamp" => "{{ now }}",
            "$randomInt" => "{{ random(0, 1000) }}",
            name => {
                let place = format!("the variable {name}");
                let template = self.credentials.template(name.trim_start_matches('$'), &place);
                self.gap(operation, GapReason::OpenVariable(name.to_owned()));
                return template;
            }
        };
        plain.to_owned()
    }
}

/// The text before the next `{{name}}`, the name, and what follows.
fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    is_name(name).then_some((before, name, after))
}

fn is_name(text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || "-_.$ ".contains(c);
    !text.trim().is_empty() && text.len() <= 100 && text.chars().all(is_word)
}
