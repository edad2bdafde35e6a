//! What a change costs in a month: processor time, and by the rates of the configuration money and energy.
//!
//! The CPU time of a request in base, times the requests of a month, times the change. Nothing but the change is
//! uncertain here: its interval is that of the row *CPU*, so it holds as often as that one does. A price decides nothing.

use record::cost::CostRates;
use record::metric::Metric;
use record::{Run, ScenarioRun};

use crate::{ChangeEstimate, MetricResult};

/// Nanoseconds in an hour.
const HOUR_NS: f64 = 3_600e9;

/// What the change of a scenario costs, if every request of a month is one of its requests.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangePrice {
    /// Name of the scenario.
    pub scenario: String,
    /// What it was reckoned by.
    pub rates: CostRates,
    /// Hours of a processor.
    pub cpu_hours: MonthlyAmount,
    /// Money, in US dollars.
    pub usd: MonthlyAmount,
    /// Energy in kilowatt hours, if the power of a processor is known.
    pub kwh: Option<MonthlyAmount>,
}

/// How much more head takes in a month than base; below 0 if it takes less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthlyAmount {
    /// The estimate.
    pub estimate: f64,
    /// Lower limit.
    pub low: f64,
    /// Upper limit.
    pub high: f64,
}

impl MonthlyAmount {
    /// The amount of a change to what base takes.
    fn of(base: f64, change: ChangeEstimate) -> Self {
        Self {
            estimate: base * change.estimate_ln.exp_m1(),
            low: base * change.low_ln.exp_m1(),
            high: base * change.high_ln.exp_m1(),
        }
    }

    fn times(self, rate: f64) -> Self {
        Self { estimate: self.estimate * rate, low: self.low * rate, high: self.high * rate }
    }

    fn is_finite(self) -> bool {
        self.estimate.is_finite() && self.low.is_finite() && self.high.is_finite()
    }
}

/// Returns the price of each scenario whose CPU time was compared, in the order of the rows.
pub(super) fn of(run: &Run, rows: &[MetricResult]) -> Vec<ChangePrice> {
    let Some(rates) = run.cost else { return Vec::new() };
    let of_scenarios =
        rows.iter().filter(|row| row.metric == Metric::Cpu && row.operation.is_none());
    of_scenarios.filter_map(|row| price(run, row, rates)).collect()
}

/// Nothing where too few launch pairs leave the interval open.
fn price(run: &Run, row: &MetricResult, rates: CostRates) -> Option<ChangePrice> {
    let scenario = run.scenarios.iter().find(|scenario| scenario.name == row.scenario)?;
    let requests_ns = row.base? * units_per_request(scenario) * rates.requests_per_month;
    let cpu_hours = MonthlyAmount::of(requests_ns / HOUR_NS, row.change()?);
    let usd = cpu_hours.times(rates.usd_per_vcpu_hour);
    let kwh = rates.watts_per_vcpu.map(|watts| cpu_hours.times(watts / 1_000.0));
    let amounts = [Some(cpu_hours), Some(usd), kwh];
    let is_known = amounts.into_iter().flatten().all(MonthlyAmount::is_finite);
    is_known.then(|| ChangePrice { scenario: row.scenario.clone(), rates, cpu_hours, usd, kwh })
}

/// A request holds several units of work, or a unit takes several requests.
fn units_per_request(scenario: &ScenarioRun) -> f64 {
    units::exact(scenario.pairs_per_request) / units::exact(scenario.requests_per_unit.max(1))
}

#[cfg(test)]
mod tests {
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    use super::*;
    use crate::Comparison;

    const RATES: CostRates =
        CostRates { requests_per_month: 3.6e6, usd_per_vcpu_hour: 0.5, watts_per_vcpu: Some(10.0) };

    fn prices(change: impl FnOnce(&mut Run)) -> Vec<ChangePrice> {
        let mut run = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
        run.cost = Some(RATES);
        change(&mut run);
        Comparison::of(&run).unwrap().prices
    }

    /// Base takes 520 µs a request, head 10 % more: 52 µs in 3.6 million requests are 187.2 s.
    #[test]
    fn the_price_is_cpu_time_times_requests_times_the_change() {
        let prices = prices(|_| {});
        let [price] = prices.as_slice() else { panic!("{prices:?}") };
        let hours = 187.2 / 3_600.0;
        assert!((price.cpu_hours.estimate / hours - 1.0).abs() < 1e-2, "{price:?}");
        let MonthlyAmount { estimate, low, high } = price.cpu_hours;
        assert!(0.0 < low && low < estimate && estimate < high, "{price:?}");
        assert!((price.usd.low / low - 0.5).abs() < 1e-12);
        assert!((price.kwh.unwrap().high / high - 0.01).abs() < 1e-12);
    }

    #[test]
    fn more_requests_cost_more_and_units_are_reckoned_as_requests() {
        let once = prices(|_| {})[0].usd.estimate;
        let twice = prices(|run| run.cost = Some(CostRates { requests_per_month: 7.2e6, ..RATES }));
        assert!((twice[0].usd.estimate / once - 2.0).abs() < 1e-12);
        // The CPU time is that of a unit: where four requests are one, each takes a quarter of it.
        let flow = prices(|run| run.scenarios[0].requests_per_unit = 4);
        assert!((flow[0].usd.estimate / once - 0.25).abs() < 1e-9, "{flow:?}");
    }

    #[test]
    fn there_is_no_price_without_rates_or_without_an_interval() {
        assert_eq!(prices(|run| run.cost = None), []);
        let few = prices(|run| {
            if let record::LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials {
                pairs.truncate(2);
            }
        });
        assert_eq!(few, []);
        // A record of another person may say anything.
        assert_eq!(
            prices(|run| run.cost =
                Some(CostRates { requests_per_month: 1e308, usd_per_vcpu_hour: 1e308, ..RATES })),
            []
        );
    }
}
