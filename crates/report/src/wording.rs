//! The words that every format shares: the headline, a verdict, how a run is described.

use std::fmt::Display;
use std::time::Duration;

use compare::decision::history::{HistoryClaim, HistoryJudgement, SECOND_JOB_ALARMS};
use compare::decision::{Hypothesis, Judgement, Verdict};
use compare::details::ScenarioDetails;
use compare::{
    BaselineOrigin, ChangeEstimate, Comparison, ComparisonMethod, ComparisonMode,
    ComparisonOutcome, CountedLaunches, LimitCheck, MetricFinding, MetricResult,
};
use record::evidence::EvidenceGap;
use record::metric::Metric;
use record::metric::gate::MetricPolicy;
use record::work_unit::WorkUnit;
use record::workload::{
    ArrivalShape, LoadAmount, LoadRecord, LoadSummary, ModelSummary, OperationOrder, OperationPlan,
    ReusePolicy, Workload, WorkloadModel,
};
use record::{
    FailureContrast, FailureExample, IdenticalProgram, LayoutState, MappingState, PlacementRecord,
    Revision,
};
use units::Ratio;
use units::text::plural;

/// Longest beginning of an answer that is shown.
const ANSWER_CHARS_MAX: usize = 300;

/// The sign of an outcome, for those who see colours, and the first line, for everybody.
pub(super) struct Headline {
    pub(super) sign: &'static str,
    pub(super) text: String,
}

/// Returns the first line of a report, without its sign: what there is to say in one sentence.
pub fn title(comparison: &Comparison) -> String {
    headline(comparison).text
}

pub(super) fn headline(comparison: &Comparison) -> Headline {
    let (sign, text) = match &comparison.outcome {
        ComparisonOutcome::NotMeasured(reason) => {
            ("❌", format!("could not measure — {}", reason.summary))
        }
        ComparisonOutcome::Regressed => ("🔴", regressed(comparison)),
        ComparisonOutcome::Inconclusive => ("⚪", undecided(comparison)),
        ComparisonOutcome::Improved => {
            ("🟢", changed(comparison, Verdict::Improved, "improvement"))
        }
        ComparisonOutcome::Pass => ("✅", passed(comparison)),
    };
    let text = of_target(comparison, text);
    match comparison.method.new_scenarios.as_slice() {
        [] => Headline { sign, text },
        [name] => Headline { sign, text: format!("{text}; {} is new", quoted(name)) },
        names => {
            let new = format!("{} new scenarios", names.len());
            Headline { sign, text: format!("{text}; {new}") }
        }
    }
}

/// What there is to say, after the target where that is no code of the repository.
fn of_target(comparison: &Comparison, text: String) -> String {
    let is_base = comparison.base.as_ref().is_some_and(|base| base.is_reference);
    match (comparison.head.is_reference, is_base) {
        (true, _) => format!("on the built-in reference API: {text}"),
        (false, true) => format!("against the built-in reference API: {text}"),
        (false, false) => text,
    }
}

fn regressed(comparison: &Comparison) -> String {
    if let Some(failure) = &comparison.failure {
        return failed(failure);
    }
    let broken: Vec<&LimitCheck> = comparison.broken().collect();
    match (comparison.count(Verdict::Regressed), broken.first()) {
        (0, Some(check)) => {
            let count = plural(broken.len(), "broken limit");
            format!("{count} — {} {}", quoted(&check.scenario), limit_words(check))
        }
        (_, None) => changed(comparison, Verdict::Regressed, "regression"),
        (_, Some(_)) => {
            let regressions = changed(comparison, Verdict::Regressed, "regression");
            format!("{regressions}, and {}", plural(broken.len(), "broken limit"))
        }
    }
}

fn failed(failure: &FailureContrast) -> String {
    let FailureContrast { scenario, kind, failed, requests, base_requests, .. } = failure;
    format!(
        "head fails where base does not — {} {failed} of {requests} requests, base none of \
         {base_requests}; first, {kind}",
        quoted(scenario)
    )
}

/// What head answered first that was wrong, and what base answers to the same request.
pub(super) fn failure_lines(comparison: &Comparison) -> Vec<String> {
    let Some(failure) = &comparison.failure else { return Vec::new() };
    let line = |side: &str, example: &FailureExample| {
        let answer: String = example.answer.trim().chars().take(ANSWER_CHARS_MAX).collect();
        let answer = if answer.is_empty() { "nothing was answered" } else { &answer };
        format!("{side}: {}: {}", example.detail, answer).replace(['\n', '\r'], " ")
    };
    let base = failure.base.as_ref().map(|base| line("base", base));
    let reason = failure.reason.to_string();
    let reason = reason.lines().map(str::to_owned);
    base.into_iter().chain([line("head", &failure.head)]).chain(reason).collect()
}

fn changed(comparison: &Comparison, verdict: Verdict, noun: &str) -> String {
    let mut rows: Vec<&MetricResult> =
        comparison.rows.iter().filter(|row| row.verdict() == Some(verdict)).collect();
    let size =
        |row: &MetricResult| row.judgement().map_or(0.0, |judgement| judgement.estimate_ln.abs());
    rows.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let count = plural(rows.len(), noun);
    match rows.first() {
        Some(row) => {
            format!("{count} — {} {} {}", quoted(&row.scenario), row.label(), change(row))
        }
        None => count,
    }
}

fn undecided(comparison: &Comparison) -> String {
    if let Some(row) = comparison.rows.iter().find(|row| row.is_lost()) {
        return format!("can't tell — {} {} is missing", quoted(&row.scenario), row.label());
    }
    let name = |row: &MetricResult| format!("{} {}", quoted(&row.scenario), row.label());
    let mut rows = comparison.rows.iter();
    if let Some(row) = rows.clone().find(|row| row.is_flagged()) {
        return format!("suspected, not confirmed — {} {}", name(row), change(row));
    }
    match rows.find(|row| row.verdict() == Some(Verdict::Inconclusive)) {
        Some(row) => format!("can't tell — {}: {}", name(row), doubt(row)),
        None => "can't tell".to_owned(),
    }
}

/// Why a row was not decided.
fn doubt(row: &MetricResult) -> String {
    match &row.finding {
        MetricFinding::Undecidable(reason) => reason.clone(),
        MetricFinding::Judged(judgement) if is_outvoted(row, judgement) => outvoted(judgement),
        MetricFinding::Judged(judgement) | MetricFinding::Reported(judgement) => {
            needs(row, judgement)
        }
        MetricFinding::Recalled(recalled) => needs(row, &recalled.judgement),
        MetricFinding::Alone | MetricFinding::Missing(_) => String::new(),
    }
}

/// Hexadecimal digits of a digest in a headline.
const DIGEST_DIGITS: usize = 12;

/// What both sides are, where they are one program.
fn identical(program: &IdenticalProgram) -> String {
    let digest: String = program.sha256.chars().take(DIGEST_DIGITS).collect();
    format!("identical program, sha256 {digest} — nothing to measure")
}

/// Why nothing was measured, where both sides are one program; each name made harmless by `safe`.
pub(super) fn identity(comparison: &Comparison, safe: fn(&str) -> String) -> Option<String> {
    let IdenticalProgram { sha256, executable } = comparison.identical.as_ref()?;
    let digest = safe(sha256);
    let same = match executable {
        Some(executable) => format!(
            "Both builds of {} are byte for byte one program, own libraries included (sha256 {digest})",
            safe(executable)
        ),
        None => format!("The files that the target executes are the same (sha256 {digest})"),
    };
    Some(format!(
        "{same}, and between the commits only documentation changed, or what the target's tree does not \
         hold. Whatever a measurement showed would be an error of it; --always-measure measures all the same"
    ))
}

fn passed(comparison: &Comparison) -> String {
    if let Some(program) = &comparison.identical {
        return identical(program);
    }
    let scenarios = plural(comparison.method.scenarios.len(), "scenario");
    let time = units::time_ns(units::exact(comparison.method.wall_ns));
    let unseen = comparison.rows.iter().filter_map(not_found);
    let unseen = unseen.map(|judgement| judgement.mde_ln).reduce(f64::max);
    if let Some(mde_ln) = unseen {
        let from = percent(mde_ln);
        return format!("no regression found in {scenarios}, of time visible from {from} ({time})");
    }
    match comparison.tolerance() {
        Some(tolerance) => format!("no regression ≥ {tolerance} in {scenarios} ({time})"),
        None if comparison.limits.is_empty() => format!("measured {scenarios} ({time})"),
        None => format!("all limits hold in {scenarios} ({time})"),
    }
}

/// A name between backticks, with none of its own.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "'"))
}

/// Which build was set against which.
pub(super) fn revisions(comparison: &Comparison) -> String {
    let head = revision(&comparison.head);
    let base = comparison.base.as_ref();
    if comparison.head.is_reference && base.is_some_and(|base| base.is_reference) {
        return format!("{head} vs itself");
    }
    base.map_or_else(|| head.clone(), |base| format!("{head} vs {}", revision(base)))
}

/// Returns what a scenario sends, how, for how long, and over what.
pub(super) fn scenario_load(details: &ScenarioDetails) -> String {
    let Some(fitted) = details.fitted_load else { return workload(&details.workload) };
    let LoadRecord::Settings(load) = &details.workload.load else {
        return workload(&details.workload);
    };
    let mut load = load.clone();
    if let WorkloadModel::Closed { amount, .. } = &mut load.model {
        *amount = LoadAmount::For(fitted.lasts);
    }
    let driven = Workload { load: LoadRecord::Settings(load), ..details.workload.clone() };
    let interval = units::duration(fitted.interval);
    let scatter = match fitted.scatter {
        Some(Ratio(scatter)) => format!(", ± {:.1} % from slice to slice", scatter * 100.0),
        None => String::new(),
    };
    format!("{}, fitted to an answer every {interval}{scatter}", workload(&driven))
}

/// Returns what a scenario sends, how, and over what: rounded, as everything is that people read.
pub(super) fn workload(workload: &Workload) -> String {
    let sent = match &workload.operations {
        Some(plan) => operations(plan),
        None => workload.kind.name().to_owned(),
    };
    let mut words = format!("{sent}, {}", load(&workload.load.summary()));
    if let Some(network) = &workload.network {
        words = format!("{words}, over a network of {network}");
    }
    words
}

/// Several operations and their order: a mix by its shares, a flow by its steps.
fn operations(plan: &OperationPlan) -> String {
    let name = |number: usize| plan.operations.get(number).map_or("", |it| it.name.as_str());
    match &plan.order {
        OperationOrder::Mix(shares) => {
            let share = |(number, share): (usize, &u64)| format!("{share} {}", name(number));
            format!("mix {}", shares.iter().enumerate().map(share).collect::<Vec<_>>().join(" : "))
        }
        OperationOrder::Flow(flow) => {
            let steps = flow.iter().map(|number| name(*number));
            format!("flow {}", steps.collect::<Vec<_>>().join(" → "))
        }
    }
}

fn load(load: &LoadSummary) -> String {
    let connections = plural(load.connections, "connection");
    let mut words = match &load.model {
        ModelSummary::Closed { amount, think } => closed(&connections, *amount, *think),
        ModelSummary::Steps { connections, requests } => {
            let steps: Vec<_> = connections.iter().map(u32::to_string).collect();
            let requests = plural(*requests, "request");
            format!("closed, {} connections, {requests} each", steps.join(" → "))
        }
        ModelSummary::Open { shape, per_s, lasts } => {
            let (rate, lasts) = (units::count(*per_s), units::duration(*lasts));
            let shape = arrival_shape(*shape);
            format!("open, {shape}, {rate} requests/s over {lasts}, at most {connections}")
        }
        ModelSummary::Capacity { start_per_s, ceiling_per_s, trial } => format!(
            "open, capacity from {} to {} requests/s in steps of {}, at most {connections}",
            units::count(*start_per_s),
            units::count(*ceiling_per_s),
            units::duration(*trial),
        ),
    };
    if let Some(streams) = load.streams {
        words = format!("{words}, HTTP/2 with {} each", plural(streams, "stream"));
    }
    match load.reuse {
        ReusePolicy::Slice => {}
        ReusePolicy::Kept => words += ", kept",
        ReusePolicy::Request => words += ", a connection for each request",
    }
    words
}

fn closed(connections: &str, amount: Option<LoadAmount>, think: Duration) -> String {
    let mut words = format!("closed, {connections}");
    match amount {
        None | Some(LoadAmount::Time) => {}
        Some(LoadAmount::For(time)) => words = format!("{words}, {}", units::duration(time)),
        Some(LoadAmount::Requests(requests)) => {
            words = format!("{words}, {}", plural(requests, "request"));
        }
    }
    if !think.is_zero() {
        words = format!("{words}, thinking {}", units::duration(think));
    }
    words
}

fn arrival_shape(shape: ArrivalShape) -> &'static str {
    match shape {
        ArrivalShape::Constant => "constant",
        ArrivalShape::Poisson => "poisson",
        ArrivalShape::Ramp => "ramp",
        ArrivalShape::Stages => "stages",
        ArrivalShape::Spikes => "spikes",
    }
}

/// What the two values beside a change are, and why it need not be their quotient.
pub(super) const TYPICAL: &str = "Base and head are typical launches: medians over launches, and of percentiles all \
    requests together. The change is estimated within launch pairs, so it need not be their quotient.";

/// The change, in the metric's own direction.
pub(super) fn change(row: &MetricResult) -> String {
    // Of calls, the number says more than the share, which from none is infinite.
    if row.metric.is_of_calls()
        && let (Some(_), Some(base), Some(head)) = (row.change(), row.base, row.head)
    {
        return call_difference(head - base);
    }
    row.change().map_or_else(String::new, |change| units::change(change.estimate_ln))
}

/// A number of calls: whole where it is, as counts mostly are.
pub(super) fn call_number(calls: f64) -> String {
    Metric::Queries.format(calls, &WorkUnit::request())
}

/// A difference of two numbers of calls, with its sign.
pub(super) fn call_difference(calls: f64) -> String {
    let sign = if calls < 0.0 { "−" } else { "+" };
    format!("{sign}{}", call_number(calls.abs()))
}

/// The interval of the change, in the metric's own direction.
pub(super) fn interval(row: &MetricResult) -> String {
    let is_exact = |change: &ChangeEstimate| change.low_ln.total_cmp(&change.high_ln).is_eq();
    if row.metric.is_of_calls() && row.change().is_some_and(|change| is_exact(&change)) {
        return "exact".to_owned();
    }
    row.change().map_or_else(String::new, |change| units::interval(change.low_ln, change.high_ln))
}

/// A value of the row, or a dash.
pub(super) fn value(row: &MetricResult, value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| row.format(value))
}

/// Returns the verdict, with what a reader needs to believe it.
pub fn verdict(row: &MetricResult) -> String {
    if let Some(suspicion) = row.suspicion {
        return format!("suspected: {suspicion}");
    }
    match &row.finding {
        MetricFinding::Alone => String::new(),
        MetricFinding::Missing(reason) if row.rule.policy == MetricPolicy::Gate => {
            format!("missing: {reason}")
        }
        MetricFinding::Missing(reason) => format!("not shown: {reason}"),
        MetricFinding::Reported(_) => "reported only".to_owned(),
        MetricFinding::Judged(judgement) if is_outvoted(row, judgement) => {
            format!("can't tell: {}", outvoted(judgement))
        }
        // What is counted is worse from its floor on, also within the tolerance.
        MetricFinding::Judged(Judgement { verdict: Verdict::Regressed, .. })
            if row.metric.is_counted() =>
        {
            format!("regressed (floor {})", floor(row.rule.floor))
        }
        MetricFinding::Judged(judgement) => found(row, judgement),
        MetricFinding::Recalled(recalled) => remembered(row, recalled),
        MetricFinding::Undecidable(reason) => format!("can't tell: {reason}"),
    }
}

/// A verdict by runs of other days, with how many they are.
fn remembered(row: &MetricResult, recalled: &HistoryJudgement) -> String {
    let HistoryJudgement { judgement, claim } = recalled;
    let p = units::probability(judgement.p_slower);
    let evidence = format!("{p}, {} runs", judgement.sample);
    match (claim, judgement.verdict) {
        (HistoryClaim::NotFound, _) => {
            format!("none found ({})", DecisionNeed::of(judgement).words(SampleUnit::Run))
        }
        (HistoryClaim::Suspected, _) => format!("suspected, not confirmed ({evidence})"),
        (HistoryClaim::Shown, Verdict::Regressed) => format!("regressed ({evidence})"),
        (HistoryClaim::Shown, Verdict::Improved | Verdict::Unchanged | Verdict::Inconclusive) => {
            found(row, judgement)
        }
    }
}

/// The judgement of a row of which no regression was found.
fn not_found(row: &MetricResult) -> Option<&Judgement> {
    match &row.finding {
        MetricFinding::Recalled(HistoryJudgement { claim: HistoryClaim::NotFound, judgement }) => {
            Some(judgement)
        }
        MetricFinding::Recalled(_)
        | MetricFinding::Alone
        | MetricFinding::Judged(_)
        | MetricFinding::Reported(_)
        | MetricFinding::Undecidable(_)
        | MetricFinding::Missing(_) => None,
    }
}

/// How many rows that decide by stored runs show nothing, which does not show that nothing is there.
pub(super) fn without_finding(comparison: &Comparison) -> usize {
    comparison.rows.iter().filter(|row| not_found(row).is_some()).count()
}

fn percent(ln: f64) -> String {
    format!("{:.1} %", Ratio::from_ln(ln).0 * 100.0)
}

/// The largest change that counts as none: a share, or an amount where the share is below that.
pub(super) fn tolerance(row: &MetricResult) -> String {
    let rule = row.rule;
    match rule.minimum {
        Some(minimum) if rule.floor.0 >= rule.tolerance.0 => {
            row.metric.format_minimum(minimum, &row.unit)
        }
        Some(_) | None => rule.tolerance.to_string(),
    }
}

/// The smallest change for the worse that counts, with a decimal: one by a smallest amount is any share.
pub(super) fn floor(floor: Ratio) -> Ratio {
    Ratio((floor.0 * 1e3).round() / 1e3)
}

/// Returns a verdict on pairs of any origin with what a reader needs to believe it.
pub fn judged(judgement: &Judgement, hypothesis: Hypothesis) -> String {
    let tolerance = Ratio(hypothesis.tolerance);
    said(judgement, hypothesis, (&tolerance, SampleUnit::Pair))
}

/// Whether every increase of a metric counts, as of calls, which are counted exactly.
pub(super) fn counts_any_increase(row: &MetricResult) -> bool {
    /// What stands for no tolerance at all.
    const NONE: f64 = 1e-4;
    row.rule.minimum.is_none() && row.rule.floor.0 <= 0.0 && row.rule.tolerance.0 <= NONE
}

/// The verdict of a row that is judged.
fn found(row: &MetricResult, judgement: &Judgement) -> String {
    match judgement.verdict {
        Verdict::Regressed if counts_any_increase(row) => {
            return "regressed (any increase)".to_owned();
        }
        Verdict::Unchanged if counts_any_increase(row) => return "unchanged".to_owned(),
        _ => {}
    }
    let hypothesis = Hypothesis { floor: row.rule.floor.0, tolerance: row.rule.tolerance.0 };
    said(judgement, hypothesis, (&tolerance(row), SampleUnit::of(row)))
}

fn said(
    judgement: &Judgement,
    hypothesis: Hypothesis,
    (tolerance, unit): (&dyn Display, SampleUnit),
) -> String {
    match judgement.verdict {
        // Red within the tolerance: the floor is what it is held to.
        Verdict::Regressed
            if hypothesis.floor < hypothesis.tolerance
                && judgement.estimate_ln <= hypothesis.tolerance.ln_1p() =>
        {
            format!("regressed (floor {})", floor(Ratio(hypothesis.floor)))
        }
        Verdict::Regressed => format!("regressed (tolerance {tolerance})"),
        Verdict::Improved => "improved".to_owned(),
        Verdict::Unchanged => format!("unchanged (±{tolerance})"),
        Verdict::Inconclusive => {
            format!("can't tell: {}", DecisionNeed::of(judgement).words(unit))
        }
    }
}

/// Returns what a row says in a sentence: both values, the change, what follows.
pub fn sentence(row: &MetricResult) -> String {
    let (base, head) = (value(row, row.base), value(row, row.head));
    format!("{base} → {head}: {} {}, {}", change(row), interval(row), verdict(row))
}

/// Whether a row is beyond its floor by itself, and not as one of all that share the error rate.
pub(super) fn is_outvoted(row: &MetricResult, judgement: &Judgement) -> bool {
    let floor = row.rule.floor.ln();
    let is_beyond = judgement.low_ln > floor || judgement.high_ln < -floor;
    judgement.verdict == Verdict::Inconclusive && is_beyond
}

fn outvoted(judgement: &Judgement) -> String {
    let (direction, p) = if judgement.low_ln > 0.0 {
        ("worse", judgement.p_slower)
    } else {
        ("better", judgement.p_faster)
    };
    let p = units::probability(p);
    format!("{direction} by itself, not sure among all comparisons ({p})")
}

/// What a judgement rests on so many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleUnit {
    LaunchPair,
    /// A launch of either side.
    Launch,
    Run,
    /// A pair of any origin.
    Pair,
}

impl SampleUnit {
    pub(super) fn of(row: &MetricResult) -> Self {
        match &row.finding {
            MetricFinding::Recalled(_) => Self::Run,
            _ if row.metric.is_counted() => Self::Launch,
            MetricFinding::Alone
            | MetricFinding::Judged(_)
            | MetricFinding::Reported(_)
            | MetricFinding::Undecidable(_)
            | MetricFinding::Missing(_) => Self::LaunchPair,
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::LaunchPair => "launch pairs",
            Self::Launch => "launches",
            Self::Run => "runs",
            Self::Pair => "pairs",
        }
    }
}

/// What an undecided judgement lacks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum DecisionNeed {
    /// Any look at it.
    FirstLook,
    /// As many as an interval takes.
    Interval,
    /// More evidence for a change that is as large as one that is mostly seen.
    Evidence,
    /// A change of this size, ln(head / base).
    Change(f64),
}

impl DecisionNeed {
    pub(super) fn of(judgement: &Judgement) -> Self {
        let &Judgement { sample, estimate_ln, low_ln, high_ln, mde_ln, .. } = judgement;
        let has_interval = low_ln.is_finite() || high_ln.is_finite();
        match sample {
            0 => Self::FirstLook,
            _ if !has_interval || !mde_ln.is_finite() => Self::Interval,
            _ if estimate_ln.abs() >= mde_ln => Self::Evidence,
            _ => Self::Change(mde_ln),
        }
    }

    pub(super) fn words(self, unit: SampleUnit) -> String {
        let many = unit.plural();
        match self {
            Self::FirstLook => "not looked at yet".to_owned(),
            Self::Interval => format!("too few {many}"),
            Self::Evidence => format!("needs more {many}"),
            Self::Change(ln) => format!("needs ≥ {}", percent(ln)),
        }
    }
}

/// What a row would need to be decided.
pub(super) fn needs(row: &MetricResult, judgement: &Judgement) -> String {
    DecisionNeed::of(judgement).words(SampleUnit::of(row))
}

/// The changes that a comparison could have shown, if it decided anything.
pub(super) fn visible(comparison: &Comparison) -> Option<String> {
    let judgement = |row: &'_ MetricResult| -> Option<Judgement> {
        row.verdict().and(row.judgement()).or_else(|| not_found(row)).copied()
    };
    let list = |from: fn(&Judgement) -> f64, sign: &str| {
        let of = |row: &MetricResult| {
            let from = from(&judgement(row)?);
            let name = format!("{} {}", quoted(&row.scenario), row.label());
            from.is_finite().then_some((name, from))
        };
        changes(comparison.rows.iter().filter_map(of).collect(), sign)
    };
    let detectable = list(|it| it.mde_ln, "");
    let sentences = [
        (visible_in(comparison), detectable),
        ("Would have been seen here".to_owned(), list(seen_ln, "+")),
    ];
    let said = sentences.into_iter().filter(|(_, changes)| !changes.is_empty());
    let said: Vec<String> = said.map(|(what, changes)| format!("{what}: {changes}")).collect();
    (!said.is_empty()).then(|| said.join(". "))
}

/// The change that would have been seen here; without an interval nothing has been, however large.
fn seen_ln(judgement: &Judgement) -> f64 {
    let has_limit = judgement.low_ln.is_finite() || judgement.high_ln.is_finite();
    if has_limit { judgement.visible_ln } else { f64::INFINITY }
}

/// Names and changes as a list; of many the smallest and the largest.
fn changes(mut rows: Vec<(String, f64)>, sign: &str) -> String {
    const LISTED_MAX: usize = 12;
    let said = |(name, ln): &(String, f64)| format!("{name} {sign}{}", percent(*ln));
    if rows.len() <= LISTED_MAX {
        return rows.iter().map(said).collect::<Vec<_>>().join(", ");
    }
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    format!("{} to {} of {}", said(first), said(last), plural(rows.len(), "metric"))
}

/// In how much such changes are visible: in all launch pairs that there may be, which a run that ended undecided has
/// not made.
fn visible_in(comparison: &Comparison) -> String {
    let method = &comparison.method;
    let is_short =
        method.mode == ComparisonMode::Paired && method.launches < method.launches_planned;
    if is_short && comparison.count(Verdict::Inconclusive) > 0 {
        let all = plural(method.launches_planned, "launch pair");
        return format!("Visible four times in five in {all}, from");
    }
    "Visible four times in five, from".to_owned()
}

/// The attempts whose evidence the verdicts rest on, and what of it is lost.
pub(super) fn attempts(comparison: &Comparison) -> Option<String> {
    let it = comparison.attempts.as_ref()?;
    let launch_pairs = plural(it.launch_pairs, "launch pair");
    let mut line = format!(
        "{} attempt, {launch_pairs} in all, on {}",
        units::text::ordinal(it.number),
        plural(it.machines, "machine")
    );
    if let Some(strongest) = &it.strongest {
        let direction = if strongest.verdict == Verdict::Improved { "faster" } else { "slower" };
        line = format!("{line}; evidence for *{direction}* {} : 1", odds(strongest.odds));
    }
    if let Some(gap) = &it.gap {
        let share = format!("1/{:.0}", 1.0 / it.error_share);
        line = format!("{line}. {}: evidence begins anew, at {share} of the error rate", lost(gap));
    } else if it.since > 1 {
        line = format!("{line}. Evidence begins with attempt {}", it.since);
    }
    Some(line)
}

fn odds(odds: f64) -> String {
    const ODDS_MAX: f64 = 1e6;
    if odds > ODDS_MAX {
        "more than a million".to_owned()
    } else {
        // Two digits: the evidence moves by more than that with each launch pair.
        let scale = 10_f64.powf((odds.log10().floor() - 1.0).max(0.0));
        format!("{:.0}", (odds / scale).round() * scale)
    }
}

/// What became of the evidence before.
fn lost(gap: &EvidenceGap) -> String {
    match gap {
        EvidenceGap::Missing => "The record of the attempts before is missing".to_owned(),
        EvidenceGap::Attempts { recorded, made } => {
            format!("The record has {recorded} of {made} attempts")
        }
        EvidenceGap::Malformed { line } => format!("Line {line} of the record is damaged"),
        EvidenceGap::Altered { line } => {
            format!("Line {line} of the record does not follow those before it")
        }
        EvidenceGap::Repeated { number } => {
            format!("Attempt {number} does not follow the one before it in the record")
        }
        EvidenceGap::OtherKey => "The record is of another comparison".to_owned(),
        EvidenceGap::Unfinished { number } => {
            format!("Launch pairs of attempt {number}, which did not end, may be missing")
        }
        EvidenceGap::Future { started: _ } => {
            "An attempt in the record began later than this one".to_owned()
        }
    }
}

/// Where a comparison was measured and by what, each name made harmless by `safe`.
pub(super) fn provenance(comparison: &Comparison, safe: fn(&str) -> String) -> String {
    let (method, machine) = (&comparison.method, &comparison.machine);
    format!(
        "{}, {} cores, {}, {}, {} · coins {} · xmlperf {}",
        safe(&machine.cpu),
        machine.cores,
        units::bytes(units::exact(machine.memory_bytes)),
        safe(&machine.kernel),
        safe(&machine.image),
        method.seed,
        safe(&method.tool),
    )
}

/// Which coins were drawn.
pub(super) fn seed(comparison: &Comparison) -> String {
    format!("all of them follow from the seed {}", comparison.method.seed)
}

/// Files that both sides share which are named, at most.
const SHARED_MAX: usize = 4;

/// Where code lay, as far as that could differ between the sides, each name made harmless by `safe`.
/// What was not redrawn stands first: it belongs to a build's files for as long as they are cached.
pub(super) fn placement(comparison: &Comparison, safe: fn(&str) -> String) -> Option<String> {
    let placement = comparison.placement.as_ref()?;
    let named = |state: MappingState| {
        let files = placement.mappings.iter().filter(|(_, it)| **it == state);
        let mut names: Vec<_> = files.map(|(name, _)| safe(name)).collect();
        // An interpreter maps dozens of libraries, which are the same on both sides.
        let more =
            if state == MappingState::Shared { names.len().saturating_sub(SHARED_MAX) } else { 0 };
        names.truncate(names.len() - more);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!names.is_empty()).then(|| names.join(", ") + &more)
    };
    let parts = [
        named(MappingState::NotRedrawn).map(|files| format!("not redrawn: {files}")),
        named(MappingState::OneSide).map(|files| format!("not redrawn, of one side: {files}")),
        named(MappingState::Redrawn).map(|files| format!("redrawn at each launch: {files}")),
        named(MappingState::Shared).map(|files| format!("shared: {files}")),
    ];
    let pages = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let layout = layout(placement);
    let pages = (!pages.is_empty()).then(|| format!("Pages of code {pages}"));
    let layout = layout.map(|layout| format!("layout of functions: {layout}"));
    let said: Vec<_> = pages.into_iter().chain(layout).collect();
    (!said.is_empty()).then(|| said.join(" · "))
}

/// Where functions lay on both sides, and why they were left there if they were not to be.
fn layout(placement: &PlacementRecord) -> Option<String> {
    let functions = placement.functions.map(|functions| {
        let percent = (functions.share() * 100.0).floor();
        format!(", {percent} % of functions in place")
    });
    let words = match placement.layout? {
        LayoutState::Shared => "one file",
        LayoutState::Same => "same layout",
        LayoutState::Matched => "matched",
        LayoutState::Drawn => "drawn for each launch pair",
        LayoutState::DrawnIndependently => "drawn for each launch, of both sides independently",
        LayoutState::NotRedrawn => {
            let obstacle = placement.layout_obstacle.map(|it| format!(" ({it})"));
            return Some(format!("not redrawn{}", obstacle.unwrap_or_default()));
        }
    };
    Some(format!("{words}{}", functions.unwrap_or_default()))
}

/// The measured value of a limit beside it.
pub(super) fn limit_words(check: &LimitCheck) -> String {
    let measured = check.measured_text().unwrap_or_else(|| "not measured".to_owned());
    format!("{} {measured} ({})", check.label(), check.bound())
}

/// Returns a revision as people name it: a branch with the beginning of its commit.
pub fn revision(revision: &Revision) -> String {
    let commit = revision.commit.as_ref().map(|commit| commit.chars().take(7).collect::<String>());
    let changes = if revision.dirty { " with changes" } else { "" };
    match commit {
        Some(commit) if commit != revision.label => {
            format!("{} ({commit}{changes})", revision.label)
        }
        Some(commit) => format!("{commit}{changes}"),
        None => format!("{}{changes}", revision.label),
    }
}

/// What was measured, in a line.
pub(super) fn method(comparison: &Comparison) -> String {
    let method = &comparison.method;
    if comparison.identical.is_some() {
        return "nothing measured".to_owned();
    }
    let time = units::time_ns(units::exact(method.wall_ns));
    let counted = method.counted.as_ref().map(|CountedLaunches { least, most, counter }| {
        let a_side = if method.mode == ComparisonMode::Paired { " a side" } else { "" };
        format!("{}{a_side} counted by {counter}", from_to(*least, *most, "launch"))
    });
    let timed = (method.launches_planned > 0).then(|| timed(method, comparison.baseline.as_ref()));
    let done = timed.into_iter().chain(counted).chain([time]).collect::<Vec<_>>().join(", ");
    // Without comparisons nothing can be called slower.
    if method.mode == ComparisonMode::Alone || method.family == 0 {
        return done;
    }
    let comparisons = plural(method.family, "comparison");
    let alarm = match method.mode {
        ComparisonMode::Stored if method.confirming.is_none() && method.launches_planned > 0 => {
            let alarm = Ratio(SECOND_JOB_ALARMS * method.alpha);
            format!("≤ {alarm} over {comparisons}, if days differ by up to 3 %")
        }
        ComparisonMode::Alone | ComparisonMode::Paired | ComparisonMode::Stored => {
            format!("≤ {} over {comparisons}", Ratio(method.alpha))
        }
    };
    format!("{done} · chance of a false alarm {alarm}")
}

fn timed(method: &ComparisonMethod, baseline: Option<&BaselineOrigin>) -> String {
    let launches = plural(method.launches, "launch");
    match (method.mode, baseline) {
        (ComparisonMode::Paired, _) => {
            let launch_pairs = from_to(method.launches_least, method.launches, "launch pair");
            let planned = method.launches_planned;
            format!("{launch_pairs} of at most {planned} interleaved on one machine")
        }
        (ComparisonMode::Stored, Some(baseline)) => {
            let runs = plural(baseline.runs, "stored run");
            let confirming = method.confirming.map_or_else(String::new, |launch_pairs| {
                format!(", suspicion measured in {}", plural(launch_pairs, "launch pair"))
            });
            format!("{launches} against {runs}{confirming}")
        }
        (ComparisonMode::Alone | ComparisonMode::Stored, _) => format!("{launches} on one machine"),
    }
}

/// A number of things, or the range that it lies in: "3 to 5 launches".
fn from_to(least: usize, most: usize, thing: &str) -> String {
    let most_of_them = plural(most, thing);
    if least < most { format!("{least} to {most_of_them}") } else { most_of_them }
}

/// Which stored run stands for the base, each name made harmless by `safe`.
pub(super) fn baseline(comparison: &Comparison, safe: fn(&str) -> String) -> Option<String> {
    let baseline = comparison.baseline.as_ref()?;
    let base = comparison.base.as_ref()?;
    let age = baseline.age_s.map_or_else(String::new, |age_s| format!(", {}", ago(age_s)));
    let (machine, head) = (&baseline.machine, &comparison.machine);
    let place = if machine.is_like(head) {
        "the same kind of machine".to_owned()
    } else {
        format!("another kind of machine: {}, {} cores", safe(&machine.cpu), machine.cores)
    };
    Some(format!(
        "Baseline {} in {}: run {} of {}{age}, on {place}; {} up to it",
        safe(&revision(base)),
        safe(&baseline.store),
        safe(&baseline.digest),
        safe(&baseline.started),
        plural(baseline.runs, "run"),
    ))
}

/// A time before head, in the largest unit that fits.
fn ago(age_s: i64) -> String {
    const UNITS: [(i64, &str); 4] =
        [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let unit = UNITS.iter().find(|(seconds, _)| age_s.abs() >= *seconds).unwrap_or(&UNITS[3]);
    let count = usize::try_from(age_s.abs() / unit.0).unwrap_or(0);
    let when = if age_s < 0 { "after" } else { "before" };
    format!("{} {when} head", plural(count, unit.1))
}
