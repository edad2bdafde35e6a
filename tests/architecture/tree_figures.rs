//! What can be counted about a tree: the figures that say whether its names, its functions and its
//! arrows are easy to find one's way in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::file_graph::FileGraph;
use crate::source_tree::{LineKind, SourceFile, SourceTree};

/// Words that hide who or what acts. `style.md` of the project allows them where HTTP or a message
/// of another program has them, which is about three times in 10 000 lines.
const HIDING_WORDS: [&str; 6] = ["whoever", "nobody", "somebody", "stranger", "told", "asked"];

/// Nouns of the field that end like participles.
const NOUNS: [&str; 12] = [
    "Binding", "Encoding", "Finding", "Framing", "Heading", "Pacing", "Reading", "Seed", "Setting",
    "Speed", "String", "Timing",
];

/// Participles that end neither in -ed nor in -ing.
const IRREGULAR: [&str; 22] = [
    "Built", "Chosen", "Drawn", "Driven", "Foreseen", "Found", "Given", "Gone", "Held", "Kept",
    "Known", "Left", "Made", "Seen", "Sent", "Set", "Shown", "Spent", "Taken", "Told", "Unsent",
    "Written",
];

/// How many lines in a row make a repeated block.
const BLOCK_LINES: usize = 6;

/// All that is counted about the production code of a tree, and its words.
pub(crate) struct TreeFigures {
    pub(crate) circles: Vec<Vec<PathBuf>>,
    pub(crate) types: Vec<TypeName>,
    pub(crate) function_lines: Vec<FunctionLength>,
    pub(crate) hiding_words: Vec<WordPlace>,
    /// Lines of all Rust files, those of tests included.
    pub(crate) rust_lines: usize,
    pub(crate) code_lines: usize,
    pub(crate) comment_lines: usize,
    pub(crate) documentation_lines: usize,
    pub(crate) repeated_blocks: Vec<RepeatedBlock>,
    pub(crate) locked_packages: usize,
}

/// A type that the production code defines.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TypeName {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FunctionLength {
    /// Lines of code from the signature to the closing brace.
    pub(crate) lines: usize,
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// One of [`HIDING_WORDS`] in a Rust file.
pub(crate) struct WordPlace {
    pub(crate) word: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
}

/// Lines that stand at another place of the production code as well, letter by letter.
pub(crate) struct RepeatedBlock {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) length: usize,
}

impl TreeFigures {
    pub(crate) fn count(tree: &SourceTree) -> Self {
        let circles = FileGraph::draw(tree).circles().into_iter();
        let circles = circles
            .map(|circle| circle.into_iter().map(|file| tree.files[file].path.clone()).collect());
        let mut items = ItemCollector::default();
        for file in &tree.files {
            items.collect(file);
        }
        items.types.sort();
        items.functions.sort();
        let count = |kind| tree.files.iter().map(|file| file.count(kind)).sum();
        let (hiding_words, rust_lines) = hiding_words(&tree.root);
        Self {
            circles: circles.collect(),
            types: items.types,
            function_lines: items.functions,
            hiding_words,
            rust_lines,
            code_lines: count(LineKind::Code),
            comment_lines: count(LineKind::Comment),
            documentation_lines: count(LineKind::Documentation),
            repeated_blocks: repeated_blocks(&tree.files),
            locked_packages: locked_packages(&tree.root),
        }
    }

    /// Types whose name another type of the workspace has as well.
    pub(crate) fn shared_types(&self) -> Vec<&TypeName> {
        let mut count: HashMap<&str, usize> = HashMap::new();
        for defined in &self.types {
            *count.entry(&defined.name).or_default() += 1;
        }
        self.types.iter().filter(|defined| count[defined.name.as_str()] > 1).collect()
    }

    pub(crate) fn shared_share(&self) -> f64 {
        self.share_of_types(self.shared_types().len())
    }

    /// Types whose name is one word.
    pub(crate) fn one_word_share(&self) -> f64 {
        self.share_of_types(self.types.iter().filter(|defined| is_one_word(&defined.name)).count())
    }

    /// Types that are named by a participle: by what was done to something, and not by what it is.
    pub(crate) fn participles(&self) -> Vec<&TypeName> {
        self.types.iter().filter(|defined| is_participle(&defined.name)).collect()
    }

    pub(crate) fn words_in_10_000_lines(&self) -> f64 {
        self.hiding_words.len() as f64 * 10_000.0 / self.rust_lines as f64
    }

    /// Lines that 95 of 100 functions do not exceed.
    pub(crate) fn function_p95(&self) -> usize {
        let rank = (self.function_lines.len() * 95).div_ceil(100).saturating_sub(1);
        self.function_lines.get(rank).map_or(0, |function| function.lines)
    }

    pub(crate) fn function_max(&self) -> usize {
        self.function_lines.last().map_or(0, |function| function.lines)
    }

    /// Lines of inline comment for each line of code.
    pub(crate) fn comment_share(&self) -> f64 {
        self.comment_lines as f64 / self.code_lines as f64
    }

    fn share_of_types(&self, count: usize) -> f64 {
        count as f64 / self.types.len() as f64
    }
}

impl fmt::Display for TreeFigures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self.types.len();
        let rows: [(&str, String); 14] = [
            ("circles of files", self.circles.len().to_string()),
            ("type names", types.to_string()),
            ("type names shared, %", format!("{:.1}", self.shared_share() * 100.0)),
            ("type names of one word, %", format!("{:.1}", self.one_word_share() * 100.0)),
            ("participles as type names", self.participles().len().to_string()),
            ("hiding words in 10 000 lines", format!("{:.1}", self.words_in_10_000_lines())),
            ("functions", self.function_lines.len().to_string()),
            ("lines of a function, p95", self.function_p95().to_string()),
            ("lines of a function, max", self.function_max().to_string()),
            ("inline comments a code line", format!("{:.4}", self.comment_share())),
            ("repeated blocks", self.repeated_blocks.len().to_string()),
            ("lines of production code", self.code_lines.to_string()),
            ("lines of its documentation", self.documentation_lines.to_string()),
            ("packages in the lock file", self.locked_packages.to_string()),
        ];
        for (name, value) in rows {
            writeln!(out, "{name}\t{value}")?;
        }
        Ok(())
    }
}

/// The number of words of a name in camel case; an abbreviation in capitals is one.
fn is_one_word(name: &str) -> bool {
    let letters: Vec<char> = name.chars().collect();
    let starts = (1..letters.len()).filter(|&index| {
        let after_small = !letters[index - 1].is_uppercase();
        let before_small = letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        letters[index].is_uppercase() && (after_small || before_small)
    });
    starts.count() == 0
}

fn is_participle(name: &str) -> bool {
    let ends = name.ends_with("ed") || (name.ends_with("ing") && name.len() > 5);
    is_one_word(name) && !NOUNS.contains(&name) && (ends || IRREGULAR.contains(&name))
}

/// The types and functions of production code.
#[derive(Default)]
struct ItemCollector {
    types: Vec<TypeName>,
    functions: Vec<FunctionLength>,
}

impl ItemCollector {
    fn collect(&mut self, file: &SourceFile) {
        FileVisitor { file, items: self }.visit_file(&file.syntax);
    }
}

struct FileVisitor<'a> {
    file: &'a SourceFile,
    items: &'a mut ItemCollector,
}

impl FileVisitor<'_> {
    fn add_function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        if !self.file.is_production(signature) {
            return;
        }
        let (first, last) = (signature.span().start().line, body.span().end().line);
        let lines = &self.file.lines[first - 1..last];
        self.items.functions.push(FunctionLength {
            lines: lines.iter().filter(|line| line.kind == LineKind::Code).count(),
            name: signature.ident.to_string(),
            path: self.file.path.clone(),
        });
    }
}

impl<'ast> Visit<'ast> for FileVisitor<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let name = match item {
            syn::Item::Enum(item) => Some(&item.ident),
            syn::Item::Struct(item) => Some(&item.ident),
            syn::Item::Trait(item) => Some(&item.ident),
            syn::Item::Type(item) => Some(&item.ident),
            syn::Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        if let Some(name) = name.filter(|name| self.file.is_production(*name)) {
            self.items
                .types
                .push(TypeName { name: name.to_string(), path: self.file.path.clone() });
        }
        visit::visit_item(self, item);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add_function(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add_function(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.add_function(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Where any Rust file of the tree has one of [`HIDING_WORDS`], and how many lines they have in all.
fn hiding_words(root: &Path) -> (Vec<WordPlace>, usize) {
    let (mut found, mut lines) = (Vec::new(), 0);
    let folders = ["src", "crates", "tests", "benches", "examples", "fuzz"];
    for path in folders.iter().flat_map(|folder| rust_files(&root.join(folder))) {
        // The list itself stands in this file.
        if path.ends_with(file!()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a file that is listed can be read");
        for (index, line) in text.lines().enumerate() {
            lines += 1;
            let words = line.split(|letter: char| !letter.is_alphabetic()).map(str::to_lowercase);
            for word in words.filter_map(|word| hiding_word(&word)) {
                let path = path.strip_prefix(root).expect("the path was made from the root");
                found.push(WordPlace { word, path: path.to_owned(), line: index + 1 });
            }
        }
    }
    (found, lines)
}

fn hiding_word(word: &str) -> Option<&'static str> {
    let singular = word.strip_suffix('s').unwrap_or(word);
    HIDING_WORDS.into_iter().find(|listed| *listed == word || *listed == singular)
}

/// The Rust files below a folder, without what was built.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("a folder lists its entries").path();
        if path.is_dir() {
            // `src/target` of the old tree held source; a folder of cargo has a mark.
            if !path.join("CACHEDIR.TAG").is_file() {
                files.extend(rust_files(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Blocks of at least [`BLOCK_LINES`] lines that stand more than once. Lines without a letter and
/// imports do not count: they repeat in any code.
fn repeated_blocks(files: &[SourceFile]) -> Vec<RepeatedBlock> {
    let telling: Vec<Vec<(usize, &str)>> = files.iter().map(telling_lines).collect();
    let mut places: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    for lines in &telling {
        for window in lines.windows(BLOCK_LINES) {
            *places.entry(window.iter().map(|(_, line)| *line).collect()).or_default() += 1;
        }
    }
    let repeated: HashSet<Vec<&str>> =
        places.into_iter().filter(|(_, count)| *count > 1).map(|(block, _)| block).collect();
    let mut blocks = Vec::new();
    for (file, lines) in files.iter().zip(&telling) {
        let mut end = 0;
        for (start, window) in lines.windows(BLOCK_LINES).enumerate() {
            let window: Vec<&str> = window.iter().map(|(_, line)| *line).collect();
            if !repeated.contains(&window) {
                continue;
            }
            // A window that overlaps the one before continues its block.
            match blocks.last_mut() {
                Some(RepeatedBlock { length, .. }) if start < end => *length += 1,
                _ => blocks.push(RepeatedBlock {
                    path: file.path.clone(),
                    line: lines[start].0,
                    length: BLOCK_LINES,
                }),
            }
            end = start + BLOCK_LINES;
        }
    }
    blocks
}

fn telling_lines(file: &SourceFile) -> Vec<(usize, &str)> {
    let mut imports = false;
    let mut lines = Vec::new();
    for (index, line) in file.lines.iter().enumerate() {
        let text = line.text.trim();
        imports |=
            ["use ", "pub use ", "pub(crate) use "].iter().any(|start| text.starts_with(start));
        if line.kind == LineKind::Code && !imports && text.contains(char::is_alphanumeric) {
            lines.push((index + 1, text));
        }
        imports &= !text.ends_with(';');
    }
    lines
}

fn locked_packages(root: &Path) -> usize {
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    lock.lines().filter(|line| *line == "[[package]]").count()
}
