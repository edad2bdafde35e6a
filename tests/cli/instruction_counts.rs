//! The work lane on the reference API: that a count repeats, and finds what was added.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up must fail")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use compare::function_changes::{self, FunctionChange};
use load::pacing::StopCondition;
use load::{ClientSettings, LoadClient, LoadRequest, SuccessCheck};
use payload::{self, PayloadKind, PayloadSpec};
use profile::{
    CallgrindCounts, DriveError, ProfileDriver, ProfileError, ProfilePlan, ProfileSession,
};
use sut::TargetCommand;
use units::cancel::Cancel;

use crate::identity::{ProgramRepository, text};

const PAIRS: u64 = 100;

/// The reference API on one thread.
fn api(options: &str) -> TargetCommand {
    TargetCommand {
        start: format!(
            "{} serve --port {{port}} --workers 1 {options}",
            env!("CARGO_BIN_EXE_xmlperf")
        ),
        dir: PathBuf::from("."),
        environment: <_>::default(),
        env: Vec::new(),
        port_env: None,
        ready: "/xml-compare-api/health".into(),
        ask: <_>::default(),
        ready_timeout: Duration::from_secs(30),
        stop_timeout: Duration::from_secs(10),
        limits: <_>::default(),
        container: None,
        copies: None,
        services: <_>::default(),
        hooks: <_>::default(),
        relinked: None,
    }
}

fn drive(address: SocketAddr) -> Result<ProfileDriver<'static>, DriveError> {
    let spec = PayloadSpec::depth_mix(42, PAIRS);
    let bodies = (0..4).map(|index| {
        let message = payload::message(&spec, PayloadKind::XmlCompareBatch, index);
        let body = message.body;
        let path = "/xml-compare-api/api/compare/xml/batch";
        LoadRequest::post(path, "localhost", "application/json", &[], body, Arc::new(SuccessCheck))
            .unwrap()
    });
    let bodies = bodies.collect::<Vec<_>>();
    let mut client =
        LoadClient::new(address, &bodies, ClientSettings::default(), Cancel::default())
            .map_err(|error| error.to_string())?;
    Ok(Box::new(move |requests| {
        let mut failure = None;
        let sink = &mut |exchange: &load::Exchange| {
            if let Err(error) = &exchange.outcome {
                failure.get_or_insert(error.detail.clone());
            }
        };
        client
            .drive(StopCondition::after_requests(requests), sink)
            .map_err(|error| error.to_string())?;
        failure.map_or(Ok(()), |detail: String| Err(detail.into()))
    }))
}

fn session(launches: usize) -> ProfileSession<'static> {
    ProfileSession {
        plan: ProfilePlan {
            warmup_requests: 3,
            requests: 10,
            pairs_per_request: PAIRS,
            requests_per_unit: 1,
            launches,
        },
        drive: &drive,
        progress: &|| {},
        cancel: Box::leak(Box::default()),
    }
}

fn both(dir: &Path, launches: usize, base: &str, head: &str) -> (CallgrindCounts, CallgrindCounts) {
    let (base_dir, head_dir) = (dir.join("base 50%"), dir.join("head"));
    session(launches).count_both((&api(base), &base_dir), (&api(head), &head_dir)).unwrap()
}

/// How much more head took than base, by the mean of all launches: 0.01 is 1 %.
fn growth(base: &CallgrindCounts, head: &CallgrindCounts) -> f64 {
    let mean = |work: &CallgrindCounts| {
        work.instructions.iter().sum::<f64>() / work.instructions.len() as f64
    };
    mean(head) / mean(base) - 1.0
}

#[test]
fn added_work_is_found_in_the_count_and_in_the_functions_that_do_it() {
    let dir = tempfile::tempdir().unwrap();
    // What another run left in the folder does not count.
    std::fs::create_dir_all(dir.path().join("head/launch-1")).unwrap();
    std::fs::write(dir.path().join("head/launch-1/callgrind.1.out.1"), "fn=a\n1 99999999\n")
        .unwrap();
    let (base, head) = both(dir.path(), 1, "", "--extra-work 7%");
    assert!(
        (growth(&base, &head) - 0.07).abs() < 0.01,
        "{:?} {:?}",
        base.instructions,
        head.instructions
    );
    let counted = base.graph.total() as f64 / base.pairs as f64;
    assert!((counted / base.instructions[0] - 1.0).abs() < 1e-9);
    assert!(base.allocations[0] > 0.0 && base.allocations[0] < 100.0);
    let changes =
        function_changes::changes(&base.profile().functions(), &head.profile().functions());
    let named = |change: &FunctionChange| {
        change.own() > 0.0
            && change.name.contains("xmlperf_reference::")
            && change.file.starts_with("crates/reference/src/")
    };
    assert!(changes[..3].iter().any(named), "{:?}", &changes[..5]);
    let sum = changes.iter().map(FunctionChange::own).sum::<f64>();
    assert!((sum - (head.instructions[0] - base.instructions[0])).abs() < 1e-6 * counted);
}

/// A container sets such names for all that runs in it, and valgrind meets its helper by them.
#[test]
fn a_target_with_names_of_its_own_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let named = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned().into());
    let names = [("HOSTNAME", "a-container"), ("LOGNAME", "its-user")];
    let target = TargetCommand { env: names.map(named).to_vec(), ..api("") };
    let counts = session(1).count(&target, dir.path()).unwrap();
    assert!(counts.instructions[0] > 0.0);
}

#[test]
fn wrong_answers_and_a_missing_program_are_failures_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = ProfileSession { drive: &|_| Err("status 500".into()), ..session(1) };
    let error = wrong.count(&api(""), dir.path()).unwrap_err();
    assert!(
        matches!(&error, ProfileError::Load { source, .. } if source.to_string() == "status 500")
    );
    let missing = TargetCommand { start: "./no-such-api {port}".to_owned(), ..api("") };
    let error = session(1).count(&missing, dir.path()).unwrap_err();
    assert!(matches!(&error, ProfileError::Target { .. }), "{error}");
    assert!(!error.is_unavailable());
}

#[test]
fn heaptrack_and_callgrind_count_the_same_allocations() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("callgrind");
    let before = session(1).count(&api(""), &folder).unwrap();
    let counted = session(1).count(&api(""), &folder).unwrap();
    assert!(growth(&before, &counted).abs() < 0.01, "an earlier count in a folder does not count");
    let tracked = match session(1).allocations(&api(""), &dir.path().join("heaptrack")) {
        Ok(tracked) => tracked,
        // Not every machine has it; that is then said as such.
        Err(error) => return assert!(error.is_unavailable(), "{error}"),
    };
    let figure = |name| tracked.figures.iter().find(|f| f.name == name).unwrap().median();
    let difference = figure("allocations") - counted.allocations[0];
    assert!(difference.abs() < 0.01, "{:?} {:?}", tracked.figures, counted.allocations);
    let functions = tracked.functions();
    let sum = functions.iter().map(|function| function.own).sum::<f64>();
    assert!((sum - figure("allocations")).abs() < 0.01, "{sum}");
    assert!(
        functions.iter().any(|function| function.name.contains("crates/reference/src/")),
        "{functions:?}"
    );
    assert!(figure("bytes at the peak") > 10_000.0);
}

/// Needs the permission to sample, which a container may not have; that is then said as such.
#[test]
fn perf_samples_the_comparison_or_says_how_to_get_the_permission() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = session(1);
    // A second of load: the profiler takes a part of it to begin.
    session.plan.requests = 10_000;
    match session.sample(&api(""), dir.path()) {
        Ok(profile) => {
            assert!(profile.functions().iter().any(|function| function.name.contains("reference")));
        }
        Err(error) => assert!(error.is_unavailable(), "{error}"),
    }
}

/// The promise of the lane: 0.3 % is more than it ever differs by on its own, and 1 % is seen as
/// 1 % give or take 0.3 points. `--extra-work` counts the comparison, which is all but 2 % of the
/// work of a request.
#[test]
#[ignore = "slow: run by .ci/run full"]
fn ten_comparisons_of_the_same_never_differ_by_more_than_a_third_of_a_percent() {
    let dir = tempfile::tempdir().unwrap();
    for run in 0..10 {
        let (base, head) = both(&dir.path().join(run.to_string()), 5, "", "");
        assert!(
            growth(&base, &head).abs() < 0.003,
            "{:?} {:?}",
            base.instructions,
            head.instructions
        );
    }
    let (base, head) = both(&dir.path().join("more"), 5, "", "--extra-work 1%");
    assert!(
        (growth(&base, &head) - 0.01).abs() < 0.003,
        "{:?} {:?}",
        base.instructions,
        head.instructions
    );
}

#[test]
fn what_ends_while_requests_are_counted_is_not_left_out_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let forking = dir.path().join("api.sh");
    let served = api("").start.replace("{port}", "$1");
    let script = format!("(while :; do /bin/true; done) &\nexec {served}\n");
    std::fs::write(&forking, script).unwrap();
    let target = TargetCommand { start: format!("sh {} {{port}}", forking.display()), ..api("") };
    match session(1).count(&target, &dir.path().join("counts")) {
        Err(ProfileError::Unsuited { reason, .. }) => {
            assert!(reason.contains("starts or ends processes"), "{reason}");
        }
        Ok(_) => panic!("processes that ended were not missed"),
        Err(error) => panic!("{error}"),
    }
}

/// What nothing was changed in is counted in fewer launches than what does a tenth more.
#[test]
fn what_stays_the_same_is_counted_in_fewer_launches() {
    let program = |options: &str| {
        format!("exec {} serve --workers 1 {options}\n", env!("CARGO_BIN_EXE_xmlperf"))
    };
    let target = "build = \"true\"\nstart = \"sh api.sh\"\nready = \"/xml-compare-api/health\"";
    let repository = ProgramRepository::new(target, &[("api.sh", &program(""))]);
    let config = std::fs::read_to_string(repository.path().join("xmlperf.toml")).unwrap();
    // So wide that no scatter of a few requests matters.
    let counted = "lane = \"on\"\nlaunches = 4\npairs = 500\nprove = false\n\
                   [gate]\nfloor = { work = 0.05, allocations = 0.05 }\n\
                   tolerance = { work = 0.5, allocations = 0.5 }";
    repository.write("xmlperf.toml", &config.replace("lane = \"off\"", counted));
    repository.commit("v2", &[("README", "2")]);
    repository.commit("v3", &[("api.sh", &program("--extra-work 10%"))]);
    let launches = |range: &str| {
        let words = ["compare", "--plain", "--lane", "work", "--always-measure", range];
        let output = repository.run(&words);
        let record = std::fs::read(repository.path().join(".xmlperf/report/run.json")).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let counted = &record["scenarios"][0]["work"]["counted"];
        let launches = |side: &str| counted[side]["instructions"].as_array().map_or(0, Vec::len);
        assert_eq!(launches("base"), launches("head"), "{}", text(&output));
        (output.status.code(), launches("head"))
    };
    assert_eq!(launches("v1..v2"), (Some(0), 2));
    assert_eq!(launches("v2..v3"), (Some(1), 4));
}

/// The second commit builds, and refuses what it is sent; the third one does its comparing twice, the fourth one nothing more.
#[test]
fn a_commit_that_answers_wrongly_is_worse_although_it_cannot_be_counted() {
    let program = |options: &str| {
        format!("exec {} serve --workers 1 {options}\n", env!("CARGO_BIN_EXE_xmlperf"))
    };
    let target = "build = \"true\"\nstart = \"sh api.sh\"\nready = \"/xml-compare-api/health\"";
    let repository = ProgramRepository::new(target, &[("api.sh", &program(""))]);
    let config = std::fs::read_to_string(repository.path().join("xmlperf.toml")).unwrap();
    let counted = "lane = \"auto\"\nlaunches = 2\npairs = 100";
    repository.write("xmlperf.toml", &config.replace("lane = \"off\"", counted));
    repository.commit("v2", &[("api.sh", &program("--body-limit 1KiB"))]);
    repository.commit("v3", &[("api.sh", &program("--extra-work 100%"))]);
    repository.commit("v4", &[("README", "4")]);
    let output = repository.run(&["compare", "--plain", "--lane", "work", "v1..v2"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("413"), "{said}");
    let search = ["bisect", "--metric", "work", "--good", "v1", "--bad", "v4", "--plain"];
    let output = repository.run(&search);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("413") && said.contains("v3"), "{said}");
}

/// Builds this repository with one function made slower, and looks who is blamed.
#[test]
#[ignore = "slow: run by .ci/run full"]
fn a_change_planted_in_one_function_is_named_first() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("planted");
    let run = |program: &str, arguments: &[&str], dir: &Path| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut process = std::process::Command::new(program);
        process.args(arguments).current_dir(dir);
        // Kept between runs, so that only the first builds the dependencies.
        let status = process.env("CARGO_TARGET_DIR", root.join("target/planted")).status();
        assert!(status.unwrap().success(), "{program} {arguments:?}");
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let clone = ["clone", "--quiet", "--shared", ".", source.to_str().unwrap()];
    run("git", &clone, root);
    let file = source.join("crates/reference/src/xml.rs");
    let before = std::fs::read_to_string(&file).unwrap();
    let place = "    fn name(&mut self) -> Result<Span, XmlFlaw> {\n";
    // No calls: what a library does for a function is not the function's own.
    let more = "        let (mut sum, mut i) = (0_usize, 0_usize);\n        \
                while i < 40 {\n            sum ^= i;\n            i += 1;\n        }\n        \
                std::hint::black_box(sum);\n";
    assert_eq!(before.matches(place).count(), 1, "the function to change is not there any more");
    // Both are built here, in one way: this test's own program may be of another profile.
    let build = |name: &str| {
        run("cargo", &["build", "--quiet", "--locked", "--bin", "xmlperf"], &source);
        let program = dir.path().join(name);
        std::fs::copy(root.join("target/planted/debug/xmlperf"), &program).unwrap();
        let start = api("").start.replace(env!("CARGO_BIN_EXE_xmlperf"), program.to_str().unwrap());
        TargetCommand { start, ..api("") }
    };
    let base = build("xmlperf-base");
    std::fs::write(&file, before.replace(place, &format!("{place}{more}"))).unwrap();
    let head = build("xmlperf-head");
    let (base_dir, head_dir) = (dir.path().join("base"), dir.path().join("head"));
    let (base, head) = session(3).count_both((&base, &base_dir), (&head, &head_dir)).unwrap();
    let changes =
        function_changes::changes(&base.profile().functions(), &head.profile().functions());
    assert!(changes[0].name.contains("reference::xml::XmlReader::"), "{:?}", &changes[..5]);
    assert!(changes[0].own() > 0.5 * (growth(&base, &head) * base.instructions[0]));
}
