//! The evidence of all attempts at one comparison, as a file of lines that outlives each run.
//!
//! There is a line for each attempt and a line for each launch pair, written and synced before the
//! next one begins. A run that is killed loses the launch pair that it was in, and nothing else.
//!
//! Every line has the digest of all lines before it. What does not fit is not believed: the evidence
//! begins anew, at a smaller error rate, and the report says why. This protects from accidents and
//! from careless edits, not from someone who can write the record and recompute the digests.
//!
//! Lines that are missing at the end are how a killed run looks. In a folder nothing is lost by that. A
//! store gets the lines when an attempt begins and when it ends, so there an attempt without its end is
//! one of which launch pairs may be lost.

use std::fs;
use std::fs::{File, TryLockError};
use std::io;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::Machine;
use crate::evidence::{EvidenceAttempt, EvidenceGap, EvidencePair, EvidenceState};
use crate::evidence_lines::{EvidenceChain, EvidenceLine, SCHEMA};

/// Why a record of evidence cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum EvidenceError {
    /// A later version wrote it.
    #[error("evidence `{path}` has schema {found}, this version reads up to {SCHEMA}")]
    #[diagnostic(help("update xmlperf to the version that wrote it"))]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// Another comparison of the same builds is writing it.
    #[error("evidence `{path}` is in use by another run of the same comparison")]
    #[diagnostic(help("wait until it has ended, or keep the evidence of this one elsewhere"))]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("failed to keep the evidence in `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The schema of a line that may be of a later version.
#[derive(Deserialize)]
struct LineHeader {
    attempt: Option<SchemaHeader>,
}

#[derive(Deserialize)]
struct SchemaHeader {
    schema: u32,
}

/// A record that an attempt writes.
#[derive(Debug)]
pub struct EvidenceFile {
    path: PathBuf,
    file: File,
    chain: EvidenceChain,
    number: u32,
}

/// Where a record stays between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidencePlace {
    /// In the folder where its lines are written.
    Folder,
    /// In a store, which gets them when an attempt begins and when it ends.
    Store,
}

/// A record in a folder, as far as it can be believed.
#[derive(Default)]
struct EvidenceContent {
    attempts: Vec<EvidenceAttempt>,
    /// The highest number of an attempt in any line, believed or not.
    claimed: u32,
    /// Bytes of whole lines: what follows was being written when the run was killed.
    whole: usize,
    gap: Option<EvidenceGap>,
    /// Whether the last attempt has its end.
    has_ended: bool,
    /// The first attempt without its end.
    unfinished: Option<u32>,
}

/// What an attempt knows about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptStart {
    /// What is compared.
    pub key: String,
    /// The run that it is part of.
    pub run: String,
    /// Its number, as far as the continuous integration counts attempts.
    pub number: Option<u32>,
    /// Where it runs.
    pub machine: Machine,
    /// What tells it from another machine of the same kind.
    pub machine_id: Option<String>,
    /// Where the record stays.
    pub place: EvidencePlace,
    /// Now, RFC 3339 in UTC.
    pub now: String,
    /// The attempts that a run of another machine carries, in case the folder has fewer.
    pub known: Vec<EvidenceAttempt>,
}

impl EvidenceFile {
    /// Takes up the record of a comparison in a folder, or begins one, and notes that an attempt begins.
    ///
    /// A record that cannot be believed is put aside, beside the new one.
    pub fn begin(
        folder: &Path,
        start: &AttemptStart,
    ) -> Result<(Self, EvidenceState), EvidenceError> {
        let path = path(folder, &start.key);
        let failed = |source| EvidenceError::Io { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut content = read(&text, start, &path)?;
        content.note_unfinished(start.place);
        let is_behind = content.gap.is_none() && content.attempts.len() < start.known.len();
        if is_behind {
            content.attempts.clone_from(&start.known);
        }
        let (whole, open) = (content.whole, content.open().filter(|_| !is_behind));
        let state = state(content, start);
        let kept = if state.gap.is_some() || is_behind { 0 } else { whole };
        let mut evidence = Self::open(&path, &text[..kept], state.number)?;
        if state.gap.is_some() && !text.is_empty() {
            fs::write(path.with_extension("jsonl.broken"), &text).map_err(failed)?;
        }
        evidence.file.set_len(kept as u64).map_err(failed)?;
        for earlier in state.earlier.iter().filter(|_| is_behind) {
            evidence.append_known(&start.key, earlier)?;
        }
        if let (Some(killed), None) = (open, &state.gap) {
            // All that it measured is here.
            let line = evidence.chain.end(killed);
            evidence.write(&line)?;
        }
        evidence.append_attempt(start, state.number)?;
        // A file that was made just now is found again only if its folder is on the disk too.
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| EvidenceError::Io { path: folder.to_path_buf(), source })?;
        Ok((evidence, state))
    }

    fn open(path: &Path, kept: &[u8], number: u32) -> Result<Self, EvidenceError> {
        let failed = |source| EvidenceError::Io { path: path.to_path_buf(), source };
        let file = File::options().create(true).append(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EvidenceError::InUse { path: path.to_path_buf() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let chain = EvidenceChain::after(kept);
        Ok(Self { path: path.to_path_buf(), file, chain, number })
    }

    /// Notes what a launch pair says. When this returns, it survives whatever becomes of the run.
    pub fn append(&mut self, launch_pair: EvidencePair) -> Result<(), EvidenceError> {
        let line = self.chain.launch_pair(launch_pair);
        self.write(&line)
    }

    /// Notes that the attempt has ended.
    pub fn end(&mut self) -> Result<(), EvidenceError> {
        let line = self.chain.end(self.number);
        self.write(&line)
    }

    fn append_attempt(&mut self, start: &AttemptStart, number: u32) -> Result<(), EvidenceError> {
        let attempt = EvidenceAttempt {
            number,
            run: start.run.clone(),
            machine: start.machine.clone(),
            machine_id: start.machine_id.clone(),
            started: start.now.clone(),
            launch_pairs: Vec::new(),
        };
        let line = self.chain.attempt(&start.key, &attempt);
        self.write(&line)
    }

    /// Writes an attempt of another machine with its launch pairs.
    fn append_known(&mut self, key: &str, attempt: &EvidenceAttempt) -> Result<(), EvidenceError> {
        let mut lines = self.chain.attempt(key, attempt);
        lines.extend(self.chain.end(attempt.number));
        self.write(&lines)
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), EvidenceError> {
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        written.map_err(|source| EvidenceError::Io { path: self.path.clone(), source })
    }
}

/// Returns the path of the record of a comparison in a folder.
pub fn path(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.jsonl"))
}

/// Returns what an attempt that builds on these lines, of a record of that comparison, finds missing in them.
pub fn gap(
    lines: &[u8],
    key: &str,
    attempt: &EvidenceAttempt,
) -> Result<Option<EvidenceGap>, EvidenceError> {
    let start = AttemptStart {
        key: key.to_owned(),
        run: attempt.run.clone(),
        number: Some(attempt.number),
        machine: attempt.machine.clone(),
        machine_id: attempt.machine_id.clone(),
        place: EvidencePlace::Folder,
        now: attempt.started.clone(),
        known: Vec::new(),
    };
    let content = read(lines, &start, &path(Path::new(""), key))?;
    Ok(state(content, &start).gap)
}

/// What an attempt may build on.
fn state(content: EvidenceContent, start: &AttemptStart) -> EvidenceState {
    let EvidenceContent { attempts, claimed, gap, .. } = content;
    let recorded = attempts.last().map_or(0, |last| last.number);
    // Lines that are not believed still say how many attempts there were: none of them may be the second
    // one again.
    let made = recorded.max(claimed);
    let number = start.number.unwrap_or(0).max(made.saturating_add(1));
    let gap = gap.or_else(|| match (recorded, number) {
        (0, 1) => None,
        (0, _) => Some(EvidenceGap::Missing),
        (recorded, number) if number - 1 == recorded => None,
        (recorded, number) => Some(EvidenceGap::Attempts { recorded, made: number - 1 }),
    });
    let (key, run) = (start.key.clone(), start.run.clone());
    if gap.is_some() {
        // An attempt was made whose evidence is lost, so this cannot be the first one.
        let number = number.max(2);
        return EvidenceState { key, number, run, since: number, gap, earlier: Vec::new() };
    }
    let since = attempts.first().map_or(number, |first| first.number);
    EvidenceState { key, number, run, since, gap: None, earlier: attempts }
}

/// Reads the lines up to the first one that does not fit.
fn read(text: &[u8], start: &AttemptStart, path: &Path) -> Result<EvidenceContent, EvidenceError> {
    let mut content = EvidenceContent::default();
    let mut written = Sha256::new();
    for (line, number) in text.split_inclusive(|byte| *byte == b'\n').zip(1..) {
        if !line.ends_with(b"\n") {
            break;
        }
        check_schema(line, path)?;
        content.claimed = content.claimed.max(claimed(line));
        if content.gap.is_some() {
            continue;
        }
        let before = units::hex(&written.clone().finalize());
        content.gap = content.take(line, number, &before, start).err();
        if content.gap.is_none() {
            content.whole += line.len();
            written.update(line);
        }
    }
    Ok(content)
}

/// The number of the attempt that a line says it begins; 0 of any other line.
fn claimed(line: &[u8]) -> u32 {
    match serde_json::from_slice(line) {
        Ok(EvidenceLine::Attempt { attempt, .. }) => attempt.number,
        Ok(EvidenceLine::LaunchPair { .. } | EvidenceLine::End { .. }) | Err(_) => 0,
    }
}

fn check_schema(line: &[u8], path: &Path) -> Result<(), EvidenceError> {
    let header = serde_json::from_slice::<LineHeader>(line).ok();
    match header.and_then(|header| header.attempt) {
        Some(SchemaHeader { schema: found }) if found > SCHEMA => {
            Err(EvidenceError::Newer { path: path.to_path_buf(), found })
        }
        Some(_) | None => Ok(()),
    }
}

impl Drop for EvidenceFile {
    /// Closing alone would leave the lock with a child that another thread is starting, until it executes.
    fn drop(&mut self) {
        // Where unlocking fails, closing still does it.
        let _ = self.file.unlock();
    }
}

impl EvidenceContent {
    /// Takes in a line, or says why it does not follow those before it.
    fn take(
        &mut self,
        line: &[u8],
        number: usize,
        expected: &str,
        start: &AttemptStart,
    ) -> Result<(), EvidenceGap> {
        let malformed = EvidenceGap::Malformed { line: number };
        let line: EvidenceLine = serde_json::from_slice(line).map_err(|_| malformed.clone())?;
        if line.before() != expected {
            return Err(EvidenceGap::Altered { line: number });
        }
        match line {
            EvidenceLine::Attempt { key, attempt, .. } => self.take_attempt(&key, *attempt, start),
            EvidenceLine::LaunchPair { launch_pair, .. } => {
                let last = self.attempts.last_mut().filter(|_| !self.has_ended);
                last.ok_or(malformed)?.launch_pairs.push(launch_pair);
                Ok(())
            }
            EvidenceLine::End { number, .. } => {
                let is_open = self.attempts.last().is_some_and(|last| last.number == number);
                self.has_ended = is_open;
                is_open.then_some(()).ok_or(malformed)
            }
        }
    }

    /// The last attempt, if it lacks its end.
    fn open(&self) -> Option<u32> {
        self.attempts.last().filter(|_| !self.has_ended).map(|last| last.number)
    }

    /// Doubts the evidence of a store where an attempt lacks its end.
    fn note_unfinished(&mut self, place: EvidencePlace) {
        let unfinished = self.unfinished.or(self.open()).filter(|_| place == EvidencePlace::Store);
        let gap = unfinished.map(|number| EvidenceGap::Unfinished { number });
        self.gap = self.gap.take().or(gap);
    }

    fn take_attempt(
        &mut self,
        key: &str,
        attempt: EvidenceAttempt,
        start: &AttemptStart,
    ) -> Result<(), EvidenceGap> {
        if key != start.key {
            return Err(EvidenceGap::OtherKey);
        }
        // Both are RFC 3339 in UTC, whose order is that of their texts.
        if attempt.started > start.now {
            return Err(EvidenceGap::Future { started: attempt.started });
        }
        let follows = self
            .attempts
            .last()
            .is_none_or(|last| last.number.checked_add(1) == Some(attempt.number));
        if !follows || attempt.number == 0 {
            return Err(EvidenceGap::Repeated { number: attempt.number });
        }
        self.unfinished = self.unfinished.or(self.open());
        self.has_ended = false;
        self.attempts.push(attempt);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::metric::Metric;
    use crate::{Side, fixtures};

    fn start(number: Option<u32>) -> AttemptStart {
        AttemptStart {
            key: "k1".to_owned(),
            run: "77".to_owned(),
            number,
            machine: fixtures::machine(),
            machine_id: None,
            place: EvidencePlace::Folder,
            now: "2026-11-27T10:00:00Z".to_owned(),
            known: Vec::new(),
        }
    }

    fn launch_pair(cpu: f64) -> EvidencePair {
        let metrics = BTreeMap::from([(Metric::Cpu, cpu)]);
        let differences = BTreeMap::from([("smoke".to_owned(), metrics)]);
        EvidencePair { first: Side::Head, differences }
    }

    /// A record of one attempt with two launch pairs.
    fn recorded(folder: &Path) -> PathBuf {
        let (mut file, state) = EvidenceFile::begin(folder, &start(None)).unwrap();
        assert_eq!((state.number, state.since, state.gap), (1, 1, None));
        file.append(launch_pair(0.1 + 0.2)).unwrap();
        file.append(launch_pair(-1e-17)).unwrap();
        folder.join("k1.jsonl")
    }

    fn begin(folder: &Path, number: Option<u32>) -> EvidenceState {
        EvidenceFile::begin(folder, &start(number)).unwrap().1
    }

    /// What a second attempt makes of a record after something was done to it.
    fn after(spoil: impl Fn(&str) -> String) -> EvidenceState {
        let folder = tempfile::tempdir().unwrap();
        let path = recorded(folder.path());
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, spoil(&text)).unwrap();
        begin(folder.path(), None)
    }

    #[test]
    fn an_attempt_finds_the_evidence_of_the_one_before_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        recorded(folder.path());
        let state = begin(folder.path(), Some(2));
        assert_eq!((state.number, state.since, state.gap.clone()), (2, 1, None));
        let pairs = &state.earlier[0].launch_pairs;
        assert_eq!(*pairs, [launch_pair(0.1 + 0.2), launch_pair(-1e-17)]);
        assert!((state.error_share() - 1.0).abs() < 1e-15);
        let third = begin(folder.path(), Some(1));
        assert_eq!(
            (third.number, third.earlier.len()),
            (3, 2),
            "the record knows of more attempts"
        );
    }

    /// Killed at any byte, a record loses the line that was being written and is taken up again.
    #[test]
    fn a_record_that_ends_anywhere_is_taken_up_after_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = recorded(folder.path());
        let text = fs::read(&path).unwrap();
        for length in (0..=text.len()).step_by(9) {
            fs::write(&path, &text[..length]).unwrap();
            let lines = text[..length].split(|byte| *byte == b'\n').count() - 1;
            let state = begin(folder.path(), None);
            assert_eq!(state.gap, None, "{length}");
            let pairs = state.earlier.first().map_or(0, |first| first.launch_pairs.len());
            assert_eq!(pairs, lines.saturating_sub(1), "{length}");
            let again = begin(folder.path(), None);
            assert_eq!((again.gap, again.number), (None, state.number + 1), "{length}");
        }
    }

    #[test]
    fn what_was_done_to_a_record_is_noticed_and_named() {
        let number = |state: EvidenceState| (state.gap.unwrap(), state.number, state.since);
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let altered = after(|text| text.replace("\"cpu\":0.3", "\"cpu\":0.0"));
        assert_eq!(number(altered), (EvidenceGap::Altered { line: 3 }, 2, 2));
        let removed = after(|text| format!("{}\n{}\n", lines(text)[0], lines(text)[2]));
        assert_eq!(number(removed), (EvidenceGap::Altered { line: 2 }, 2, 2));
        let swapped = after(|text| text.replace("\"key\":\"k1\"", "\"key\":\"k2\""));
        assert_eq!(number(swapped), (EvidenceGap::OtherKey, 2, 2));
        let future = after(|text| text.replace("2026-11-27", "2026-11-28"));
        let started = "2026-11-28T10:00:00Z".to_owned();
        assert_eq!(number(future), (EvidenceGap::Future { started }, 2, 2));
        let garbage = after(|text| text.replace("\"first\"", "\"last\""));
        assert_eq!(number(garbage), (EvidenceGap::Malformed { line: 2 }, 2, 2));
        let headless =
            after(|text| text.lines().skip(1).fold(String::new(), |all, line| all + line + "\n"));
        assert_eq!(number(headless), (EvidenceGap::Altered { line: 1 }, 2, 2));
    }

    /// Else each change of the record would be answered with the level of a second attempt.
    #[test]
    fn lines_that_are_not_believed_still_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = recorded(folder.path());
        begin(folder.path(), None);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!(" {text}")).unwrap();
        let state = begin(folder.path(), None);
        assert_eq!((state.number, state.gap), (3, Some(EvidenceGap::Altered { line: 2 })));
    }

    #[test]
    fn an_attempt_that_is_there_twice_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = recorded(folder.path());
        let text = fs::read(&path).unwrap();
        let mut file = EvidenceFile::open(&path, &text, 1).unwrap();
        file.append_attempt(&start(None), 1).unwrap();
        drop(file);
        let state = begin(folder.path(), None);
        assert_eq!(state.gap, Some(EvidenceGap::Repeated { number: 1 }));
        assert!(path.with_extension("jsonl.broken").is_file(), "the old record is put aside");
    }

    #[test]
    fn lost_evidence_costs_level_for_as_long_as_it_is_built_upon() {
        let folder = tempfile::tempdir().unwrap();
        let lost = begin(folder.path(), Some(3));
        assert_eq!((lost.number, lost.since, lost.gap.clone()), (3, 3, Some(EvidenceGap::Missing)));
        assert!((lost.error_share() - 1.0 / 12.0).abs() < 1e-15);
        let next = begin(folder.path(), Some(4));
        assert_eq!((next.number, next.since, next.gap), (4, 3, None));
        let skipped = begin(folder.path(), Some(9));
        let gap = EvidenceGap::Attempts { recorded: 4, made: 8 };
        assert_eq!((skipped.number, skipped.since, skipped.gap), (9, 9, Some(gap)));
    }

    /// However often evidence is lost, the shares of the error rate add up to 1.5.
    #[test]
    fn shares_of_the_error_rate_are_bounded() {
        let share = |since| {
            let (key, run) = (String::new(), String::new());
            EvidenceState { key, number: since, run, since, gap: None, earlier: Vec::new() }
                .error_share()
        };
        let total: f64 = (1..100_000).map(share).sum();
        assert!(total < 1.5 && total > 1.49, "{total}");
    }

    #[test]
    fn a_record_of_a_later_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = recorded(folder.path());
        let text = fs::read_to_string(&path).unwrap().replace("\"schema\":1", "\"schema\":2");
        fs::write(&path, &text).unwrap();
        let error = EvidenceFile::begin(folder.path(), &start(None)).unwrap_err();
        assert!(error.to_string().contains("has schema 2"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is left as it was");
    }

    /// What a store holds is what was uploaded: an attempt of which only the beginning is there may have
    /// shown anything.
    #[test]
    fn an_attempt_without_its_end_is_whole_in_a_folder_and_doubted_in_a_store() {
        let begin = |folder: &Path, place| {
            let start = AttemptStart { place, ..start(None) };
            EvidenceFile::begin(folder, &start).unwrap()
        };
        for (place, gap) in [
            (EvidencePlace::Folder, None),
            (EvidencePlace::Store, Some(EvidenceGap::Unfinished { number: 1 })),
        ] {
            let folder = tempfile::tempdir().unwrap();
            recorded(folder.path());
            let (mut second, state) = begin(folder.path(), place);
            assert_eq!((state.number, state.gap), (2, gap));
            second.append(launch_pair(0.5)).unwrap();
            second.end().unwrap();
            drop(second);
            let (_, third) = begin(folder.path(), place);
            assert_eq!((third.number, third.gap), (3, None));
            assert_eq!(third.earlier.last().unwrap().launch_pairs, [launch_pair(0.5)]);
        }
    }

    #[test]
    fn nothing_follows_the_end_of_an_attempt_but_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, _) = EvidenceFile::begin(folder.path(), &start(None)).unwrap();
        file.end().unwrap();
        file.append(launch_pair(0.1)).unwrap();
        drop(file);
        assert_eq!(begin(folder.path(), None).gap, Some(EvidenceGap::Malformed { line: 3 }));
    }

    /// A second machine has the run that it confirms, and not the folder of the first.
    #[test]
    fn attempts_of_another_machine_are_taken_over() {
        let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        recorded(there.path());
        let known = begin(there.path(), None).earlier;
        let start = AttemptStart { known: known.clone(), ..start(None) };
        let (file, state) = EvidenceFile::begin(here.path(), &start).unwrap();
        assert_eq!((state.number, state.gap, state.earlier), (2, None, known));
        let error = EvidenceFile::begin(here.path(), &start).unwrap_err();
        assert!(matches!(error, EvidenceError::InUse { .. }), "{error}");
        drop(file);
        let third = begin(here.path(), None);
        assert_eq!((third.number, third.earlier[0].launch_pairs.len()), (3, 2));
    }
}
