//! A go command that has its tools called by a program of ours, which keeps what the linker is given.
//!
//! A tool that is called for its version through that program prints the same as without it, so that what is compiled
//! stays valid: nothing is built anew for it.

use std::io;
use std::path::Path;

use crate::driver::GO_LINKER;

/// The name that builds call it by.
pub(crate) const NAME: &str = "go";

/// The name of the program that it calls tools by. Not one of theirs: of them the go command expects that they
/// read arguments from files.
const TOOL_CALLER: &str = "go-tool-caller";

/// Returns the scripts, by their names in `folder`; none where the folder's path cannot be given to the go
/// command. `go`, `program` and `links` are as a shell reads them.
pub(crate) fn scripts(
    folder: &Path,
    go: &str,
    program: &str,
    links: &str,
) -> io::Result<Option<[(&'static str, String); 2]>> {
    let Some(flag) = flag(&folder.join(TOOL_CALLER)) else { return Ok(None) };
    // The flags of a file of settings would be replaced by those of the environment, so that `go env` reads
    // both. A build that has its tools called itself, or a go command that fails, is left alone.
    let command = format!(
        "#!/bin/sh\n\
         flags=$({go} env GOFLAGS 2>/dev/null) || exec {go} \"$@\"\n\
         case $flags in *-toolexec*) exec {go} \"$@\" ;; esac\n\
         GOFLAGS=\"${{flags:+$flags }}\"{flag}\n\
         export GOFLAGS\n\
         exec {go} \"$@\"\n",
        flag = shlex::try_quote(&flag).map_err(io::Error::other)?,
    );
    let caller = format!(
        "#!/bin/sh\n\
         case \"${{1##*/}} $2\" in\n\
         \"link -V=full\") ;;\n\
         \"link \"*) exec {program} link-shim {links} {GO_LINKER} -- \"$@\" ;;\n\
         esac\n\
         exec \"$@\"\n"
    );
    Ok(Some([(NAME, command), (TOOL_CALLER, caller)]))
}

/// The flag, as a list of flags has it: quoted once as one of the list, and once as a program without arguments.
fn flag(caller: &Path) -> Option<String> {
    let path = caller.to_str()?;
    let is_quote = |character| matches!(character, '"' | '\'');
    match path {
        _ if path.contains(is_quote) => None,
        _ if path.contains(char::is_whitespace) => Some(format!("\"-toolexec='{path}'\"")),
        _ => Some(format!("-toolexec={path}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    /// What a go command gets as its flags that has some by its settings.
    fn flags(settings: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real-go");
        let script = format!(
            "#!/bin/sh\n[ \"$*\" = 'env GOFLAGS' ] && {{ {settings}; exit; }}\n\
             [ \"$*\" = 'build -o a b' ] && echo \"$GOFLAGS\"\n"
        );
        let real = real.to_str().unwrap();
        let scripts = scripts(folder.path(), real, "xmlperf", "links").unwrap().unwrap();
        let [(name, command), _] = scripts;
        for (name, script) in [("real-go", script), (name, command)] {
            let path = folder.path().join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut go = Command::new(folder.path().join(name));
        let said = go.args(["build", "-o", "a b"]).env("GOFLAGS", "-x").output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        said.trim_end().replace(folder.path().to_str().unwrap(), "FOLDER")
    }

    #[test]
    fn flags_of_the_user_stay() {
        for (settings, expected) in [
            ("echo", "-toolexec=FOLDER/go-tool-caller"),
            ("echo -mod=vendor -x", "-mod=vendor -x -toolexec=FOLDER/go-tool-caller"),
            // Left to the go command, which reads its settings itself.
            ("echo -toolexec=other", "-x"),
            ("false", "-x"),
        ] {
            let settings = if settings == "false" { "exit 1" } else { settings };
            assert_eq!(flags(settings), expected, "{settings}");
        }
    }

    #[test]
    fn a_folder_with_blanks_is_quoted_and_one_with_quotes_is_not_given() {
        let of = |path: &str| flag(Path::new(path));
        assert_eq!(of("/a b/c").as_deref(), Some("\"-toolexec='/a b/c'\""));
        assert_eq!(of("/it's"), None);
    }
}
