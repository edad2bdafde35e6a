//! Writes a scenario for another load tool, into a folder of its own.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use interop::export::{
    self, ExportFile, ExportFormat, ExportPlan, FleetSize, GapKey, SUMS_FILE, SUMS_TITLE,
};
use load::TlsTrust;
use runner::RequestListing;
use sha2::{Digest as _, Sha256};
use suite::config::{self, ConfigOverrides};
use suite::{TargetSource, TargetSpec, UrlScheme};
use tempfile::TempDir;

use crate::app::failure::UseCaseError;

/// Where a target is expected that the configuration starts itself.
const STARTED_AUTHORITY: &str = "127.0.0.1:8080";

/// Where the reference API listens by default.
const REFERENCE_AUTHORITY: &str = "127.0.0.1:3000";

/// What is exported, and whereto.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The current folder.
    pub folder: PathBuf,
    /// Configuration file; without one, the nearest above the current folder, or none.
    pub config: Option<PathBuf>,
    /// The tool.
    pub format: ExportFormat,
    /// The scenario, of the configuration or a shipped one.
    pub scenario: String,
    /// Seed of the payloads, instead of the configuration's.
    pub seed: Option<u64>,
    /// Where requests are sent unless the script is given another, instead of the configuration's.
    pub url: Option<String>,
    /// How long a load lasts that takes its time from the suite.
    pub duration: Duration,
    /// What is left out if the tool cannot express it.
    pub accepted: Vec<GapKey>,
    /// Instances in a cluster.
    pub fleet: Option<FleetSize>,
    /// The folder to write.
    pub output: PathBuf,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct ExportReport {
    /// The file to begin with.
    pub first: PathBuf,
    /// Files.
    pub files: usize,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// Writes the files. A folder that is there is replaced if it is an earlier export that nothing has changed.
pub fn export(options: &ExportOptions) -> anyhow::Result<ExportReport> {
    let choice = ConfigOverrides {
        scenarios: vec![options.scenario.clone()],
        seed: options.seed,
        network: None,
    };
    let path = options.config.clone().or_else(|| config::find(&options.folder));
    let suite = match &path {
        Some(path) => config::load(path, &choice)?,
        None => config::embedded(&options.folder, &choice)?,
    };
    let scenario = suite.scenarios.first().context("there is no scenario")?;
    let listing = RequestListing::new(scenario, &suite.sampling)
        .with_context(|| format!("{} cannot express `{}`", options.format, scenario.name))?;
    let url = match &options.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => default_url(&suite.target)?,
    };
    let plan = ExportPlan {
        scenario,
        listing: &listing,
        url: &url,
        has_certificates: has_certificates(&suite.target),
        is_insecure: suite.target.trust == TlsTrust::Any && url.starts_with("https:"),
        duration: options.duration,
        accepted: &options.accepted,
        fleet: options.fleet,
    };
    let files = export::export(&plan, options.format)?;
    write(&files, &options.output)
}

fn has_certificates(target: &TargetSpec) -> bool {
    matches!(target.trust, TlsTrust::Pem(_)) || target.identity.is_some()
}

fn default_url(target: &TargetSpec) -> Result<String, UseCaseError> {
    let scheme = match target.scheme {
        UrlScheme::Http => "http",
        UrlScheme::Https => "https",
    };
    match &target.origin {
        TargetSource::Attach(url) if url.starts_with("unix:") => {
            Err(UseCaseError::ExportToSocket { url: url.clone() })
        }
        TargetSource::Attach(url) => Ok(url.trim_end_matches('/').to_owned()),
        TargetSource::Start(_) => Ok(format!("{scheme}://{STARTED_AUTHORITY}")),
        TargetSource::Embedded(_) => Ok(format!("{scheme}://{REFERENCE_AUTHORITY}")),
    }
}

/// Writes all files beside the folder and then puts them there, so that half of an export is never seen.
fn write(files: &[ExportFile], output: &Path) -> anyhow::Result<ExportReport> {
    let failed = || format!("failed to write `{}`", output.display());
    let earlier = earlier_files(output)?;
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    let part = TempDir::new_in(parent.unwrap_or(Path::new("."))).with_context(failed)?;
    let mut bytes = 0;
    for file in files {
        bytes += write_file(file, &part.path().join(&file.name)).with_context(failed)?;
    }
    fs::create_dir_all(output).with_context(failed)?;
    for name in earlier {
        fs::remove_file(output.join(name)).with_context(failed)?;
    }
    for file in files {
        let from = part.path().join(&file.name);
        fs::rename(from, output.join(&file.name)).with_context(failed)?;
    }
    let first = files.first().map(|file| output.join(&file.name)).unwrap_or_default();
    Ok(ExportReport { first, files: files.len(), bytes })
}

fn write_file(file: &ExportFile, path: &Path) -> io::Result<u64> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut bytes = 0;
    file.for_each_piece(|piece| {
        bytes += piece.len() as u64;
        out.write_all(piece)
    })?;
    out.flush()?;
    if file.is_program {
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
    }
    Ok(bytes)
}

/// Returns the files of an earlier export. Fails if there are others, or some have been changed: they are not
/// this program's to take away.
fn earlier_files(output: &Path) -> anyhow::Result<Vec<String>> {
    let failed = || format!("failed to read `{}`", output.display());
    let in_use = |path: PathBuf| Err(UseCaseError::ExportFolderInUse { path }.into());
    let entries = match fs::read_dir(output) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>().with_context(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(failed),
    };
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let sums = fs::read_to_string(output.join(SUMS_FILE)).unwrap_or_default();
    let mut lines = sums.lines();
    if lines.next() != Some(SUMS_TITLE) {
        return in_use(output.to_path_buf());
    }
    let listed: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once("  ")).collect();
    let mut names = vec![SUMS_FILE.to_owned()];
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == SUMS_FILE {
            continue;
        }
        let sum = listed.iter().find(|(_, other)| *other == name).map(|(sum, _)| *sum);
        let is_unchanged = match sum {
            Some(sum) => digest(&entry.path()).with_context(failed)? == sum,
            None => false,
        };
        if !is_unchanged {
            return in_use(entry.path());
        }
        names.push(name);
    }
    Ok(names)
}

fn digest(path: &Path) -> io::Result<String> {
    let (mut file, mut digest, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(units::hex(&digest.finalize())),
            read => digest.update(&piece[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use interop::export::ExportContent;

    use super::*;

    fn file(name: &str, text: &str) -> ExportFile {
        let content = ExportContent::Text(text.to_owned());
        ExportFile { name: name.to_owned(), content, is_program: false }
    }

    fn sums(text: &str) -> ExportFile {
        let sum = units::hex(&Sha256::digest(text));
        file(SUMS_FILE, &format!("{SUMS_TITLE}\n{sum}  a.js\n"))
    }

    #[test]
    fn an_earlier_export_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        write(&[file("a.js", "one"), sums("one")], &output).unwrap();
        write(&[file("b.js", "two")], &output).unwrap();
        assert!(!output.join("a.js").exists() && output.join("b.js").exists());
        // That had no digests, so it could be anything.
        assert!(write(&[file("a.js", "one")], &output).is_err());
        assert_eq!(fs::read_to_string(output.join("b.js")).unwrap(), "two");
    }

    #[test]
    fn a_file_that_was_changed_or_added_stays() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let said = |name: &str| {
            write(&[file("a.js", "one"), sums("one")], &output).unwrap();
            fs::write(output.join(name), "of a user").unwrap();
            let error = write(&[file("a.js", "two")], &output).unwrap_err().to_string();
            assert_eq!(fs::read_to_string(output.join(name)).unwrap(), "of a user");
            fs::remove_dir_all(&output).unwrap();
            error
        };
        assert!(said("a.js").contains("a.js") && said("notes.txt").contains("notes.txt"));
    }
}
