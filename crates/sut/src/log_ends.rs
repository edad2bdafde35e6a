//! Keeps the two ends of a log, whatever a process writes between them.
//!
//! The log stays the file that the process writes to: a pipe would need a reader that is never late, or it
//! would stop what is measured. What lies between the ends is given back to the disk while the process
//! writes (a hole in the file), and the ends are joined when it has ended.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::kernel;

/// The beginning of a log, which is kept: how a program was started, and what it said first.
const BEGIN_BYTES: u64 = 64 << 10;
/// The end that is kept.
const END_BYTES: u64 = 1 << 20;
/// The end while a line is looked for that says a target is ready: the log is read as fast as it can be, and
/// must not be given back before.
const WATCHED_END_BYTES: u64 = 64 << 20;
/// Less than this is not given back: a call for each line would cost more than the room.
const HOLE_BYTES_MIN: u64 = 1 << 20;
/// What file systems give back is whole blocks.
const BLOCK_BYTES: u64 = 64 << 10;
/// How often a log is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// Opens a new log for a process, in the place of whatever else another one has put there: opening a FIFO
/// waits for its reader.
pub fn create_log(log: &Path) -> io::Result<File> {
    if fs::symlink_metadata(log).is_ok_and(|found| !found.is_file()) {
        fs::remove_file(log)?;
    }
    // Read to join its ends.
    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(log)
}

/// A log of which the ends are kept.
#[derive(Debug)]
pub struct LogEnds {
    file: File,
    end_bytes: u64,
    /// Where the hole ends.
    freed_to: u64,
}

impl LogEnds {
    /// Keeps the ends of a log from [`create_log`].
    pub fn of(log: &File) -> io::Result<Self> {
        Ok(Self { file: log.try_clone()?, end_bytes: END_BYTES, freed_to: BEGIN_BYTES })
    }

    /// Gives back what lies between the ends. Where the file system has no holes, it stays.
    pub fn free_middle(&mut self) {
        let length = self.file.metadata().map_or(0, |it| it.len());
        let end = length.saturating_sub(self.end_bytes) / BLOCK_BYTES * BLOCK_BYTES;
        let hole_bytes = end.saturating_sub(self.freed_to);
        if hole_bytes < HOLE_BYTES_MIN {
            return;
        }
        if kernel::make_hole(&self.file, self.freed_to, hole_bytes).is_ok() {
            self.freed_to = end;
        }
    }

    /// Joins the ends, if anything between them was given back, once nothing writes any more.
    pub fn join(mut self) -> io::Result<()> {
        self.end_bytes = END_BYTES;
        self.free_middle();
        let left_out = self.freed_to - BEGIN_BYTES;
        if left_out == 0 {
            return Ok(());
        }
        let remark = format!("\n[xmlperf left out {left_out} bytes of this log]\n");
        self.file.write_all_at(remark.as_bytes(), BEGIN_BYTES)?;
        let (mut from, mut to) = (self.freed_to, BEGIN_BYTES + remark.len() as u64);
        let mut block = vec![0; 64 << 10];
        loop {
            let read = self.file.read_at(&mut block, from)?;
            if read == 0 {
                return self.file.set_len(to);
            }
            self.file.write_all_at(&block[..read], to)?;
            from += read as u64;
            to += read as u64;
        }
    }
}

/// Keeps the ends of a log while a process writes it, until it is dropped.
#[derive(Debug)]
pub(super) struct LogKeeper {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<LogEnds>>,
}

impl LogKeeper {
    /// Begins. Where the system refuses a thread, the log is kept as it is.
    pub(super) fn start(log: &File, is_watched: bool) -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let (flag, mut ends) = (Arc::clone(&ended), LogEnds::of(log)?);
        if is_watched {
            ends.end_bytes = WATCHED_END_BYTES;
        }
        let keep = move || {
            while !flag.load(Ordering::Relaxed) {
                ends.free_middle();
                thread::park_timeout(INTERVAL);
            }
            ends
        };
        Ok(Self { ended, thread: thread::Builder::new().spawn(keep).ok() })
    }
}

impl Drop for LogKeeper {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A log that cannot be written any more keeps its hole.
            let _ = thread.join().map(LogEnds::join);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn of_a_log_without_an_end_both_ends_are_kept_and_what_lies_between_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head.log");
        let mut log = create_log(&path).unwrap();
        let mut ends = LogEnds::of(&log).unwrap();
        log.write_all(b"first line\n").unwrap();
        for number in 0..40 {
            log.write_all(&vec![b'x'; 1 << 20]).unwrap();
            writeln!(log, "{number}").unwrap();
            ends.free_middle();
            // The end, and what is less than it is worth to give back.
            assert!(log.metadata().unwrap().blocks() * 512 <= 4 << 20);
        }
        log.write_all(b"last line\n").unwrap();
        let written = log.metadata().unwrap().len();
        ends.join().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("first line\n") && text.ends_with("x39\nlast line\n"));
        assert!((1 << 20..3 << 20).contains(&text.len()), "{}", text.len());
        let remark = text.lines().find(|line| line.starts_with("[xmlperf left out ")).unwrap();
        let left_out: u64 = remark.split(' ').find_map(|word| word.parse().ok()).unwrap();
        assert_eq!(text.len() as u64 + left_out, written + remark.len() as u64 + 2);
    }

    #[test]
    fn a_short_log_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head.log");
        let mut log = create_log(&path).unwrap();
        let keeper = LogKeeper::start(&log, false).unwrap();
        let written = "a line\n".repeat(200_000);
        log.write_all(written.as_bytes()).unwrap();
        drop(keeper);
        assert_eq!(fs::read_to_string(&path).unwrap(), written);
    }
}
