//! Metrics of a run on their way to other systems: requests as small receivers see them, and with `.ci/run full`
//! Prometheus, a Pushgateway and every query of the dashboards.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use tokio::runtime::Runtime;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::exchange::exchange;
use crate::measurement::{MeasurementFixture, text};

/// The last request to each path of a receiver that takes everything, in which a run ended.
fn received(args: &[&str], of: impl Fn(&str) -> Vec<String>) -> (String, Vec<Request>) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        server
    });
    let fixture = MeasurementFixture::new("launches = 1");
    let mut command = fixture.command(args);
    let output = command.args(of(&server.uri())).env("NO_PROXY", "127.0.0.1").output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    (said, runtime.block_on(server.received_requests()).unwrap())
}

#[test]
fn the_last_numbers_go_out_with_what_the_run_says() {
    let (said, requests) = received(&["run"], |uri| {
        vec![
            format!("--metrics-push={uri}/gate"),
            format!("--metrics-remote-write={uri}/write"),
            format!("--otlp={uri}"),
        ]
    });
    assert!(!said.contains("did not reach"), "{said}");
    let last = |path: &str| requests.iter().rfind(|it| it.url.path() == path).unwrap();
    let pushed = last("/gate/metrics/job/xmlperf");
    assert_eq!(pushed.method.as_str(), "PUT");
    let body = text(&pushed.body);
    assert!(body.contains("\nxmlperf_run_outcome{outcome=\"pass\"} 1\n"), "{body}");
    assert!(body.contains("\nxmlperf_requests_total{scenario=\"tiny\",side=\"head\"} "), "{body}");
    let written = last("/write");
    let header = |name: &str| written.headers[name].to_str().unwrap();
    assert_eq!(header("content-encoding"), "snappy");
    assert_eq!(header("x-prometheus-remote-write-version"), "0.1.0");
    let collected: Value = serde_json::from_slice(&last("/v1/metrics").body).unwrap();
    let names = otlp_names(&collected);
    for name in ["http.client.request.duration", "process.cpu.time", "xmlperf.run.outcome"] {
        assert!(names.contains(name), "{names:?}");
    }
}

#[test]
fn metrics_that_cannot_be_delivered_are_a_warning_and_no_verdict() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (said, _) = received(&["run"], |uri| {
        vec![format!("--otlp=http://user:secret@{closed}"), format!("--metrics-push={uri}")]
    });
    assert!(
        said.contains("the metrics of this run did not reach the collector of OTLP: "),
        "{said}"
    );
    assert!(!said.contains("secret") && !said.contains("Pushgateway"), "{said}");
}

/// Fails unless a body is a request of OTLP's metrics in the JSON mapping of proto3, and returns the names of its
/// metrics.
fn otlp_names(body: &Value) -> BTreeSet<String> {
    let one = |value: &Value, key: &str| {
        let only = value[key].as_array().unwrap();
        assert_eq!(only.len(), 1, "{key}");
        only[0].clone()
    };
    let resource = one(body, "resourceMetrics");
    check_attributes(&resource["resource"]["attributes"]);
    let scope = one(&resource, "scopeMetrics");
    assert_eq!(scope["scope"]["name"], "xmlperf");
    let metrics = scope["metrics"].as_array().unwrap();
    let mut names = BTreeSet::new();
    for metric in metrics {
        check_metric(metric);
        assert!(names.insert(metric["name"].as_str().unwrap().to_owned()), "{metric}");
    }
    names
}

fn check_metric(metric: &Value) {
    let keys: Vec<&str> = metric.as_object().unwrap().keys().map(String::as_str).collect();
    let kinds = ["sum", "gauge", "histogram"];
    let kind = *kinds.iter().find(|kind| keys.contains(*kind)).unwrap();
    assert!(keys.iter().all(|key| [kind, "name", "description", "unit"].contains(key)), "{keys:?}");
    let data = &metric[kind];
    let is_sum = kind == "sum";
    assert_eq!(data["aggregationTemporality"].as_u64(), (kind != "gauge").then_some(2), "{metric}");
    assert_eq!(data["isMonotonic"].is_boolean(), is_sum, "{metric}");
    for point in data["dataPoints"].as_array().unwrap() {
        check_attributes(&point["attributes"]);
        let nanos = |key: &str| point[key].as_str().map(|text| text.parse::<u64>().unwrap());
        assert!(nanos("timeUnixNano") >= nanos("startTimeUnixNano"), "{point}");
        assert_eq!(nanos("startTimeUnixNano").is_some(), kind != "gauge", "{point}");
        if kind == "histogram" {
            check_histogram(point);
        } else {
            assert!(point["asDouble"].is_number(), "{point}");
        }
    }
}

fn check_histogram(point: &Value) {
    let count = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let counts: Vec<u64> = point["bucketCounts"].as_array().unwrap().iter().map(count).collect();
    let bounds = point["explicitBounds"].as_array().unwrap();
    let bounds: Vec<f64> = bounds.iter().map(|bound| bound.as_f64().unwrap()).collect();
    assert_eq!(counts.len(), bounds.len() + 1);
    assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
    assert_eq!(counts.iter().sum::<u64>(), count(&point["count"]));
    assert!(point["sum"].is_number(), "{point}");
}

fn check_attributes(attributes: &Value) {
    let mut keys = BTreeSet::new();
    for attribute in attributes.as_array().unwrap() {
        assert!(keys.insert(attribute["key"].as_str().unwrap()), "{attributes}");
        let value = attribute["value"].as_object().unwrap();
        assert!(value.len() == 1 && value["stringValue"].is_string(), "{attribute}");
    }
}

#[test]
fn each_dashboard_is_of_one_schema_and_asks_for_families_that_there_are() {
    let known = [
        "build_info",
        "change",
        "cpu",
        "latency",
        "launches",
        "limit_broken",
        "request_duration",
        "request_failures",
        "requests",
        "rss",
        "run_duration",
        "run_outcome",
        "target_cpu",
        "target_resident_memory",
        "throughput",
        "verdict",
        "work_units",
    ];
    let mut uids = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        assert_eq!(dashboard["schemaVersion"], 39, "{name}");
        assert!(uids.insert(dashboard["uid"].as_str().unwrap().to_owned()), "{name}");
        let queries = queries(&dashboard);
        assert!(queries.len() >= 7, "{name} has {}", queries.len());
        for query in queries {
            let used = query.split(|c: char| !c.is_alphanumeric() && c != '_');
            for family in used.filter_map(|word| word.strip_prefix("xmlperf_")) {
                assert!(known.iter().any(|known| family.starts_with(known)), "{name}: {query}");
            }
        }
    }
    assert_eq!(uids.len(), 3);
}

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// The dashboards, by the names of their files.
fn dashboards() -> Vec<(String, Value)> {
    let read = |name: &str| {
        let path = documents().join("grafana").join(name);
        (name.to_owned(), serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
    };
    ["run.json", "soak.json", "trend.json"].map(read).to_vec()
}

/// What the panels of a dashboard ask, as Grafana sends it.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let query = |target: &Value| {
        let written = target["expr"].as_str().unwrap();
        written.replace("$scenario", ".*").replace("$__rate_interval", "1m")
    };
    let queries: Vec<String> = targets.map(query).collect();
    assert!(queries.iter().all(|it| !it.contains('$')), "{queries:?}");
    queries
}

/// A server that the package manager has installed, until the test ends.
struct ServerProcess {
    process: Child,
    port: u16,
}

impl ServerProcess {
    /// Starts a program with what `arguments` makes of a free address, and waits until it is ready.
    fn start(program: &str, arguments: impl Fn(&str) -> Vec<String>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(program)
            .args(arguments(&format!("127.0.0.1:{port}")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("`.ci/run full` installs {program}: {error}"));
        let server = Self { process, port };
        let is_ready = || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
                && exchange("GET", &server.url("/-/ready"), &[], Vec::new()).0 == 200
        };
        wait_until(&format!("{program} is ready"), is_ready);
        server
    }

    fn prometheus(folder: &Path, config: &str) -> Self {
        let file = folder.join("prometheus.yml");
        fs::write(&file, config).unwrap();
        Self::start("prometheus", |address| {
            vec![
                format!("--config.file={}", file.display()),
                format!("--storage.tsdb.path={}", folder.join("tsdb").display()),
                format!("--web.listen-address={address}"),
                "--web.enable-remote-write-receiver".to_owned(),
            ]
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The series that a query yields.
    fn query(&self, query: &str) -> Vec<Value> {
        let url = Url::parse_with_params(&self.url("/api/v1/query"), [("query", query)]).unwrap();
        let (status, body) = exchange("GET", url.as_str(), &[], Vec::new());
        assert_eq!(status, 200, "{query}: {body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Compares a server with itself for longer than two samples of remote write are apart.
fn compare(fixture: &MeasurementFixture, flags: &[String]) -> String {
    let start = fixture.start("");
    let mut command = fixture.command(&["compare", "--base-start", &start, "--head-start", &start]);
    let output = command.args(flags).env("NO_PROXY", "127.0.0.1").output().unwrap();
    let said = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    said
}

#[test]
#[ignore = "needs Prometheus: run by .ci/run full"]
fn every_query_of_every_dashboard_has_data_of_a_real_run() {
    let folder = tempfile::tempdir().unwrap();
    let rules = documents().join("prometheus/xmlperf.rules.yml");
    let config =
        format!("rule_files: [{}]\nglobal: {{ evaluation_interval: 1s }}\n", rules.display());
    let prometheus = ServerProcess::prometheus(folder.path(), &config);
    let fixture = MeasurementFixture::new("launch-pairs = 14");
    let path = fixture.path().join("xmlperf.toml");
    let longer = fs::read_to_string(&path).unwrap().replace("60 ms", "600 ms");
    // A limit that nothing keeps, so that alerts have something to say.
    fs::write(&path, longer + "limits = { p95 = \"<= 1 us\", errors = \"0 %\" }\n").unwrap();
    let said =
        compare(&fixture, &[format!("--metrics-remote-write={}", prometheus.url("/api/v1/write"))]);
    assert!(!said.contains("did not reach"), "{said}");
    for (name, dashboard) in dashboards() {
        for query in queries(&dashboard) {
            assert!(!prometheus.query(&query).is_empty(), "{name} has no data for {query}");
        }
    }
    let counted = prometheus.query("xmlperf_requests_total{side=\"head\"}");
    let labels = &counted[0]["metric"];
    assert_eq!((&labels["job"], &labels["scenario"]), (&"xmlperf".into(), &"tiny".into()));
    let alert = "ALERTS{alertname=\"XmlperfLimitBroken\",alertstate=\"firing\"}";
    wait_until("an alert fires", || !prometheus.query(alert).is_empty());
}

#[test]
#[ignore = "needs Prometheus and a Pushgateway: run by .ci/run full"]
fn a_pushgateway_takes_a_run_and_prometheus_scrapes_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = ServerProcess::start("prometheus-pushgateway", |address| {
        vec![format!("--web.listen-address={address}")]
    });
    let live = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "global: {{ scrape_interval: 200ms }}\nscrape_configs:\n\
         - job_name: live\n  static_configs: [{{ targets: ['{live}'] }}]\n\
         - job_name: pushed\n  honor_labels: true\n  static_configs: [{{ targets: ['127.0.0.1:{}'] }}]\n",
        gateway.port
    );
    let prometheus = ServerProcess::prometheus(folder.path(), &config);
    let fixture = MeasurementFixture::new("launch-pairs = 9");
    let scraper = thread::spawn(move || scraped(&live.to_string()));
    compare(
        &fixture,
        &[format!("--metrics-push={}", gateway.url("")), format!("--metrics-listen={live}")],
    );
    promtool(&["check", "metrics"], &scraper.join().unwrap());
    let (status, body) = exchange("GET", &gateway.url("/metrics"), &[], Vec::new());
    assert_eq!(status, 200);
    let own = |line: &&str| line.contains("xmlperf_") || line.contains("push_failure");
    assert!(
        body.lines()
            .any(|line| line.starts_with("push_failure_time_seconds{") && line.ends_with(" 0")),
        "{body}"
    );
    let own: Vec<&str> = body.lines().filter(own).collect();
    let own = own.join("\n");
    assert!(own.contains("xmlperf_verdict{"), "{own}");
    thread::sleep(Duration::from_secs(3));
    let live =
        prometheus.query("max_over_time(xmlperf_requests_total{job=\"live\",side=\"head\"}[5m])");
    assert_eq!(live.len(), 1);
    let outcomes = prometheus.query("xmlperf_run_outcome{job=\"xmlperf\"}");
    assert_eq!(outcomes.len(), 5);
}

/// What a run that goes on serves as plain text, once it has served OpenMetrics.
fn scraped(address: &str) -> String {
    let ask = |accept: &str| {
        let mut said = String::new();
        wait_until("numbers are served", || {
            if TcpStream::connect(address).is_err() {
                return false;
            }
            let url = format!("http://{address}/metrics");
            said = exchange("GET", &url, &[("Accept", accept)], Vec::new()).1;
            said.contains("_bucket{")
        });
        said
    };
    let open = ask("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    assert!(open.ends_with("# EOF\n"), "{open}");
    ask("text/plain")
}

/// Waits until something is so, and fails if it is not in a minute.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("not in a minute: {what}");
}

/// Runs promtool on a text.
fn promtool(args: &[&str], input: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input");
    fs::write(&file, input).unwrap();
    let output = Command::new("promtool")
        .args(args)
        .stdin(fs::File::open(&file).unwrap())
        .current_dir(documents().join("prometheus"))
        .output()
        .unwrap_or_else(|error| panic!("`.ci/run full` installs prometheus: {error}"));
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{said}\n{input}");
}

#[test]
#[ignore = "needs promtool: run by .ci/run full"]
fn the_alert_rules_are_sound_and_fire_as_their_tests_say() {
    promtool(&["check", "rules", "xmlperf.rules.yml"], "");
    promtool(&["test", "rules", "xmlperf.rules.test.yml"], "");
}
