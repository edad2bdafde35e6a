//! The commented configuration that `xmlperf init` writes: what the folder shows of its program, what is
//! known of its requests, and every other key with its default.

use crate::project::{EvidentText, PortGuess, ProjectGuess, ServiceImage, TreeEvidence};

const OPENING: &str = "\
# xmlperf measures the API below on every pull request: `xmlperf compare --baseline main`.
# Keys that are commented out are examples; of those in `[work]`, the defaults.

";

/// What follows the guesses in `[target]`, and what may stand beside a target.
const TARGET_KEYS: &str = r#"# shell = false                               # true: `start` is for `sh -c`, with `&&`, pipes, VAR=x
# parallel-builds = false                     # true: for a build that uses one processor: docs/target.md
# `ready` is polled until it answers 2xx, or is a table: docs/target.md
# base = { start = "./old-server {port}" }    # where base is built or started in another way than its own file says
# ready-timeout = "30 s"
# stop-timeout = "5 s"                        # from SIGTERM to SIGKILL
# env = { RUST_LOG = "warn" }
# inputs = ["data/**/*.json"]                 # files that count as program, whatever they are called
# cpus = "auto"                               # target and load on different cores; or "shared"
# memory = "2 GiB"                            # by a control group where one can be had: docs/target.md
# cpu-quota = 1.5                             # processors' worth of time
# semantics = "xml-compare-api"               # what it calls equal; or "c14n", "xmlunit-similar"
# scheme = "http"                             # or "https", with a certificate for `localhost`
# url = "http://127.0.0.1:3000"               # instead of `start`: attach to what runs already; or
#                                             # "https://HOST:PORT", "unix:/PATH"
# ca = "ca.pem"                               # certificates to trust, where the system's do not do
# client-cert = "client.pem"                  # what shows the target who connects; and `client-key`
# image = "registry/api:1.2"                  # or a container; without `build`
# port = 3000                                 # on which the program inside listens
# engine = "docker"                           # or "podman"; found without

# [[service]]                                 # what the API needs beside it: docs/services.md
# name = "db"                                 # `{service:db}` in `start` and `env` is its address
# setup = "cp -r tests/data {dir}"            # by a shell; {dir} is empty and new
# start = "redis-server --port {port} --dir {dir}"
# ready = { tcp = true }
# scope = "side"                              # or "launch", "run"

# [hooks]                                     # by a shell, around each launch
# before-launch = "./migrate.sh"
# after-launch = "./clean.sh"

"#;

/// What is sent where nothing describes the API: documents to the XML-Compare-API.
const EXAMPLE_REQUEST: &str = r#"[request]
kind = "xml-compare-batch"
path = "/xml-compare-api/api/compare/xml/batch"
# gzip = false                                # compressed bodies
# chunked = false                             # bodies in chunks, without their size ahead
# template = "request.j2"                     # with kind = "template": see docs/payloads.md
# content-type = "application/xml"            # instead of the one of the kind
# headers = { X-Tenant = "7" }
# expect = [{ json = "/results/*/same", equals = "{{ pair.matched }}" }]

[payload]
seed = 42
preset = "depth-mix"                          # 60 % depth 2, 30 % depth 3, 10 % depth 5; 70 % identical
# corpus = "tests/documents"                  # instead of `preset`: your own XML files
# mix = { classes = "70:10:20" }              # shares of a preset or corpus, or all of a mix

"#;

const SAMPLING: &str = r#"[sampling]
# load = "2 s"                                # of each scenario in a launch, instead of what a hundred requests take
# warm-up = "2 s"                             # what compiles as it runs needs more than "500 ms", or "steady"
soft-budget = "75 s"                          # then a comparison ends with the launch pairs that a verdict needs
slice-requests = 8                            # at least, before the other side is driven
bodies = 8                                    # different requests that are sent in turn
# launch-pairs = 50                           # after which a comparison ends, decided or not
# launches = 5                                # of `xmlperf run`
# slice = "10 ms"                             # before the other side is driven, at least

# [network]                                   # between load and target, for all scenarios or in one
# latency = "20 ms"                           # each way
# jitter = "2 ms"
# bandwidth = "10 Mbit/s"                     # each way, for all connections together
# resets = "0.1 %"                            # of the exchanges: a connection is reset

# [work]
# lane = "auto"                               # count instructions under callgrind where it can be; or "on", "off"
# env = { APP_WORKERS = "1" }                 # what makes the target serve in one order: counts repeat then
# launches = 5                                # of each side at most, each of which gives a value
# pairs = 2000                                # XML pairs in a launch
# prove = true                                # where the work grew, revert the hunks that explain it and count again

"#;

/// The load of an API that nothing describes.
const EXAMPLE_SCENARIOS: &str = r#"[[scenario]]
name = "smoke"
pairs = 100                                   # XML pairs in one request
load = { model = "closed", connections = 1 }
limits = { throughput = ">= 333 pairs/s", errors = "0 %" }

[[scenario]]
name = "concurrent"                           # do requests wait for each other?
pairs = 100
load = { model = "closed", connections = 4 }  # or twice the cores
limits = { errors = "0 %" }

[[scenario]]
name = "large"                                # what grows with a document
pairs = 20
preset = "ubl-invoice"                        # documents of 9 KiB
load = { model = "closed", connections = 1 }
limits = { errors = "0 %" }
# gate = { floor = { cpu = 0.02 }, minimum = { tail = "1 ms" } }  # of this scenario, before those of all

# [[scenario]]
# name = "nominal"
# pairs = 100_000
# load = { model = "closed", connections = 1, requests = 1 }
# limits = { throughput = ">= 333 pairs/s", p95 = "<= 300 s", rss = "<= 8 GiB", errors = "0 %" }

"#;

const GATE: &str = r#"[gate]
alpha = 0.01                                  # chance of a false alarm, over all metrics and scenarios
# floor = { cpu = 0.01, latency = 0.01, memory = 0.02, tail = 0.05 }     # smaller changes are never called a regression
# tolerance = { cpu = 0.03, latency = 0.03, memory = 0.05, tail = 0.20 } # shown equal within it is unchanged
# minimum = { latency = "5 us", memory = "1 MiB", ready = "50 ms", first-answers = "20 ms" }  # never called one, whatever share it is
# policy = { p95 = "gate", ready = "report", p99 = "off" }   # also `leak`: growth of memory, as in `soak`

# [baseline]
# store = "baselines"                         # a folder, or the URL of a store: see docs/baselines.md
"#;

/// The column of comments.
const COMMENT_COLUMN: usize = 46;

/// Returns a configuration for a program of which a folder shows this much. `requests` are the tables that say
/// what is sent and in which order; without them, there are those of the XML-Compare-API as an example.
pub fn initial(guess: &ProjectGuess, requests: Option<&str>) -> String {
    let target = target(guess);
    let services = services(guess);
    match requests {
        Some(requests) => {
            [OPENING, &target, TARGET_KEYS, &services, requests, "\n", SAMPLING, GATE].concat()
        }
        None => [
            OPENING,
            &target,
            TARGET_KEYS,
            &services,
            &undescribed(guess),
            EXAMPLE_REQUEST,
            SAMPLING,
            EXAMPLE_SCENARIOS,
            GATE,
        ]
        .concat(),
    }
}

/// The keys of `[target]` that are guessed, each with what shows it.
fn target(guess: &ProjectGuess) -> String {
    let mut text = "[target]\n".to_owned();
    match &guess.build {
        Some(build) => text.push_str(&key("", "build", build)),
        None => text.push_str(&line(
            "# build = \"make release\"",
            "no file here shows how the program is built, in a shell",
        )),
    }
    match (&guess.start, &guess.port) {
        (Some(start), PortGuess::InStart) => text.push_str(&key("", "start", start)),
        (Some(start), PortGuess::Variable(variable)) => {
            text.push_str(&key("", "start", start));
            text.push_str(&key("", "port-env", variable));
        }
        (Some(start), PortGuess::Unknown) => {
            text.push_str(&key("# ", "start", start));
            text.push_str(&line(
                "#",
                "no source shows how it learns its port: write {port} into it,",
            ));
            text.push_str(&line("# port-env = \"PORT\"", "or name the variable that carries it"));
        }
        (None, _) => {
            text.push_str(&line(
                "# start = \"./server --port {port}\"",
                "no file here shows how it is started, from this folder",
            ));
            text.push_str(&line("# port-env = \"PORT\"", "or a variable that carries the port"));
        }
    }
    match &guess.ready {
        Some(ready) => text.push_str(&key("", "ready", ready)),
        None => text.push_str(&line("ready = { tcp = true }", "no source names a health page")),
    }
    if let Some(exposed) = &guess.exposed {
        let TreeEvidence { file, line } = &exposed.evidence;
        let port = &exposed.text;
        text.extend([format!(
            "# {file}:{line} exposes port {port}: an image of it that is built beforehand can be measured by \
             `image` and `port`.\n"
        )]);
    }
    text
}

/// Examples of the services that a compose file names.
fn services(guess: &ProjectGuess) -> String {
    let service = |service: &ServiceImage| {
        let ServiceImage { name, image, port, evidence } = service;
        let head = line("# [[service]]", &format!("{evidence}; {{service:{name}}} is its address"));
        format!("{head}# name = {}\n# image = {}\n# port = {port}\n\n", quoted(name), quoted(image))
    };
    guess.services.iter().map(service).collect()
}

/// What stands before requests that are an example.
fn undescribed(guess: &ProjectGuess) -> String {
    let first =
        "# Nothing says here what the API takes: these are requests of the XML-Compare-API.\n";
    match guess.descriptions.first() {
        Some(file) => format!(
            "{first}# {file} describes an API: `xmlperf init --force --from {file}` writes its operations.\n"
        ),
        None => format!(
            "{first}# `xmlperf init --force --from FILE` writes those of an OpenAPI document, a WSDL, a recording.\n"
        ),
    }
}

fn key(mark: &str, key: &str, value: &EvidentText) -> String {
    line(&format!("{mark}{key} = {}", quoted(&value.text)), &value.evidence.to_string())
}

/// A line with a comment in its column.
fn line(text: &str, comment: &str) -> String {
    let width = COMMENT_COLUMN.saturating_sub(1);
    format!("{text:<width$} # {comment}\n")
}

/// Returns a text as a string of TOML in one line, which can stand in a comment as well.
pub fn quoted(text: &str) -> String {
    // JSON's strings are strings of TOML, but for one character that JSON leaves as it is.
    let json = serde_json::Value::String(text.to_owned()).to_string();
    json.replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{ConfigError, ConfigOverrides, parse};
    use crate::{ReferenceChoice, Suite, TargetSource};
    use proptest::prelude::*;
    use std::path::Path;

    fn evident(text: &str) -> EvidentText {
        let evidence = TreeEvidence { file: "Cargo.toml".to_owned(), line: 2 };
        EvidentText { text: text.to_owned(), evidence }
    }

    /// What the folder of an XML-Compare-API shows.
    pub(in crate::config) fn compare_api() -> ProjectGuess {
        ProjectGuess {
            build: Some(evident("cargo build --release")),
            start: Some(evident("./target/release/xml-compare-api")),
            port: PortGuess::Variable(evident("APP_PORT")),
            ready: Some(evident("/xml-compare-api/health")),
            ..ProjectGuess::default()
        }
    }

    fn read(text: &str) -> Result<Suite, ConfigError> {
        parse(text, "xmlperf.toml", Path::new("/checkout"), &ConfigOverrides::default())
    }

    #[test]
    fn every_guess_stands_with_what_shows_it() {
        let text = initial(&compare_api(), None);
        let target = text.split("\n\n").nth(1).unwrap();
        let lines: Vec<_> = target.lines().take(5).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        [target]
        build = "cargo build --release"               # Cargo.toml:2
        start = "./target/release/xml-compare-api"    # Cargo.toml:2
        port-env = "APP_PORT"                         # Cargo.toml:2
        ready = "/xml-compare-api/health"             # Cargo.toml:2
        "#);
    }

    #[test]
    fn what_no_file_shows_is_left_to_a_person_and_the_rest_is_read() {
        let nothing = read(&initial(&ProjectGuess::default(), None)).unwrap();
        assert_eq!(nothing.target.origin, TargetSource::Embedded(ReferenceChoice::Default));
        let portless = ProjectGuess { port: PortGuess::Unknown, ..compare_api() };
        let text = initial(&portless, None);
        assert!(text.contains("\n# start = \"./target/release/xml-compare-api\""), "{text}");
        assert_eq!(read(&text).unwrap().target.origin, nothing.target.origin);
    }

    #[test]
    fn requests_stand_in_the_place_of_the_example() {
        let requests = "[[operation]]\nname = \"up\"\nmethod = \"GET\"\n\n[[scenario]]\n\
                        name = \"traffic\"\nmix = { up = 1 }\n";
        let suite = read(&initial(&compare_api(), Some(requests))).unwrap();
        assert_eq!(suite.scenarios.len(), 1);
        assert_eq!(suite.scenarios[0].operations[0].method.name(), "GET");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn whatever_is_guessed_can_be_read(
            build in proptest::option::of(any::<String>()),
            file in "[^\n\r]{0,20}",
            ready in proptest::option::of("/[a-z]{0,9}"),
        ) {
            let evidence = TreeEvidence { file: file.replace(char::is_control, "?"), line: 7 };
            let own = |text: String| EvidentText { text, evidence: evidence.clone() };
            let guess = ProjectGuess {
                build: build.map(own),
                ready: ready.map(own),
                ..compare_api()
            };
            let suite = read(&initial(&guess, None)).unwrap();
            prop_assert_eq!(suite.target.build, guess.build.map(|build| build.text));
        }
    }
}
