//! Reads a document into a tree in which text and names stand for what they mean.
//!
//! References are replaced, line ends and attribute values normalised, prefixes resolved, CDATA is
//! text. What a request ignores is left out here, so that nothing later has to know of it; it still
//! has to be well-formed.

use std::iter;

use crate::ignore::IgnoreRules;
use crate::xml::{
    self, AttributeSpan, DocumentError, NAMESPACES_MAX, Span, StartTag, TokenSink, Tokens, XmlFlaw,
    narrow, wide,
};

const XML_NAMESPACE: &[u8] = b"http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &[u8] = b"http://www.w3.org/2000/xmlns/";

pub(super) const XSI_NAMESPACE: &[u8] = b"http://www.w3.org/2001/XMLSchema-instance";

/// Whether comments are part of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommentMode {
    Kept,
    Dropped,
}

/// A stretch of [`DocumentTree::values`].
pub(super) type ValueSpan = Span;

/// Where a name and its namespace stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameSpan {
    /// As written, with the prefix.
    qualified: Span,
    /// Where the local name begins in it.
    local_start: u32,
    namespace: ValueSpan,
}

/// An attribute, or with a qualified name that begins with `xmlns`, a namespace declaration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Property {
    pub(super) name: NameSpan,
    pub(super) value: ValueSpan,
    /// What the prefix in the value of `xsi:type` stands for, if that is declared.
    value_namespace: ValueSpan,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum NodeKind {
    /// The first node, around all others.
    Document,
    Element {
        name: NameSpan,
        /// Declarations that change what is in scope, by prefix.
        declarations: PropertyRange,
        /// By namespace and local name.
        attributes: PropertyRange,
    },
    Text(ValueSpan),
    Comment(ValueSpan),
    Instruction {
        target: Span,
        data: ValueSpan,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PropertyRange {
    start: u32,
    end: u32,
}

impl PropertyRange {
    pub(super) const EMPTY: Self = Self { start: 0, end: 0 };
}

/// A node, followed by its descendants.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeNode {
    pub(super) kind: NodeKind,
    /// The place after its last descendant.
    end: u32,
}

/// One document, and the memory that the next one uses again.
#[derive(Debug, Default)]
pub(super) struct DocumentTree {
    tokens: Tokens,
    nodes: Vec<TreeNode>,
    properties: Vec<Property>,
    values: Vec<u8>,
    scope: Vec<PrefixBinding>,
    open: Vec<OpenElement>,
    path: Vec<u8>,
    /// The version and whether the document stands alone, as declared.
    pub(super) declared: (ValueSpan, ValueSpan),
    /// Elements in the tree.
    pub(super) elements: usize,
}

/// A namespace declaration that is in scope.
#[derive(Debug, Clone, Copy)]
struct PrefixBinding {
    prefix: Span,
    namespace: ValueSpan,
}

#[derive(Debug, Clone, Copy)]
struct OpenElement {
    /// Its node, unless it is ignored.
    node: Option<u32>,
    /// How much of the scope, the path and the values there was before.
    bindings: usize,
    path: usize,
    values: usize,
}

/// A tree beside the document whose names it points into.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeView<'a> {
    pub(super) tree: &'a DocumentTree,
    pub(super) document: &'a [u8],
}

impl DocumentTree {
    /// Reads `document`; what was there before is gone.
    pub(super) fn read(
        &mut self,
        document: &[u8],
        comments: CommentMode,
        ignore: &IgnoreRules,
    ) -> Result<(), DocumentError> {
        let mut tokens = std::mem::take(&mut self.tokens);
        self.clear();
        self.push(NodeKind::Document);
        let has_colons = memchr::memchr(b':', document).is_some();
        let mut builder =
            TreeBuilder { document, has_colons, tree: self, comments, ignore, text: None };
        let result = xml::read(document, &mut tokens, &mut builder);
        self.tokens = tokens;
        self.nodes[0].end = narrow(self.nodes.len());
        result
    }

    fn clear(&mut self) {
        self.nodes.clear();
        self.properties.clear();
        self.values.clear();
        self.values.extend_from_slice(XML_NAMESPACE);
        self.scope.clear();
        self.open.clear();
        self.path.clear();
        (self.declared, self.elements) = Default::default();
    }

    fn push(&mut self, kind: NodeKind) -> u32 {
        let place = narrow(self.nodes.len());
        self.nodes.push(TreeNode { kind, end: place + 1 });
        place
    }
}

impl<'a> TreeView<'a> {
    pub(super) fn node(self, place: u32) -> TreeNode {
        self.tree.nodes[wide(place)]
    }

    pub(super) fn value(self, value: ValueSpan) -> &'a [u8] {
        value.of(&self.tree.values)
    }

    pub(super) fn properties(self, range: PropertyRange) -> &'a [Property] {
        &self.tree.properties[wide(range.start)..wide(range.end)]
    }

    /// Returns the places of a node's children.
    pub(super) fn children(self, parent: u32) -> impl Iterator<Item = u32> {
        let (mut next, end) = (parent + 1, self.node(parent).end);
        iter::from_fn(move || {
            let child = (next < end).then_some(next)?;
            next = self.node(child).end;
            Some(child)
        })
    }

    /// Returns a stretch of the document itself.
    pub(super) fn written(self, span: Span) -> &'a [u8] {
        span.of(self.document)
    }

    pub(super) fn qualified(self, name: NameSpan) -> &'a [u8] {
        name.qualified.of(self.document)
    }

    pub(super) fn local(self, name: NameSpan) -> &'a [u8] {
        &self.qualified(name)[wide(name.local_start)..]
    }

    pub(super) fn namespace(self, name: NameSpan) -> &'a [u8] {
        self.value(name.namespace)
    }

    /// Whether a name is that of an instance's type.
    pub(super) fn is_schema_type(self, name: NameSpan) -> bool {
        self.local(name) == b"type" && self.namespace(name) == XSI_NAMESPACE
    }

    /// Returns the namespace and the local name that the value of `xsi:type` names; a value whose
    /// prefix is not declared is a local name as a whole.
    pub(super) fn named_type(self, property: Property) -> (&'a [u8], &'a [u8]) {
        let (namespace, value) = (self.value(property.value_namespace), self.value(property.value));
        match memchr::memchr(b':', value) {
            Some(colon) if !namespace.is_empty() => (namespace, &value[colon + 1..]),
            Some(_) | None => (namespace, value),
        }
    }
}

/// Enters one document into a tree.
struct TreeBuilder<'a> {
    document: &'a [u8],
    /// Whether a name can have a prefix.
    has_colons: bool,
    tree: &'a mut DocumentTree,
    comments: CommentMode,
    ignore: &'a IgnoreRules,
    /// The text node that is last in the tree, if more text would belong to it.
    text: Option<u32>,
}

impl TreeBuilder<'_> {
    fn open(&mut self, tag: StartTag<'_>) -> Result<(), XmlFlaw> {
        let open = OpenElement {
            node: None,
            bindings: self.tree.scope.len(),
            path: self.tree.path.len(),
            values: self.tree.values.len(),
        };
        let inside = self.tree.open.last().is_none_or(|parent| parent.node.is_some());
        self.tree.open.push(open);
        let first = self.tree.properties.len();
        let declarations = self.declare(tag.attributes(), open.bindings)?;
        let name = self.resolve(tag.name, DefaultNamespace::Default)?;
        self.tree.path.push(b'/');
        self.tree.path.extend_from_slice(tag.name.of(self.document));
        let attributes = self.attributes(tag.attributes())?;
        if !inside || self.is_ignored(tag.name) {
            self.tree.properties.truncate(first);
            return Ok(());
        }
        let node = self.tree.push(NodeKind::Element { name, declarations, attributes });
        self.tree.elements += 1;
        self.tree.open.last_mut().expect("just pushed").node = Some(node);
        self.text = None;
        Ok(())
    }

    fn is_ignored(&self, name: Span) -> bool {
        !self.ignore.is_empty()
            && (self.ignore.has_property(name.of(self.document))
                || self.ignore.has_path(&self.tree.path))
    }

    /// Enters the namespace declarations among `attributes` into the scope. Returns those that
    /// change it, by prefix.
    fn declare(
        &mut self,
        attributes: &[AttributeSpan],
        outer: usize,
    ) -> Result<PropertyRange, XmlFlaw> {
        let first = self.tree.properties.len();
        for attribute in attributes {
            let Some(prefix) = self.declared_prefix(attribute.name)? else { continue };
            let value = self.attribute_value(attribute.value);
            let namespace = value.of(&self.tree.values);
            check_declaration(prefix.of(self.document), namespace)?;
            if self.tree.scope.len() == NAMESPACES_MAX {
                return Err(XmlFlaw::TooManyNamespaces);
            }
            self.tree.scope.push(PrefixBinding { prefix, namespace: value });
            let before =
                self.lookup(prefix, outer).map_or(&b""[..], |uri| uri.of(&self.tree.values));
            if before != namespace && prefix.of(self.document) != b"xml" {
                let name =
                    NameSpan { qualified: attribute.name, local_start: 0, namespace: Span::EMPTY };
                let value_namespace = Span::EMPTY;
                self.tree.properties.push(Property { name, value, value_namespace });
            }
        }
        let own = &mut self.tree.properties[first..];
        if own.len() > 1 {
            own.sort_unstable_by_key(|property| property.name.qualified.of(self.document));
        }
        Ok(self.properties_since(first))
    }

    /// Returns the prefix that an attribute declares, empty for the default namespace.
    fn declared_prefix(&self, name: Span) -> Result<Option<Span>, XmlFlaw> {
        let text = name.of(self.document);
        if !text.starts_with(b"xmlns") {
            return Ok(None);
        }
        Ok(match split(name, self.document)? {
            Some((prefix, local)) => {
                (prefix.of(self.document) == b"xmlns").then(|| name.skip(wide(local)))
            }
            None => (text == b"xmlns").then_some(Span::EMPTY),
        })
    }

    /// Returns what `prefix` stands for under the first `bindings` of the scope.
    fn lookup(&self, prefix: Span, bindings: usize) -> Option<ValueSpan> {
        self.lookup_text(prefix.of(self.document), bindings)
    }

    fn lookup_text(&self, prefix: &[u8], bindings: usize) -> Option<ValueSpan> {
        let mut bindings = self.tree.scope[..bindings].iter().rev();
        match bindings.find(|binding| binding.prefix.of(self.document) == prefix) {
            Some(binding) => Some(binding.namespace),
            None if prefix == b"xml" => Some(Span::new(0, XML_NAMESPACE.len())),
            None => None,
        }
    }

    fn resolve(&self, qualified: Span, unprefixed: DefaultNamespace) -> Result<NameSpan, XmlFlaw> {
        let parts = if self.has_colons { split(qualified, self.document)? } else { None };
        let Some((prefix, local)) = parts else {
            let namespace = match unprefixed {
                DefaultNamespace::Default => self.lookup(Span::EMPTY, self.tree.scope.len()),
                DefaultNamespace::None => None,
            };
            let namespace = namespace.unwrap_or(Span::EMPTY);
            return Ok(NameSpan { qualified, local_start: 0, namespace });
        };
        let namespace = self.lookup(prefix, self.tree.scope.len()).ok_or(XmlFlaw::Prefix)?;
        Ok(NameSpan { qualified, local_start: local, namespace })
    }

    /// Enters the attributes that are no declarations, by namespace and local name.
    fn attributes(&mut self, attributes: &[AttributeSpan]) -> Result<PropertyRange, XmlFlaw> {
        let first = self.tree.properties.len();
        for attribute in attributes {
            if self.declared_prefix(attribute.name)?.is_some() {
                continue;
            }
            let name = self.resolve(attribute.name, DefaultNamespace::None)?;
            let value = self.attribute_value(attribute.value);
            let value_namespace = self.value_namespace(name, value);
            self.tree.properties.push(Property { name, value, value_namespace });
        }
        let Self { document, tree: DocumentTree { properties, values, .. }, .. } = self;
        let key = |one: &Property| {
            let name = one.name.qualified.of(document);
            (one.name.namespace.of(values), &name[wide(one.name.local_start)..])
        };
        let own = &mut properties[first..];
        if own.len() > 1 {
            own.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
            if own.windows(2).any(|two| key(&two[0]) == key(&two[1])) {
                return Err(XmlFlaw::RepeatedAttribute);
            }
        }
        self.leave_out_ignored(first);
        Ok(self.properties_since(first))
    }

    /// Returns what the prefix in a value stands for, where the value is a qualified name: that of
    /// `xsi:type`. One without a prefix belongs to the default namespace, as an element would.
    fn value_namespace(&self, name: NameSpan, value: ValueSpan) -> ValueSpan {
        let view = TreeView { tree: self.tree, document: self.document };
        if !view.is_schema_type(name) {
            return Span::EMPTY;
        }
        let value = value.of(&self.tree.values);
        let prefix = memchr::memchr(b':', value).map_or(&b""[..], |colon| &value[..colon]);
        self.lookup_text(prefix, self.tree.scope.len()).unwrap_or(Span::EMPTY)
    }

    fn leave_out_ignored(&mut self, first: usize) {
        if self.ignore.is_empty() {
            return;
        }
        let Self { document, tree: DocumentTree { properties, path, .. }, ignore, .. } = self;
        let (length, mut kept) = (path.len(), first);
        for place in first..properties.len() {
            let name = properties[place].name.qualified.of(document);
            path.extend_from_slice(b"/@");
            path.extend_from_slice(name);
            if !ignore.has_property(name) && !ignore.has_path(path) {
                properties[kept] = properties[place];
                kept += 1;
            }
            path.truncate(length);
        }
        properties.truncate(kept);
    }

    fn properties_since(&self, first: usize) -> PropertyRange {
        PropertyRange { start: narrow(first), end: narrow(self.tree.properties.len()) }
    }

    fn close(&mut self) {
        let open = self.tree.open.pop().expect("opened before");
        self.tree.scope.truncate(open.bindings);
        self.tree.path.truncate(open.path);
        match open.node {
            Some(node) => {
                self.tree.nodes[wide(node)].end = narrow(self.tree.nodes.len());
                self.text = None;
            }
            // Text before and after what is ignored becomes one, also in memory.
            None => self.tree.values.truncate(open.values),
        }
    }

    /// Replaces references, and white space by spaces.
    fn attribute_value(&mut self, raw: Span) -> ValueSpan {
        let start = self.tree.values.len();
        decode(raw.of(self.document), TextRole::Attribute, &mut self.tree.values);
        Span::new(start, self.tree.values.len())
    }

    fn literal(&mut self, raw: Span) -> ValueSpan {
        let start = self.tree.values.len();
        decode(raw.of(self.document), TextRole::Literal, &mut self.tree.values);
        Span::new(start, self.tree.values.len())
    }

    fn content(&mut self, raw: Span, role: TextRole) {
        if self.is_left_out() {
            return;
        }
        let start = self.tree.values.len();
        decode(raw.of(self.document), role, &mut self.tree.values);
        let end = self.tree.values.len();
        if start == end {
            return;
        }
        match self.text {
            Some(node) => {
                if let NodeKind::Text(text) = &mut self.tree.nodes[wide(node)].kind {
                    *text = text.up_to(end);
                }
            }
            None => self.text = Some(self.tree.push(NodeKind::Text(Span::new(start, end)))),
        }
    }

    fn is_left_out(&self) -> bool {
        self.tree.open.last().is_some_and(|parent| parent.node.is_none())
    }
}

/// What a name without a prefix belongs to.
#[derive(Debug, Clone, Copy)]
enum DefaultNamespace {
    /// The default namespace.
    Default,
    /// No namespace.
    None,
}

/// Returns the prefix of a name and where its local part begins.
fn split(name: Span, document: &[u8]) -> Result<Option<(Span, u32)>, XmlFlaw> {
    let text = name.of(document);
    let Some(colon) = memchr::memchr(b':', text) else {
        return Ok(None);
    };
    let local = &text[colon + 1..];
    if colon == 0 || local.contains(&b':') || !xml::begins_name(local) {
        return Err(XmlFlaw::Colon);
    }
    Ok(Some((name.first(colon), narrow(colon + 1))))
}

fn check_declaration(prefix: &[u8], namespace: &[u8]) -> Result<(), XmlFlaw> {
    let allowed = match prefix {
        b"xml" => namespace == XML_NAMESPACE,
        b"xmlns" => false,
        _ if namespace == XML_NAMESPACE || namespace == XMLNS_NAMESPACE => false,
        b"" => true,
        _ => !namespace.is_empty(),
    };
    if allowed { Ok(()) } else { Err(XmlFlaw::NamespaceDeclaration) }
}

/// Where text stands, which decides what happens to its white space and references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextRole {
    Text,
    Attribute,
    /// CDATA and instructions: nothing but line ends is replaced.
    Literal,
}

/// Appends what `raw` stands for to `out`.
fn decode(raw: &[u8], role: TextRole, out: &mut Vec<u8>) {
    let is_special = |byte: &u8| match byte {
        b'\r' => true,
        b'&' => role != TextRole::Literal,
        b'\t' | b'\n' => role == TextRole::Attribute,
        _ => false,
    };
    let line_end = if role == TextRole::Attribute { b' ' } else { b'\n' };
    let mut rest = raw;
    while let Some(place) = rest.iter().position(is_special) {
        out.extend_from_slice(&rest[..place]);
        rest = &rest[place..];
        let used = match rest {
            [b'&', ..] => push_reference(rest, out),
            [b'\r', b'\n', ..] => {
                out.push(line_end);
                2
            }
            _ => {
                out.push(line_end);
                1
            }
        };
        rest = &rest[used..];
    }
    out.extend_from_slice(rest);
}

/// Appends what the reference at the start of `text` stands for. Returns its length.
fn push_reference(text: &[u8], out: &mut Vec<u8>) -> usize {
    let end = memchr::memchr(b';', text).expect("references were checked when they were read");
    let name = &text[1..end];
    let character = match name.strip_prefix(b"#") {
        Some(number) => xml::character_reference(number),
        None => xml::predefined(name),
    };
    let character = character.expect("references were checked when they were read");
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    end + 1
}

impl TokenSink for TreeBuilder<'_> {
    fn start(&mut self, tag: StartTag<'_>) -> Result<(), XmlFlaw> {
        self.open(tag)
    }

    fn empty(&mut self, tag: StartTag<'_>) -> Result<(), XmlFlaw> {
        self.open(tag)?;
        self.close();
        Ok(())
    }

    fn end(&mut self) {
        self.close();
    }

    fn text(&mut self, text: Span) {
        self.content(text, TextRole::Text);
    }

    fn cdata(&mut self, text: Span) {
        self.content(text, TextRole::Literal);
    }

    fn comment(&mut self, text: Span) {
        if self.comments == CommentMode::Kept && !self.is_left_out() {
            let value = self.literal(text);
            self.tree.push(NodeKind::Comment(value));
            self.text = None;
        }
    }

    fn instruction(&mut self, target: Span, data: Span) -> Result<(), XmlFlaw> {
        if target.of(self.document).contains(&b':') {
            return Err(XmlFlaw::Colon);
        }
        if !self.is_left_out() {
            let data = self.literal(data);
            self.tree.push(NodeKind::Instruction { target, data });
            self.text = None;
        }
        Ok(())
    }

    fn declaration(&mut self, version: Span, standalone: Span) {
        self.tree.declared = (self.literal(version), self.literal(standalone));
    }
}
