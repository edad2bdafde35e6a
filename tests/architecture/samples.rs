//! Whether the reader of the source sees what it claims to see, shown on small files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::file_graph::FileGraph;
use crate::source_tree::{CrateSource, LineKind, SourceFile, SourceTree};
use crate::tree_figures::TreeFigures;
use crate::walls::{CALL_RULES, FilePaths};

fn file(name: &str, text: &str) -> SourceFile {
    let module =
        if name == "lib" { Vec::new() } else { name.split('/').map(str::to_owned).collect() };
    SourceFile::parse(0, Path::new(&format!("src/{name}.rs")), module, text)
}

fn tree(files: &[(&str, &str)]) -> SourceTree {
    SourceTree {
        root: PathBuf::from("no/such/folder"),
        crates: vec![CrateSource { name: "sample".to_owned(), uses: BTreeMap::new() }],
        files: files.iter().map(|(name, text)| file(name, text)).collect(),
    }
}

#[test]
fn tests_are_left_out_wherever_they_stand() {
    use LineKind::{Blank, Code, Comment, Test};

    let text = "\
struct Before;
#[cfg(test)]
mod tests {
    struct Inside;
}
// Why.
impl Before {
    /// Documented.
    #[cfg(all(test, unix))]
    fn checked() {}
    #[cfg(any(test, not(unix)))]
    fn shipped() {}

    fn kept() -> &'static str {
        \"
        // not a comment\"
    }
}
";
    let kinds: Vec<_> = file("lib", text).lines.iter().map(|line| line.kind).collect();
    assert_eq!(
        kinds,
        [
            Code, Test, Test, Test, Test, Comment, Code, Test, Test, Test, Code, Code, Blank, Code,
            Code, Code, Code, Code
        ]
    );
}

#[test]
fn every_spelling_of_a_call_is_seen() {
    let spellings = [
        ("reads the clock", "fn f() { let _ = std::time::Instant::now(); }"),
        ("reads the clock", "use std::time::Instant as Stopwatch; fn f() { Stopwatch::now(); }"),
        ("reads the clock", "use std::time; fn f() { g(time::SystemTime::now) }"),
        ("reads the clock", "fn f() { assert!(jiff::Timestamp::now() > g()); }"),
        ("reads the clock", "use rustix::time::clock_gettime; fn f() { clock_gettime(c); }"),
        ("reads the environment", "use std::env::*; fn f() { var(\"HOME\"); }"),
        ("reads the environment", "use std::{env as e, fs}; fn f() { e::var_os(\"HOME\"); }"),
        ("reads the environment", "fn f() { AmazonS3Builder::from_env(); }"),
        ("prints", "fn f() { if g() { println!(\"text\"); } }"),
        ("ends the process", "use std::process; fn f() { process::exit(1) }"),
    ];
    for (what, text) in spellings {
        let rule = CALL_RULES.iter().find(|rule| rule.what == what);
        let rule = rule.unwrap_or_else(|| panic!("no rule about what {what}"));
        assert!(FilePaths::of(&file("lib", text)).forbidden_by(rule).is_some(), "not seen: {text}");
    }
    let harmless = "
        use std::time::{Duration, Instant};
        fn f(start: Instant) -> Duration { start.elapsed() }
        fn println(now: bool) -> bool { now != true }
        #[cfg(test)]
        mod tests { fn f() { std::time::Instant::now(); std::process::exit(0); println!(); } }";
    let paths = FilePaths::of(&file("lib", harmless));
    for rule in CALL_RULES {
        assert_eq!(paths.forbidden_by(rule), None, "{}", rule.what);
    }
}

#[test]
fn circles_are_found_through_names_that_are_handed_on() {
    let circles = |files: &[(&str, &str)]| FileGraph::draw(&tree(files)).circles();
    let face = "mod ship; mod port; pub use port::Port;";
    let ship = "use crate::Port; pub struct Ship(Port);";
    let open = [("lib", face), ("ship", ship), ("port", "pub struct Port;")];
    assert!(circles(&open).is_empty());
    let closed =
        [("lib", face), ("ship", ship), ("port", "pub struct Port(Vec<super::ship::Ship>);")];
    assert_eq!(circles(&closed), [[1, 2]]);
    let tested = "pub struct Port; #[cfg(test)] mod tests { use crate::ship::Ship; }";
    assert!(circles(&[("lib", face), ("ship", ship), ("port", tested)]).is_empty());
}

#[test]
fn names_are_counted_as_the_glossary_means_them() {
    let figures = TreeFigures::count(&tree(&[
        ("lib", "struct HttpRequest; enum Prepared { One } type XMLReader = u8; struct Encoding;"),
        (
            "other",
            "mod inner { struct HttpRequest; } trait Pacing { type Output; } fn f() { struct Built; }",
        ),
    ]));
    assert_eq!(figures.types.len(), 7);
    assert_eq!(figures.shared_types().len(), 2);
    let participles: Vec<_> =
        figures.participles().iter().map(|named| named.name.as_str()).collect();
    assert_eq!(participles, ["Built", "Prepared"]);
    assert!((figures.one_word_share() - 4.0 / 7.0).abs() < 1e-9);
}

#[test]
fn a_repeated_block_is_counted_at_each_place() {
    let block = "fn NAME() {\n let a = 1;\n let b = 2;\n let c = 3;\n let d = 4;\n let e = 5;\n let f = 6;\n}\n";
    let files = [("lib", block.replace("NAME", "one")), ("other", block.replace("NAME", "two"))];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let blocks = TreeFigures::count(&tree(&files)).repeated_blocks;
    let places: Vec<_> = blocks.iter().map(|block| (block.line, block.length)).collect();
    assert_eq!(places, [(2, 6), (2, 6)]);
}
