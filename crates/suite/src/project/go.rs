//! Programs that go builds.

use std::sync::LazyLock;

use regex::Regex;

use crate::project::guess::{EvidentText, ProgramGuess};
use crate::project::tree::{ProjectFile, ProjectTree};

static MAIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(package main)\b").expect("a fixed expression"));
static MODULE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^module\s+(\S+)").expect("a fixed expression"));

/// Finds the program of the module at the root: there, or below `cmd`.
pub(super) fn program(tree: &ProjectTree) -> Option<ProgramGuess> {
    let (module, _) = tree.file("go.mod")?.find(&MODULE)?;
    let mains = tree
        .ending(&[".go"])
        .filter(|file| MAIN.is_match(&file.text) && file.text.contains("func main()"));
    let rank = |file: &&ProjectFile| (file.folder().matches('/').count(), file.path.clone());
    let file = mains.min_by_key(rank)?;
    let folder = file.folder().trim_end_matches('/');
    let (name, package) = match folder.rsplit('/').next().filter(|name| !name.is_empty()) {
        Some(name) => (name, format!("./{folder}")),
        None => (module.rsplit('/').next().unwrap_or("server"), ".".to_owned()),
    };
    let (_, evidence) = file.find(&MAIN)?;
    // Neither the folder nor the commit goes into the program, so that equal sources yield equal ones.
    Some(ProgramGuess {
        build: EvidentText::new(
            format!("go build -trimpath -buildvcs=false -o bin/{name} {package}"),
            evidence.clone(),
        ),
        start: Some(EvidentText::new(format!("./bin/{name}"), evidence)),
    })
}
