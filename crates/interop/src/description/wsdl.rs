//! Reads WSDL 1.1 with bindings of SOAP 1.1 and 1.2: an operation for each operation of a binding, with an
//! envelope that its schema allows.

use load::RequestMethod;
use payload::schema::{QualifiedName, XmlSchema};
use roxmltree::{Document, Node};

use crate::description::address::RequestAddress;
use crate::description::api::{ApiDescription, DescribedOperation, HeaderText, OperationBody};
use crate::description::failure::DescriptionError;
use crate::description::format::DescriptionFormat;
use crate::description::gap::{CarryGap, GapReason};
use crate::description::template_text::{literal, whole};

const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
const WSDL_2: &str = "http://www.w3.org/ns/wsdl";
const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";
const SOAP_11: &str = "http://schemas.xmlsoap.org/wsdl/soap/";
const SOAP_12: &str = "http://schemas.xmlsoap.org/wsdl/soap12/";

/// Operations of a description, at most.
const OPERATIONS_MAX: usize = 1_000;

/// A version of SOAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SoapVersion {
    V11,
    V12,
}

impl SoapVersion {
    /// The namespace of its envelopes.
    fn envelope(self) -> &'static str {
        match self {
            Self::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V12 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    /// The namespace of its elements in a binding.
    fn binding(self) -> &'static str {
        match self {
            Self::V11 => SOAP_11,
            Self::V12 => SOAP_12,
        }
    }
}

struct WsdlReader<'a, 'i> {
    root: Node<'a, 'i>,
    namespace: &'a str,
    schema: XmlSchema,
    description: ApiDescription,
}

/// A binding that is of SOAP.
struct SoapBinding<'a, 'i> {
    node: Node<'a, 'i>,
    version: SoapVersion,
    /// `rpc` or `document`, where an operation says nothing.
    style: &'a str,
    path: String,
}

/// Reads a description. `beside` returns the text of a file that it imports.
pub(super) fn read(
    text: &str,
    beside: &dyn Fn(&str) -> Option<String>,
) -> Result<ApiDescription, DescriptionError> {
    let document = Document::parse(text).map_err(|source| DescriptionError::Xml { source })?;
    let root = document.root_element();
    let name = root.tag_name();
    match (name.namespace(), name.name()) {
        (Some(WSDL), "definitions") => {}
        (Some(WSDL_2), found) => {
            return Err(DescriptionError::Version {
                pointer: "/".to_owned(),
                found: found.to_owned(),
                wanted: "a `definitions` of WSDL 1.1",
                help: "WSDL 2.0 is not read; most services publish 1.1 as well, at `?wsdl`",
            });
        }
        (_, found) => {
            let found = format!("XML whose root is `{found}`");
            return Err(DescriptionError::UnknownFormat { found });
        }
    }
    let mut reader = WsdlReader {
        root,
        namespace: root.attribute("targetNamespace").unwrap_or_default(),
        schema: XmlSchema::default(),
        description: ApiDescription::new(DescriptionFormat::Wsdl),
    };
    for types in children(root, "types") {
        for schema in types.children().filter(|it| it.has_tag_name((SCHEMA, "schema"))) {
            reader.schema.add(schema, beside);
        }
    }
    for import in children(root, "import") {
        // Parts of a description may lie in documents of their own.
        let part = format!("`{}`", import.attribute("location").unwrap_or_default());
        reader.gap("the WSDL", GapReason::ExternalReference(part.trim_matches('`').to_owned()));
    }
    for missing in reader.schema.missing().to_vec() {
        reader.gap("the schema", GapReason::ExternalReference(missing));
    }
    reader.bindings()?;
    Ok(reader.description)
}

/// The elements of WSDL of a name.
fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name((WSDL, name)))
}

/// A text of a binding's element, of SOAP.
fn of_soap<'a>(
    node: Node<'a, '_>,
    version: SoapVersion,
    element: &str,
    key: &str,
) -> Option<&'a str> {
    let found = node.children().find(|it| it.has_tag_name((version.binding(), element)))?;
    found.attribute(key)
}

/// A name with a prefix, in its namespace.
fn qualified(node: Node<'_, '_>, text: &str, own: &str) -> QualifiedName {
    match text.split_once(':') {
        Some((prefix, local)) => {
            QualifiedName::new(node.lookup_namespace_uri(Some(prefix)).unwrap_or_default(), local)
        }
        None => QualifiedName::new(node.lookup_namespace_uri(None).unwrap_or(own), text),
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

impl<'a, 'i> WsdlReader<'a, 'i> {
    fn gap(&mut self, place: &str, reason: GapReason) {
        self.description.gaps.push(CarryGap::new(place, reason));
    }

    /// The child of the root with a name.
    fn named(&self, element: &'static str, name: &str) -> Option<Node<'a, 'i>> {
        children(self.root, element).find(|it| it.attribute("name") == Some(local(name)))
    }

    fn bindings(&mut self) -> Result<(), DescriptionError> {
        let all: Vec<Node<'a, 'i>> = children(self.root, "binding").collect();
        let mut seen: Vec<(String, String)> = Vec::new();
        for node in all {
            let name = node.attribute("name").unwrap_or_default();
            let Some(binding) = self.soap(node, name) else {
                self.gap(name, GapReason::Binding("this".to_owned()));
                continue;
            };
            for operation in children(node, "operation") {
                let name = operation.attribute("name").unwrap_or_default();
                let Some(mut described) = self.operation(&binding, operation, name) else {
                    continue;
                };
                // The same operation of the other version of SOAP.
                let is_second = seen.iter().any(|(other, _)| other == name);
                seen.push((name.to_owned(), binding.path.clone()));
                if is_second && binding.version == SoapVersion::V12 {
                    described.name = format!("{name}-soap12");
                }
                self.description.operations.push(described);
                let found = self.description.operations.len();
                if found > OPERATIONS_MAX {
                    let what = "operations";
                    return Err(DescriptionError::TooMany { what, found, most: OPERATIONS_MAX });
                }
            }
        }
        Ok(())
    }

    /// A binding, if it is of SOAP, with the path of the port that has it.
    fn soap(&self, node: Node<'a, 'i>, name: &str) -> Option<SoapBinding<'a, 'i>> {
        let version = [SoapVersion::V11, SoapVersion::V12].into_iter().find(|version| {
            node.children().any(|it| it.has_tag_name((version.binding(), "binding")))
        })?;
        let ports = children(self.root, "service").flat_map(|service| children(service, "port"));
        let mut ports = ports
            .filter(|port| port.attribute("binding").is_some_and(|binding| local(binding) == name));
        let location = ports.find_map(|port| of_soap(port, version, "address", "location"));
        let address = location.and_then(|location| {
            RequestAddress::of_url(location).or_else(|| RequestAddress::of_target(location))
        });
        let path = address.map_or_else(
            || "/".to_owned(),
            |it| it.query.map_or(it.path.clone(), |query| format!("{}?{query}", it.path)),
        );
        let style = of_soap(node, version, "binding", "style").unwrap_or("document");
        Some(SoapBinding { node, version, style, path })
    }

    fn operation(
        &mut self,
        binding: &SoapBinding<'a, 'i>,
        operation: Node<'a, 'i>,
        name: &str,
    ) -> Option<DescribedOperation> {
        let version = binding.version;
        let style = of_soap(operation, version, "operation", "style").unwrap_or(binding.style);
        let action = of_soap(operation, version, "operation", "soapAction").unwrap_or_default();
        let input = children(operation, "input").next()?;
        if of_soap(input, version, "body", "use") == Some("encoded") {
            self.gap(name, GapReason::SoapEncoding);
            return None;
        }
        for header in input.children().filter(|it| it.has_tag_name((version.binding(), "header"))) {
            let part = header.attribute("part").unwrap_or_default().to_owned();
            self.gap(name, GapReason::SoapHeader(part));
        }
        let message = self.message(binding, name)?;
        let wanted = of_soap(input, version, "body", "parts");
        let parts: Vec<Node<'a, 'i>> = children(message, "part")
            .filter(|part| {
                let name = part.attribute("name").unwrap_or_default();
                wanted.is_none_or(|wanted| wanted.split_whitespace().any(|it| it == name))
            })
            .collect();
        let content = if style == "rpc" {
            let namespace = of_soap(input, version, "body", "namespace").unwrap_or(self.namespace);
            self.rpc(name, namespace, &parts)
        } else {
            self.documents(name, &parts)
        }?;
        let prefix = "soap";
        let envelope = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{prefix}:Envelope xmlns:{prefix}=\"{}\">\n  \
             <{prefix}:Body>\n    {content}\n  </{prefix}:Body>\n</{prefix}:Envelope>\n",
            version.envelope()
        );
        let origin = format!("binding {}", binding.node.attribute("name").unwrap_or_default());
        let path = literal(&binding.path);
        let mut described = DescribedOperation::new(name, RequestMethod::Post, path, origin);
        described.body = OperationBody::Template(whole(literal(&envelope)));
        let plain: String = action.chars().filter(|c| !c.is_control() && *c != '"').collect();
        described.content_type = Some(match version {
            SoapVersion::V11 => {
                let action = HeaderText::Template(literal(&format!("\"{plain}\"")));
                described.headers.push(("SOAPAction".to_owned(), action));
                "text/xml; charset=utf-8".to_owned()
            }
            SoapVersion::V12 if plain.is_empty() => {
                "application/soap+xml; charset=utf-8".to_owned()
            }
            SoapVersion::V12 => format!("application/soap+xml; charset=utf-8; action=\"{plain}\""),
        });
        Some(described)
    }

    /// The message that an operation takes.
    fn message(&mut self, binding: &SoapBinding<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
        let port_type = binding.node.attribute("type").and_then(|it| self.named("portType", it));
        let operation = port_type.and_then(|port_type| {
            children(port_type, "operation").find(|it| it.attribute("name") == Some(name))
        });
        let input = operation.and_then(|operation| children(operation, "input").next());
        let message = input.and_then(|input| input.attribute("message"));
        let message = message.and_then(|message| self.named("message", message));
        if message.is_none() {
            self.gap(name, GapReason::SchemaPart("a message that is not described".to_owned()));
        }
        message
    }

    /// The elements of a document.
    fn documents(&mut self, name: &str, parts: &[Node<'a, 'i>]) -> Option<String> {
        let mut content = Vec::new();
        for part in parts {
            let Some(element) = part.attribute("element") else {
                let what = "a part with a type, in a document".to_owned();
                self.gap(name, GapReason::SchemaPart(what));
                return None;
            };
            let element = qualified(*part, element, self.namespace);
            let Some(text) = self.schema.document(&element) else {
                let what = format!("the element `{}`", element.local);
                self.gap(name, GapReason::SchemaPart(what));
                return None;
            };
            content.push(text);
        }
        Some(content.join("\n    "))
    }

    /// An element of the operation's name, with one for each part.
    fn rpc(&mut self, name: &str, namespace: &str, parts: &[Node<'a, 'i>]) -> Option<String> {
        let mut content = String::new();
        for part in parts {
            let own = QualifiedName::new("", part.attribute("name").unwrap_or_default());
            let of = part.attribute("type").map(|it| qualified(*part, it, self.namespace));
            let made = of.as_ref().and_then(|of| self.schema.element(&own, of));
            let Some(text) = made else {
                let what = format!("the part `{}`", own.local);
                self.gap(name, GapReason::SchemaPart(what));
                return None;
            };
            content.push_str(&text);
        }
        let namespace = quick_xml::escape::escape(namespace);
        Some(format!("<o:{name} xmlns:o=\"{namespace}\">{content}</o:{name}>"))
    }
}
