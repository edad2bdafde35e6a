//! Renders a comparison as JSON for other programs. The schema number rises when a field changes its
//! meaning or goes.

use schemars::JsonSchema;
use serde::Serialize;

use crate::wording;
use compare::anatomy::{RequestAnatomy, RequestTime};
use compare::attempts::AttemptSummary;
use compare::calls::{CallRates, ServiceCalls, StatementChange};
use compare::cost::{ChangePrice, MonthlyAmount};
use compare::decision::history::{HistoryClaim, HistoryJudgement};
use compare::details::{CapacityEstimate, NetworkDetails, ProbeTotals, ScenarioDetails};
use compare::function_changes::{FunctionChange, FunctionUsage};
use compare::proof::RevertFinding;
use compare::{
    BaselineOrigin, Comparison, ComparisonMode, ComparisonNote, ComparisonOutcome,
    InstructionBreakdown, LimitCheck, MetricFinding, MetricResult, Suspicion,
};
use record::causes::{HunkPlace, WorkCauses};
use record::stage::StageTimes;
use record::workload::Workload;
use record::{CallObstacle, CallProtocol, GeneratorQuality, LimitsRecord, OperationName};

const SCHEMA: u32 = 1;

/// A comparison with its verdicts. Shares are ratios, times nanoseconds, sizes bytes; what is unbounded or
/// unknown is null.
#[derive(Serialize, JsonSchema)]
struct JsonReport<'a> {
    /// Rises when a field changes its meaning or goes; fields may be added without that.
    schema: u32,
    /// Version of the program that judged.
    tool: &'a str,
    /// `pass`, `improved`, `inconclusive`, `regressed` or `error`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    base: Option<&'a record::Revision>,
    head: &'a record::Revision,
    /// The history that stood for the base, if it was not measured beside head.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<BaselineRow<'a>>,
    method: MethodRow<'a>,
    /// The attempts whose evidence the verdicts rest on, if a record of them is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<AttemptsRow<'a>>,
    /// What a reader has to know beside the verdicts, and what is not held against the change.
    notes: Vec<NoteRow<'a>>,
    metrics: Vec<MetricRow<'a>>,
    limits: Vec<LimitRow<'a>>,
    scenarios: Vec<ScenarioRow<'a>>,
    /// What the time of a request went into, where base and head were watched side by side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    anatomy: Vec<AnatomyRow<'a>>,
    /// What was called of services, for each request of the scenario.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<CallsRow<'a>>,
    /// Which functions the instructions are in, where they were counted.
    work: Vec<WorkBreakdown<'a>>,
    /// What the change costs in a month, where `[cost]` is configured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cost: Vec<PriceRow<'a>>,
    /// The requests that head failed and base did not, which ended the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a record::FailureContrast>,
    /// What both sides are, if they are one program, of which nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    identical: Option<&'a record::IdenticalProgram>,
    /// Where the code of both sides lay.
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<&'a record::PlacementRecord>,
    machine: &'a record::Machine,
}

/// Times of a request in nanoseconds, by part.
#[derive(Serialize, JsonSchema)]
struct AnatomyRow<'a> {
    scenario: &'a str,
    base: RequestTime,
    head: RequestTime,
    /// Centres (Hodges-Lehmann) of the differences within launch pairs. Where only one of user and system time is seen
    /// to change, it has all of the difference of both.
    change: RequestTime,
    /// The part that the change is in, if a metric of time changed, the parts that are seen to change do so in the same
    /// direction together, and one is most of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_part: Option<&'static str>,
}

/// How much more head takes in a month than base, if every request is one of this scenario.
#[derive(Serialize, JsonSchema)]
struct PriceRow<'a> {
    scenario: &'a str,
    requests_per_month: f64,
    usd_per_vcpu_hour: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    watts_per_vcpu: Option<f64>,
    cpu_hours: AmountRow,
    usd: AmountRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    kwh: Option<AmountRow>,
}

#[derive(Serialize, JsonSchema)]
struct AmountRow {
    estimate: f64,
    low: f64,
    high: f64,
}

#[derive(Serialize, JsonSchema)]
struct CallsRow<'a> {
    scenario: &'a str,
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    /// Why calls are not counted, if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<CallObstacle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<CallRates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<CallRates>,
    statements: Vec<StatementRow<'a>>,
}

/// A statement without values, and how often it is executed for each request.
#[derive(Serialize, JsonSchema)]
struct StatementRow<'a> {
    statement: &'a str,
    base: f64,
    head: f64,
    change: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct BaselineRow<'a> {
    name: &'a str,
    store: &'a str,
    digest: &'a str,
    started: &'a str,
    age_s: Option<i64>,
    runs: usize,
    machine: &'a record::Machine,
}

/// A note: its data, and the sentence that other reports show.
#[derive(Serialize, JsonSchema)]
struct NoteRow<'a> {
    #[serde(flatten)]
    note: &'a ComparisonNote,
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct MethodRow<'a> {
    /// `paired`: base and head side by side; `stored`: head beside stored runs; `single`: head alone.
    mode: &'static str,
    /// Launch pairs in which a suspicion was measured side by side.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirming: Option<usize>,
    /// Launches, or launch pairs, that were measured; verdicts on a settled scenario rest on those that it had.
    launches: usize,
    /// Those of the scenario that was settled after the fewest, if any was.
    #[serde(skip_serializing_if = "Option::is_none")]
    launches_least: Option<usize>,
    /// How many there could have been.
    launches_planned: usize,
    /// Chance of a false alarm among all comparisons.
    alpha: f64,
    /// Comparisons that share it.
    comparisons: usize,
    wall_ns: u64,
    #[serde(skip_serializing_if = "StageTimes::is_empty")]
    stages_ns: &'a StageTimes,
    /// The seed of the coins and of the payloads' order.
    coins: u64,
    scenarios: &'a [String],
}

#[derive(Serialize, JsonSchema)]
struct AttemptsRow<'a> {
    number: u32,
    since: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<&'a record::evidence::EvidenceGap>,
    /// The share of the error rate that the evidence may use.
    error_share: f64,
    launch_pairs: usize,
    machines: usize,
    /// What the strongest evidence is for, and how strong it is: 1 / p.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence_for: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct MetricRow<'a> {
    scenario: &'a str,
    /// Of one operation among several; left out of a row that is of the whole scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    /// `cpu`, `latency`, `p95` and so on, as in the configuration.
    metric: &'static str,
    /// `gate` of one that decides, `report` of one that is shown only.
    policy: &'static str,
    /// The largest change that counts as none, as a share.
    tolerance: f64,
    /// The smallest change for the worse that counts, as a share.
    floor: f64,
    /// A typical launch of base: nanoseconds, bytes, units of work per second, or a count.
    base: Option<f64>,
    /// A typical launch of head.
    head: Option<f64>,
    /// `regressed`, `improved`, `unchanged`, `inconclusive`; by stored runs also `suspected` and `not-found`;
    /// `reported`, `measured` and `missing` of what is not judged.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// Head over base minus 1, in the metric's own direction.
    change: Option<f64>,
    /// The lower limit of the change; null where it has none.
    low: Option<f64>,
    /// The upper limit of the change.
    high: Option<f64>,
    /// How surprising the evidence would be if head were not slower than the floor, among all comparisons.
    p_slower: Option<f64>,
    /// The same of faster.
    p_faster: Option<f64>,
    /// The same of a change beyond the tolerance.
    p_unchanged: Option<f64>,
    /// Smallest change that would have been seen in 80 of 100 runs.
    detectable: Option<f64>,
    /// Change that would have been seen on this machine in 95 of 100 runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_here: Option<f64>,
    /// Launch pairs that it rests on; of counts, launches a side; of a history, runs.
    sample: Option<usize>,
    /// What explains a regression as well as the program does.
    #[serde(skip_serializing_if = "Option::is_none")]
    suspicion: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
struct LimitRow<'a> {
    scenario: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    /// What it is on: a metric, `errors` or `growth`.
    limit: &'static str,
    /// The limit as it was written, such as `<= 5 ms`.
    promised: String,
    /// In the unit of the metric; null where nothing was measured.
    measured: Option<f64>,
    /// Whether it holds for head.
    holds: bool,
}

/// What there is to say of a scenario beside its metrics, of head over all launches.
#[derive(Serialize, JsonSchema)]
struct ScenarioRow<'a> {
    scenario: &'a str,
    /// The workload in a sentence, and its values.
    load: String,
    workload: &'a Workload,
    /// `service` counts from when a request was sent, `response` from when it was due.
    times: record::LatencyBasis,
    failures: Vec<FailureRow<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<LoadStepRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<CapacityRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generator: Option<GeneratorRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<TargetRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<NetworkRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confinement: Option<&'a LimitsRecord>,
}

#[derive(Serialize, JsonSchema)]
struct FailureRow<'a> {
    kind: String,
    count: u64,
    first: Option<&'a record::FailureExample>,
}

#[derive(Serialize, JsonSchema)]
struct LoadStepRow {
    level: record::LoadLevel,
    requests: u64,
    failed: u64,
    answered_per_s: f64,
    p50_ns: Option<f64>,
    p95_ns: Option<f64>,
    held: Option<usize>,
    tried: Option<usize>,
}

/// In requests per second; without an upper limit, the ceiling of the search was held.
#[derive(Serialize, JsonSchema)]
struct CapacityRow {
    median: Option<f64>,
    low: f64,
    high: Option<f64>,
    coverage: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct GeneratorRow {
    lag_p99_ns: u64,
    lag_max_ns: u64,
    late: u64,
    dropped: u64,
    in_flight: f64,
    in_flight_max: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    resent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rendering_ns: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct TargetRow {
    user_ns: f64,
    system_ns: f64,
    #[serde(flatten)]
    counters: record::ProcessCounters,
    threads: u64,
    files: u64,
    rss_begin: f64,
    rss_end: f64,
    watching_ns: f64,
    machine_steal_ns: f64,
    machine_throttled_ns: f64,
}

/// What the network between load and target costs by itself, and what it did.
#[derive(Serialize, JsonSchema)]
struct NetworkRow {
    adds_ns: f64,
    direct_ns: f64,
    cpu_per_exchange_ns: f64,
    cpu_per_mib_ns: f64,
    connections: u64,
    resets: u64,
    cpu_ns: f64,
}

#[derive(Serialize, JsonSchema)]
struct WorkBreakdown<'a> {
    scenario: &'a str,
    base: Option<f64>,
    head: f64,
    functions: Vec<FunctionRow<'a>>,
    /// Which lines and hunks the difference is in, where it was looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    causes: Option<&'a WorkCauses>,
    /// The hunks whose reverts prove at least half of the growth.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    proven: Vec<ProofRow<'a>>,
}

/// What went away when hunks were reverted, as shares.
#[derive(Serialize, JsonSchema)]
struct ProofRow<'a> {
    hunks: &'a [HunkPlace],
    /// Of the growth from base to head.
    share: f64,
    /// Of the work of base.
    removed: f64,
    /// The growth, of the work of base.
    growth: f64,
    /// The standard deviation of a launch, of the work of base.
    scatter: f64,
    launches: usize,
}

/// Instructions per XML pair, in the function itself and with all that it calls.
#[derive(Serialize, JsonSchema)]
struct FunctionRow<'a> {
    name: &'a str,
    file: &'a str,
    base: Option<f64>,
    head: Option<f64>,
    base_with_calls: Option<f64>,
    head_with_calls: Option<f64>,
}

/// Returns the comparison as JSON, with a final newline. Shares are ratios, times nanoseconds, sizes
/// bytes; what is unbounded or unknown is null.
pub fn render(comparison: &Comparison) -> String {
    let method = &comparison.method;
    let report = JsonReport {
        schema: SCHEMA,
        tool: &method.tool,
        outcome: outcome(&comparison.outcome),
        reason: match &comparison.outcome {
            ComparisonOutcome::NotMeasured(reason) => Some(reason.to_string()),
            ComparisonOutcome::Regressed
            | ComparisonOutcome::Inconclusive
            | ComparisonOutcome::Improved
            | ComparisonOutcome::Pass => None,
        },
        base: comparison.base.as_ref(),
        head: &comparison.head,
        baseline: comparison.baseline.as_ref().map(baseline),
        method: MethodRow {
            mode: match method.mode {
                ComparisonMode::Alone => "single",
                ComparisonMode::Paired => "paired",
                ComparisonMode::Stored => "stored",
            },
            confirming: method.confirming,
            launches: method.launches,
            launches_least: Some(method.launches_least).filter(|least| *least < method.launches),
            launches_planned: method.launches_planned,
            alpha: method.alpha,
            comparisons: method.family,
            wall_ns: method.wall_ns,
            stages_ns: &method.stages,
            coins: method.seed,
            scenarios: &method.scenarios,
        },
        attempts: comparison.attempts.as_ref().map(attempts),
        notes: comparison
            .notes
            .iter()
            .map(|note| NoteRow { note, text: note.to_string() })
            .collect(),
        metrics: comparison.rows.iter().map(metric).collect(),
        limits: comparison.limits.iter().map(limit).collect(),
        scenarios: comparison.details.iter().map(scenario).collect(),
        anatomy: comparison.anatomies.iter().map(anatomy).collect(),
        calls: comparison.calls.iter().map(calls).collect(),
        work: comparison.breakdowns.iter().map(work).collect(),
        cost: comparison.prices.iter().map(price).collect(),
        failure: comparison.failure.as_ref(),
        identical: comparison.identical.as_ref(),
        placement: comparison.placement.as_ref(),
        machine: &comparison.machine,
    };
    let mut text = serde_json::to_string_pretty(&report).expect("a report has only string keys");
    text.push('\n');
    text
}

/// Returns the JSON Schema of what [`render`] returns, as JSON with a final newline.
pub fn schema() -> String {
    record::schema::document::<JsonReport<'_>>(&format!("report.json of xmlperf, schema {SCHEMA}"))
}

/// Returns the word for an outcome, as the action's output `verdict` has it.
pub fn outcome(outcome: &ComparisonOutcome) -> &'static str {
    match outcome {
        ComparisonOutcome::NotMeasured(_) => "error",
        ComparisonOutcome::Regressed => "regressed",
        ComparisonOutcome::Inconclusive => "inconclusive",
        ComparisonOutcome::Improved => "improved",
        ComparisonOutcome::Pass => "pass",
    }
}

fn anatomy(anatomy: &RequestAnatomy) -> AnatomyRow<'_> {
    AnatomyRow {
        scenario: &anatomy.scenario,
        base: anatomy.base,
        head: anatomy.head,
        change: anatomy.change,
        changed_part: anatomy.changed.map(|changed| changed.part.key()),
    }
}

fn calls(calls: &ServiceCalls) -> CallsRow<'_> {
    CallsRow {
        scenario: &calls.scenario,
        service: &calls.service,
        protocol: calls.protocol.map(CallProtocol::key),
        obstacle: calls.obstacle,
        base: calls.base,
        head: calls.head,
        statements: calls.statements.iter().map(statement).collect(),
    }
}

fn statement(it: &StatementChange) -> StatementRow<'_> {
    let StatementChange { statement, base, head, fate } = it;
    StatementRow { statement, base: *base, head: *head, change: fate.key() }
}

fn price(price: &ChangePrice) -> PriceRow<'_> {
    PriceRow {
        scenario: &price.scenario,
        requests_per_month: price.rates.requests_per_month,
        usd_per_vcpu_hour: price.rates.usd_per_vcpu_hour,
        watts_per_vcpu: price.rates.watts_per_vcpu,
        cpu_hours: AmountRow::of(price.cpu_hours),
        usd: AmountRow::of(price.usd),
        kwh: price.kwh.map(AmountRow::of),
    }
}

impl AmountRow {
    fn of(amount: MonthlyAmount) -> Self {
        Self { estimate: amount.estimate, low: amount.low, high: amount.high }
    }
}

fn metric(row: &MetricResult) -> MetricRow<'_> {
    let ratio = |ln: f64| ln.is_finite().then(|| ln.exp_m1());
    let change = row.change();
    let judgement = row.judgement();
    MetricRow {
        scenario: &row.scenario,
        operation: row.operation.as_ref().map(OperationName::as_str),
        metric: row.metric.key(),
        policy: row.rule.policy.key(),
        tolerance: row.rule.tolerance.0,
        floor: row.rule.floor.0,
        base: row.base,
        head: row.head,
        verdict: verdict(row),
        reason: match &row.finding {
            MetricFinding::Missing(reason) | MetricFinding::Undecidable(reason) => Some(reason),
            MetricFinding::Alone
            | MetricFinding::Judged(_)
            | MetricFinding::Reported(_)
            | MetricFinding::Recalled(_) => None,
        },
        change: change.and_then(|change| ratio(change.estimate_ln)),
        low: change.and_then(|change| ratio(change.low_ln)),
        high: change.and_then(|change| ratio(change.high_ln)),
        p_slower: judgement.map(|judgement| judgement.p_slower),
        p_faster: judgement.map(|judgement| judgement.p_faster),
        p_unchanged: judgement.map(|judgement| judgement.p_unchanged),
        detectable: judgement.and_then(|judgement| ratio(judgement.mde_ln)),
        suspicion: row.suspicion.map(Suspicion::key),
        seen_here: judgement.and_then(|judgement| ratio(judgement.visible_ln)),
        sample: judgement.map(|judgement| judgement.sample),
    }
}

fn verdict(row: &MetricResult) -> &'static str {
    match (&row.finding, row.verdict()) {
        (MetricFinding::Recalled(HistoryJudgement { claim: HistoryClaim::NotFound, .. }), _) => {
            "not-found"
        }
        (MetricFinding::Recalled(HistoryJudgement { claim: HistoryClaim::Suspected, .. }), _) => {
            "suspected"
        }
        (_, Some(verdict)) => verdict.key(),
        (MetricFinding::Reported(_), None) => "reported",
        (MetricFinding::Missing(_), None) => "missing",
        (
            MetricFinding::Alone
            | MetricFinding::Judged(_)
            | MetricFinding::Recalled(_)
            | MetricFinding::Undecidable(_),
            None,
        ) => "measured",
    }
}

fn attempts(it: &AttemptSummary) -> AttemptsRow<'_> {
    AttemptsRow {
        number: it.number,
        since: it.since,
        gap: it.gap.as_ref(),
        error_share: it.error_share,
        launch_pairs: it.launch_pairs,
        machines: it.machines,
        evidence_for: it.strongest.as_ref().map(|strongest| strongest.verdict.key()),
        evidence: it.strongest.as_ref().map(|strongest| strongest.odds),
    }
}

fn baseline(it: &BaselineOrigin) -> BaselineRow<'_> {
    BaselineRow {
        name: &it.name,
        store: &it.store,
        digest: &it.digest,
        started: &it.started,
        age_s: it.age_s,
        runs: it.runs,
        machine: &it.machine,
    }
}

fn limit(check: &LimitCheck) -> LimitRow<'_> {
    LimitRow {
        scenario: &check.scenario,
        operation: check.operation.as_ref().map(OperationName::as_str),
        limit: check.limit.quantity.key(),
        promised: check.bound(),
        measured: check.measured,
        holds: check.holds(),
    }
}

fn scenario(details: &ScenarioDetails) -> ScenarioRow<'_> {
    let failures = details.failures.iter().map(|it| FailureRow {
        kind: it.kind.to_string(),
        count: it.count,
        first: it.first.as_ref(),
    });
    let steps = details.steps.iter().map(|it| LoadStepRow {
        level: it.level,
        requests: it.requests,
        failed: it.failed,
        answered_per_s: it.per_s,
        p50_ns: it.p50_ns,
        p95_ns: it.p95_ns,
        held: it.held.map(|(held, _)| held),
        tried: it.held.map(|(_, tried)| tried),
    });
    ScenarioRow {
        scenario: &details.scenario,
        load: wording::scenario_load(details),
        workload: &details.workload,
        times: details.times,
        failures: failures.collect(),
        steps: steps.collect(),
        capacity: details.capacity.as_ref().map(capacity),
        generator: details.generator.map(generator),
        target: details.probes.map(target),
        network: details.network.map(network),
        confinement: details.confinement.as_ref(),
    }
}

fn network(it: NetworkDetails) -> NetworkRow {
    NetworkRow {
        adds_ns: it.cost.added_ns,
        direct_ns: it.cost.direct_ns,
        cpu_per_exchange_ns: it.cost.cpu_per_exchange_ns,
        cpu_per_mib_ns: it.cost.cpu_per_mib_ns,
        connections: it.connections,
        resets: it.resets,
        cpu_ns: it.cpu_ns,
    }
}

fn capacity(capacity: &CapacityEstimate) -> CapacityRow {
    match *capacity {
        CapacityEstimate::Interval { median_per_s, low_per_s, high_per_s, coverage, .. } => {
            CapacityRow {
                median: Some(median_per_s),
                low: low_per_s,
                high: Some(high_per_s),
                coverage: Some(coverage.0),
            }
        }
        CapacityEstimate::AtLeast(low) => {
            CapacityRow { median: None, low, high: None, coverage: None }
        }
        CapacityEstimate::None => {
            CapacityRow { median: None, low: 0.0, high: Some(0.0), coverage: None }
        }
    }
}

fn generator(it: GeneratorQuality) -> GeneratorRow {
    GeneratorRow {
        lag_p99_ns: it.lag_p99_ns,
        lag_max_ns: it.lag_max_ns,
        late: it.late,
        dropped: it.dropped,
        in_flight: it.in_flight,
        in_flight_max: it.in_flight_max,
        resent: Some(it.resent).filter(|resent| *resent > 0),
        rendering_ns: Some(it.rendering_ns).filter(|rendering_ns| *rendering_ns > 0),
    }
}

fn target(it: ProbeTotals) -> TargetRow {
    TargetRow {
        user_ns: it.user_ns,
        system_ns: it.system_ns,
        counters: it.counters,
        threads: it.threads,
        files: it.files,
        rss_begin: it.rss_begin_bytes,
        rss_end: it.rss_end_bytes,
        watching_ns: it.cost_ns,
        machine_steal_ns: it.steal_ns,
        machine_throttled_ns: it.throttled_ns,
    }
}

fn work(breakdown: &InstructionBreakdown) -> WorkBreakdown<'_> {
    WorkBreakdown {
        scenario: &breakdown.scenario,
        base: breakdown.base,
        head: breakdown.head,
        functions: breakdown.functions.iter().map(function).collect(),
        causes: breakdown.causes.as_ref().map(|summary| &summary.causes),
        proven: breakdown.causes.iter().flat_map(|it| it.proven.iter().map(proof)).collect(),
    }
}

fn proof(finding: &RevertFinding) -> ProofRow<'_> {
    ProofRow {
        hunks: &finding.hunks,
        share: finding.share,
        removed: finding.removed,
        growth: finding.growth,
        scatter: finding.scatter,
        launches: finding.launches,
    }
}

fn function(change: &FunctionChange) -> FunctionRow<'_> {
    let own = |side: Option<FunctionUsage>| side.map(|took| took.own);
    let inclusive = |side: Option<FunctionUsage>| side.map(|took| took.inclusive);
    FunctionRow {
        name: &change.name,
        file: &change.file,
        base: own(change.base),
        head: own(change.head),
        base_with_calls: inclusive(change.base),
        head_with_calls: inclusive(change.head),
    }
}
