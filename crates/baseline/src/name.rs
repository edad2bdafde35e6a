//! What names are made of: histories are folders, runs are files whose names tell when they began and
//! what they hold.

use crate::BaselineError;

/// Digits of a digest in a file's name.
const DIGEST_DIGITS: usize = 12;
/// How the moment at which a run began stands in its file's name: RFC 3339 in UTC, without colons, which
/// some file systems refuse. Names in order are runs in order.
const STAMP: &str = "%Y-%m-%dT%H%M%SZ";
const STAMP_EXAMPLE: &[u8] = b"0000-00-00T000000Z";

/// Fails if a name cannot be a history's.
pub(super) fn check(name: &str) -> Result<(), BaselineError> {
    let legal = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let taken = part.starts_with('.') || matches!(part.rsplit_once('.'), Some((_, "json")));
        (1..=100).contains(&part.len()) && !taken && part.chars().all(plain)
    };
    if name.split('/').all(legal) {
        Ok(())
    } else {
        Err(BaselineError::BadName { name: name.to_owned() })
    }
}

/// Returns the moment at which a run began as it stands in file names.
pub(super) fn stamp(started: &str) -> Result<String, BaselineError> {
    let time: jiff::Timestamp = started.parse().map_err(|_| {
        let reason =
            format!("it began at `{started}`, which is no time such as `2026-11-23T10:00:00Z`");
        BaselineError::Unfit { reason }
    })?;
    Ok(time.strftime(STAMP).to_string())
}

/// Returns the path of a run's file.
pub(super) fn file(name: &str, stamp: &str, digest: &str) -> String {
    format!("{name}/{stamp}-{digest}.json")
}

/// Returns history, stamp and digest of a run's file; none if the path is not one.
pub(super) fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let (folder, file) = path.rsplit_once('/')?;
    let (stamp, digest) = file.strip_suffix(".json")?.rsplit_once('-')?;
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_digest = digest.len() == DIGEST_DIGITS && digest.bytes().all(hexadecimal);
    let is_stamp = stamp.len() == STAMP_EXAMPLE.len()
        && stamp.bytes().zip(STAMP_EXAMPLE).all(|(byte, example)| match example {
            b'0' => byte.is_ascii_digit(),
            other => byte == *other,
        });
    (is_digest && is_stamp && check(folder).is_ok()).then_some((folder, stamp, digest))
}
