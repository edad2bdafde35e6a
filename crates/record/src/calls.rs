//! What passed between a target and the services behind it, and which statements it executed there.
//!
//! A launch keeps how much passed in each slice, which decides; a scenario keeps the statements of all its launches
//! together, which explain.

use ::calls::{CallObstacle, CallProtocol, CallTotals, StatementCount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::{ScenarioRun, Side};

/// Statements of a service that are kept; the rest is one.
const STATEMENTS_MAX: usize = 200;

/// What the rest is called.
const OTHERS: &str = "(others)";

/// What a target called in a launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchCalls {
    /// What was called in each slice and since the slice before.
    pub slices: Vec<CallSlice>,
    /// Whether statements were distinguished; not where each service is encrypted or speaks an unknown protocol.
    pub has_queries: bool,
    /// Services whose calls are in no slice, as they could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}

/// What was called in a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub struct CallSlice {
    /// Requests that were answered, rightly or not.
    pub requests: u64,
    /// Statements, commands and requests that the target sent to services.
    pub queries: u64,
    /// Times that it waited for a service.
    pub round_trips: u64,
}

impl From<(u64, u64, u64)> for CallSlice {
    fn from((requests, queries, round_trips): (u64, u64, u64)) -> Self {
        Self { requests, queries, round_trips }
    }
}

impl From<CallSlice> for (u64, u64, u64) {
    fn from(slice: CallSlice) -> Self {
        (slice.requests, slice.queries, slice.round_trips)
    }
}

impl CallSlice {
    /// Returns how many calls of a metric there were; none of a metric that counts none.
    pub fn calls(&self, metric: Metric) -> Option<u64> {
        let calls = if metric == Metric::Queries { self.queries } else { self.round_trips };
        metric.is_of_calls().then_some(calls)
    }
}

/// What was called of one service, over all launches of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DependencyRecord {
    /// Its name.
    pub name: String,
    /// What it speaks; none if it was not called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<CallProtocol>,
    /// Why its calls are not counted, if they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<CallObstacle>,
    /// By base, if that was measured beside head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<SideCalls>,
    /// By head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<SideCalls>,
}

/// What one side called of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SideCalls {
    /// Requests of the scenario in which it did.
    pub requests: u64,
    /// Statements, commands and requests to the service.
    pub queries: u64,
    /// Times that the target waited for the service.
    pub round_trips: u64,
    /// Connections that were made to the service.
    pub connections: u64,
    /// Bytes in both directions.
    pub bytes: u64,
    /// The statements, values taken out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<StatementCount>,
}

impl SideCalls {
    /// Returns what passed while so many requests were answered.
    pub fn new(requests: u64, totals: CallTotals, statements: Vec<StatementCount>) -> Self {
        let CallTotals { queries, round_trips, connections, bytes } = totals;
        Self { requests, queries, round_trips, connections, bytes, statements }
    }

    /// Returns how often a statement was executed.
    pub fn count(&self, statement: &str) -> u64 {
        self.statements.iter().find(|it| it.statement == statement).map_or(0, |it| it.count)
    }

    /// Returns whether it is known how often a statement was executed: it may be one of the others, which are
    /// not kept apart.
    pub fn knows(&self, statement: &str) -> bool {
        statement != OTHERS && (self.count(statement) > 0 || self.count(OTHERS) == 0)
    }

    fn add(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.queries = self.queries.saturating_add(more.queries);
        self.round_trips = self.round_trips.saturating_add(more.round_trips);
        self.connections = self.connections.saturating_add(more.connections);
        self.bytes = self.bytes.saturating_add(more.bytes);
        for statement in more.statements {
            self.add_statement(statement);
        }
    }

    fn add_statement(&mut self, more: StatementCount) {
        let place = self.statements.iter().position(|it| it.statement == more.statement);
        match place {
            Some(place) => {
                let known = &mut self.statements[place].count;
                *known = known.saturating_add(more.count);
            }
            None if self.statements.len() < STATEMENTS_MAX || more.statement == OTHERS => {
                self.statements.push(more);
            }
            None => {
                self.add_statement(StatementCount { statement: OTHERS.to_owned(), ..more });
            }
        }
    }
}

/// What one side called of a service in one launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchDependency {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub protocol: Option<CallProtocol>,
    /// Why its calls are not counted.
    pub obstacle: Option<CallObstacle>,
    /// What was called.
    pub calls: SideCalls,
}

impl ScenarioRun {
    /// Adds what one side called in a launch.
    pub fn add_calls(&mut self, side: Side, dependencies: Vec<LaunchDependency>) {
        for LaunchDependency { name, protocol, obstacle, calls } in dependencies {
            let place = self.dependencies.iter().position(|it| it.name == name);
            let place = place.unwrap_or_else(|| {
                let (protocol, obstacle) = (None, None);
                let record = DependencyRecord { name, protocol, obstacle, base: None, head: None };
                self.dependencies.push(record);
                self.dependencies.len() - 1
            });
            let record = &mut self.dependencies[place];
            record.protocol = record.protocol.or(protocol);
            record.obstacle = record.obstacle.or(obstacle);
            let of_side = match side {
                Side::Base => &mut record.base,
                Side::Head => &mut record.head,
            };
            of_side.get_or_insert_default().add(calls);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{LEVEL, paired};

    fn launch(statements: &[(&str, u64)]) -> LaunchDependency {
        let of = |(statement, count): &(&str, u64)| StatementCount {
            statement: (*statement).to_owned(),
            count: *count,
        };
        let queries = statements.iter().map(|(_, count)| count).sum();
        let totals = CallTotals { queries, round_trips: 1, connections: 1, bytes: 10 };
        LaunchDependency {
            name: "db".to_owned(),
            protocol: Some(CallProtocol::PostgreSql),
            obstacle: None,
            calls: SideCalls::new(100, totals, statements.iter().map(of).collect()),
        }
    }

    #[test]
    fn launches_add_up_by_side_and_statement() {
        let mut run = paired(2, LEVEL, LEVEL);
        let scenario = &mut run.scenarios[0];
        scenario.add_calls(Side::Head, vec![launch(&[("A", 1), ("B", 2)])]);
        scenario.add_calls(Side::Base, vec![launch(&[("A", 5)])]);
        scenario.add_calls(Side::Head, vec![launch(&[("B", 3)])]);
        let [record] = scenario.dependencies.as_slice() else { panic!("one service") };
        let (base, head) = (record.base.as_ref().unwrap(), record.head.as_ref().unwrap());
        assert_eq!((head.count("A"), head.count("B"), head.queries), (1, 5, 6));
        assert_eq!((base.count("A"), base.requests, head.requests), (5, 100, 200));
        let text = run.to_json();
        let read = crate::Run::parse(&text, std::path::Path::new("run.json")).unwrap();
        assert_eq!(read, run);
    }

    #[test]
    fn endless_statements_are_kept_as_one() {
        let mut calls = SideCalls::default();
        for number in 0..1_000 {
            calls.add(launch(&[(&format!("S{number}"), 1)]).calls);
        }
        assert_eq!(calls.statements.len(), STATEMENTS_MAX + 1);
        assert_eq!(calls.count(OTHERS), 800);
    }
}
