//! Real programs of two languages, built by real compilers behind ours and linked again.

#![expect(clippy::unwrap_used, reason = "a compiler that does not run must fail the test")]
#![expect(clippy::print_stdout, reason = "a test that is left out says why")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use relink::shim::{LinkKeeper, LinkShims};
use relink::{FunctionOrder, KeptLink, LayoutMatch, RelinkError};
use sut::elf::ElfFile;
use sut::layout::FunctionPlaces;
use tempfile::TempDir;

const XMLPERF: &str = env!("CARGO_BIN_EXE_xmlperf");

/// What both versions do. The standard library brings hundreds of functions along.
const RUST: &str = "
#[inline(never)]
fn square(value: u64) -> u64 { std::hint::black_box(value) * value }
#[inline(never)]
fn shown(value: u64) -> String { format!(\"{value:?} {:?}\", vec![value; 3]) }
fn main() {
    INSERTED
    println!(\"{} {}\", shown(square(7)), std::env::args().count());
}
";

/// A function that is not called by default, before all others.
const RUST_COLD: &str = "
#[inline(never)]
fn cold(words: &[String]) -> usize {
    words.iter().map(|it| it.to_uppercase().len() * it.trim().len()).sum()
}
";

const C_COLD: &str =
    "__attribute__((used, noinline)) static int cold(int x) { return x * 77 + x / 7 + x % 13; }";

/// A program of functions that call one another.
fn c_program() -> String {
    let function = |number: usize| {
        format!(
            "__attribute__((noinline)) static int step_{}(int x) {{ return step_{number}(x) * {} + x; }}\n",
            number + 1,
            number * number + 3
        )
    };
    let functions: String = (0..40).map(function).collect();
    format!(
        "#include <stdio.h>\n__attribute__((noinline)) static int step_0(int x) {{ return x; }}\n\
         {functions}int main(int count, char **words) {{ printf(\"%d\\n\", step_40(count)); }}\n"
    )
}

/// Builds behind drivers of ours, each side in a folder of its own.
struct BuildStage {
    folder: TempDir,
}

impl BuildStage {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs commands in the folder of a side, compiler drivers of ours first on the path.
    fn build(&self, side: &str, source: &str, text: &str, commands: &str) -> Output {
        let folder = self.path(side);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(source), text).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let keeper = LinkKeeper { program: Path::new(XMLPERF), search_path: &path };
        let shims = LinkShims::install(&self.links(side), keeper).unwrap();
        Command::new("sh")
            .args(["-ec", commands])
            .env("PATH", shims.search_path())
            .current_dir(folder)
            .output()
            .unwrap()
    }

    /// A folder for programs that are linked again.
    fn relinked(&self) -> PathBuf {
        let folder = self.path("relinked");
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn links(&self, side: &str) -> PathBuf {
        self.path(&format!("{side}-links"))
    }

    fn link(&self, side: &str) -> Result<KeptLink, RelinkError> {
        let program = self.path(side).join("api");
        relink::find(&self.links(side), &program, self.folder.path())
    }

    /// Builds both sides, and matches them.
    fn matched(&self, source: &str, texts: [&str; 2], commands: &str) -> LayoutMatch {
        for (side, text) in ["base", "head"].into_iter().zip(texts) {
            let output = self.build(side, source, text, commands);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let links = ["base", "head"].map(|side| self.link(side).unwrap());
        let [base, head] = links;
        LayoutMatch::find(base, head, &self.relinked(), Duration::MAX).unwrap()
    }

    fn places_as_built(&self) -> FunctionPlaces {
        places(&self.path("base/api"), &self.path("head/api"))
    }
}

fn places(base: &Path, head: &Path) -> FunctionPlaces {
    let functions = |path: &Path| ElfFile::open(path).unwrap().functions().unwrap();
    FunctionPlaces::compare(&functions(base), &functions(head))
}

fn says(program: &Path) -> Vec<u8> {
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Links both sides in some orders: the programs do what they did, and their functions lie alike.
fn ensure_drawn(stage: &BuildStage, matched: &LayoutMatch) {
    assert!(matched.places().share() >= 0.9, "{:?}", matched.places());
    let mut programs = Vec::new();
    for (name, order) in [
        ("of-base", FunctionOrder::OfBase),
        ("one", FunctionOrder::Drawn(1)),
        ("one-again", FunctionOrder::Drawn(1)),
        ("two", FunctionOrder::Drawn(2)),
    ] {
        let pair = matched.link(order, name).unwrap();
        let found = places(&pair.base, &pair.head);
        assert!(found.share() >= 0.9, "{name}: {found:?}");
        for (side, program) in [("base", &pair.base), ("head", &pair.head)] {
            assert_eq!(says(program), says(&stage.path(side).join("api")), "{name} {side}");
        }
        programs.push(fs::read(pair.base).unwrap());
    }
    assert_eq!(programs[1], programs[2]);
    assert!(programs[0] != programs[1] && programs[1] != programs[3]);
}

#[test]
fn an_inserted_function_moves_all_as_built_and_none_when_matched() {
    let stage = BuildStage::new();
    let base = RUST.replace("INSERTED", "");
    let call = "let words: Vec<String> = std::env::args().collect(); \
                if words.len() > 9 { println!(\"{}\", cold(&words)); }";
    let head = format!("{RUST_COLD}{}", RUST.replace("INSERTED", call));
    // Stripped, as many are: matching brings symbols of its own.
    let build = "rustc -O -C strip=symbols -o api api.rs";
    let matched = stage.matched("api.rs", [&base, &head], build);
    assert!(ElfFile::open(&stage.path("base/api")).unwrap().functions().is_none());
    assert!(matched.places().share() >= 0.9, "{:?}", matched.places());

    let stage = BuildStage::new();
    let matched = stage.matched("api.rs", [&base, &head], "rustc -O -o api api.rs");
    assert!(stage.places_as_built().share() < 0.5, "{:?}", stage.places_as_built());
    ensure_drawn(&stage, &matched);
}

#[test]
fn a_program_in_c_is_matched_where_there_is_a_linker_that_takes_an_order() {
    let stage = BuildStage::new();
    let base = c_program();
    let head = format!("{C_COLD}\n{base}");
    let build = "cc -O1 -fno-toplevel-reorder -c api.c\n\
                 cc -o api api.o -Wl,-Map=api.map\ncp api.map map-as-built";
    for (side, text) in [("base", &base), ("head", &head)] {
        let output = stage.build(side, "api.c", text, build);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let [base, head] = ["base", "head"].map(|side| stage.link(side).unwrap());
    match LayoutMatch::find(base, head, &stage.relinked(), Duration::MAX) {
        Ok(matched) => {
            assert!(stage.places_as_built().share() < 0.9, "{:?}", stage.places_as_built());
            ensure_drawn(&stage, &matched);
        }
        // GNU ld takes an order from 2.43 on only, in a form of its own.
        Err(RelinkError::LinkerWithoutOrder { linker }) => {
            println!("not matched, as there is no ld.lld beside {linker}");
            assert!(!linker.contains("LLD"), "{linker}");
        }
        Err(error) => panic!("{error}"),
    }
    // What a build wrote beside its program is not written again.
    let map = |name: &str| fs::read(stage.path("head").join(name)).unwrap();
    assert_eq!(map("api.map"), map("map-as-built"));
}

#[test]
fn a_link_that_fails_says_what_it_would_without_ours() {
    let stage = BuildStage::new();
    let source = "int missing(void); int main(void) { return missing(); }";
    let commands = "cc -ffunction-sections -g1 -c api.c; set +e; cc -o api api.o; echo $?; cc -no-such-flag; echo $?";
    let with = stage.build("with", "api.c", source, commands);
    let folder = stage.path("with");
    let without = Command::new("sh").args(["-ec", commands]).current_dir(&folder).output().unwrap();
    let error = String::from_utf8_lossy(&with.stderr).into_owned();
    assert!(error.contains("missing"), "{error}");
    assert_eq!(error, String::from_utf8_lossy(&without.stderr));
    assert_eq!(with.stdout, without.stdout);
}

#[test]
fn a_program_that_no_kept_link_made_is_not_linked_again() {
    let stage = BuildStage::new();
    let source = "int main(void) { return 0; }";
    let output = stage.build("base", "api.c", source, "cc -c api.c && cc -o api api.o");
    assert!(output.status.success());
    fs::write(stage.path("base/api"), "another program").unwrap();
    assert!(matches!(stage.link("base"), Err(RelinkError::NotReproduced { .. })));
    // What is compiled apart from the link would write its dependencies elsewhere.
    let output = stage.build("head", "api.c", source, "cc -MMD -o api api.c && test -e api.d");
    assert!(output.status.success());
    assert!(matches!(stage.link("head"), Err(RelinkError::NoLink { .. })));
}
