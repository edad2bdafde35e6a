//! Where the code of both sides lay: in memory, launch by launch, and within each build.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use sut::layout::{LayoutObstacle, LayoutState};
pub use sut::placement::{MappingState, PlacementMethod};

/// What was drawn anew for both sides at each launch pair, and what was not. What was not belongs to
/// a build's files on this machine, and no number of launches tells it from the build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlacementRecord {
    /// How the pages of base's program were placed, the weakest of all launches; none of a program
    /// that was not started here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<PlacementMethod>,
    /// Likewise of head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<PlacementMethod>,
    /// Where functions of head lie against base; none where no build was at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<LayoutState>,
    /// Why functions were left where they lie although they were to be matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout_obstacle: Option<LayoutObstacle>,
    /// How many functions lie at the same addresses, where both sides were linked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<FunctionsInPlace>,
    /// The state of each executable mapping, by the file's name, the worst of all launch pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mappings: BTreeMap<String, MappingState>,
}

/// Functions that lie at the same addresses in both programs, or all as many pages further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionsInPlace {
    /// Functions that both programs have.
    pub common: u64,
    /// Those of them that lie at the same addresses.
    pub in_place: u64,
}

impl FunctionsInPlace {
    /// Returns the share that lies at the same addresses, 0 to 1; 0 where there are none.
    pub fn share(self) -> f64 {
        if self.common == 0 { 0.0 } else { self.in_place as f64 / self.common as f64 }
    }
}

impl PlacementRecord {
    /// Adds what was seen of one launch pair.
    pub fn merge(&mut self, pair: Self) {
        self.base = self.base.max(pair.base);
        self.head = self.head.max(pair.head);
        self.layout = self.layout.max(pair.layout);
        self.layout_obstacle = self.layout_obstacle.or(pair.layout_obstacle);
        self.functions = self.functions.or(pair.functions);
        self.merge_mappings(pair.mappings);
    }

    /// A file that one side alone executes, and not in every launch pair, is none that a build adds: the program
    /// loads it when it needs it, from where both sides would.
    fn merge_mappings(&mut self, pair: BTreeMap<String, MappingState>) {
        if self.mappings.is_empty() || pair.is_empty() {
            self.mappings.extend(pair);
            return;
        }
        for (name, state) in &mut self.mappings {
            let other = pair.get(name).copied().unwrap_or(MappingState::Shared);
            *state = state.joined(other);
        }
        for (name, state) in pair {
            self.mappings.entry(name).or_insert(state.joined(MappingState::Shared));
        }
    }

    /// Returns whether functions of head lie at other addresses than base's, in every launch alike.
    pub fn keeps_layout(&self) -> bool {
        self.layout == Some(LayoutState::NotRedrawn)
    }

    /// Returns whether nothing that both sides execute keeps its place from launch to launch. False
    /// where nothing was seen.
    pub fn is_redrawn(&self) -> bool {
        !self.mappings.is_empty() && !self.keeps_place()
    }

    /// Returns whether something that one side executes was seen to keep its place from launch to launch.
    pub fn keeps_place(&self) -> bool {
        let keeps = |state: &MappingState| {
            matches!(state, MappingState::OneSide | MappingState::NotRedrawn)
        };
        self.mappings.values().any(keeps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(method: PlacementMethod, states: &[(&str, MappingState)]) -> PlacementRecord {
        let mappings = states.iter().map(|(name, state)| ((*name).to_owned(), *state));
        let mappings = mappings.collect();
        PlacementRecord { base: Some(method), mappings, ..PlacementRecord::default() }
    }

    #[test]
    fn a_launch_that_could_not_be_matched_stands_for_all() {
        let counts = FunctionsInPlace { common: 200, in_place: 194 };
        let drawn = |layout| PlacementRecord { layout: Some(layout), ..PlacementRecord::default() };
        let mut all = PlacementRecord { functions: Some(counts), ..drawn(LayoutState::Drawn) };
        all.merge(PlacementRecord::default());
        assert_eq!((all.layout, all.layout_obstacle), (Some(LayoutState::Drawn), None));
        let failed = Some(LayoutObstacle::LinkFailed);
        all.merge(PlacementRecord { layout_obstacle: failed, ..drawn(LayoutState::NotRedrawn) });
        all.merge(drawn(LayoutState::Drawn));
        assert_eq!((all.layout, all.layout_obstacle), (Some(LayoutState::NotRedrawn), failed));
        assert!((all.functions.unwrap().share() - 0.97).abs() < 1e-9);
    }

    #[test]
    fn the_worst_launch_pair_stands_for_all() {
        let beside = PlacementMethod::CopyBeside;
        let mut all = PlacementRecord::default();
        assert!(!all.is_redrawn());
        all.merge(record(
            beside,
            &[("api", MappingState::Redrawn), ("libc", MappingState::Shared)],
        ));
        assert!(all.is_redrawn());
        all.merge(record(PlacementMethod::Original, &[("api", MappingState::NotRedrawn)]));
        all.merge(record(beside, &[("api", MappingState::Redrawn)]));
        assert!(!all.is_redrawn());
        assert_eq!((all.base, all.head), (Some(PlacementMethod::Original), None));
        assert_eq!(all.mappings["libc"], MappingState::Shared);
    }

    #[test]
    fn what_one_side_executes_now_and_then_is_none_that_a_build_adds() {
        let of = |states: &[(&str, MappingState)]| record(PlacementMethod::Original, states);
        let own = ("own.so", MappingState::OneSide);
        let late = ("late.so", MappingState::OneSide);
        let mut all = PlacementRecord::default();
        all.merge(of(&[own, late]));
        assert!(all.keeps_place());
        all.merge(of(&[own]));
        assert_eq!(all.mappings["late.so"], MappingState::Shared);
        all.merge(of(&[own, late, ("later.so", MappingState::OneSide)]));
        assert_eq!(all.mappings["late.so"], MappingState::Shared);
        assert_eq!(all.mappings["later.so"], MappingState::Shared);
        assert_eq!(all.mappings["own.so"], MappingState::OneSide);
        assert!(all.keeps_place());
    }
}
