//! Programs of ASP.NET Core.

use std::sync::LazyLock;

use regex::Regex;

use crate::project::guess::{EvidentText, ProgramGuess};
use crate::project::tree::ProjectTree;

static ASSEMBLY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"<AssemblyName>\s*([\w.-]+)\s*</AssemblyName>").expect("a fixed expression")
});

/// Leaves the folder and the commit out of assemblies, so that equal sources yield equal ones.
const REPRODUCIBLE: &str = "-p:DebugType=none -p:IncludeSourceRevisionInInformationalVersion=false";

/// Finds the first project of the web kit.
pub(super) fn program(tree: &ProjectTree) -> Option<ProgramGuess> {
    let kit = "Microsoft.NET.Sdk.Web";
    let file = tree.ending(&[".csproj", ".fsproj"]).find(|file| file.text.contains(kit))?;
    let stem = file.name().rsplit_once('.').map_or(file.name(), |(stem, _)| stem);
    let assembly = file.find(&ASSEMBLY).map_or_else(|| stem.to_owned(), |(name, _)| name);
    let evidence = file.evidence_of(kit);
    let publish = format!("dotnet publish {} --configuration Release --output out", file.path);
    let build = format!("{publish} {REPRODUCIBLE}");
    let start = format!("dotnet out/{assembly}.dll --urls http://127.0.0.1:{{port}}");
    Some(ProgramGuess {
        build: EvidentText::new(build, evidence.clone()),
        start: Some(EvidentText::new(start, evidence)),
    })
}
