//! Compiler drivers that keep what they link.
//!
//! A build finds them first on its search path, under the names of the real ones. Each keeps the inputs
//! of a link and then *becomes* the real driver with the arguments as they were, so that the output, the
//! exit code and the file are those of the real one. Nothing is rebuilt for that: a linker named by
//! cargo's settings would rebuild everything. The go command calls its linker by a full path, and is
//! given a program of ours to call it by.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use crate::arguments::DriverJob;
use crate::driver::{
    CompiledCall, DRIVER_FOLDER, DriverCall, LinkTool, SECTION_ARGUMENTS, find_program,
};
use crate::go_command;
use crate::kept::KeptLink;

/// The names that builds call a driver by.
pub(crate) const DRIVERS: [&str; 6] = ["cc", "gcc", "clang", "c++", "g++", "clang++"];

/// What drivers of ours are made from.
#[derive(Debug, Clone, Copy)]
pub struct LinkKeeper<'a> {
    /// This program, which they call.
    pub program: &'a Path,
    /// The search path of the build without them.
    pub search_path: &'a OsStr,
}

/// Drivers of ours that a build finds first.
#[derive(Debug, Clone)]
pub struct LinkShims {
    links: PathBuf,
    search_path: OsString,
}

impl LinkShims {
    /// Writes drivers below `links`, where they keep what they link, for those of the real ones that
    /// `search_path` has. Each calls `program link-shim LINKS NAME -- ARGUMENT…`.
    pub fn install(links: &Path, keeper: LinkKeeper<'_>) -> io::Result<Self> {
        let LinkKeeper { program, search_path } = keeper;
        let folder = links.join(DRIVER_FOLDER);
        fs::create_dir_all(&folder)?;
        let (links, folder) = (links.canonicalize()?, folder.canonicalize()?);
        for name in DRIVERS {
            // A build that looks for a compiler that is not there must not find one.
            if find_program(name, search_path).is_none() {
                continue;
            }
            let script = format!(
                "#!/bin/sh\nexec {} link-shim {} {name} -- \"$@\"\n",
                quoted(program)?,
                quoted(&links)?
            );
            write_script(&folder.join(name), &script)?;
        }
        if let Some(go) = find_program(go_command::NAME, search_path) {
            let [go, program, links] = [quoted(&go)?, quoted(program)?, quoted(&links)?];
            let scripts = go_command::scripts(&folder, &go, &program, &links)?;
            for (name, script) in scripts.into_iter().flatten() {
                write_script(&folder.join(name), &script)?;
            }
        }
        let folders = [folder].into_iter().chain(env::split_paths(search_path));
        let search_path = env::join_paths(folders).map_err(io::Error::other)?;
        Ok(Self { links, search_path })
    }

    /// Returns the search path of the build.
    pub fn search_path(&self) -> &OsStr {
        &self.search_path
    }

    /// Returns the folder that links are kept in.
    pub fn links(&self) -> &Path {
        &self.links
    }
}

/// Keeps what is linked in `links`, if a program is, and becomes the real driver; what compilations before
/// that say goes to `messages`. Returns only if that fails.
pub fn run(call: &DriverCall, links: &Path, messages: &mut dyn Write) -> io::Error {
    let mut command = call.command();
    if call.tool == LinkTool::GoLinker {
        let _ = KeptLink::keep_go(call, links);
        return command.args(&call.arguments).exec();
    }
    match call.job() {
        // Without a kept link the program is measured as built; the build goes on in any case.
        Some(DriverJob::Link(job)) => {
            let _ = KeptLink::keep(call, job, links);
        }
        // Only functions in sections of their own can be put in an order.
        Some(DriverJob::CompileC) => {
            command.args(SECTION_ARGUMENTS);
        }
        Some(DriverJob::CompileAndLink(job)) => {
            if let Ok(Some(compiled)) = call.compile(&job, links) {
                return link(&compiled, links, messages);
            }
        }
        Some(DriverJob::Other) | None => {}
    }
    command.args(&call.arguments).exec()
}

/// Keeps the link that is left of a call whose sources were compiled, and becomes the real driver for it.
fn link(compiled: &CompiledCall, links: &Path, messages: &mut dyn Write) -> io::Error {
    // A build whose standard error is closed goes on as well.
    let _ = messages.write_all(&compiled.said);
    if let Some(DriverJob::Link(job)) = compiled.call.job() {
        let _ = KeptLink::keep(&compiled.call, job, links);
    }
    compiled.call.command().args(&compiled.call.arguments).exec()
}

fn write_script(path: &Path, script: &str) -> io::Result<()> {
    fs::write(path, script)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

pub(crate) fn quoted(path: &Path) -> io::Result<String> {
    let text = path.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
    let quoted = shlex::try_quote(text).map_err(io::Error::other)?;
    Ok(quoted.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::tests::driver;

    #[test]
    fn drivers_of_ours_stand_before_the_real_ones_that_are_there() {
        let (real, links) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        driver(real.path(), "gcc");
        let program = Path::new("/opt/xml perf");
        let keeper = LinkKeeper { program, search_path: real.path().as_os_str() };
        let shims = LinkShims::install(&links.path().join("it's ours"), keeper).unwrap();
        let folders: Vec<_> = env::split_paths(shims.search_path()).collect();
        assert_eq!(folders[1], real.path());
        let names: Vec<_> = fs::read_dir(&folders[0]).unwrap().collect();
        assert_eq!(names.len(), 1);
        let script = fs::read_to_string(folders[0].join("gcc")).unwrap();
        assert!(script.contains("exec '/opt/xml perf' link-shim \""), "{script}");
        assert!(script.ends_with(" gcc -- \"$@\"\n"), "{script}");
    }
}
