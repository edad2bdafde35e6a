//! Reads the part of `XPath` in which schemas name what is a key.

use roxmltree::Node;

use super::model::{NamePath, NameTest, XML_NAMESPACE};

/// Returns the paths of an expression, whose prefixes are those of a node.
pub(super) fn paths(node: Node<'_, '_>, text: &str) -> Vec<NamePath> {
    text.split('|').map(|it| path(node, it)).collect()
}

fn path(node: Node<'_, '_>, text: &str) -> NamePath {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (is_deep, rest) = match text.strip_prefix(".//") {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    let mut path = NamePath { is_deep, ..NamePath::default() };
    for step in rest.split('/').filter(|it| !it.is_empty() && *it != ".") {
        let attribute = step.strip_prefix('@').or_else(|| step.strip_prefix("attribute::"));
        match attribute {
            Some(name) => path.attribute = Some(test(node, name)),
            None => path.children.push(test(node, step.strip_prefix("child::").unwrap_or(step))),
        }
    }
    path
}

/// A name without a prefix has no namespace, whatever the default is.
fn test(node: Node<'_, '_>, text: &str) -> NameTest {
    let named = |local: &str| Some(local.to_owned()).filter(|it| it != "*");
    match text.split_once(':') {
        Some((prefix, local)) => {
            let known = node.lookup_namespace_uri(Some(prefix));
            let namespace = known.unwrap_or(if prefix == "xml" { XML_NAMESPACE } else { "" });
            NameTest { namespace: Some(namespace.to_owned()), local: named(local) }
        }
        None if text == "*" => NameTest { namespace: None, local: None },
        None => NameTest { namespace: Some(String::new()), local: named(text) },
    }
}
