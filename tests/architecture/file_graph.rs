//! Which file of the workspace names what another one defines.
//!
//! An arrow runs from a file to the one in which an item is *defined*; modules that only hand names
//! on (`pub use`) are looked through. Calls of methods draw none: their receiver came along another
//! arrow.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};

use crate::source_tree::{SourceFile, SourceTree};

/// Files by their index in [`SourceTree::files`], and the arrows between them.
pub(crate) struct FileGraph {
    arrows: BTreeMap<usize, BTreeSet<usize>>,
}

/// The place of an item: a crate and the path within it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct ItemPath {
    owner: usize,
    segments: Vec<String>,
}

/// A path that code wrote, segment by segment.
pub(crate) type WrittenPath = Vec<String>;

/// One name that a `use` brings into a file.
pub(crate) struct NameImport {
    /// What it is called there; `*` for all of a module.
    pub(crate) name: String,
    pub(crate) path: WrittenPath,
    /// Whether the file hands it on.
    is_public: bool,
}

impl FileGraph {
    pub(crate) fn draw(tree: &SourceTree) -> Self {
        let resolver = PathResolver::new(tree);
        let mut arrows = BTreeMap::new();
        for (index, file) in tree.files.iter().enumerate() {
            let mut targets = resolver.targets(index, file);
            // A module is made of those below it: naming them is composition, not an import.
            targets.retain(|&target| !tree.files[target].is_within(file));
            arrows.insert(index, targets);
        }
        Self { arrows }
    }

    /// The groups of files that reach each other, by Tarjan's search.
    pub(crate) fn circles(&self) -> Vec<Vec<usize>> {
        let mut search = CircleSearch {
            graph: self,
            order: HashMap::new(),
            stack: Vec::new(),
            circles: Vec::new(),
        };
        for &file in self.arrows.keys() {
            if !search.order.contains_key(&file) {
                search.visit(file);
            }
        }
        search.circles.sort();
        search.circles
    }

    pub(crate) fn targets(&self, file: usize) -> &BTreeSet<usize> {
        &self.arrows[&file]
    }
}

struct CircleSearch<'a> {
    graph: &'a FileGraph,
    order: HashMap<usize, usize>,
    stack: Vec<usize>,
    circles: Vec<Vec<usize>>,
}

impl CircleSearch<'_> {
    /// Returns the earliest file on the stack that `file` reaches.
    fn visit(&mut self, file: usize) -> usize {
        let own = self.order.len();
        self.order.insert(file, own);
        self.stack.push(file);
        let mut lowest = own;
        for target in self.graph.targets(file) {
            match self.order.get(target) {
                None => lowest = lowest.min(self.visit(*target)),
                Some(&order) if self.stack.contains(target) => lowest = lowest.min(order),
                Some(_) => {}
            }
        }
        if lowest == own {
            let start = self.stack.iter().position(|&other| other == file);
            let mut circle = self.stack.split_off(start.expect("the file was pushed above"));
            circle.sort_unstable();
            if circle.len() > 1 {
                self.circles.push(circle);
            }
        }
        lowest
    }
}

/// Finds the file that defines what a path names.
struct PathResolver<'a> {
    tree: &'a SourceTree,
    modules: HashMap<ItemPath, usize>,
    imports: Vec<Vec<NameImport>>,
    defined: Vec<HashSet<String>>,
    faces: HashMap<&'a str, usize>,
}

impl<'a> PathResolver<'a> {
    fn new(tree: &'a SourceTree) -> Self {
        let modules = tree.files.iter().enumerate().map(|(index, file)| {
            (ItemPath { owner: file.owner, segments: file.module.clone() }, index)
        });
        Self {
            tree,
            // A program's `main.rs` comes after its `lib.rs`; what others name is in the library.
            modules: modules.filter(|(_, index)| !is_program(&tree.files[*index])).collect(),
            imports: tree.files.iter().map(imports).collect(),
            defined: tree.files.iter().map(defined_names).collect(),
            faces: tree
                .crates
                .iter()
                .enumerate()
                .map(|(index, owner)| (owner.name.as_str(), index))
                .collect(),
        }
    }

    fn targets(&self, index: usize, file: &SourceFile) -> BTreeSet<usize> {
        let private = self.imports[index].iter().filter(|import| !import.is_public);
        let imported = private.map(|import| import.path.clone());
        // A lower-case name alone is a variable more often than an item.
        let is_path =
            |path: &WrittenPath| path.len() > 1 || path[0].starts_with(char::is_uppercase);
        let written = written_paths(file).into_iter().filter(is_path);
        let paths = imported.chain(written);
        paths.filter_map(|path| self.definer(index, &path)).collect()
    }

    /// The file that defines what file `index` calls `path`; none for a module, which defines nothing
    /// by being named, and for what is not of the workspace.
    fn definer(&self, index: usize, path: &[String]) -> Option<usize> {
        self.follow(&self.absolute(index, path, 0)?, 0)
    }

    /// Where `path` leads, as file `index` writes it.
    fn absolute(&self, index: usize, path: &[String], depth: usize) -> Option<ItemPath> {
        let file = &self.tree.files[index];
        let (first, rest) = path.split_first()?;
        let within =
            |module: &[String]| ItemPath { owner: file.owner, segments: [module, rest].concat() };
        match first.as_str() {
            "crate" => return Some(within(&[])),
            "self" => return Some(within(&file.module)),
            "super" => {
                let up = rest.iter().take_while(|segment| *segment == "super").count();
                let above = file.module.len().checked_sub(up + 1)?;
                let segments = [&file.module[..above], &rest[up..]].concat();
                return Some(ItemPath { owner: file.owner, segments });
            }
            _ => {}
        }
        let import = self.imports[index].iter().find(|import| import.name == *first);
        // `use stats::stats` and the like name themselves.
        if let Some(import) = import.filter(|import| import.path != path && depth < 8) {
            let path = [import.path.as_slice(), rest].concat();
            return self.absolute(index, &path, depth + 1);
        }
        let child = [file.module.as_slice(), std::slice::from_ref(first)].concat();
        let child = ItemPath { owner: file.owner, segments: child };
        if self.modules.contains_key(&child) {
            return Some(ItemPath {
                segments: [child.segments.as_slice(), rest].concat(),
                ..child
            });
        }
        let owner = self.tree.owner(file);
        let name = owner.uses.get(first).or((owner.name == *first).then_some(first));
        let owner = *self.faces.get(name?.as_str())?;
        Some(ItemPath { owner, segments: rest.to_vec() })
    }

    /// The file that defines the item at `path`, through the modules that hand its name on.
    fn follow(&self, path: &ItemPath, depth: usize) -> Option<usize> {
        let at = |length: usize| ItemPath {
            owner: path.owner,
            segments: path.segments[..length].to_vec(),
        };
        let length = (0..=path.segments.len())
            .rev()
            .find(|&length| self.modules.contains_key(&at(length)))?;
        let file = self.modules[&at(length)];
        let (name, rest) = path.segments[length..].split_first()?;
        if self.defined[file].contains(name) || depth > 8 {
            return Some(file);
        }
        let handed = self.imports[file].iter().filter(|import| import.is_public);
        for import in handed.filter(|import| import.name == *name || import.name == "*") {
            let last = if import.name == "*" { std::slice::from_ref(name) } else { &[] };
            let path = [import.path.as_slice(), last, rest].concat();
            let Some(path) = self.absolute(file, &path, 0) else { continue };
            if let Some(found) = self.follow(&path, depth + 1) {
                let is_guess = import.name == "*" && !self.defined[found].contains(name);
                if !is_guess {
                    return Some(found);
                }
            }
        }
        Some(file)
    }
}

fn is_program(file: &SourceFile) -> bool {
    file.path.ends_with("src/main.rs")
}

/// The names that the `use` items of a file's production code bring into it.
pub(crate) fn imports(file: &SourceFile) -> Vec<NameImport> {
    let mut collector = ImportCollector { file, found: Vec::new() };
    collector.visit_file(&file.syntax);
    collector.found
}

struct ImportCollector<'a> {
    file: &'a SourceFile,
    found: Vec<NameImport>,
}

impl<'ast> Visit<'ast> for ImportCollector<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if self.file.is_production(item) {
            let is_public = !matches!(item.vis, syn::Visibility::Inherited);
            flatten(&item.tree, &mut Vec::new(), is_public, &mut self.found);
        }
    }
}

fn flatten(
    tree: &syn::UseTree,
    above: &mut WrittenPath,
    is_public: bool,
    out: &mut Vec<NameImport>,
) {
    let mut add = |name: String, last: String| {
        let mut path = above.clone();
        if last != "self" {
            path.push(last);
        }
        let name = if name == "self" { above.last().cloned().unwrap_or(name) } else { name };
        out.push(NameImport { name, path, is_public });
    };
    match tree {
        syn::UseTree::Path(path) => {
            above.push(path.ident.to_string());
            flatten(&path.tree, above, is_public, out);
            above.pop();
        }
        syn::UseTree::Name(name) => add(name.ident.to_string(), name.ident.to_string()),
        syn::UseTree::Rename(rename) => add(rename.rename.to_string(), rename.ident.to_string()),
        syn::UseTree::Glob(_) => add("*".to_owned(), "self".to_owned()),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, above, is_public, out);
            }
        }
    }
}

/// The items that a file defines at its own level.
fn defined_names(file: &SourceFile) -> HashSet<String> {
    let production = file.syntax.items.iter().filter(|item| file.is_production(*item));
    let names = production.filter_map(|item| match item {
        syn::Item::Const(item) => Some(&item.ident),
        syn::Item::Enum(item) => Some(&item.ident),
        syn::Item::Fn(item) => Some(&item.sig.ident),
        syn::Item::Macro(item) => item.ident.as_ref(),
        syn::Item::Static(item) => Some(&item.ident),
        syn::Item::Struct(item) => Some(&item.ident),
        syn::Item::Trait(item) => Some(&item.ident),
        syn::Item::Type(item) => Some(&item.ident),
        syn::Item::Union(item) => Some(&item.ident),
        _ => None,
    });
    names.map(ToString::to_string).collect()
}

/// Every path in the production code of a file outside its `use` items, also within macros, where
/// code is tokens only. A name alone is a path of one segment; that of a macro ends with `!`.
pub(crate) fn written_paths(file: &SourceFile) -> Vec<WrittenPath> {
    let mut collector = PathCollector { file, found: Vec::new() };
    for item in &file.syntax.items {
        collector.visit_item(item);
    }
    collector.found
}

struct PathCollector<'a> {
    file: &'a SourceFile,
    found: Vec<WrittenPath>,
}

impl<'ast> Visit<'ast> for PathCollector<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Use(_) => {}
            // Entered, to leave out the `use` items in it.
            syn::Item::Mod(module) if module.content.is_some() => visit::visit_item(self, item),
            _ => collect_paths(self.file, item.to_token_stream(), &mut self.found),
        }
    }
}

fn collect_paths(file: &SourceFile, tokens: TokenStream, out: &mut Vec<WrittenPath>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_colon = |index: usize| matches!(tokens.get(index), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        index += 1;
        match token {
            // An attribute's brackets hold no code of this file.
            TokenTree::Group(group)
                if group.delimiter() != Delimiter::Bracket || !follows_hash(&tokens, index - 1) =>
            {
                collect_paths(file, group.stream(), out);
            }
            TokenTree::Ident(first) if file.is_production_line(first.span().start().line) => {
                let mut path = vec![first.to_string()];
                while is_colon(index) && is_colon(index + 1) {
                    let Some(TokenTree::Ident(next)) = tokens.get(index + 2) else { break };
                    path.push(next.to_string());
                    index += 3;
                }
                if calls_macro(&tokens, index) {
                    path.last_mut().expect("a path has a first segment").push('!');
                }
                out.push(path);
            }
            _ => {}
        }
    }
}

/// Whether `!` stands at `index`, and is not the beginning of `!=`.
fn calls_macro(tokens: &[TokenTree], index: usize) -> bool {
    let bang = matches!(tokens.get(index), Some(TokenTree::Punct(punct)) if punct.as_char() == '!');
    bang && matches!(tokens.get(index + 1), Some(TokenTree::Group(_)))
}

fn follows_hash(tokens: &[TokenTree], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|index| tokens.get(index));
    matches!(before, Some(TokenTree::Punct(punct)) if punct.as_char() == '#')
}
