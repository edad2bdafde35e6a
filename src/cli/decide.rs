//! Judges paired numbers of any origin.

pub(super) mod pairs;
mod show;

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::cli::Exit;
use crate::cli::output::{self, FailOnFlag, ReportFormat};
use compare::ComparisonOutcome;
use compare::decision::design::{LAUNCH_PAIRS_MAX, LOOKS};
use compare::decision::sequential::SequentialComparison;
use compare::decision::{self, Hypothesis, Judgement, SequentialDesign, Verdict};
use record::metric::{BetterDirection, Metric};
use units::Ratio;

/// Say what follows from anybody's paired numbers
///
/// Each pair is one measurement of base and one of head, taken together. Pairs count in the order of
/// their numbers, and all metrics are one family.
#[derive(Debug, clap::Args)]
#[command(after_long_help = FORMS)]
pub(super) struct DecideArgs {
    /// CSV or JSON; `-` reads standard input
    file: PathBuf,
    /// Chance that any metric is called slower when nothing changed
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = Ratio::parse)]
    alpha: Ratio,
    /// Largest change that is not worth a person's time, of all metrics or of one: `rss=5%`
    #[arg(long, value_name = "[METRIC=]SHARE", value_parser = setting)]
    tolerance: Vec<ShareSetting>,
    /// Smallest change that may be called one, of all metrics or of one
    #[arg(long, value_name = "[METRIC=]SHARE", value_parser = setting)]
    floor: Vec<ShareSetting>,
    /// A metric of which more is better; `throughput` is known to be
    #[arg(long, value_name = "METRIC")]
    higher_is_better: Vec<String>,
    /// Numbers of pairs at which a verdict may fall, or `all` if the number of pairs was fixed
    /// beforehand [default: 10,14,20,28,40, and on to the last pair]
    #[arg(long, value_name = "N,N", value_parser = looks)]
    looks: Option<LookSchedule>,
    /// Look after every pair, as `compare --until-decided` does
    #[arg(long, conflicts_with = "looks")]
    until_decided: bool,
    /// Seed of the sign flips
    #[arg(long, value_name = "S", default_value_t = 42)]
    seed: u64,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
    format: ReportFormat,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOnFlag::Regression)]
    fail_on: FailOnFlag,
}

const FORMS: &str = "\
CSV:   pair,metric,base,head          JSON:   [{\"pair\": 1, \"metric\": \"latency\",
       1,latency,5.21,5.38                      \"base\": 5.21, \"head\": 5.38}, …]
       1,rss,812,815

Numbers may have any unit and must be above 0; every metric needs every pair.";

/// A share for one metric, or for all.
#[derive(Debug, Clone, PartialEq)]
struct ShareSetting {
    metric: Option<String>,
    share: Ratio,
}

fn setting(text: &str) -> Result<ShareSetting, String> {
    let (metric, share) = match text.rsplit_once('=') {
        Some((metric, share)) => (Some(metric.trim().to_owned()), share),
        None => (None, text),
    };
    let share = Ratio::parse(share)?;
    if !(0.0..=10.0).contains(&share.0) {
        return Err(format!("{share} is not between 0 % and 1000 %"));
    }
    Ok(ShareSetting { metric, share })
}

/// When to look.
#[derive(Debug, Clone, PartialEq)]
enum LookSchedule {
    All,
    At(Vec<usize>),
}

fn looks(text: &str) -> Result<LookSchedule, String> {
    if text == "all" {
        return Ok(LookSchedule::All);
    }
    let looks: Result<Vec<usize>, _> = text.split(',').map(|look| look.trim().parse()).collect();
    looks.map(LookSchedule::At).map_err(|_| format!("`{text}` is neither `all` nor `10,14,20`"))
}

/// One metric with its verdict.
struct MetricVerdict {
    metric: String,
    better: BetterDirection,
    hypothesis: Hypothesis,
    judgement: Judgement,
}

/// How the verdicts came about.
struct DecisionMethod {
    alpha: f64,
    looks: Option<Vec<usize>>,
    pairs: usize,
    seed: u64,
}

/// Prints the verdicts; a regression decides the exit code.
pub(super) fn run(args: &DecideArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let name = name_of(&args.file);
    let table = pairs::read(&read(&args.file)?).with_context(|| format!("unusable `{name}`"))?;
    let count = table.pairs();
    ensure!(
        count <= LAUNCH_PAIRS_MAX,
        "unusable `{name}`: {count} pairs are more than {LAUNCH_PAIRS_MAX}"
    );
    let metrics: Vec<&str> = table.metrics.iter().map(|metric| metric.name.as_str()).collect();
    known(&metrics, &args.higher_is_better, "--higher-is-better")?;
    let tolerances = settings(&metrics, &args.tolerance, 0.03, "--tolerance")?;
    let floors = settings(&metrics, &args.floor, 0.01, "--floor")?;
    let hypotheses: Vec<Hypothesis> = tolerances
        .into_iter()
        .zip(floors)
        .map(|(tolerance, floor)| Hypothesis { floor, tolerance })
        .collect();
    let directions: Vec<BetterDirection> =
        metrics.iter().map(|metric| better(metric, &args.higher_is_better)).collect();
    let differences: Vec<Vec<f64>> =
        table.metrics.iter().zip(&directions).map(|(m, better)| m.differences(*better)).collect();

    let (judgements, looks) = judge(args, count, &hypotheses, &differences)?;
    let decided: Vec<MetricVerdict> = metrics
        .into_iter()
        .zip(directions)
        .zip(hypotheses.into_iter().zip(judgements))
        .map(|((metric, better), (hypothesis, judgement))| MetricVerdict {
            metric: metric.to_owned(),
            better,
            hypothesis,
            judgement,
        })
        .collect();
    let method = DecisionMethod { alpha: args.alpha.0, looks, pairs: count, seed: args.seed };
    let outcome = outcome(&decided);
    match args.format {
        ReportFormat::Terminal => show::terminal(out, &decided, &method, output::screen()),
        ReportFormat::Markdown => show::markdown(out, &decided, &method),
        ReportFormat::Json => show::json(out, &decided, &method, &outcome),
        ReportFormat::Html => bail!("`decide` has no page: choose terminal, markdown or json"),
    }
    .context("failed to write the verdicts")?;
    Ok(output::exit(&outcome, args.fail_on))
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("failed to read standard input")?;
        return Ok(text);
    }
    fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))
}

fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Refuses names that the file does not have: a setting that does nothing is a mistake.
fn known(metrics: &[&str], named: &[String], flag: &str) -> anyhow::Result<()> {
    for name in named {
        if !metrics.contains(&name.as_str()) {
            bail!("`{flag} {name}`: no such metric; known are {}", metrics.join(", "));
        }
    }
    Ok(())
}

/// The share of each metric: its own, else the one for all, else the default.
fn settings(
    metrics: &[&str],
    settings: &[ShareSetting],
    default: f64,
    flag: &str,
) -> anyhow::Result<Vec<f64>> {
    let named: Vec<String> = settings.iter().filter_map(|setting| setting.metric.clone()).collect();
    known(metrics, &named, flag)?;
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

/// The judgements, and the looks if they were planned.
fn judge(
    args: &DecideArgs,
    pairs: usize,
    hypotheses: &[Hypothesis],
    differences: &[Vec<f64>],
) -> anyhow::Result<(Vec<Judgement>, Option<Vec<usize>>)> {
    if args.until_decided {
        let rule = SequentialComparison::new(args.alpha.0, pairs).context("cannot decide")?;
        return Ok((rule.judge(hypotheses, differences), None));
    }
    let last = LOOKS[LOOKS.len() - 1];
    let design = match &args.looks {
        Some(LookSchedule::All) => SequentialDesign::fixed(args.alpha.0, pairs),
        Some(LookSchedule::At(looks)) => SequentialDesign::new(args.alpha.0, looks.clone()),
        None if pairs > last => SequentialDesign::within(args.alpha.0, pairs),
        None => SequentialDesign::new(args.alpha.0, LOOKS.to_vec()),
    };
    let design = design.context("cannot decide")?;
    let judgements = decision::judge(&design, hypotheses, differences, args.seed);
    Ok((judgements, Some(design.looks)))
}

fn outcome(decided: &[MetricVerdict]) -> ComparisonOutcome {
    let any = |verdict| decided.iter().any(|metric| metric.judgement.verdict == verdict);
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
