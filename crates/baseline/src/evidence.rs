//! Records of the attempts at comparisons, `evidence/<key>.jsonl`, beside the histories.
//!
//! A record only grows, and is changed only if it still is what the changer has seen: of two runs of one
//! comparison at once, the second one fails instead of taking the first one's attempt away.

use record::bounds::EVIDENCE_BYTES_MAX;

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

impl BaselineStore {
    /// Returns all records of attempts by their keys, in order.
    pub fn all_evidence(&self) -> Result<Vec<(String, Vec<u8>)>, BaselineError> {
        let files = self.shelf.folder(FOLDER)?;
        let plain = files.iter().filter(|file| matches!(file.kind, FileKind::Plain(_)));
        let keyed = plain.filter_map(|file| Some((key_of(&file.path)?, file.path.as_str())));
        let (keys, paths): (Vec<&str>, Vec<&str>) = keyed.unzip();
        let contents = self.shelf.read(&paths, EVIDENCE_BYTES_MAX)?;
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
        self.shelf.read(&[&file(key)], EVIDENCE_BYTES_MAX)?.pop().unwrap_or(Ok(None))
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
        match self.shelf.swap(&path, seen, Some(lines))? {
            SwapOutcome::Done => Ok(()),
            SwapOutcome::Stale => {
                Err(BaselineError::EvidenceChanged { place: self.shelf.place(&path) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
}
