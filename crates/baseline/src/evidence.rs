//! Records of the attempts at comparisons, `evidence/<key>.jsonl`, beside the histories.
//!
//! A record only grows, and is changed only if it still is what the changer has seen: of two runs of one
//! comparison at once, the second one fails instead of taking the first one's attempt away.

use record::bounds::EVIDENCE_BYTES_MAX;
use record::evidence_lines;

use crate::backend::{FileContent, FileKind, SwapOutcome};
use crate::{BaselineError, BaselineStore, name};

const FOLDER: &str = "evidence";
const EXTENSION: &str = ".jsonl";

/// Returns the key of the record that a file is; none if it is not one.
pub(super) fn key_of(path: &str) -> Option<&str> {
    let (folder, file) = path.rsplit_once('/')?;
    let key = file.strip_suffix(EXTENSION)?;
    (folder == FOLDER && name::check(key).is_ok()).then_some(key)
}

fn file(key: &str) -> String {
    format!("{FOLDER}/{key}{EXTENSION}")
}

/// The record of a comparison, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceEntry {
    /// What is compared.
    pub key: String,
    /// Where it is.
    pub place: String,
    lines: Vec<u8>,
}

impl BaselineStore {
    /// Returns the records whose last attempt began before a moment, RFC 3339 in UTC, by their keys in order. One
    /// that says of no attempt when it began is not among them.
    pub fn old_evidence(&self, since: &str) -> Result<Vec<EvidenceEntry>, BaselineError> {
        let since = name::stamp(since)?;
        let is_old = |lines: &[u8]| {
            let started = evidence_lines::last_started(lines);
            started.and_then(|it| name::stamp(&it).ok()).is_some_and(|it| it < since)
        };
        let old = self.all_evidence()?.into_iter().filter(|(_, lines)| is_old(lines));
        let entry = |(key, lines): (String, Vec<u8>)| {
            let place = self.backend.place(&file(&key));
            EvidenceEntry { key, place, lines }
        };
        Ok(old.map(entry).collect())
    }

    /// Removes records that still are as they were seen, and returns those that were removed.
    pub fn remove_evidence(
        &self,
        seen: Vec<EvidenceEntry>,
    ) -> Result<Vec<EvidenceEntry>, BaselineError> {
        let mut removed = Vec::new();
        for entry in seen {
            match self.backend.swap(&file(&entry.key), Some(&entry.lines), None)? {
                SwapOutcome::Done => removed.push(entry),
                SwapOutcome::Stale => {}
            }
        }
        Ok(removed)
    }

    /// Returns all records of attempts by their keys, in order.
    pub fn all_evidence(&self) -> Result<Vec<(String, Vec<u8>)>, BaselineError> {
        let files = self.backend.folder(FOLDER)?;
        let plain = files.iter().filter(|file| matches!(file.kind, FileKind::Plain(_)));
        let keyed = plain.filter_map(|file| Some((key_of(&file.path)?, file.path.as_str())));
        let (keys, paths): (Vec<&str>, Vec<&str>) = keyed.unzip();
        let contents = self.backend.read(&paths, EVIDENCE_BYTES_MAX)?;
        let found = keys.into_iter().zip(contents);
        // One that was removed since it was listed is none.
        let record = |(key, content): (&str, FileContent)| {
            content.transpose().map(|lines| Ok((key.to_owned(), lines?)))
        };
        found.filter_map(record).collect()
    }

    /// Returns the lines of the record of a comparison; none if there is none.
    pub fn evidence(&self, key: &str) -> Result<Option<Vec<u8>>, BaselineError> {
        name::check(key)?;
        self.backend.read(&[&file(key)], EVIDENCE_BYTES_MAX)?.pop().unwrap_or(Ok(None))
    }

    /// Puts lines in the place of those that were `seen`. Fails if there are others by now.
    pub fn keep_evidence(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        lines: &[u8],
    ) -> Result<(), BaselineError> {
        name::check(key)?;
        let path = file(key);
        match self.backend.swap(&path, seen, Some(lines))? {
            SwapOutcome::Done => Ok(()),
            SwapOutcome::Stale => {
                Err(BaselineError::EvidenceChanged { place: self.backend.place(&path) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use record::evidence::EvidenceAttempt;
    use record::fixtures::LEVEL;

    use super::*;

    #[test]
    fn a_record_changes_only_as_it_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = BaselineStore::open("kept", folder.path()).unwrap();
        assert_eq!(store.evidence("a-b").unwrap(), None);
        store.keep_evidence("a-b", None, b"1\n").unwrap();
        store.keep_evidence("a-b", Some(b"1\n"), b"1\n2\n").unwrap();
        let stale = store.keep_evidence("a-b", Some(b"1\n"), b"1\n3\n").unwrap_err();
        assert!(matches!(stale, BaselineError::EvidenceChanged { .. }), "{stale}");
        assert_eq!(store.evidence("a-b").unwrap().unwrap(), b"1\n2\n");
        assert_eq!(store.all_evidence().unwrap(), [("a-b".to_owned(), b"1\n2\n".to_vec())]);
        assert!(store.histories().unwrap().is_empty());
        assert!(store.evidence("../a").is_err());
    }

    #[test]
    fn a_record_is_removed_when_its_last_attempt_is_old_and_none_was_added_since() {
        let folder = tempfile::tempdir().unwrap();
        let store = BaselineStore::open("kept", folder.path()).unwrap();
        let attempt = |number, day| EvidenceAttempt {
            number,
            run: format!("{number}"),
            machine: record::fixtures::paired(1, LEVEL, LEVEL).machine,
            machine_id: None,
            started: format!("2026-11-{day:02}T10:00:00Z"),
            launch_pairs: Vec::new(),
        };
        let keep = |key: &str, attempts: &[EvidenceAttempt]| {
            let seen = store.evidence(key).unwrap();
            let lines = evidence_lines::of_attempts(key, attempts);
            store.keep_evidence(key, seen.as_deref(), &lines).unwrap();
        };
        keep("ended", &[attempt(1, 1), attempt(2, 3)]);
        keep("goes-on", &[attempt(1, 1), attempt(2, 5)]);
        keep("taken-up", &[attempt(1, 2)]);
        store.keep_evidence("unknown", None, b"{}\n").unwrap();
        let keys = |entries: &[EvidenceEntry]| -> Vec<String> {
            entries.iter().map(|entry| entry.key.clone()).collect()
        };
        let old = store.old_evidence("2026-11-04T00:00:00Z").unwrap();
        assert_eq!(keys(&old), ["ended", "taken-up"]);
        // An attempt begins between the plan and the removal.
        keep("taken-up", &[attempt(1, 2), attempt(2, 6)]);
        assert_eq!(keys(&store.remove_evidence(old).unwrap()), ["ended"]);
        let left: Vec<String> = store.all_evidence().unwrap().into_iter().map(|it| it.0).collect();
        assert_eq!(left, ["goes-on", "taken-up", "unknown"]);
    }
}
