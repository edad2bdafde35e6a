//! Gives a launch an empty folder, and removes it after it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::failure::TargetError;
use super::placeholder::{Placeholder, PlaceholderValues};

/// What the placeholders of a launch stand for, and what has to be removed after it.
#[derive(Debug, Default)]
pub(super) struct LaunchSpace {
    pub(super) values: PlaceholderValues,
    _folder: Option<ScratchFolder>,
}

impl LaunchSpace {
    /// Makes the folder if one of the texts names it. `folder` is where it lies; what an earlier launch left
    /// there is removed.
    pub(super) fn prepare<'a>(
        mut values: PlaceholderValues,
        texts: impl Iterator<Item = &'a str>,
        folder: &Path,
    ) -> Result<Self, TargetError> {
        let uses = PlaceholderUse::of(texts);
        if !uses.has_dir {
            return Ok(Self { values, _folder: None });
        }
        let made = ScratchFolder::make(folder)
            .map_err(|source| TargetError::NoFolder { path: folder.to_owned(), source })?;
        values.dir = Some(made.0.clone());
        Ok(Self { values, _folder: Some(made) })
    }
}

/// What texts have placeholders for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PlaceholderUse {
    pub(super) ports: BTreeSet<String>,
    pub(super) services: BTreeSet<String>,
    pub(super) has_dir: bool,
}

impl PlaceholderUse {
    pub(super) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut uses = Self::default();
        for placeholder in texts.flat_map(|text| Placeholder::all(text).unwrap_or_default()) {
            match placeholder {
                Placeholder::NamedPort(name) => {
                    uses.ports.insert(name.to_owned());
                }
                Placeholder::Dir => uses.has_dir = true,
                Placeholder::Service(name) | Placeholder::ServicePort(name) => {
                    uses.services.insert(name.to_owned());
                }
                Placeholder::Port => {}
            }
        }
        uses
    }
}

/// A folder that is removed with all that is in it.
#[derive(Debug)]
struct ScratchFolder(PathBuf);

impl ScratchFolder {
    fn make(path: &Path) -> io::Result<Self> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(path)?;
        // Commands run in a folder of their own, from which a relative path would lead elsewhere.
        path.canonicalize().map(Self)
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed before the next launch.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_that_names_a_folder_has_it_empty_and_removes_it() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("head.dir");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("left"), "of a run that was killed").unwrap();
        let texts = ["./api {port:management}", "-d {dir}/data"];
        let values = PlaceholderValues { port: 1, ..PlaceholderValues::default() };
        let space = LaunchSpace::prepare(values, texts.into_iter(), &folder).unwrap();
        assert_eq!(fs::read_dir(space.values.dir.as_ref().unwrap()).unwrap().count(), 0);
        drop(space);
        assert!(!folder.exists());
        let names = PlaceholderUse::of(texts.into_iter()).ports;
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["management"]);
    }

    #[test]
    fn what_is_not_named_is_not_made() {
        let folder = Path::new("/proc/no-folder-can-be-made-here");
        let values = PlaceholderValues::default();
        let space = LaunchSpace::prepare(values, ["{port} {x}"].into_iter(), folder).unwrap();
        assert_eq!(space.values, PlaceholderValues::default());
    }
}
