//! Programs that cargo builds.

use toml::{Table, Value};

use crate::project::guess::{EvidentText, ProgramGuess};
use crate::project::tree::{ProjectFile, ProjectTree};

/// Finds the program of the package at the root, or of a member of the workspace that has one.
pub(super) fn program(tree: &ProjectTree) -> Option<ProgramGuess> {
    let root = tree.file("Cargo.toml")?;
    let members = tree.named(&["Cargo.toml"]).filter(|file| file.path != root.path);
    let (file, name) =
        std::iter::once(root).chain(members).find_map(|file| Some((file, binary(tree, file)?)))?;
    let locked = if tree.has("Cargo.lock") { " --locked" } else { "" };
    let package = if file.path == root.path { String::new() } else { format!(" --bin {name}") };
    let evidence = file.evidence_of(&format!("\"{name}\""));
    Some(ProgramGuess {
        build: EvidentText::new(
            format!("cargo build --release{locked}{package}"),
            evidence.clone(),
        ),
        start: Some(EvidentText::new(format!("./target/release/{name}"), evidence)),
    })
}

/// The name of the program that a package builds.
fn binary(tree: &ProjectTree, file: &ProjectFile) -> Option<String> {
    let manifest: Table = toml::from_str(&file.text).ok()?;
    let package = manifest.get("package")?.as_table()?;
    let text = |table: &Table, key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = text(package, "name")?;
    let bins = manifest.get("bin").and_then(Value::as_array);
    let bins = bins.into_iter().flatten().filter_map(Value::as_table);
    let bins: Vec<String> = bins.filter_map(|bin| text(bin, "name")).collect();
    let main = format!("{}src/main.rs", file.folder());
    let default = text(package, "default-run");
    default
        .or_else(|| bins.iter().find(|bin| **bin == name).cloned())
        .or_else(|| bins.first().cloned())
        .or_else(|| tree.has(&main).then_some(name))
}
