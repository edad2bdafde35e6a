//! What to generate: a preset, a seed, and how much of it goes into one request.

use std::fmt::Write;
use std::iter;

use sha2::{Digest, Sha256};

use super::GENERATOR_VERSION;
use super::depth_mix;
use super::quota::Interleaved;
use super::truth::{Semantics, Truth};

/// A named kind of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Small nested elements: 60 % of depth 2, 30 % of depth 3, 10 % of depth 5; 70 % identical.
    DepthMix,
}

impl Preset {
    /// Every preset, in the order in which they are offered.
    pub const ALL: [Self; 1] = [Self::DepthMix];

    /// Returns the name that configuration and command line use.
    pub fn name(self) -> &'static str {
        match self {
            Self::DepthMix => "depth-mix",
        }
    }

    /// Returns the preset of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }
}

/// Everything that decides the bytes of every request of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The kind of documents.
    pub preset: Preset,
    /// What every draw starts from.
    pub seed: u64,
    /// XML pairs in one request, for the kinds that carry many. The first `n` pairs hold each
    /// share of the mix rounded to a neighbouring whole number, and exactly where `n` is a
    /// multiple of ten.
    pub pairs: u64,
    /// What the target means by "equal". Decides what is expected of it, and no byte it is sent.
    pub semantics: Semantics,
    mix: Interleaved,
}

impl Spec {
    /// Returns the depth mix: 60 % of depth 2, 30 % of depth 3, 10 % of depth 5, and of each depth
    /// 70 % identical pairs.
    pub fn depth_mix(seed: u64, pairs: u64) -> Self {
        let (preset, semantics) = (Preset::DepthMix, Semantics::default());
        Self { preset, seed, pairs, semantics, mix: depth_mix::mix() }
    }

    /// Returns what is true of the XML pairs from number `first` (from 0) on, without end.
    pub fn truths(&self, first: u64) -> impl Iterator<Item = Truth> {
        match self.preset {
            Preset::DepthMix => {
                let mut writer = depth_mix::Writer::new(self.seed, &self.mix, first);
                iter::repeat_with(move || writer.truth())
            }
        }
    }

    /// Returns what makes two runs comparable: a hash of the generator's version, of this spec, and
    /// of the first hundred XML pairs it makes. What the target means by "equal" is not in it.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let Self { preset, seed, pairs, semantics: _, mix: _ } = self;
        let spec = format!("{GENERATOR_VERSION} {} seed={seed} pairs={pairs}\n", preset.name());
        hash.update(spec.as_bytes());
        let mut bytes = Vec::new();
        match preset {
            Preset::DepthMix => {
                let mut writer = depth_mix::Writer::new(*seed, &self.mix, 0);
                for _ in 0..100 {
                    writer.write_json(&mut bytes);
                }
            }
        }
        hash.update(&bytes);
        hex(&hash.finalize())
    }

    pub(super) fn mix(&self) -> &Interleaved {
        &self.mix
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        hex
    })
}
