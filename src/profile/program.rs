//! Tells what kind of program a command starts, before a tool spends a minute on finding out.
//!
//! Callgrind runs machine code that is in a file. It does not understand Go's stacks, and what a
//! just-in-time compiler writes differs from run to run and has no names.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::target::Command;

/// Programs that compile while they run, and how people call what they run.
const COMPILING: [(&str, &str); 9] = [
    ("java", "the JVM"),
    ("node", "Node.js"),
    ("nodejs", "Node.js"),
    ("deno", "Deno"),
    ("bun", "Bun"),
    ("dotnet", ".NET"),
    ("pypy3", "PyPy"),
    ("luajit", "LuaJIT"),
    ("beam.smp", "Erlang"),
];

/// Programs that start the target where nobody can look into it.
const CONTAINERS: [&str; 5] = ["docker", "podman", "nerdctl", "kubectl", "runc"];

/// Returns why instructions of the command cannot be counted, if that is certain beforehand.
pub(super) fn obstacle(command: &Command) -> Option<String> {
    let words = shlex::split(&command.start)?;
    let path = find(command, words.first()?)?;
    obstacle_of(&path, 0)
}

fn obstacle_of(path: &Path, depth: usize) -> Option<String> {
    const INTERPRETERS_MAX: usize = 4;
    let name = path.file_name()?.to_str()?;
    if let Some((_, what)) = COMPILING.iter().find(|(program, _)| *program == name) {
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
        return obstacle_of(&interpreter, depth + 1);
    }
    let go = has_section(&mut file, &start, b".go.buildinfo").unwrap_or(false);
    go.then(|| "it is written in Go, whose stacks valgrind does not follow".to_owned())
}

/// Returns the file that a shell would run: the search path is the one that the target will have.
fn find(command: &Command, program: &str) -> Option<PathBuf> {
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", "command -v -- \"$1\"", "sh", program])
        .current_dir(&command.dir)
        .envs(command.env.iter().map(|(name, value)| (name, value)))
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

/// Looks for the name among the sections of a 64-bit little-endian ELF file.
fn has_section(file: &mut (impl Read + Seek), header: &[u8; 64], name: &[u8]) -> io::Result<bool> {
    const NAMES_BYTES_MAX: u64 = 1 << 20;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(false);
    }
    let short = |bytes: &[u8], at: usize| u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let long = |bytes: &[u8], at: usize| {
        let bytes = bytes[at..at + 8].try_into().expect("a range of eight");
        u64::from_le_bytes(bytes)
    };
    // Offset of the section headers, their size, and which of them describes the names.
    let (table, size, names) = (long(header, 40), short(header, 58), short(header, 62));
    let Some(entry) = size.checked_mul(names).and_then(|offset| table.checked_add(offset)) else {
        return Ok(false);
    };
    let mut section = [0; 64];
    file.seek(SeekFrom::Start(entry))?;
    file.read_exact(&mut section)?;
    let (offset, length) = (long(&section, 24), long(&section, 32));
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length.min(NAMES_BYTES_MAX)).read_to_end(&mut bytes)?;
    Ok(bytes.split(|&byte| byte == 0).any(|section| section == name))
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
        obstacle(&Command {
            start: format!("./{name} --port {{port}}"),
            dir: dir.path().to_owned(),
            env: Vec::new(),
            port_env: None,
            ready: "/".to_owned(),
            ready_timeout: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(1),
            memory_bytes_max: None,
        })
    }

    /// A file with a header, a section header for the names, and the names.
    fn elf(sections: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 128];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[40] = 64; // section headers
        file[58] = 64; // their size
        file[64 + 24] = 128; // names
        file[64 + 32] = u8::try_from(sections.len()).unwrap();
        file.extend_from_slice(sections);
        file
    }

    #[test]
    fn programs_that_cannot_be_counted_are_told_by_name_by_script_and_by_section() {
        for (name, content, reason) in [
            ("java", b"".to_vec(), Some("the JVM compiles while it runs")),
            (
                "api",
                b"#!/usr/bin/env -S node --jitless\nlisten(); // and much more of this, a line"
                    .to_vec(),
                Some("Node.js"),
            ),
            ("docker", b"".to_vec(), Some("`docker` runs it in a container")),
            ("api", elf(b"\0.text\0.go.buildinfo\0"), Some("it is written in Go")),
            ("api", elf(b"\0.text\0.data\0"), None),
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
        assert!(!has_section(&mut Cursor::new(header), &header, b"x").unwrap_or(false));
    }
}
