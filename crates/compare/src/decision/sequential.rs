//! The rule for those who would rather wait than hear *inconclusive*.
//!
//! Looks after every launch pair, without a plan of looks: the evidence is the wealth of gamblers who
//! bet on signs, which cannot grow without cause however often it is looked at. That freedom costs
//! launch pairs, about half as many again as the planned looks for the same change, so it is not the
//! default. The family shares the error in equal parts (Bonferroni): unlike sign flips, wealth has no
//! joint law to be gained from.

use crate::decision::design;
use crate::decision::{DesignError, Hypothesis, Judgement, Verdict, launch_pairs};
use stats::betting::{self, WealthProcess};
use stats::power;

/// A comparison that goes on until all is decided, or the limit is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequentialComparison {
    /// Probability that anything at all is called slower when nothing is, over the whole family and
    /// whenever one stops; the same again for faster.
    pub alpha: f64,
    /// The launch pairs after which what is undecided stays inconclusive.
    pub launch_pairs_max: usize,
}

impl SequentialComparison {
    /// Returns the rule for an error rate and a limit, at least as many launch pairs as could decide.
    pub fn new(alpha: f64, launch_pairs_max: usize) -> Result<Self, DesignError> {
        design::check(alpha, launch_pairs_max)?;
        Ok(Self { alpha, launch_pairs_max })
    }

    /// Judges all hypotheses as one family, as [`crate::decision::judge`] does, with a look
    /// after every launch pair.
    ///
    /// A verdict falls at the first launch pair that allows one and keeps the evidence of that one.
    /// Launch pairs beyond the limit are left out.
    pub fn judge(&self, hypotheses: &[Hypothesis], differences: &[Vec<f64>]) -> Vec<Judgement> {
        let available = launch_pairs(hypotheses, differences).min(self.launch_pairs_max);
        let family = hypotheses.len() as f64;
        let judge_one = |(hypothesis, row): (&Hypothesis, &Vec<f64>)| {
            let mut evidence = HypothesisWealth::new(*hypothesis, self.alpha, family);
            let decided = row[..available].iter().zip(1..).find_map(|(d, seen)| {
                evidence.see(*d);
                let verdict = evidence.verdict();
                (verdict != Verdict::Inconclusive).then_some((verdict, seen))
            });
            let (verdict, seen) = decided.unwrap_or((Verdict::Inconclusive, available));
            evidence.judgement(verdict, &row[..seen])
        };
        hypotheses.iter().zip(differences).map(judge_one).collect()
    }
}

/// Four gamblers on one hypothesis: two against the floor, two against the tolerance.
struct HypothesisWealth {
    floor_ln: f64,
    tolerance_ln: f64,
    alpha: f64,
    family: f64,
    slower: WealthProcess,
    faster: WealthProcess,
    not_much_slower: WealthProcess,
    not_much_faster: WealthProcess,
}

impl HypothesisWealth {
    fn new(hypothesis: Hypothesis, alpha: f64, family: f64) -> Self {
        Self {
            floor_ln: hypothesis.floor.ln_1p(),
            tolerance_ln: hypothesis.tolerance.ln_1p(),
            alpha,
            family,
            slower: WealthProcess::default(),
            faster: WealthProcess::default(),
            not_much_slower: WealthProcess::default(),
            not_much_faster: WealthProcess::default(),
        }
    }

    fn see(&mut self, d: f64) {
        self.slower.see(d - self.floor_ln);
        self.faster.see(-d - self.floor_ln);
        self.not_much_slower.see(self.tolerance_ln - d);
        self.not_much_faster.see(self.tolerance_ln + d);
    }

    /// Whoever bets on *within the tolerance* has to win on both sides.
    fn ln_wealth_unchanged(&self) -> f64 {
        self.not_much_slower.ln_wealth().min(self.not_much_faster.ln_wealth())
    }

    fn verdict(&self) -> Verdict {
        let alone = -self.alpha.ln();
        let in_family = alone + self.family.ln();
        if self.ln_wealth_unchanged() > alone {
            Verdict::Unchanged
        } else if self.slower.ln_wealth() > in_family {
            Verdict::Regressed
        } else if self.faster.ln_wealth() > in_family {
            Verdict::Improved
        } else {
            Verdict::Inconclusive
        }
    }

    fn judgement(&self, verdict: Verdict, seen: &[f64]) -> Judgement {
        let estimate = betting::limits(seen, self.alpha);
        // The gamblers behind the verdict refute the floor or the tolerance; the search for the
        // limits may end a hair short of it.
        let (low_ln, high_ln) = match verdict {
            Verdict::Unchanged => {
                (estimate.low.max(-self.tolerance_ln), estimate.high.min(self.tolerance_ln))
            }
            Verdict::Regressed => (estimate.low.max(self.floor_ln), estimate.high),
            Verdict::Improved => (estimate.low, estimate.high.min(-self.floor_ln)),
            Verdict::Inconclusive => (estimate.low, estimate.high),
        };
        let p = |gambler: &WealthProcess| (self.family.ln() - gambler.ln_wealth()).exp().min(1.0);
        Judgement {
            verdict,
            estimate_ln: estimate.value,
            low_ln,
            high_ln,
            p_slower: p(&self.slower),
            p_faster: p(&self.faster),
            p_unchanged: (-self.ln_wealth_unchanged()).exp().min(1.0),
            mde_ln: self.detectable(seen),
            spread_ln: power::spread(seen),
            sample: seen.len(),
        }
    }

    /// The change that gamblers would have found four times in five: the floor, half the width of
    /// limits at the family's level, and the usual allowance for power.
    fn detectable(&self, seen: &[f64]) -> f64 {
        let limits = betting::limits(seen, self.alpha / self.family);
        self.floor_ln + (limits.high - limits.low) / 2.0 + power::allowance(seen)
    }
}
