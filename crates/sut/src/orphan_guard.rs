//! Ends a target that its starter no longer can.
//!
//! A shell waits on a pipe whose other end only this process holds. When this process ends without
//! a word, even by SIGKILL, the shell reads the end of the pipe and kills the target's process
//! group, then processes outside it that carry the launch's marker in their environment.
//! `PR_SET_PDEATHSIG` would not do: it fires when the *thread* that forked ends, it does not reach
//! grandchildren, and setting it forces `fork` in place of `posix_spawn`, which copies the page
//! tables of a process that may hold a large payload.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;
use units::environment::ChildEnvironment;

/// What the shell calls itself.
pub(super) const NAME: &str = "xmlperf-guard";

/// Marked processes are looked for several times, as one may start another while it is killed.
const SCRIPT: &str = r#"
read -r group
read -r word && exit 0
[ -n "$group" ] && kill -KILL -- "-$group" 2>/dev/null
for round in 1 2 3; do
    for environ in $(grep -lszxF -e "$1" /proc/[0-9]*/environ 2>/dev/null); do
        pid=${environ#/proc/}
        kill -KILL "${pid%/environ}" 2>/dev/null
    done
done
[ -z "$2" ] || rm -f -- "$2"
shift 2
# A large process takes a while to be gone, and its group with it.
[ $# -gt 0 ] && for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    "$@" >/dev/null 2>&1 && break
    sleep 0.2
done
"#;

/// A waiting shell; if it is dropped without [`OrphanGuard::dismiss`], it kills.
#[derive(Debug)]
pub(super) struct OrphanGuard {
    shell: Child,
}

impl OrphanGuard {
    /// Starts to watch for the end of this process. Must come before the target, so that there is
    /// no moment without a guard.
    ///
    /// `copy` is a file that is removed after the kill. `afterwards` is a command that removes what
    /// has no process: a container, control groups.
    pub(super) fn post(
        marker: &str,
        environment: &ChildEnvironment,
        copy: Option<&Path>,
        afterwards: &[String],
    ) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        // The target may read with which environment its neighbours were started.
        for name in environment.removed() {
            shell.env_remove(name);
        }
        let shell = shell
            .args(["-c", SCRIPT, NAME, marker])
            .arg(copy.unwrap_or(Path::new("")))
            .args(afterwards)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { shell })
    }

    /// Tells which process group to kill.
    pub(super) fn watch(&mut self, group: Pid) -> io::Result<()> {
        self.say(&group.as_raw_pid().to_string())
    }

    /// Lets the guard go without killing: everything is known to have ended.
    pub(super) fn dismiss(mut self) {
        // A guard that has not read a group yet expects that line first. If the pipe is broken,
        // the guard is gone already, which is all that is wanted.
        let _ = self.say("").and_then(|()| self.say("done"));
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        let pipe = self.shell.stdin.as_mut().expect("the pipe is taken in `drop` only");
        writeln!(pipe, "{line}")
    }
}

impl Drop for OrphanGuard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // Waited for, so that it does not stay as a zombie; it ends on its own by now.
        let _ = self.shell.wait();
    }
}
