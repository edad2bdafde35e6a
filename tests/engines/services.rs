//! Services beside a target and hooks around it: their order, their ends, and what is said of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up must fail")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use sut::{
    CallCounting, CpuPlacement, DependencySpec, HookKind, HookSpec, LogPattern, ReadyCondition,
    ReadySign, ServiceScope, ServiceSet, ServiceSpec, SharedServices, Target, TargetCommand,
    TargetError,
};
use tempfile::TempDir;
use units::cancel::Cancel;
use units::environment::{EnvValue, ProcessEnvironment};

/// Listens on the port of its first argument, and appends what happens to `events`.
const PROGRAM: &str = r#"
import os, signal, socket, sys
def event(what):
    with open("events", "a") as events: events.write(what + " " + sys.argv[2] + "\n")
def end(*_):
    event("end")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
event("start")
print("secret", os.environ.get("TOKEN"), flush=True)
print("arguments", *sys.argv[3:], flush=True)
while True:
    connection, _ = listener.accept()
    connection.close()
    if os.path.exists("die-" + sys.argv[2]): sys.exit(7)
"#;

struct ServiceFixture {
    dir: TempDir,
}

impl ServiceFixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("program.py"), PROGRAM).unwrap();
        Self { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn target(&self, services: Vec<ServiceSpec>) -> TargetCommand {
        TargetCommand {
            start: "python3 program.py {port} target {service:db} {service:db:port}".to_owned(),
            dir: self.path().to_owned(),
            environment: <_>::default(),
            env: Vec::new(),
            port_env: None,
            ready: listening(),
            ask: <_>::default(),
            ready_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            limits: <_>::default(),
            container: None,
            copies: None,
            relinked: None,
            services: ServiceSet::new(services),
            hooks: <_>::default(),
        }
    }

    fn start(&self, command: &TargetCommand) -> Result<Target, TargetError> {
        let log = self.path().join("head.log");
        Target::start(command, &CpuPlacement::default(), &log, &Cancel::default())
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap_or_default()
    }

    fn events(&self) -> String {
        self.read("events").lines().collect::<Vec<_>>().join(", ")
    }
}

fn service(name: &str, scope: ServiceScope, arguments: &str) -> ServiceSpec {
    ServiceSpec {
        name: name.to_owned(),
        scope,
        start: format!("python3 program.py {{port}} {name} {arguments}"),
        container: None,
        setup: None,
        env: Vec::new(),
        ready: listening(),
        ready_timeout: Duration::from_secs(30),
        stop_timeout: Duration::from_secs(10),
        calls: CallCounting::Off,
    }
}

fn listening() -> ReadyCondition {
    ReadyCondition { sign: ReadySign::Listener, port: None, probe_timeout: None }
}

fn hook(kind: HookKind, script: &str) -> HookSpec {
    HookSpec { kind, script: script.to_owned(), timeout: Duration::from_secs(20) }
}

#[test]
fn services_start_before_the_target_in_order_and_end_after_it_in_reverse() {
    let fixture = ServiceFixture::new();
    let db = ServiceSpec {
        setup: Some("ls -A {dir}; echo made > {dir}/data".to_owned()),
        ..service("db", ServiceScope::Launch, "{dir}")
    };
    let cache = service("cache", ServiceScope::Launch, "{service:db}");
    let command = fixture.target(vec![db, cache]);
    let target = fixture.start(&command).unwrap();
    // What is beside it is not counted as its own.
    assert_eq!(target.usage().unwrap().processes, 1);
    let address = fixture.read("head-cache.log");
    let address = address.split_whitespace().last().unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let port = address.rsplit_once(':').unwrap().1;
    assert!(fixture.read("head.log").ends_with(&format!("arguments {address} {port}\n")));
    assert_eq!(fixture.read("head-db.dir/data"), "made\n");
    assert_eq!(fixture.read("head-db.setup.log"), "");
    target.stop().unwrap();
    assert_eq!(
        fixture.events(),
        "start db, start cache, start target, end target, end cache, end db"
    );
    assert!(!fixture.path().join("head-db.dir").exists());
}

#[test]
fn a_service_lives_as_long_as_its_scope() {
    let fixture = ServiceFixture::new();
    let services = vec![
        service("shared", ServiceScope::Run, ""),
        service("db", ServiceScope::Side, ""),
        service("mock", ServiceScope::Launch, ""),
    ];
    let build = fixture.target(services);
    let shared = SharedServices::default();
    let side = |shared| TargetCommand { services: build.services.anew(shared), ..build.clone() };
    let (base, head) = (side(&shared), side(&shared));
    drop(shared);
    for command in [&base, &head, &base] {
        fixture.start(command).unwrap().stop().unwrap();
    }
    drop((base, head));
    let launch = "start mock, start target, end target, end mock";
    let first = format!("start shared, start db, {launch}, start db, {launch}, {launch}");
    assert_eq!(fixture.events(), format!("{first}, end db, end db, end shared"));
}

#[test]
fn a_service_that_does_not_start_is_named_with_its_log() {
    let fixture = ServiceFixture::new();
    let start = |spec| fixture.start(&fixture.target(vec![spec])).unwrap_err();
    let mut db = service("db", ServiceScope::Side, "");
    db.start = "python3 -c 'print(\"no disk\"); raise SystemExit(3)' {port}".to_owned();
    let error = start(db.clone());
    assert_eq!(error.to_string(), "the service `db` exited with status 3");
    let tail = error.log_tail().unwrap().to_string();
    assert!(tail.contains("head-db.log") && tail.contains("no disk"), "{tail}");
    db.start = "no-such-database {port}".to_owned();
    let error = units::text::error_chain(&start(db.clone()));
    assert!(
        error.starts_with("the service `db` cannot be started: `no-such-database` was not found")
    );
    db.setup = Some("echo broken; exit 4".to_owned());
    let error = start(db.clone());
    let chain = units::text::error_chain(&error);
    assert_eq!(chain, "the service `db` cannot be started: `setup` exited with status 4");
    assert_eq!(error.log_tail().unwrap().lines(), ["broken"]);
    let never = ReadySign::LogLine(LogPattern::Text("never".to_owned()));
    db = service("db", ServiceScope::Side, "");
    db.ready = ReadyCondition { sign: never, ..listening() };
    db.ready_timeout = Duration::from_secs(1);
    let error = start(db).to_string();
    let expected =
        "the service `db` was not ready after 1.00 s: its log has no line with `never` yet";
    assert_eq!(error, expected);
}

#[test]
fn a_service_that_dies_is_why_the_launch_fails() {
    let fixture = ServiceFixture::new();
    let db = service("db", ServiceScope::Side, "");
    let target = fixture.start(&fixture.target(vec![db])).unwrap();
    target.alive().unwrap();
    fs::write(fixture.path().join("die-db"), "").unwrap();
    let arguments = fixture.read("head.log");
    let address = arguments.lines().find_map(|line| line.strip_prefix("arguments ")).unwrap();
    TcpStream::connect(address.split(' ').next().unwrap()).unwrap();
    let error = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(20));
        target.alive()
    });
    let error = error.take(500).find_map(Result::err).unwrap();
    assert_eq!(error.to_string(), "the service `db` exited with status 7");
    assert_eq!(target.stop().unwrap_err().to_string(), error.to_string());
}

#[test]
fn hooks_run_around_a_launch_with_its_values_and_fail_it() {
    let fixture = ServiceFixture::new();
    let mut command = fixture.target(vec![service("db", ServiceScope::Launch, "")]);
    let before = "echo before {service:db} >> events; echo said; cat {dir}/none || true";
    command.hooks.before = Some(hook(HookKind::BeforeLaunch, before));
    command.hooks.after = Some(hook(HookKind::AfterLaunch, "echo after {port} >> events"));
    let target = fixture.start(&command).unwrap();
    let port = target.address().unwrap().port();
    target.stop().unwrap();
    let events = fixture.events();
    let expected = format!("start target, end target, after {port}, end db");
    assert!(events.starts_with("start db, before 127.0.0.1:"), "{events}");
    assert!(events.ends_with(&expected), "{events}");
    assert!(fixture.read("head.before-launch.log").starts_with("said\n"));

    command.hooks.before = Some(hook(HookKind::BeforeLaunch, "echo no schema; exit 2"));
    let error = fixture.start(&command).unwrap_err();
    assert_eq!(error.to_string(), "`before-launch` exited with status 2");
    assert_eq!(error.log_tail().unwrap().lines(), ["no schema"]);
    // What was begun is undone.
    let events = fixture.events();
    assert!(events.contains("start db, after") && events.ends_with("end db"), "{events}");
    command.hooks.before.as_mut().unwrap().script = "sleep 600".to_owned();
    command.hooks.before.as_mut().unwrap().timeout = Duration::from_millis(200);
    let error = fixture.start(&command).unwrap_err().to_string();
    assert_eq!(error, "`before-launch` was not done after 200 ms");
}

#[test]
fn a_secret_reaches_the_target_and_no_message() {
    let fixture = ServiceFixture::new();
    let mut command = fixture.target(vec![service("db", ServiceScope::Launch, "")]);
    let variables = [("ORDERS_TOKEN".into(), "hunter22".into())];
    let process = ProcessEnvironment::new(variables, "");
    command.environment = process.child(&[]).lending(&process, ["ORDERS_TOKEN"].into_iter());
    command.env = vec![("TOKEN".to_owned(), EnvValue::Inherited("ORDERS_TOKEN".to_owned()))];
    let target = fixture.start(&command).unwrap();
    assert!(fixture.read("head.log").contains("secret hunter22\n"));
    assert_eq!(target.log_tail().unwrap().lines()[0], "secret ***");
    assert!(!format!("{command:?} {target:?}").contains("hunter"));
    target.stop().unwrap();
    assert!(fixture.read("head-db.log").contains("secret None\n"));
}

/// Calls what listens at the address in `DB` before it listens itself: a pipeline of two commands, and one more.
const CALLER: &str = r#"
import os, socket, sys
host, port = os.environ["DB"].split("@")[1].split("/")[0].split(":")
database = socket.create_connection((host, int(port)))
for commands in (b"*2\r\n$3\r\nGET\r\n$3\r\nann\r\n*1\r\n$4\r\nPING\r\n", b"*1\r\n$4\r\nPING\r\n"):
    database.sendall(commands)
    database.recv(64)
print(os.environ["DB"], sys.argv[2], flush=True)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True: listener.accept()[0].close()
"#;

/// Answers everything by one line, on a thread that ends with the connections.
fn database() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut bytes = [0; 64];
            while matches!(connection.read(&mut bytes), Ok(1..)) {
                connection.write_all(b"+OK\r\n").unwrap();
            }
        }
    });
    address
}

#[test]
fn what_runs_already_is_called_through_a_relay_that_counts() {
    let fixture = ServiceFixture::new();
    fs::write(fixture.path().join("program.py"), CALLER).unwrap();
    let address = database().to_string();
    let dependency = |calls| {
        let (name, address) = ("db".to_owned(), address.clone());
        ServiceSet::default().with_dependencies(vec![DependencySpec { name, address, calls }])
    };
    let command = TargetCommand {
        start: "python3 program.py {port} {service:db}".to_owned(),
        env: vec![("DB".to_owned(), format!("redis://app@{address}/0").into())],
        services: dependency(CallCounting::Detected),
        ..fixture.target(Vec::new())
    };
    let target = fixture.start(&command).unwrap();
    let [calls] = <[_; 1]>::try_from(target.calls()).unwrap();
    assert_eq!((calls.totals.queries, calls.totals.round_trips), (3, 2));
    assert_eq!(calls.totals.connections, 1);
    let executed = calls.statements.iter().map(|it| (it.statement.as_str(), it.count));
    assert_eq!(executed.collect::<Vec<_>>(), [("GET", 1), ("PING", 2)]);
    let log = fixture.read("head.log");
    let (url, named) = log.trim().split_once(' ').unwrap();
    assert_eq!(url, format!("redis://app@{named}/0"));
    assert_ne!(named, address);
    target.stop().unwrap();
    // One whose address stands nowhere would never be called through the relay.
    let command = TargetCommand {
        start: "python3 program.py {port} x".to_owned(),
        env: vec![("DB".to_owned(), "redis://app@127.0.0.1:1/0".to_owned().into())],
        ..command
    };
    let error = fixture.start(&command).unwrap_err();
    assert!(matches!(error, TargetError::UnusedDependency { .. }), "{error}");
}
