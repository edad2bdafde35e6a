//! Copies an ELF file so that its pages lie anew, and deletes the copy when its launch is over.

use std::ffi::OsStr;
use std::fs;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rustix::fs::{Access, Gid, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::elf::ElfFile;

/// What is written at once: the size of a page, since larger writes get neighbouring frames.
const BLOCK_BYTES: usize = 4096;

/// From this size on, what only a debugger reads is left out.
const WHOLE_BYTES_MAX: u64 = 32 << 20;

const SET_USER_OR_GROUP: u32 = 0o6000;

/// Stands between the program's name and who made the copy.
const INFIX: &str = ".xmlperf-";

/// Who made a copy, and for which launch. All labels have one length: the path stands on the stack of
/// the process, and a longer one moves everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CopyLabel {
    pid: u32,
    /// When that process was started, in ticks since boot: process numbers are used again.
    started_ticks: u64,
    copy: u32,
}

impl CopyLabel {
    /// Returns a label that no copy has.
    pub(super) fn next() -> Self {
        static COPIES: AtomicU32 = AtomicU32::new(0);
        let pid = std::process::id();
        let copy = COPIES.fetch_add(1, Ordering::Relaxed);
        Self { pid, started_ticks: started_ticks(pid).unwrap_or_default(), copy }
    }

    fn suffix(self) -> String {
        let Self { pid, started_ticks, copy } = self;
        format!("{INFIX}{pid:010}-{started_ticks:016}-{copy:06}")
    }

    fn parse(suffix: &str) -> Option<Self> {
        let mut parts = suffix.split('-');
        let mut next = |digits: usize| {
            let part = parts.next()?;
            let is_number = part.len() == digits && part.bytes().all(|it| it.is_ascii_digit());
            is_number.then_some(part)
        };
        let pid = next(10)?.parse().ok()?;
        let started_ticks = next(16)?.parse().ok()?;
        let copy = next(6)?.parse().ok()?;
        parts.next().is_none().then_some(Self { pid, started_ticks, copy })
    }

    fn is_abandoned(self) -> bool {
        started_ticks(self.pid) != Some(self.started_ticks)
    }
}

/// What a copy is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct CopySource<'a> {
    /// Whose name, mode, times, owner and capabilities it gets.
    pub(super) program: &'a ElfFile,
    /// Whose bytes it gets: the program's, or those of the program linked again.
    pub(super) content: &'a ElfFile,
}

/// A copy of a program for one launch; dropping it deletes the file.
#[derive(Debug)]
pub(super) struct ProgramCopy {
    path: PathBuf,
}

impl ProgramCopy {
    /// Copies the program into a folder, with its mode, times, owner and capabilities.
    pub(super) fn make(
        source: CopySource<'_>,
        folder: &Path,
        label: CopyLabel,
    ) -> io::Result<Self> {
        let CopySource { program, content } = source;
        let name = program.path().file_name().unwrap_or_default().to_string_lossy();
        let path = folder.join(format!("{name}{}", label.suffix()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
        // From here on, whatever goes wrong removes the file.
        let copy = Self { path };
        fill(content, &file)?;
        keep_attributes(program.file(), &file)?;
        // A file system that executes nothing says so.
        rustix::fs::access(&copy.path, Access::EXEC_OK)?;
        // The descriptor is closed here: a file that is open for writing cannot be executed.
        Ok(copy)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ProgramCopy {
    fn drop(&mut self) {
        // What cannot be removed now is swept at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes the blocks in an order that the system draws. Each is read when it is written: the whole
/// file in memory would take frames that the copy then gets back in order.
fn fill(elf: &ElfFile, copy: &File) -> io::Result<()> {
    copy.set_len(elf.bytes())?;
    let mut blocks = blocks(elf);
    shuffle(&mut blocks)?;
    let mut buffer = [0; BLOCK_BYTES];
    for block in blocks {
        let left = usize::try_from(elf.bytes() - block).unwrap_or(usize::MAX);
        let bytes = left.min(BLOCK_BYTES);
        elf.file().read_exact_at(&mut buffer[..bytes], block)?;
        copy.write_all_at(&buffer[..bytes], block)?;
    }
    Ok(())
}

/// The offsets of the blocks to copy.
fn blocks(elf: &ElfFile) -> Vec<u64> {
    let all = (0..elf.bytes()).step_by(BLOCK_BYTES);
    if elf.bytes() <= WHOLE_BYTES_MAX {
        return all.collect();
    }
    let unread = elf.unread_parts();
    // A block that also holds something else is copied.
    let is_unread = |block: u64| {
        let within = unread.partition_point(|part| part.start <= block);
        within > 0 && unread[within - 1].end >= block + BLOCK_BYTES as u64
    };
    all.filter(|&block| !is_unread(block)).collect()
}

fn shuffle(blocks: &mut [u64]) -> io::Result<()> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let mut random = ChaCha8Rng::from_seed(seed);
    blocks.shuffle(&mut random);
    Ok(())
}

/// In this order: a change of owner clears capabilities and the set-user bit, a change of content
/// the times.
fn keep_attributes(program: &File, copy: &File) -> io::Result<()> {
    let metadata = program.metadata()?;
    let owner = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    let owned = rustix::fs::fchown(copy, Some(owner.0), Some(owner.1));
    // Owned by another, a program that changes its user would become that other.
    if metadata.mode() & SET_USER_OR_GROUP != 0 {
        owned?;
    }
    copy.set_permissions(Permissions::from_mode(metadata.mode() & 0o7777))?;
    keep_capabilities(program, copy)?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: metadata.atime(), tv_nsec: metadata.atime_nsec() },
        last_modification: Timespec { tv_sec: metadata.mtime(), tv_nsec: metadata.mtime_nsec() },
    };
    rustix::fs::futimens(copy, &times)?;
    Ok(())
}

/// Fails if the program has capabilities that the copy cannot be given: it would not run alike.
fn keep_capabilities(program: &File, copy: &File) -> io::Result<()> {
    const NAME: &str = "security.capability";
    let mut value = [0; 64];
    match rustix::fs::fgetxattr(program, NAME, &mut value) {
        Ok(bytes) => {
            rustix::fs::fsetxattr(copy, NAME, &value[..bytes], XattrFlags::empty())?;
            Ok(())
        }
        // None, or a file system that has no such attributes.
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Removes the copies in a folder whose makers are gone, as after SIGKILL. Returns how many.
pub fn sweep(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let is_left_over = |name: &OsStr| label_of(name).is_some_and(|(_, it)| it.is_abandoned());
    let left_over = entries.flatten().filter(|entry| is_left_over(&entry.file_name()));
    left_over.filter(|entry| fs::remove_file(entry.path()).is_ok()).count()
}

/// Returns the name of the program that a copy's name was made from, if it is one.
pub(super) fn original_name(name: &OsStr) -> Option<&OsStr> {
    label_of(name).map(|(original, _)| OsStr::new(original))
}

fn label_of(name: &OsStr) -> Option<(&str, CopyLabel)> {
    let (original, suffix) = name.to_str()?.rsplit_once(INFIX)?;
    Some((original, CopyLabel::parse(suffix)?))
}

/// When a process was started, in ticks since boot; none if there is no such process.
fn started_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may itself contain spaces and parentheses.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copys_name_tells_its_program_and_its_maker() {
        let label = CopyLabel::next();
        let name = format!("api.xmlperf-1{}", label.suffix());
        assert_eq!(label_of(OsStr::new(&name)), Some(("api.xmlperf-1", label)));
        assert!(!label.is_abandoned());
        assert!(CopyLabel { started_ticks: label.started_ticks + 1, ..label }.is_abandoned());
        for foreign in ["api", "api.xmlperf-1-2-3", "api.xmlperf-", "api.xmlperf-notes.txt"] {
            assert_eq!(original_name(OsStr::new(foreign)), None, "{foreign}");
        }
    }

    #[test]
    fn names_of_copies_have_one_length() {
        let lengths = |it: CopyLabel| it.suffix().len();
        let small = CopyLabel { pid: 1, started_ticks: 1, copy: 0 };
        let large = CopyLabel { pid: 4_194_304, started_ticks: 9_999_999_999, copy: 99_999 };
        assert_eq!(lengths(small), lengths(large));
    }
}
