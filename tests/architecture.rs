//! The walls between modules, as a table.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the source must fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// Module, and what its production code may import of this crate. `cli` may import everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("bisect", &[]),
    ("cancel", &[]),
    ("units", &[]),
    ("metric", &["units"]),
    ("payload", &["units"]),
    ("stats", &[]),
    ("reference", &["units"]),
    ("target", &["cancel", "units"]),
    ("git", &[]),
    ("base", &["cancel", "git", "units"]),
    ("load", &["cancel", "units"]),
    ("measure", &["load", "units"]),
    ("scenario", &["load", "metric", "payload", "target", "units"]),
    ("config", &["load", "metric", "payload", "scenario", "target", "units"]),
    ("record", &["measure", "metric", "units"]),
    (
        "runner",
        &[
            "cancel", "load", "measure", "metric", "payload", "profile", "record", "scenario",
            "stats", "target", "units",
        ],
    ),
    ("baseline", &["git", "metric", "record", "units"]),
    ("compare", &["baseline", "metric", "record", "stats", "units"]),
    ("calibration", &["compare", "metric", "stats", "units"]),
    ("trend", &["compare", "metric", "record", "stats", "units"]),
    ("report", &["compare", "metric", "record", "trend", "units"]),
    ("github", &[]),
    ("profile", &["cancel", "record", "target", "units"]),
    ("interop", &["metric", "record", "scenario", "units"]),
];

const BANNED_NAMES: &[&str] = &["util", "utils", "common", "helpers", "types", "error", "manager"];

fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn files_of(module: &str) -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (file, folder) = (source.join(format!("{module}.rs")), source.join(module));
    let mut files = if folder.is_dir() { files_below(&folder) } else { Vec::new() };
    files.extend(file.is_file().then_some(file));
    files
}

/// The modules of this crate that `text` names outside its tests.
fn imports(text: &str) -> Vec<String> {
    let production = text.split("#[cfg(test)]").next().unwrap();
    let code = production.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let name = |rest: &str| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned)
    };
    code.split("crate::").skip(1).filter_map(name).collect()
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let mut violations = Vec::new();
    for (module, allowed) in MAY_IMPORT {
        for file in files_of(module) {
            for import in imports(&fs::read_to_string(&file).unwrap()) {
                if import != *module && !allowed.contains(&import.as_str()) {
                    violations.push(format!("{}: `{module}` imports `{import}`", file.display()));
                }
            }
        }
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn every_module_stands_in_the_table() {
    let library =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let modules =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules.filter(|module| *module != "cli") {
        assert!(
            MAY_IMPORT.iter().any(|(name, _)| name == &module),
            "module `{module}` has no row in tests/architecture.rs"
        );
    }
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    for file in files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        assert!(!BANNED_NAMES.contains(&stem), "{}", file.display());
    }
}

#[test]
fn the_clock_the_environment_and_the_terminal_stay_where_they_belong() {
    let rules: &[(&str, &[&str])] = &[
        ("Instant::now", &["load", "target", "runner", "reference"]),
        ("SystemTime::now", &["runner"]),
        ("env::var", &["cli", "github"]),
        ("process::exit", &[]),
    ];
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in files_below(&source) {
        let text = fs::read_to_string(&file).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap();
        let inside = file.strip_prefix(&source).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        for (call, allowed) in rules {
            assert!(
                !production.contains(call) || allowed.contains(&module),
                "{}: `{call}` belongs to {allowed:?}",
                file.display()
            );
        }
    }
}
