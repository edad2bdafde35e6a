//! Says which functions the difference between two versions is in.
//!
//! Functions are matched by name, then those left over by their name without type arguments. What
//! is then in one version only is said to have appeared or to be gone: it may have been written or
//! deleted, renamed, or be inlined in one version and not in the other, which shows as the change
//! of its caller in the opposite direction.

use std::collections::{BTreeMap, BTreeSet};

use record::instruction_counts::FunctionCost;

/// What a function took, in the unit of its profile.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FunctionUsage {
    /// In the function itself, with what was inlined into it.
    pub own: f64,
    /// With all that it called.
    pub inclusive: f64,
}

/// A function in both versions, of which it may be missing in one.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionChange {
    /// Its name, of head where it is in both.
    pub name: String,
    /// Source file, empty if the program has no line information.
    pub file: String,
    /// In base; nothing if the function appeared in head.
    pub base: Option<FunctionUsage>,
    /// In head; nothing if the function is gone.
    pub head: Option<FunctionUsage>,
}

/// What became of a function that is not in both versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionPresence {
    /// It is in head only.
    Appeared,
    /// It is in base only.
    Gone,
}

impl FunctionPresence {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::Gone => "gone",
        }
    }
}

impl FunctionChange {
    /// Returns in which of the versions it is, if not in both.
    pub fn fate(&self) -> Option<FunctionPresence> {
        match (self.base, self.head) {
            (None, _) => Some(FunctionPresence::Appeared),
            (Some(_), None) => Some(FunctionPresence::Gone),
            (Some(_), Some(_)) => None,
        }
    }

    /// Returns by how much the function itself grew.
    pub fn own(&self) -> f64 {
        let [base, head] = self.sides();
        head.own - base.own
    }

    /// Returns by how much the function grew with all that it calls.
    pub fn inclusive(&self) -> f64 {
        let [base, head] = self.sides();
        head.inclusive - base.inclusive
    }

    fn sides(&self) -> [FunctionUsage; 2] {
        [self.base, self.head].map(Option::unwrap_or_default)
    }
}

/// Returns the functions of one version, the one that took most itself first.
pub fn largest(functions: &[FunctionCost]) -> Vec<FunctionChange> {
    let change = |function: &FunctionCost| FunctionChange {
        name: function.name.clone(),
        file: function.file.clone(),
        base: None,
        head: Some(FunctionUsage { own: function.own, inclusive: function.inclusive }),
    };
    let mut changes = functions.iter().map(change).collect::<Vec<_>>();
    changes.sort_by(|a, b| b.own().total_cmp(&a.own()).then(a.name.cmp(&b.name)));
    changes
}

/// Returns every function of both versions, the largest difference of the function itself first.
pub fn changes(base: &[FunctionCost], head: &[FunctionCost]) -> Vec<FunctionChange> {
    let mut changes = BTreeMap::<String, FunctionChange>::new();
    for (side, functions) in [(0, renamed(base, head)), (1, renamed(head, base))] {
        for (name, (file, took)) in functions {
            let change = changes.entry(name).or_insert_with_key(|name| FunctionChange {
                name: name.clone(),
                file: String::new(),
                base: None,
                head: None,
            });
            change.file = file;
            *(if side == 0 { &mut change.base } else { &mut change.head }) = Some(took);
        }
    }
    let mut changes = changes.into_values().collect::<Vec<_>>();
    // By name where it is the same, so that the order never depends on the run.
    changes.sort_by(|a, b| b.own().abs().total_cmp(&a.own().abs()).then(a.name.cmp(&b.name)));
    changes
}

/// Returns file and cost by name: functions that are not in `other` stand under their name without
/// type arguments, if that makes them match. Several that then share a name are added up.
fn renamed(
    functions: &[FunctionCost],
    other: &[FunctionCost],
) -> BTreeMap<String, (String, FunctionUsage)> {
    let names = |functions: &[FunctionCost]| {
        functions.iter().map(|function| function.name.clone()).collect::<BTreeSet<_>>()
    };
    let (own_names, other_names) = (names(functions), names(other));
    let elsewhere = other_names.difference(&own_names).map(|name| without_generics(name));
    let elsewhere = elsewhere.collect::<BTreeSet<_>>();
    let mut renamed = BTreeMap::<String, (String, FunctionUsage)>::new();
    for function in functions {
        let plain = without_generics(&function.name);
        let matches = !other_names.contains(&function.name) && elsewhere.contains(&plain);
        let name = if matches { plain } else { function.name.clone() };
        let (file, took) = renamed.entry(name).or_default();
        file.clone_from(&function.file);
        took.own += function.own;
        took.inclusive += function.inclusive;
    }
    renamed
}

/// Returns the name without its type arguments, `Vec<u8>::push` as `Vec::push`: the same function
/// after one of its types was renamed. The type that `<T as Trait>` starts with stays.
fn without_generics(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    // For each open bracket, whether it opens a list of arguments.
    let mut open = Vec::new();
    let mut last = ' ';
    for c in name.chars() {
        match c {
            '<' => open.push(last.is_alphanumeric() || last == '_' || last == ':'),
            '>' if last != '-' => {
                if open.pop() == Some(false) && !open.contains(&true) {
                    plain.push('>');
                }
                last = c;
                continue;
            }
            _ => {}
        }
        if !open.contains(&true) {
            plain.push(c);
        }
        last = c;
    }
    // What is left of a turbofish.
    plain.replace("::::", "::").trim_end_matches("::").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(took: &[(&str, f64)]) -> Vec<FunctionCost> {
        let function = |&(name, own): &(&str, f64)| {
            let (name, file) = (name.to_owned(), "src/a.rs".to_owned());
            FunctionCost { name, file, own, inclusive: 2.0 * own }
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
        let own =
            |side: Option<FunctionUsage>| side.map_or("-".to_owned(), |took| took.own.to_string());
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

    #[test]
    fn type_arguments_go_and_the_implementing_type_stays() {
        for (name, plain) in [
            ("alloc::vec::Vec<u8>::push", "alloc::vec::Vec::push"),
            ("mycrate::foo::<u8>", "mycrate::foo"),
            ("mycrate::foo::<a::B<c::D>>::bar", "mycrate::foo::bar"),
            (
                "<alloc::vec::Vec<T> as core::fmt::Debug>::fmt",
                "<alloc::vec::Vec as core::fmt::Debug>::fmt",
            ),
            ("<fn(u8) -> u16 as a::B<c>>::d", "<fn(u8) -> u16 as a::B>::d"),
            ("std::vector<int, std::allocator<int> >::size()", "std::vector::size()"),
            ("main", "main"),
        ] {
            assert_eq!(without_generics(name), plain);
        }
    }
}
