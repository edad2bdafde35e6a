//! Where the code of both sides lay: in memory, launch by launch, and within each build.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use sut::layout::LayoutState;
pub use sut::placement::{MappingState, PlacementMethod};

/// What was drawn anew for both sides at each launch pair, and what was not. What was not belongs to
/// a build's files on this machine, and no number of launches tells it from the build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The state of each executable mapping, by the file's name, the worst of all launch pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mappings: BTreeMap<String, MappingState>,
}

impl PlacementRecord {
    /// Adds what was seen of one launch pair.
    pub fn merge(&mut self, pair: Self) {
        self.base = self.base.max(pair.base);
        self.head = self.head.max(pair.head);
        self.layout = self.layout.max(pair.layout);
        for (name, state) in pair.mappings {
            let worst = self.mappings.entry(name).or_insert(state);
            *worst = state.max(*worst);
        }
    }

    /// Returns whether nothing that both sides execute keeps its place from launch to launch. False
    /// where nothing was seen.
    pub fn is_redrawn(&self) -> bool {
        !self.mappings.is_empty() && !self.keeps_place()
    }

    /// Returns whether something that one side executes was seen to keep its place from launch to launch.
    pub fn keeps_place(&self) -> bool {
        self.mappings.values().any(|state| *state == MappingState::NotRedrawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(method: PlacementMethod, states: &[(&str, MappingState)]) -> PlacementRecord {
        let mappings = states.iter().map(|(name, state)| ((*name).to_owned(), *state));
        PlacementRecord {
            base: Some(method),
            head: None,
            layout: None,
            mappings: mappings.collect(),
        }
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
}
