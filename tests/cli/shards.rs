//! A suite that several machines measure: `--shard` and `xmlperf merge`.

use std::fs;

use crate::measurement::{MeasurementFixture, text};

#[test]
fn shards_measure_every_scenario_once_and_are_judged_together() {
    let fixture = MeasurementFixture::new("launches = 1");
    let config = fixture.path().join("xmlperf.toml");
    let more =
        "[[scenario]]\nname = \"other\"\npairs = 12\n[[scenario]]\nname = \"third\"\npairs = 14\n";
    fs::write(&config, fs::read_to_string(&config).unwrap() + more).unwrap();
    let measure = |part: &str, out: &str| {
        fixture.run(&["run", "--shard", part, "--shard-times", "none.json", "--out", out])
    };
    for (part, out) in [("1/2", "one"), ("2/2", "two")] {
        let output = measure(part, out);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let said = text(&output.stderr);
        assert!(said.contains("shards are divided by the configured durations"), "{said}");
        assert!(
            text(&output.stdout).contains(&format!("this is shard {part}")),
            "{}",
            text(&output.stdout)
        );
    }
    let merged = fixture.run(&["merge", "one/report", "two/report/run.json", "--format", "json"]);
    assert_eq!(merged.status.code(), Some(0), "{}", text(&merged.stderr));
    let report: serde_json::Value = serde_json::from_slice(&merged.stdout).unwrap();
    let scenarios = report["scenarios"].as_array().unwrap().iter();
    let names: Vec<_> = scenarios.map(|it| it["scenario"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["tiny", "other", "third"]);
    // The joined run is the last one, as any other run would be.
    let again = fixture.run(&["report"]);
    assert!(text(&again.stdout).contains("joined from 2 shards"), "{}", text(&again.stdout));

    let twice = fixture.run(&["merge", "one/report", "one/report"]);
    assert_eq!(twice.status.code(), Some(2));
    let said = text(&twice.stderr);
    assert!(
        said.contains("`one/report/run.json` and `one/report/run.json` are both shard 1/2"),
        "{said}"
    );
    let missing = fixture.run(&["merge", "one/report"]);
    assert!(
        text(&missing.stderr).contains("of 2 shards, 2 is missing beside `one/report/run.json`")
    );
    let many = measure("4/4", "four");
    assert_eq!(many.status.code(), Some(2));
    assert!(text(&many.stderr).contains("shard 4/4 is one too many: the suite has 3 scenarios"));
}
