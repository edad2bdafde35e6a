//! Every reason why programs are measured as they were built.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sut::layout::LayoutObstacle;
use thiserror::Error;

/// Why a program cannot be linked again as it is wanted.
#[derive(Debug, Error)]
pub enum RelinkError {
    /// No link made this program, as far as is known.
    #[error("no link that made `{}` was kept", program.display())]
    NoLink {
        /// The program.
        program: PathBuf,
    },
    /// The kept link makes another file.
    #[error("`{}` linked again is another file", program.display())]
    NotReproduced {
        /// The program.
        program: PathBuf,
    },
    /// The linker puts functions where it likes.
    #[error("{linker} takes no order of functions, and there is no `ld.lld` beside it")]
    LinkerWithoutOrder {
        /// What it calls itself.
        linker: String,
    },
    /// Go's linker takes no order, so that functions of both sides cannot be matched.
    #[error("Go's linker takes no order of functions, it only draws one for each side")]
    DrawnOnly,
    /// Go's linker draws no order yet.
    #[error("the linker of {release} draws no order of functions: that takes Go 1.22 or later")]
    OldGoLinker {
        /// Its release of Go.
        release: String,
    },
    /// The build orders functions itself.
    #[error("the build orders its functions itself: `{argument}`")]
    OwnOrder {
        /// The argument of the link that does.
        argument: String,
    },
    /// The linker failed.
    #[error("`{program}` failed ({status}): {said}")]
    LinkFailed {
        /// What was called.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        said: String,
    },
    /// What was linked has no symbols to compare.
    #[error("`{}` has no symbols", program.display())]
    NoSymbols {
        /// What was linked.
        program: PathBuf,
    },
    /// The order does not put functions at the same addresses.
    #[error("only {:.0} % of the functions are at the same addresses", share * 100.0)]
    FewInPlace {
        /// The share that are, 0 to 1.
        share: f64,
    },
    /// Linking takes too long to be done for each launch pair.
    #[error("a link takes {:.1} s", took.as_secs_f64())]
    SlowLink {
        /// How long one took.
        took: Duration,
    },
    /// Files cannot be read or written.
    #[error("failed to use `{}`", path.display())]
    Files {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl RelinkError {
    /// Returns the reason as a record keeps it.
    pub fn obstacle(&self) -> LayoutObstacle {
        match self {
            Self::NoLink { .. } => LayoutObstacle::NoLink,
            Self::NotReproduced { .. } => LayoutObstacle::NotReproduced,
            Self::LinkerWithoutOrder { .. } => LayoutObstacle::LinkerWithoutOrder,
            Self::DrawnOnly => LayoutObstacle::DrawnOnly,
            Self::OldGoLinker { .. } => LayoutObstacle::OldGoLinker,
            Self::OwnOrder { .. } => LayoutObstacle::OwnOrder,
            Self::SlowLink { .. } => LayoutObstacle::SlowLink,
            Self::FewInPlace { .. } | Self::NoSymbols { .. } => LayoutObstacle::FewInPlace,
            Self::LinkFailed { .. } | Self::Files { .. } => LayoutObstacle::LinkFailed,
        }
    }
}

pub(crate) fn unusable(path: &Path) -> impl FnOnce(io::Error) -> RelinkError {
    let path = path.to_owned();
    |source| RelinkError::Files { path, source }
}
