//! Operations of a configuration, in mixes and in flows, and what they capture.

use record::canonical;

use super::{read, refusal};
use crate::AnswerTruth;

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
