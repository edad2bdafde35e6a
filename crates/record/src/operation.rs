//! What one of several operations yielded, and the operation as a scenario of its own: it is judged as one,
//! by whatever a request tells. CPU time, memory and rates are of all operations together.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calls::LaunchCalls;
use crate::operation_name::OperationName;
use crate::work_unit::WorkUnit;
use crate::workload::{OperationOrder, OperationRecord};
use crate::{FailureRecord, LaunchPair, LaunchResult, LaunchResults, Run, ScenarioRun, histogram};

/// What one operation yielded in a launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationResult {
    /// Requests answered, rightly or not.
    pub requests: u64,
    /// 25th percentile of the response time of each request body, null of one that was not answered.
    pub body_levels_ns: Vec<Option<u64>>,
    /// Service times, as HdrHistogram V2 with deflate, in base64.
    pub histogram: String,
    /// Response times, in the same form.
    pub response: String,
    /// Failed requests by kind, each kind once, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureRecord>,
    /// What was called of services while only this operation was under way, if that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<LaunchCalls>,
}

impl OperationResult {
    /// Returns what an operation yields that is not sent in a launch.
    fn unsent() -> Self {
        // Packed once: a run of many operations has it for each of them in each launch.
        static NONE: LazyLock<String> =
            LazyLock::new(|| histogram::encode(&load::measure::histogram()));
        let (histogram, response) = (NONE.clone(), NONE.clone());
        Self {
            requests: 0,
            body_levels_ns: Vec::new(),
            histogram,
            response,
            failures: Vec::new(),
            calls: None,
        }
    }
}

impl Run {
    /// Returns every scenario, each followed by its operations as scenarios of their own.
    pub fn scenarios_and_operations(&self) -> impl Iterator<Item = Cow<'_, ScenarioRun>> {
        self.scenarios.iter().flat_map(|scenario| {
            let operations = scenario.by_operation().map(|(_, it)| Cow::Owned(it));
            std::iter::once(Cow::Borrowed(scenario)).chain(operations)
        })
    }

    /// Returns the scenario of a name, or the operation of a scenario.
    pub fn scenario_or_operation(&self, name: &str) -> Option<Cow<'_, ScenarioRun>> {
        self.scenarios_and_operations().find(|scenario| scenario.name == name)
    }
}

impl ScenarioRun {
    /// Returns whether virtual users send several requests one after the other, which together take a time.
    pub fn has_flow(&self) -> bool {
        let order = self.workload.operations.as_ref().map(|plan| &plan.order);
        matches!(order, Some(OperationOrder::Flow(flow)) if flow.len() > 1)
    }

    /// Returns each of several operations that load has, by its name, as a scenario of its own that is called by both
    /// names: `traffic/create`. Of what only all operations together have it has none.
    pub fn by_operation(&self) -> impl Iterator<Item = (OperationName, Self)> {
        let sent = self.operations_sent();
        sent.map(|(number, it)| (it.name.clone(), self.of_operation(number, it)))
    }

    /// Returns each of several operations that load has, with its place among all.
    pub fn operations_sent(&self) -> impl Iterator<Item = (usize, &OperationRecord)> {
        self.workload.operations.iter().flat_map(|plan| {
            let operations = plan.operations.iter().enumerate();
            operations.filter(|(number, _)| plan.order.sends(*number))
        })
    }

    fn of_operation(&self, number: usize, operation: &OperationRecord) -> Self {
        let launch = |launch: &LaunchResult| launch.of_operation(number);
        let pair = |pair: &LaunchPair| LaunchPair {
            first: pair.first,
            base: launch(&pair.base),
            head: launch(&pair.head),
        };
        let trials = match &self.trials {
            LaunchResults::Paired(pairs) => LaunchResults::Paired(pairs.iter().map(pair).collect()),
            LaunchResults::Single(launches) => {
                LaunchResults::Single(launches.iter().map(launch).collect())
            }
        };
        Self {
            name: operation.name.within(&self.name),
            workload: self.workload.clone(),
            pairs_per_request: 1,
            requests_per_unit: 1,
            unit: Some(WorkUnit::request()),
            limits: self.operation_limits.get(&operation.name).cloned().unwrap_or_default(),
            operation_limits: BTreeMap::new(),
            fitted_load: None,
            times: self.times,
            trials,
            work: None,
            absent_in_base: self.absent_in_base,
            oracle: Vec::new(),
            dependencies: Vec::new(),
            is_settled: self.is_settled,
        }
    }
}

impl LaunchResult {
    /// Returns what an operation yielded, as if it had been alone.
    fn of_operation(&self, number: usize) -> Self {
        let operation =
            self.operations.get(number).cloned().unwrap_or_else(OperationResult::unsent);
        let failed = units::total(operation.failures.iter().map(|failures| failures.count));
        Self {
            ready_ns: self.ready_ns,
            wall_ns: self.wall_ns,
            requests: operation.requests,
            pairs: operation.requests.saturating_sub(failed),
            cpu_ns: None,
            rss_bytes_max: None,
            memory_bytes_max: None,
            memory_bytes_proportional: None,
            body_levels_ns: operation.body_levels_ns,
            flow_level_ns: None,
            first_answer_ns: None,
            bytes_sent: 0,
            bytes_received: 0,
            slices: Vec::new(),
            slice_cpu_ns: Vec::new(),
            warm_up: None,
            histogram: operation.histogram,
            failures: operation.failures,
            response: Some(operation.response),
            generator: None,
            probes: None,
            steps: Vec::new(),
            capacity: None,
            network: None,
            calls: operation.calls,
            operations: Vec::new(),
        }
    }
}
