//! Tells the job that runs us: its summary, its step's outputs, and lines that its log understands.
//!
//! Both files belong to the step and are appended to. The delimiter around an output is drawn at
//! random, since a value that contained a known one could set any other output.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::publication::{Annotation, AnnotationLevel};
use super::truncation::fit;

/// Why the job did not get what it should.
#[derive(Debug, Error)]
#[error("failed to append to `{path}`")]
pub struct JobError {
    /// The file of the summary or the outputs.
    path: PathBuf,
    /// The system's reason.
    source: io::Error,
}

/// GitHub drops the summary of a step that is longer.
const SUMMARY_BYTES_MAX: u64 = 1 << 20;

/// Appends as much of `body` as a job summary takes.
pub fn write_summary(path: &Path, body: &str) -> Result<(), JobError> {
    let used = fs::metadata(path).map_or(0, |file| file.len());
    let room = SUMMARY_BYTES_MAX.saturating_sub(used);
    let room = usize::try_from(room).unwrap_or(usize::MAX).saturating_sub(1);
    let body = fit(body, room, "<sub>Shortened: a job summary holds 1 MiB.</sub>");
    append(path, &format!("{body}\n"))
}

/// Appends `outputs`, names and values, to the outputs of the step.
pub fn write_outputs(path: &Path, outputs: &[(String, String)]) -> Result<(), JobError> {
    let entries: String = outputs.iter().map(|(name, value)| entry(name, value, random)).collect();
    append(path, &entries)
}

fn entry(name: &str, value: &str, mut random: impl FnMut() -> u64) -> String {
    loop {
        let delimiter = format!("xmlperf-{:016x}{:016x}", random(), random());
        if !value.contains(&delimiter) {
            return format!("{name}<<{delimiter}\n{value}\n{delimiter}\n");
        }
    }
}

/// The seed of a hash table is drawn by the system, which is as much chance as is needed here.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn append(path: &Path, text: &str) -> Result<(), JobError> {
    let failed = |source| JobError { path: path.to_owned(), source };
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Returns the line of a log that makes `annotation` a remark of the job.
pub fn annotation_line(annotation: &Annotation) -> String {
    let command = match annotation.level {
        AnnotationLevel::Notice => "notice",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Failure => "error",
    };
    format!(
        "::{command} file={},line={},title={}::{}",
        property(&annotation.path),
        annotation.line,
        property(&annotation.title),
        data(&annotation.message)
    )
}

/// Returns the line of a log that shows `message` on the page of the run.
pub fn message_line(level: AnnotationLevel, message: &str) -> String {
    let command = match level {
        AnnotationLevel::Notice => "notice",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Failure => "error",
    };
    format!("::{command} title=xmlperf::{}", data(message))
}

/// Keeps a line break from starting another command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_own_entry() {
        let mut draws = [1, 2, 3, 4].into_iter();
        let value = format!("a\nxmlperf-{:016x}{:016x}\nverdict=pass", 1, 2);
        let entry = entry("title", &value, || draws.next().unwrap());
        let delimiter = format!("xmlperf-{:016x}{:016x}", 3, 4);
        assert_eq!(entry, format!("title<<{delimiter}\n{value}\n{delimiter}\n"));
    }

    #[test]
    fn a_message_is_one_command_whatever_it_says() {
        let annotation = Annotation {
            path: "a,b:c.toml".to_owned(),
            line: 3,
            level: AnnotationLevel::Failure,
            title: "x::y".to_owned(),
            message: "100 %\n::set-output name=verdict::pass".to_owned(),
        };
        assert_eq!(
            annotation_line(&annotation),
            "::error file=a%2Cb%3Ac.toml,line=3,title=x%3A%3Ay::100 %25%0A::set-output \
             name=verdict::pass"
        );
        assert_eq!(
            message_line(AnnotationLevel::Notice, "a\r\nb"),
            "::notice title=xmlperf::a%0D%0Ab"
        );
    }

    #[test]
    fn the_summary_of_a_step_stays_below_a_mebibyte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        fs::write(&path, "x".repeat(1_000_000)).unwrap();
        let long = "long\n".repeat(20_000);
        write_summary(&path, &format!("short\n<details>\n{long}</details>\n")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.len() <= 1 << 20 && text.contains("short\n"), "{} bytes", text.len());
    }
}
