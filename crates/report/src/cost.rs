//! What a change costs in a month, in a sentence for every format.

use compare::Comparison;
use compare::cost::{ChangePrice, MonthlyAmount};

use crate::wording;

/// Returns a sentence for each scenario that has a price.
pub(super) fn sentences(comparison: &Comparison) -> Vec<String> {
    comparison.prices.iter().map(sentence).collect()
}

fn sentence(price: &ChangePrice) -> String {
    let scenario = wording::quoted(&price.scenario);
    let amounts = [
        Some(amount(price.cpu_hours, "CPU hours")),
        Some(amount(price.usd, "USD")),
        price.kwh.map(|kwh| amount(kwh, "kWh")),
    ];
    let amounts: Vec<String> = amounts.into_iter().flatten().collect();
    let rates = price.rates;
    let power = rates.watts_per_vcpu.map(|watts| format!(" and {} W", number(watts)));
    format!(
        "{scenario} a month: {}; by {} requests, at {} USD{} a vCPU hour",
        amounts.join(", "),
        units::count(rates.requests_per_month),
        number(rates.usd_per_vcpu_hour),
        power.unwrap_or_default()
    )
}

/// `+14.2 CPU hours [+11.8, +16.9]`
fn amount(amount: MonthlyAmount, unit: &str) -> String {
    let MonthlyAmount { estimate, low, high } = amount;
    format!("{} {unit} [{}, {}]", signed(estimate), signed(low), signed(high))
}

fn signed(value: f64) -> String {
    let sign = if value < 0.0 { '−' } else { '+' };
    format!("{sign}{}", units::count(value.abs()))
}

/// A rate as it was written.
fn number(value: f64) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use record::cost::CostRates;
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    use super::*;
    use crate::terminal::{self, ColorMode, TerminalScreen};
    use crate::{agent, html, json, markdown};

    fn comparison(cost: Option<CostRates>) -> Comparison {
        let mut run = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
        run.cost = cost;
        Comparison::of(&run).unwrap()
    }

    fn rates(watts_per_vcpu: Option<f64>) -> CostRates {
        CostRates { requests_per_month: 2e8, usd_per_vcpu_hour: 0.04, watts_per_vcpu }
    }

    fn formats(comparison: &Comparison) -> [String; 5] {
        let mut terminal = Vec::new();
        let screen = TerminalScreen { width: 1_000, paint: ColorMode::Plain };
        terminal::write(&mut terminal, comparison, screen).unwrap();
        let terminal = String::from_utf8(terminal).unwrap();
        let markdown = markdown::render(comparison);
        [
            terminal,
            markdown,
            html::render(comparison),
            json::render(comparison),
            agent::render(comparison),
        ]
    }

    #[test]
    fn a_price_is_said_with_its_interval_and_what_it_is_reckoned_by() {
        let said = sentences(&comparison(Some(rates(Some(3.0))))).join("\n");
        insta::assert_snapshot!(said, @"`smoke` a month: +2.88 CPU hours [+2.78, +2.97], +0.12 USD [+0.11, +0.12], +0.01 kWh [+0.01, +0.01]; by 200 000 000 requests, at 0.04 USD and 3 W a vCPU hour");
        let without_power = sentences(&comparison(Some(rates(None)))).join("\n");
        insta::assert_snapshot!(without_power, @"`smoke` a month: +2.88 CPU hours [+2.78, +2.97], +0.12 USD [+0.11, +0.12]; by 200 000 000 requests, at 0.04 USD a vCPU hour");
    }

    #[test]
    fn every_format_says_it_if_it_is_configured_and_only_then() {
        for text in formats(&comparison(Some(rates(None)))) {
            assert!(text.contains("USD") || text.contains("\"usd\""), "{text}");
        }
        for text in formats(&comparison(None)) {
            assert!(!text.contains("USD") && !text.contains("\"usd\""), "{text}");
        }
    }
}
