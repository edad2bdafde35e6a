//! Narrows a range of commits down to the one that changed a metric.
//!
//! Commits that do not build, or whose measurement says neither one nor the other, are stepped around:
//! the one next to them is measured. If the change hides among those, all of them stay suspects.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// What is known of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitState {
    /// Nothing yet.
    Unknown,
    /// It is like the first.
    Before,
    /// It is like the last.
    After,
    /// It does not build.
    Broken,
    /// It was measured, and is not clearly like either.
    Unclear,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BisectionStep {
    /// Ask this commit.
    Ask(usize),
    /// The change is in one of these; more than one only where none of the others can be measured.
    Found(RangeInclusive<usize>),
}

/// A search over commits in order: the first is before the change, the last after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitSearch {
    standings: Vec<CommitState>,
}

impl CommitSearch {
    /// Begins a search over so many commits, at least two.
    pub fn new(commits: usize) -> Self {
        assert!(commits >= 2, "a search has a first and a last commit");
        let mut standings = vec![CommitState::Unknown; commits];
        standings[0] = CommitState::Before;
        standings[commits - 1] = CommitState::After;
        Self { standings }
    }

    /// Returns what is known of each commit.
    pub fn standings(&self) -> &[CommitState] {
        &self.standings
    }

    /// Returns the commit to ask next: the one nearest to the middle of what is left.
    pub fn next(&self) -> BisectionStep {
        let (before, after) = self.brackets();
        let middle = usize::midpoint(before, after);
        let open = (before + 1..after).filter(|&i| self.standings[i] == CommitState::Unknown);
        match open.min_by_key(|i| i.abs_diff(middle)) {
            Some(commit) => BisectionStep::Ask(commit),
            None => BisectionStep::Found(self.suspects()),
        }
    }

    /// Notes what was found out about a commit.
    pub fn note(&mut self, commit: usize, standing: CommitState) {
        self.standings[commit] = standing;
    }

    /// Returns the newest commit that is known to be before the change.
    pub fn last_before(&self) -> usize {
        self.brackets().0
    }

    /// Returns the commits that the change may be in, as far as is known.
    pub fn suspects(&self) -> RangeInclusive<usize> {
        let (before, after) = self.brackets();
        before + 1..=after
    }

    /// Returns how many measurements a search over so many commits takes at most, if every commit
    /// builds and answers.
    pub fn questions_max(commits: usize) -> u32 {
        commits.saturating_sub(1).max(1).next_power_of_two().ilog2()
    }

    fn brackets(&self) -> (usize, usize) {
        let is = |wanted: CommitState| move |standing: &CommitState| *standing == wanted;
        let after = self.standings.iter().position(is(CommitState::After));
        let after = after.expect("the last commit is after the change");
        let before = self.standings[..after].iter().rposition(is(CommitState::Before));
        (before.expect("the first commit is before the change"), after)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Searches with an oracle that is never wrong. Returns the suspects and the number of questions
    /// that were answered.
    fn search(commits: usize, change: usize, broken: &[usize]) -> (RangeInclusive<usize>, u32) {
        let mut search = CommitSearch::new(commits);
        let mut questions = 0;
        loop {
            match search.next() {
                BisectionStep::Found(suspects) => return (suspects, questions),
                BisectionStep::Ask(commit) if broken.contains(&commit) => {
                    search.note(commit, CommitState::Broken);
                }
                BisectionStep::Ask(commit) => {
                    questions += 1;
                    let standing =
                        if commit < change { CommitState::Before } else { CommitState::After };
                    search.note(commit, standing);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_change_is_found_in_as_few_questions_as_possible(
            commits in 2..300_usize,
            change in 1..300_usize,
        ) {
            let change = change.min(commits - 1);
            let (suspects, questions) = search(commits, change, &[]);
            prop_assert_eq!(suspects, change..=change);
            prop_assert!(questions <= CommitSearch::questions_max(commits));
        }

        #[test]
        fn commits_that_do_not_build_stay_suspects_only_beside_the_change(
            commits in 3..100_usize,
            change in 1..100_usize,
            broken in proptest::collection::vec(1..99_usize, 0..12),
        ) {
            let change = change.min(commits - 1);
            let broken: Vec<usize> =
                broken.into_iter().filter(|&i| i < commits - 1).collect();
            let (suspects, _) = search(commits, change, &broken);
            prop_assert!(suspects.contains(&change));
            let (first, last) = suspects.into_inner();
            prop_assert!((first..last).all(|i| broken.contains(&i)));
        }
    }
}
