//! What is exported, and for which tool.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use load::{BodyFraming, CookiePolicy, HttpVersion, RequestOrder, Timeouts};
use record::metric::limit::{Limit, LimitQuantity};
use runner::{ListedAnswer, ListedBody, ListedRequest, RequestListing};
use suite::{LoadAmount, LoadSettings, Scenario, WorkloadModel};

use crate::export::gap::{ExportGap, GapKey};

/// A tool that a scenario can be exported for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A script of k6.
    K6,
    /// A script of wrk.
    Wrk,
    /// Targets of vegeta, and a script of a shell that attacks them.
    Vegeta,
    /// A script of a shell that sends each request once by curl.
    Curl,
}

impl ExportFormat {
    /// Every tool.
    pub const ALL: [Self; 4] = [Self::K6, Self::Wrk, Self::Vegeta, Self::Curl];

    /// Returns the name of the tool.
    pub fn name(self) -> &'static str {
        match self {
            Self::K6 => "k6",
            Self::Wrk => "wrk",
            Self::Vegeta => "vegeta",
            Self::Curl => "curl",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many instances of a tool share the load, in a cluster.
pub type FleetSize = NonZeroU32;

/// A scenario with everything that a script of it is made of.
#[derive(Debug, Clone)]
pub struct ExportPlan<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Its requests.
    pub listing: &'a RequestListing,
    /// Where they are sent, unless the script is started with another: scheme, host and port.
    pub url: &'a str,
    /// Whether the target has certificates of its own, or wants one.
    pub has_certificates: bool,
    /// Whether any certificate is believed.
    pub is_insecure: bool,
    /// How long a load lasts that takes its time from the suite.
    pub duration: Duration,
    /// Gaps that are left out of the export.
    pub accepted: &'a [GapKey],
    /// Instances in a cluster; none for one on this machine.
    pub fleet: Option<FleetSize>,
}

impl ExportPlan<'_> {
    /// Returns the load, with its time.
    pub(super) fn load(&self) -> LoadSettings {
        self.scenario.load.clone().sampled(self.duration)
    }

    /// Returns how many virtual users there are.
    pub(super) fn connections(&self) -> u32 {
        self.scenario.load.connections.max(1)
    }

    /// Returns the time of a closed load that ends by time, and its pause.
    pub(super) fn closed_time(&self) -> Option<(Duration, Duration)> {
        match self.load().model {
            WorkloadModel::Closed { amount: LoadAmount::For(lasts), think } => Some((lasts, think)),
            _ => None,
        }
    }

    /// Returns a line of a comment that says what is left out, if anything is.
    pub(super) fn left_out(&self, comment: &str) -> String {
        let names: Vec<String> = self.accepted.iter().map(ToString::to_string).collect();
        if names.is_empty() {
            return String::new();
        }
        format!("{comment}\n{comment} Left out: {}.\n", names.join(", "))
    }

    /// Returns whether the target speaks TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// Returns the name of an operation, or that of the scenario where it is the only one.
    pub(super) fn operation_name(&self, operation: usize) -> &str {
        let name = self.scenario.operations[operation].name.as_ref();
        name.map_or(&self.scenario.name, |name| name.as_str())
    }

    /// Returns the limits that are exported.
    pub(super) fn limits(&self) -> impl Iterator<Item = &Limit> {
        self.scenario.limits.iter().filter(|limit| self.keeps(limit.quantity))
    }

    /// Returns the limits of an operation that are exported.
    pub(super) fn limits_of(&self, operation: usize) -> impl Iterator<Item = &Limit> {
        let limits = &self.scenario.operations[operation].limits;
        limits.iter().filter(|limit| self.keeps(limit.quantity))
    }

    fn keeps(&self, quantity: LimitQuantity) -> bool {
        !self.accepted.contains(&GapKey::Limit(quantity))
    }

    /// Returns the places of requests in the order in which they are sent, again and again; of a flow, those
    /// of its steps.
    pub(super) fn places(&self) -> Vec<usize> {
        match &self.listing.order {
            RequestOrder::InTurn => (0..self.listing.requests.len()).collect(),
            RequestOrder::Shared(places) => places.to_vec(),
            RequestOrder::PerUser(cycle) => cycle.places.to_vec(),
        }
    }

    /// Returns how many requests a flow has; 0 without one.
    pub(super) fn flow_length(&self) -> usize {
        match &self.listing.order {
            RequestOrder::PerUser(cycle) => cycle.flow,
            RequestOrder::InTurn | RequestOrder::Shared(_) => 0,
        }
    }

    /// Returns what no tool but this one expresses, and what only some do.
    pub(super) fn gaps(&self, format: ExportFormat) -> Vec<ExportGap> {
        let load = &self.scenario.load;
        let mut gaps = Vec::new();
        match &load.model {
            WorkloadModel::Capacity { .. } => gaps.push(ExportGap::Capacity),
            WorkloadModel::Steps { .. } => gaps.push(ExportGap::Steps),
            WorkloadModel::Closed { .. } | WorkloadModel::Open { .. } => {}
        }
        if matches!(load.http, HttpVersion::Two { .. }) {
            gaps.push(ExportGap::Http2);
        }
        if self.scenario.network.is_some() {
            gaps.push(ExportGap::Network);
        }
        if self.has_certificates {
            gaps.push(ExportGap::Certificates);
        }
        let (own, usual) = (load.timeouts, Timeouts::default());
        if own.connect != usual.connect || own.first_byte != usual.first_byte {
            gaps.push(ExportGap::Timeouts);
        }
        gaps.extend(self.listing.requests.iter().filter_map(twice_named));
        let renderers = self.scenario.operations.iter().filter_map(|it| it.renderer.as_ref());
        let variables = renderers.flat_map(|renderer| renderer.variables());
        gaps.extend(variables.map(|name| ExportGap::Variable { name: name.to_owned() }));
        if format != ExportFormat::K6 {
            gaps.extend(self.stateful_gaps());
        }
        if !matches!(format, ExportFormat::Wrk | ExportFormat::Curl) {
            gaps.extend(self.chunked_gap());
        }
        gaps
    }

    /// Returns what needs a virtual user that remembers.
    fn stateful_gaps(&self) -> Vec<ExportGap> {
        let Scenario { operations, cookies, .. } = self.scenario;
        let mut gaps = Vec::new();
        if self.flow_length() > 0 {
            gaps.push(ExportGap::Flow);
        }
        if !self.listing.setup.is_empty() {
            gaps.push(ExportGap::Setup);
        }
        if *cookies == CookiePolicy::Kept {
            gaps.push(ExportGap::Cookies);
        }
        let captures = operations.iter().flat_map(|operation| &operation.captures);
        gaps.extend(captures.map(|capture| ExportGap::Capture { name: capture.name.clone() }));
        let live = operations.iter().enumerate().filter(|(_, operation)| operation.is_live);
        let live = live.map(|(number, _)| ExportGap::Live { operation: self.name_of(number) });
        gaps.extend(live);
        gaps
    }

    fn name_of(&self, operation: usize) -> String {
        self.operation_name(operation).to_owned()
    }

    fn chunked_gap(&self) -> Option<ExportGap> {
        let is_chunked =
            |it: &ListedRequest| matches!(it.body, ListedBody::Known(_, BodyFraming::Chunked));
        self.listing.requests.iter().any(is_chunked).then_some(ExportGap::Chunked)
    }

    /// Returns the values in answers that a tool without a reader of JSON and XML cannot check; a status is
    /// none of them.
    pub(super) fn value_gaps(&self) -> Vec<ExportGap> {
        let values = self.listing.requests.iter().filter_map(|request| match &request.answer {
            ListedAnswer::Values(values) => Some(values),
            _ => None,
        });
        let mut gaps: Vec<ExportGap> = Vec::new();
        for (place, _) in values.flatten() {
            let place = match place {
                payload::ResponseLocation::Status => continue,
                payload::ResponseLocation::Json(place) | payload::ResponseLocation::Xml(place) => {
                    place
                }
            };
            let gap = ExportGap::Value { place: place.clone() };
            if !gaps.contains(&gap) {
                gaps.push(gap);
            }
        }
        gaps
    }

    /// Returns the limits of operations, for a tool that has one set of numbers.
    pub(super) fn operation_limit_gaps(&self) -> Vec<ExportGap> {
        let operations = 0..self.scenario.operations.len();
        let limits = operations.flat_map(|operation| {
            let limits = self.scenario.operations[operation].limits.iter();
            limits.map(move |limit| (operation, limit))
        });
        let gap = |(operation, limit): (usize, &Limit)| ExportGap::OperationLimit {
            operation: self.name_of(operation),
            quantity: limit.quantity,
        };
        limits.map(gap).collect()
    }
}

/// A header that a request has twice, of which most tools send one.
fn twice_named(request: &ListedRequest) -> Option<ExportGap> {
    let names: Vec<&String> = request.headers.iter().map(|(name, _)| name).collect();
    let is_twice = |at: usize| names[..at].iter().any(|it| it.eq_ignore_ascii_case(names[at]));
    let twice = (0..names.len()).find(|at| is_twice(*at))?;
    Some(ExportGap::Header { name: names[twice].clone() })
}
