//! The walls of the workspace.
//!
//! Crates hold most of them: what is not in a `Cargo.toml` cannot be imported. Held here is the order
//! of the crates, and what no crate can keep out: the clock, the environment, the terminal, and the
//! end of the process.

use std::collections::BTreeSet;

use crate::file_graph::{NameImport, WrittenPath, imports, written_paths};
use crate::ratchet::listed;
use crate::source_tree::{SourceFile, SourceTree};

/// The crates from the ground up. Each may use those before it.
const FLOORS: [&str; 21] = [
    "units",
    "stats",
    "threads",
    "github",
    "calls",
    "payload",
    "load",
    "sut",
    "relink",
    "reference",
    "record",
    "profile",
    "suite",
    "runner",
    "checkout",
    "baseline",
    "compare",
    "history",
    "report",
    "interop",
    "calibration",
];

/// Crates that must not meet though their floors would let them, and why.
const APART: &[(&str, &[&str], &str)] = &[
    ("stats", &["units"], "it takes and returns plain numbers, and can be published by itself"),
    ("load", &["payload", "stats"], "it sends bytes that are ready, on a schedule it was given"),
    ("calls", &["units"], "it takes bytes and returns counts"),
    ("github", &["units"], "it gets finished markdown and a conclusion"),
    ("report", &["stats"], "it computes nothing: a number that two formats show is computed once"),
];

/// Calls that belong to few places.
pub(crate) struct CallRule {
    /// What they do.
    pub(crate) what: &'static str,
    /// The ends of their full paths; a macro ends with `!`.
    calls: &'static [&'static str],
    /// Crates, or modules of a crate, that may call them.
    places: &'static [&'static str],
}

pub(crate) const CALL_RULES: &[CallRule] = &[
    CallRule {
        what: "reads the clock",
        calls: &[
            "Instant::now",
            "SystemTime::now",
            "Timestamp::now",
            "Zoned::now",
            "clock_gettime",
            "clock_gettime_dynamic",
            "UtcDateTime::now",
        ],
        // `selftest` shows how long each of its checks takes, `telemetry` says when a number was so.
        places: &[
            "load",
            "sut",
            "runner",
            "reference",
            "xmlperf::app::selftest",
            "xmlperf::app::telemetry",
            "xmlperf::cli",
        ],
    },
    CallRule {
        what: "reads the environment",
        calls: &[
            "env::var",
            "env::var_os",
            "env::vars",
            "env::vars_os",
            "env::set_var",
            "env::remove_var",
            "from_env",
            "getenv",
        ],
        // `baseline`: a bucket's credentials stand nowhere else, and its library reads them.
        places: &["baseline", "github", "xmlperf::cli"],
    },
    CallRule {
        what: "prints",
        calls: &[
            "print!",
            "println!",
            "eprint!",
            "eprintln!",
            "dbg!",
            "io::stdout",
            "io::stderr",
            "stdio::stdout",
            "stdio::stderr",
        ],
        places: &["xmlperf::cli", "xmlperf::main"],
    },
    CallRule {
        what: "ends the process",
        calls: &[
            "process::exit",
            "process::abort",
            "libc::exit",
            "libc::_exit",
            "libc::abort",
            "exit_group",
        ],
        places: &[],
    },
    // A thread that the system refuses is an error of `thread::Builder`.
    CallRule { what: "panics where there is no thread", calls: &["thread::spawn"], places: &[] },
    CallRule {
        what: "panics where tokio gets no thread",
        calls: &["Builder::new_multi_thread", "Runtime::new", "spawn_blocking"],
        places: &["threads"],
    },
    CallRule {
        what: "knows the command line",
        calls: &["clap", "xmlperf::cli"],
        places: &["xmlperf::cli", "xmlperf::main"],
    },
    CallRule { what: "draws progress", calls: &["indicatif"], places: &["xmlperf::cli"] },
    CallRule {
        what: "leaves the program",
        calls: &["std::fs", "std::net", "std::process", "tokio::fs", "tokio::net"],
        places: &[
            "baseline",
            "checkout",
            "github",
            "load",
            "profile",
            "record",
            "reference",
            "relink",
            "runner",
            "suite",
            "sut",
            "threads",
            "xmlperf",
        ],
    },
];

/// Names of modules under which anything could stand.
const BANNED_NAMES: [&str; 7] = ["util", "utils", "common", "helpers", "types", "error", "manager"];

#[test]
fn crates_use_only_those_on_floors_below() {
    let tree = SourceTree::here();
    let floor = |name: &str| FLOORS.iter().position(|floor| *floor == name);
    let mut violations = Vec::new();
    for owner in tree.crates.iter().filter(|owner| owner.name != "xmlperf") {
        let Some(own) = floor(&owner.name) else {
            violations
                .push(format!("`{}` has no floor in tests/architecture/walls.rs", owner.name));
            continue;
        };
        for used in owner.uses.values().filter(|used| floor(used).is_none_or(|used| used >= own)) {
            violations.push(format!("`{}` uses `{used}`, which does not lie below it", owner.name));
        }
    }
    let has = |name: &str| tree.crates.iter().any(|owner| owner.name == name);
    let gone = FLOORS.iter().filter(|name| !has(name));
    violations.extend(gone.map(|name| format!("there is no crate `{name}`")));
    assert!(violations.is_empty(), "{}", listed(violations));
}

#[test]
fn crates_that_must_not_meet_stay_apart() {
    let tree = SourceTree::here();
    for (name, others, reason) in APART {
        let owner = tree.crates.iter().find(|owner| owner.name == *name);
        let owner = owner.unwrap_or_else(|| panic!("there is no crate `{name}`"));
        let met = owner.uses.values().find(|used| others.contains(&used.as_str()));
        assert!(met.is_none(), "`{name}` uses {met:?}: {reason}");
    }
}

#[test]
fn a_dependency_that_is_declared_is_used() {
    let tree = SourceTree::here();
    let mut unused = Vec::new();
    for (index, owner) in tree.crates.iter().enumerate() {
        let files = tree.files.iter().filter(|file| file.owner == index);
        let paths = files.flat_map(|file| FilePaths::of(file).paths);
        let named: BTreeSet<String> = paths.filter_map(|path| path.into_iter().next()).collect();
        let idle = owner.uses.keys().filter(|alias| !named.contains(*alias));
        unused.extend(idle.map(|alias| format!("`{}` does not use `{alias}`", owner.name)));
    }
    assert!(unused.is_empty(), "{}", listed(unused));
}

#[test]
fn calls_stay_where_they_belong() {
    let tree = SourceTree::here();
    let paths: Vec<_> = tree.files.iter().map(|file| (file, FilePaths::of(file))).collect();
    let mut violations = Vec::new();
    for rule in CALL_RULES {
        let mut used = BTreeSet::new();
        for (file, paths) in &paths {
            let place = rule.places.iter().find(|place| is_in(&tree, file, place));
            let Some(call) = paths.forbidden_by(rule) else { continue };
            match place {
                Some(place) => drop(used.insert(*place)),
                None => violations.push(format!(
                    "{}: `{call}` {}, which belongs to {:?}",
                    file.path.display(),
                    rule.what,
                    rule.places
                )),
            }
        }
        // A row that permits what is not done, or names a module that is gone, hides the next one.
        let idle = rule.places.iter().filter(|place| !used.contains(*place));
        violations.extend(
            idle.map(|place| format!("nothing in `{place}` {}: remove its row", rule.what)),
        );
    }
    assert!(violations.is_empty(), "{}", listed(violations));
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    for file in SourceTree::here().files {
        let name = file.module.last().map_or("", String::as_str);
        assert!(!BANNED_NAMES.contains(&name), "{}", file.path.display());
    }
}

/// Whether `file` lies in `place`: a crate, or a crate and modules of it.
fn is_in(tree: &SourceTree, file: &SourceFile, place: &str) -> bool {
    let mut segments = place.split("::");
    let owner = segments.next().expect("a split text has a first part");
    let module: Vec<&str> = segments.collect();
    let is_program = file.path.ends_with("src/main.rs");
    tree.owner(file).name == owner
        && (file.module.iter().map(String::as_str).take(module.len()).eq(module.iter().copied())
            || (is_program && module == ["main"]))
}

/// The paths that a file names, each from its root as far as its imports tell.
pub(crate) struct FilePaths {
    paths: Vec<WrittenPath>,
    /// Modules of which it imports everything.
    globs: Vec<WrittenPath>,
}

impl FilePaths {
    pub(crate) fn of(file: &SourceFile) -> Self {
        let imports = imports(file);
        let full = |path: WrittenPath| match imports.iter().find(|import| import.name == path[0]) {
            Some(NameImport { path: root, .. }) => [root.as_slice(), &path[1..]].concat(),
            None => path,
        };
        let mut paths: Vec<_> = written_paths(file).into_iter().map(full).collect();
        let (globs, names): (Vec<_>, Vec<_>) =
            imports.into_iter().partition(|import| import.name == "*");
        paths.extend(names.into_iter().map(|import| import.path));
        Self { paths, globs: globs.into_iter().map(|import| import.path).collect() }
    }

    /// The first path that makes a call of `rule` possible.
    pub(crate) fn forbidden_by(&self, rule: &CallRule) -> Option<String> {
        let called = |path: &&WrittenPath| rule.calls.iter().any(|call| path_has(path, call));
        let modules = || rule.calls.iter().filter_map(|call| call.rsplit_once("::"));
        let opened = |path: &&WrittenPath| modules().any(|(module, _)| path_has(path, module));
        let path = self.paths.iter().find(called).or_else(|| self.globs.iter().find(opened));
        path.map(|path| path.join("::"))
    }
}

/// Whether the segments of `call` follow each other in `path`.
fn path_has(path: &[String], call: &str) -> bool {
    let length = call.split("::").count();
    path.windows(length).any(|window| window.iter().map(String::as_str).eq(call.split("::")))
}
