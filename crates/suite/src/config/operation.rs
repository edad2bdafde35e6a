//! `[[operation]]`: one kind of request, of which `[request]` and `[payload]` are the defaults; and how a
//! scenario puts several of them in order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use load::RequestMethod;
use payload::{
    Capture, CapturePlace, LiveValues, PayloadKind, PayloadPreset, PayloadSpec, RequestRenderer,
};
use record::OperationName;
use record::metric::Metric;
use record::metric::limit::{Limit, LimitQuantity};
use record::work_unit::WorkUnit;
use toml::Spanned;

use crate::config::expect::ExpectList;
use crate::config::fault::{OperationFault, SpannedFault};
use crate::config::headers::Headers;
use crate::config::own_gate::{OwnGateTable, OwnRules};
use crate::config::payload::{
    ExpectationUse, OwnDocuments, PayloadContext, PayloadTable, RequestTable,
};
use crate::config::presets;
use crate::config::values::{
    HeaderValue, HttpPath, KindWord, LimitTable, MethodWord, OperationWord, PairCount, PathText,
    Positive, PresetWord,
};
use crate::{Operation, OperationOrder};

/// Requests after which a mix has its exact shares, at most.
const MIX_REQUESTS_MAX: u64 = 10_000;

/// Operations of a flow, at most.
const FLOW_LENGTH_MAX: usize = 1_000;

/// Where an operation without a path is sent.
const DEFAULT_PATH: &str = "/";

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct OperationTable {
    /// Letters, digits, `-`, `_` and `.`; once in a file.
    name: Spanned<OperationWord>,
    /// `"GET"`, `"HEAD"`, `"POST"`, `"PUT"`, `"PATCH"`, `"DELETE"` or `"OPTIONS"`. Default: `"POST"`.
    method: Option<Spanned<MethodWord>>,
    /// Where it is sent; a template. Default: that of `[request]`, else `/`.
    path: Option<Spanned<PathText>>,
    /// The kind of request. Default: that of `[request]`, else `raw-xml`.
    kind: Option<Spanned<KindWord>>,
    /// A file with the template of the body. Default: that of `[request]`.
    template: Option<Spanned<String>>,
    /// The template of the body as it stands here. Default: that of `[request]`.
    text: Option<Spanned<String>>,
    /// The documents. Default: that of `[payload]`.
    preset: Option<PresetWord>,
    /// A folder of XML documents. Default: that of `[payload]`.
    corpus: Option<Spanned<String>>,
    /// The file of a schema (XSD) that the documents are valid by. Default: that of `[payload]`.
    schema: Option<Spanned<String>>,
    /// The root element of a schema's documents. Default: that of `[payload]`.
    root: Option<Spanned<String>>,
    /// Document pairs in one request. Default: `1`.
    pairs: Option<PairCount>,
    /// The media type. Default: that of `[request]`, else that of the kind.
    content_type: Option<Spanned<HeaderValue>>,
    /// Added to those of `[request]`; one of the same name takes its place. Default: `{}`.
    #[serde(default)]
    headers: Headers,
    /// What every answer must hold. Default: that of `[request]`, else what the kind promises.
    #[serde(default)]
    expect: ExpectList,
    /// Values that are taken from a right answer, by name. Default: `{}`.
    #[serde(default)]
    capture: BTreeMap<String, Spanned<CaptureTable>>,
    /// Whether bodies are compressed. Default: that of `[request]`.
    gzip: Option<bool>,
    /// Whether bodies are sent in chunks. Default: that of `[request]`.
    chunked: Option<bool>,
    /// `latency`, `p50`, `p95`, `p99`, `queries`, `round-trips` and `errors` of this operation. Default: `{}`.
    #[serde(default)]
    limits: LimitTable,
    /// Rules of its latency and percentiles, before those of the scenario. Default: none.
    gate: Option<Spanned<OwnGateTable>>,
}

/// What all operations of a file have in common.
pub(super) struct OperationDefaults<'a> {
    pub(super) request: &'a RequestTable,
    pub(super) payload: &'a PayloadTable,
    pub(super) semantics: payload::Semantics,
    pub(super) folder: &'a Path,
    pub(super) seed: u64,
    /// Names of all captures of the file.
    pub(super) captures: BTreeSet<String>,
}

/// Where a value stands in an answer, and what of the text there it is.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CaptureTable {
    /// A pointer into a JSON answer.
    json: Option<String>,
    /// A path of elements in an XML answer.
    xml: Option<String>,
    /// The name of a header.
    header: Option<String>,
    /// The name of a cookie.
    cookie: Option<String>,
    /// Takes a part of the text there, or of the whole body: its first group, else its match.
    regex: Option<String>,
}

impl CaptureTable {
    fn resolve(&self, name: &str, span: Range<usize>) -> Result<Capture, SpannedFault> {
        let places = [
            self.json.clone().map(CapturePlace::Json),
            self.xml.clone().map(CapturePlace::Xml),
            self.header.clone().map(CapturePlace::Header),
            self.cookie.clone().map(CapturePlace::Cookie),
        ];
        let mut places = places.into_iter().flatten();
        let place = places.next().unwrap_or(CapturePlace::Body);
        if places.next().is_some() {
            return Err(SpannedFault::new(span, OperationFault::TwoPlaces));
        }
        let capture = Capture::new(name, place, self.regex.as_deref());
        capture.map_err(|error| SpannedFault::new(span, OperationFault::Capture(error)))
    }
}

/// The shares of a mix by operation, as they are written.
pub(super) type MixTable = BTreeMap<String, Positive>;

/// The operations of a flow, as they are written.
pub(super) type FlowList = Vec<Spanned<String>>;

impl OperationTable {
    pub(super) fn name(&self) -> &str {
        self.name.get_ref().0.as_str()
    }

    pub(super) fn operation_name(&self) -> OperationName {
        self.name.get_ref().0.clone()
    }

    /// Returns the rules of its own, each of something that one operation among several has.
    pub(super) fn rules(&self) -> Result<OwnRules, SpannedFault> {
        let Some(gate) = &self.gate else { return Ok(OwnRules::new()) };
        let rules = gate.get_ref().resolve()?;
        let is_own = |metric: Metric| {
            matches!(metric, Metric::Latency | Metric::P50 | Metric::P95 | Metric::P99)
                || metric.is_of_calls()
        };
        match rules.keys().find(|metric| !is_own(**metric)) {
            Some(metric) => {
                let key = metric.key();
                Err(SpannedFault::new(gate.span(), OperationFault::Limit { key }))
            }
            None => Ok(rules),
        }
    }

    fn resolve(&self, defaults: &OperationDefaults<'_>) -> Result<Operation, SpannedFault> {
        let method = self.method.as_ref().map_or_else(<_>::default, |word| word.get_ref().0);
        let request = self.request(defaults.request);
        let (kind, kind_span) = if method.has_body() {
            request.kind().unwrap_or((PayloadKind::RawXml, self.name.span()))
        } else {
            self.check_bodyless(method)?;
            (PayloadKind::Template, self.name.span())
        };
        let context = PayloadContext {
            kind,
            kind_span,
            preset: self.own_preset(),
            seed: defaults.seed,
            pairs: kind.pairs(self.pairs.map_or(1, |pairs| pairs.0)),
            captures: defaults.captures.clone(),
            expectations: ExpectationUse::AnyKind,
        };
        let request = if method.has_body() { request } else { request.without_body() };
        let documents = defaults.payload.with_own(&OwnDocuments {
            corpus: self.corpus.as_ref(),
            schema: self.schema.as_ref(),
            root: self.root.as_ref(),
        });
        let mut payload = documents.spec(&request, defaults.folder, &context)?;
        payload.semantics = defaults.semantics;
        let shared_path = || defaults.request.path.as_ref().map(|path| path.0.clone());
        let path = self.path.as_ref().map(|path| path.get_ref().0.clone()).or_else(shared_path);
        let path = path.unwrap_or_else(|| DEFAULT_PATH.to_owned());
        let renderer = self.renderer(&payload, kind, &path, defaults)?;
        let capture = |(name, table): (&String, &Spanned<CaptureTable>)| {
            table.get_ref().resolve(name, table.span())
        };
        Ok(Operation {
            name: Some(self.name.get_ref().0.clone()),
            method,
            path,
            payload,
            kind,
            is_live: renderer.is_live(&defaults.captures),
            renderer: Some(Arc::new(renderer)),
            captures: self.capture.iter().map(capture).collect::<Result<_, _>>()?,
            truth: request.truth(),
            limits: self.limits()?,
        })
    }

    /// Reads all templates of the operation, and tries them.
    fn renderer(
        &self,
        payload: &PayloadSpec,
        kind: PayloadKind,
        path: &str,
        defaults: &OperationDefaults<'_>,
    ) -> Result<RequestRenderer, SpannedFault> {
        let span = self.path.as_ref().map_or_else(|| self.name.span(), Spanned::span);
        let wrong = |error| SpannedFault::new(span.clone(), OperationFault::Template(error));
        let renderer = RequestRenderer::new(payload.texts(kind, path)).map_err(wrong)?;
        let values = LiveValues::placeholders(&defaults.captures);
        let context = Arc::new(payload.request_context(kind, 0));
        let rendered = renderer.render(&context, values).map_err(wrong)?;
        match HttpPath::try_from(rendered.path) {
            Ok(_) => Ok(renderer),
            Err(error) => Err(SpannedFault::new(span, OperationFault::Path(error.to_string()))),
        }
    }

    fn own_preset(&self) -> Option<PayloadPreset> {
        self.preset.as_ref().map(|word| word.0)
    }

    /// Returns the request with this table's keys over those of `[request]`. What says where a body comes
    /// from is taken as a whole: a template of `[request]` is none beside a kind of one's own.
    fn request(&self, shared: &RequestTable) -> RequestTable {
        let has_own = self.kind.is_some() || self.template.is_some() || self.text.is_some();
        let (kind, template, text) = if has_own {
            (self.kind.clone(), self.template.clone(), self.text.clone())
        } else {
            (shared.kind.clone(), shared.template.clone(), shared.text.clone())
        };
        RequestTable {
            kind,
            template,
            text,
            path: None,
            content_type: self.content_type.clone().or_else(|| shared.content_type.clone()),
            headers: self.headers.over(&shared.headers),
            expect: self.expect.or(&shared.expect),
            gzip: self.gzip.unwrap_or(shared.gzip),
            chunked: self.chunked.unwrap_or(shared.chunked),
        }
    }

    /// Refuses what says something of a body that there is not.
    fn check_bodyless(&self, method: RequestMethod) -> Result<(), SpannedFault> {
        let written = [
            ("kind", self.kind.as_ref().map(Spanned::span)),
            ("template", self.template.as_ref().map(Spanned::span)),
            ("text", self.text.as_ref().map(Spanned::span)),
            ("corpus", self.corpus.as_ref().map(Spanned::span)),
            ("schema", self.schema.as_ref().map(Spanned::span)),
            ("root", self.root.as_ref().map(Spanned::span)),
            ("content-type", self.content_type.as_ref().map(Spanned::span)),
            ("preset", self.preset.as_ref().map(|_| self.name.span())),
            ("pairs", self.pairs.as_ref().map(|_| self.name.span())),
        ];
        match written.into_iter().find_map(|(key, span)| Some((key, span?))) {
            Some((key, span)) => {
                let method = method.name();
                Err(SpannedFault::new(span, OperationFault::NoBody { key, method }))
            }
            None => Ok(()),
        }
    }

    /// Returns the limits, each on something that one operation among several has.
    fn limits(&self) -> Result<Vec<Limit>, SpannedFault> {
        let limits = self.limits.of(None, &WorkUnit::request())?;
        for (limit, written) in limits.iter().zip(&self.limits.0) {
            match limit.quantity {
                LimitQuantity::Errors
                | LimitQuantity::Metric(
                    Metric::Latency
                    | Metric::P50
                    | Metric::P95
                    | Metric::P99
                    | Metric::Queries
                    | Metric::RoundTrips,
                ) => {}
                LimitQuantity::Growth | LimitQuantity::Metric(_) => {
                    let key = limit.quantity.key();
                    return Err(SpannedFault::new(written.span(), OperationFault::Limit { key }));
                }
            }
        }
        Ok(limits)
    }
}

/// What a scenario says of its operations.
pub(super) struct WrittenOrder<'a> {
    pub(super) mix: Option<&'a Spanned<MixTable>>,
    pub(super) flow: Option<&'a Spanned<FlowList>>,
    pub(super) setup: Option<&'a Spanned<FlowList>>,
}

impl WrittenOrder<'_> {
    /// Where it is written.
    fn span(&self) -> Range<usize> {
        let mix = self.mix.map(Spanned::span);
        mix.or(self.flow.map(Spanned::span)).unwrap_or_default()
    }
}

/// The operations of a scenario, and how they follow each other.
pub(super) struct OrderedOperations {
    pub(super) operations: Vec<Operation>,
    pub(super) order: OperationOrder,
    pub(super) setup: Vec<usize>,
}

impl OrderedOperations {
    /// Returns what is wrong if an operation uses what nothing has captured before it is sent.
    fn uncaptured(&self, captures: &BTreeSet<String>) -> Option<OperationFault> {
        let in_order: Vec<usize> = match &self.order {
            OperationOrder::Flow(flow) => flow.clone(),
            // In a mix any operation can be the first.
            OperationOrder::Mix(shares) => (0..shares.len()).filter(|it| shares[*it] > 0).collect(),
        };
        let mut known = BTreeSet::new();
        let steps = self.setup.iter().map(|it| (*it, true));
        for (number, counts) in steps.chain(in_order.into_iter().map(|it| (it, self.is_flow()))) {
            let operation = &self.operations[number];
            let renderer = operation.renderer.as_ref()?;
            if let Some(name) = renderer.uses(captures).find(|name| !known.contains(*name)) {
                let operation = operation.name.as_ref().map(ToString::to_string);
                let (name, operation) = (name.clone(), operation.unwrap_or_default());
                return Some(OperationFault::Uncaptured { name, operation });
            }
            if counts {
                known.extend(operation.captures.iter().map(|capture| capture.name.clone()));
            }
        }
        None
    }

    fn is_flow(&self) -> bool {
        matches!(self.order, OperationOrder::Flow(_))
    }
}

/// All operations of a file.
pub(super) struct OperationSet<'a> {
    pub(super) tables: &'a [Spanned<OperationTable>],
    pub(super) defaults: OperationDefaults<'a>,
}

impl OperationSet<'_> {
    /// Refuses two operations of one name.
    pub(super) fn check(&self) -> Result<(), SpannedFault> {
        for (number, table) in self.tables.iter().enumerate() {
            let name = &table.get_ref().name;
            if self.find(name.get_ref().0.as_str()) != Some(number) {
                let fault = OperationFault::Twice(name.get_ref().0.to_string());
                return Err(SpannedFault::new(name.span(), fault));
            }
        }
        Ok(())
    }

    /// Returns the operations that a scenario names, in the order of the file, and how they follow each
    /// other; none of a scenario that names none.
    pub(super) fn resolve(
        &self,
        written: &WrittenOrder<'_>,
    ) -> Result<Option<OrderedOperations>, SpannedFault> {
        let mut names = match (written.mix, written.flow) {
            (None, None) => return Ok(None),
            (Some(_), Some(flow)) => {
                return Err(SpannedFault::new(flow.span(), OperationFault::TwoOrders));
            }
            (Some(mix), None) => self.shares(mix)?.into_keys().collect::<BTreeSet<_>>(),
            (None, Some(flow)) => self.numbers(flow)?.into_iter().collect(),
        };
        let setup = written.setup.map_or(Ok(Vec::new()), |setup| self.numbers(setup))?;
        names.extend(&setup);
        let used: Vec<usize> = names.into_iter().collect();
        let among_used = |number: &usize| used.partition_point(|other| other < number);
        let order = match (written.mix, written.flow) {
            (Some(mix), _) => {
                let shares = self.shares(mix)?;
                let share = |number| shares.get(number).copied().unwrap_or(0);
                OperationOrder::Mix(used.iter().map(share).collect())
            }
            (None, flow) => {
                let flow = flow.map_or(Ok(Vec::new()), |flow| self.numbers(flow))?;
                OperationOrder::Flow(flow.iter().map(among_used).collect())
            }
        };
        let operations = used.iter().map(|it| self.tables[*it].get_ref().resolve(&self.defaults));
        let operations: Vec<Operation> = operations.collect::<Result<_, _>>()?;
        let setup = setup.iter().map(among_used).collect();
        let ordered = OrderedOperations { operations, order, setup };
        match ordered.uncaptured(&self.defaults.captures) {
            Some(fault) => Err(SpannedFault::new(written.span(), fault)),
            None => Ok(Some(ordered)),
        }
    }

    /// Returns the share of each operation of a mix, by its number.
    fn shares(&self, mix: &Spanned<MixTable>) -> Result<BTreeMap<usize, u64>, SpannedFault> {
        let sum = mix.get_ref().values().fold(0_u64, |sum, share| sum.saturating_add(share.0));
        if sum == 0 || sum > MIX_REQUESTS_MAX {
            let fault = OperationFault::Shares { sum, most: MIX_REQUESTS_MAX };
            return Err(SpannedFault::new(mix.span(), fault));
        }
        let share =
            |(name, share): (&String, &Positive)| Ok((self.number(name, mix.span())?, share.0));
        mix.get_ref().iter().map(share).collect()
    }

    /// Returns the numbers of the operations of a flow or a setup.
    fn numbers(&self, flow: &Spanned<FlowList>) -> Result<Vec<usize>, SpannedFault> {
        let names = flow.get_ref();
        if names.is_empty() || names.len() > FLOW_LENGTH_MAX {
            let fault = OperationFault::FlowLength { length: names.len(), most: FLOW_LENGTH_MAX };
            return Err(SpannedFault::new(flow.span(), fault));
        }
        names.iter().map(|name| self.number(name.get_ref(), name.span())).collect()
    }

    fn number(&self, name: &str, span: Range<usize>) -> Result<usize, SpannedFault> {
        self.find(name).ok_or_else(|| {
            let known: Vec<_> = self.tables.iter().map(|it| it.get_ref().name()).collect();
            let (name, known) = (name.to_owned(), known.join(", "));
            SpannedFault::new(span, OperationFault::Unknown { name, known })
        })
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.get_ref().name() == name)
    }
}

/// The names of all captures of a file.
pub(super) fn captures(tables: &[Spanned<OperationTable>]) -> BTreeSet<String> {
    tables.iter().flat_map(|table| table.get_ref().capture.keys().cloned()).collect()
}

/// The seed of the payloads, where nothing else is written.
pub(super) fn seed(choice: Option<u64>, payload: &PayloadTable) -> u64 {
    choice.or(payload.seed).unwrap_or(presets::SEED)
}
