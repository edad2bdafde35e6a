//! What each source line cost, with the lines that it was inlined into.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use addr2line::Loader;

use crate::graph::{CallEdge, CallGraph};
use crate::names;

/// A line of source and the function that it stands in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceFrame {
    /// The function's readable name.
    pub function: Arc<str>,
    /// The file: from the root of the repository where it is in it, else in full; empty if it is not known.
    pub file: Arc<str>,
    /// The line, from 1; 0 if it is not known.
    pub line: u32,
    /// Whether the file is one of the repository.
    pub is_own: bool,
}

/// A line, then the line that it was inlined at, and so on; the last is in the function that was compiled.
pub type InlineChain = Arc<[SourceFrame]>;

/// What one build cost, by function and line.
#[derive(Debug, Clone, Default)]
pub struct LineProfile {
    /// What lines cost themselves, by function.
    pub(super) own: BTreeMap<(Arc<str>, InlineChain), u64>,
    /// Calls from lines, by calling function, and the function that is called.
    pub(super) calls: BTreeMap<(Arc<str>, InlineChain, Arc<str>), CallEdge>,
    /// Units of work behind the costs.
    pub(super) units: f64,
}

impl LineProfile {
    /// Finds the lines of what was counted, by the line tables of the programs that the counts name. `root` is
    /// that of the repository where it was built, `units` the units of work that were counted.
    pub fn resolve(graph: &CallGraph, root: &Path, units: u64) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let mut resolver = LineResolver { root, objects: HashMap::new(), chains: HashMap::new() };
        let mut profile = Self { units: units as f64, ..Self::default() };
        for (place, cost) in graph.costs_at() {
            let chain = resolver.chain(place.object, place.function, place.address);
            *profile.own.entry((Arc::clone(place.function), chain)).or_default() += cost;
        }
        for (place, callee, call) in graph.calls_at() {
            let chain = resolver.chain(place.object, place.function, place.address);
            let key = (Arc::clone(place.function), chain, Arc::clone(callee));
            profile.calls.entry(key).or_default().add(call);
        }
        profile
    }

    /// Returns what all lines cost, in instructions.
    pub fn total(&self) -> u64 {
        self.own.values().sum()
    }

    /// Returns whether any line of the repository is known.
    pub fn has_lines(&self) -> bool {
        self.own.keys().any(|(_, chain)| chain.iter().any(|frame| frame.is_own))
    }
}

/// Finds lines by addresses, each once.
struct LineResolver {
    root: PathBuf,
    /// Line tables by object file; none of one that has none.
    objects: HashMap<String, Option<Loader>>,
    chains: HashMap<(String, u64), InlineChain>,
}

impl LineResolver {
    fn chain(&mut self, object: &str, function: &Arc<str>, address: u64) -> InlineChain {
        let key = (object.to_owned(), address);
        if let Some(chain) = self.chains.get(&key) {
            return Arc::clone(chain);
        }
        let loader = self.objects.entry(object.to_owned());
        let loader = loader.or_insert_with(|| Loader::new(object).ok());
        let frames = loader.as_ref().map(|loader| frames(loader, object, address, &self.root));
        let mut frames = frames.unwrap_or_default();
        if let Some(last) = frames.last_mut() {
            // The linker's name, as the counts have it, also of code that no function is said to hold.
            last.function = Arc::clone(function);
        } else {
            let (function, file) = (Arc::clone(function), "".into());
            frames.push(SourceFrame { function, file, line: 0, is_own: false });
        }
        let chain: InlineChain = frames.into();
        self.chains.insert(key, Arc::clone(&chain));
        chain
    }
}

fn frames(loader: &Loader, object: &str, address: u64, root: &Path) -> Vec<SourceFrame> {
    let mut found = Vec::new();
    let Ok(mut frames) = loader.find_frames(address) else { return found };
    while let Ok(Some(frame)) = frames.next() {
        let function = frame.function.as_ref().and_then(|name| name.raw_name().ok());
        let function = function.map(|name| names::readable(&name, object)).unwrap_or_default();
        let location = frame.location.as_ref();
        let (file, is_own) = named(location.and_then(|it| it.file).unwrap_or_default(), root);
        let line = location.and_then(|it| it.line).unwrap_or(0);
        found.push(SourceFrame { function: function.into(), file: file.into(), line, is_own });
    }
    found
}

/// The name of a file without detours, and whether it is in the repository.
fn named(file: &str, root: &Path) -> (String, bool) {
    let mut path = PathBuf::new();
    for component in Path::new(file).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                path.push(component);
            }
        }
    }
    match path.strip_prefix(root) {
        Ok(inside) => (inside.display().to_string(), true),
        Err(_) => (path.display().to_string(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
__attribute__((always_inline)) static inline int inner(int x) { return x * x + 1; }
__attribute__((noinline)) int here(int x) {
    return inner(x) ^ 7;
}
int main(int count, char **words) {
    (void)words;
    return here(count);
}
";

    #[test]
    fn lines_of_a_program_are_found_and_add_up_to_what_was_counted() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::write(root.join("a.c"), SOURCE).unwrap();
        let words = ["-O1", "-g1", "-o", "api", "a.c"];
        let built = std::process::Command::new("cc").args(words).current_dir(&root).status();
        assert!(built.unwrap().success());
        let program = root.join("api");
        let functions = sut::elf::ElfFile::open(&program).unwrap().functions().unwrap();
        let here = functions.iter().find(|function| function.name == "here").unwrap();
        let lines = (0..here.bytes).map(|at| format!("{:#x} 1 10", here.address + at));
        let lines = lines.collect::<Vec<_>>().join("\n");
        let text = format!(
            "positions: instr line\nevents: Ir\nob={}\nfl=a.c\nfn=here\n{}\n\
             ob=/nowhere/lib.so\nfl=b.c\nfn=lost\n0x10 1 12\n",
            program.display(),
            lines
        );
        let graph = CallGraph::parse(&text).unwrap();
        let profile = LineProfile::resolve(&graph, &root, 3);
        assert_eq!(profile.total(), graph.total());
        assert!(profile.has_lines());
        let chains = profile.own.keys().map(|(function, chain)| {
            let frames = chain.iter().map(|it| format!("{} {}:{}", it.function, it.file, it.line));
            format!("{function}: {}", frames.collect::<Vec<_>>().join(" < "))
        });
        let chains: Vec<String> = chains.collect();
        assert!(chains.contains(&"here: inner a.c:1 < here a.c:3".to_owned()), "{chains:?}");
        assert!(chains.contains(&"lost: lost :0".to_owned()), "{chains:?}");
    }

    #[test]
    fn files_are_named_from_the_root_without_detours() {
        let root = Path::new("/work/api");
        for (file, expected) in [
            ("/work/api/./src/main.rs", ("src/main.rs", true)),
            ("/work/api/src/../include/a.h", ("include/a.h", true)),
            ("/work/api-old/src/main.rs", ("/work/api-old/src/main.rs", false)),
            ("", ("", false)),
        ] {
            assert_eq!(named(file, root), (expected.0.to_owned(), expected.1));
        }
    }
}
