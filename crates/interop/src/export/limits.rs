//! The limits of a scenario as other tools have them.

use record::metric::Metric;
use record::metric::limit::{Limit, LimitBound, LimitQuantity};

use crate::export::gap::ExportGap;
use crate::export::plan::ExportPlan;

/// A quantity that load tools measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolQuantity {
    /// Units of work per second.
    Throughput,
    /// A percentile of the times, by its rank.
    Percentile(u8),
    /// Share of requests that failed.
    Errors,
}

impl ToolQuantity {
    /// Returns the quantity of a limit, if a load tool measures it.
    pub(super) fn of(quantity: LimitQuantity) -> Option<Self> {
        match quantity {
            LimitQuantity::Metric(Metric::Throughput) => Some(Self::Throughput),
            LimitQuantity::Metric(Metric::P50) => Some(Self::Percentile(50)),
            LimitQuantity::Metric(Metric::P95) => Some(Self::Percentile(95)),
            LimitQuantity::Metric(Metric::P99) => Some(Self::Percentile(99)),
            LimitQuantity::Errors => Some(Self::Errors),
            LimitQuantity::Metric(_) | LimitQuantity::Growth => None,
        }
    }
}

/// Returns the limits on what no load tool measures.
pub(super) fn gaps(plan: &ExportPlan<'_>) -> Vec<ExportGap> {
    let unmeasured = |limit: &&Limit| ToolQuantity::of(limit.quantity).is_none();
    let whole = plan.scenario.limits.iter().filter(unmeasured);
    let mut gaps: Vec<_> = whole.map(|limit| ExportGap::Limit(limit.quantity)).collect();
    for (number, operation) in plan.scenario.operations.iter().enumerate() {
        let own = operation.limits.iter().filter(unmeasured);
        gaps.extend(own.map(|limit| ExportGap::OperationLimit {
            operation: plan.operation_name(number).to_owned(),
            quantity: limit.quantity,
        }));
    }
    gaps
}

/// Returns the sign of a limit.
pub(super) fn sign(limit: &Limit) -> &'static str {
    match limit.bound {
        LimitBound::AtMost => "<=",
        LimitBound::AtLeast => ">=",
    }
}

/// Returns whether failures have a limit; without one, none is right.
pub(super) fn allows_errors(plan: &ExportPlan<'_>) -> bool {
    plan.limits().any(|limit| limit.quantity == LimitQuantity::Errors)
}
