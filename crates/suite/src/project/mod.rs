//! Looks at the files of a program: how it is built and started, how it learns its port, which path shows
//! that it is up.
//!
//! Nothing is guessed that no file shows. Each guess carries the file and the line that show it, so that a
//! reader of the configuration can look there and correct it. No program is run, and nothing is fetched.

mod cargo;
mod container;
mod dotnet;
mod go;
mod gradle;
mod guess;
mod maven;
mod node;
mod port;
mod python;
mod ready;
mod tree;

use std::path::Path;

use crate::project::container::ContainerFiles;
use crate::project::guess::ProgramGuess;
use crate::project::tree::ProjectTree;

pub use crate::project::guess::{EvidentText, PortGuess, ProjectGuess, ServiceImage};
pub use crate::project::tree::TreeEvidence;

/// Looks at a folder. One that cannot be read shows nothing.
pub fn look(folder: &Path) -> ProjectGuess {
    from_tree(&ProjectTree::read(folder))
}

fn from_tree(tree: &ProjectTree) -> ProjectGuess {
    // The order of how sure a manifest makes it that the folder is a server: a `package.json` often
    // stands beside the manifest of another language, for its front end or its tools.
    let finders: [fn(&ProjectTree) -> Option<ProgramGuess>; 7] = [
        cargo::program,
        maven::program,
        gradle::program,
        go::program,
        dotnet::program,
        python::program,
        node::program,
    ];
    let found: Vec<ProgramGuess> = finders.into_iter().filter_map(|find| find(tree)).collect();
    let program = found.iter().find(|it| it.start.is_some()).or(found.first()).cloned();
    let (build, start) = program.map_or((None, None), |it| (Some(it.build), it.start));
    let (build, start) = (build.filter(is_plain), start.filter(is_plain));
    let (start, port) = match start {
        Some(start) => port::learn(tree, start),
        None => (None, PortGuess::Unknown),
    };
    let ContainerFiles { exposed, services } = ContainerFiles::read(tree);
    ProjectGuess {
        build,
        start,
        port,
        ready: ready::path(tree),
        exposed,
        services,
        descriptions: tree.descriptions(),
    }
}

/// Whether a command is one word after another. A name with quotes or signs in it would be taken apart.
fn is_plain(command: &EvidentText) -> bool {
    command.text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-/:@+={}&[]".contains(c))
}

#[cfg(test)]
mod tests;
