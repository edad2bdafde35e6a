//! Judges paired numbers of any origin.

mod pairs;

pub use pairs::PairsError;

use anyhow::{Context as _, bail, ensure};
use compare::ComparisonOutcome;
use compare::decision::{
    DecisionRule, Hypothesis, Judgement, LAUNCH_PAIRS, LAUNCH_PAIRS_MAX, Verdict, measured,
};
use record::metric::{BetterDirection, Metric};
use units::Ratio;

/// The tolerance of a metric, and the floor, unless they are given.
const TOLERANCE: f64 = 0.03;
const FLOOR: f64 = 0.01;

/// What is judged, and by which rule.
#[derive(Debug, Clone)]
pub struct DecideOptions {
    /// Name of the table in messages.
    pub name: String,
    /// The table, as CSV or JSON.
    pub text: String,
    /// Chance that any metric is called slower when nothing changed.
    pub alpha: Ratio,
    /// Largest changes that do not matter; the last one for a metric holds.
    pub tolerances: Vec<ShareSetting>,
    /// Smallest changes that count; the last one for a metric holds.
    pub floors: Vec<ShareSetting>,
    /// Metrics of which more is better.
    pub higher_is_better: Vec<String>,
}

/// A share for one metric, or for all.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareSetting {
    /// The metric; all that have none of their own if it is not given.
    pub metric: Option<String>,
    /// The share.
    pub share: Ratio,
}

/// What follows from a table.
#[derive(Debug)]
pub struct Decision {
    /// The metrics with their verdicts, in the order of the table.
    pub metrics: Vec<MetricVerdict>,
    /// How the verdicts came about.
    pub method: DecisionMethod,
    /// What follows from all of them.
    pub outcome: ComparisonOutcome,
}

/// One metric with its verdict.
#[derive(Debug)]
pub struct MetricVerdict {
    /// Name of the metric.
    pub metric: String,
    /// Which direction is better.
    pub better: BetterDirection,
    /// What was tested.
    pub hypothesis: Hypothesis,
    /// What came of it.
    pub judgement: Judgement,
    /// ln(head / base) of each pair, above 0 where head is worse.
    pub differences: Vec<f64>,
}

/// How the verdicts came about.
#[derive(Debug)]
pub struct DecisionMethod {
    /// Chance of a false alarm over all metrics.
    pub alpha: f64,
    /// Pairs in the table.
    pub pairs: usize,
}

impl MetricVerdict {
    /// Returns estimate, lower and upper bound of ln(head / base), in the metric's own direction.
    pub fn change_ln(&self) -> [f64; 3] {
        let judgement = &self.judgement;
        match self.better {
            BetterDirection::Lower => [judgement.estimate_ln, judgement.low_ln, judgement.high_ln],
            BetterDirection::Higher => {
                [-judgement.estimate_ln, -judgement.high_ln, -judgement.low_ln]
            }
        }
    }
}

/// Judges every metric of the table; all are one family.
pub fn decide(options: &DecideOptions) -> anyhow::Result<Decision> {
    let unusable = || format!("unusable `{}`", options.name);
    let table = pairs::read(&options.text).with_context(unusable)?;
    let pairs = table.pairs();
    ensure!(
        pairs <= LAUNCH_PAIRS_MAX,
        "unusable `{}`: {pairs} pairs are more than {LAUNCH_PAIRS_MAX}",
        options.name
    );
    let metrics: Vec<&str> = table.metrics.iter().map(|metric| metric.name.as_str()).collect();
    ensure_known(&metrics, &options.higher_is_better, "--higher-is-better")?;
    let tolerances = shares(&metrics, &options.tolerances, TOLERANCE, "--tolerance")?;
    let floors = shares(&metrics, &options.floors, FLOOR, "--floor")?;
    let hypotheses: Vec<Hypothesis> = tolerances
        .into_iter()
        .zip(floors)
        .map(|(tolerance, floor)| Hypothesis { floor, tolerance })
        .collect();
    let directions: Vec<BetterDirection> =
        metrics.iter().map(|metric| better(metric, &options.higher_is_better)).collect();
    let differences: Vec<Vec<f64>> =
        table.metrics.iter().zip(&directions).map(|(m, better)| m.differences(*better)).collect();

    let judgements = judge(options, pairs, &hypotheses, &differences)?;
    let metrics: Vec<MetricVerdict> = metrics
        .into_iter()
        .zip(directions)
        .zip(hypotheses.into_iter().zip(judgements).zip(differences))
        .map(|((metric, better), ((hypothesis, judgement), differences))| MetricVerdict {
            metric: metric.to_owned(),
            better,
            hypothesis,
            judgement,
            differences,
        })
        .collect();
    let method = DecisionMethod { alpha: options.alpha.0, pairs };
    let outcome = outcome(&metrics);
    Ok(Decision { metrics, method, outcome })
}

/// Refuses names that the table does not have: a setting that does nothing is a mistake.
fn ensure_known(metrics: &[&str], named: &[String], flag: &str) -> anyhow::Result<()> {
    for name in named {
        if !metrics.contains(&name.as_str()) {
            bail!("`{flag} {name}`: no such metric; known are {}", metrics.join(", "));
        }
    }
    Ok(())
}

/// The share of each metric: its own, else the one for all, else the default.
fn shares(
    metrics: &[&str],
    settings: &[ShareSetting],
    default: f64,
    flag: &str,
) -> anyhow::Result<Vec<f64>> {
    let named: Vec<String> = settings.iter().filter_map(|setting| setting.metric.clone()).collect();
    ensure_known(metrics, &named, flag)?;
    let last =
        |metric: Option<&str>| settings.iter().rfind(|setting| setting.metric.as_deref() == metric);
    let share = |metric: &&str| {
        last(Some(metric)).or_else(|| last(None)).map_or(default, |setting| setting.share.0)
    };
    Ok(metrics.iter().map(share).collect())
}

fn better(metric: &str, higher_is_better: &[String]) -> BetterDirection {
    if higher_is_better.iter().any(|name| name == metric) {
        return BetterDirection::Higher;
    }
    Metric::from_key(metric).map_or(BetterDirection::Lower, Metric::better)
}

fn judge(
    options: &DecideOptions,
    pairs: usize,
    hypotheses: &[Hypothesis],
    differences: &[Vec<f64>],
) -> anyhow::Result<Vec<Judgement>> {
    let usual = DecisionRule::new(options.alpha.0, LAUNCH_PAIRS).context("cannot decide")?;
    let rule = DecisionRule { launch_pairs_max: pairs, ..usual };
    Ok(rule.judge(hypotheses, &[measured(differences)]))
}

fn outcome(metrics: &[MetricVerdict]) -> ComparisonOutcome {
    let any = |verdict| metrics.iter().any(|metric| metric.judgement.verdict == verdict);
    if any(Verdict::Regressed) {
        ComparisonOutcome::Regressed
    } else if any(Verdict::Inconclusive) {
        ComparisonOutcome::Inconclusive
    } else if any(Verdict::Improved) {
        ComparisonOutcome::Improved
    } else {
        ComparisonOutcome::Pass
    }
}
