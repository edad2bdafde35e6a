//! Proves which hunk more work is in: head is built without it, and counted beside base and head.
//!
//! Variants are built in a copy of base's tree with head's files, where only what differs is compiled. Where a
//! hunk cannot go alone, those that the compiler names go with it. The three that are ranked first are tried, then
//! halves of all; time is limited, as more work is red with or without a proof.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use checkout::{BaseError, HeadFiles, ScratchTree};
use compare::proof::{self, RevertFinding};
use profile::hunks::revert::{self, VariantContent, VariantFile};
use record::Side;
use record::causes::{
    HunkEvidence, HunkPlace, ProofObstacle, RevertCounts, RevertOutcome, WorkCauses,
};
use runner::{BuildSource, CountingTurns, Deadline, SutBuild};
use suite::{HunkProofMode, Scenario, TargetSource};

use crate::app::builds::{BuildFinder, BuildOrigin, BuildPair, ensure_relative};
use crate::app::commit_target;
use crate::app::event::{CauseEvent, Event, EventSink};
use crate::app::identity;
use crate::app::source_change::SourceChange;

/// After this time no further hunk is reverted.
const TIME_MAX: Duration = Duration::from_mins(5);

/// Hunks that are tried by rank.
const RANKED_MAX: usize = 3;

/// Rounds in which hunks that the compiler names are reverted too.
const JOINING_ROUNDS: usize = 4;

/// Hunks that are ranked below this share of the first are not tried by rank.
const RANKED_SHARE_MIN: f64 = 0.02;

/// Reverts hunks of a change. One for all scenarios of a run: they share the tree and the time.
pub(super) struct HunkProver<'a> {
    finder: &'a BuildFinder<'a>,
    builds: &'a BuildPair,
    own: &'a [PathBuf],
    tree: Option<VariantTree>,
    deadline: Option<Deadline>,
}

/// Where variants are built, and how.
struct VariantTree {
    tree: ScratchTree,
    /// The target's folder from the root.
    prefix: PathBuf,
    build: String,
    log: PathBuf,
}

/// Which hunks a scenario's reverts are about.
struct ScenarioProof<'a> {
    sources: &'a SourceChange,
    scenario: &'a Scenario,
    reverts: Vec<RevertCounts>,
    /// Hunks that were reverted, alone or with others.
    tried: BTreeSet<usize>,
}

/// What stands in the way of a variant and of all others.
struct RevertObstacle(ProofObstacle);

impl From<BaseError> for RevertObstacle {
    fn from(error: BaseError) -> Self {
        Self(match error {
            BaseError::Cancelled => ProofObstacle::Interrupted,
            _ => ProofObstacle::NotBuilt,
        })
    }
}

impl<'a> HunkProver<'a> {
    pub(super) fn new(
        finder: &'a BuildFinder<'a>,
        builds: &'a BuildPair,
        own: &'a [PathBuf],
    ) -> Self {
        Self { finder, builds, own, tree: None, deadline: None }
    }

    /// Reverts hunks until one explains half of the growth of a scenario, and adds to `causes` what that
    /// showed, or why it could not be done.
    pub(super) fn prove(
        &mut self,
        sources: &SourceChange,
        scenario: &Scenario,
        causes: &mut WorkCauses,
        events: &mut dyn EventSink,
    ) {
        if self.finder.suite.counting.proof == HunkProofMode::Off {
            causes.unproven = Some(ProofObstacle::SwitchedOff);
            return;
        }
        self.deadline.get_or_insert_with(|| Deadline::after(TIME_MAX));
        let mut proof =
            ScenarioProof { sources, scenario, reverts: Vec::new(), tried: BTreeSet::new() };
        let ended = self.by_rank(&mut proof, causes, events).and_then(|found| {
            if found { Ok(()) } else { self.by_halves(&mut proof, causes, events) }
        });
        causes.reverts = proof.reverts;
        causes.unproven = ended.err().map(|RevertObstacle(obstacle)| obstacle);
    }

    /// Tries the hunks that are ranked first. Returns whether they explain half.
    fn by_rank(
        &mut self,
        proof: &mut ScenarioProof<'_>,
        causes: &WorkCauses,
        events: &mut dyn EventSink,
    ) -> Result<bool, RevertObstacle> {
        let first = causes.hunks.first().map_or(0.0, |hunk| hunk.growth);
        let likely = causes.hunks.iter().filter(|hunk| {
            hunk.evidence != HunkEvidence::None && hunk.growth >= RANKED_SHARE_MIN * first
        });
        for ranked in likely.take(RANKED_MAX) {
            let Some(hunk) = proof.sources.hunk_at(&ranked.hunk) else { continue };
            if proof.tried.contains(&hunk) {
                continue;
            }
            let revert = self.revert(proof, &[hunk], events)?;
            proof.reverts.push(revert);
            let reverts = proof.reverts.clone();
            if !proof::proven(&WorkCauses { reverts, ..WorkCauses::default() }).is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Halves the hunks that are left as long as one half explains half of the growth.
    fn by_halves(
        &mut self,
        proof: &mut ScenarioProof<'_>,
        causes: &WorkCauses,
        events: &mut dyn EventSink,
    ) -> Result<(), RevertObstacle> {
        let ranked = causes.hunks.iter().filter_map(|it| proof.sources.hunk_at(&it.hunk));
        let mut left: Vec<usize> = ranked.filter(|hunk| !proof.tried.contains(hunk)).collect();
        while !left.is_empty() {
            // Those that are ranked first are likelier, so their half comes first.
            let (first, second) = left.split_at(left.len().div_ceil(2));
            let found = if self.explains(proof, first, events)? {
                first.to_vec()
            } else if self.explains(proof, second, events)? {
                second.to_vec()
            } else {
                return Ok(());
            };
            if found.len() == 1 {
                return Ok(());
            }
            left = found;
        }
        Ok(())
    }

    /// Reverts some hunks together, and returns whether they explain half of the growth. What one shows is kept.
    fn explains(
        &mut self,
        proof: &mut ScenarioProof<'_>,
        hunks: &[usize],
        events: &mut dyn EventSink,
    ) -> Result<bool, RevertObstacle> {
        if hunks.is_empty() {
            return Ok(false);
        }
        let revert = self.revert(proof, hunks, events)?;
        let finding = RevertFinding::of(&revert);
        if hunks.len() == 1 {
            proof.reverts.push(revert);
        }
        Ok(finding.is_some_and(|finding| finding.share >= proof::SHARE_MIN))
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(Deadline::is_over)
    }

    /// Reverts hunks, with those that have to go with them, and counts.
    fn revert(
        &mut self,
        proof: &mut ScenarioProof<'_>,
        hunks: &[usize],
        events: &mut dyn EventSink,
    ) -> Result<RevertCounts, RevertObstacle> {
        if self.is_over() {
            return Err(RevertObstacle(ProofObstacle::TimeOver));
        }
        let sources = proof.sources;
        let places = |hunks: &[usize]| -> Vec<HunkPlace> {
            hunks.iter().map(|hunk| sources.hunks[*hunk].place.clone()).collect()
        };
        events.emit(Event::Cause(CauseEvent::RevertStarted {
            hunks: &places(hunks),
            time_max: TIME_MAX,
        }));
        let mut joined = hunks.to_vec();
        let outcome = self.outcome(proof, &mut joined, events);
        proof.tried.extend(&joined);
        let revert = RevertCounts { hunks: places(&joined), outcome: outcome? };
        let share = RevertFinding::of(&revert).map(|finding| finding.share);
        events.emit(Event::Cause(CauseEvent::RevertEnded { revert: &revert, share }));
        Ok(revert)
    }

    fn outcome(
        &mut self,
        proof: &ScenarioProof<'_>,
        hunks: &mut Vec<usize>,
        events: &mut dyn EventSink,
    ) -> Result<RevertOutcome, RevertObstacle> {
        let sources = proof.sources;
        self.ensure_tree(sources)?;
        let tree = self.tree.as_ref().expect("it was made just now");
        let mut written = Vec::new();
        let built = self.build(tree, sources, hunks, &mut written, events);
        let outcome = match built {
            Ok(true) => self.count(tree, proof.scenario, events),
            Ok(false) => Ok(RevertOutcome::Broken),
            Err(error) => Err(error),
        };
        // Whatever came of it, the next variant begins with head.
        for path in written {
            tree.tree.put(&path, &sources.head_root.join(&path))?;
        }
        outcome
    }

    /// Builds head without hunks, and without those that the compiler then names. Returns whether that worked;
    /// `written` gets the files that are not head's.
    fn build(
        &self,
        tree: &VariantTree,
        sources: &SourceChange,
        hunks: &mut Vec<usize>,
        written: &mut Vec<PathBuf>,
        events: &mut dyn EventSink,
    ) -> Result<bool, RevertObstacle> {
        for _ in 0..=JOINING_ROUNDS {
            let without = hunks.iter().copied().collect();
            let files = revert::reverted(&sources.hunks, &without, &sources.texts);
            for file in &files {
                written.push(tree.write(file, &sources.base_root)?);
            }
            let environment = self.finder.environment(&self.finder.suite.target);
            let build = self.finder.build_command(&tree.build, &environment);
            let progress =
                &mut |progress: checkout::BuildProgress<'_>| events.emit(progress.into());
            let is_cancelled = || self.finder.cancel.is_raised() || self.is_over();
            match tree.tree.build(&tree.prefix, build, &tree.log, &is_cancelled, progress) {
                Ok(()) if self.is_over() => return Err(RevertObstacle(ProofObstacle::TimeOver)),
                Ok(()) => return Ok(true),
                Err(BaseError::Cancelled) if !self.finder.cancel.is_raised() => {
                    return Err(RevertObstacle(ProofObstacle::TimeOver));
                }
                Err(BaseError::BuildFailed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let log = fs::read_to_string(&tree.log).unwrap_or_default();
            let named = revert::named_by_compiler(&log, &files, &sources.map);
            let more: Vec<usize> = named.into_iter().filter(|it| !hunks.contains(it)).collect();
            if more.is_empty() {
                return Ok(false);
            }
            hunks.extend(more);
        }
        Ok(false)
    }

    fn count(
        &self,
        tree: &VariantTree,
        scenario: &Scenario,
        events: &mut dyn EventSink,
    ) -> Result<RevertOutcome, RevertObstacle> {
        let (base, head) = (&self.builds.base, &self.builds.head);
        let variant = self.variant(tree)?;
        let (_, head_root) = self.builds.roots();
        let of_head = identity::program_files(head, head_root, self.own);
        let of_variant = identity::program_files(&variant, Some(&tree.tree.root()), self.own);
        if let (Some(of_head), Some(of_variant)) = (of_head, of_variant)
            && of_head.is_same_program(&of_variant)
        {
            return Ok(RevertOutcome::SameCode);
        }
        let turns = CountingTurns {
            suite: self.finder.suite,
            scenario,
            builds: &[base, head, &variant],
            dir: &self.finder.selection.out.join("logs/proof"),
        };
        let mut turn_ended = |done: usize, of: usize| {
            events.emit(Event::Cause(CauseEvent::RevertCounting { done, of }));
        };
        match runner::count_in_turns(turns, self.finder.cancel, &mut turn_ended) {
            Ok(counts) => {
                let [base, head, variant] = <[Vec<f64>; 3]>::try_from(counts)
                    .unwrap_or_else(|_| unreachable!("three builds have three counts"));
                Ok(RevertOutcome::Counted { base, head, variant })
            }
            Err(_) if self.finder.cancel.is_raised() => {
                Err(RevertObstacle(ProofObstacle::Interrupted))
            }
            // A variant may well not run: it is what its authors never had.
            Err(_) => Ok(RevertOutcome::Broken),
        }
    }

    /// Head as it is started from the tree of variants.
    fn variant(&self, tree: &VariantTree) -> Result<SutBuild, RevertObstacle> {
        let mut variant = self.builds.head.clone();
        match &mut variant.source {
            BuildSource::Start(command) => {
                command.dir = tree.tree.root().join(&tree.prefix);
                Ok(variant)
            }
            BuildSource::Attach(_) => Err(RevertObstacle(ProofObstacle::NotBuilt)),
        }
    }

    /// Makes the tree, once.
    fn ensure_tree(&mut self, sources: &SourceChange) -> Result<(), RevertObstacle> {
        if self.tree.is_some() {
            return Ok(());
        }
        let (finder, no_tree) = (self.finder, || RevertObstacle(ProofObstacle::NoTree));
        let target = &finder.suite.target;
        let own_target;
        let target = match (self.builds.origin, &self.builds.head.revision.commit) {
            (BuildOrigin::Given, _) => return Err(no_tree()),
            (BuildOrigin::Commits, Some(commit)) => {
                let file = finder.selection.config_path();
                own_target = commit_target::of_commit(target, file.as_deref(), commit, Side::Head)
                    .map_err(|_| RevertObstacle(ProofObstacle::NotBuilt))?;
                &own_target
            }
            (BuildOrigin::Checkout | BuildOrigin::Commits, _) => target,
        };
        let (Some(build), TargetSource::Start(start)) = (&target.build, &target.origin) else {
            return Err(no_tree());
        };
        // A program of the checkout by its full path would be head itself.
        if ensure_relative(start, &target.dir).is_err() {
            return Err(RevertObstacle(ProofObstacle::NotBuilt));
        }
        let root = checkout::root(&target.dir)?;
        let cache = finder.selection.workplace.build_cache(&root).ok_or_else(no_tree)?;
        let files = HeadFiles {
            base_root: &sources.base_root,
            head_root: &sources.head_root,
            changed: &sources.changed,
        };
        let tree = ScratchTree::copy(&cache, files)?;
        let prefix = checkout::prefix(&target.dir)?;
        let log = finder.selection.out.join("logs/build-variant.log");
        self.tree = Some(VariantTree { tree, prefix, build: build.clone(), log });
        Ok(())
    }
}

impl VariantTree {
    /// Writes a file of a variant, and returns its path.
    fn write(&self, file: &VariantFile, base_root: &Path) -> Result<PathBuf, RevertObstacle> {
        let path = PathBuf::from(&file.path);
        match &file.content {
            VariantContent::Text(text) => self.tree.write(&path, text)?,
            VariantContent::Absent => self.tree.remove(&path)?,
            VariantContent::OfBase(of_base) => self.tree.put(&path, &base_root.join(of_base))?,
        }
        Ok(path)
    }
}
