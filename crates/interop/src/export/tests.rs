use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use load::pacing::{ArrivalProcess, ArrivalSchedule, RateStage};
use payload::{LivePart, LiveText, PayloadPreset, PayloadSpec};
use runner::RequestListing;
use suite::config::{self, ConfigOverrides};
use suite::{ArrivalShape, LoadSettings, SamplingPlan, Scenario, WorkloadModel};

use super::*;
use crate::export::javascript::{expression, text_or_function};

/// A shipped scenario.
fn shipped(name: &str) -> (Scenario, SamplingPlan) {
    let choice = ConfigOverrides { scenarios: vec![name.to_owned()], ..<_>::default() };
    let suite = config::embedded(Path::new("/"), &choice).unwrap();
    (suite.scenarios[0].clone().with_pairs_max(20), suite.sampling)
}

fn exported(
    scenario: &Scenario,
    format: ExportFormat,
    accepted: &[GapKey],
    fleet: Option<u32>,
) -> Result<Vec<ExportFile>, ExportError> {
    let listing = RequestListing::new(scenario, &SamplingPlan::of_defaults()).unwrap();
    let plan = ExportPlan {
        scenario,
        listing: &listing,
        url: "http://127.0.0.1:8080",
        has_certificates: false,
        is_insecure: false,
        duration: Duration::from_secs(10),
        accepted,
        fleet: fleet.and_then(FleetSize::new),
    };
    export(&plan, format)
}

fn text(files: &[ExportFile], name: &str) -> String {
    let file = files.iter().find(|file| file.name == name);
    let file = file.unwrap_or_else(|| panic!("no `{name}`"));
    String::from_utf8(file.bytes()).unwrap()
}

fn options(load: LoadSettings) -> serde_json::Value {
    let (mut scenario, _) = shipped("smoke");
    scenario.load = load;
    let files = exported(&scenario, ExportFormat::K6, &[], None).unwrap();
    let script = text(&files, "script.js");
    let (_, rest) = script.split_once("export const options = ").unwrap();
    let (options, _) = rest.split_once(";\n").unwrap();
    serde_json::from_str(options).unwrap()
}

fn open(shape: ArrivalShape, stages: &[(f64, f64, u64)], arrivals: ArrivalProcess) -> LoadSettings {
    let stage = |(from_per_s, to_per_s, seconds): &(f64, f64, u64)| RateStage {
        from_per_s: *from_per_s,
        to_per_s: *to_per_s,
        lasts: Duration::from_secs(*seconds),
    };
    let schedule = ArrivalSchedule::new(stages.iter().map(stage).collect(), arrivals).unwrap();
    let model = WorkloadModel::Open { shape, schedule, late_max: Duration::from_secs(1) };
    LoadSettings { model, connections: 8, ..shipped("smoke").0.load }
}

#[test]
fn every_shipped_scenario_is_exported_or_refused_by_name() {
    let said = config::PRESETS.iter().map(|it| it.name).flat_map(|name| {
        ExportFormat::ALL.map(|format| match exported(&shipped(name).0, format, &[], None) {
            Ok(files) => format!("{name} {format}: {}", files[0].name),
            Err(error) => format!("{name}: {error}"),
        })
    });
    insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n"), @r#"
    smoke k6: script.js
    smoke wrk: script.lua
    smoke: vegeta cannot express what answers say beside their status
    smoke curl: run.sh
    concurrent k6: script.js
    concurrent wrk: script.lua
    concurrent: vegeta cannot express what answers say beside their status
    concurrent curl: run.sh
    large k6: script.js
    large wrk: script.lua
    large: vegeta cannot express what answers say beside their status
    large curl: run.sh
    nominal: k6 cannot express a limit on `rss`
    nominal: wrk cannot express a limit on `rss`, nor a load of 1 request instead of a time
    nominal: vegeta cannot express a limit on `rss`, a load of 1 request instead of a time, nor what answers say beside their status
    nominal curl: run.sh
    soak: k6 cannot express a limit on `growth`
    soak: wrk cannot express a limit on `growth`
    soak: vegeta cannot express a limit on `growth`, nor what answers say beside their status
    soak curl: run.sh
    stress: k6 cannot express steps of ever more connections (`model = "steps"`)
    stress: wrk cannot express steps of ever more connections (`model = "steps"`)
    stress: vegeta cannot express steps of ever more connections (`model = "steps"`), nor what answers say beside their status
    stress: curl cannot express steps of ever more connections (`model = "steps"`)
    capacity: k6 cannot express a search for the highest rate (`model = "capacity"`)
    capacity: wrk cannot express a search for the highest rate (`model = "capacity"`)
    capacity: vegeta cannot express a search for the highest rate (`model = "capacity"`), nor what answers say beside their status
    capacity: curl cannot express a search for the highest rate (`model = "capacity"`)
    extreme k6: script.js
    extreme: wrk cannot express a load of 1 request instead of a time
    extreme: vegeta cannot express a load of 1 request instead of a time, nor what answers say beside their status
    extreme curl: run.sh
    "#);
}

#[test]
fn each_load_has_an_executor_of_k6() {
    let executor = |load| {
        let options = options(load);
        let (_, executor) = options["scenarios"].as_object().unwrap().iter().next().unwrap();
        format!("{executor} {}", options["thresholds"])
    };
    let poisson = ArrivalProcess::Poisson { seed: 1 };
    let said = [
        executor(shipped("concurrent").0.load),
        executor(shipped("nominal").0.load),
        executor(open(ArrivalShape::Constant, &[(2.5, 2.5, 4)], ArrivalProcess::Even)),
        executor(open(ArrivalShape::Ramp, &[(1.0, 9.0, 4)], ArrivalProcess::Even)),
        executor(open(
            ArrivalShape::Spikes,
            &[(10.0, 10.0, 4), (80.0, 80.0, 1)],
            ArrivalProcess::Even,
        )),
        executor(open(ArrivalShape::Poisson, &[(5.0, 5.0, 4)], poisson)),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    {"duration":"10000ms","executor":"constant-vus","gracefulStop":"600000ms","vus":4} {"xmlperf_failed":["rate<=0"],"xmlperf_pairs":["rate>=333"]}
    {"executor":"shared-iterations","gracefulStop":"600000ms","iterations":1,"maxDuration":"24h","vus":1} {"xmlperf_failed":["rate<=0"],"xmlperf_pairs":["rate>=333"]}
    {"duration":"4000ms","executor":"constant-arrival-rate","gracefulStop":"600000ms","maxVUs":8,"preAllocatedVUs":8,"rate":25,"timeUnit":"10s"} {"dropped_iterations":["count<=0"],"xmlperf_failed":["rate<=0"],"xmlperf_pairs":["rate>=333"]}
    {"executor":"ramping-arrival-rate","gracefulStop":"600000ms","maxVUs":8,"preAllocatedVUs":8,"stages":[{"duration":"4000ms","target":9}],"startRate":1,"timeUnit":"1s"} {"dropped_iterations":["count<=0"],"xmlperf_failed":["rate<=0"],"xmlperf_pairs":["rate>=333"]}
    {"executor":"ramping-arrival-rate","gracefulStop":"600000ms","maxVUs":8,"preAllocatedVUs":8,"stages":[{"duration":"4000ms","target":10},{"duration":"0s","target":80},{"duration":"1000ms","target":80}],"startRate":10,"timeUnit":"1s"} {"dropped_iterations":["count<=0"],"xmlperf_failed":["rate<=0"],"xmlperf_pairs":["rate>=333"]}
    {"executor":"shared-iterations","gracefulStop":"600000ms","iterations":18,"maxDuration":"605000ms","vus":8} {"xmlperf_dropped":["count<=0"],"xmlperf_failed":["rate<=0"],"xmlperf_pairs":["rate>=333"]}
    "#);
}

#[test]
fn the_bodies_are_the_bytes_of_the_generator() {
    for preset in PayloadPreset::ALL {
        let (mut scenario, _) = shipped("smoke");
        scenario.operations[0].payload = PayloadSpec::preset(preset, 7, 5);
        let files = exported(&scenario, ExportFormat::K6, &[], None).unwrap();
        let operation = scenario.first();
        for index in 0..8 {
            let message = payload::message(&operation.payload, operation.kind, index);
            let name = format!("smoke-0-{index}.json");
            let file = files.iter().find(|file| file.name == name).unwrap();
            assert_eq!(file.bytes(), message.body, "{preset:?} {index}");
        }
    }
}

#[test]
fn the_digests_are_those_of_all_other_files() {
    let files = exported(&shipped("smoke").0, ExportFormat::Curl, &[], None).unwrap();
    let sums = text(&files, SUMS_FILE);
    let mut lines = sums.lines();
    assert_eq!(lines.next(), Some(SUMS_TITLE));
    let others = files.iter().filter(|file| file.name != SUMS_FILE);
    let expected: Vec<String> =
        others.map(|file| format!("{}  {}", file.measure().0, file.name)).collect();
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[test]
fn what_stays_open_is_an_expression() {
    let value = |name: &str| LivePart::Value(name.to_owned());
    let fixed = |text: &str| LivePart::Text(text.to_owned());
    let digest = || LivePart::Sha1(LiveText(vec![value("nonce"), fixed("\"pw\"")]));
    let said = [
        expression(&LiveText(vec![fixed("/orders/"), value("id")])),
        expression(&LiveText(vec![LivePart::Base64(LiveText(vec![digest()])), digest()])),
        expression(&LiveText(vec![
            LivePart::Json(LiveText(vec![value("id")])),
            LivePart::Xml(LiveText(vec![value("id")])),
        ])),
        expression(&LiveText::default()),
        text_or_function(&LiveText(vec![value("token")])),
        text_or_function(&"a\u{2028}</script>\n".into()),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    "/orders/" + v.id
    base64(sha1(v.nonce + "\"pw\"", 'binary')) + sha1(v.nonce + "\"pw\"", 'hex')
    json(v.id) + xml(v.id)
    ""
    (v) => v.token
    "a </script>\n"
    "#);
}

#[test]
fn a_small_fleet_of_k6_lies_in_a_config_map_and_a_large_one_on_a_volume() {
    let (scenario, _) = shipped("concurrent");
    let files = exported(&scenario, ExportFormat::K6, &[], Some(4)).unwrap();
    insta::assert_snapshot!(text(&files, "testrun.yaml"), @r#"
    # For k6-operator 1.6. The operator starts the instances together, each with its segment of the load.
    apiVersion: k6.io/v1alpha1
    kind: TestRun
    metadata:
      name: xmlperf-concurrent
    spec:
      parallelism: 4
      script:
        configMap:
          name: xmlperf-concurrent
          file: script.js
      runner:
        image: grafana/k6:2.2.0
        env:
          - name: URL
            value: "http://127.0.0.1:8080"
    "#);
    let config = text(&files, "configmap.yaml");
    let held = config.lines().find_map(|line| line.strip_prefix("  script.js: "));
    let held = BASE64_STANDARD.decode(held.unwrap()).unwrap();
    assert_eq!(held, text(&files, "script.js").as_bytes());
    assert!(text(&files, "script.js").contains("\nconst instances = 4;\n"));
    let mut large = scenario.clone();
    large.operations[0].payload = PayloadSpec::depth_mix(1, 2_000);
    let files = exported(&large, ExportFormat::K6, &[], Some(4)).unwrap();
    let run = text(&files, "testrun.yaml");
    assert!(run.contains("volumeClaim:\n      name: xmlperf-concurrent"), "{run}");
    insta::assert_snapshot!(text(&files, "volume.yaml"), @"
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata:
      name: xmlperf-concurrent
    spec:
      accessModes: [ReadWriteMany]
      resources:
        requests:
          storage: 64Mi
    ---
    apiVersion: batch/v1
    kind: Job
    metadata:
      name: xmlperf-concurrent-loader
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: loader
              image: busybox:1.37
              workingDir: /test
              command: [sh, -c, 'until [ -f .loaded ]; do sleep 1; done; sha256sum -c SHA256SUMS']
              volumeMounts:
                - name: test
                  mountPath: /test
          volumes:
            - name: test
              persistentVolumeClaim:
                claimName: xmlperf-concurrent
    ");
    assert!(text(&files, "load.sh").contains("script.js concurrent-0-0.json"));
    let error = exported(&large, ExportFormat::Vegeta, &[GapKey::Answers], Some(2)).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"vegeta cannot express bodies of 4.51 MiB in a ConfigMap, which holds 1 MiB");
}

#[test]
fn vegeta_gets_targets_and_the_rate_of_each_instance() {
    let (mut scenario, _) = shipped("smoke");
    scenario.load = open(ArrivalShape::Constant, &[(2.5, 2.5, 4)], ArrivalProcess::Even);
    let files = exported(&scenario, ExportFormat::Vegeta, &[GapKey::Answers], Some(2)).unwrap();
    let targets = text(&files, "targets.http");
    let first: Vec<&str> = targets.lines().take(3).collect();
    insta::assert_snapshot!(first.join("\n"), @"
    POST http://127.0.0.1:8080/xml-compare-api/api/compare/xml/batch
    Content-Type: application/json
    @./smoke-0-0.json
    ");
    let attack = text(&files, "attack.sh");
    let attack = attack.lines().find(|line| line.starts_with("vegeta")).unwrap();
    insta::assert_snapshot!(attack, @r#"vegeta attack -targets "$targets" -format http -rate=25/20s -duration=4000000000ns -workers=4 -max-workers=4 -timeout=600000000000ns -redirects=-1 -http2=false | vegeta encode -to csv | cut -d, -f1-5 | gzip | base64"#);
}
