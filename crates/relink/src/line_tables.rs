//! Compiler drivers that add tables of lines to what they compile.
//!
//! A build finds them first on its search path, under the names of the real ones, which they become with one
//! more argument before the others: what a build says itself about debug information comes later and counts. The
//! machine code is the same.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::driver::{LINE_TABLE_ARGUMENT, find_program};
use crate::shim::{DRIVERS, quoted};

/// Words of a build command that call a driver themselves, or by a file that names no driver's full path.
const CALLING: [&str; 7] = ["cc", "gcc", "clang", "c++", "g++", "clang++", "make"];

/// Words of build tools that keep the path of the driver which they found, so that it has to stay.
const KEEPING: [&str; 6] = ["autogen", "bazel", "cmake", "configure", "meson", "ninja"];

/// Returns whether a build command calls compiler drivers by their names, and keeps none of their paths.
pub fn calls_drivers(command: &str) -> bool {
    let words = command.split(|c: char| !c.is_alphanumeric() && !matches!(c, '+' | '_' | '-'));
    let words: Vec<&str> = words.collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    has(&CALLING) && !has(&KEEPING)
}

/// Writes drivers into `folder` for those of the real ones that `search_path` has, and returns the search
/// path that finds them first.
pub fn install(folder: &Path, search_path: &OsStr) -> io::Result<OsString> {
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    for name in DRIVERS {
        let Some(driver) = find_program(name, search_path) else { continue };
        // A wrapper such as ccache looks for the compiler on the path again, and must not find this.
        let script = format!(
            "#!/bin/sh\nPATH={}\nexport PATH\nexec {} {LINE_TABLE_ARGUMENT} \"$@\"\n",
            quoted(Path::new(search_path))?,
            quoted(&driver)?
        );
        let path = folder.join(name);
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    let folders = [folder].into_iter().chain(env::split_paths(search_path));
    env::join_paths(folders).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn tools_that_keep_a_drivers_path_are_left_alone() {
        for (command, expected) in [
            ("cc -O2 -o api server.c", true),
            ("make -j2 api", true),
            ("cmake -B out && make -C out", false),
            ("./configure && make", false),
            ("cargo build --release", false),
            ("g++ -o api a.cpp", true),
        ] {
            assert_eq!(calls_drivers(command), expected, "{command}");
        }
    }

    #[test]
    fn a_driver_gets_one_more_argument_before_the_others_and_the_path_without_ours() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real bin");
        fs::create_dir(&real).unwrap();
        let cc = real.join("cc");
        fs::write(&cc, "#!/bin/sh\necho \"$PATH|$@\"\n").unwrap();
        fs::set_permissions(&cc, fs::Permissions::from_mode(0o755)).unwrap();
        let path = install(&dir.path().join("ours"), real.as_os_str()).unwrap();
        let first = env::split_paths(&path).next().unwrap();
        let output = Command::new(first.join("cc")).args(["-c", "a b.c"]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.trim_end(), format!("{}|-g1 -c a b.c", real.display()));
        assert!(!first.join("gcc").exists());
    }
}
