//! What a build cost by function and by place, where places have the same names in both builds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use record::Side;

use super::line_map::{LineMap, MappedLine};
use super::line_profile::{InlineChain, LineProfile};

/// A line of base.
pub(super) type BaseLine = (Arc<str>, u32);

/// Where in a function something was spent.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CostPlace {
    /// The hunk that touches the line, or one of those that it was inlined at.
    pub(super) hunk: Option<usize>,
    /// The innermost line of the repository, unless a hunk touches it.
    pub(super) line: Option<BaseLine>,
    /// The function that was inlined, if one was.
    pub(super) inlined: Option<Arc<str>>,
}

/// Calls per unit of work, and what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct CallSum {
    pub(super) count: f64,
    pub(super) cost: f64,
}

pub(super) type OwnCosts = BTreeMap<CostPlace, f64>;
pub(super) type CallCosts = BTreeMap<(CostPlace, Arc<str>), CallSum>;

/// What one build cost, in instructions per unit of work.
#[derive(Debug, Clone, Default)]
pub(super) struct SideCosts {
    /// By function.
    pub(super) own: BTreeMap<Arc<str>, OwnCosts>,
    /// By calling function.
    pub(super) calls: BTreeMap<Arc<str>, CallCosts>,
}

/// A hunk, and a function that is inlined at its lines in one build and called from them in the other: what
/// it costs is no cost of the hunk in either.
pub(super) type InlinedElsewhere = BTreeSet<(usize, Arc<str>)>;

/// Returns the costs of base and of head.
pub(super) fn sides(base: &LineProfile, head: &LineProfile, map: &LineMap) -> [SideCosts; 2] {
    let sides = [(Side::Base, base), (Side::Head, head)];
    let elsewhere = inlined_elsewhere(sides, map);
    sides.map(|(side, profile)| SideCosts::new(side, profile, map, &elsewhere))
}

fn inlined_elsewhere(sides: [(Side, &LineProfile); 2], map: &LineMap) -> InlinedElsewhere {
    let hunk = |side, frame: &super::line_profile::SourceFrame| {
        if !frame.is_own {
            return None;
        }
        match map.find(side, &frame.file, frame.line) {
            MappedLine::Hunk(hunk) => Some(hunk),
            MappedLine::Base { .. } => None,
        }
    };
    let [called, inlined] = [true, false].map(|is_call| {
        sides.map(|(side, profile)| {
            let mut found = InlinedElsewhere::new();
            if is_call {
                for (_, chain, callee) in profile.calls.keys() {
                    let hunks = chain.iter().filter_map(|frame| hunk(side, frame));
                    found.extend(hunks.take(1).map(|hunk| (hunk, Arc::clone(callee))));
                }
            } else {
                for (_, chain) in profile.own.keys() {
                    for (inner, outer) in chain.iter().zip(chain.iter().skip(1)) {
                        let name = Arc::clone(&inner.function);
                        found.extend(hunk(side, outer).map(|hunk| (hunk, name)));
                    }
                }
            }
            found
        })
    });
    let crossed = called[0].intersection(&inlined[1]).chain(called[1].intersection(&inlined[0]));
    let in_both: InlinedElsewhere = called[0].intersection(&called[1]).cloned().collect();
    crossed.filter(|pair| !in_both.contains(pair)).cloned().collect()
}

impl SideCosts {
    fn new(side: Side, profile: &LineProfile, map: &LineMap, elsewhere: &InlinedElsewhere) -> Self {
        let mut costs = Self::default();
        let per_unit = |count: u64| count as f64 / profile.units;
        for ((function, chain), cost) in &profile.own {
            let place = place(side, chain, map, elsewhere);
            let own = costs.own.entry(Arc::clone(function)).or_default();
            *own.entry(place).or_default() += per_unit(*cost);
        }
        for ((caller, chain, callee), call) in &profile.calls {
            // Recursion is no call from elsewhere.
            if caller == callee {
                continue;
            }
            let place = CostPlace { inlined: None, ..place(side, chain, map, elsewhere) };
            let calls = costs.calls.entry(Arc::clone(caller)).or_default();
            let sum = calls.entry((place, Arc::clone(callee))).or_default();
            sum.count += per_unit(call.count);
            sum.cost += per_unit(call.cost);
        }
        costs
    }

    /// Returns how often each function is called from others, and what that costs.
    pub(super) fn called(&self) -> BTreeMap<Arc<str>, CallSum> {
        let mut called = BTreeMap::<Arc<str>, CallSum>::new();
        for ((_, callee), call) in self.calls.values().flatten() {
            let sum = called.entry(Arc::clone(callee)).or_default();
            sum.count += call.count;
            sum.cost += call.cost;
        }
        called
    }
}

fn place(
    side: Side,
    chain: &InlineChain,
    map: &LineMap,
    elsewhere: &InlinedElsewhere,
) -> CostPlace {
    let inlined = chain.len().checked_sub(2).map(|at| Arc::clone(&chain[at].function));
    let mut place = CostPlace { hunk: None, line: None, inlined };
    let mut is_innermost = true;
    for (at, frame) in chain.iter().enumerate().filter(|(_, frame)| frame.is_own) {
        match map.find(side, &frame.file, frame.line) {
            MappedLine::Hunk(hunk) => {
                let inner = at.checked_sub(1).map(|at| Arc::clone(&chain[at].function));
                if inner.is_some_and(|inner| elsewhere.contains(&(hunk, inner))) {
                    break;
                }
                place.hunk = place.hunk.or(Some(hunk));
            }
            MappedLine::Base { file, line } if is_innermost => place.line = Some((file, line)),
            MappedLine::Base { .. } => {}
        }
        is_innermost = false;
    }
    place
}
