//! Fetches one file of another run's artifact, which anybody may have written.
//!
//! Nothing is unpacked: the one requested entry is read from memory, under a limit that
//! counts what comes out and not what the archive claims. No name from the archive becomes a path.

use std::io::{self, Cursor, Read};

use miette::Diagnostic;
use serde::Deserialize;
use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use super::api::{ApiClient, ApiError};

/// Why an artifact is of no use.
#[derive(Debug, Error, Diagnostic)]
pub enum ArtifactError {
    /// GitHub does not hand it over.
    #[error("failed to fetch the artifact `{name}` of run {run}")]
    Unfetched {
        /// The artifact.
        name: String,
        /// The run.
        run: u64,
        /// GitHub's reason.
        source: ApiError,
    },
    /// The run left no such artifact, or it has expired.
    #[error("run {run} has no artifact `{name}`")]
    #[diagnostic(help("the workflow that measures uploads the report directory under this name"))]
    Missing {
        /// The artifact.
        name: String,
        /// The run.
        run: u64,
    },
    /// It is larger than any report.
    #[error("the artifact `{name}` exceeds {limit_bytes} bytes")]
    TooLarge {
        /// The artifact.
        name: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// It is not an archive.
    #[error("the artifact `{name}` is not a sound archive")]
    Broken {
        /// The artifact.
        name: String,
        /// The reader's reason.
        source: ZipError,
    },
    /// It does not have the file.
    #[error("the artifact `{name}` has no file `{file}`")]
    Incomplete {
        /// The artifact.
        name: String,
        /// The file.
        file: String,
    },
    /// The file cannot be unpacked.
    #[error("failed to read `{file}` of the artifact `{name}`")]
    Unreadable {
        /// The artifact.
        name: String,
        /// The file.
        file: String,
        /// The reader's reason.
        source: io::Error,
    },
}

/// Largest archive that is fetched, and largest file that comes out of it.
pub const BYTES_MAX: u64 = 32 << 20;

#[derive(Debug, Deserialize)]
struct Artifacts {
    artifacts: Vec<Artifact>,
}

#[derive(Debug, Deserialize)]
struct Artifact {
    id: u64,
    name: String,
    size_in_bytes: u64,
    #[serde(default)]
    expired: bool,
}

/// Returns the content of `file` in the latest artifact called `name` of `run`.
pub fn fetch(
    client: &ApiClient<'_>,
    run: u64,
    name: &str,
    file: &str,
) -> Result<Vec<u8>, ArtifactError> {
    let unfetched = |source| ArtifactError::Unfetched { name: name.to_owned(), run, source };
    let path = client.below(&format!("actions/runs/{run}/artifacts"));
    let query = vec![("name", name.to_owned()), ("per_page", "100".to_owned())];
    let found: Artifacts = client.get(path, query).map_err(unfetched)?;
    let fitting = found.artifacts.into_iter().filter(|it| it.name == name && !it.expired);
    let artifact = fitting
        .max_by_key(|artifact| artifact.id)
        .ok_or_else(|| ArtifactError::Missing { name: name.to_owned(), run })?;
    if artifact.size_in_bytes > BYTES_MAX {
        return Err(ArtifactError::TooLarge { name: name.to_owned(), limit_bytes: BYTES_MAX });
    }
    let path = client.below(&format!("actions/artifacts/{}/zip", artifact.id));
    let archive = client.get_bytes(path, BYTES_MAX).map_err(unfetched)?;
    unpack(&archive, name, file)
}

/// Returns the content of `file` in the archive of an artifact called `name`.
pub fn unpack(archive: &[u8], name: &str, file: &str) -> Result<Vec<u8>, ArtifactError> {
    let (name, file) = (name.to_owned(), file.to_owned());
    let mut archive = match ZipArchive::new(Cursor::new(archive)) {
        Ok(archive) => archive,
        Err(source) => return Err(ArtifactError::Broken { name, source }),
    };
    let entry = match archive.by_name(&file) {
        Ok(entry) => entry,
        Err(ZipError::FileNotFound) => return Err(ArtifactError::Incomplete { name, file }),
        Err(source) => return Err(ArtifactError::Broken { name, source }),
    };
    let mut content = Vec::new();
    match entry.take(BYTES_MAX + 1).read_to_end(&mut content) {
        Ok(_) if content.len() as u64 > BYTES_MAX => {
            Err(ArtifactError::TooLarge { name, limit_bytes: BYTES_MAX })
        }
        Ok(_) => Ok(content),
        Err(source) => Err(ArtifactError::Unreadable { name, file, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn only_the_requested_file_is_read() {
        let archive = archive(&[("../../etc/passwd", b"root"), ("run.json", b"{}")]);
        assert_eq!(unpack(&archive, "xmlperf", "run.json").unwrap(), b"{}");
        let error = unpack(&archive, "xmlperf", "report.md").unwrap_err();
        assert_eq!(error.to_string(), "the artifact `xmlperf` has no file `report.md`");
    }

    #[test]
    fn a_bomb_is_stopped_by_what_comes_out() {
        let zeros = vec![0; usize::try_from(BYTES_MAX).unwrap() + 1];
        let archive = archive(&[("run.json", &zeros)]);
        assert!(archive.len() < 100_000, "{} bytes", archive.len());
        let error = unpack(&archive, "xmlperf", "run.json").unwrap_err();
        assert!(matches!(error, ArtifactError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn anything_else_than_an_archive_is_refused() {
        for bytes in [&b""[..], b"{}", b"PK\x03\x04", &[0; 4096]] {
            let error = unpack(bytes, "xmlperf", "run.json").unwrap_err();
            assert!(matches!(error, ArtifactError::Broken { .. }), "{error}");
        }
    }
}
