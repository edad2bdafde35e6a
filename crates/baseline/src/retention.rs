//! Which runs of a history are kept, and why.
//!
//! A run is removed only if every rule that was given lets it go: it is beyond the newest N, and older
//! than so many days. The newest run is kept whatever the rules say, and so is a pinned one, of any
//! name's pin.

use crate::{BaselineError, BaselinePin, BaselineStore, StoreEntry, name};

/// What may be removed. At least one of the two rules is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// So many of the newest runs of each history stay.
    pub runs: Option<usize>,
    /// Runs stay that began at this moment or later, RFC 3339 in UTC.
    pub since: Option<String>,
}

/// Why a run is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetentionReason {
    /// It is the last of its history.
    Newest,
    /// A name is pinned to it.
    Pinned(String),
    /// It is among the newest.
    Count,
    /// It is not old enough.
    Age,
}

/// A run, and why it is kept. No reason: it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionDecision {
    /// The run.
    pub entry: StoreEntry,
    /// Every reason to keep it.
    pub reasons: Vec<RetentionReason>,
}

impl BaselineStore {
    /// Returns what would become of every run of a history, or of all, oldest first. Removes nothing.
    pub fn plan(
        &self,
        name: Option<&str>,
        retention: &Retention,
    ) -> Result<Vec<RetentionDecision>, BaselineError> {
        name.map_or(Ok(()), name::check)?;
        let since = retention.since.as_deref().map(name::stamp).transpose()?;
        let files = self.backend.all()?;
        // A pin that cannot be understood may mean any run: then nothing is removed.
        let pins = self.pins_of(&files)?;
        let entries = self.entries_of(&files);
        let mut names: Vec<&str> = entries.iter().map(|entry| entry.history.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|history| name.is_none_or(|name| name == *history));
        if let (Some(name), true) = (name, names.is_empty()) {
            return Err(self.not_found(name));
        }
        let history = |name: &&str| {
            let runs = entries.iter().filter(|entry| entry.history == *name).cloned().collect();
            fates(runs, &pins, retention.runs, since.as_deref())
        };
        Ok(names.iter().flat_map(history).collect())
    }

    /// Removes the runs of a plan that have no reason to stay, unless one has been pinned since, and
    /// returns those that were removed.
    pub fn prune(&self, plan: &[RetentionDecision]) -> Result<Vec<StoreEntry>, BaselineError> {
        let pins = self.pins()?;
        let pinned = |entry: &StoreEntry| pins.iter().any(|pin| pin.run == *entry);
        let goes = |fate: &&RetentionDecision| fate.reasons.is_empty() && !pinned(&fate.entry);
        let removed: Vec<StoreEntry> =
            plan.iter().filter(goes).map(|fate| fate.entry.clone()).collect();
        let files: Vec<String> = removed.iter().map(StoreEntry::file).collect();
        self.backend.remove(&files.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(removed)
    }
}

pub(super) fn fates(
    runs: Vec<StoreEntry>,
    pins: &[BaselinePin],
    count: Option<usize>,
    since: Option<&str>,
) -> Vec<RetentionDecision> {
    let total = runs.len();
    let fate = |(i, entry): (usize, StoreEntry)| {
        let younger = total - i;
        let pinned = pins.iter().filter(|pin| pin.run == entry);
        let mut reasons = Vec::new();
        reasons.extend((younger == 1).then_some(RetentionReason::Newest));
        reasons.extend(pinned.map(|pin| RetentionReason::Pinned(pin.name.clone())));
        reasons
            .extend(count.is_some_and(|count| younger <= count).then_some(RetentionReason::Count));
        let young = since.is_some_and(|since| entry.started.as_str() >= since);
        reasons.extend(young.then_some(RetentionReason::Age));
        RetentionDecision { entry, reasons }
    };
    runs.into_iter().enumerate().map(fate).collect()
}
