//! What a configuration says, and what is said of a wrong one.

mod digest;
mod gate;
mod load;
mod operation;
mod payload;
mod target;

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::{LoadAmount, LoadSettings, LoadTime, ReferenceChoice, TargetSource, WarmUpPlan};

fn read(text: &str) -> Result<Suite, ConfigError> {
    parse(text, "xmlperf.toml", Path::new("/checkout"), &ConfigOverrides::default())
}

/// What `init` writes for an XML-Compare-API.
fn template() -> String {
    initial(&init_file::tests::compare_api(), None)
}

/// What is wrong with a text, as the program shows it.
fn refusal(text: &str) -> String {
    shown(&read(text).expect_err(text))
}

/// An error with its causes, its help, and the line that it marks.
fn shown(error: &ConfigError) -> String {
    let mut shown = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        shown = format!("{shown}: {cause}");
        source = cause.source();
    }
    if let Some(help) = error.help() {
        shown = format!("{shown}\n\nhint: {help}");
    }
    if let ConfigError::File(file) = error {
        shown = format!("{shown}\n\n    {}", file.excerpt());
    }
    shown
}

#[test]
fn nothing_written_means_the_reference_api_under_the_default_scenarios() {
    let names = |text: &str| {
        let suite = read(text).unwrap();
        let names = suite.scenarios.into_iter().map(|scenario| scenario.name);
        (names.collect::<Vec<_>>().join(" "), suite.sampling.load)
    };
    let suite = read("").unwrap();
    assert_eq!(suite.target.origin, TargetSource::Embedded(ReferenceChoice::Default));
    assert_eq!(suite.scenarios[0].load, LoadSettings::closed(1, LoadAmount::Time));
    let check = |text: &str, scenarios: &str, load: LoadTime| {
        assert_eq!(names(text), (scenarios.to_owned(), load), "{text}");
    };
    let ms = Duration::from_millis;
    let usual = LoadTime::Fitted { least: ms(200), usual: ms(1_000) };
    let shared = LoadTime::Fitted { least: ms(100), usual: ms(150) };
    let given = LoadTime::Given(Duration::from_secs(2));
    check("", "smoke concurrent large", shared);
    check("[sampling]\nload = \"2 s\"\n", "smoke concurrent large", given);
    // Invoices are not for a target with documents of its own.
    check("[payload]\npreset = \"depth-mix\"\n", "smoke concurrent", shared);
    check("[request]\nkind = \"soap12\"\n", "smoke concurrent", shared);
    check("[[scenario]]\nname = \"smoke\"\n", "smoke", usual);
    let one = ConfigOverrides { scenarios: vec!["large".to_owned()], ..Default::default() };
    let one = parse("", "xmlperf.toml", Path::new("/checkout"), &one).unwrap();
    assert_eq!((one.scenarios.len(), one.sampling.load), (1, usual));
}

#[test]
fn the_template_is_understood_and_its_comments_show_the_defaults() {
    let template = template();
    let written = read(&template).unwrap();
    let uncommented = template
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") || rest.starts_with('[') => rest,
            Some(_) | None => line,
        })
        .filter(|line| {
            const NO_DEFAULT: [&str; 23] = [
                "load",
                "warm-up",
                "gate",
                "client-cert",
                "ca",
                "cpu-quota",
                "image",
                "port",
                "engine",
                "latency",
                "jitter",
                "bandwidth",
                "resets",
                "url",
                "memory",
                "env",
                "policy",
                "template",
                "content-type",
                "headers",
                "expect",
                "corpus",
                "mix",
            ];
            NO_DEFAULT.iter().all(|key| !line.starts_with(&format!("{key} =")))
        })
        .collect::<Vec<_>>()
        .join("\n");
    let full = read(&uncommented).unwrap();
    assert_eq!(full.sampling, written.sampling);
    assert_eq!(full.target.ready_timeout, written.target.ready_timeout);
    assert_eq!(full.gate, written.gate);
    assert_eq!(full.scenarios.len(), 4);
}

#[test]
fn a_preset_lends_its_load_and_limits_to_a_scenario_of_its_name() {
    let suite = read("[[scenario]]\nname = \"nominal\"\n").unwrap();
    assert_eq!(suite.scenarios[0].load, LoadSettings::closed(1, LoadAmount::Requests(1)));
    assert_eq!(suite.scenarios[0].limits.len(), 4);
}

#[test]
fn the_scenarios_of_a_first_configuration_differ_in_what_they_can_show() {
    let suite = read(&template()).unwrap();
    let names: Vec<_> = suite.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(names, ["smoke", "concurrent", "large"]);
    let shipped =
        read("[[scenario]]\nname = \"large\"\n[[scenario]]\nname = \"concurrent\"\n").unwrap();
    assert_eq!(
        shipped.scenarios[0].first().payload.digest(),
        suite.scenarios[2].first().payload.digest()
    );
    assert_eq!(shipped.scenarios[1].load, suite.scenarios[1].load);
}

#[test]
fn times_are_read_with_their_unit() {
    let suite = read("[sampling]\nwarm-up = \"2 s\"\n").unwrap();
    assert_eq!(suite.sampling.warm_up, WarmUpPlan::For(Duration::from_secs(2)));
    let suite = read("[sampling]\nwarm-up = \"steady\"\n").unwrap();
    assert_eq!(suite.sampling.warm_up, WarmUpPlan::Steady);
    assert!(refusal("[sampling]\nwarm-up = \"cold\"\n").contains("neither is it \"steady\""));
}

#[test]
fn what_is_wrong_is_named_with_line_key_and_a_way_out() {
    insta::assert_snapshot!(refusal("[gate]\nalfa = 0.01\n"), @"
    xmlperf.toml:2:1: unknown field `alfa`, expected one of `alpha`, `floor`, `tolerance`, `minimum`, `policy`

        alfa = 0.01
    ");
    insta::assert_snapshot!(refusal("[target]\nready-timeout = \"soon\"\n"), @r#"
    xmlperf.toml:2:17: `soon` is not a duration such as `500 ms`, `30 s`, `3 m` or `1 h`

        ready-timeout = "soon"
    "#);
    insta::assert_snapshot!(refusal("[target]\nstart = \"./api\"\n"), @r#"
    xmlperf.toml:2:9: the target would not learn its port: write `{port}` in `start`, or name a variable by `port-env`

        start = "./api"
    "#);
    insta::assert_snapshot!(refusal("[[scenario]]\nname = \"a\"\npairs = 0\n"), @"
    xmlperf.toml:3:9: 0 is not a whole number from 1 on

        pairs = 0
    ");
    insta::assert_snapshot!(refusal("[[scenario]]\nname = \"a\"\nlimits = { p95 = \"300 s\" }\n"), @r#"
    xmlperf.toml:3:10: `300 s` does not begin with `<=` or `>=`

        limits = { p95 = "300 s" }
    "#);
    insta::assert_snapshot!(refusal("[[scenario]]\nname = \"a\"\n[[scenario]]\nname = \"a\"\n"), @r#"
    xmlperf.toml:4:8: a second scenario has the name `a`

        name = "a"
    "#);
    insta::assert_snapshot!(refusal("[request]\nkind = \"grpc\"\n"), @r#"
    xmlperf.toml:2:8: unknown request kind `grpc`; there are xml-compare, xml-compare-batch, raw-xml, soap11, soap12, template

        kind = "grpc"
    "#);
    insta::assert_snapshot!(refusal("[gate]\nalpha = 5\n"), @"
    xmlperf.toml:2:9: 5 is not an error rate from 0.000001 to 0.2, such as 0.01 for 1 %

        alpha = 5
    ");
    insta::assert_snapshot!(refusal("[sampling]\nlooks = [20, 10]\n"), @"
    xmlperf.toml:2:9: looks are rising numbers of launch pairs from 5 on, of which the last counts; write `launch-pairs = 50`

        looks = [20, 10]
    ");
    insta::assert_snapshot!(refusal("[target\n"), @"
    xmlperf.toml:1:8: unclosed table, expected `]`

        [target
    ");
}

#[test]
fn the_last_look_of_an_old_configuration_is_the_cap() {
    let sampling = |text: &str| read(text).unwrap().sampling;
    assert_eq!(sampling("[sampling]\nlooks = [10, 14, 20]\n").launch_pairs_max, 20);
    assert!(sampling("[sampling]\nlooks = [10]\n").has_looks);
    let named = sampling("[sampling]\nlaunch-pairs = 12\n");
    assert_eq!((named.launch_pairs_max, named.has_looks), (12, false));
    assert_eq!(sampling("").launch_pairs_max, 50);
}

#[test]
fn a_network_is_that_of_the_scenario_of_the_suite_or_of_the_flag() {
    let text = "[network]\nlatency = \"20 ms\"\n\
                [[scenario]]\nname = \"far\"\n\
                [[scenario]]\nname = \"near\"\nnetwork = {}\n\
                [[scenario]]\nname = \"bad\"\nnetwork = { resets = \"1 %\" }\n";
    let networks = |choice: &ConfigOverrides| {
        let suite = parse(text, "xmlperf.toml", Path::new("."), choice).unwrap();
        let network = |scenario: &crate::Scenario| {
            scenario.network.map_or_else(|| "none".to_owned(), |network| network.to_string())
        };
        (suite.scenarios.iter().map(network).collect::<Vec<_>>().join("; "), suite.digest)
    };
    let (written, digest) = networks(&ConfigOverrides::default());
    assert_eq!(written, "20.0 ms each way; none; 1 % resets");
    let flag = ConfigOverrides {
        network: Some(NetworkConditions::parse("latency=0s").unwrap()),
        ..<_>::default()
    };
    let (none, other) = networks(&flag);
    assert_eq!(none, "none; none; none");
    assert_ne!(digest, other);
    insta::assert_snapshot!(refusal("[network]\nlatency = \"1 ms\"\njitter = \"2 ms\"\n"), @"
    xmlperf.toml:1:1: a jitter of 2.00 ms is more than the latency, 1.00 ms

        [network]
    ");
    insta::assert_snapshot!(refusal("[network]\nbandwidth = \"10 MB\"\n"), @r#"
    xmlperf.toml:2:13: `10 MB` is not a bandwidth such as `10 Mbit/s` or `1 Gbit/s`

        bandwidth = "10 MB"
    "#);
}

#[test]
fn a_scenario_that_does_not_exist_is_answered_with_those_that_do() {
    let choice = ConfigOverrides { scenarios: vec!["smoky".to_owned()], ..<_>::default() };
    let error = parse("", "xmlperf.toml", Path::new("."), &choice).unwrap_err();
    insta::assert_snapshot!(shown(&error), @"
    there is no scenario `smoky`

    hint: there are smoke, concurrent, large, nominal, soak, stress, capacity, extreme; for several of them, repeat `--scenario`
    ");
}

#[test]
fn every_shipped_scenario_is_found_by_its_name() {
    for preset in PRESETS {
        let choice = ConfigOverrides { scenarios: vec![preset.name.to_owned()], ..<_>::default() };
        let suite = parse("", "xmlperf.toml", Path::new("."), &choice).unwrap();
        assert_eq!(suite.scenarios[0].name, preset.name);
        assert_eq!(suite.scenarios[0].first().payload.pairs, preset.pairs);
        assert!(!suite.scenarios[0].limits.is_empty());
    }
}

#[test]
fn rates_and_costs_are_counted_in_the_unit_of_the_scenario() {
    let units = |text: &str| {
        let suite = read(text).unwrap();
        suite.scenarios.iter().map(|it| it.unit.to_string()).collect::<Vec<_>>().join(", ")
    };
    let shared = "[[scenario]]\nname = \"a\"\n[[scenario]]\nname = \"b\"\nunit = \"order\"\n";
    assert_eq!(units(shared), "XML pair, order");
    assert_eq!(units(&format!("[request]\nkind = \"soap11\"\n{shared}")), "request, order");
    let limit = |unit: &str, limit: &str| {
        let limits = format!("limits = {{ throughput = \"{limit}\" }}");
        format!("[request]\nkind = \"raw-xml\"\n[[scenario]]\nname = \"a\"\n{unit}{limits}\n")
    };
    for text in [
        limit("", ">= 5 requests/s"),
        limit("", ">= 5 pairs/s"),
        limit("unit = \"order\"\n", ">= 5 orders/s"),
    ] {
        let suite = read(&text).unwrap();
        assert_eq!(suite.scenarios[0].limits[0].value.to_string(), "5");
    }
    insta::assert_snapshot!(refusal(&limit("unit = \"order\"\n", ">= 5 requests/s")), @r#"
    xmlperf.toml:6:25: the scenario is counted in another unit: write `>= 5 orders/s`

        limits = { throughput = ">= 5 requests/s" }
    "#);
    assert!(refusal("[[scenario]]\nname = \"a\"\nunit = \"A/B\"\n").contains("not a unit of work"));
}
