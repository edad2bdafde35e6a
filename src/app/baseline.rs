//! Stores runs as baselines, judges by them, and keeps the store in order.

use std::path::Path;
use std::thread;
use std::time::Duration;

use baseline::work;
use baseline::{
    BaselineStore, EvidenceEntry, Integrity, Retention, RetentionDecision, SaveOutcome, StoreEntry,
};
use compare::Comparison;
use github::api::ApiClient;
use github::context::{CommitId, GithubContext};
use github::retry::RetryPolicy;
use github::transport::HttpTransport;
use record::Run;

use crate::app::failure::UseCaseError;

/// All waiting for GitHub together, where the base commit has to be looked up.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(30);

/// Stores a run under a name; of a comparison, its head.
pub fn save(store: &BaselineStore, name: &str, file: &Path) -> anyhow::Result<SaveOutcome> {
    Ok(store.save(name, &Run::load(file)?)?)
}

/// Judges the counted work of a run by the newest run of a history.
pub fn check(store: &BaselineStore, name: &str, file: &Path) -> anyhow::Result<Comparison> {
    let newest = newest_run(store, name)?;
    Ok(Comparison::of(&work::against(&newest, &Run::load(file)?))?)
}

/// Returns what the newest run of a history says.
pub fn show(store: &BaselineStore, name: &str) -> anyhow::Result<Comparison> {
    Ok(Comparison::of(&newest_run(store, name)?)?)
}

/// Returns the runs of a history, oldest first; none if there is no such history.
pub fn list(store: &BaselineStore, name: &str) -> anyhow::Result<Vec<(StoreEntry, Run)>> {
    let entries = store.history(name)?;
    let runs = store.load_all(&entries)?;
    Ok(entries.into_iter().zip(runs).collect())
}

/// Copies the runs that a name stands for into another store, under the name of their history. Returns
/// how many there are.
pub fn fetch(store: &BaselineStore, name: &str, into: &BaselineStore) -> anyhow::Result<usize> {
    let runs = list(store, name)?;
    for (entry, run) in &runs {
        into.save(&entry.history, run)?;
    }
    Ok(runs.len())
}

/// Whether a removal is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalMode {
    /// It is.
    Remove,
    /// It is only planned.
    Plan,
}

/// What a retention rule does to a store.
#[derive(Debug)]
pub struct PruneOutcome {
    /// What becomes of each run, and why.
    pub plan: Vec<RetentionDecision>,
    /// The runs that are removed, or would be.
    pub removed: Vec<StoreEntry>,
    /// The records of attempts that are removed, or would be.
    pub evidence: Vec<EvidenceEntry>,
}

/// Removes the runs that a rule lets go, of one history or of all; of all, and if the rule is about age, the records of
/// attempts too of which the last attempt is as old.
pub fn prune(
    store: &BaselineStore,
    name: Option<&str>,
    rule: &Retention,
    mode: RemovalMode,
) -> anyhow::Result<PruneOutcome> {
    let plan = store.plan(name, rule)?;
    let evidence = match (name, &rule.since) {
        (None, Some(since)) => store.old_evidence(since)?,
        (Some(_), _) | (_, None) => Vec::new(),
    };
    let (removed, evidence) = match mode {
        RemovalMode::Remove => (store.prune(&plan)?, store.remove_evidence(evidence)?),
        RemovalMode::Plan => {
            let goes = plan.iter().filter(|decision| decision.reasons.is_empty());
            (goes.map(|decision| decision.entry.clone()).collect(), evidence)
        }
    };
    Ok(PruneOutcome { plan, removed, evidence })
}

/// Reads everything under a name, or everything, and returns what is not as it was written.
pub fn verify(store: &BaselineStore, name: Option<&str>) -> anyhow::Result<Integrity> {
    let found = store.verify(name)?;
    let files = found.runs + found.pins + found.damaged.len() + found.unknown.len();
    if files == 0 {
        return Err(UseCaseError::EmptyStore.into());
    }
    Ok(found)
}

/// Returns the commit that a change is compared with in GitHub Actions, if there is one.
///
/// The event and the clone say so; GitHub is called only where the clone is too shallow, and without
/// a token: what runs here is about to run the code of the change.
pub fn base_commit(context: &GithubContext, clone: &Path) -> anyhow::Result<Option<CommitId>> {
    let network = HttpTransport::new(&context.api_url, None)?;
    let patience = RetryPolicy::new(LOOKUP_PATIENCE);
    let client = ApiClient::new(&network, &context.repository, None, patience, &thread::sleep);
    Ok(github::base::find(context, clone, Some(&client))?)
}

fn newest_run(store: &BaselineStore, name: &str) -> anyhow::Result<Run> {
    let entries = store.history(name)?;
    Ok(store.load(entries.last().expect("a history has at least one run"))?)
}
