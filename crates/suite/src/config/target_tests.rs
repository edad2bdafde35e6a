//! What a configuration says of a target, and what is wrong with it.

use std::time::Duration;

use sut::{LogPattern, ReadyCondition, ReadySign};

use super::tests::{read, refusal};

/// A target that is started, with more of its table.
fn target(more: &str) -> String {
    format!("[target]\nstart = \"./api {{port}} {{port:management}}\"\n{more}\n")
}

fn ready(word: &str) -> ReadyCondition {
    read(&target(&format!("ready = {word}"))).expect(word).target.ready
}

#[test]
fn readiness_is_a_path_a_connection_or_a_line() {
    let path = ready("\"/health\"");
    assert!(
        matches!(path.sign, ReadySign::Answer { path, statuses } if path == "/health" && statuses.is_empty())
    );
    let listed = ready(
        "{ path = \"/health\", port = \"management\", status = [200, 401], timeout = \"2 s\" }",
    );
    assert!(matches!(listed.sign, ReadySign::Answer { statuses, .. } if statuses == [200, 401]));
    assert_eq!(listed.port.as_deref(), Some("management"));
    assert_eq!(listed.probe_timeout, Some(Duration::from_secs(2)));
    assert!(matches!(ready("{ tcp = true }").sign, ReadySign::Listener));
    let text = ready("{ log = \"Started [1]\" }").sign;
    assert!(matches!(text, ReadySign::LogLine(LogPattern::Text(text)) if text == "Started [1]"));
    let regex = ready("{ log = { regex = \"in [0-9.]+ s\" } }").sign;
    assert!(matches!(regex, ReadySign::LogLine(LogPattern::Regex(_))));
}

#[test]
fn readiness_that_cannot_be_seen_is_refused_at_its_line() {
    let check = |word: &str, fault: &str| {
        let refusal = refusal(&target(&format!("ready = {word}")));
        let place = refusal.strip_prefix("xmlperf.toml:3:").expect("the line is named");
        assert!(place.contains(fault), "{word}: {refusal}");
    };
    check("{ port = \"management\" }", "nothing shows readiness: write `path = \"/health\"`");
    check("{ tcp = false }", "nothing shows readiness");
    check("{ tcp = true, log = \"x\" }", "keep one of `path`, `tcp` and `log`");
    check("{ tcp = true, status = [200] }", "`status` is what a `path` answers");
    check("{ path = \"/\", status = [] }", "leave `status` out for every 2xx");
    check("{ path = \"/\", status = [99] }", "99 is not a status of HTTP from 100 to 599");
    check(
        "{ log = \"x\", port = \"management\" }",
        "`port` and `timeout` are for `path` and `tcp`",
    );
    check("{ tcp = true, port = \"admin\" }", "write `{port:admin}` in `start`");
    check("{ log = \"\" }", "a part of one line");
    check("{ log = { regex = \"(\" } }", "not a regular expression");
    check("{ tpc = true }", "unknown field `tpc`");
    check("7", "a path such as \"/health\", or a table such as { tcp = true }");
    check("\"health\"", "`health` is not a path of a URL");
    let attached = "[target]\nurl = \"http://127.0.0.1:1\"\nready = { log = \"x\" }\n";
    assert!(refusal(attached).contains("what runs already has no log here"));
}

#[test]
fn a_placeholder_of_nothing_is_refused_at_its_line() {
    let check = |text: &str, fault: &str| {
        let refusal = refusal(text);
        assert!(refusal.contains(fault), "{text}: {refusal}");
    };
    check(
        "[target]\nstart = \"a {port} {port:}\"\n",
        "xmlperf.toml:2:9: `{port:}` has no name in it",
    );
    check(
        "[target]\nstart = \"a {port}\"\nenv = { DB = \"{service:db}\" }\n",
        "xmlperf.toml:3:14: there is no `[[service]]` named `db`",
    );
    check(
        "[target]\nimage = \"a\"\nport = 80\nenv = { D = \"{dir}\" }\n",
        "`{dir}` is a folder of this machine",
    );
    read("[target]\nstart = \"./api\"\nenv = { PORT = \"{port}\" }\n").expect("env gives the port");
}
