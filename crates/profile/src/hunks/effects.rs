//! Takes the difference of two builds apart into what costs more a call and what is called more often.
//!
//! What a call costs more stays on its lines. What comes of more calls belongs to the line that calls, at what
//! a call costs in base. A future is polled as often as chance has it: where a function's total explains its
//! change better than its calls do, calls are left out. What moved between lines of a function cancels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::costs::{CallSum, CostPlace, SideCosts};

/// Calls of a function that differ by a smaller share are as many.
const CALLS_SAME: f64 = 0.002;

/// Rounds in which what touched lines brought is handed on to what is called from there.
const ROUNDS: usize = 8;

/// What a place in a function takes more in head, in instructions per unit of work.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CostEffect {
    pub(super) function: Arc<str>,
    pub(super) place: CostPlace,
    pub(super) growth: f64,
    /// The function that is called more often, or inlined, if it is by that.
    pub(super) callee: Option<Arc<str>>,
}

/// Returns the effects of a change, from base to head.
pub(super) fn effects(sides: &[SideCosts; 2]) -> Vec<CostEffect> {
    let pairing = FunctionPairing::new(sides);
    let names: BTreeSet<&Arc<str>> = sides.iter().flat_map(|side| side.own.keys()).collect();
    let mut effects = Vec::new();
    for function in names {
        pairing.own(function, &mut effects);
        pairing.calls(function, &mut effects);
    }
    cancel(&mut effects);
    effects
}

/// Which functions are in both builds, how their calls relate, and what touched lines brought.
struct FunctionPairing<'a> {
    sides: &'a [SideCosts; 2],
    both: BTreeSet<Arc<str>>,
    called: [BTreeMap<Arc<str>, CallSum>; 2],
    /// Calls of head over calls of base, of functions in both.
    ratios: BTreeMap<Arc<str>, f64>,
    /// Functions that are compared by their totals though their calls differ.
    by_total: BTreeSet<Arc<str>>,
    /// Of a hunk that calls functions of one build only, the share of such calls that the other build does
    /// not have as well.
    new_calls: BTreeMap<usize, f64>,
    /// Of functions in one build, the share of their cost that touched lines brought.
    brought: BTreeMap<Arc<str>, f64>,
}

impl<'a> FunctionPairing<'a> {
    fn new(sides: &'a [SideCosts; 2]) -> Self {
        let [base, head] = sides;
        let both = base.own.keys().filter(|name| head.own.contains_key(*name)).cloned().collect();
        let called = [base.called(), head.called()];
        let mut pairing = Self {
            sides,
            both,
            called,
            ratios: BTreeMap::new(),
            by_total: BTreeSet::new(),
            new_calls: BTreeMap::new(),
            brought: BTreeMap::new(),
        };
        pairing.compare_calls();
        pairing.count_new_calls();
        for _ in 0..ROUNDS {
            pairing.hand_on();
        }
        pairing
    }

    fn calls_of(&self, side: usize, function: &Arc<str>) -> CallSum {
        self.called[side].get(function).copied().unwrap_or_default()
    }

    /// What a call of a function costs in base.
    fn cost_a_call(&self, function: &Arc<str>) -> f64 {
        let CallSum { count, cost } = self.calls_of(0, function);
        if count > 0.0 { cost / count } else { 0.0 }
    }

    fn compare_calls(&mut self) {
        for function in self.both.clone() {
            let [base, head] = [0, 1].map(|side| self.calls_of(side, &function).count);
            let ratio = if base > 0.0 && head > 0.0 { head / base } else { 1.0 };
            let differs = (ratio - 1.0).abs() > CALLS_SAME;
            if differs && self.misfit(&function, 1.0) <= self.misfit(&function, ratio) {
                self.by_total.insert(Arc::clone(&function));
                self.ratios.insert(function, 1.0);
            } else {
                self.ratios.insert(function, ratio);
            }
        }
    }

    /// How far head is from so many times base, over all places of a function.
    fn misfit(&self, function: &Arc<str>, ratio: f64) -> f64 {
        let own = paired(self.sides.each_ref().map(|side| side.own.get(function)));
        let own: f64 = own.map(|(_, base, head)| (head - ratio * base).abs()).sum();
        let calls = paired(self.sides.each_ref().map(|side| side.calls.get(function)));
        let calls = calls.map(|((_, callee), base, head)| {
            (head.count - ratio * base.count).abs() * self.cost_a_call(callee)
        });
        own + calls.sum::<f64>()
    }

    fn count_new_calls(&mut self) {
        let mut counts = BTreeMap::<usize, [f64; 2]>::new();
        for (number, side) in self.sides.iter().enumerate() {
            for ((place, callee), call) in side.calls.values().flatten() {
                if let (Some(hunk), false) = (place.hunk, self.both.contains(callee)) {
                    counts.entry(hunk).or_default()[number] += call.count;
                }
            }
        }
        // As many before and after are calls of another name or type, and no other calls.
        let share = |[base, head]: [f64; 2]| (head - base).abs() / head.max(base);
        self.new_calls = counts.into_iter().map(|(hunk, counts)| (hunk, share(counts))).collect();
    }

    /// The share of a call to a function of one build that a touched line brought.
    fn held(&self, place: &CostPlace) -> Option<f64> {
        place.hunk.map(|hunk| self.new_calls.get(&hunk).copied().unwrap_or(0.0))
    }

    fn hand_on(&mut self) {
        let mut sums = BTreeMap::<Arc<str>, (f64, f64)>::new();
        for side in self.sides {
            for (caller, calls) in &side.calls {
                let of_caller = if self.both.contains(caller) {
                    0.0
                } else {
                    self.brought.get(caller).copied().unwrap_or(0.0)
                };
                for ((place, callee), call) in calls {
                    if !self.both.contains(callee) {
                        let sum = sums.entry(Arc::clone(callee)).or_default();
                        sum.0 += call.cost * self.held(place).unwrap_or(of_caller);
                        sum.1 += call.cost;
                    }
                }
            }
        }
        let share = |(part, whole): (f64, f64)| if whole > 0.0 { part / whole } else { 0.0 };
        self.brought = sums.into_iter().map(|(name, sums)| (name, share(sums))).collect();
    }

    /// The share of a function's cost that is not of the lines that brought it.
    fn kept(&self, function: &Arc<str>) -> f64 {
        if self.both.contains(function) {
            return 1.0;
        }
        1.0 - self.brought.get(function).copied().unwrap_or(0.0)
    }

    fn own(&self, function: &Arc<str>, effects: &mut Vec<CostEffect>) {
        let (kept, ratio) = (self.kept(function), self.ratio(function));
        for (place, base, head) in paired(self.sides.each_ref().map(|side| side.own.get(function)))
        {
            let growth = kept * (head - ratio * base);
            let callee = place.inlined.clone();
            push(effects, function, place.clone(), growth, callee);
        }
    }

    fn ratio(&self, function: &Arc<str>) -> f64 {
        self.ratios.get(function).copied().unwrap_or(1.0)
    }

    fn calls(&self, function: &Arc<str>, effects: &mut Vec<CostEffect>) {
        let (kept, ratio) = (self.kept(function), self.ratio(function));
        for ((place, callee), base, head) in
            paired(self.sides.each_ref().map(|side| side.calls.get(function)))
        {
            let cost = kept * (head.cost - ratio * base.cost);
            let name = Some(Arc::clone(callee));
            if !self.both.contains(callee) {
                let held = self.held(place).unwrap_or(0.0);
                push(effects, function, place.clone(), held * cost, name);
                continue;
            }
            if self.by_total.contains(callee) {
                continue;
            }
            let more = kept * (head.count - ratio * base.count);
            let mut growth = more * self.cost_a_call(callee);
            // Calls that a touched line makes cost what they cost, and not what the others do.
            let is_new = more.abs() > 0.01 * head.count.max(base.count);
            if place.hunk.is_some() && is_new && cost * more > 0.0 {
                push(effects, callee, CostPlace::default(), growth - cost, None);
                growth = cost;
            }
            push(effects, function, place.clone(), growth, name);
        }
    }
}

fn push(
    effects: &mut Vec<CostEffect>,
    function: &Arc<str>,
    place: CostPlace,
    growth: f64,
    callee: Option<Arc<str>>,
) {
    if growth != 0.0 {
        effects.push(CostEffect { function: Arc::clone(function), place, growth, callee });
    }
}

/// The values of both sides by their keys, the default where one has none.
fn paired<'a, K: Ord, V: Copy + Default + 'a>(
    [base, head]: [Option<&'a BTreeMap<K, V>>; 2],
) -> impl Iterator<Item = (&'a K, V, V)> {
    let keys: BTreeSet<&K> = base.into_iter().chain(head).flat_map(BTreeMap::keys).collect();
    let of = |side: Option<&BTreeMap<K, V>>, key: &K| {
        side.and_then(|side| side.get(key)).copied().unwrap_or_default()
    };
    keys.into_iter().map(move |key| (key, of(base, key), of(head, key)))
}

/// Lets what became more at one line and less at another, by the same callee or inlined function, cancel.
fn cancel(effects: &mut [CostEffect]) {
    let mut sums = BTreeMap::<(Arc<str>, Arc<str>), (f64, f64)>::new();
    for effect in effects.iter() {
        let Some(callee) = &effect.callee else { continue };
        let sum = sums.entry((Arc::clone(&effect.function), Arc::clone(callee))).or_default();
        *(if effect.growth > 0.0 { &mut sum.0 } else { &mut sum.1 }) += effect.growth;
    }
    for effect in effects {
        let Some(callee) = &effect.callee else { continue };
        let key = (Arc::clone(&effect.function), Arc::clone(callee));
        let (more, less) = sums[&key];
        let whole = if effect.growth > 0.0 { more } else { less };
        effect.growth *= ((more + less) / whole).max(0.0);
    }
}
