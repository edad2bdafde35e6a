//! Writes a document in its canonical form: Canonical XML 1.0, without comments.

use crate::tree::{NodeKind, Property, TreeView};

/// Appends the canonical form of a tree without comments to `out`.
pub(super) fn write(view: TreeView<'_>, out: &mut Vec<u8>) {
    let mut root_seen = false;
    for child in view.children(0) {
        match view.node(child).kind {
            NodeKind::Element { .. } => {
                write_node(view, child, out);
                root_seen = true;
            }
            NodeKind::Document | NodeKind::Text(_) | NodeKind::Comment(_) => {}
            NodeKind::Instruction { .. } if root_seen => {
                out.push(b'\n');
                write_node(view, child, out);
            }
            NodeKind::Instruction { .. } => {
                write_node(view, child, out);
                out.push(b'\n');
            }
        }
    }
}

/// Recursion is as deep as elements may be nested.
fn write_node(view: TreeView<'_>, place: u32, out: &mut Vec<u8>) {
    match view.node(place).kind {
        NodeKind::Document | NodeKind::Comment(_) => {}
        NodeKind::Element { name, declarations, attributes } => {
            let name = view.qualified(name);
            out.push(b'<');
            out.extend_from_slice(name);
            for range in [declarations, attributes] {
                for property in view.properties(range) {
                    write_property(view, *property, out);
                }
            }
            out.push(b'>');
            for child in view.children(place) {
                write_node(view, child, out);
            }
            out.extend_from_slice(b"</");
            out.extend_from_slice(name);
            out.push(b'>');
        }
        NodeKind::Text(text) => write_escaped(view.value(text), &TEXT, out),
        NodeKind::Instruction { target, data } => {
            out.extend_from_slice(b"<?");
            out.extend_from_slice(view.written(target));
            if !data.is_empty() {
                out.push(b' ');
                out.extend_from_slice(view.value(data));
            }
            out.extend_from_slice(b"?>");
        }
    }
}

fn write_property(view: TreeView<'_>, property: Property, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(view.qualified(property.name));
    out.extend_from_slice(b"=\"");
    write_escaped(view.value(property.value), &ATTRIBUTE, out);
    out.push(b'"');
}

type EscapeTable = [(u8, &'static [u8])];

const TEXT: [(u8, &[u8]); 4] =
    [(b'&', b"&amp;"), (b'<', b"&lt;"), (b'>', b"&gt;"), (b'\r', b"&#xD;")];

const ATTRIBUTE: [(u8, &[u8]); 6] = [
    (b'&', b"&amp;"),
    (b'<', b"&lt;"),
    (b'"', b"&quot;"),
    (b'\t', b"&#x9;"),
    (b'\n', b"&#xA;"),
    (b'\r', b"&#xD;"),
];

fn write_escaped(text: &[u8], escapes: &EscapeTable, out: &mut Vec<u8>) {
    let mut rest = text;
    let escape = |byte: &u8| escapes.iter().find(|(special, _)| special == byte);
    while let Some(place) = rest.iter().position(|byte| escape(byte).is_some()) {
        out.extend_from_slice(&rest[..place]);
        out.extend_from_slice(escape(&rest[place]).map_or(&b""[..], |(_, text)| text));
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
}
