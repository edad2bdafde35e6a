use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::{
    AnswerTruth, LoadAmount, LoadSettings, LoadTime, ReferenceChoice, TargetSource, WarmUpPlan,
};
use proptest::prelude::*;
use record::canonical;
use record::metric::Metric;
use record::metric::gate::MetricPolicy;

pub(super) fn read(text: &str) -> Result<Suite, ConfigError> {
    parse(text, "xmlperf.toml", Path::new("/checkout"), &ConfigOverrides::default())
}

/// What `init` writes for an XML-Compare-API.
fn template() -> String {
    initial(&init_file::tests::compare_api(), None)
}

/// What is wrong with a text, as the program shows it.
pub(super) fn refusal(text: &str) -> String {
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
    let fitted = |ms| LoadTime::Fitted { usual: Duration::from_millis(ms) };
    let given = LoadTime::Given(Duration::from_secs(2));
    check("", "smoke concurrent large", fitted(150));
    check("[sampling]\nload = \"2 s\"\n", "smoke concurrent large", given);
    // Invoices are not for a target with documents of its own.
    check("[payload]\npreset = \"depth-mix\"\n", "smoke concurrent", fitted(150));
    check("[request]\nkind = \"soap12\"\n", "smoke concurrent", fitted(150));
    check("[[scenario]]\nname = \"smoke\"\n", "smoke", fitted(1_000));
    let one = ConfigOverrides { scenarios: vec!["large".to_owned()], ..Default::default() };
    let one = parse("", "xmlperf.toml", Path::new("/checkout"), &one).unwrap();
    assert_eq!((one.scenarios.len(), one.sampling.load), (1, fitted(1_000)));
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
            const NO_DEFAULT: [&str; 21] = [
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
fn base_knows_what_is_right_where_a_configuration_says_so() {
    let operations = "[request]\nexpect = \"base\"\n[[operation]]\nname = \"read\"\n\
                      [[operation]]\nname = \"create\"\nexpect = [{ status = 201 }]\n\
                      [[scenario]]\nname = \"traffic\"\nmix = { read = 1, create = 1 }\n";
    let suite = read(operations).unwrap();
    let truths = suite.scenarios[0].operations.iter().map(|operation| operation.truth);
    assert_eq!(truths.collect::<Vec<_>>(), [AnswerTruth::Base, AnswerTruth::Written]);
    insta::assert_snapshot!(refusal("[request]\nexpect = \"head\"\n"), @r#"
    xmlperf.toml:2:10: invalid value: string "head", expected "base", or a list such as [{ status = 201 }]

        expect = "head"
    "#);
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
fn an_image_and_limits_are_understood_or_refused_with_their_line() {
    let text =
        "[target]\nimage = \"api:1.2 --quiet\"\nport = 3000\nmemory = \"1 GiB\"\ncpu-quota = 1.5\n";
    let suite = read(text).unwrap();
    assert_eq!(suite.target.origin, TargetSource::Start("api:1.2 --quiet".to_owned()));
    assert_eq!(suite.target.container.as_ref().map(|it| it.port), Some(3000));
    assert_eq!(suite.target.limits.memory_bytes_max, Some(1 << 30));
    assert_ne!(suite.digest, read(&text.replace("1.5", "1")).unwrap().digest);
    let check = |text: &str, message: &str| {
        let refusal = refusal(&format!("[target]\n{text}\n"));
        assert!(refusal.contains(message), "{refusal}");
    };
    check("image = \"api\"", "an image needs `port`");
    check("image = \"api\"\nport = 80\nstart = \"./api {port}\"", "keep one");
    check("image = \"api\"\nport = 80\nbuild = \"docker build .\"", "--base-start IMAGE");
    check("port = 80", "only an `image` has a port inside");
    check("image = \"api\"\nport = 70000", "from 1 to 65535");
    check("cpu-quota = 0", "such as 1.5");
    check("url = \"http://127.0.0.1:1\"\nmemory = \"1 GiB\"", "cannot be limited");
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
fn the_digest_follows_what_shapes_the_numbers_and_nothing_else() {
    let digest = |text: &str| read(text).unwrap().digest;
    let plain = digest("");
    assert_eq!(plain, digest("[gate]\nalpha = 0.05\n"));
    assert_eq!(plain, digest("[target]\nbuild = \"make\"\n"));
    assert_ne!(plain, digest("[payload]\nseed = 7\n"));
    assert_ne!(plain, digest("[sampling]\nwarm-up = \"2 s\"\n"));
    assert_ne!(plain, digest("[[scenario]]\nname = \"smoke\"\npairs = 50\n"));
    let kind = |kind| digest(&format!("[request]\nkind = \"{kind}\"\npath = \"/\"\n"));
    assert_ne!(kind("raw-xml"), kind("soap11"));
}

#[test]
fn two_suites_that_measure_the_same_have_one_digest_however_they_are_written() {
    let digest = |text: &str| read(text).unwrap().digest;
    let load = |load: &str| digest(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n"));
    let same = [
        ("connections = 1", "model = \"closed\", duration = \"1000 ms\""),
        ("model = \"constant\", rate = 50", "model = \"ramp\", rate = 50, to = 50.0"),
        (
            "model = \"constant\", rate = 50, duration = \"10 s\"",
            "model = \"stages\", stages = [{ rate = 50, lasts = \"4 s\" }, { rate = 50, lasts = \"6 s\" }]",
        ),
        ("model = \"ramp\", rate = 0, to = 9", "model = \"ramp\", rate = -0.0, to = 9"),
    ];
    for (one, other) in same {
        assert_eq!(load(one), load(other), "{one} and {other}");
    }
    // What is not sent, what decides afterwards, and how often something is repeated.
    let plain = digest("");
    for text in ["[sampling]\nlaunches = 9\n", "[sampling]\nlooks = [5, 9]\n"] {
        assert_eq!(plain, digest(text), "{text}");
    }
    let limit = "[[scenario]]\nname = \"smoke\"\nlimits = { p95 = \"<= 1 s\" }\n";
    assert_eq!(digest("[[scenario]]\nname = \"smoke\"\n"), digest(limit));
    let once = |sampling: &str| {
        digest(&format!(
            "[sampling]\n{sampling}\n[[scenario]]\nname = \"a\"\nload = {{ requests = 1 }}\n"
        ))
    };
    assert_eq!(once("warm-up = \"1 s\""), once("warm-up = \"2 s\""), "there is no warm-up");
    assert_eq!(once("bodies = 5"), once("bodies = 7"), "one request has one body");
}

#[test]
fn two_suites_that_measure_differently_have_two_digests() {
    let digest = |text: &str| read(text).unwrap().digest;
    let load = |load: &str| digest(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n"));
    let plain = digest("");
    for text in [
        "[sampling]\nload = \"2 s\"\n",
        "[sampling]\nslice-requests = 20\n",
        "[target]\ncpus = \"shared\"\n",
        "[target]\nmemory = \"1 GiB\"\n",
        "[request]\npath = \"/other\"\n",
    ] {
        assert_ne!(plain, digest(text), "{text}");
    }
    assert_ne!(load("duration = \"1.001 s\""), load("duration = \"1.004 s\""));
    assert_ne!(load("timeout = \"1 s\""), load("timeout = \"2 s\""));
    let capacity = |limit: &str| {
        let load = "load = { model = \"capacity\" }";
        digest(&format!("[[scenario]]\nname = \"a\"\n{load}\nlimits = {{ p95 = \"{limit}\" }}\n"))
    };
    assert_ne!(capacity("<= 1.001 s"), capacity("<= 1.004 s"));
    let started = |scheme: &str| {
        digest(&format!("[target]\nstart = \"api {{port}}\"\nscheme = \"{scheme}\"\n"))
    };
    assert_ne!(started("http"), started("https"));
}

proptest! {
    #[test]
    fn digests_of_loads_are_equal_exactly_if_the_loads_are(
        times in (1_u64..2_000, 1_u64..2_000),
        rates in (1_u32..300, 1_u32..300),
    ) {
        let digest = |ms: u64, tenths: u32| {
            let rate = f64::from(tenths) / 10.0;
            let load = format!("model = \"constant\", rate = {rate:?}, duration = \"{ms} ms\"");
            read(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n")).unwrap().digest
        };
        let equal = digest(times.0, rates.0) == digest(times.1, rates.1);
        prop_assert_eq!(equal, times.0 == times.1 && rates.0 == rates.1);
    }
}

#[test]
fn a_payload_comes_from_a_preset_a_mix_a_corpus_or_a_template() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.xml"), "<a>one</a>").unwrap();
    fs::write(folder.path().join("request.j2"), "{{ pair.xml1 }}").unwrap();
    let payload = |text: &str| {
        let suite =
            parse(text, "xmlperf.toml", folder.path(), &ConfigOverrides::default()).unwrap();
        suite.scenarios[0].first().payload.clone()
    };
    let digests = [
        payload(""),
        payload("[payload]\npreset = \"rss\"\n"),
        payload("[payload]\npreset = \"rss\"\nmix = { classes = \"1:0:0\" }\n"),
        payload("[payload]\nmix = { depth = \"4\", text = \"p50=20, max=1kB\" }\n"),
        payload("[payload]\ncorpus = \".\"\n"),
        payload("[payload]\nhostile = true\n"),
        payload("[request]\ngzip = true\n"),
        payload("[request]\nchunked = true\n"),
        payload("[request]\nheaders = { X-Tenant = \"7\" }\n"),
        payload(
            "[request]\ntemplate = \"request.j2\"\n\
             expect = [{ status = 201 }, { xml = \"/ok\", equals = \"{{ pair.matched }}\" }]\n",
        ),
    ]
    .map(|payload| payload.digest());
    let mut different = digests.to_vec();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), digests.len());
    let own = payload("[payload]\ncorpus = \".\"\n[[scenario]]\nname = \"a\"\npreset = \"rss\"\n");
    assert_eq!(own.name(), "rss", "a scenario's own preset takes the place of the corpus");
    let claimed = payload("[target]\nsemantics = \"c14n\"\n");
    assert_eq!(claimed.semantics.name(), "c14n");
    assert_eq!(claimed.digest(), digests[0], "what is sent does not depend on what is expected");
}

#[test]
fn a_payload_that_cannot_be_made_is_refused_at_its_line() {
    let said = [
        refusal("[payload]\nmix = { width = \"3\" }\n"),
        refusal("[payload]\nmix = { depth = \"0\" }\n"),
        refusal("[payload]\nmix = { classes = \"1:0:0\" }\npreset = \"depth-mix\"\n"),
        refusal("[payload]\npreset = \"rss\"\ncorpus = \"documents\"\n"),
        refusal("[payload]\ncorpus = \"nowhere\"\n"),
        refusal("[target]\nsemantics = \"bytes\"\n"),
        refusal("[request]\nkind = \"template\"\n"),
        refusal("[request]\nkind = \"template\"\ntemplate = \"nowhere\"\n"),
        refusal("[request]\nkind = \"raw-xml\"\ntemplate = \"a.j2\"\n"),
        refusal("[request]\nexpect = [{ status = 201 }]\n"),
        refusal("[request]\nheaders = { SOAPAction = \"a\", soapaction = \"b\" }\n"),
        refusal("[request]\nheaders = { Content-Length = \"0\" }\n"),
    ];
    insta::assert_snapshot!(said.join("\n────\n"), @r#"
    xmlperf.toml:2:17: no setting here is called `width`

    hint: the settings are depth, fan-out, attributes, text, size, classes, differences

        mix = { width = "3" }
    ────
    xmlperf.toml:2:17: `0` is not a value for `depth`

    hint: write depths from 1 to 256 with weights up to 1000, such as `2:60, 3:30, 5:10`

        mix = { depth = "0" }
    ────
    xmlperf.toml:2:19: `depth-mix` cannot be mixed otherwise

    hint: take another preset, a mix or a corpus

        mix = { classes = "1:0:0" }
    ────
    xmlperf.toml:3:10: keep one of `preset`, `corpus`, `schema` and `hostile`

        corpus = "documents"
    ────
    xmlperf.toml:2:10: failed to read the corpus `/checkout/nowhere`: No such file or directory (os error 2)

        corpus = "nowhere"
    ────
    xmlperf.toml:2:13: unknown semantics `bytes`; there are xml-compare-api, c14n, xmlunit-similar

        semantics = "bytes"
    ────
    xmlperf.toml:2:8: the kind `template` needs `template`, a file, in `[request]`

        kind = "template"
    ────
    xmlperf.toml:3:12: failed to read `nowhere`: No such file or directory (os error 2)

        template = "nowhere"
    ────
    xmlperf.toml:3:12: `template` is for requests of the kind `template`; the other kinds need none

        template = "a.j2"
    ────
    xmlperf.toml:2:11: `expect` is for requests of the kind `template`; the other kinds need none

        expect = [{ status = 201 }]
    ────
    xmlperf.toml:2:11: the header `soapaction` is there already as `SOAPAction`; a header has one value

        headers = { SOAPAction = "a", soapaction = "b" }
    ────
    xmlperf.toml:2:13: the header `Content-Length` is written by xmlperf itself

        headers = { Content-Length = "0" }
    "#);
}

#[test]
fn a_start_command_for_a_shell_is_refused_or_given_to_one() {
    let start = |shell: &str| format!("[target]\nstart = \"cd app && ./api {{port}}\"\n{shell}");
    insta::assert_snapshot!(refusal(&start("")), @r#"
    xmlperf.toml:2:9: `cd` is for a shell, and `start` is run without one: write `shell = true` beside it, or `sh -c '…'`

        start = "cd app && ./api {port}"
    "#);
    let suite = read(&start("shell = true")).unwrap();
    let TargetSource::Start(command) = suite.target.origin else { panic!("not started") };
    assert_eq!(shlex::split(&command).unwrap(), ["sh", "-c", "cd app && ./api {port}"]);
    let image = "[target]\nimage = \"a:1\"\nport = 80\nshell = true\n";
    assert!(refusal(image).contains("`shell` is for `start`"));
}

#[test]
fn a_media_type_and_a_soap_action_of_ones_own_take_the_place_of_the_kinds() {
    let sent = |kind: &str, rest: &str| {
        let suite = read(&format!("[request]\nkind = \"{kind}\"\n{rest}\n")).unwrap();
        let operation = suite.scenarios[0].first();
        let headers = operation.payload.headers(operation.kind);
        format!("{} {headers:?}", operation.payload.content_type(operation.kind))
    };
    let sent = [
        sent("raw-xml", "content-type = \"text/xml\""),
        sent("xml-compare", "content-type = \"application/vnd.acme+json\""),
        sent("soap11", "headers = { soapaction = \"urn:op\" }"),
        sent("soap12", "content-type = 'application/soap+xml; action=\"urn:op\"'"),
        sent("soap11", "headers = { X-Tenant = \"7\" }\ngzip = true"),
    ];
    insta::assert_snapshot!(sent.join("\n"), @r#"
    text/xml []
    application/vnd.acme+json []
    text/xml; charset=utf-8 [("soapaction", "urn:op")]
    application/soap+xml; action="urn:op" []
    text/xml; charset=utf-8 [("SOAPAction", "\"urn:xmlperf:request\""), ("Content-Encoding", "gzip"), ("X-Tenant", "7")]
    "#);
}

#[test]
fn every_model_of_load_is_read() {
    let values = |load: &str| {
        let suite = read(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n"));
        canonical::json(&suite.unwrap().scenarios[0].load.summary())
    };
    let all = [
        values("model = \"closed\", connections = 4, duration = \"30 s\", think = \"5 ms\""),
        values("connections = 2, requests = 10, reuse = \"request\""),
        values("model = \"steps\", connections = [1, 3, 5], requests = 15"),
        values("model = \"constant\", rate = 5000, duration = \"10 s\""),
        values("model = \"poisson\", rate = 100, connections = 8, reuse = \"kept\""),
        values("model = \"ramp\", rate = 0, to = 200, duration = \"20 s\""),
        values(
            "model = \"stages\", stages = [{ rate = 10, lasts = \"5 s\" }, { rate = 10, to = 50, lasts = \"5 s\" }]",
        ),
        values("model = \"spikes\", rate = 10, spike-rate = 100, spike = \"1 s\", every = \"5 s\""),
        values("model = \"capacity\", rate = 50, ceiling = 1000, duration = \"2 s\""),
        values("connections = 2, http = \"2\", streams = 8"),
        values("model = \"constant\", rate = 50, http = \"2\""),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    {"connections":4,"model":{"closed":{"amount":{"for_ns":30000000000},"think_ns":5000000}},"reuse":"slice"}
    {"connections":2,"model":{"closed":{"amount":{"requests":10},"think_ns":0}},"reuse":"request"}
    {"connections":5,"model":{"steps":{"connections":[1,3,5],"requests":15}},"reuse":"slice"}
    {"connections":64,"model":{"open":{"lasts_ns":10000000000,"per_s":5000.0,"shape":"constant"}},"reuse":"slice"}
    {"connections":8,"model":{"open":{"lasts_ns":10000000000,"per_s":100.0,"shape":"poisson"}},"reuse":"kept"}
    {"connections":64,"model":{"open":{"lasts_ns":20000000000,"per_s":100.0,"shape":"ramp"}},"reuse":"slice"}
    {"connections":64,"model":{"open":{"lasts_ns":10000000000,"per_s":20.0,"shape":"stages"}},"reuse":"slice"}
    {"connections":64,"model":{"open":{"lasts_ns":10000000000,"per_s":28.0,"shape":"spikes"}},"reuse":"slice"}
    {"connections":64,"model":{"capacity":{"ceiling_per_s":1000.0,"start_per_s":50.0,"trial_ns":2000000000}},"reuse":"slice"}
    {"connections":2,"model":{"closed":{"amount":null,"think_ns":0}},"reuse":"slice","streams":8}
    {"connections":1,"model":{"open":{"lasts_ns":10000000000,"per_s":50.0,"shape":"constant"}},"reuse":"slice","streams":64}
    "#);
}

#[test]
fn a_load_that_makes_no_sense_is_refused_with_its_line() {
    let said = |load: &str| refusal(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n"));
    let all = [
        said("model = \"steady\""),
        said("model = \"closed\", rate = 5"),
        said("model = \"constant\""),
        said("model = \"constant\", rate = -1"),
        said("model = \"steps\", connections = 3"),
        said("connections = [1, 2]"),
        said("requests = 1, duration = \"1 s\""),
        said("model = \"spikes\", rate = 1, spike-rate = 2, spike = \"9 s\""),
        said("model = \"capacity\", rate = 0"),
        said("reuse = \"never\""),
        said("timeout = \"0 s\""),
        said("answer-memory = \"5 B\""),
        said("http = \"3\""),
        said("streams = 4"),
    ];
    let first: Vec<_> = all.iter().map(|text| text.lines().next().unwrap()).collect();
    insta::assert_snapshot!(first.join("\n"), @r#"
    xmlperf.toml:3:18: unknown load model `steady`; there are closed, steps, constant, poisson, ramp, stages, spikes, capacity
    xmlperf.toml:3:8: `rate` means nothing with model = "closed", which has requests, duration, think
    xmlperf.toml:3:8: model = "constant" needs `rate`, in requests per second
    xmlperf.toml:3:8: `-1` is not a rate
    xmlperf.toml:3:8: steps need a list, such as connections = [1, 3, 5]
    xmlperf.toml:3:8: a list of connections needs model = "steps"
    xmlperf.toml:3:8: `requests` and `duration` both say when it ends: keep one
    xmlperf.toml:3:8: a spike of 9.00 s does not fit into 5.00 s
    xmlperf.toml:3:8: cannot search from `0` to `50000` requests per second
    xmlperf.toml:3:18: unknown life of a connection `never`; there are kept, slice, request
    xmlperf.toml:3:8: a time-out of no time fails every request
    xmlperf.toml:3:26: answers may take from 1 MiB to 64 GiB, not 5 B
    xmlperf.toml:3:17: unknown version of HTTP `3`; there are "1.1" and "2"
    xmlperf.toml:3:8: `streams` share a connection only with http = "2"
    "#);
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

/// Two operations, and whatever is put behind them.
fn operations(rest: &str) -> String {
    let shared = "[request]\nheaders = { X-Tenant = \"7\", Accept = \"text/xml\" }\n";
    let create = "[[operation]]\nname = \"create\"\npath = \"/orders\"\npreset = \"ubl-invoice\"\n\
                  headers = { accept = \"*/*\" }\nexpect = [{ status = 201 }]\n";
    let read = "[[operation]]\nname = \"read\"\nmethod = \"GET\"\npath = \"/orders/1\"\n\
                limits = { p95 = \"<= 20 ms\" }\n";
    format!("{shared}{create}{read}{rest}")
}

#[test]
fn operations_stand_in_a_scenario_in_the_order_of_the_file() {
    let rest = "[[scenario]]\nname = \"traffic\"\nmix = { read = 70, create = 30 }\n\
                [[scenario]]\nname = \"again\"\nflow = [\"read\", \"create\", \"read\"]\nunit = \"order\"\n";
    let suite = read(&operations(rest)).unwrap();
    let shown: Vec<_> = suite
        .scenarios
        .iter()
        .map(|scenario| {
            let operation = |it: &crate::Operation| {
                let (name, method) = (it.name.as_ref().unwrap(), it.method.name());
                let headers = it.payload.headers(it.kind);
                let kind = it.kind.name();
                format!("{name}: {method} {} {kind} {headers:?} {}", it.path, it.limits.len())
            };
            let operations: Vec<_> = scenario.operations.iter().map(operation).collect();
            format!(
                "{} in {}\n{}",
                canonical::json(&scenario.order),
                scenario.unit,
                operations.join("\n")
            )
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    {"mix":[30,70]} in request
    create: POST /orders raw-xml [("X-Tenant", "7"), ("accept", "*/*")] 0
    read: GET /orders/1 template [("Accept", "text/xml"), ("X-Tenant", "7")] 1
    {"flow":[1,0,1]} in order
    create: POST /orders raw-xml [("X-Tenant", "7"), ("accept", "*/*")] 0
    read: GET /orders/1 template [("Accept", "text/xml"), ("X-Tenant", "7")] 1
    "#);
    let other = rest.replace("70", "71");
    assert_ne!(suite.digest, read(&operations(&other)).unwrap().digest);
}

#[test]
fn operations_that_make_no_sense_are_refused_with_their_line() {
    let first = |text: &str| refusal(text).lines().next().unwrap().to_owned();
    let scenario =
        |rest: &str| first(&operations(&format!("[[scenario]]\nname = \"a\"\n{rest}\n")));
    let operation = |rest: &str| {
        let used = "[[scenario]]\nname = \"a\"\nflow = [\"x\"]\n";
        first(&format!("{used}[[operation]]\nname = \"x\"\n{rest}\n"))
    };
    let all = [
        scenario("mix = { delete = 5 }"),
        scenario("mix = { read = 0 }"),
        scenario("mix = { read = 10_001 }"),
        scenario("flow = []"),
        scenario("flow = [\"read\", \"pay\"]"),
        scenario("flow = [\"read\"]\nmix = { read = 1 }"),
        scenario("flow = [\"read\"]\npath = \"/a\""),
        scenario("pairs = 1"),
        operation("method = \"FETCH\""),
        operation("method = \"GET\"\ntext = \"<a/>\""),
        operation("method = \"GET\"\npreset = \"svg\""),
        operation("text = \"<a/>\"\ntemplate = \"a.xml\""),
        operation("text = \"{{ nothing }}\""),
        operation("limits = { rss = \"<= 1 GiB\" }"),
        operation("[[operation]]\nname = \"x\""),
        operation("[[operation]]\nname = \"x y\""),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    xmlperf.toml:16:7: there is no operation `delete`; there are create, read
    xmlperf.toml:16:16: 0 is not a whole number from 1 on
    xmlperf.toml:16:7: the shares of a mix are numbers whose sum is from 1 to 10000, not 10001
    xmlperf.toml:16:8: a flow of 0 operations; it has from 1 to 1000
    xmlperf.toml:16:17: there is no operation `pay`; there are create, read
    xmlperf.toml:16:8: `mix` and `flow` both say which operation is next: keep one
    xmlperf.toml:15:8: `path` is an operation's: write it in `[[operation]]`
    xmlperf.toml:3:1: no scenario sends the operations: write `mix = { create = 100 }` or `flow = ["create"]` in a `[[scenario]]`
    xmlperf.toml:6:10: unknown method `FETCH`; there are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS
    xmlperf.toml:7:8: a GET carries no body: leave out `text`, or write `method = "POST"`
    xmlperf.toml:5:8: a GET carries no body: leave out `preset`, or write `method = "POST"`
    xmlperf.toml:6:8: `template` names a file and `text` is the template itself: keep one
    xmlperf.toml:6:8: `text`: line 1 of the template: undefined value: `nothing` is undefined
    xmlperf.toml:6:18: an operation has no `rss` of its own: its limits are on latency, p50, p95, p99, queries, round-trips and errors, all others on the scenario
    xmlperf.toml:7:8: a second operation has the name `x`
    xmlperf.toml:7:8: `x y` is not an operation's name: it is letters, digits, `-`, `_` and `.`, at most 60
    "#);
}

#[test]
fn a_value_is_used_only_where_something_has_captured_it() {
    let login = "[[operation]]\nname = \"login\"\ncapture = { token = { json = \"/t\" } }\n";
    let read_one = "[[operation]]\nname = \"read\"\nmethod = \"GET\"\npath = \"/a/{{ token }}\"\n";
    let text =
        |scenario: &str| format!("{login}{read_one}[[scenario]]\nname = \"a\"\n{scenario}\n");
    for right in [
        "flow = [\"login\", \"read\"]",
        "setup = [\"login\"]\nflow = [\"read\"]",
        "setup = [\"login\"]\nmix = { read = 1 }\ncookies = true",
    ] {
        let suite = read(&text(right)).unwrap();
        let live: Vec<_> = suite.scenarios[0].operations.iter().map(|it| it.is_live).collect();
        assert_eq!(live, [false, true], "{right}");
    }
    let first = |text: &str| refusal(text).lines().next().unwrap().to_owned();
    let capture = |table: &str| {
        first(&format!(
            "[[operation]]\nname = \"x\"\ncapture = {{ {table} }}\n[[scenario]]\nname = \"a\"\nflow = [\"x\"]\n"
        ))
    };
    let all = [
        first(&text("flow = [\"read\", \"login\"]")),
        first(&text("mix = { login = 1, read = 1 }")),
        first(&text("setup = [\"login\"]")),
        first(&text("cookies = true")),
        first(
            &text("flow = [\"login\"]")
                .replace("/a/{{ token }}", "/a/{{ tokn }}")
                .replace("[\"login\"]", "[\"read\"]"),
        ),
        capture("id = { json = \"/a\", header = \"B\" }"),
        capture("id = {}"),
        capture("id = { regex = \"(\" }"),
        capture("now = { json = \"/a\" }"),
        capture("id = { xml = \"a\" }"),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    xmlperf.toml:10:8: nothing has captured `token` when `read` is sent: put an operation that captures it before it in the flow, or in `setup`
    xmlperf.toml:10:7: nothing has captured `token` when `read` is sent: put an operation that captures it before it in the flow, or in `setup`
    xmlperf.toml:1:1: no scenario sends the operations: write `mix = { login = 100 }` or `flow = ["login"]` in a `[[scenario]]`
    xmlperf.toml:1:1: no scenario sends the operations: write `mix = { login = 100 }` or `flow = ["login"]` in a `[[scenario]]`
    xmlperf.toml:7:8: line 1 of the path: undefined value: `tokn` is undefined
    xmlperf.toml:3:18: a capture has one place: `json`, `xml`, `header` or `cookie`, or the body with `regex` alone
    xmlperf.toml:3:18: the body needs a `regex` that says what of it is taken
    xmlperf.toml:3:18: `(` is not a regular expression: unclosed group
    xmlperf.toml:3:19: `now` is not a name for a captured value
    xmlperf.toml:3:18: `a` is no place in an answer
    "#);
}

#[test]
fn a_template_that_uses_what_is_known_when_it_is_sent_is_rendered_then() {
    let is_live = |text: &str| {
        let suite = read(&format!("[request]\ntext = \"{text}\"\n[[scenario]]\nname = \"a\"\n"));
        suite.unwrap().scenarios[0].first().is_live
    };
    assert!(is_live("<a>{{ unique }}</a>") && is_live("{{ nonce | base64 }}"));
    assert!(!is_live("<a>{{ index }}</a>"));
}
