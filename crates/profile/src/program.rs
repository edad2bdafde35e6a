//! Tells what kind of program a command starts, before a tool spends a minute on finding out.
//!
//! Callgrind runs machine code that is in a file. It does not understand Go's stacks, and what a
//! just-in-time compiler writes differs from run to run and has no names.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sut::TargetCommand;

/// Programs that compile while they run, and how people call what they run.
const COMPILING: [(&str, &str); 10] = [
    ("java", "the JVM"),
    ("node", "Node.js"),
    ("nodejs", "Node.js"),
    ("deno", "Deno"),
    ("bun", "Bun"),
    ("dotnet", ".NET"),
    ("pypy", "PyPy"),
    ("luajit", "LuaJIT"),
    ("mono-sgen", "Mono"),
    ("beam.smp", "Erlang"),
];

/// How the libraries of such programs begin, which others may have loaded: .NET has a program of its own for
/// each service.
const COMPILING_LIBRARIES: [(&str, &str); 6] = [
    ("libjvm.so", "the JVM"),
    ("libnode.so", "Node.js"),
    ("libcoreclr.so", ".NET"),
    ("libpypy", "PyPy"),
    ("libluajit", "LuaJIT"),
    ("libmonosgen", "Mono"),
];

/// Programs that start the target where it cannot be traced.
const CONTAINERS: [&str; 5] = ["docker", "podman", "nerdctl", "kubectl", "runc"];

/// Returns why instructions of the command cannot be counted, if that is certain beforehand.
pub(super) fn obstacle(command: &TargetCommand) -> Option<String> {
    if command.container.is_some() {
        return Some("it runs in a container".to_owned());
    }
    let words = shlex::split(&command.start)?;
    obstacle_of(&find(command, words.first()?)?)
}

/// Returns why instructions of a program cannot be counted, if that is certain beforehand.
pub fn obstacle_of(program: &Path) -> Option<String> {
    obstacle_behind(program, 0)
}

fn obstacle_behind(path: &Path, depth: usize) -> Option<String> {
    const INTERPRETERS_MAX: usize = 4;
    let name = path.file_name()?.to_str()?;
    if let Some(what) = compiling(name) {
        return Some(format!(
            "{what} compiles while it runs, so instructions differ from run to run"
        ));
    }
    if CONTAINERS.contains(&name) {
        return Some(format!("`{name}` runs it in a container"));
    }
    let mut file = File::open(path).ok()?;
    let mut start = [0; 64];
    file.read_exact(&mut start).ok()?;
    if let Some(interpreter) = interpreter(&start)
        && depth < INTERPRETERS_MAX
    {
        return obstacle_behind(&interpreter, depth + 1);
    }
    let go = section(&mut file, &start, b".go.buildinfo").is_ok_and(|found| found.is_some());
    go.then(|| "it is written in Go, whose stacks valgrind does not follow".to_owned())
}

/// What a program or library of this name is called, if it compiles while it runs. `pypy3.10` and `node20`
/// are programs with their versions.
fn compiling(name: &str) -> Option<&'static str> {
    let unversioned = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let mut programs = COMPILING.iter();
    let program = programs.find(|(program, _)| *program == name || *program == unversioned);
    let library = || COMPILING_LIBRARIES.iter().find(|(library, _)| name.starts_with(library));
    program.or_else(library).map(|(_, what)| *what)
}

/// Returns what the program says it was compiled with, and the C library that it will run on. Empty
/// where it is a script, or says nothing.
pub(super) fn toolchain(command: &TargetCommand) -> String {
    let program = shlex::split(&command.start).and_then(|words| find(command, words.first()?));
    let compilers = program.and_then(|path| compilers(&path)).unwrap_or_default();
    let library = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok();
    let library = library.and_then(|output| String::from_utf8(output.stdout).ok());
    let library = library.map(|library| library.trim().to_owned());
    let known = compilers.into_iter().chain(library).filter(|part| !part.is_empty());
    known.collect::<Vec<_>>().join(", ")
}

/// Compilers leave their names in a section for comments.
fn compilers(path: &Path) -> Option<Vec<String>> {
    let mut file = File::open(path).ok()?;
    let mut start = [0; 64];
    file.read_exact(&mut start).ok()?;
    let comments = section(&mut file, &start, b".comment").ok()??;
    let comments = comments.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    Some(comments.map(|comment| comment.trim().to_owned()).collect())
}

/// Returns the file that a shell would run: the search path is the one that the target will have.
fn find(command: &TargetCommand, program: &str) -> Option<PathBuf> {
    let mut shell = Command::new("/bin/sh");
    for name in command.environment.removed() {
        shell.env_remove(name);
    }
    let output = shell
        .args(["-c", "command -v -- \"$1\"", "sh", program])
        .current_dir(&command.dir)
        .envs(command.env.iter().filter_map(|(name, value)| Some((name, value.text()?))))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let mut path = output.stdout;
    path.truncate(path.trim_ascii_end().len());
    let path = command.dir.join(std::ffi::OsString::from_vec(path));
    path.canonicalize().ok()
}

/// Reads `#!/usr/bin/java` and `#!/usr/bin/env java`.
fn interpreter(start: &[u8]) -> Option<PathBuf> {
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
    let first = words.next()?;
    let name =
        if first.ends_with("/env") { words.find(|word| !word.starts_with('-'))? } else { first };
    Some(PathBuf::from(name))
}

/// Returns the content of the section of that name of a 64-bit little-endian ELF file, if the file
/// is one and has it.
fn section(
    file: &mut (impl Read + Seek),
    header: &[u8; 64],
    name: &[u8],
) -> io::Result<Option<Vec<u8>>> {
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    // Offset of the section headers, their size, their number, and which describes the names.
    let (table, size) = (long(header, 40), short(header, 58));
    let (count, names) = (short(header, 60), short(header, 62));
    let mut entry = |number: u64| {
        let place = size.checked_mul(number).and_then(|offset| table.checked_add(offset));
        let mut entry = [0; 64];
        file.seek(SeekFrom::Start(place.ok_or(io::ErrorKind::InvalidData)?))?;
        file.read_exact(&mut entry)?;
        io::Result::Ok(entry)
    };
    let (names, entries) = (entry(names)?, (0..count).map(&mut entry).collect::<Vec<_>>());
    let names = content(file, &names)?;
    for entry in entries {
        let entry = entry?;
        let at = usize::try_from(word(&entry, 0)).ok().and_then(|at| names.get(at..));
        if at.is_some_and(|at| at.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0))) {
            return content(file, &entry).map(Some);
        }
    }
    Ok(None)
}

/// Reads what a section header points to.
fn content(file: &mut (impl Read + Seek), entry: &[u8; 64]) -> io::Result<Vec<u8>> {
    const BYTES_MAX: u64 = 1 << 20;
    file.seek(SeekFrom::Start(long(entry, 24)))?;
    let mut bytes = Vec::new();
    file.take(long(entry, 32).min(BYTES_MAX)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn short(bytes: &[u8; 64], at: usize) -> u64 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]]).into()
}

fn word(bytes: &[u8; 64], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a range of four"))
}

fn long(bytes: &[u8; 64], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a range of eight"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    /// What is said of a program of this name and content, started as `./NAME`.
    fn obstacle_to(name: &str, content: &[u8]) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        obstacle(&TargetCommand {
            start: format!("./{name} --port {{port}}"),
            dir: dir.path().to_owned(),
            environment: <_>::default(),
            env: Vec::new(),
            port_env: None,
            ready: "/".into(),
            ask: <_>::default(),
            ready_timeout: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(1),
            limits: <_>::default(),
            container: None,
            copies: None,
            services: <_>::default(),
            hooks: <_>::default(),
            relinked: None,
        })
    }

    /// A file with a header, a header for the names, one for each section, the names, and what is in
    /// the sections.
    fn elf(sections: &[(&str, &str)]) -> Vec<u8> {
        let mut names = b"\0.shstrtab\0".to_vec();
        let count = u8::try_from(sections.len() + 1).unwrap();
        let mut file = vec![0; 64 * usize::from(count)];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        // Section headers begin after the header, as large as that one, the names' first.
        (file[40], file[58], file[60], file[62]) = (64, 64, count, 0);
        file.resize(64 * (usize::from(count) + 1), 0);
        let place = |file: &mut Vec<u8>, number: usize, name: usize, content: &[u8]| {
            let (at, offset) = (64 + 64 * number, file.len());
            file[at] = u8::try_from(name).unwrap();
            file[at + 24..at + 26].copy_from_slice(&u16::try_from(offset).unwrap().to_le_bytes());
            file[at + 32] = u8::try_from(content.len()).unwrap();
            file.extend_from_slice(content);
        };
        for (number, (name, content)) in sections.iter().enumerate() {
            place(&mut file, number + 1, names.len(), content.as_bytes());
            names.extend_from_slice(name.as_bytes());
            names.push(0);
        }
        place(&mut file, 0, 1, &names);
        file
    }

    #[test]
    fn programs_that_cannot_be_counted_are_reported_by_name_by_script_and_by_section() {
        for (name, content, reason) in [
            ("java", b"".to_vec(), Some("the JVM compiles while it runs")),
            ("pypy3.10", b"".to_vec(), Some("PyPy compiles while it runs")),
            ("python3.11", b"".to_vec(), None),
            ("libcoreclr.so", b"".to_vec(), Some(".NET compiles while it runs")),
            ("libnode.so.115", b"".to_vec(), Some("Node.js compiles while it runs")),
            (
                "api",
                b"#!/usr/bin/env -S node --jitless\nlisten(); // and much more of this, a line"
                    .to_vec(),
                Some("Node.js"),
            ),
            ("docker", b"".to_vec(), Some("`docker` runs it in a container")),
            (
                "api",
                elf(&[(".text", "x"), (".go.buildinfo", "go1.22")]),
                Some("it is written in Go"),
            ),
            ("api", elf(&[(".text", "x"), (".data", "y")]), None),
            (
                "api",
                b"#!/bin/sh\nexec ./server --port $1 --and --many --other --options".to_vec(),
                None,
            ),
            ("api", b"short".to_vec(), None),
        ] {
            let found = obstacle_to(name, &content);
            assert!(
                match (&found, reason) {
                    (Some(found), Some(reason)) => found.starts_with(reason),
                    (found, reason) => found.is_none() && reason.is_none(),
                },
                "{name}: {found:?}, expected {reason:?}"
            );
        }
    }

    #[test]
    fn a_broken_file_has_no_sections() {
        let mut header = [0xff; 64];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        assert!(section(&mut Cursor::new(header), &header, b"x").is_err());
    }

    #[test]
    fn a_program_says_what_it_was_compiled_with() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let comment = "GCC: (Debian 12.2.0) 12.2.0\0rustc version 1.95.0\0";
        fs::write(file.path(), elf(&[(".text", "x"), (".comment", comment)])).unwrap();
        let said = compilers(file.path()).unwrap().join("|");
        assert_eq!(said, "GCC: (Debian 12.2.0) 12.2.0|rustc version 1.95.0|");
        let own = std::env::current_exe().unwrap();
        let own = compilers(&own).unwrap().join("|");
        assert!(own.contains("rustc version 1."), "{own}");
    }
}
