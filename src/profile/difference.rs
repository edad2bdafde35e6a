//! Says which functions the difference between two versions is in.
//!
//! Functions are matched by name, then those left over by their name without type arguments. What
//! is then in one version only is said to have appeared or to be gone: it may have been written or
//! deleted, renamed, or be inlined in one version and not in the other, which shows as the change
//! of its caller in the opposite direction.

use std::collections::BTreeMap;

use super::callgrind::Work;
use super::graph::Cost;
use super::names;

/// Instructions per XML pair of one function in one version.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PerPair {
    /// In the function itself, with what was inlined into it.
    pub own: f64,
    /// With all that it called.
    pub inclusive: f64,
}

/// A function in both versions, of which it may be missing in one.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its name, of head where it is in both.
    pub name: String,
    /// Source file, empty if the program has no line information.
    pub file: String,
    /// In base; nothing if the function appeared in head.
    pub base: Option<PerPair>,
    /// In head; nothing if the function is gone.
    pub head: Option<PerPair>,
}

impl Change {
    /// Returns by how many instructions per XML pair the function itself grew.
    pub fn own(&self) -> f64 {
        let own = |side: Option<PerPair>| side.unwrap_or_default().own;
        own(self.head) - own(self.base)
    }
}

/// Returns every function of both versions, the largest difference of the function itself first.
pub fn changes(base: &Work, head: &Work) -> Vec<Change> {
    let (base, head) = (per_pair(base), per_pair(head));
    let (base, head) = (&renamed(&base, &head), &renamed(&head, &base));
    let mut changes = BTreeMap::<&String, Change>::new();
    for (side, functions) in [(0, base), (1, head)] {
        for (name, (file, cost)) in functions {
            let change = changes.entry(name).or_insert_with(|| Change {
                name: name.clone(),
                file: String::new(),
                base: None,
                head: None,
            });
            change.file.clone_from(file);
            *(if side == 0 { &mut change.base } else { &mut change.head }) = Some(*cost);
        }
    }
    let mut changes = changes.into_values().collect::<Vec<_>>();
    // By name where it is the same, so that the order never depends on the run.
    changes.sort_by(|a, b| b.own().abs().total_cmp(&a.own().abs()).then(a.name.cmp(&b.name)));
    changes
}

/// File and cost by name.
type Functions = BTreeMap<String, (String, PerPair)>;

fn per_pair(work: &Work) -> Functions {
    let share = |count: u64| count as f64 / work.pairs.max(1) as f64;
    let cost = |cost: Cost| {
        (cost.file, PerPair { own: share(cost.own), inclusive: share(cost.inclusive) })
    };
    work.graph.costs().into_iter().map(|(name, function)| (name, cost(function))).collect()
}

/// Returns the functions with those that are not in `other` by that name under the name without
/// type arguments, if that makes them match. Several that then share a name are added up.
fn renamed(functions: &Functions, other: &Functions) -> Functions {
    let unmatched = |a: &Functions, b: &Functions| {
        let names = a.keys().filter(|name| !b.contains_key(*name));
        names.map(|name| names::without_generics(name)).collect::<Vec<_>>()
    };
    let elsewhere = unmatched(other, functions);
    let mut renamed = Functions::new();
    for (name, (file, cost)) in functions {
        let plain = names::without_generics(name);
        let matches = !other.contains_key(name) && elsewhere.contains(&plain);
        let entry = renamed.entry(if matches { plain } else { name.clone() }).or_default();
        entry.0.clone_from(file);
        entry.1.own += cost.own;
        entry.1.inclusive += cost.inclusive;
    }
    renamed
}
