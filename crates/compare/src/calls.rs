//! What a target calls of the services behind it: what decides, and which statements are new, gone or executed more
//! often.

use record::calls::{DependencyRecord, LaunchCalls, SideCalls};
use record::metric::Metric;
use record::{CallObstacle, CallProtocol, LaunchResult, LaunchResults, Run, ScenarioRun};
use schemars::JsonSchema;
use serde::Serialize;

use crate::MetricResult;
use crate::decision::Verdict;
use crate::decision::calls::{self, CallSamples, SliceCount};

/// Executions a request that are none: those of a statement that ran a few times in a run.
const RATE_MIN: f64 = 0.01;

/// The share of executions that may differ where requests do.
const SHARE_MIN: f64 = 0.005;

/// The calls of a scenario to one service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceCalls {
    /// The scenario's name.
    pub scenario: String,
    /// The service's.
    pub service: String,
    /// What it speaks; none if it was not called.
    pub protocol: Option<CallProtocol>,
    /// Why its calls are not counted, if they are not.
    pub obstacle: Option<CallObstacle>,
    /// Of base, if it was measured beside head.
    pub base: Option<CallRates>,
    /// Of head.
    pub head: Option<CallRates>,
    /// The statements, those that changed most first, then those that are executed most often.
    pub statements: Vec<StatementChange>,
}

/// What one side calls, for each request of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct CallRates {
    /// Statements, commands and requests.
    pub queries: f64,
    /// Times that it waits for the service.
    pub round_trips: f64,
    /// Connections that it makes.
    pub connections: f64,
    /// Bytes in both directions.
    pub bytes: f64,
}

/// How often a statement is executed for each request of the scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementChange {
    /// The statement without values.
    pub statement: String,
    /// By base.
    pub base: f64,
    /// By head.
    pub head: f64,
    /// What became of it, where both sides were measured.
    pub fate: StatementFate,
}

/// What became of a statement from base to head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementFate {
    /// Only head executes it.
    New,
    /// Only base does.
    Gone,
    /// Head executes it more often.
    MoreOften,
    /// Head executes it less often.
    LessOften,
    /// Both execute it as often.
    Same,
}

impl StatementFate {
    /// Returns the word used in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::MoreOften => "more-often",
            Self::LessOften => "less-often",
            Self::Same => "same",
        }
    }
}

impl ServiceCalls {
    /// Returns the statements that changed.
    pub fn changes(&self) -> impl Iterator<Item = &StatementChange> {
        self.statements.iter().filter(|it| it.fate != StatementFate::Same)
    }
}

impl StatementChange {
    /// Returns how many executions a request head has more; below 0 if it has fewer.
    pub fn difference(&self) -> f64 {
        self.head - self.base
    }

    /// Where the scenario's calls did not change as a whole, one that is executed on both sides is the same: how often
    /// may depend on what happened to be sent.
    fn of(
        statement: &str,
        base: Option<&SideCalls>,
        head: Option<&SideCalls>,
        is_changed: bool,
    ) -> Self {
        let of = |side: Option<&SideCalls>| side.map_or(0.0, |it| rate(it, it.count(statement)));
        let (base_rate, head_rate) = (of(base), of(head));
        let is_known = |side: Option<&SideCalls>| side.is_some_and(|it| it.knows(statement));
        let is_comparable = is_known(base) && is_known(head);
        let least = RATE_MIN.max(SHARE_MIN * base_rate.max(head_rate));
        let fate = if !is_comparable || (head_rate - base_rate).abs() <= least {
            StatementFate::Same
        } else if base_rate <= 0.0 {
            StatementFate::New
        } else if head_rate <= 0.0 {
            StatementFate::Gone
        } else if !is_changed {
            StatementFate::Same
        } else if head_rate > base_rate {
            StatementFate::MoreOften
        } else {
            StatementFate::LessOften
        };
        Self { statement: statement.to_owned(), base: base_rate, head: head_rate, fate }
    }
}

fn rate(side: &SideCalls, count: u64) -> f64 {
    units::exact(count) / units::exact(side.requests.max(1))
}

/// Returns the calls of each scenario to each service whose calls were counted.
pub(super) fn of(run: &Run, rows: &[MetricResult]) -> Vec<ServiceCalls> {
    let of_scenario = |scenario: &ScenarioRun| {
        let own = rows.iter().filter(|row| row.scenario == scenario.name);
        let mut verdicts = own.filter(|row| row.metric.is_of_calls()).map(MetricResult::verdict);
        let is_changed =
            verdicts.any(|it| matches!(it, Some(Verdict::Regressed | Verdict::Improved)));
        let services = scenario.dependencies.iter();
        services.map(|it| service(&scenario.name, it, is_changed)).collect::<Vec<_>>()
    };
    run.scenarios.iter().flat_map(of_scenario).collect()
}

fn service(scenario: &str, record: &DependencyRecord, is_changed: bool) -> ServiceCalls {
    let DependencyRecord { name, protocol, obstacle, base, head } = record;
    let (base, head) = (base.as_ref(), head.as_ref());
    let rates = |side: &SideCalls| CallRates {
        queries: rate(side, side.queries),
        round_trips: rate(side, side.round_trips),
        connections: rate(side, side.connections),
        bytes: rate(side, side.bytes),
    };
    let own = head.iter().flat_map(|it| &it.statements).map(|it| it.statement.as_str());
    let gone = base.iter().flat_map(|it| &it.statements).map(|it| it.statement.as_str());
    let gone = gone.filter(|it| head.is_none_or(|head| head.count(it) == 0));
    let mut statements: Vec<StatementChange> =
        own.chain(gone).map(|it| StatementChange::of(it, base, head, is_changed)).collect();
    let weight = |it: &StatementChange| {
        let is_same = it.fate == StatementFate::Same;
        (if is_same { 0.0 } else { it.difference().abs() }, it.head)
    };
    statements.sort_by(|a, b| {
        let (a, b) = (weight(a), weight(b));
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    ServiceCalls {
        scenario: scenario.to_owned(),
        service: name.clone(),
        protocol: *protocol,
        obstacle: *obstacle,
        base: base.map(rates),
        head: head.map(rates),
        statements,
    }
}

/// What is known of the calls of a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LaunchCounts {
    /// Calls were not counted.
    None,
    /// They were, and this metric of them could not be.
    Hidden,
    /// By slice.
    Slices(Vec<SliceCount>),
}

impl LaunchCounts {
    pub(super) fn of(launch: &LaunchResult, metric: Metric) -> Self {
        let Some(LaunchCalls { slices, has_queries, .. }) = &launch.calls else {
            return Self::None;
        };
        if metric == Metric::Queries && !has_queries {
            return Self::Hidden;
        }
        let answered = slices.iter().filter(|slice| slice.requests > 0);
        let count = answered.filter_map(|slice| {
            Some(SliceCount { requests: slice.requests, calls: slice.calls(metric)? })
        });
        Self::Slices(count.collect())
    }

    fn slices(self) -> Option<Vec<SliceCount>> {
        match self {
            Self::Slices(slices) => Some(slices),
            Self::None | Self::Hidden => None,
        }
    }
}

/// What the calls of a scenario's launches are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallEvidence {
    /// They were not counted, on no side or only on one that says nothing by itself.
    None,
    /// They could be counted on one side only.
    OneSide,
    /// They were counted; base is empty where head was measured alone.
    Counted(CallSamples),
}

/// Returns what was counted of a metric in all launches.
pub(super) fn evidence(scenario: &ScenarioRun, metric: Metric) -> CallEvidence {
    let of = |launches: Vec<&LaunchResult>| -> Vec<LaunchCounts> {
        launches.into_iter().map(|launch| LaunchCounts::of(launch, metric)).collect()
    };
    let head = of(scenario.head());
    let base = match &scenario.trials {
        LaunchResults::Paired(pairs) => of(pairs.iter().map(|pair| &pair.base).collect()),
        LaunchResults::Single(_) => Vec::new(),
    };
    let counted = |side: Vec<LaunchCounts>| {
        side.into_iter().map(LaunchCounts::slices).collect::<Option<Vec<_>>>()
    };
    if !counts_the_same(scenario) {
        return CallEvidence::OneSide;
    }
    match (counted(base), counted(head)) {
        (Some(base), Some(head)) if !head.is_empty() => {
            CallEvidence::Counted(CallSamples { base, head })
        }
        (Some(side), None) | (None, Some(side)) if !side.is_empty() => CallEvidence::OneSide,
        (Some(_) | None, Some(_) | None) => CallEvidence::None,
    }
}

/// Whether all launches add up the calls of the same services: one whose calls a change made unreadable is missing from
/// one side's sum.
fn counts_the_same(scenario: &ScenarioRun) -> bool {
    let launches: Vec<&LaunchResult> = match &scenario.trials {
        LaunchResults::Paired(pairs) => {
            pairs.iter().flat_map(|pair| [&pair.base, &pair.head]).collect()
        }
        LaunchResults::Single(launches) => launches.iter().collect(),
    };
    let mut hidden = launches.iter().filter_map(|launch| Some(&launch.calls.as_ref()?.hidden));
    let first = hidden.next();
    hidden.all(|hidden| Some(hidden) == first)
}

/// Returns the calls a request of a launch, or of several; none where they are not known, or not of all services.
pub(super) fn level(launches: &[&LaunchResult], metric: Metric) -> Option<f64> {
    let is_partial = |launch: &&LaunchResult| {
        launch.calls.as_ref().is_some_and(|calls| !calls.hidden.is_empty())
    };
    if launches.iter().any(is_partial) {
        return None;
    }
    let slices = launches.iter().map(|launch| LaunchCounts::of(launch, metric).slices());
    calls::level(&slices.collect::<Option<Vec<_>>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Comparison, ComparisonOutcome, MetricFinding};
    use record::fixtures::{LEVEL, call, limits, paired};

    /// The verdict on a metric of calls, its values, and the statements with what became of them.
    fn judged(statements: &[(&str, u64, u64)]) -> (Option<Verdict>, Vec<(String, StatementFate)>) {
        let mut run = paired(1, LEVEL, LEVEL);
        call(&mut run, statements);
        let comparison = Comparison::of(&run).unwrap();
        let row = comparison.rows.iter().find(|row| row.metric == Metric::Queries).unwrap();
        let fates = comparison.calls[0].statements.iter().map(|it| (it.statement.clone(), it.fate));
        (row.verdict(), fates.collect())
    }

    fn named(fates: &[(&str, StatementFate)]) -> Vec<(String, StatementFate)> {
        fates.iter().map(|(statement, fate)| ((*statement).to_owned(), *fate)).collect()
    }

    #[test]
    fn one_launch_pair_shows_which_statements_were_added() {
        let (verdict, fates) = judged(&[("A", 1, 1), ("B", 1, 11), ("C", 0, 1)]);
        assert_eq!(verdict, Some(Verdict::Regressed));
        let expected = [
            ("B", StatementFate::MoreOften),
            ("C", StatementFate::New),
            ("A", StatementFate::Same),
        ];
        assert_eq!(fates, named(&expected));
    }

    #[test]
    fn one_statement_for_another_is_no_change_of_the_number_and_is_named() {
        let (verdict, fates) = judged(&[("A", 1, 0), ("B", 0, 1)]);
        assert_eq!(verdict, Some(Verdict::Unchanged));
        assert_eq!(fates, named(&[("B", StatementFate::New), ("A", StatementFate::Gone)]));
        assert_eq!(judged(&[("A", 3, 2)]).0, Some(Verdict::Improved));
        assert_eq!(judged(&[("A", 3, 3)]).0, Some(Verdict::Unchanged));
    }

    #[test]
    fn a_statement_that_one_side_may_count_among_others_is_neither_new_nor_gone() {
        let others = "(others)";
        let fates = judged(&[("A", 0, 1), ("B", 1, 0), ("C", 1, 9), (others, 5, 0)]).1;
        let expected = [
            ("C", StatementFate::MoreOften),
            ("B", StatementFate::Gone),
            ("A", StatementFate::Same),
            (others, StatementFate::Same),
        ];
        assert_eq!(fates, named(&expected));
    }

    /// The sum of two services less one is not the sum of the other.
    #[test]
    fn a_service_that_one_side_hides_is_missing_from_no_sum() {
        let mut run = paired(1, LEVEL, LEVEL);
        run.scenarios[0].limits = limits(&[("queries", "<= 3")]);
        call(&mut run, &[("A", 12, 2)]);
        let hide = |launch: &mut LaunchResult| {
            launch.calls.as_mut().unwrap().hidden = vec!["db".to_owned()];
        };
        let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { panic!("paired") };
        hide(&mut pairs[0].head);
        let finding = |run: &Run| {
            let comparison = Comparison::of(run).unwrap();
            let row = comparison.rows.iter().find(|row| row.metric == Metric::Queries).unwrap();
            (row.verdict(), row.finding.clone(), comparison.limits[0].measured)
        };
        let (verdict, row, limit) = finding(&run);
        assert_eq!((verdict, limit), (None, None), "{row:?}");
        assert!(matches!(row, MetricFinding::Missing(_)), "{row:?}");
        // Where both hide it, what both show is compared; a limit is about all of them.
        let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { panic!("paired") };
        hide(&mut pairs[0].base);
        let (verdict, row, limit) = finding(&run);
        assert_eq!((verdict, limit), (Some(Verdict::Improved), None), "{row:?}");
    }

    #[test]
    fn a_limit_on_queries_is_held_against_the_number_of_head() {
        let mut run = paired(1, LEVEL, LEVEL);
        run.scenarios[0].limits = limits(&[("queries", "<= 3"), ("round-trips", "<= 1")]);
        let holds = |run: &Run| {
            let limits = Comparison::of(run).unwrap().limits;
            limits.iter().map(|it| (it.measured, it.holds())).collect::<Vec<_>>()
        };
        // What was not counted is not kept.
        assert_eq!(holds(&run), [(None, false), (None, false)]);
        call(&mut run, &[("A", 1, 4)]);
        assert_eq!(holds(&run), [(Some(4.0), false), (Some(1.0), true)]);
    }

    #[test]
    fn what_is_hidden_on_one_side_is_missing_and_on_both_is_no_row() {
        let mut run = paired(1, LEVEL, LEVEL);
        call(&mut run, &[("A", 1, 1)]);
        let hide = |launch: &mut LaunchResult| launch.calls.as_mut().unwrap().has_queries = false;
        let queries = |run: &Run| {
            let comparison = Comparison::of(run).unwrap();
            let mut rows = comparison.rows.into_iter();
            (comparison.outcome, rows.find(|row| row.metric == Metric::Queries))
        };
        let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { panic!() };
        hide(&mut pairs[0].head);
        let (outcome, row) = queries(&run);
        assert!(matches!(row.unwrap().finding, MetricFinding::Missing(_)));
        assert_eq!(outcome, ComparisonOutcome::Inconclusive);
        let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { panic!() };
        hide(&mut pairs[0].base);
        assert!(queries(&run).1.is_none());
    }
}
