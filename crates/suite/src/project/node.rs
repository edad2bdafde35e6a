//! Programs that npm, pnpm or yarn start.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use crate::project::guess::{EvidentText, ProgramGuess};
use crate::project::tree::{ProjectFile, ProjectTree};

/// A start script that is nothing but node and a file, which needs no npm around it.
static PLAIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^node(?: --?[\w=./-]+)* [\w./-]+$").expect("a fixed expression"));

#[derive(Deserialize)]
struct PackageManifest {
    #[serde(default)]
    scripts: PackageScripts,
    main: Option<String>,
}

#[derive(Default, Deserialize)]
struct PackageScripts {
    build: Option<String>,
    start: Option<String>,
}

/// Finds the program of the package at the root.
pub(super) fn program(tree: &ProjectTree) -> Option<ProgramGuess> {
    let file = tree.file("package.json")?;
    let manifest: PackageManifest = serde_json::from_str(&file.text).ok()?;
    let (install, run) = manager(tree);
    let build = match &manifest.scripts.build {
        Some(_) => {
            EvidentText::new(format!("{install} && {run} build"), file.evidence_of("\"build\""))
        }
        None => EvidentText::new(install, file.evidence_of("\"dependencies\"")),
    };
    Some(ProgramGuess { build, start: start(file, &manifest, run) })
}

/// The commands that install what a package needs, and that run one of its scripts.
fn manager(tree: &ProjectTree) -> (&'static str, &'static str) {
    if tree.has("pnpm-lock.yaml") {
        ("pnpm install --frozen-lockfile", "pnpm run")
    } else if tree.has("yarn.lock") {
        ("yarn install --frozen-lockfile", "yarn run")
    } else if tree.has("package-lock.json") {
        ("npm ci", "npm run")
    } else {
        ("npm install", "npm run")
    }
}

fn start(file: &ProjectFile, manifest: &PackageManifest, run: &str) -> Option<EvidentText> {
    let evidence = |key: &str| file.evidence_of(&format!("\"{key}\""));
    match (&manifest.scripts.start, &manifest.main) {
        (Some(script), _) if PLAIN.is_match(script) => {
            Some(EvidentText::new(script, evidence("start")))
        }
        (Some(_), _) => Some(EvidentText::new(format!("{run} start"), evidence("start"))),
        (None, Some(main)) => {
            let main = main.trim_start_matches("./");
            let is_plain = main.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
            is_plain.then(|| EvidentText::new(format!("node {main}"), evidence("main")))
        }
        (None, None) => None,
    }
}
