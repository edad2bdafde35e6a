//! What is published of `report.json` and `run.json` as JSON Schema, held against the types and the documents.
//!
//! `UPDATE_DOCS=1 cargo test --locked --lib -- schema` writes `docs/schema/` anew, and with
//! `UPDATE_RELEASED_SCHEMA=1` also what a release keeps (`RELEASING.md`).

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use crate::json;
use crate::page_tests::states;
use compare::Comparison;
use record::Run;
use record::fixtures::{LEVEL, paired};

/// A schema that documents are held against.
struct DocumentSchema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl DocumentSchema {
    fn of(schema: Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("held.json", schema).unwrap();
        let index = compiler.compile("held.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    #[track_caller]
    fn check(&self, name: &str, document: &Value) {
        if let Err(error) = self.schemas.validate(document, self.index) {
            panic!("{name}: {error:#}");
        }
    }

    fn refuses(&self, document: &Value) -> bool {
        self.schemas.validate(document, self.index).is_err()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the schema of the last release and documents of it are kept.
fn released() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/released")
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path);
    parsed(&text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// A run in every state that a report has, by name.
fn runs() -> Vec<(String, Run)> {
    states().into_iter().map(|(name, run)| (name.replace(' ', "-"), run)).collect()
}

fn report(run: &Run) -> Value {
    parsed(&json::render(&Comparison::of(run).unwrap()))
}

#[test]
fn published_schemas_are_those_of_the_types() {
    for (name, made) in
        [("report.schema.json", json::schema()), ("run.schema.json", record::schema::run())]
    {
        let path = root().join("docs/schema").join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &made).unwrap();
        }
        // As values: in which order keys are written is up to features of serde_json.
        assert!(
            read(&path) == parsed(&made),
            "docs/schema/{name} is not what the types say; run: UPDATE_DOCS=1 cargo test --locked --lib -- schema"
        );
    }
}

#[test]
fn every_report_and_every_record_is_valid_by_its_schema() {
    let reports = DocumentSchema::of(parsed(&json::schema()));
    let records = DocumentSchema::of(parsed(&record::schema::run()));
    for (name, run) in runs() {
        reports.check(&name, &report(&run));
        records.check(&name, &serde_json::to_value(&run).unwrap());
    }
    for path in golden_records() {
        let run = Run::load(&path).unwrap();
        let name = path.display().to_string();
        records.check(&name, &serde_json::to_value(&run).unwrap());
        reports.check(&name, &report(&run));
    }
}

/// Records of every schema so far, as files.
fn golden_records() -> Vec<PathBuf> {
    let folders = ["crates/record/fixtures", "baselines/main"].map(|it| root().join(it));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    let is_record = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        path.extension().is_some_and(|it| it == "json") && !name.starts_with("judged")
    };
    let found: Vec<PathBuf> = paths.filter(is_record).collect();
    assert!(found.len() >= 4, "{found:?}");
    found
}

#[test]
fn a_document_of_another_form_is_refused() {
    let schema = DocumentSchema::of(parsed(&json::schema()));
    let valid = report(&paired(10, LEVEL, LEVEL));
    let spoilt = |change: fn(&mut Value)| {
        let mut document = valid.clone();
        change(&mut document);
        document
    };
    assert!(!schema.refuses(&spoilt(|it| it["of_a_later_version"] = Value::Bool(true))));
    assert!(schema.refuses(&spoilt(|it| it["schema"] = Value::String("1".to_owned()))));
    assert!(schema.refuses(&spoilt(|it| it["metrics"][0]["tolerance"] = Value::Null)));
    assert!(schema.refuses(&spoilt(|it| {
        it["head"].as_object_mut().unwrap().remove("label");
    })));
}

/// Fields are added between minor versions, and nothing else: a reader by the released schema takes what
/// is written now, and a reader by this one what the release wrote.
#[test]
fn schemas_only_grow_until_their_number_rises() {
    let folder = released();
    if std::env::var_os("UPDATE_RELEASED_SCHEMA").is_some() {
        keep(&folder);
    }
    let then = DocumentSchema::of(read(&folder.join("report.schema.json")));
    for (name, run) in runs() {
        then.check(&format!("{name}, by the released schema"), &report(&run));
    }
    let reports = DocumentSchema::of(parsed(&json::schema()));
    let records = DocumentSchema::of(parsed(&record::schema::run()));
    let mut documents = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("report-") {
            reports.check(&name, &read(&path));
            documents += 1;
        } else if name.starts_with("run-") {
            records.check(&name, &read(&path));
            documents += 1;
        }
    }
    assert!(documents >= 4, "{documents} documents of the release are kept");
}

/// Writes the schema of this version and documents of it, for later versions to be held against.
fn keep(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("report.schema.json"), json::schema()).unwrap();
    let kept = ["slower", "stored", "failed", "with-causes"];
    for (name, mut run) in runs().into_iter().filter(|(name, _)| kept.contains(&name.as_str())) {
        let report = report(&run);
        fs::write(folder.join(format!("report-{name}.json")), format!("{report}\n")).unwrap();
        for scenario in &mut run.scenarios {
            if let record::LaunchResults::Paired(pairs) = &mut scenario.trials {
                pairs.truncate(1);
            }
        }
        let record = serde_json::to_string(&run).unwrap();
        fs::write(folder.join(format!("run-{name}.json")), record + "\n").unwrap();
    }
}
