//! Which linker a build uses, and how it is given an order of functions.

use std::path::Path;

use crate::failure::{RelinkError, unusable};
use crate::kept::KeptLink;

/// Makes a driver call the linker that takes an order, where the build's own does not.
const USE_LLD: &str = "-fuse-ld=lld";

/// How the linker that takes an order begins its version.
const LLD: &str = "LLD";

/// Arguments of a link by which the build itself decides where functions lie.
const OWN_ORDERS: [&str; 8] = [
    "--symbol-ordering-file",
    "--section-ordering-file",
    "--call-graph-ordering-file",
    "--irpgo-profile",
    "--randomize-section-padding",
    "--shuffle-sections",
    "--script",
    "-T",
];

/// A linker that puts functions in an order that it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderingLinker {
    /// What makes the driver call it.
    arguments: Vec<String>,
}

impl OrderingLinker {
    /// Finds the linker for both links: the one that the builds use, or else the one beside it. Both
    /// sides get the same.
    pub(crate) fn find(links: [&KeptLink; 2]) -> Result<Self, RelinkError> {
        for link in links {
            if let Some(argument) = own_order(link.arguments()) {
                return Err(RelinkError::OwnOrder { argument: argument.to_owned() });
            }
        }
        let mut own = String::new();
        for arguments in [Vec::new(), vec![USE_LLD.to_owned()]] {
            let versions = [version(links[0], &arguments)?, version(links[1], &arguments)?];
            if versions[0] == versions[1] && versions[0].contains(LLD) {
                return Ok(Self { arguments });
            }
            if own.is_empty() {
                own = versions.into_iter().find(|it| !it.contains(LLD)).unwrap_or_default();
            }
        }
        Err(RelinkError::LinkerWithoutOrder { linker: own })
    }

    /// Returns the arguments of a link whose code has pages of its own, so that what lies before it does
    /// not decide where in a page it begins.
    pub(crate) fn plain(&self) -> Vec<String> {
        let separate = ["-Wl,-z,separate-code".to_owned()];
        self.arguments.iter().cloned().chain(separate).collect()
    }

    /// Returns the arguments of a link in the order of a file, one name a line.
    pub(crate) fn ordered(&self, file: &Path) -> Vec<String> {
        // Not `-Wl`, as the path may hold a comma.
        let order = format!("--symbol-ordering-file={}", file.display());
        let more = ["-Xlinker".to_owned(), order, "-Wl,--no-warn-symbol-ordering".to_owned()];
        self.plain().into_iter().chain(more).collect()
    }
}

/// The first line of what the linker says of itself. A driver that does not know it says nothing.
fn version(link: &KeptLink, arguments: &[String]) -> Result<String, RelinkError> {
    let mut command = link.command();
    // Of the build's own arguments only those that choose the linker, as the inputs may be many.
    let choosing = link.arguments().iter().filter(|it| chooses_linker(it));
    let command = command.args(choosing).args(arguments).arg("-Wl,--version");
    let output = command.output().map_err(unusable(Path::new(command.get_program())))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn chooses_linker(argument: &str) -> bool {
    ["-fuse-ld=", "--ld-path=", "-B"].iter().any(|option| argument.starts_with(option))
}

fn own_order(arguments: &[String]) -> Option<&str> {
    let option = |argument: &str| argument.split('=').next().unwrap_or_default().to_owned();
    arguments.iter().map(String::as_str).find(|it| OWN_ORDERS.contains(&option(it).as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_orders_functions_itself_is_known_by_its_arguments() {
        for (call, expected) in [
            ("main.o -Xlinker --gc-sections", None),
            ("main.o -Xlinker --symbol-ordering-file=o", Some("--symbol-ordering-file=o")),
            ("main.o -T script.ld", Some("-T")),
        ] {
            let arguments: Vec<_> = call.split(' ').map(str::to_owned).collect();
            assert_eq!(own_order(&arguments), expected, "{call}");
        }
    }
}
