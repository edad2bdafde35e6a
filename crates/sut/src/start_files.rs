//! Finds the files that two targets are started from, to tell whether they are one program.
//!
//! Each build is started from a checkout of its own. A build that installs to a place outside of it
//! gives both sides the file of the one that was built last, and any change would be invisible.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

use super::Target;
use super::failure::TargetError;
use super::kernel;
use super::placement;
use super::process::ProcessStat;

/// Returns when this program was started, to the tick of 10 ms.
pub fn invoked_at() -> Option<SystemTime> {
    let own = ProcessStat::read(rustix::process::getpid().as_raw_pid())?;
    let since_boot = own.started_ticks.checked_mul(1_000)? / clock_ticks_per_second().max(1);
    let age = kernel::since_boot()?.checked_sub(Duration::from_millis(since_boot))?;
    let time_of_day = Duration::try_from(clock_gettime(ClockId::Realtime)).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(time_of_day.checked_sub(age)?)
}

/// Returns a file that was changed within a stretch of time and that both targets are started from:
/// a program, a library, or a file that a command line names.
pub fn shared_start_file(
    base: &Target,
    head: &Target,
    changed: &Range<SystemTime>,
) -> Result<Option<PathBuf>, TargetError> {
    let (base, head) = (start_files(base, changed)?, start_files(head, changed)?);
    Ok(head.into_iter().find(|(file, _)| base.contains_key(file)).map(|(_, path)| path))
}

/// The files of a target's processes, by device and inode.
fn start_files(
    target: &Target,
    changed: &Range<SystemTime>,
) -> Result<BTreeMap<(u64, u64), PathBuf>, TargetError> {
    let mut files = BTreeMap::new();
    for pid in target.pids()? {
        // A process that has ended meanwhile has none.
        let mapped = placement::executable_mappings(pid).unwrap_or_default();
        let mapped = mapped.into_iter().map(|file| file.path);
        for path in mapped.chain(named_files(pid).unwrap_or_default()) {
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_file() && changed_at(&metadata).is_some_and(|at| changed.contains(&at)) {
                files.insert((metadata.dev(), metadata.ino()), path);
            }
        }
    }
    Ok(files)
}

/// The paths that the words of a command line are or have in them, as in `-cp a.jar:b.jar`.
fn named_files(pid: u32) -> io::Result<Vec<PathBuf>> {
    let folder = fs::read_link(format!("/proc/{pid}/cwd"))?;
    let line = fs::read(format!("/proc/{pid}/cmdline"))?;
    Ok(path_words(&String::from_utf8_lossy(&line), &folder))
}

fn path_words(line: &str, folder: &Path) -> Vec<PathBuf> {
    let words = line.split('\0').flat_map(|word| {
        let parts = word.split([':', '=', ',', ' ', '\'', '"']);
        parts.chain([word])
    });
    words.filter(|word| !word.is_empty()).map(|word| folder.join(word)).collect()
}

/// When contents, name or permissions changed last: unlike the time of the contents, a copy does not
/// take it along.
fn changed_at(metadata: &fs::Metadata) -> Option<SystemTime> {
    let (seconds, nanos) = (metadata.ctime(), metadata.ctime_nsec());
    let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_in_the_words_of_a_command_line() {
        let line = "java\0-cp\0a.jar:/b/c.jar\0--config=/etc/api.yml\0sh\0exec /d/e 1\0";
        let found = path_words(line, Path::new("/srv"));
        for path in ["/srv/a.jar", "/b/c.jar", "/etc/api.yml", "/d/e"] {
            assert!(found.contains(&PathBuf::from(path)), "{path} {found:?}");
        }
    }

    #[test]
    fn a_file_that_is_made_now_is_younger_than_this_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let changed = changed_at(&file.as_file().metadata().unwrap()).unwrap();
        assert!(invoked_at().unwrap() <= changed);
        let old = changed_at(&fs::metadata("/bin/sh").unwrap()).unwrap();
        assert!(old < invoked_at().unwrap());
    }
}
