//! Sets one measurement against a scenario's limits while the load goes on: may it fail, does a rate
//! hold. What a report says of limits is computed from the record, in `compare`.

use load::measure;
use load::measure::Measurement;
use record::metric::Metric;
use record::metric::limit::{Limit, LimitQuantity};

/// Returns whether every limit is kept that one measurement can break. A time is the response time:
/// what is due counts, whether or not it could be sent.
pub(super) fn kept(limits: &[Limit], measurement: &Measurement) -> bool {
    let speaks_of_errors = limits.iter().any(|limit| limit.quantity == LimitQuantity::Errors);
    let fails = !speaks_of_errors && measurement.failed() > 0;
    let holds =
        |limit: &Limit| value(limit.quantity, measurement).is_none_or(|value| limit.holds(value));
    !fails && limits.iter().all(holds)
}

/// Returns the share of failed requests that the limits allow; none, if they do not speak of it.
pub(super) fn allowed_errors(limits: &[Limit]) -> f64 {
    let errors = limits.iter().find(|limit| limit.quantity == LimitQuantity::Errors);
    errors.map_or(0.0, |limit| limit.value)
}

/// The measured value of a quantity, if one measurement can say it.
pub(super) fn value(quantity: LimitQuantity, measurement: &Measurement) -> Option<f64> {
    let quantile = |quantile: f64| {
        let value = measure::percentile(measurement.response(), quantile);
        // Too few requests for the percentile: the slowest of them stands for it.
        Some(units::exact(value.unwrap_or(measurement.response().max())))
    };
    match quantity {
        LimitQuantity::Errors => {
            let failed = units::exact(measurement.failed());
            Some(failed / (failed + units::exact(measurement.answered())).max(1.0))
        }
        LimitQuantity::Metric(Metric::Latency) => Some(measurement.response().mean()),
        // The rate is what is being searched for; metrics that are no quantiles are not about one moment.
        LimitQuantity::Metric(metric) => metric.quantile().and_then(quantile),
        LimitQuantity::Growth => None,
    }
}
