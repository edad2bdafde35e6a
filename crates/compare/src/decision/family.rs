//! The verdicts of a family of hypotheses while launch pairs come in.

use stats::evidence::{self, Wealth};

use super::{Hypothesis, Verdict};

/// Which of the evidence a machine may have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementTrust {
    /// What a launch draws is drawn for both sides: a machine has no offset that lasts.
    Redrawn,
    /// A build may keep an offset on a machine, so one machine alone shows no change.
    Suspect,
}

/// Evidence of which each machine makes at most so much, however often it comes back.
#[derive(Debug, Clone)]
struct SharedWealth {
    wealth: Wealth,
    /// ln of the most that one machine may multiply it by.
    ln_cap: f64,
    /// ln of what each machine has multiplied it by so far.
    ln_gains: Vec<f64>,
    machine: usize,
}

impl SharedWealth {
    fn new(ln_cap: f64) -> Self {
        Self { wealth: Wealth::default(), ln_cap, ln_gains: vec![0.0], machine: 0 }
    }

    fn begin_attempt(&mut self, machine: usize) {
        self.wealth.begin_attempt();
        self.machine = machine;
        self.ln_gains.resize(self.ln_gains.len().max(machine + 1), 0.0);
    }

    fn see(&mut self, value: f64) {
        let before = self.wealth.ln();
        self.ln_gains[self.machine] += self.wealth.see(value) - before;
    }

    /// What counts. The least of a test martingale and a constant is a supermartingale, and so is the
    /// product with what other machines made before.
    fn ln(&self) -> f64 {
        if self.ln_cap.is_finite() {
            self.ln_gains.iter().map(|gain| gain.min(self.ln_cap)).sum()
        } else {
            self.wealth.ln()
        }
    }
}

/// All hypotheses of a comparison, with the evidence for and against each.
///
/// Verdicts are kept over attempts. *Unchanged* is final: the error rate of a further claim about the
/// same metric is not paid for. *Regressed* and *improved* are taken back when their floor is
/// refuted, so that a machine with an offset of its own does not have the last word.
#[derive(Debug, Clone)]
pub struct FamilyEvidence {
    /// ln(1 / alpha): what evidence has to reach.
    needed: f64,
    hypotheses: Vec<HypothesisEvidence>,
    slower: Vec<f64>,
    faster: Vec<f64>,
}

/// The six questions about one hypothesis. `d` is the difference of a launch pair, above 0 worse.
#[derive(Debug, Clone)]
struct HypothesisEvidence {
    floor_ln: f64,
    tolerance_ln: f64,
    /// d lies above the floor.
    slower: SharedWealth,
    /// -d lies above the floor.
    faster: SharedWealth,
    /// d lies below the tolerance.
    below_tolerance: Wealth,
    /// -d lies below the tolerance.
    above_tolerance: Wealth,
    /// d lies below the floor.
    not_slower: Wealth,
    /// -d lies below the floor.
    not_faster: Wealth,
    verdict: Verdict,
}

impl FamilyEvidence {
    /// Returns a family without any evidence yet, of which no machine is suspect.
    pub fn new(alpha: f64, hypotheses: &[Hypothesis]) -> Self {
        Self::with_trust(alpha, hypotheses, &vec![PlacementTrust::Redrawn; hypotheses.len()])
    }

    /// Returns a family without any evidence yet. Of a suspect hypothesis one machine makes at most the
    /// root of M / alpha, M the size of the family: the evidence of two is enough, that of one is not.
    pub fn with_trust(alpha: f64, hypotheses: &[Hypothesis], trust: &[PlacementTrust]) -> Self {
        let ln_cap = f64::midpoint((hypotheses.len() as f64).ln(), -alpha.ln());
        let of = |(hypothesis, trust): (&Hypothesis, &PlacementTrust)| match trust {
            PlacementTrust::Redrawn => HypothesisEvidence::new(hypothesis, f64::INFINITY),
            PlacementTrust::Suspect => HypothesisEvidence::new(hypothesis, ln_cap),
        };
        let hypotheses: Vec<_> = hypotheses.iter().zip(trust).map(of).collect();
        let none = vec![0.0; hypotheses.len()];
        Self { needed: -alpha.ln(), hypotheses, slower: none.clone(), faster: none }
    }

    /// Begins a further attempt, on the machine of this number.
    pub fn begin_attempt(&mut self, machine: usize) {
        for hypothesis in &mut self.hypotheses {
            hypothesis.slower.begin_attempt(machine);
            hypothesis.faster.begin_attempt(machine);
            hypothesis.wealths().into_iter().for_each(Wealth::begin_attempt);
        }
    }

    /// Takes in one launch pair: the difference of each hypothesis, none where it was not measured.
    pub fn see(&mut self, differences: &[Option<f64>]) {
        assert_eq!(differences.len(), self.hypotheses.len(), "one difference a hypothesis");
        for (hypothesis, difference) in self.hypotheses.iter_mut().zip(differences) {
            if let Some(d) = difference {
                hypothesis.see(*d);
            }
        }
        self.slower = self.shared(|it| it.slower.ln());
        self.faster = self.shared(|it| it.faster.ln());
        for (m, hypothesis) in self.hypotheses.iter_mut().enumerate() {
            hypothesis.decide(self.needed, self.slower[m], self.faster[m]);
        }
    }

    /// Returns the verdict of each hypothesis as it stands.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.hypotheses.iter().map(|it| it.verdict)
    }

    /// Returns ln of the family's evidence for *slower than the floor*, by hypothesis.
    pub fn slower(&self) -> &[f64] {
        &self.slower
    }

    /// Returns ln of the family's evidence for *faster than the floor*, by hypothesis.
    pub fn faster(&self) -> &[f64] {
        &self.faster
    }

    /// Returns ln of the evidence for *within the tolerance*, by hypothesis.
    pub fn unchanged(&self) -> impl Iterator<Item = f64> {
        self.hypotheses.iter().map(HypothesisEvidence::within_tolerance)
    }

    /// Returns whether each hypothesis would be called slower if its machine were trusted.
    pub fn suspected(&self) -> Vec<bool> {
        let slower = self.shared(|it| it.slower.wealth.ln());
        let is_shown = slower.iter().zip(&self.hypotheses).map(|(slower, it)| {
            it.slower.ln_cap.is_finite()
                && it.verdict == Verdict::Inconclusive
                && *slower >= self.needed
        });
        is_shown.collect()
    }

    fn shared(&self, ln_wealth: impl Fn(&HypothesisEvidence) -> f64) -> Vec<f64> {
        evidence::closed_by_means(&self.hypotheses.iter().map(ln_wealth).collect::<Vec<_>>())
    }
}

impl HypothesisEvidence {
    fn new(hypothesis: &Hypothesis, ln_cap: f64) -> Self {
        Self {
            floor_ln: hypothesis.floor.ln_1p(),
            tolerance_ln: hypothesis.tolerance.ln_1p(),
            slower: SharedWealth::new(ln_cap),
            faster: SharedWealth::new(ln_cap),
            below_tolerance: Wealth::default(),
            above_tolerance: Wealth::default(),
            not_slower: Wealth::default(),
            not_faster: Wealth::default(),
            verdict: Verdict::Inconclusive,
        }
    }

    /// The evidence that no machine's offset makes red.
    fn wealths(&mut self) -> [&mut Wealth; 4] {
        [
            &mut self.below_tolerance,
            &mut self.above_tolerance,
            &mut self.not_slower,
            &mut self.not_faster,
        ]
    }

    fn see(&mut self, d: f64) {
        let (f, t) = (self.floor_ln, self.tolerance_ln);
        self.slower.see(d - f);
        self.faster.see(-d - f);
        let values = [t - d, t + d, f - d, f + d];
        for (wealth, value) in self.wealths().into_iter().zip(values) {
            wealth.see(value);
        }
    }

    /// Equality has to be shown on both sides.
    fn within_tolerance(&self) -> f64 {
        self.below_tolerance.ln().min(self.above_tolerance.ln())
    }

    /// Moves the verdict on, given the family's evidence for both directions.
    fn decide(&mut self, needed: f64, slower: f64, faster: f64) {
        let is_refuted = match self.verdict {
            Verdict::Regressed => self.not_slower.ln() >= needed,
            Verdict::Improved => self.not_faster.ln() >= needed,
            Verdict::Unchanged | Verdict::Inconclusive => false,
        };
        if is_refuted {
            self.verdict = Verdict::Inconclusive;
        }
        if self.verdict != Verdict::Inconclusive {
            return;
        }
        // Equality comes first: a proven slowdown inside the tolerance is none.
        self.verdict = if self.within_tolerance() >= needed {
            Verdict::Unchanged
        } else if slower >= needed {
            Verdict::Regressed
        } else if faster >= needed {
            Verdict::Improved
        } else {
            Verdict::Inconclusive
        };
    }
}
