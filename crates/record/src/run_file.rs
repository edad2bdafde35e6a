//! Reads and writes the file of a run, of this schema or an older one.

use std::path::Path;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::file::{self, write_atomically};
use crate::record_error::RecordError;
use crate::{Run, SCHEMA, bounds, migration};

#[derive(Deserialize)]
struct RecordHeader {
    schema: u32,
    tool: Option<String>,
}

impl Run {
    /// Reads a run from a file.
    pub fn load(path: &Path) -> Result<Self, RecordError> {
        let text = file::read_bounded(path, bounds::RUN_BYTES_MAX);
        let unreadable = |source| RecordError::Unreadable { path: path.to_path_buf(), source };
        Self::parse(&text.map_err(unreadable)?, path)
    }

    /// Returns the run in a text, which came from `path`.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, RecordError> {
        let run = Self::parse_unchecked(text, path)?;
        let path = || path.to_path_buf();
        bounds::check(&run).map_err(|source| RecordError::OutOfBounds { path: path(), source })?;
        Ok(run)
    }

    fn parse_unchecked(text: &[u8], path: &Path) -> Result<Self, RecordError> {
        let within = |most: u64| match text.len() as u64 {
            bytes if bytes > most => {
                Err(RecordError::TooLarge { path: path.to_path_buf(), bytes, most })
            }
            _ => Ok(()),
        };
        within(bounds::RUN_BYTES_MAX)?;
        let malformed = |source| RecordError::Malformed { path: path.to_path_buf(), source };
        let header: RecordHeader = serde_json::from_slice(text).map_err(malformed)?;
        match header.schema {
            SCHEMA => serde_json::from_slice(text).map_err(malformed),
            1.. if header.schema < SCHEMA => {
                within(bounds::OLD_RUN_BYTES_MAX)?;
                let old = serde_json::from_slice(text).map_err(malformed)?;
                let new = migration::migrate(old, header.schema).map_err(|source| {
                    let path = path.to_path_buf();
                    RecordError::Sentence { path, source }
                })?;
                serde_json::from_value(new).map_err(malformed)
            }
            0 => Err(malformed(serde::de::Error::custom("schemas begin with 1"))),
            found => {
                let tool = header.tool.unwrap_or_else(|| "which it does not name".to_owned());
                Err(RecordError::Newer { path: path.to_path_buf(), found, tool })
            }
        }
    }

    /// Writes the run beside `path`, then puts it in its place: a reader sees the old or the new one.
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        write_atomically(path, &self.to_json())
    }

    /// Returns the run as the text that [`Run::save`] writes.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text =
            serde_json::to_vec(self).expect("a run has only string keys and finite numbers");
        text.push(b'\n');
        text
    }

    /// Returns the digest of the run's text: twelve hexadecimal digits.
    pub fn digest(&self) -> String {
        digest(&self.to_json())
    }
}

/// Returns the digest of a record's text: twelve hexadecimal digits.
pub fn digest(text: &[u8]) -> String {
    let mut digest = units::hex(&Sha256::digest(text));
    digest.truncate(12);
    digest
}
