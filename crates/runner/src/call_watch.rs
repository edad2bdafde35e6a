//! Counts what a target calls while it is driven, by slice, operation and statement.

use std::thread;
use std::time::Duration;

use record::calls::{CallSlice, LaunchCalls, LaunchDependency, SideCalls};
use record::{CallProtocol, LaunchResult, StatementCount};
use sut::{CallTotals, DependencyCalls, Target};

/// A launch's result, and what was called in it.
pub(super) struct DrivenLaunch {
    pub(super) result: LaunchResult,
    pub(super) dependencies: Vec<LaunchDependency>,
}

/// What a target has called since the watch began.
pub(super) struct CallWatch {
    /// All that it had called when the load began.
    before: Vec<DependencyCalls>,
    /// What it had called when the last slice ended.
    last: Vec<CallTotals>,
    slices: Vec<CallCounts>,
    /// By the number of the operation, where there are several.
    operations: Vec<CallCounts>,
}

/// What was called of each service while so many requests were answered.
#[derive(Debug, Clone, Default)]
pub(super) struct CallCounts {
    requests: u64,
    totals: Vec<CallTotals>,
}

impl CallCounts {
    /// Adds a request, and what was called between two moments.
    pub(super) fn add(&mut self, before: &[CallTotals], after: &[CallTotals]) {
        self.requests += 1;
        let since = after.iter().zip(before).map(|(after, before)| after.since(*before));
        if self.totals.is_empty() {
            self.totals = since.collect();
        } else {
            self.totals.iter_mut().zip(since).for_each(|(sum, more)| *sum = sum.with(more));
        }
    }
}

impl CallWatch {
    /// Begins to watch a target that is at rest; none of one whose calls are not counted.
    /// What was counted by operation before is kept.
    pub(super) fn begin(target: &Target, operations: Vec<CallCounts>) -> Option<Self> {
        settle(target);
        let before = target.calls();
        let last = before.iter().map(|it| it.totals).collect();
        let slices = Vec::new();
        (!before.is_empty()).then_some(Self { before, last, slices, operations })
    }

    /// Takes note of a slice that has ended, in which so many requests were answered.
    pub(super) fn end_slice(&mut self, target: &Target, requests: u64) {
        settle(target);
        let now = target.call_totals();
        let since = now.iter().zip(&self.last).map(|(now, last)| now.since(*last));
        self.slices.push(CallCounts { requests, totals: since.collect() });
        self.last = now;
    }

    /// Returns what was called since the watch began: by slice, by operation, and by service.
    pub(super) fn finish(
        self,
        target: &Target,
    ) -> (Option<LaunchCalls>, Vec<Option<LaunchCalls>>, Vec<LaunchDependency>) {
        let after = target.calls();
        let requests = self.slices.iter().map(|it| it.requests).sum();
        let slices = launch_calls(&self.slices, &after);
        let operation = |counts: &CallCounts| launch_calls(std::slice::from_ref(counts), &after);
        let operations = self.operations.iter().map(operation).collect();
        let both = after.iter().zip(&self.before);
        let dependencies = both.map(|(after, before)| dependency(after, before, requests));
        (slices, operations, dependencies.collect())
    }
}

/// Waits until a target calls nothing any more, as one does that answers before its work is done; not for long, as
/// some never rest.
fn settle(target: &Target) {
    const PAUSE: Duration = Duration::from_millis(1);
    const PAUSES_MAX: u32 = 20;
    let mut last = target.call_totals();
    if last.is_empty() {
        return;
    }
    for _ in 0..PAUSES_MAX {
        thread::sleep(PAUSE);
        let now = target.call_totals();
        if now == last {
            break;
        }
        last = now;
    }
}

/// Adds up what was called of services whose calls can be read; nothing if there is none.
fn launch_calls(counts: &[CallCounts], services: &[DependencyCalls]) -> Option<LaunchCalls> {
    let readable: Vec<usize> =
        (0..services.len()).filter(|&place| services[place].obstacle.is_none()).collect();
    if readable.is_empty() {
        return None;
    }
    // One that was not called at all has no protocol, and no queries.
    let is_known = |place: &usize| services[*place].protocol != Some(CallProtocol::Bytes);
    let slice = |counts: &CallCounts| {
        let totals = readable.iter().filter_map(|place| counts.totals.get(*place));
        let sum = totals.fold(CallTotals::default(), |sum, more| sum.with(*more));
        CallSlice { requests: counts.requests, queries: sum.queries, round_trips: sum.round_trips }
    };
    Some(LaunchCalls {
        slices: counts.iter().map(slice).collect(),
        has_queries: readable.iter().any(is_known),
        hidden: services
            .iter()
            .filter(|it| it.obstacle.is_some())
            .map(|it| it.name.clone())
            .collect(),
    })
}

fn dependency(
    after: &DependencyCalls,
    before: &DependencyCalls,
    requests: u64,
) -> LaunchDependency {
    let executed = |(place, statement): (usize, &StatementCount)| {
        let earlier = before.statements.get(place).map_or(0, |it| it.count);
        let count = statement.count.saturating_sub(earlier);
        let statement = statement.statement.clone();
        (count > 0).then_some(StatementCount { statement, count })
    };
    let statements = after.statements.iter().enumerate().filter_map(executed).collect();
    LaunchDependency {
        name: after.name.clone(),
        protocol: after.protocol,
        obstacle: after.obstacle,
        calls: SideCalls::new(requests, after.totals.since(before.totals), statements),
    }
}
