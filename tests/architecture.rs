//! The walls between modules, as a table.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the source must fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// The crates from the ground up: each may use those below it.
const FLOORS: &[&[&str]] = &[
    &["units", "stats", "github"],
    &["payload", "load", "sut", "reference"],
    &["record"],
    &["profile", "suite"],
    &["runner"],
    &["checkout"],
    &["baseline"],
    &["compare"],
    &["history", "calibration"],
    &["report"],
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

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crates")
}

/// The sources of the crates and of the program.
fn sources() -> Vec<PathBuf> {
    let mut files = files_below(&crates());
    files.extend(files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
    files
}

#[test]
fn a_crate_uses_only_crates_below_it() {
    let mut below: Vec<&str> = Vec::new();
    for floor in FLOORS {
        for name in *floor {
            let manifest = fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
            let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
            for line in dependencies.lines().take_while(|line| !line.starts_with('[')) {
                let used = line.split('.').next().unwrap();
                if FLOORS.iter().any(|floor| floor.contains(&used)) {
                    assert!(below.contains(&used), "`{name}` uses `{used}`, which is not below it");
                }
            }
        }
        below.extend(*floor);
    }
}

#[test]
fn every_crate_stands_on_a_floor() {
    for entry in fs::read_dir(crates()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            FLOORS.iter().any(|floor| floor.contains(&name.as_str())),
            "crate `{name}` has no row in tests/architecture.rs"
        );
    }
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    for file in sources() {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        assert!(!BANNED_NAMES.contains(&stem), "{}", file.display());
    }
}

#[test]
fn the_clock_the_environment_and_the_terminal_stay_where_they_belong() {
    let rules: &[(&str, &[&str])] = &[
        ("Instant::now", &["load", "sut", "runner", "reference"]),
        ("SystemTime::now", &["runner"]),
        ("env::var", &["src", "github"]),
        ("process::exit", &[]),
    ];
    for file in sources() {
        let text = fs::read_to_string(&file).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap();
        let place = file.strip_prefix(crates()).map_or("src", |inside| {
            inside.components().next().unwrap().as_os_str().to_str().unwrap()
        });
        for (call, allowed) in rules {
            assert!(
                !production.contains(call) || allowed.contains(&place),
                "{}: `{call}` belongs to {allowed:?}",
                file.display()
            );
        }
    }
}
