//! The file as it is written: every key, its type, its range, its default.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use load::{CookiePolicy, RequestMethod};
use payload::RequestRenderer;
use record::OperationName;
use record::cost::CostRates;
use record::metric::Metric;
use record::metric::gate::{GateRules, MetricPolicy, MetricRule, RuleOverride};
use record::work_unit::WorkUnit;
use sut::network::NetworkConditions;
use toml::Spanned;
use units::Ratio;

use crate::config::cost::CostTable;
use crate::config::fault::{ConfigFault, OperationFault, SpannedFault};
use crate::config::hooks::HooksTable;
use crate::config::load::LoadTable;
use crate::config::network::NetworkTable;
use crate::config::operation::{
    self, FlowList, MixTable, OperationDefaults, OperationSet, OperationTable, OrderedOperations,
    WrittenOrder,
};
use crate::config::own_gate::{OwnGateTable, OwnRules, minimum};
use crate::config::payload::{ExpectationUse, PayloadContext, PayloadTable, RequestTable};
use crate::config::presets;
use crate::config::service::{DependencyTable, ServiceTable};
use crate::config::target::{BesideTables, TargetTable};
use crate::config::values::{
    BodyCount, ErrorRate, HttpPath, KindWord, LAUNCHES_MAX, LaneWord, LaunchCount, Launches,
    LimitTable, MetricKey, PairCount, PolicyWord, Positive, PresetWord, Share, Time, UnitName,
    WarmUpWord,
};
use crate::{
    CountSettings, EvidenceLanes, HunkProofMode, LaneMode, LoadAmount, LoadSettings, LoadTime,
    Operation, SamplingPlan, Scenario, TargetSpec,
};

const BATCH_PATH: &str = "/xml-compare-api/api/compare/xml/batch";
const SINGLE_PATH: &str = "/xml-compare-api/api/compare/xml";

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConfigFile {
    /// The program that is measured: how it is built, started and reached, and what it may take.
    target: TargetTable,
    /// What is started beside the target, in this order, such as a database.
    service: Vec<ServiceTable>,
    /// What the target calls and what runs already, such as a database of the team.
    dependency: Vec<DependencyTable>,
    /// What is run around each launch of a side.
    hooks: HooksTable,
    /// What is sent, and what must come back: the defaults of all scenarios and operations.
    request: RequestTable,
    /// The documents in the requests.
    payload: PayloadTable,
    /// How much is measured. Where no scenario is written and none is named by a flag, [there is less of
    /// each](load.md#scenarios-that-ship) by default.
    sampling: SamplingTable,
    /// The network between load and target, for all scenarios.
    network: Option<Spanned<NetworkTable>>,
    /// How instructions are counted.
    work: WorkTable,
    /// What makes a change a regression.
    gate: GateTable,
    /// Where runs are kept.
    baseline: BaselineTable,
    /// What a month of requests costs, so that reports say what a change would. It decides nothing.
    cost: Option<CostTable>,
    /// One kind of request, for scenarios that send several.
    operation: Vec<Spanned<OperationTable>>,
    /// What is sent, how much of it, under which load. Without one, `smoke`, `concurrent` and `large` are
    /// measured.
    scenario: Vec<Spanned<ScenarioTable>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct SamplingTable {
    /// Launches of each scenario in `xmlperf run`. Default: `5`.
    launches: Option<LaunchCount>,
    /// Launch pairs after which a comparison ends, decided or not. Default: `50`.
    launch_pairs: Option<LaunchCount>,
    /// For configurations of old: ascending launch pairs from 5 on, of which the last stands for
    /// `launch-pairs`.
    looks: Option<Spanned<Vec<usize>>>,
    /// Time after which a comparison ends as soon as it has the launch pairs that a verdict needs. Default:
    /// none.
    soft_budget: Option<Time>,
    /// Load on each side of a launch before anything is measured. `"steady"`: until the CPU time of a request is
    /// flat. Default: `"500 ms"`; of a comparison without `load`, as long as 25 requests of a connection take, from
    /// `"25 ms"` to that, if head's program was compiled beforehand.
    warm_up: Option<WarmUpWord>,
    /// Measured load of each scenario on each side of a launch. Default: `"1 s"`; of a comparison, as long as a
    /// hundred requests take, from `"200 ms"` to `"5 s"`.
    load: Option<Time>,
    /// Shortest time for which one side is driven before the other one is; longer where a launch would have more than 2048 slices. Default: `"10 ms"`.
    slice: Option<Time>,
    /// Fewest requests in that time. Default: `10`.
    slice_requests: Option<Positive>,
    /// How late an open load may hand out requests by its own fault: if one in a hundred is later, the trial is
    /// invalid. Default: `"1 ms"`.
    lag_max: Option<Time>,
    /// Different requests that are prepared and sent in turn. Default: `16`.
    bodies: Option<BodyCount>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WorkTable {
    /// Whether instructions are counted: `"auto"` where valgrind can count this target, `"on"` as a duty, or
    /// `"off"`. Default: `"auto"`.
    lane: Option<LaneWord>,
    /// Variables of the target while it is counted, such as those that make it serve in one order. Default:
    /// `{}`.
    env: BTreeMap<String, String>,
    /// Launches of each side that are counted at most, each of which gives a value. Default: `5`.
    launches: Option<Launches>,
    /// Document pairs in a launch that is counted. Default: `2000`.
    pairs: Option<PairCount>,
    /// Whether the hunks that explain more work are reverted, to count again. Default: `true`.
    prove: Option<bool>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GateTable {
    /// Chance that a comparison of equal builds calls anything slower, over all metrics, scenarios and
    /// attempts. Default: `0.01`.
    alpha: Option<ErrorRate>,
    /// Smallest change that is called a regression, for all metrics or by metric. Default: by metric, see
    /// [metrics](metrics.md).
    floor: Option<FloorWord>,
    /// By metric: a change that is shown to lie within it is *unchanged*. Default: by metric, see
    /// [metrics](metrics.md).
    tolerance: BTreeMap<MetricKey, Share>,
    /// By metric, in its unit: a smaller change is none, whatever share it is. Default: by metric, see
    /// [metrics](metrics.md).
    minimum: BTreeMap<MetricKey, Spanned<String>>,
    /// By metric: `"gate"` decides, `"report"` is shown, `"off"` is left out. Default: by metric, see
    /// [metrics](metrics.md).
    policy: BTreeMap<MetricKey, PolicyWord>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BaselineTable {
    /// A folder from that of this file, or the URL of a store. Default: `"baselines"`.
    store: Option<String>,
    /// The folder or URL where the evidence of all attempts at a comparison is kept. Default: none.
    attempts: Option<String>,
}

/// A share between 0 and 1, both excluded, or a table of shares by metric.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged, expecting = "expected a share such as 0.01, or a table such as { cpu = 0.02 }")]
enum FloorWord {
    All(Share),
    Some(BTreeMap<MetricKey, Share>),
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioTable {
    /// What reports call it, once in a file. The name of a scenario that ships brings its load and limits.
    pub(super) name: Spanned<String>,
    /// Document pairs in one request. Default: `100`.
    pairs: Option<PairCount>,
    /// How requests follow each other. Default: closed, over one connection, for the time of `[sampling] load`.
    #[serde(default)]
    load: Option<Spanned<LoadTable>>,
    /// Absolute promises, such as `{ p95 = "<= 300 s", errors = "0 %" }`: of a metric, of `errors` or of
    /// `growth`. Default: those of the scenario that ships under this name, else none.
    #[serde(default)]
    limits: LimitTable,
    /// What rates and costs are counted in, such as `"order"`. Default: `pair` where document pairs are
    /// compared, else `request`.
    unit: Option<UnitName>,
    /// The documents, instead of what `[payload]` says. Default: that of `[payload]`.
    preset: Option<PresetWord>,
    /// The kind of request. Default: that of `[request]`.
    kind: Option<Spanned<KindWord>>,
    /// Where it is sent. Default: that of `[request]`.
    path: Option<HttpPath>,
    /// Shares of operations among the requests, by name, such as `{ search = 70, create = 30 }`.
    mix: Option<Spanned<MixTable>>,
    /// Names of the operations that a virtual user does one after the other.
    flow: Option<Spanned<FlowList>>,
    /// Names of the operations that each virtual user does once in each launch, unmeasured, before its flow or
    /// mix.
    setup: Option<Spanned<FlowList>>,
    /// Whether each virtual user keeps the cookies that it is given. Default: `false`.
    cookies: Option<Spanned<bool>>,
    /// The network of this scenario; `{}` is none. Default: that of the file.
    network: Option<Spanned<NetworkTable>>,
    /// Rules of this scenario, before those of `[gate]`.
    #[serde(default)]
    gate: OwnGateTable,
}

impl ConfigFile {
    /// Returns what a month of requests costs, if that is written.
    pub(super) fn cost(&self) -> Option<CostRates> {
        self.cost.as_ref().map(CostTable::resolve)
    }

    /// Returns what all scenarios share; `plan` is how much is measured where nothing else is written.
    pub(super) fn common(
        &self,
        folder: &Path,
        plan: &SamplingPlan,
    ) -> Result<(TargetSpec, SamplingPlan, GateRules), SpannedFault> {
        let mut gate = self.gate.resolve()?;
        for table in &self.scenario {
            let (name, own) = (&table.get_ref().name, table.get_ref().gate.resolve()?);
            if !own.is_empty() {
                gate.scenarios.insert(name.get_ref().clone(), own);
            }
            for (operation, own) in self.operation_rules(table.get_ref())? {
                gate.scenarios.insert(operation.within(name.get_ref()), own);
            }
        }
        let beside = BesideTables {
            services: &self.service,
            dependencies: &self.dependency,
            hooks: &self.hooks,
        };
        Ok((self.target.resolve(&beside, folder)?, self.sampling.resolve(plan)?, gate))
    }

    /// Returns the rules that the operations of a scenario have of their own.
    fn operation_rules(
        &self,
        scenario: &ScenarioTable,
    ) -> Result<Vec<(OperationName, OwnRules)>, SpannedFault> {
        let in_mix = |name: &str| scenario.mix.iter().any(|mix| mix.get_ref().contains_key(name));
        let in_flow = |name: &str| {
            scenario.flow.iter().flat_map(Spanned::get_ref).any(|it| it.get_ref() == name)
        };
        let sent = self.operation.iter().map(Spanned::get_ref);
        let sent = sent.filter(|it| in_mix(it.name()) || in_flow(it.name()));
        let rules = sent.map(|operation| Ok((operation.operation_name(), operation.rules()?)));
        let rules: Vec<_> = rules.collect::<Result<_, SpannedFault>>()?;
        Ok(rules.into_iter().filter(|(_, own)| !own.is_empty()).collect())
    }

    /// Returns whether the file leaves it to the program what is measured.
    pub(super) fn has_no_scenario(&self) -> bool {
        self.scenario.is_empty()
    }

    /// Returns the names of the scenarios that are measured then.
    pub(super) fn default_names(&self) -> Vec<String> {
        let kind = self.request.kind().map(|(kind, _)| kind);
        let takes_invoices = matches!(
            kind,
            None | Some(payload::PayloadKind::XmlCompareBatch | payload::PayloadKind::XmlCompare)
        );
        let names = presets::DEFAULTS.into_iter().filter(|name| {
            // Of large documents there are only those of a preset, which not every target takes.
            let documents = presets::PRESETS.iter().find(|preset| preset.name == *name);
            let has_own = documents.is_some_and(|preset| preset.documents.is_some());
            !has_own || (takes_invoices && self.payload.is_default())
        });
        names.map(str::to_owned).collect()
    }

    /// Returns where baselines are kept.
    pub(super) fn store(self) -> Option<String> {
        self.baseline.store
    }

    /// Returns where the evidence of attempts is kept.
    pub(super) fn attempts(self) -> Option<String> {
        self.baseline.attempts
    }

    /// Returns which lanes are run. What no rule looks at is not counted.
    pub(super) fn counting(&self, gate: &GateRules) -> (EvidenceLanes, CountSettings) {
        let default = (EvidenceLanes::default(), CountSettings::default());
        let mut counted = Metric::ALL.into_iter().filter(|metric| metric.is_counted());
        let wanted = counted.any(|metric| gate.rule(metric).policy != MetricPolicy::Off);
        let work = match self.work.lane {
            Some(LaneWord(lane)) => lane,
            None if wanted => default.0.work,
            None => LaneMode::Off,
        };
        let counting = CountSettings {
            env: self.work.env.clone().into_iter().collect(),
            launches: self.work.launches.map_or(default.1.launches, |launches| launches.0),
            pairs: self.work.pairs.map_or(default.1.pairs, |pairs| pairs.0),
            proof: match self.work.prove {
                Some(false) => HunkProofMode::Off,
                Some(true) => HunkProofMode::On,
                None => default.1.proof,
            },
        };
        (EvidenceLanes { work, ..default.0 }, counting)
    }

    /// Returns the scenarios of the file, in its order.
    pub(super) fn scenarios(
        &self,
        folder: &Path,
        seed: Option<u64>,
    ) -> Result<Vec<Scenario>, SpannedFault> {
        self.check_operations(folder, seed)?;
        let mut scenarios: Vec<Scenario> = Vec::new();
        for table in &self.scenario {
            let scenario = self.scenario(table.get_ref(), folder, seed)?;
            let span = table.get_ref().name.span();
            if scenarios.iter().any(|other| other.name == scenario.name) {
                let fault = ConfigFault::ScenarioTwice(scenario.name);
                return Err(SpannedFault::new(span, fault));
            }
            if scenario.name.is_empty() || scenario.name.chars().any(char::is_control) {
                return Err(SpannedFault::new(span, ConfigFault::ScenarioName));
            }
            scenarios.push(scenario);
        }
        Ok(scenarios)
    }

    /// Returns one of the shipped scenarios, sent as this file's `[request]` says.
    pub(super) fn preset(
        &self,
        preset: &presets::ScenarioPreset,
        folder: &Path,
        seed: Option<u64>,
    ) -> Result<Scenario, SpannedFault> {
        let mut context = self.payload_context(None, 0..0, preset.pairs, seed);
        context.preset = preset.documents;
        let mut scenario = self.blank(preset.name, folder, &context)?;
        scenario.load = (preset.load)();
        scenario.limits = preset.limits();
        live_if_needed(&mut scenario.operations, &(0..0))?;
        Ok(scenario)
    }

    fn scenario(
        &self,
        table: &ScenarioTable,
        folder: &Path,
        seed: Option<u64>,
    ) -> Result<Scenario, SpannedFault> {
        let preset = presets::PRESETS.iter().find(|preset| preset.name == table.name.get_ref());
        let pairs = table.pairs.map(|pairs| pairs.0).or(preset.map(|preset| preset.pairs));
        let pairs = pairs.unwrap_or(presets::PAIRS);
        let mut context = self.payload_context(table.kind.as_ref(), table.name.span(), pairs, seed);
        context.preset =
            table.preset.map(|word| word.0).or(preset.and_then(|preset| preset.documents));
        let mut scenario = match self.ordered(table, folder, seed)? {
            Some(ordered) => self.sending(table, ordered)?,
            None => self.blank(table.name.get_ref(), folder, &context)?,
        };
        if let Some(path) = &table.path {
            scenario.operations[0].path.clone_from(&path.0);
        }
        if let Some(network) = &table.network {
            scenario.network = network.get_ref().resolve(network.span())?;
        }
        if let Some(unit) = &table.unit {
            scenario.unit.clone_from(&unit.0);
        }
        scenario.load = match (&table.load, preset) {
            (Some(load), _) => load.get_ref().resolve(load.span())?,
            (None, Some(preset)) => (preset.load)(),
            (None, None) => LoadSettings::closed(1, LoadAmount::Time),
        };
        live_if_needed(&mut scenario.operations, &table.name.span())?;
        scenario.limits = match preset {
            Some(preset) if table.limits.0.is_empty() => preset.limits(),
            Some(_) | None => table.limits.of(table.unit.as_ref(), &scenario.unit)?,
        };
        Ok(scenario)
    }

    /// Returns the operations of a scenario that puts several in order, and that order.
    fn ordered(
        &self,
        table: &ScenarioTable,
        folder: &Path,
        seed: Option<u64>,
    ) -> Result<Option<OrderedOperations>, SpannedFault> {
        let (mix, flow) = (table.mix.as_ref(), table.flow.as_ref());
        let written = WrittenOrder { mix, flow, setup: table.setup.as_ref() };
        let Some(ordered) = self.operations(folder, seed).resolve(&written)? else {
            let setup = table.setup.as_ref().map(|setup| (setup.span(), "setup"));
            let cookies = table.cookies.as_ref().map(|cookies| (cookies.span(), "cookies"));
            return match setup.or(cookies) {
                Some((span, key)) => {
                    Err(SpannedFault::new(span, OperationFault::StrayUser { key }))
                }
                None => Ok(None),
            };
        };
        let written = [
            ("kind", table.kind.is_some()),
            ("path", table.path.is_some()),
            ("preset", table.preset.is_some()),
            ("pairs", table.pairs.is_some()),
        ];
        match written.into_iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => {
                let fault = OperationFault::OwnOfOperation { key };
                Err(SpannedFault::new(table.name.span(), fault))
            }
            None => Ok(Some(ordered)),
        }
    }

    fn operations<'a>(&'a self, folder: &'a Path, seed: Option<u64>) -> OperationSet<'a> {
        let defaults = OperationDefaults {
            request: &self.request,
            payload: &self.payload,
            semantics: self.target.semantics(),
            folder,
            seed: operation::seed(seed, &self.payload),
            captures: operation::captures(&self.operation),
        };
        OperationSet { tables: &self.operation, defaults }
    }

    /// Refuses operations that are none, and such as nothing sends.
    fn check_operations(&self, folder: &Path, seed: Option<u64>) -> Result<(), SpannedFault> {
        self.operations(folder, seed).check()?;
        let mut tables = self.scenario.iter().map(Spanned::get_ref);
        match self.operation.first() {
            Some(first) if !tables.any(|table| table.mix.is_some() || table.flow.is_some()) => {
                let example = first.get_ref().name().to_owned();
                Err(SpannedFault::new(first.span(), OperationFault::Unused { example }))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn payload_context(
        &self,
        kind: Option<&Spanned<KindWord>>,
        span: Range<usize>,
        pairs: u64,
        seed: Option<u64>,
    ) -> PayloadContext {
        let own = kind.map(|word| (word.get_ref().0, word.span()));
        let written = own.or_else(|| self.request.kind());
        let (kind, kind_span) = written.unwrap_or((payload::PayloadKind::XmlCompareBatch, span));
        PayloadContext {
            kind,
            kind_span,
            preset: None,
            seed: operation::seed(seed, &self.payload),
            // A request without a batch holds one XML pair, whatever the scenario asks of a batch.
            pairs: kind.pairs(pairs),
            expectations: ExpectationUse::Template,
            captures: BTreeSet::new(),
        }
    }

    fn blank(
        &self,
        name: &str,
        folder: &Path,
        context: &PayloadContext,
    ) -> Result<Scenario, SpannedFault> {
        let default_path = match context.kind {
            payload::PayloadKind::XmlCompare => SINGLE_PATH,
            payload::PayloadKind::XmlCompareBatch => BATCH_PATH,
            payload::PayloadKind::RawXml
            | payload::PayloadKind::Soap11
            | payload::PayloadKind::Soap12
            | payload::PayloadKind::Template => "/",
        };
        let path = self.request.path.as_ref().map_or(default_path, |path| &path.0).to_owned();
        let mut payload = self.payload.spec(&self.request, folder, context)?;
        payload.semantics = self.target.semantics();
        let unit = WorkUnit::of(context.kind, payload.pairs_held(context.kind));
        let operation = Operation {
            name: None,
            method: RequestMethod::Post,
            path,
            payload,
            kind: context.kind,
            renderer: None,
            is_live: false,
            captures: Vec::new(),
            truth: self.request.truth(),
            limits: Vec::new(),
        };
        Ok(Scenario {
            name: name.to_owned(),
            operations: vec![operation],
            order: None,
            setup: Vec::new(),
            cookies: CookiePolicy::Ignored,
            load: LoadSettings::closed(1, LoadAmount::Time),
            network: self.network()?,
            limits: Vec::new(),
            unit,
        })
    }

    /// Returns a scenario of several operations, before what its table says of load and limits.
    fn sending(
        &self,
        table: &ScenarioTable,
        ordered: OrderedOperations,
    ) -> Result<Scenario, SpannedFault> {
        let OrderedOperations { operations, order, setup } = ordered;
        let keeps_cookies = table.cookies.as_ref().is_some_and(|cookies| *cookies.get_ref());
        Ok(Scenario {
            name: table.name.get_ref().clone(),
            operations,
            order: Some(order),
            setup,
            cookies: if keeps_cookies { CookiePolicy::Kept } else { CookiePolicy::Ignored },
            load: LoadSettings::closed(1, LoadAmount::Time),
            network: self.network()?,
            limits: Vec::new(),
            unit: WorkUnit::request(),
        })
    }

    fn network(&self) -> Result<Option<NetworkConditions>, SpannedFault> {
        let network = self.network.as_ref();
        let network = network.map(|network| network.get_ref().resolve(network.span()));
        Ok(network.transpose()?.flatten())
    }
}

/// Has the requests of an operation without a name rendered as they are sent, if their template uses what is
/// known only then; and once before, if they name a variable of the environment.
fn live_if_needed(operations: &mut [Operation], span: &Range<usize>) -> Result<(), SpannedFault> {
    for operation in operations.iter_mut().filter(|it| it.name.is_none()) {
        let texts = operation.payload.texts(operation.kind, &operation.path);
        let is_template = texts.body.is_some();
        let renderer = RequestRenderer::new(texts);
        let renderer = match renderer {
            Ok(renderer) => renderer,
            // Texts that are sent as they are need not be templates.
            Err(_) if !is_template => continue,
            Err(error) => {
                return Err(SpannedFault::new(span.clone(), OperationFault::Template(error)));
            }
        };
        operation.is_live = is_template && renderer.is_live(&BTreeSet::new());
        let has_variables = renderer.variables().next().is_some();
        let is_rendered = operation.is_live || has_variables;
        operation.renderer = is_rendered.then(|| Arc::new(renderer));
    }
    Ok(())
}

impl SamplingTable {
    fn resolve(&self, default: &SamplingPlan) -> Result<SamplingPlan, SpannedFault> {
        let launch_pairs_max = match (self.launch_pairs, &self.looks) {
            (Some(launch_pairs), _) => launch_pairs.0,
            (None, Some(looks)) => last_look(looks)?,
            (None, None) => default.launch_pairs_max,
        };
        let count = |value: Option<Positive>, default| value.map_or(default, |value| value.0);
        Ok(SamplingPlan {
            launches: self.launches.map_or(default.launches, |count| count.0),
            launch_pairs_max,
            soft_budget: self.soft_budget.map(|time| time.0).or(default.soft_budget),
            has_looks: self.looks.is_some(),
            warm_up: self.warm_up.as_ref().map_or(default.warm_up, |word| word.0),
            load: self.load.map_or(default.load, |time| LoadTime::Given(time.0)),
            slice: self.slice.map_or(default.slice, |time| time.0),
            slice_requests: count(self.slice_requests, default.slice_requests),
            lag_max: self.lag_max.map_or(default.lag_max, |time| time.0),
            bodies: self.bodies.map_or(default.bodies, |count| count.0),
        })
    }
}

/// The launch pairs after which a configuration of old ended: the last of its looks. There is a look after
/// every launch pair now.
fn last_look(looks: &Spanned<Vec<usize>>) -> Result<usize, SpannedFault> {
    let ascending = looks.get_ref().windows(2).all(|pair| pair[0] < pair[1]);
    match looks.get_ref().as_slice() {
        [.., last] if u64::try_from(*last).is_ok_and(|last| last > LAUNCHES_MAX) => {
            Err(SpannedFault::new(looks.span(), ConfigFault::Looks))
        }
        [first, ..] if ascending && *first >= 5 => Ok(looks.get_ref()[looks.get_ref().len() - 1]),
        _ => Err(SpannedFault::new(looks.span(), ConfigFault::Looks)),
    }
}

impl GateTable {
    fn resolve(&self) -> Result<GateRules, SpannedFault> {
        let mut gate = GateRules::default();
        if let Some(alpha) = self.alpha {
            gate.alpha = alpha.0;
        }
        for (metric, rule) in &mut gate.rules {
            let key = MetricKey(*metric);
            let floor = match &self.floor {
                Some(FloorWord::All(floor)) => Some(floor),
                Some(FloorWord::Some(floors)) => floors.get(&key),
                None => None,
            };
            let minimum = self.minimum.get(&key).map(|text| minimum(*metric, text)).transpose()?;
            let tolerance = self.tolerance.get(&key).map(|share| Ratio(share.0));
            let floor = floor.map(|share| Ratio(share.0));
            let policy = self.policy.get(&key).map_or(rule.policy, |word| word.0);
            let own = RuleOverride { tolerance, floor, minimum }.of(*metric);
            *rule = own.apply(MetricRule { policy, ..*rule });
        }
        Ok(gate)
    }
}
