//! What a configuration says of a target, and what is wrong with it.

use std::time::Duration;

use sut::{LogPattern, ReadyCondition, ReadySign, ServiceScope};

use super::{read, refusal};
use crate::TargetSource;

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

/// A target that names a service, after the services of a text.
fn with_services(services: &str) -> String {
    let target = "[target]\nstart = \"./api {port}\"\nenv = { DB = \"{service:db}\" }\n";
    format!("{target}{services}\n")
}

#[test]
fn services_and_hooks_are_read_with_their_defaults() {
    let suite = read(&with_services(
        "[hooks]\nbefore-launch = \"./migrate {service:db:port}\"\n\
         [[service]]\nname = \"db\"\nstart = \"exec db {port}\"\nshell = true\nsetup = \"mk {dir}\"\n\
         [[service]]\nname = \"mock\"\nstart = \"mock --db {service:db}\"\nscope = \"launch\"\n\
         ready = { log = \"up\" }\nenv = { KEY = { from = \"MOCK_KEY\" } }\n",
    ))
    .unwrap();
    let [db, mock] = suite.target.services.as_slice() else { panic!("two services") };
    assert_eq!((db.scope, mock.scope), (ServiceScope::Side, ServiceScope::Launch));
    assert_eq!(db.start, "sh -c 'exec db {port}'");
    assert!(matches!(db.ready.sign, ReadySign::Listener));
    assert_eq!(suite.target.inherited_variables().collect::<Vec<_>>(), ["MOCK_KEY"]);
    let before = suite.target.hooks.before.unwrap();
    assert_eq!(before.timeout, Duration::from_mins(1));
    assert!(suite.target.hooks.after.is_none());
}

#[test]
fn a_service_that_cannot_be_is_refused_at_its_line() {
    let check = |services: &str, fault: &str| {
        let refusal = refusal(&with_services(services));
        assert!(refusal.contains(fault), "{services}: {refusal}");
        assert!(refusal.starts_with("xmlperf.toml:"), "{refusal}");
    };
    let db = "[[service]]\nname = \"db\"\nstart = \"db {port}\"\n";
    check("", "there is no `[[service]]` named `db` that is started before this");
    check(
        "[[service]]\nname = \"d b\"\nstart = \"db {port}\"\n",
        "`d b` is not the name of a service",
    );
    check(&format!("{db}{db}"), "a second service has the name `db`");
    check("[[service]]\nname = \"db\"\n", "a service needs `start`, a command, or `image`");
    check(&format!("{db}image = \"a\"\nport = 1\n"), "`start` and `image` each say");
    check(&format!("{db}port = 1\n"), "only an `image` has a port inside");
    check("[[service]]\nname = \"db\"\nimage = \"a\"\n", "an image needs `port`");
    check(
        "[[service]]\nname = \"db\"\nstart = \"db\"\n",
        "write `{port}` in `start`, `env` or `setup`",
    );
    check("[[service]]\nname = \"db\"\nstart = \"db {port} && x\"\n", "`&&` is for a shell");
    check(&format!("{db}scope = \"pair\"\n"), "there are side, launch, run");
    check(&format!("{db}env = {{ A = {{ form = \"B\" }} }}\n"), "unknown field `form`");
    check(&format!("{db}env = {{ A = 1 }}\n"), "a text, or { from = \"ORDERS_TOKEN\" }");
    let later = "[[service]]\nname = \"app\"\nstart = \"app {port} {service:db}\"\n";
    check(&format!("{later}{db}"), "named `db` that is started before this");
    check(&format!("{db}scope = \"launch\"\n{later}"), "the service `db` ends before this one");
    check(&format!("{db}[hooks]\nafter-launch = \"x {{service:dbs}}\"\n"), "named `dbs`");
    let attached = format!("[target]\nurl = \"http://127.0.0.1:1\"\n{db}");
    assert!(refusal(&attached).contains("for a target that `start` or `image` starts"));
    let contained = format!("[target]\nimage = \"api\"\nport = 80\n{db}");
    assert!(refusal(&contained).contains("a target in a container does not reach services"));
    let hooked = "[hooks]\nbefore-launch = \"true\"\n";
    assert!(refusal(hooked).contains("services and hooks are for a target"));
}

#[test]
fn another_commits_target_is_read_without_its_other_tables() {
    let text =
        "[target]\nstart = \"./old {port}\"\nbuild = \"make\"\n[gate]\nfuture = 1\n[new]\na = 1\n";
    let target = super::target(text, "xmlperf.toml", std::path::Path::new("/base")).unwrap();
    assert_eq!(target.build.as_deref(), Some("make"));
    let wrong = super::target("[target]\nstat = 1\n", "base", std::path::Path::new("/base"));
    assert!(wrong.unwrap_err().to_string().starts_with("base:2:1: unknown field `stat`"));
}

#[test]
fn a_base_of_its_own_is_what_differs_from_head() {
    let base =
        |table: &str| read(&target(&format!("base = {table}"))).unwrap().target.base.unwrap();
    let commands = base("{ build = \"make\", start = \"./old {port}\" }");
    assert_eq!(commands.build.as_deref(), Some("make"));
    assert_eq!(commands.start.as_deref(), Some("./old {port}"));
    assert_eq!(base("{ build = \"make\" }").start, None);
    let check = |table: &str, fault: &str| {
        let refusal = refusal(&target(&format!("base = {table}")));
        assert!(refusal.starts_with("xmlperf.toml:3:") && refusal.contains(fault), "{refusal}");
    };
    check("{}", "`base` has the `build` or the `start`");
    check("{ start = \"./old\" }", "the target would not learn its port");
    check("{ start = \"./old {service:db} {port}\" }", "no `[[service]]` named `db`");
    check("{ begin = \"make\" }", "unknown field `begin`");
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
    let unbuilt = "[target]\nstart = 'x {port}'\nparallel-builds = true\n";
    assert!(refusal(unbuilt).contains("3:19") && refusal(unbuilt).contains("is for `build`"));
}
