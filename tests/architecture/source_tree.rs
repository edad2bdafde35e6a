//! The production code of a workspace, parsed: every file that its crates compile, without what only
//! tests compile.
//!
//! Items under `#[cfg(test)]` are left out wherever they stand in a file; cutting the text at the
//! first one would leave what follows it unchecked.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A workspace: the package at the root and those in `crates/`.
pub(crate) struct SourceTree {
    pub(crate) root: PathBuf,
    pub(crate) crates: Vec<CrateSource>,
    pub(crate) files: Vec<SourceFile>,
}

/// One package of the workspace.
pub(crate) struct CrateSource {
    /// As code names it: `xmlperf`, and for the others the name of their folder.
    pub(crate) name: String,
    /// Its dependencies within the workspace: how its code names them, and the crate meant.
    pub(crate) uses: BTreeMap<String, String>,
}

/// A file of production code.
pub(crate) struct SourceFile {
    /// Index in [`SourceTree::crates`].
    pub(crate) owner: usize,
    /// Path from the root of the workspace.
    pub(crate) path: PathBuf,
    /// Path of modules within the crate; empty for `lib.rs` and `main.rs`.
    pub(crate) module: Vec<String>,
    pub(crate) syntax: syn::File,
    pub(crate) lines: Vec<SourceLine>,
    tests: Vec<RangeInclusive<usize>>,
}

/// A line of a file, with what it is.
pub(crate) struct SourceLine {
    pub(crate) text: String,
    pub(crate) kind: LineKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LineKind {
    Blank,
    Code,
    /// `//`, alone on its line.
    Comment,
    /// `///` or `//!`.
    Documentation,
    /// Part of an item that only tests compile.
    Test,
}

impl SourceTree {
    /// Reads this workspace, or the checkout that `FIGURES_OF` names.
    pub(crate) fn here() -> Self {
        let root = std::env::var_os("FIGURES_OF").map(PathBuf::from);
        Self::read(&root.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()))
    }

    /// Reads the workspace whose root is `root`. Panics where it cannot be read: a test that does not
    /// see the source must fail.
    fn read(root: &Path) -> Self {
        let manifests = manifests(root);
        let shared = &manifests[0].1;
        let names = package_names(&manifests);
        let crates = manifests.iter().map(|(folder, manifest)| CrateSource {
            name: crate_name(folder, manifest),
            uses: workspace_dependencies(manifest, shared, &names),
        });
        let mut tree = Self { root: root.to_owned(), crates: crates.collect(), files: Vec::new() };
        for (owner, (folder, _)) in manifests.iter().enumerate() {
            for face in ["lib.rs", "main.rs"] {
                let path = folder.join("src").join(face);
                if root.join(&path).is_file() {
                    tree.read_file(owner, &path, &folder.join("src"), Vec::new());
                }
            }
        }
        assert!(!tree.files.is_empty(), "no source below {}", root.display());
        tree
    }

    /// Reads a file and those of the modules that it declares, which stand in `children`.
    fn read_file(&mut self, owner: usize, path: &Path, children: &Path, module: Vec<String>) {
        let text = fs::read_to_string(self.root.join(path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = SourceFile::parse(owner, path, module, &text);
        for declared in file.declared_modules() {
            let folder = declared.iter().fold(children.to_owned(), |path, name| path.join(name));
            let flat = folder.with_extension("rs");
            let path = if self.root.join(&flat).is_file() { flat } else { folder.join("mod.rs") };
            let module = file.module.iter().cloned().chain(declared).collect();
            self.read_file(owner, &path, &folder, module);
        }
        self.files.push(file);
    }

    /// The crate of `file`.
    pub(crate) fn owner(&self, file: &SourceFile) -> &CrateSource {
        &self.crates[file.owner]
    }
}

impl SourceFile {
    pub(crate) fn parse(owner: usize, path: &Path, module: Vec<String>, text: &str) -> Self {
        let wrong = |error: syn::Error| panic!("{}: {error}", path.display());
        let syntax = syn::parse_file(text).unwrap_or_else(wrong);
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| {
            panic!("{}: {error}", path.display());
        });
        let mut finder = TestFinder::default();
        finder.visit_file(&syntax);
        let literals = long_literals(tokens);
        let lines = text.lines().enumerate().map(|(index, line)| {
            let within = |ranges: &[RangeInclusive<usize>]| {
                ranges.iter().any(|range| range.contains(&(index + 1)))
            };
            let kind = if within(&finder.tests) {
                LineKind::Test
            } else if within(&literals) {
                LineKind::Code
            } else {
                line_kind(line)
            };
            SourceLine { text: line.to_owned(), kind }
        });
        let lines = lines.collect();
        Self { owner, path: path.to_owned(), module, syntax, lines, tests: finder.tests }
    }

    /// Whether `node` is compiled without tests.
    pub(crate) fn is_production(&self, node: &impl Spanned) -> bool {
        self.is_production_line(node.span().start().line)
    }

    /// Whether line `line`, from 1, is compiled without tests.
    pub(crate) fn is_production_line(&self, line: usize) -> bool {
        !self.tests.iter().any(|range| range.contains(&line))
    }

    /// Whether this file is of the module of `other`, or of one below it.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.owner == other.owner && self.module.starts_with(&other.module)
    }

    pub(crate) fn count(&self, kind: LineKind) -> usize {
        self.lines.iter().filter(|line| line.kind == kind).count()
    }

    /// The modules whose text stands in files of their own, as paths below this file's module.
    fn declared_modules(&self) -> Vec<Vec<String>> {
        fn collect(
            file: &SourceFile,
            items: &[syn::Item],
            above: &[String],
            out: &mut Vec<Vec<String>>,
        ) {
            for item in items {
                let syn::Item::Mod(module) = item else { continue };
                if !file.is_production(module) {
                    continue;
                }
                let path = [above, &[module.ident.to_string()]].concat();
                match &module.content {
                    Some((_, items)) => collect(file, items, &path, out),
                    None => out.push(path),
                }
            }
        }
        let mut modules = Vec::new();
        collect(self, &self.syntax.items, &[], &mut modules);
        modules
    }
}

/// The lines of all that only tests compile.
#[derive(Default)]
struct TestFinder {
    tests: Vec<RangeInclusive<usize>>,
}

impl TestFinder {
    /// Notes `node` if it is of tests; else says that its parts are to be looked at.
    fn enters(&mut self, node: &(impl ToTokens + Spanned)) -> bool {
        let is_test = attributes(node).iter().any(is_test_attribute);
        if is_test {
            self.tests.push(node.span().start().line..=node.span().end().line);
        }
        !is_test
    }
}

impl<'ast> Visit<'ast> for TestFinder {
    fn visit_file(&mut self, file: &'ast syn::File) {
        if file.attrs.iter().any(is_test_attribute) {
            self.tests.push(1..=usize::MAX);
        } else {
            visit::visit_file(self, file);
        }
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        if self.enters(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        if self.enters(item) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        if self.enters(item) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if self.enters(variant) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if self.enters(field) {
            visit::visit_field(self, field);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if self.enters(arm) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        if self.enters(statement) {
            visit::visit_stmt(self, statement);
        }
    }
}

/// The outer attributes of any node. Read from its tokens, since each kind of node keeps them in a
/// field of its own.
fn attributes(node: &impl ToTokens) -> Vec<syn::Attribute> {
    let read = |input: ParseStream<'_>| {
        let attributes = input.call(syn::Attribute::parse_outer)?;
        input.parse::<TokenStream>()?;
        Ok(attributes)
    };
    let mut tokens = node.to_token_stream().into_iter().peekable();
    // Most nodes have none, and copying all tokens of a module to find that out is slow.
    match tokens.peek() {
        Some(TokenTree::Punct(first)) if first.as_char() == '#' => {
            read.parse2(tokens.collect()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Whether the attribute is `#[test]`, or a `#[cfg(…)]` with `test`, not negated, in it.
fn is_test_attribute(attribute: &syn::Attribute) -> bool {
    if attribute.path().is_ident("test") {
        return true;
    }
    let has = |list: &syn::MetaList, word: &str| {
        let mut tokens = list.tokens.clone().into_iter();
        tokens.any(|token| matches!(token, TokenTree::Ident(name) if name == word))
    };
    // `any(test, feature = "fixtures")` is one: only tests of other crates switch that feature on. One
    // with `not` is none: `any(test, not(target_os = "linux"))` is production code of other systems.
    let condition = |meta: &syn::Meta| match meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => has(list, "test"),
        syn::Meta::List(list) if list.path.is_ident("any") => {
            has(list, "test") && !has(list, "not")
        }
        _ => false,
    };
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Meta>().is_ok_and(|meta| condition(&meta))
}

/// The lines over which literals of more than one line reach: whatever a line of them looks like, it
/// is code.
fn long_literals(tokens: TokenStream) -> Vec<RangeInclusive<usize>> {
    let mut ranges = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => ranges.extend(long_literals(group.stream())),
            TokenTree::Literal(literal) => {
                let (first, last) = (literal.span().start().line, literal.span().end().line);
                if first < last {
                    ranges.push(first..=last);
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
    ranges
}

fn line_kind(line: &str) -> LineKind {
    let line = line.trim();
    if line.is_empty() {
        LineKind::Blank
    } else if line.starts_with("///") || line.starts_with("//!") {
        LineKind::Documentation
    } else if line.starts_with("//") {
        LineKind::Comment
    } else {
        LineKind::Code
    }
}

/// The manifests, that of the root first, each with its folder from the root.
fn manifests(root: &Path) -> Vec<(PathBuf, toml::Table)> {
    let mut folders = vec![PathBuf::new()];
    if let Ok(entries) = fs::read_dir(root.join("crates")) {
        let entries = entries.map(|entry| entry.expect("a folder lists its entries").file_name());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        folders.extend(names.into_iter().map(|name| Path::new("crates").join(name)));
    }
    let read = |folder: PathBuf| {
        let text = fs::read_to_string(root.join(&folder).join("Cargo.toml")).ok()?;
        Some((folder, text.parse().expect("a manifest that cargo reads is TOML")))
    };
    folders.into_iter().filter_map(read).collect()
}

fn crate_name(folder: &Path, manifest: &toml::Table) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| package_name(manifest)).replace('-', "_")
}

fn package_name(manifest: &toml::Table) -> String {
    manifest["package"]["name"].as_str().expect("a package has a name").to_owned()
}

/// From the names of packages to those of [`CrateSource`].
fn package_names(manifests: &[(PathBuf, toml::Table)]) -> BTreeMap<String, String> {
    let names = manifests
        .iter()
        .map(|(folder, manifest)| (package_name(manifest), crate_name(folder, manifest)));
    names.collect()
}

/// The dependencies of production code within the workspace; `shared` is the manifest with
/// `[workspace.dependencies]`.
fn workspace_dependencies(
    manifest: &toml::Table,
    shared: &toml::Table,
    names: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let declared = shared.get("workspace").and_then(|table| table.get("dependencies"));
    let mut found = BTreeMap::new();
    let Some(dependencies) = manifest.get("dependencies").and_then(toml::Value::as_table) else {
        return found;
    };
    for (key, value) in dependencies {
        let inherits = value.get("workspace").is_some();
        let declaration =
            if inherits { declared.and_then(|table| table.get(key)) } else { Some(value) };
        let package = declaration.and_then(|table| table.get("package"));
        let package = package.and_then(toml::Value::as_str).unwrap_or(key);
        if let Some(name) = names.get(package) {
            found.insert(key.replace('-', "_"), name.clone());
        }
    }
    found
}
