//! A compiler driver as a build called it, and the real one behind it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::arguments::{DriverJob, LinkArgument, LinkJob, expand};

/// The folder of drivers of ours below that of the links.
pub(crate) const DRIVER_FOLDER: &str = "bin";

/// The name that Go's linker is called by, before its own path.
pub(crate) const GO_LINKER: &str = "go-linker";

/// Asks GCC and Clang for tables of lines, with what was inlined where.
pub(crate) const LINE_TABLE_ARGUMENT: &str = "-g1";

/// What is kept at the most of one build. Test programs are linked by the dozen.
const LINKS_MAX: usize = 1000;

/// What lets functions be put in an order, and makes line tables.
pub(crate) const SECTION_ARGUMENTS: [&str; 2] = ["-ffunction-sections", LINE_TABLE_ARGUMENT];

/// Variables that decide what a linker makes. Others are not kept: a credential may stand in them.
const VARIABLES: [&str; 25] = [
    "CGO_ENABLED",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "GO386",
    "GOAMD64",
    "GOARCH",
    "GOARM",
    "GOARM64",
    "GOEXPERIMENT",
    "GOFIPS140",
    "GOOS",
    "GOPPC64",
    "GORISCV64",
    "GOROOT",
    "GO_EXTLINK_ENABLED",
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

/// What a call is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LinkTool {
    /// A compiler driver, which calls a linker.
    #[default]
    CompilerDriver,
    /// Go's own linker.
    GoLinker,
}

/// A driver, or Go's linker, as a build called it.
#[derive(Debug, Clone)]
pub struct DriverCall {
    pub(crate) tool: LinkTool,
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
    /// Finds the real driver behind the one of ours in `links`, given all variables of the process. Of Go's
    /// linker, which the go command names itself, that is the first argument.
    pub fn new(
        links: &Path,
        name: &str,
        mut arguments: Vec<OsString>,
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
        let tool = if name == GO_LINKER { LinkTool::GoLinker } else { LinkTool::CompilerDriver };
        let driver = match tool {
            LinkTool::CompilerDriver => find_program(name, &search_path),
            LinkTool::GoLinker if arguments.is_empty() => None,
            LinkTool::GoLinker => Some(arguments.remove(0).into()),
        };
        let driver = driver
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name}: not found")))?;
        variables.insert("PATH".to_owned(), search_path.to_string_lossy().into_owned());
        let name = match tool {
            LinkTool::CompilerDriver => name.to_owned(),
            LinkTool::GoLinker => driver.to_string_lossy().into_owned(),
        };
        Ok(Self { tool, name, driver, folder, variables, arguments })
    }

    /// What the call is for; none where arguments are no text, or where it links what only the build
    /// itself executes.
    pub(crate) fn job(&self) -> Option<DriverJob> {
        let text = |argument: &OsString| argument.to_str().map(str::to_owned);
        let arguments = self.arguments.iter().map(text).collect::<Option<Vec<_>>>()?;
        let arguments = expand(arguments, |path| fs::read_to_string(self.folder.join(path)).ok());
        let job = DriverJob::read(arguments, |path| self.folder.join(path).is_file());
        match &job {
            DriverJob::Link(link) | DriverJob::CompileAndLink(link)
                if is_build_script(&link.output) =>
            {
                None
            }
            DriverJob::Link(_)
            | DriverJob::CompileC
            | DriverJob::CompileAndLink(_)
            | DriverJob::Other => Some(job),
        }
    }
}

/// A call with the sources compiled, so that what is left of it is a link.
#[derive(Debug)]
pub(crate) struct CompiledCall {
    /// The call with objects in place of sources.
    pub(crate) call: DriverCall,
    /// What the compilations wrote on standard error.
    pub(crate) said: Vec<u8>,
}

impl DriverCall {
    /// Compiles the sources of a call that would compile and link, in a new folder below `links`. Nothing
    /// is returned if a compilation fails, so that the call itself can say so, or if a source cannot be
    /// distinguished from the value of an option.
    pub(crate) fn compile(&self, job: &LinkJob, links: &Path) -> io::Result<Option<CompiledCall>> {
        let folder = own_folder(links, "compiled")?;
        let mut compiled = CompiledCall { call: self.clone(), said: Vec::new() };
        for (number, source) in job.arguments.iter().filter_map(LinkArgument::source).enumerate() {
            let object = folder.join(format!("{number:03}.o"));
            let mut command = self.command();
            // Arguments that follow may still say otherwise.
            command.args(SECTION_ARGUMENTS).args(job.compile_arguments());
            let output = command.arg("-c").arg(source).arg("-o").arg(&object).output()?;
            compiled.said.extend(output.stderr);
            let mut places = compiled.call.arguments.iter_mut().filter(|it| *it == source);
            match (output.status.success(), places.next(), places.next()) {
                (true, Some(place), None) => *place = object.into_os_string(),
                _ => return Ok(None),
            }
        }
        Ok(Some(compiled))
    }

    /// The real one, without arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.driver);
        command.arg0(&self.name).current_dir(&self.folder);
        // A wrapper such as ccache looks for the compiler on the path again, and must not find ours.
        command.envs(self.variables.get("PATH").map(|path| ("PATH", path)));
        command
    }
}

/// Makes a folder for one link. Others of the same name may be kept at the same time.
pub(crate) fn own_folder(links: &Path, output: &str) -> io::Result<PathBuf> {
    let name = Path::new(output).file_name().unwrap_or_default().to_string_lossy().into_owned();
    for number in 0..LINKS_MAX {
        let folder = links.join(format!("{name}-{number}"));
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
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
