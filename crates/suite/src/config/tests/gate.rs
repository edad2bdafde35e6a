//! What a configuration says of verdicts: rules by metric, scenario and operation.

use record::metric::Metric;
use record::metric::gate::MetricPolicy;

use super::{read, refusal};

#[test]
fn gate_rules_are_merged_over_the_defaults() {
    let gate = read("[gate]\nfloor = { cpu = 0.02 }\npolicy = { p95 = \"gate\" }\n").unwrap().gate;
    assert_eq!(gate.rule(Metric::P95).policy, MetricPolicy::Gate);
    assert!((gate.rule(Metric::Cpu).floor.0 - 0.02).abs() < 1e-12);
    assert!((gate.rule(Metric::Latency).floor.0 - 0.01).abs() < 1e-12);
}

#[test]
fn a_tolerance_of_what_is_counted_is_its_floor_unless_there_is_one() {
    let gate = |table: &str| {
        let text = format!(
            "[gate]\n{table}\n[[scenario]]\nname = \"large\"\n\
                            gate = {{ tolerance = {{ work = 0.06, cpu = 0.06 }} }}\n"
        );
        read(&text).unwrap().gate
    };
    let floor = |gate: &record::metric::gate::GateRules, metric| gate.rule(metric).floor.0;
    let wide = gate("tolerance = { work = 0.04, cpu = 0.04 }");
    assert_eq!((floor(&wide, Metric::Work), floor(&wide, Metric::Cpu)), (0.04, 0.01));
    let own = |metric| wide.rule_in("large", metric).unwrap().floor.0;
    assert_eq!((own(Metric::Work), own(Metric::Cpu)), (0.06, 0.01));
    let both = gate("tolerance = { work = 0.04 }\nfloor = { work = 0.01 }");
    assert_eq!((floor(&both, Metric::Work), floor(&gate(""), Metric::Work)), (0.01, 0.005));
}

#[test]
fn a_scenario_may_have_floors_tolerances_and_minima_of_its_own() {
    let text = "[gate]\ntolerance = { cpu = 0.04 }\n[[scenario]]\nname = \"noisy\"\n\
                gate = { floor = { cpu = 0.02 }, minimum = { tail = \"1 ms\" } }\n\
                [[scenario]]\nname = \"plain\"\n";
    let gate = read(text).unwrap().gate;
    let rule = |scenario: &str, metric| gate.rule_in(scenario, metric).unwrap();
    let cpu = rule("noisy", Metric::Cpu);
    assert!((cpu.floor.0 - 0.02).abs() < 1e-12 && (cpu.tolerance.0 - 0.04).abs() < 1e-12);
    assert_eq!(rule("noisy", Metric::Tail).minimum, Some(1e6));
    assert_eq!(rule("noisy", Metric::Latency), gate.rule(Metric::Latency));
    assert_eq!(rule("plain", Metric::Cpu), gate.rule(Metric::Cpu));
    let wrong = "[[scenario]]\nname = \"a\"\ngate = { minimum = { cpu = \"2 MiB\" } }\n";
    assert!(refusal(wrong).starts_with("xmlperf.toml:3:"), "{}", refusal(wrong));
}

#[test]
fn an_operation_may_have_rules_of_its_own_over_those_of_its_scenario() {
    let operation = "[[operation]]\nname = \"read\"\nmethod = \"GET\"\n";
    let own = "gate = { tolerance = { latency = 0.2 } }\n";
    let search = "[[operation]]\nname = \"search\"\nmethod = \"GET\"\n";
    let scenario = "[[scenario]]\nname = \"traffic\"\nmix = { read = 1, search = 1 }\n\
                    gate = { floor = { latency = 0.04 } }\n";
    let gate = read(&format!("{operation}{own}{search}{scenario}")).unwrap().gate;
    let rule = |name: &str| {
        let name = record::OperationName::try_from(name.to_owned()).unwrap();
        let rule = gate.rule_of_operation("traffic", &name, Metric::Latency).unwrap();
        (rule.floor.0, rule.tolerance.0)
    };
    assert_eq!((rule("read"), rule("search")), ((0.04, 0.2), (0.04, 0.03)));
    let whole = gate.rule_in("traffic", Metric::Latency).unwrap();
    assert!((whole.tolerance.0 - 0.03).abs() < 1e-12);
    let wrong = format!("{operation}gate = {{ tolerance = {{ cpu = 0.2 }} }}\n{scenario}");
    assert!(refusal(&wrong).starts_with("xmlperf.toml:4:"), "{}", refusal(&wrong));
}

#[test]
fn a_minimum_is_read_in_the_unit_of_its_metric() {
    let gate = read("[gate]\nminimum = { latency = \"5 us\", memory = \"2 MiB\" }\n").unwrap().gate;
    assert_eq!(gate.rule(Metric::Latency).minimum, Some(5_000.0));
    assert_eq!(gate.rule(Metric::Memory).minimum, Some(2_097_152.0));
    insta::assert_snapshot!(refusal("[gate]\nminimum = { cpu = \"2 MiB\" }\n"), @r#"
    xmlperf.toml:2:19: `2 MiB` is not a duration such as `500 ms`, `30 s`, `3 m` or `1 h`

        minimum = { cpu = "2 MiB" }
    "#);
}
