//! Says which functions the difference between two versions is in.
//!
//! Functions are matched by name, then those left over by their name without type arguments. What
//! is then in one version only is said to have appeared or to be gone: it may have been written or
//! deleted, renamed, or be inlined in one version and not in the other, which shows as the change
//! of its caller in the opposite direction.

use std::collections::BTreeMap;

use super::names;

/// What a function took, in the unit of its profile.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Took {
    /// In the function itself, with what was inlined into it.
    pub own: f64,
    /// With all that it called.
    pub inclusive: f64,
}

/// What the functions of one version took, and their source files, by name.
pub type Functions = BTreeMap<String, (String, Took)>;

/// A function in both versions, of which it may be missing in one.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its name, of head where it is in both.
    pub name: String,
    /// Source file, empty if the program has no line information.
    pub file: String,
    /// In base; nothing if the function appeared in head.
    pub base: Option<Took>,
    /// In head; nothing if the function is gone.
    pub head: Option<Took>,
}

impl Change {
    /// Returns by how much the function itself grew.
    pub fn own(&self) -> f64 {
        let own = |side: Option<Took>| side.unwrap_or_default().own;
        own(self.head) - own(self.base)
    }
}

/// Returns every function of both versions, the largest difference of the function itself first.
pub fn changes(base: &Functions, head: &Functions) -> Vec<Change> {
    let (base, head) = (&renamed(base, head), &renamed(head, base));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(took: &[(&str, f64)]) -> Functions {
        let function = |&(name, own): &(&str, f64)| {
            (name.to_owned(), ("src/a.rs".to_owned(), Took { own, inclusive: 2.0 * own }))
        };
        took.iter().map(function).collect()
    }

    #[test]
    fn functions_match_by_name_then_without_their_types_or_not_at_all() {
        let base = functions(&[
            ("parse", 100.0),
            ("collect::<Vec<Old>>", 10.0),
            ("collect::<Box<Old>>", 5.0),
            ("same::<u8>", 1.0),
            ("deleted", 30.0),
        ]);
        let head = functions(&[
            ("parse", 140.0),
            ("collect::<Vec<New>>", 16.0),
            ("same::<u8>", 1.0),
            ("written", 20.0),
        ]);
        let changes = changes(&base, &head);
        let own = |side: Option<Took>| side.map_or("-".to_owned(), |took| took.own.to_string());
        let lines = changes.iter().map(|change| {
            format!("{} {} {} {:+}", change.name, own(change.base), own(change.head), change.own())
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
        parse 100 140 +40
        deleted 30 - -30
        written - 20 +20
        collect 15 16 +1
        same::<u8> 1 1 +0
        ");
    }
}
