//! The rule for calls to services: what is counted exactly differs or does not.
//!
//! Where a program makes the same calls for each request, every slice has the same number a request, and one launch
//! pair says all: any difference decides, no error rate is touched. A few slices may have more, as a pool that looks
//! whether its connections live makes them. Where requests differ in their calls, the numbers scatter with what
//! happened to be sent, and a t on logarithms decides at an error rate that is shared among all looks; what it
//! cannot tell is shown and decides nothing.

use stats::hodges_lehmann::Estimate;
use stats::means::VariancePrior;
use stats::quantile;

use super::{Hypothesis, Judgement, Verdict, counts, within_limits};

/// The share of slices that have to agree where a number is exact.
const AGREEMENT_MIN: f64 = 0.95;

/// Calls a request that are added before logarithms are taken: less is none.
const LEAST: f64 = 0.01;

/// The smallest scatter of a launch's number, and in how many launches the expectation of it counts.
const SCATTER_MIN: f64 = 0.001;
const FREEDOM: f64 = 3.0;

/// What is shown equal within this is unchanged, where numbers scatter.
const SCATTERED_TOLERANCE: f64 = 0.02;

/// How a change from none, or to none, is written down: a thousand times.
const FROM_NONE: f64 = 1_000.0;

/// What was counted in a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceCount {
    /// Requests, at least one.
    pub requests: u64,
    /// Calls.
    pub calls: u64,
}

/// What was counted on both builds: the slices of each launch, as many launches on each side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallSamples {
    /// Of base.
    pub base: Vec<Vec<SliceCount>>,
    /// Of head.
    pub head: Vec<Vec<SliceCount>>,
}

/// A judgement, and whether it decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallJudgement {
    /// What follows.
    pub judgement: Judgement,
    /// Whether it was decided: not where numbers scatter too much to tell.
    pub is_decided: bool,
}

impl SliceCount {
    fn a_request(self) -> f64 {
        units::exact(self.calls) / units::exact(self.requests)
    }
}

/// Returns the number of calls a request, if it is one number; none without requests.
fn exact(launches: &[Vec<SliceCount>]) -> Option<f64> {
    let numbers: Vec<f64> = launches.iter().flatten().map(|it| it.a_request()).collect();
    if numbers.is_empty() {
        return None;
    }
    let middle = quantile::median(&numbers);
    // Equal fractions have equal quotients, to the bit.
    let agreeing = numbers.iter().filter(|number| number.total_cmp(&middle).is_eq()).count();
    (agreeing as f64 >= AGREEMENT_MIN * numbers.len() as f64).then_some(middle)
}

/// Returns the calls a request of some launches: the number on which they agree, else the mean; none without requests.
pub fn level(launches: &[Vec<SliceCount>]) -> Option<f64> {
    exact(launches).or_else(|| {
        let sum = |of: fn(&SliceCount) -> u64| units::total(launches.iter().flatten().map(of));
        let requests = sum(|it| it.requests);
        (requests > 0).then(|| units::exact(sum(|it| it.calls)) / units::exact(requests))
    })
}

/// Judges all hypotheses at a family-wise error of `alpha` a direction, however often it is looked at them.
pub fn judge(alpha: f64, hypotheses: &[Hypothesis], samples: &[CallSamples]) -> Vec<CallJudgement> {
    assert_eq!(hypotheses.len(), samples.len(), "one pair of samples a hypothesis");
    let family = hypotheses.len().max(1) as f64;
    let both = hypotheses.iter().zip(samples);
    both.map(|(hypothesis, samples)| match exact(&samples.base).zip(exact(&samples.head)) {
        Some((base, head)) => certain(*hypothesis, base, head, samples),
        None => scattered(alpha / family, *hypothesis, samples),
    })
    .collect()
}

/// The judgement where each side has one number.
fn certain(hypothesis: Hypothesis, base: f64, head: f64, samples: &CallSamples) -> CallJudgement {
    let ln = change_ln(base, head);
    let estimate = Estimate { value: ln, low: ln, high: ln };
    let verdict = if ln.abs() <= hypothesis.floor.max(hypothesis.tolerance).ln_1p() {
        Verdict::Unchanged
    } else if ln > 0.0 {
        Verdict::Regressed
    } else {
        Verdict::Improved
    };
    let p = |is_shown: bool| if is_shown { 0.0 } else { 1.0 };
    let judgement = Judgement {
        p_slower: p(verdict == Verdict::Regressed),
        p_faster: p(verdict == Verdict::Improved),
        p_unchanged: p(verdict == Verdict::Unchanged),
        mde_ln: hypothesis.tolerance.ln_1p(),
        ..blank(verdict, estimate, samples)
    };
    CallJudgement { judgement, is_decided: true }
}

/// ln(head / base), of numbers that may be 0.
fn change_ln(base: f64, head: f64) -> f64 {
    let (none_before, none_after) = (base <= 0.0, head <= 0.0);
    match (none_before, none_after) {
        (true, true) => 0.0,
        (true, false) => FROM_NONE.ln(),
        (false, true) => -FROM_NONE.ln(),
        (false, false) => (head / base).ln(),
    }
}

/// The judgement where numbers scatter.
fn scattered(alpha: f64, hypothesis: Hypothesis, samples: &CallSamples) -> CallJudgement {
    let logs = |launches: &[Vec<SliceCount>]| {
        let of =
            |launch: &Vec<SliceCount>| Some((level(std::slice::from_ref(launch))? + LEAST).ln());
        launches.iter().filter_map(of).collect::<Vec<f64>>()
    };
    let (base, head) = (logs(&samples.base), logs(&samples.head));
    let looks = base.len().min(head.len()) as f64;
    if base.is_empty() || head.is_empty() {
        let none = Estimate { value: 0.0, low: f64::NEG_INFINITY, high: f64::INFINITY };
        let judgement = blank(Verdict::Inconclusive, none, samples);
        return CallJudgement { judgement, is_decided: false };
    }
    let launches = samples.base.iter().chain(&samples.head);
    let deviation = launches.filter_map(|it| error_ln(it)).fold(SCATTER_MIN, f64::max);
    let estimate = counts::estimate(&base, &head, VariancePrior { deviation, freedom: FREEDOM });
    // The sum over all numbers of looks is the whole.
    let (low, high) = estimate.limits(alpha / (looks * (looks + 1.0)));
    let limits = Estimate { value: estimate.value, low, high };
    let tolerance = hypothesis.tolerance.max(SCATTERED_TOLERANCE);
    let verdict = within_limits(&limits, Hypothesis { tolerance, ..hypothesis });
    let judgement = Judgement {
        p_slower: estimate.p_greater(hypothesis.floor.ln_1p()),
        p_faster: estimate.p_less(-hypothesis.floor.ln_1p()),
        p_unchanged: estimate.p_equivalent(-tolerance.ln_1p(), tolerance.ln_1p()),
        ..blank(verdict, limits, samples)
    };
    CallJudgement { judgement, is_decided: verdict != Verdict::Inconclusive }
}

/// The standard error of the logarithm of a launch's number, from its slices; none of a single one.
fn error_ln(launch: &[SliceCount]) -> Option<f64> {
    let logs: Vec<f64> = launch.iter().map(|it| (it.a_request() + LEAST).ln()).collect();
    let count = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / count;
    let squares: f64 = logs.iter().map(|ln| (ln - mean).powi(2)).sum();
    (logs.len() > 1).then(|| (squares / (count - 1.0) / count).sqrt())
}

fn blank(verdict: Verdict, estimate: Estimate, samples: &CallSamples) -> Judgement {
    Judgement {
        verdict,
        before: Verdict::Inconclusive,
        estimate_ln: estimate.value,
        is_one_machine: false,
        low_ln: estimate.low,
        high_ln: estimate.high,
        p_slower: 1.0,
        p_faster: 1.0,
        p_unchanged: 1.0,
        mde_ln: f64::INFINITY,
        visible_ln: f64::INFINITY,
        spread_ln: f64::INFINITY,
        sample: samples.base.len().min(samples.head.len()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use stats::draw;

    const RULE: Hypothesis = Hypothesis { floor: 0.0, tolerance: 0.0001 };

    /// Launches of ten slices, in each of which a request makes so many calls.
    fn launches(calls: &[u64]) -> Vec<Vec<SliceCount>> {
        let slice = |calls: u64, requests: u64| SliceCount { requests, calls: calls * requests };
        calls
            .iter()
            .map(|calls| (90..100).map(|requests| slice(*calls, requests)).collect())
            .collect()
    }

    fn verdict(base: &[u64], head: &[u64]) -> (Verdict, bool) {
        let samples = CallSamples { base: launches(base), head: launches(head) };
        let found = judge(0.0025, &[RULE], &[samples])[0];
        (found.judgement.verdict, found.is_decided)
    }

    #[test]
    fn one_launch_pair_decides_on_any_difference() {
        assert_eq!(verdict(&[2], &[3]), (Verdict::Regressed, true));
        assert_eq!(verdict(&[200], &[201]), (Verdict::Regressed, true));
        assert_eq!(verdict(&[0], &[1]), (Verdict::Regressed, true));
        assert_eq!(verdict(&[3], &[2]), (Verdict::Improved, true));
        assert_eq!(verdict(&[1], &[0]), (Verdict::Improved, true));
        assert_eq!(verdict(&[2], &[2]), (Verdict::Unchanged, true));
        assert_eq!(verdict(&[0, 0], &[0, 0]), (Verdict::Unchanged, true));
    }

    #[test]
    fn a_floor_or_a_tolerance_leaves_room_for_a_few_more() {
        let with = |floor, tolerance| {
            let samples = CallSamples { base: launches(&[10]), head: launches(&[11]) };
            judge(0.0025, &[Hypothesis { floor, tolerance }], &[samples])[0].judgement.verdict
        };
        assert_eq!(with(0.0, 0.05), Verdict::Regressed);
        assert_eq!(with(0.0, 0.2), Verdict::Unchanged);
        assert_eq!(with(0.15, 0.0001), Verdict::Unchanged);
    }

    #[test]
    fn a_rare_further_call_is_no_change() {
        let mut head = launches(&[2; 4]);
        head[3][4].calls += 1;
        assert_eq!(level(&head), Some(2.0));
        let samples = CallSamples { base: launches(&[2; 4]), head };
        assert_eq!(judge(0.0025, &[RULE], &[samples])[0].judgement.verdict, Verdict::Unchanged);
    }

    #[test]
    fn without_requests_nothing_is_decided() {
        let found = judge(0.0025, &[RULE], &[CallSamples::default()])[0];
        assert_eq!((found.judgement.verdict, found.is_decided), (Verdict::Inconclusive, false));
        assert_eq!(level(&[]), None);
    }

    /// Launches of a load whose requests make 1 to 5 calls each, as they come.
    fn drawn(rng: &mut ChaCha8Rng, count: usize, more: f64) -> Vec<Vec<SliceCount>> {
        let mut slice = || {
            let calls = 300.0 + 100.0 * more + 14.0 * draw::normal(rng);
            SliceCount { requests: 100, calls: units::whole(calls.round()).unwrap() }
        };
        (0..count).map(|_| (0..10).map(|_| slice()).collect()).collect()
    }

    /// At any of ten looks, *slower* may be claimed of programs that are the same in 2.5 of 1 000 comparisons.
    #[test]
    fn where_numbers_scatter_alarms_are_rare_and_a_further_call_is_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut ends = |more: f64| {
            let (base, head) = (drawn(&mut rng, 10, 0.0), drawn(&mut rng, 10, more));
            let at = |look: usize| {
                let (base, head) = (base[..look].to_vec(), head[..look].to_vec());
                judge(0.0025, &[RULE], &[CallSamples { base, head }])[0].judgement.verdict
            };
            (1..=10).any(|look| at(look) == Verdict::Regressed)
        };
        let alarms = (0..1_000).filter(|_| ends(0.0)).count();
        let found = (0..100).filter(|_| ends(1.0)).count();
        assert!(alarms <= 3, "{alarms}");
        assert_eq!(found, 100);
    }

    proptest! {
        #[test]
        fn sides_that_are_exchanged_exchange_the_verdict(
            base in prop::collection::vec(0..50_u64, 1..4),
            head in prop::collection::vec(0..50_u64, 1..4),
        ) {
            let count = base.len().min(head.len());
            let (base, head) = (&base[..count], &head[..count]);
            let swapped = match verdict(head, base).0 {
                Verdict::Regressed => Verdict::Improved,
                Verdict::Improved => Verdict::Regressed,
                other => other,
            };
            prop_assert_eq!(verdict(base, head).0, swapped);
        }
    }
}
