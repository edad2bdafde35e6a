//! Call stacks with what each cost: the form that all profilers' output is brought into.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Costs by call stack, outermost function first. What a cost is, is up to who filled it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallStacks(BTreeMap<Vec<Arc<str>>, u64>);

/// What a function cost, in the unit of the stacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StackCost {
    /// In the function itself, with what was inlined into it.
    pub own: u64,
    /// With all that it called; counted once where it called itself.
    pub inclusive: u64,
}

impl CallStacks {
    /// Adds to the cost of a stack.
    pub fn add(&mut self, stack: Vec<Arc<str>>, cost: u64) {
        if cost > 0 {
            *self.0.entry(stack).or_default() += cost;
        }
    }

    /// Returns every stack with its cost.
    pub fn iter(&self) -> impl Iterator<Item = (&[Arc<str>], u64)> {
        self.0.iter().map(|(stack, &cost)| (stack.as_slice(), cost))
    }

    /// Returns the cost of all stacks.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Returns what each stack cost beyond what it costs in `less`.
    #[must_use]
    pub fn without(&self, less: &Self) -> Self {
        let rest = |(stack, &cost): (&Vec<Arc<str>>, &u64)| {
            let rest = cost.saturating_sub(less.0.get(stack).copied().unwrap_or(0));
            (rest > 0).then(|| (stack.clone(), rest))
        };
        Self(self.0.iter().filter_map(rest).collect())
    }

    /// Returns the stacks without the innermost functions that `skip` names, so that the cost of a
    /// library function stands with who called the library.
    #[must_use]
    pub fn from_callers(&self, skip: impl Fn(&str) -> bool) -> Self {
        let mut stacks = Self::default();
        for (stack, cost) in self.iter() {
            let end = stack.iter().rposition(|name| !skip(name)).map_or(stack.len(), |at| at + 1);
            stacks.add(stack[..end].to_vec(), cost);
        }
        stacks
    }

    /// Returns what each function cost.
    pub fn functions(&self) -> BTreeMap<Arc<str>, StackCost> {
        let mut functions = BTreeMap::<Arc<str>, StackCost>::new();
        for (stack, cost) in self.iter() {
            for name in stack.iter().collect::<BTreeSet<_>>() {
                functions.entry(Arc::clone(name)).or_default().inclusive += cost;
            }
            if let Some(innermost) = stack.last() {
                functions.entry(Arc::clone(innermost)).or_default().own += cost;
            }
        }
        functions
    }
}

/// Returns whether a function is of the standard library of Rust or C++, or hands out memory.
pub(super) fn is_library(name: &str) -> bool {
    const STARTS: [&str; 14] = [
        "alloc::",
        "<alloc::",
        "core::",
        "<core::",
        "std::",
        "<std::",
        "__rust",
        "__rdl_",
        "operator new",
        "__gnu_cxx::",
        "hashbrown::",
        "<hashbrown::",
        "UnknownInlinedFun",
        "[unknown",
    ];
    const ALLOCATORS: [&str; 7] =
        ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign", "strdup"];
    let bare = name.split(" (").next().unwrap_or(name);
    STARTS.iter().any(|start| bare.starts_with(start))
        || ALLOCATORS.contains(&bare)
        // Where a tool names an inlined function without its module, its file tells.
        || name.contains("(library/")
        || name.contains("/rustc/")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn stacks(lines: &[(&str, u64)]) -> CallStacks {
        let mut stacks = CallStacks::default();
        for (line, cost) in lines {
            stacks.add(line.split(';').map(Arc::from).collect(), *cost);
        }
        stacks
    }

    #[test]
    fn a_function_that_calls_itself_is_counted_once() {
        let functions = stacks(&[("main;a;a", 5), ("main;a;b", 2), ("main", 1)]).functions();
        let text = functions.iter().map(|(n, cost)| format!("{n} {} {}", cost.own, cost.inclusive));
        assert_eq!(text.collect::<Vec<_>>(), ["a 5 7", "b 2 2", "main 1 8"]);
    }

    #[test]
    fn what_a_library_took_stands_with_its_caller() {
        let all = stacks(&[
            ("main;parse;alloc::vec::Vec<T>::push;malloc", 5),
            ("main;parse;with_capacity<> (library/alloc/src/vec/mod.rs);malloc", 2),
            ("main;std::map;user_callback", 1),
            ("std::rt::init;malloc", 3),
        ]);
        let callers = stacks(&[
            ("main;parse", 7),
            ("main;std::map;user_callback", 1),
            ("std::rt::init;malloc", 3),
        ]);
        assert_eq!(all.from_callers(is_library), callers);
    }

    #[test]
    fn what_both_runs_did_is_taken_off() {
        let (long, short) =
            (stacks(&[("a", 9), ("b", 2)]), stacks(&[("a", 4), ("b", 2), ("c", 1)]));
        assert_eq!(long.without(&short), stacks(&[("a", 5)]));
        assert_eq!(long.total(), 11);
    }
}
