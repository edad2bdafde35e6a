//! A compiler driver as a build called it, and the real one behind it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::arguments::{DriverJob, expand};

/// The folder of drivers of ours below that of the links.
pub(crate) const DRIVER_FOLDER: &str = "bin";

/// Asks GCC and Clang for tables of lines, with what was inlined where.
pub(crate) const LINE_TABLE_ARGUMENT: &str = "-g1";

/// Variables that decide what a driver links. Others are not kept: a credential may stand in them.
const VARIABLES: [&str; 12] = [
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "HOME",
    "LANG",
    "LC_ALL",
    "LDEMULATION",
    "LD_LIBRARY_PATH",
    "LD_RUN_PATH",
    "LIBRARY_PATH",
    "PATH",
    "SOURCE_DATE_EPOCH",
    "TMPDIR",
];

/// A driver as a build called it.
#[derive(Debug, Clone)]
pub struct DriverCall {
    /// The name that it was called by.
    pub(crate) name: String,
    /// The real one.
    pub(crate) driver: PathBuf,
    /// Where it was called.
    pub(crate) folder: PathBuf,
    /// What of its environment decides what it does.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) arguments: Vec<OsString>,
}

impl DriverCall {
    /// Finds the real driver behind the one of ours in `links`, given all variables of the process.
    pub fn new(
        links: &Path,
        name: &str,
        arguments: Vec<OsString>,
        folder: PathBuf,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> io::Result<Self> {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let kept = variables.into_iter().filter_map(text);
        let mut variables: BTreeMap<_, _> =
            kept.filter(|(name, _)| VARIABLES.contains(&name.as_str())).collect();
        let own = links.join(DRIVER_FOLDER);
        let search_path = variables.remove("PATH").unwrap_or_default();
        let others = env::split_paths(&search_path).filter(|folder| *folder != own);
        let search_path = env::join_paths(others).map_err(io::Error::other)?;
        let driver = find_program(name, &search_path)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name}: not found")))?;
        variables.insert("PATH".to_owned(), search_path.to_string_lossy().into_owned());
        Ok(Self { name: name.to_owned(), driver, folder, variables, arguments })
    }

    /// What the call is for; none where arguments are no text, or where it links what only the build
    /// itself executes.
    pub(crate) fn job(&self) -> Option<DriverJob> {
        let text = |argument: &OsString| argument.to_str().map(str::to_owned);
        let arguments = self.arguments.iter().map(text).collect::<Option<Vec<_>>>()?;
        let arguments = expand(arguments, |path| fs::read_to_string(self.folder.join(path)).ok());
        let job = DriverJob::read(arguments, |path| self.folder.join(path).is_file());
        match &job {
            DriverJob::Link(link) if is_build_script(&link.output) => None,
            DriverJob::Link(_) | DriverJob::CompileC | DriverJob::Other => Some(job),
        }
    }
}

/// Whether cargo executes this program while it builds.
fn is_build_script(output: &str) -> bool {
    let name = Path::new(output).file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("build_script_") || name.starts_with("build-script-")
}

pub(crate) fn find_program(name: &str, search_path: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(search_path).map(|folder| folder.join(name)).find(is_program)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes a program of a driver's name that does nothing.
    pub(crate) fn driver(folder: &Path, name: &str) {
        let path = folder.join(name);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_call_finds_the_real_driver_and_keeps_no_other_variable() {
        let (real, links) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        driver(real.path(), "cc");
        let own = links.path().join(DRIVER_FOLDER);
        fs::create_dir(&own).unwrap();
        driver(&own, "cc");
        let path = env::join_paths([own.as_path(), real.path()]).unwrap();
        let variables = [("PATH".into(), path), ("API_KEY".into(), "secret".into())];
        let folder = PathBuf::from("/");
        let call =
            DriverCall::new(links.path(), "cc", Vec::new(), folder.clone(), variables.clone());
        let call = call.unwrap();
        assert_eq!(call.driver, real.path().join("cc"));
        let kept: Vec<_> = call.variables.into_iter().collect();
        assert_eq!(kept, [("PATH".to_owned(), real.path().display().to_string())]);
        let missing = DriverCall::new(links.path(), "gcc", Vec::new(), folder, variables);
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_a_build_executes_itself_is_not_kept() {
        for (output, expected) in [
            ("target/release/build/x-1/build_script_build-1", true),
            ("target/release/build/x-1/build-script-build", true),
            ("target/release/deps/api-1", false),
        ] {
            assert_eq!(is_build_script(output), expected, "{output}");
        }
    }
}
