//! Hands what cargo compiled of a project's dependencies from one target folder to another.
//!
//! Each build has a target folder of its own: a base that picked up an artefact of head would compare equal to it.
//! But a crate of a registry is the same wherever it is compiled, and cargo calls it after all that goes into it
//! (version, features, profile, compiler), not after the folder. So these are copied, with their times, by which
//! cargo tells what is up to date; never what is compiled from files of the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Separates the folder of registries' sources from the name of a registry and a crate.
const REGISTRY: &str = "/registry/src/";

/// Folders of a profile with one folder a crate, by its name and a digest.
const CRATE_FOLDERS: [&str; 2] = [".fingerprint", "build"];

/// A build that cargo makes in a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct CargoBuild<'a> {
    /// The command.
    pub(super) command: &'a str,
    /// The root of the tree.
    pub(super) root: &'a Path,
    /// Where the command runs, from the root.
    pub(super) prefix: &'a Path,
}

impl<'a> CargoBuild<'a> {
    /// The folder whose lock file and target folder are used, from the root.
    fn workspace(self) -> Option<&'a Path> {
        let locked = |folder: &&Path| self.root.join(folder).join("Cargo.lock").is_file();
        self.prefix.ancestors().find(locked)
    }

    /// Copies the crates that the tree's lock file names from the first of these trees that has such a target
    /// folder. Returns how many units were copied.
    pub(super) fn take_over(self, trees: &[PathBuf]) -> io::Result<usize> {
        let Some(profiles) = profiles(self.command) else { return Ok(0) };
        let Some(workspace) = self.workspace() else { return Ok(0) };
        let lock = fs::read_to_string(self.root.join(workspace).join("Cargo.lock"))?;
        let crates = registry_crates(&lock);
        let target = |root: &Path| root.join(workspace).join("target");
        let is_built =
            |tree: &&PathBuf| profiles.iter().any(|it| target(tree).join(it).join("deps").is_dir());
        let Some(donor) = trees.iter().find(is_built) else { return Ok(0) };
        let mut units = 0;
        for profile in &profiles {
            units += copy_units(
                &target(donor).join(profile),
                &target(self.root).join(profile),
                &crates,
            )?;
        }
        Ok(units)
    }

    /// Returns the target folder of the tree, whether or not it is there.
    pub(super) fn target(self) -> Option<PathBuf> {
        self.workspace().map(|workspace| self.root.join(workspace).join("target"))
    }
}

/// The folders of the profile that a command builds, in a target folder; none of a command without cargo.
fn profiles(command: &str) -> Option<Vec<PathBuf>> {
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    words.contains(&"cargo").then_some(())?;
    let value = |option: &str| {
        let separate = words.iter().position(|word| *word == option);
        let joined = words.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
        joined.or_else(|| words.get(separate? + 1).copied())
    };
    let profile = match value("--profile") {
        Some("dev" | "test") => "debug",
        Some("bench") => "release",
        Some(profile) => profile,
        None if words.contains(&"--release") || words.contains(&"-r") => "release",
        None => "debug",
    };
    // Build scripts and macros are of the machine that builds.
    let of_target = value("--target").map(|triple| Path::new(triple).join(profile));
    Some([PathBuf::from(profile)].into_iter().chain(of_target).collect())
}

/// The names of the crates of registries that a lock file lists, each by what its sources' folder is called.
fn registry_crates(lock: &str) -> BTreeMap<String, String> {
    let value = |entry: &str, key: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let entries = lock.split("[[package]]").skip(1);
    let of_registry =
        entries.filter(|entry| value(entry, "source").is_some_and(|it| !it.starts_with("git+")));
    let named = |entry: &str| {
        let name = value(entry, "name")?;
        Some((format!("{name}-{}", value(entry, "version")?), name))
    };
    of_registry.filter_map(named).collect()
}

/// Copies the units of these crates from one folder of a profile to another.
fn copy_units(from: &Path, to: &Path, crates: &BTreeMap<String, String>) -> io::Result<usize> {
    let deps = from.join("deps");
    if !deps.is_dir() {
        return Ok(0);
    }
    let (mut units, mut names) = (BTreeSet::new(), BTreeSet::new());
    for path in entries(&deps)? {
        let Some(unit) = path.extension().filter(|it| *it == "d").and_then(|_| path.file_stem())
        else {
            continue;
        };
        // What a crate is compiled from stands in this file, before everything else its own sources.
        let inputs = fs::read_to_string(&path).unwrap_or_default();
        if let Some(name) = source_folder(&inputs).and_then(|folder| crates.get(folder)) {
            units.insert(unit.to_os_string());
            names.insert(name.as_str());
        }
    }
    for path in entries(&deps)? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let unit = stem.strip_prefix("lib").unwrap_or(&stem);
        if units.contains(OsStr::new(unit)) || units.contains(OsStr::new(&stem)) {
            copy(&path, &to.join("deps"))?;
        }
    }
    for folder in CRATE_FOLDERS {
        for path in entries(&from.join(folder)).unwrap_or_default() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.rsplit_once('-').is_some_and(|(name, _)| names.contains(name)) {
                copy(&path, &to.join(folder))?;
            }
        }
    }
    Ok(units.len())
}

/// The folder of a registry's crate, such as `serde-1.0.228`, that the first source is in; none if it is another.
fn source_folder(inputs: &str) -> Option<&str> {
    let sources = inputs.split_once(": ")?.1;
    let first = sources.split_ascii_whitespace().next()?;
    first.split_once(REGISTRY)?.1.split('/').nth(1)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// Copies a file, or a folder with all that is in it, into a folder. A file keeps its time.
fn copy(from: &Path, folder: &Path) -> io::Result<()> {
    let to = folder.join(from.file_name().unwrap_or_default());
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_dir() {
        fs::create_dir_all(&to)?;
        return entries(from)?.iter().try_for_each(|path| copy(path, &to));
    }
    fs::create_dir_all(folder)?;
    if metadata.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    fs::copy(from, &to)?;
    File::open(&to)?.set_modified(metadata.modified()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"version = 4

[[package]]
name = "api"
version = "0.1.0"
dependencies = ["serde"]

[[package]]
name = "forked"
version = "1.0.0"
source = "git+https://example.org/forked#0123"

[[package]]
name = "serde"
version = "1.0.228"
source = "registry+https://example.org/index"

[[package]]
name = "sha-2"
version = "0.10.0-rc.1"
source = "registry+https://example.org/index"
"#;

    /// A tree whose target folder has a registry's crate in two versions, a crate of its own, and a program.
    fn donor() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        let release = tree.path().join("services/target/release");
        let source =
            |folder: &str| format!("/home/u/.cargo/registry/src/index-01/{folder}/src/lib.rs");
        for (path, text) in [
            (
                "deps/serde-aa.d",
                format!("/t/libserde-aa.rlib: {} /t/out/x.rs\n", source("serde-1.0.228")),
            ),
            ("deps/libserde-aa.rlib", "rlib".to_owned()),
            ("deps/libserde-aa.rmeta", "rmeta".to_owned()),
            ("deps/serde-bb.d", format!("/t/libserde-bb.rlib: {}\n", source("serde-1.0.0"))),
            ("deps/libserde-bb.rlib", "older".to_owned()),
            ("deps/api-cc.d", "/t/api-cc: services/src/main.rs\n".to_owned()),
            ("deps/api-cc", "program".to_owned()),
            ("api", "program".to_owned()),
            (".fingerprint/serde-aa/lib-serde", "1".to_owned()),
            (".fingerprint/api-cc/bin-api", "1".to_owned()),
            ("build/serde-dd/out/x.rs", "x".to_owned()),
            ("build/api-ee/output", "o".to_owned()),
        ] {
            let path = release.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }

    fn files(folder: &Path, inside: &Path, found: &mut Vec<String>) {
        for path in entries(&folder.join(inside)).unwrap_or_default() {
            let inside = path.strip_prefix(folder).unwrap();
            if path.is_dir() {
                files(folder, inside, found);
            } else {
                found.push(inside.to_str().unwrap().to_owned());
            }
        }
        found.sort();
    }

    #[test]
    fn crates_of_registries_are_taken_over_and_nothing_that_is_compiled_from_the_tree() {
        let (donor, tree) = (donor(), tempfile::tempdir().unwrap());
        fs::create_dir_all(tree.path().join("services/api")).unwrap();
        fs::write(tree.path().join("services/Cargo.lock"), LOCK).unwrap();
        let take = |command| {
            let (root, prefix) = (tree.path(), Path::new("services/api"));
            let trees = ["/nowhere".into(), donor.path().to_owned()];
            let units = CargoBuild { command, root, prefix }.take_over(&trees).unwrap();
            let mut found = Vec::new();
            files(&root.join("services/target"), Path::new(""), &mut found);
            (units, found)
        };
        assert_eq!(take("make"), (0, vec![]));
        assert_eq!(take("cargo build"), (0, vec![]), "another profile");
        let copied = [
            "release/.fingerprint/serde-aa/lib-serde",
            "release/build/serde-dd/out/x.rs",
            "release/deps/libserde-aa.rlib",
            "release/deps/libserde-aa.rmeta",
            "release/deps/serde-aa.d",
        ];
        let copied: Vec<String> = copied.map(str::to_owned).to_vec();
        assert_eq!(take("cargo build --locked --release"), (1, copied));
        let modified = |root: &Path| {
            let file = root.join("services/target/release/deps/libserde-aa.rlib");
            fs::metadata(file).unwrap().modified().unwrap()
        };
        assert_eq!(modified(tree.path()), modified(donor.path()));
    }

    #[test]
    fn a_lock_file_names_the_crates_of_registries() {
        let crates = [("serde-1.0.228", "serde"), ("sha-2-0.10.0-rc.1", "sha-2")];
        let crates = crates.map(|(folder, name)| (folder.to_owned(), name.to_owned()));
        assert_eq!(registry_crates(LOCK), BTreeMap::from(crates));
    }

    #[test]
    fn the_profile_of_a_command_has_its_folders() {
        let check = |command, folders: &[&str]| {
            let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
            assert_eq!(profiles(command).unwrap_or_default(), folders, "{command}");
        };
        check("cargo build --release", &["release"]);
        check("cd api && cargo build", &["debug"]);
        check("cargo build --profile=fast --target t", &["fast", "t/fast"]);
        check("cargo build --profile dev", &["debug"]);
        check("npm ci", &[]);
    }
}
