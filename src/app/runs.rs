//! The archive of runs: a folder for each under `.xmlperf/runs`, of which the newest are kept.
//!
//! `report` beside it is that of the last run, at a place that scripts can rely on.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use compare::Comparison;
use record::bounds::NAME_BYTES_MAX;
use record::file::read_bounded;
use record::{Revision, Run};
use serde::{Deserialize, Serialize};

use crate::app::failure::UseCaseError;

/// The files of a run: its record, and the reports of it.
pub(super) const FILES: [&str; 4] = ["run.json", "report.md", "report.html", "report.json"];

/// The folder of the archive, in that of the results.
const FOLDER: &str = "runs";

/// What points at the newest run.
const LATEST: &str = "latest";

/// What a run's folder says of it, so that a list need not judge every run anew.
const SUMMARY: &str = "summary.json";

/// Runs that are kept.
const RUNS_MAX: usize = 100;

/// Bytes that all of them may take; the newest is kept whatever it takes.
const BYTES_MAX: u64 = 512 << 20;

/// Bytes of a summary: three names and some words.
const SUMMARY_BYTES_MAX: u64 = 8 * NAME_BYTES_MAX as u64;

/// What the archive says of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// When it began, in RFC 3339.
    pub started: String,
    /// The build that was compared against, if there was one.
    pub base: Option<Revision>,
    /// The build that was measured.
    pub head: Revision,
    /// What came out, as a report in JSON has it.
    pub outcome: String,
    /// The same in a sentence.
    pub headline: String,
}

/// A run of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedRun {
    /// Its name, by which `xmlperf report` finds it.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What it takes on the disk.
    pub bytes: u64,
    /// What it says; nothing if that cannot be read.
    pub summary: Option<RunSummary>,
}

/// Returns the runs of an archive in the folder of results `out`, the oldest first.
pub fn list(out: &Path) -> Result<Vec<ArchivedRun>, UseCaseError> {
    let folder = out.join(FOLDER);
    let unreadable = |source| UseCaseError::Archive { folder: folder.clone(), source };
    folders(&folder).map_err(unreadable)?.into_iter().map(|it| Ok(archived(it))).collect()
}

/// Returns the record of a run: that of a name in the archive, or of the last run without one.
pub fn find(out: &Path, name: Option<&str>) -> PathBuf {
    let archived = out.join(FOLDER).join(name.unwrap_or(LATEST)).join("run.json");
    match name {
        None if !archived.exists() => out.join("report/run.json"),
        Some(_) | None => archived,
    }
}

/// Takes in what the folder `report` holds, and drops the oldest runs beyond what is kept.
pub(super) fn keep(
    out: &Path,
    report: &Path,
    run: &Run,
    comparison: &Comparison,
) -> io::Result<PathBuf> {
    let archive = out.join(FOLDER);
    let folder = claim(&archive, &run.started)?;
    for name in FILES {
        let (written, kept) = (report.join(name), folder.join(name));
        // One file under two names: the next run puts new files in place of those in `report`.
        fs::hard_link(&written, &kept).or_else(|_| fs::copy(&written, &kept).map(drop))?;
    }
    let summary = serde_json::to_vec_pretty(&RunSummary::of(run, comparison))?;
    fs::write(folder.join(SUMMARY), summary)?;
    point_at(&archive, &folder)?;
    prune(&archive, RUNS_MAX, BYTES_MAX)?;
    Ok(folder)
}

impl RunSummary {
    fn of(run: &Run, comparison: &Comparison) -> Self {
        Self {
            started: run.started.clone(),
            base: run.base.clone(),
            head: run.head.clone(),
            outcome: report::json::outcome(&comparison.outcome).to_owned(),
            headline: report::title(comparison),
        }
    }
}

/// Makes a new folder called after a time of day: names sort as the times do.
fn claim(archive: &Path, started: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(archive)?;
    let digits: String = started.chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(digits.len().min(8));
    let mut number = 1;
    loop {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let folder = archive.join(format!("{day}-{time}{suffix}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Makes `latest` name a folder beside it, at once or not at all.
fn point_at(archive: &Path, folder: &Path) -> io::Result<()> {
    let new = archive.join(format!(".{LATEST}"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    symlink(folder.file_name().unwrap_or_default(), &new)?;
    fs::rename(new, archive.join(LATEST))
}

/// Removes the oldest runs until there are at most so many, of so many bytes; never the newest.
fn prune(archive: &Path, runs_max: usize, bytes_max: u64) -> io::Result<()> {
    let folders = folders(archive)?;
    let (mut runs, mut bytes) = (0, 0);
    for folder in folders.iter().rev() {
        runs += 1;
        bytes += size(folder);
        if runs > 1 && (runs > runs_max || bytes > bytes_max) {
            fs::remove_dir_all(folder)?;
        }
    }
    Ok(())
}

/// Returns the folders of runs, the oldest first; none where there is no archive.
fn folders(archive: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(archive) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn archived(folder: PathBuf) -> ArchivedRun {
    let summary = read_bounded(&folder.join(SUMMARY), SUMMARY_BYTES_MAX).ok();
    ArchivedRun {
        name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes: size(&folder),
        summary: summary.and_then(|text| serde_json::from_slice(&text).ok()),
        folder,
    }
}

/// Returns what the files of a folder take; what cannot be read takes nothing.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|it| it.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, paired};

    /// An archive to which so many runs were added, all begun at one time.
    fn archive(runs: usize) -> tempfile::TempDir {
        let out = tempfile::tempdir().unwrap();
        let report = out.path().join("report");
        let run = paired(8, LEVEL, LEVEL);
        let comparison = Comparison::of(&run).unwrap();
        for number in 0..runs {
            // As it is written: beside the old one, and renamed.
            fs::create_dir_all(&report).unwrap();
            for name in FILES {
                record::write_atomically(&report.join(name), number.to_string().as_bytes())
                    .unwrap();
            }
            keep(out.path(), &report, &run, &comparison).unwrap();
        }
        out
    }

    #[test]
    fn every_run_keeps_what_it_wrote_and_the_last_is_the_latest() {
        let out = archive(3);
        let runs = list(out.path()).unwrap();
        let held = |path: &Path| fs::read_to_string(path).unwrap();
        let kept: Vec<_> = runs.iter().map(|run| held(&run.folder.join("run.json"))).collect();
        assert_eq!(kept, ["0", "1", "2"]);
        assert_eq!(held(&find(out.path(), None)), "2");
        assert_eq!(held(&find(out.path(), Some(&runs[1].name))), "1");
        let summary = runs[0].summary.as_ref().unwrap();
        assert_eq!((summary.outcome.as_str(), runs[0].bytes > 100), ("pass", true));
    }

    #[test]
    fn the_oldest_runs_go_and_never_the_newest() {
        let out = archive(4);
        let folder = out.path().join(FOLDER);
        let names = || -> Vec<String> {
            list(out.path()).unwrap().into_iter().map(|run| run.name).collect()
        };
        let all = names();
        prune(&folder, 3, u64::MAX).unwrap();
        assert_eq!(names(), all[1..]);
        prune(&folder, 100, 1).unwrap();
        assert_eq!(names(), all[3..]);
        assert_eq!(fs::read_to_string(find(out.path(), None)).unwrap(), "3");
    }

    #[test]
    fn a_folder_without_an_archive_has_no_runs() {
        let out = tempfile::tempdir().unwrap();
        assert_eq!(list(out.path()).unwrap(), []);
        assert_eq!(find(out.path(), None), out.path().join("report/run.json"));
        fs::create_dir_all(out.path().join("runs/20260101-000000")).unwrap();
        assert_eq!(list(out.path()).unwrap()[0].summary, None);
    }
}
