//! One order of functions for two programs.
//!
//! A linker puts the sections of functions one after the other. If it is given the functions that both
//! programs have in one order, and the others last, the former lie at the same addresses, unless one of
//! them takes another room on the two sides. Which do is seen when it has linked; they go last as well.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};
use sut::elf::FunctionSymbol;

/// In which order functions are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionOrder {
    /// As base has them.
    OfBase,
    /// As this seed draws them.
    Drawn(u64),
}

/// What tells functions apart that have one name in every build.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct UnitKey {
    stable_name: String,
    /// The sizes of all functions that one name of the linker stands for, in order of address.
    sizes: Vec<u64>,
    /// Its number among those of this name and these sizes, such as instances of a generic function.
    occurrence: usize,
}

/// What a linker moves by one name: usually a function, or several local ones that are called alike.
#[derive(Debug, Clone)]
struct FunctionUnit {
    key: UnitKey,
    name: String,
}

/// A function that both sides have with the same size.
#[derive(Debug, Clone)]
struct MatchedUnit {
    key: UnitKey,
    /// As the linkers of base and head know it: with the hashes of each build.
    names: [String; 2],
}

/// The order of the functions of base and head.
#[derive(Debug)]
pub(crate) struct MatchedOrder {
    /// In order of base's addresses.
    matched: Vec<MatchedUnit>,
    /// What the two sides do not have in common.
    rest: [Vec<FunctionUnit>; 2],
    /// Where base has the functions of a name.
    positions: HashMap<String, usize>,
}

impl MatchedOrder {
    /// Matches the functions of base and head.
    pub(crate) fn new(base: &[FunctionSymbol], head: &[FunctionSymbol]) -> Self {
        let (base, head) = (units(base), units(head));
        let mut positions = HashMap::new();
        for unit in &base {
            let next = positions.len();
            positions.entry(unit.key.stable_name.clone()).or_insert(next);
        }
        let mut of_head: HashMap<UnitKey, FunctionUnit> =
            head.into_iter().map(|unit| (unit.key.clone(), unit)).collect();
        let (mut matched, mut rest) = (Vec::new(), [Vec::new(), Vec::new()]);
        for unit in base {
            match of_head.remove(&unit.key) {
                Some(head) => {
                    matched.push(MatchedUnit { key: unit.key, names: [unit.name, head.name] });
                }
                None => rest[0].push(unit),
            }
        }
        rest[1].extend(of_head.into_values());
        Self { matched, rest, positions }
    }

    /// Returns the names of the functions of base (0) or head (1), in order.
    pub(crate) fn names(&self, side: usize, order: FunctionOrder) -> Vec<&str> {
        let mut matched: Vec<_> = self.matched.iter().collect();
        let mut rest: Vec<_> = self.rest[side].iter().collect();
        match order {
            FunctionOrder::OfBase => {
                let position = |unit: &FunctionUnit| {
                    self.positions.get(&unit.key.stable_name).copied().unwrap_or(usize::MAX)
                };
                rest.sort_by_key(|unit| (position(unit), unit.key.clone()));
            }
            FunctionOrder::Drawn(seed) => {
                matched.sort_by_key(|unit| unit.key.rank(seed));
                rest.sort_by_key(|unit| unit.key.rank(seed));
            }
        }
        let matched = matched.into_iter().map(|unit| unit.names[side].as_str());
        matched.chain(rest.into_iter().map(|unit| unit.name.as_str())).collect()
    }

    /// Puts last what takes another room on the two sides, given the functions of both as they were
    /// linked in the order of base. Returns how many those are.
    pub(crate) fn put_last(&mut self, base: &[FunctionSymbol], head: &[FunctionSymbol]) -> usize {
        let addresses = [addresses(base), addresses(head)];
        let mut uneven = vec![false; self.matched.len()];
        let (mut distance, mut before) = (None, None);
        for (index, unit) in self.matched.iter().enumerate() {
            let of = |side: usize| addresses[side].get(unit.names[side].as_str());
            let (Some(of_base), Some(of_head)) = (of(0), of(1)) else {
                uneven[index] = true;
                continue;
            };
            if of_base.len() != of_head.len() {
                uneven[index] = true;
                continue;
            }
            let moved = of_base.iter().zip(of_head).map(|(a, b)| i128::from(*b) - i128::from(*a));
            let moved: Vec<_> = moved.collect();
            if distance.is_some_and(|distance| moved.iter().any(|it| *it != distance)) {
                // What lies before takes another room, or these do among themselves.
                uneven[index] = moved.len() > 1;
                if let Some(before) = before {
                    let before: usize = before;
                    uneven[before] = true;
                }
            }
            distance = moved.last().copied();
            before = Some(index);
        }
        let count = uneven.iter().filter(|it| **it).count();
        let mut uneven = uneven.into_iter();
        let (last, matched): (Vec<_>, Vec<_>) =
            self.matched.drain(..).partition(|_| uneven.next().unwrap_or_default());
        self.matched = matched;
        for MatchedUnit { key, names: [base, head] } in last {
            self.rest[0].push(FunctionUnit { key: key.clone(), name: base });
            self.rest[1].push(FunctionUnit { key, name: head });
        }
        count
    }
}

impl UnitKey {
    /// Where a seed puts it: the same place in every program.
    fn rank(&self, seed: u64) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(self.stable_name.as_bytes());
        for number in self.sizes.iter().copied().chain([self.occurrence as u64]) {
            hash.update(number.to_le_bytes());
        }
        hash.finalize().into()
    }
}

/// Groups functions by the name that the linker knows, in order of address.
fn units(functions: &[FunctionSymbol]) -> Vec<FunctionUnit> {
    let mut by_name = BTreeMap::<&str, Vec<&FunctionSymbol>>::new();
    for function in functions {
        by_name.entry(&function.name).or_default().push(function);
    }
    let mut groups: Vec<_> = by_name.into_iter().collect();
    for (_, group) in &mut groups {
        group.sort_by_key(|it| (it.address, it.bytes));
    }
    // The larger one of two that begin together stands first, as its end decides where the next begins.
    groups.sort_by_key(|(name, group)| (group[0].address, Reverse(group[0].bytes), *name));
    let mut seen = HashMap::<(String, Vec<u64>), usize>::new();
    let mut found = Vec::with_capacity(groups.len());
    for (name, group) in groups {
        let sizes: Vec<u64> = group.iter().map(|it| it.bytes).collect();
        let stable_name = group[0].stable_name();
        let occurrences = seen.entry((stable_name.clone(), sizes.clone())).or_default();
        let key = UnitKey { stable_name, sizes, occurrence: *occurrences };
        *occurrences += 1;
        found.push(FunctionUnit { key, name: name.to_owned() });
    }
    found
}

fn addresses(functions: &[FunctionSymbol]) -> HashMap<&str, Vec<u64>> {
    let mut addresses = HashMap::<&str, Vec<u64>>::new();
    for function in functions {
        addresses.entry(&function.name).or_default().push(function.address);
    }
    for addresses in addresses.values_mut() {
        addresses.sort_unstable();
    }
    addresses
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A function of a program that was not linked yet.
    #[derive(Debug, Clone)]
    struct Section {
        name: String,
        bytes: u64,
        alignment: u64,
    }

    /// Links as lld does: what the order names first, in its order, and then the rest as given.
    fn link(sections: &[Section], order: &[&str]) -> Vec<FunctionSymbol> {
        let rank = |name: &str| order.iter().position(|it| *it == name).unwrap_or(usize::MAX);
        let mut sections: Vec<_> = sections.iter().collect();
        sections.sort_by_key(|it| rank(&it.name));
        let mut address = 0x1000_u64;
        let place = |it: &Section| {
            let at = address.next_multiple_of(it.alignment);
            address = at + it.bytes;
            FunctionSymbol { name: it.name.clone(), address: at, bytes: it.bytes }
        };
        sections.into_iter().map(place).collect()
    }

    fn section(number: usize, bytes: u64, alignment: u64) -> Section {
        Section { name: format!("function_{number}"), bytes, alignment: 1 << alignment }
    }

    /// A program, and another one that lacks some of its functions, has others and has some that were
    /// resized or aligned anew.
    fn programs() -> impl Strategy<Value = [Vec<Section>; 2]> {
        let function = (1_u64..200, 0_u64..6, 0_u8..10, 1_u64..200, 0_u64..6);
        prop::collection::vec(function, 1..60).prop_map(|functions| {
            let (mut base, mut head) = (Vec::new(), Vec::new());
            for (number, (bytes, alignment, kind, more, other)) in functions.into_iter().enumerate()
            {
                let of_base = section(number, bytes, alignment);
                match kind {
                    0 => base.push(of_base),
                    1 => head.push(of_base),
                    2 => {
                        head.push(section(number, more, alignment));
                        base.push(of_base);
                    }
                    3 => {
                        head.insert(0, section(number, bytes, other));
                        base.push(of_base);
                    }
                    _ => {
                        base.push(of_base.clone());
                        head.push(of_base);
                    }
                }
            }
            [base, head]
        })
    }

    /// Links in the order of base until nothing more goes last.
    fn settle(programs: &[Vec<Section>; 2]) -> MatchedOrder {
        let [base, head] = [0, 1].map(|side| link(&programs[side], &[]));
        let mut order = MatchedOrder::new(&base, &head);
        loop {
            let linked =
                [0, 1].map(|side| link(&programs[side], &order.names(side, FunctionOrder::OfBase)));
            if order.put_last(&linked[0], &linked[1]) == 0 {
                return order;
            }
        }
    }

    proptest! {
        #[test]
        fn functions_of_both_sides_come_to_lie_at_the_same_addresses(programs in programs()) {
            let order = settle(&programs);
            let linked = [0, 1].map(|side| {
                link(&programs[side], &order.names(side, FunctionOrder::OfBase))
            });
            let at = |side: usize, name: &str| {
                linked[side].iter().find(|it| it.name == name).unwrap().address
            };
            let distances: Vec<_> = order
                .matched
                .iter()
                .map(|unit| i128::from(at(1, &unit.names[1])) - i128::from(at(0, &unit.names[0])))
                .collect();
            prop_assert!(distances.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", distances);
        }

        #[test]
        fn an_order_names_every_function_once(programs in programs(), seed: u64) {
            let order = settle(&programs);
            for (side, program) in programs.iter().enumerate() {
                let mut all: Vec<_> = program.iter().map(|it| it.name.as_str()).collect();
                all.sort_unstable();
                for function_order in [FunctionOrder::OfBase, FunctionOrder::Drawn(seed)] {
                    let mut names = order.names(side, function_order);
                    names.sort_unstable();
                    prop_assert_eq!(&names, &all);
                }
            }
        }

        #[test]
        fn a_seed_draws_one_order_for_both_sides(programs in programs(), seed: u64) {
            let order = settle(&programs);
            let drawn = [0, 1].map(|side| order.names(side, FunctionOrder::Drawn(seed)));
            prop_assert_eq!(&drawn[0][..order.matched.len()], &drawn[1][..order.matched.len()]);
        }
    }

    #[test]
    fn another_seed_draws_another_order() {
        let program: Vec<_> = (0..30).map(|number| section(number, 16, 4)).collect();
        let order = settle(&[program.clone(), program]);
        let drawn = |seed| order.names(0, FunctionOrder::Drawn(seed));
        assert_eq!(order.matched.len(), 30);
        assert_ne!(drawn(1), drawn(2));
        assert_eq!(drawn(1), drawn(1));
    }

    #[test]
    fn functions_match_by_stable_name_size_and_occurrence() {
        let symbol =
            |name: &str, address, bytes| FunctionSymbol { name: name.to_owned(), address, bytes };
        let base = [
            symbol("_ZN3api4drop17h0123456789abcdefE", 0, 8),
            symbol("_ZN3api4drop17h1123456789abcdefE", 8, 8),
            symbol("_ZN3api5parse17h2123456789abcdefE", 16, 8),
            symbol("local", 24, 4),
            symbol("local", 32, 8),
        ];
        let head = [
            symbol("_ZN3api5parse17h3123456789abcdefE", 0, 9),
            symbol("_ZN3api4drop17h4123456789abcdefE", 16, 8),
            symbol("local", 24, 8),
            symbol("local", 40, 4),
        ];
        let order = MatchedOrder::new(&base, &head);
        let matched: Vec<_> = order.matched.iter().map(|it| it.names.clone()).collect();
        assert_eq!(matched, [[base[0].name.clone(), head[1].name.clone()]]);
    }
}
