//! Room on the disk for the results of a run, reserved before anything is measured: neither the output of a
//! target nor anything else can take it while launches go on.

use std::fs::File;
use std::io;
use std::path::Path;

use record::bounds::RUN_BYTES_MAX;
use rustix::fs::statvfs;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use suite::Suite;

use crate::app::failure::UseCaseError;

/// What a run needs on the disk however short it is: its reports, and the logs of both sides.
pub(super) const ROOM_BYTES_MIN: u64 = 16 << 20;

/// What a launch of a scenario takes in the record and the page, with all slices that are kept of a long load.
const LAUNCH_BYTES: u64 = 64 << 10;

/// Room that is taken until it is dropped, or the process ends in whatever way.
#[must_use = "room is given back where it is dropped"]
#[derive(Debug)]
pub(super) struct ResultRoom {
    /// A file without a name; none where the file system reserves nothing.
    _file: Option<File>,
}

/// Returns the bytes that the results of a suite take at most: the record is never larger than what is read.
pub(super) fn forecast(suite: &Suite) -> u64 {
    let sampling = &suite.sampling;
    let launches = sampling.launches.max(sampling.launch_pairs_max.saturating_mul(2));
    let results = suite.scenarios.iter().map(|it| it.operations.len()).sum::<usize>();
    let launches = u64::try_from(launches.saturating_mul(results)).unwrap_or(u64::MAX);
    ROOM_BYTES_MIN + launches.saturating_mul(LAUNCH_BYTES).min(RUN_BYTES_MAX)
}

/// Fails if the disk of a folder has fewer bytes left.
pub(super) fn ensure(folder: &Path, needed: u64) -> Result<(), UseCaseError> {
    let room = statvfs(folder).map_err(|errno| refused(folder, needed, errno.into()))?;
    let left = room.f_bavail.saturating_mul(room.f_frsize);
    if left < needed {
        return Err(UseCaseError::NoRoom { folder: folder.to_path_buf(), left, needed });
    }
    Ok(())
}

impl ResultRoom {
    /// Reserves so many bytes on the disk of a folder. Fails where there are fewer, or a quota has fewer left.
    pub(super) fn reserve(folder: &Path, bytes: u64) -> Result<Self, UseCaseError> {
        ensure(folder, bytes)?;
        // Beyond the limit on the size of a file the system ends the process by a signal.
        let is_allowed = getrlimit(Resource::Fsize).current.is_none_or(|most| bytes <= most);
        if !is_allowed {
            return Ok(Self { _file: None });
        }
        let file = tempfile::tempfile_in(folder).map_err(|error| refused(folder, bytes, error))?;
        match allocate(&file, bytes) {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(errno @ (Errno::NOSPC | Errno::DQUOT)) => Err(refused(folder, bytes, errno.into())),
            // NFS before 4.2, ZFS and other systems reserve nothing: what is left was looked at, and that is all there is.
            Err(_) => Ok(Self { _file: None }),
        }
    }
}

/// Takes room for a file that stays empty.
#[cfg(target_os = "linux")]
fn allocate(file: &File, bytes: u64) -> Result<(), Errno> {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, bytes)
}

/// Elsewhere room is taken by what is written only.
#[cfg(not(target_os = "linux"))]
fn allocate(_file: &File, _bytes: u64) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

fn refused(folder: &Path, needed: u64, source: io::Error) -> UseCaseError {
    UseCaseError::RoomRefused { folder: folder.to_path_buf(), needed, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn room_is_taken_without_a_name_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let room = ResultRoom::reserve(folder.path(), 1 << 20).unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        let ResultRoom { _file: file } = room;
        let found = file.unwrap().metadata().unwrap();
        assert!(found.blocks() * 512 >= 1 << 20 && found.nlink() == 0, "{found:?}");
    }

    #[test]
    fn more_than_a_disk_has_is_refused_with_what_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let error = ResultRoom::reserve(folder.path(), u64::MAX / 4).unwrap_err().to_string();
        assert!(error.contains("left on its disk, and a run may need"), "{error}");
    }
}
