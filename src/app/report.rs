//! Judges again what was recorded.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use compare::Comparison;
use record::Run;
use report::html;
use report::index_page::IndexEntry;

use crate::app::failure::UseCaseError;

/// The style sheet and the script of pages, in the folder of their assets.
const STYLESHEET: &str = "xmlperf.css";
const SCRIPT: &str = "xmlperf.js";

/// The page that stands beside a record.
const PAGE: &str = "report.html";

/// Reads a run and draws its verdicts anew from its numbers.
pub fn report(file: &Path) -> anyhow::Result<Comparison> {
    judge(&read(file)?, file)
}

fn read(file: &Path) -> anyhow::Result<Run> {
    if !file.exists() {
        return Err(UseCaseError::NoRunFile { path: file.to_path_buf() }.into());
    }
    Ok(Run::load(file)?)
}

fn judge(run: &Run, file: &Path) -> anyhow::Result<Comparison> {
    Comparison::of(run).with_context(|| format!("unusable `{}`", file.display()))
}

/// Reads several runs, for one report of all of them. What they are called, and where their pages are, is said from
/// `folder`: a path of this machine means nothing on another.
pub fn index(files: &[PathBuf], folder: &Path) -> anyhow::Result<Vec<IndexEntry>> {
    let paths: Vec<PathBuf> = files.iter().map(|file| from(folder, file)).collect();
    let shared = shared_folder(&paths);
    let entry = |(file, path): (&PathBuf, &PathBuf)| {
        let run = read(file)?;
        let page = path.with_file_name(PAGE);
        Ok(IndexEntry {
            name: path.strip_prefix(&shared).unwrap_or(path).display().to_string(),
            page: folder.join(&page).exists().then(|| page.display().to_string()),
            comparison: judge(&run, file)?,
            started: run.started,
        })
    };
    files.iter().zip(&paths).map(entry).collect()
}

/// The way from a folder to a file; both are where they seem to be.
fn from(folder: &Path, file: &Path) -> PathBuf {
    let file = folder.join(file);
    let shared = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(file.components().skip(shared)).collect()
}

/// The folder that all files are below.
fn shared_folder(files: &[PathBuf]) -> PathBuf {
    let folders = files.iter().map(|file| file.parent().unwrap_or(Path::new("")).to_path_buf());
    let shared = |a: PathBuf, b: PathBuf| {
        let both = a.components().zip(b.components());
        both.take_while(|(a, b)| a == b).map(|(component, _)| component).collect()
    };
    folders.reduce(shared).unwrap_or_default()
}

/// Writes what pages need beside themselves into a folder, and returns how a page beside that folder refers
/// to its style sheet and its script.
pub fn write_assets(folder: &Path) -> anyhow::Result<[String; 2]> {
    let failed = |path: &Path| format!("failed to write `{}`", path.display());
    fs::create_dir_all(folder).with_context(|| failed(folder))?;
    let write = |name, content: &str| {
        let path = folder.join(name);
        record::write_atomically(&path, content.as_bytes()).with_context(|| failed(&path))?;
        anyhow::Ok(path.display().to_string())
    };
    Ok([write(STYLESHEET, &html::stylesheet())?, write(SCRIPT, html::SCRIPT)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_called_by_what_tells_them_apart() {
        let folder = Path::new("/home/a/work");
        let check = |files: &[&str], paths: &[&str], names: &[&str]| {
            let found: Vec<_> = files.iter().map(|file| from(folder, Path::new(file))).collect();
            let expected: Vec<_> = paths.iter().map(PathBuf::from).collect();
            assert_eq!(found, expected);
            let shared = shared_folder(&found);
            let short: Vec<_> = found.iter().map(|it| it.strip_prefix(&shared).unwrap()).collect();
            assert_eq!(short, names.iter().map(Path::new).collect::<Vec<_>>());
        };
        check(
            &["/home/a/work/runs/1/run.json", "runs/2/run.json"],
            &["runs/1/run.json", "runs/2/run.json"],
            &["1/run.json", "2/run.json"],
        );
        check(
            &["/tmp/one.json", "/tmp/two.json"],
            &["../../../tmp/one.json", "../../../tmp/two.json"],
            &["one.json", "two.json"],
        );
        check(&["run.json"], &["run.json"], &["run.json"]);
    }
}
