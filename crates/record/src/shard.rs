//! Which part of a suite a run measured, where several machines share it.

use std::fmt;

use miette::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bounds::SCENARIOS_MAX;
use crate::{Machine, Run};

/// One of several parts of a suite, such as 2 of 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShardNumber {
    /// Which one, from 1.
    number: usize,
    /// How many there are, from 1.
    of: usize,
}

/// Why a text is no part of a suite.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("`{text}` is not a shard")]
#[diagnostic(help(
    "write its number and how many there are, such as 2/3; at most {SCENARIOS_MAX}"
))]
pub struct ShardNumberError {
    text: String,
}

impl ShardNumber {
    /// Reads `i/n`, where i is from 1 to n.
    ///
    /// ```
    /// use xmlperf_record::shard::ShardNumber;
    ///
    /// let second = ShardNumber::parse("2/3").unwrap();
    /// assert_eq!((second.number(), second.of()), (2, 3));
    /// assert!(ShardNumber::parse("0/3").is_err() && ShardNumber::parse("4/3").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, ShardNumberError> {
        let parts = || {
            let (number, of) = text.split_once('/')?;
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            let fits = (1..=of).contains(&number) && of <= SCENARIOS_MAX;
            fits.then_some(Self { number, of })
        };
        parts().ok_or_else(|| ShardNumberError { text: text.to_owned() })
    }

    /// Returns which one it is, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// Returns how many there are.
    pub fn of(self) -> usize {
        self.of
    }
}

impl fmt::Display for ShardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// The part of a suite that a run measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShardRecord {
    /// Which part.
    pub part: ShardNumber,
    /// Names of the scenarios of all parts, in the order of the suite.
    pub suite: Vec<String>,
}

/// One of the runs that a record was joined from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShardSource {
    /// Which part of the suite it was.
    pub part: ShardNumber,
    /// Names of its scenarios.
    pub scenarios: Vec<String>,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// How long it took.
    pub wall_ns: u64,
    /// Seed of its coins.
    pub seed: u64,
    /// Where it ran.
    pub machine: Machine,
    /// What tells that machine from another one of its kind.
    #[serde(rename = "boot", default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
}

impl ShardSource {
    /// Returns what a joined record keeps of a run that measured this part.
    pub(super) fn of(run: &Run, part: ShardNumber) -> Self {
        Self {
            part,
            scenarios: run.scenarios.iter().map(|it| it.name.clone()).collect(),
            started: run.started.clone(),
            wall_ns: run.wall_ns,
            seed: run.seed,
            machine: run.machine.clone(),
            machine_id: run.machine_id.clone(),
        }
    }
}

/// Returns the part of each of several costs, from 0, so that the parts cost about the same: the dearest
/// goes first, each to the part that has the least so far.
///
/// The same costs give the same parts on every machine. No part is empty if there are as many costs as
/// parts.
///
/// ```
/// use xmlperf_record::shard::balance;
///
/// assert_eq!(balance(&[3, 9, 4, 4], 2), [1, 0, 1, 1]);
/// ```
pub fn balance(costs: &[u64], parts: usize) -> Vec<usize> {
    // A cost of nothing would let one part take all that follow.
    let cost = |at: usize| costs[at].max(1);
    let mut dearest_first: Vec<usize> = (0..costs.len()).collect();
    dearest_first.sort_by_key(|&at| (std::cmp::Reverse(cost(at)), at));
    let mut totals = vec![0_u64; parts.max(1)];
    let mut chosen = vec![0; costs.len()];
    for at in dearest_first {
        let cheapest = (0..totals.len()).min_by_key(|&part| totals[part]);
        let part = cheapest.expect("there is at least one part");
        totals[part] = totals[part].saturating_add(cost(at));
        chosen[at] = part;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_shard_is_its_number_and_how_many_there_are() {
        assert_eq!(ShardNumber::parse("1/1").unwrap().to_string(), "1/1");
        for text in ["", "1", "1/", "/3", "0/3", "4/3", "-1/3", "1/0", "a/b", "1/3/5", "1/201"] {
            let error = ShardNumber::parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is not a shard"));
        }
    }

    proptest! {
        #[test]
        fn no_part_is_empty_and_none_has_more_than_another_by_more_than_one_cost(
            costs in prop::collection::vec(0_u64..1_000_000, 1..40),
            parts in 1_usize..10,
        ) {
            let chosen = balance(&costs, parts);
            let total = |part: usize| -> u64 {
                let own = costs.iter().zip(&chosen).filter(|(_, it)| **it == part);
                own.map(|(cost, _)| (*cost).max(1)).sum()
            };
            let totals: Vec<u64> = (0..parts).map(total).collect();
            let (least, most) = (totals.iter().min().unwrap(), totals.iter().max().unwrap());
            prop_assert!(most - least <= *costs.iter().max().unwrap().max(&1), "{:?}", totals);
            prop_assert!(costs.len() < parts || *least > 0, "{:?}", totals);
        }
    }
}
