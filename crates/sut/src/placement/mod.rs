//! Redraws, at each launch, where in memory the pages of a program lie.
//!
//! The frames that hold a file's pages are chosen when the file is first read, and stay while it is
//! cached: between two byte-identical copies of one program, CPU time differs by several percent for
//! as long as both are cached. A comparison sees that as a property of a build. So each launch
//! executes a copy of its own, beside the program, so that `$ORIGIN` and the executable's folder stay
//! valid.
//!
//! A plain copy would not do: the kernel's lists of free frames are last in, first out, and a copy
//! written from front to back gets the frames of the copy before the last one, in their old order
//! (93 to 100 % of the pages). Blocks written in shuffled order break the order up.

mod copy;
mod mapping;

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::elf::ElfFile;
use crate::kernel;
pub use copy::sweep;
use copy::{CopyLabel, CopySource, ProgramCopy};
pub use mapping::{MappedFile, MappingState, executable_mappings, mapping_states};

/// How the pages of a program were placed for a launch, the strongest way first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PlacementMethod {
    /// A shuffled copy beside the program is executed.
    CopyBeside,
    /// A shuffled copy in the run's own folder is executed, since the program's folder takes none.
    CopyInRunFolder,
    /// The program itself is executed after its cached pages were dropped. Weak: most pages get the
    /// frames back that they had two launches before.
    CacheDropped,
    /// The program itself is executed, wherever its pages lie.
    Original,
}

impl PlacementMethod {
    /// Returns whether every launch has frames of its own.
    pub fn is_redrawn(self) -> bool {
        matches!(self, Self::CopyBeside | Self::CopyInRunFolder)
    }
}

impl fmt::Display for PlacementMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CopyBeside => "copied beside the program",
            Self::CopyInRunFolder => "copied to the run's folder",
            Self::CacheDropped => "cached pages dropped",
            Self::Original => "executed in place",
        })
    }
}

/// A program whose pages are placed for one launch. Dropping it deletes the copy, so it is kept until
/// the process has ended: frames that go back to the kernel while the other side starts would be
/// handed to that side.
#[derive(Debug)]
pub struct ProgramPlacement {
    method: PlacementMethod,
    copy: Option<ProgramCopy>,
}

impl ProgramPlacement {
    /// Executes the program where it is.
    pub fn original() -> Self {
        Self { method: PlacementMethod::Original, copy: None }
    }

    /// Places the pages of `program` anew: by a copy beside it, else by one in `run_folder`, else by
    /// dropping its pages from the cache. A copy has the content of `relinked`, if that is given.
    pub fn draw(program: &Path, relinked: Option<&Path>, run_folder: &Path) -> Self {
        let Ok(elf) = ElfFile::open(program) else { return Self::original() };
        let Ok(relinked) = relinked.map(ElfFile::open).transpose() else {
            return Self::original();
        };
        let source = CopySource { program: &elf, content: relinked.as_ref().unwrap_or(&elf) };
        for folder in elf.path().parent().into_iter().chain([run_folder]) {
            sweep(folder);
        }
        let label = CopyLabel::next();
        // Beside the file itself and not beside a link to it: the loader resolves `$ORIGIN` so.
        if let Some(folder) = elf.path().parent()
            && let Ok(copy) = ProgramCopy::make(source, folder, label)
        {
            return Self { method: PlacementMethod::CopyBeside, copy: Some(copy) };
        }
        if !elf.names_origin()
            && let Ok(copy) = ProgramCopy::make(source, run_folder, label)
        {
            return Self { method: PlacementMethod::CopyInRunFolder, copy: Some(copy) };
        }
        match drop_cache(elf.file()) {
            Ok(()) => Self { method: PlacementMethod::CacheDropped, copy: None },
            Err(_) => Self::original(),
        }
    }

    /// Returns how the pages were placed.
    pub fn method(&self) -> PlacementMethod {
        self.method
    }

    /// Returns the file to execute in the program's place, if it is another one.
    pub fn executable(&self) -> Option<&Path> {
        self.copy.as_ref().map(ProgramCopy::path)
    }
}

/// Returns the ELF file that the first word of a start command names, from `folder`. A name without
/// a slash is looked for on the search path, where both sides find one and the same file; a script
/// has no pages of its own.
pub fn elf_program(word: &str, folder: &Path) -> Option<PathBuf> {
    if !word.contains('/') {
        return None;
    }
    let path = fs::canonicalize(folder.join(word)).ok()?;
    ElfFile::open(&path).is_ok().then_some(path)
}

/// Returns whether two paths lead to one file, so that both sides execute the same pages.
pub fn is_same_file(base: &Path, head: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    identity(base).is_some() && identity(base) == identity(head)
}

/// Writes a file's dirty pages out, without which they would stay, and drops its cached ones.
fn drop_cache(file: &File) -> io::Result<()> {
    file.sync_all()?;
    kernel::drop_cached(file)
}

/// Returns the name of an executed file as a user knows it, whether or not it is a copy of ours.
fn plain_name(path: &Path) -> Option<&OsStr> {
    let name = path.file_name()?;
    Some(copy::original_name(name).unwrap_or(name))
}

#[cfg(test)]
mod tests;
