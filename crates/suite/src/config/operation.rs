//! `[[operation]]`: one kind of request, of which `[request]` and `[payload]` are the defaults; and how a
//! scenario puts several of them in order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use load::RequestMethod;
use payload::{PayloadKind, PayloadPreset};
use record::metric::Metric;
use record::metric::limit::{Limit, LimitQuantity};
use record::work_unit::WorkUnit;
use toml::Spanned;

use crate::config::fault::{OperationFault, SpannedFault};
use crate::config::payload::{
    ExpectTable, ExpectationUse, PayloadContext, PayloadTable, RequestTable,
};
use crate::config::presets;
use crate::config::values::{
    HeaderValue, Headers, HttpPath, KindWord, LimitTable, MethodWord, OperationWord, PairCount,
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
    name: Spanned<OperationWord>,
    method: Option<Spanned<MethodWord>>,
    path: Option<HttpPath>,
    kind: Option<Spanned<KindWord>>,
    template: Option<Spanned<String>>,
    text: Option<Spanned<String>>,
    preset: Option<PresetWord>,
    corpus: Option<Spanned<String>>,
    pairs: Option<PairCount>,
    content_type: Option<Spanned<HeaderValue>>,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    expect: Vec<Spanned<ExpectTable>>,
    gzip: Option<bool>,
    chunked: Option<bool>,
    #[serde(default)]
    limits: LimitTable,
}

/// What all operations of a file have in common.
pub(super) struct OperationDefaults<'a> {
    pub(super) request: &'a RequestTable,
    pub(super) payload: &'a PayloadTable,
    pub(super) semantics: payload::Semantics,
    pub(super) folder: &'a Path,
    pub(super) seed: u64,
}

/// The shares of a mix by operation, as they are written.
pub(super) type MixTable = BTreeMap<String, Positive>;

/// The operations of a flow, as they are written.
pub(super) type FlowList = Vec<Spanned<String>>;

impl OperationTable {
    pub(super) fn name(&self) -> &str {
        self.name.get_ref().0.as_str()
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
            expectations: ExpectationUse::AnyKind,
        };
        let request = if method.has_body() { request } else { request.without_body() };
        let documents = defaults.payload.with_corpus(self.corpus.as_ref());
        let mut payload = documents.spec(&request, defaults.folder, &context)?;
        payload.semantics = defaults.semantics;
        Ok(Operation {
            name: Some(self.name.get_ref().0.clone()),
            method,
            path: request.path.map_or_else(|| DEFAULT_PATH.to_owned(), |path| path.0),
            payload,
            kind,
            limits: self.limits()?,
        })
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
            path: self.path.clone().or_else(|| shared.path.clone()),
            content_type: self.content_type.clone().or_else(|| shared.content_type.clone()),
            headers: self.headers.over(&shared.headers),
            expect: if self.expect.is_empty() { &shared.expect } else { &self.expect }.clone(),
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
                    Metric::Latency | Metric::P50 | Metric::P95 | Metric::P99,
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

    /// Returns the operations of a mix, in the order of the file, and their shares.
    pub(super) fn mix(
        &self,
        mix: &Spanned<MixTable>,
    ) -> Result<(Vec<Operation>, OperationOrder), SpannedFault> {
        for name in mix.get_ref().keys() {
            self.number(name, mix.span())?;
        }
        let sum = mix.get_ref().values().fold(0_u64, |sum, share| sum.saturating_add(share.0));
        if sum == 0 || sum > MIX_REQUESTS_MAX {
            let fault = OperationFault::Shares { sum, most: MIX_REQUESTS_MAX };
            return Err(SpannedFault::new(mix.span(), fault));
        }
        let (mut operations, mut shares) = (Vec::new(), Vec::new());
        for table in self.tables {
            if let Some(share) = mix.get_ref().get(table.get_ref().name()) {
                operations.push(table.get_ref().resolve(&self.defaults)?);
                shares.push(share.0);
            }
        }
        Ok((operations, OperationOrder::Mix(shares)))
    }

    /// Returns the operations of a flow, in the order of the file, and the order in which they are sent.
    pub(super) fn flow(
        &self,
        flow: &Spanned<FlowList>,
    ) -> Result<(Vec<Operation>, OperationOrder), SpannedFault> {
        let names = flow.get_ref();
        if names.is_empty() || names.len() > FLOW_LENGTH_MAX {
            let fault = OperationFault::FlowLength { length: names.len(), most: FLOW_LENGTH_MAX };
            return Err(SpannedFault::new(flow.span(), fault));
        }
        let written: Result<Vec<usize>, _> =
            names.iter().map(|name| self.number(name.get_ref(), name.span())).collect();
        let written = written?;
        let used: Vec<usize> =
            (0..self.tables.len()).filter(|number| written.contains(number)).collect();
        let operations = used.iter().map(|number| {
            let table = &self.tables[*number];
            table.get_ref().resolve(&self.defaults)
        });
        let operations = operations.collect::<Result<_, _>>()?;
        let among_used = |number: &usize| used.partition_point(|other| other < number);
        Ok((operations, OperationOrder::Flow(written.iter().map(among_used).collect())))
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

/// The seed of the payloads, where nothing else is written.
pub(super) fn seed(choice: Option<u64>, payload: &PayloadTable) -> u64 {
    choice.or(payload.seed).unwrap_or(presets::SEED)
}
