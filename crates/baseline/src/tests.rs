use std::fs;
use std::os::unix::fs::symlink;

use miette::Diagnostic as _;
use proptest::prelude::*;

use super::*;
use checkout::git;
use record::fixtures::{LEVEL, paired};

/// A run that began at minute `minute`.
fn run(minute: u32) -> Run {
    let mut run = paired(2, LEVEL, LEVEL);
    run.started = format!("2026-11-23T10:{minute:02}:00Z");
    run
}

/// A folder, and a branch, each empty.
fn stores(folder: &tempfile::TempDir) -> [BaselineStore; 2] {
    let made = git::ask(git::command(folder.path()).args(["init", "--quiet"]), &[]);
    assert_eq!(made.unwrap(), git::GitOutput::Yes(Vec::new()));
    ["baselines", "git+branch:///kept"]
        .map(|location| BaselineStore::open(location, folder.path()).unwrap())
}

fn store(folder: &tempfile::TempDir) -> BaselineStore {
    BaselineStore::open("baselines", folder.path()).unwrap()
}

/// What a person reads, without the digest of the made-up run.
fn refusal<T: std::fmt::Debug>(result: Result<T, BaselineError>) -> String {
    let error = result.unwrap_err();
    let hint = error.help().map(|help| format!("\n\nhint: {help}")).unwrap_or_default();
    format!("{error}{hint}").replace(&alone(&run(1)).unwrap().digest(), "<digest>")
}

#[test]
fn what_was_kept_is_read_again_in_the_order_of_the_runs() {
    stores(&tempfile::tempdir().unwrap()).iter().for_each(keeps);
}

fn keeps(store: &BaselineStore) {
    for minute in [7, 3, 5] {
        assert!(matches!(store.save("main", &run(minute)).unwrap(), SaveOutcome::New(_)));
    }
    assert!(matches!(store.save("main", &run(3)).unwrap(), SaveOutcome::AlreadyThere(_)));
    store.save("release/1.2", &run(1)).unwrap();

    assert_eq!(store.names().unwrap(), ["main", "release/1.2"]);
    let entries = store.history("main").unwrap();
    let started: Vec<_> = entries.iter().map(|entry| entry.started.as_str()).collect();
    assert_eq!(started, ["2026-11-23T100300Z", "2026-11-23T100500Z", "2026-11-23T100700Z"]);
    let runs = store.load_all(&entries).unwrap();
    assert_eq!(
        runs.iter().map(|run| &*run.started).collect::<Vec<_>>(),
        ["2026-11-23T10:03:00Z", "2026-11-23T10:05:00Z", "2026-11-23T10:07:00Z"]
    );
    assert!(runs.iter().all(|run| run.base.is_none() && run.scenarios[0].launches() == 2));
    assert_eq!(store.load(&entries[1]).unwrap(), runs[1]);
    assert_eq!(store.entries("other").unwrap(), None);
}

#[test]
fn a_pinned_name_stands_for_the_history_up_to_its_run() {
    stores(&tempfile::tempdir().unwrap()).iter().for_each(pins);
}

fn pins(store: &BaselineStore) {
    for minute in 0..4 {
        store.save("main", &run(minute)).unwrap();
    }
    let all = store.history("main").unwrap();
    let (pinned, before) = store.pin("main", &all[1].digest[..6]).unwrap();
    assert_eq!((&pinned.run, before), (&all[1], None));
    assert_eq!(store.history("main").unwrap(), all[..2]);
    assert_eq!(store.history(&format!("main@{}", all[2].digest)).unwrap(), all[..3]);
    assert_eq!(store.runs("main").unwrap(), all);

    let (_, before) = store.pin("main", &format!("main@{}", all[2].digest)).unwrap();
    assert_eq!(before.unwrap().run, all[1]);
    store.pin("release", "main").unwrap();
    assert_eq!(store.history("release").unwrap(), all);
    assert_eq!(store.names().unwrap(), ["main", "release"]);
    store.unpin("main").unwrap();
    assert_eq!(store.history("main").unwrap(), all);
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let path = folder.path();
    insta::assert_snapshot!(refusal(store.history("main")), @"
    there is no baseline `main` in `baselines`

    hint: create one with `xmlperf baseline save main`
    ");
    let entry = store.save("main", &run(1)).unwrap().entry().clone();
    insta::assert_snapshot!(refusal(store.history("main@f00")), @"
    `f00` means 0 runs of `main`

    hint: `xmlperf baseline list main` shows the digests
    ");
    insta::assert_snapshot!(refusal(store.unpin("main")), @"`main` is not pinned in `baselines`");
    insta::assert_snapshot!(refusal(BaselineStore::open("ftp://host/x", path)), @"
    `ftp://host/x` is not a place for baselines: its scheme is unknown, or it names no bucket

    hint: use a folder such as `baselines`, `git+branch://origin/xmlperf-baselines`, `s3://bucket/folder`, `gs://bucket/folder`, `az://container/folder`, or `https://host/folder` of a WebDAV server
    ");
    insta::assert_snapshot!(refusal(store.save("../main", &run(1))), @"
    `../main` is not a name for a baseline

    hint: use ASCII letters, digits, `.`, `-`, `_`, and `/` between them
    ");
    let hostile = Run { started: "../../2026".to_owned(), ..run(1) };
    insta::assert_snapshot!(refusal(store.save("main", &hostile)), @"this run cannot be a baseline: it began at `../../2026`, which is no time such as `2026-11-23T10:00:00Z`");

    store.pin("release", "main").unwrap();
    fs::write(path.join(&entry.place), "{}").unwrap();
    insta::assert_snapshot!(refusal(store.load(&entry)), @"`baselines/main/2026-11-23T100100Z-<digest>.json` was changed after it was written: its digest is 44136fa355b3, its name says <digest>");
    fs::remove_file(path.join(&entry.place)).unwrap();
    insta::assert_snapshot!(refusal(store.load(&entry)), @"`baselines/main/2026-11-23T100100Z-<digest>.json` cannot be read: it is not there");
    insta::assert_snapshot!(refusal(store.history("release")), @"
    `release` is pinned to `baselines/main/2026-11-23T100100Z-<digest>.json`, which is not there

    hint: pin it to another run, or `xmlperf baseline unpin release`
    ");
    fs::write(path.join("baselines/release/.pin"), "main").unwrap();
    insta::assert_snapshot!(refusal(store.history("release")), @"
    the pin `baselines/release/.pin` cannot be understood: expected value at line 1 column 1

    hint: pin the name again, or unpin it
    ");
}

#[test]
fn what_others_put_into_the_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let kept = store.save("main", &run(1)).unwrap();
    let main = folder.path().join("baselines/main");
    for name in ["README.md", "2026-11-23T100100Z-nodigest.json", ".2026.json.77", "a b.json"] {
        fs::write(main.join(name), "?").unwrap();
    }
    symlink(".", main.join("round")).unwrap();
    symlink("/etc/passwd", main.join("2026-11-23T100200Z-0123456789ab.json")).unwrap();
    fs::create_dir_all(main.join("2026-11-23T100300Z-0123456789ab.json")).unwrap();
    assert_eq!(store.history("main").unwrap(), [kept.entry().clone()]);
    assert_eq!(store.names().unwrap(), ["main"]);
}

#[test]
fn old_runs_go_and_pinned_ones_stay() {
    stores(&tempfile::tempdir().unwrap()).iter().for_each(prunes);
}

fn prunes(store: &BaselineStore) {
    for minute in 0..6 {
        store.save("main", &run(minute)).unwrap();
    }
    store.save("side", &run(0)).unwrap();
    let all = store.runs("main").unwrap();
    store.pin("release", &format!("main@{}", all[1].digest)).unwrap();
    let since = Some("2026-11-23T10:03:00Z".to_owned());
    let plan = store.plan(None, &Retention { runs: Some(2), since }).unwrap();
    assert_eq!(store.runs("main").unwrap(), all);

    let reasons: Vec<_> = plan.iter().map(|fate| fate.reasons.as_slice()).collect();
    let release = RetentionReason::Pinned("release".to_owned());
    assert_eq!(
        reasons,
        [
            &[][..],
            &[release],
            &[],
            &[RetentionReason::Age],
            &[RetentionReason::Count, RetentionReason::Age],
            &[RetentionReason::Newest, RetentionReason::Count, RetentionReason::Age],
            &[RetentionReason::Newest, RetentionReason::Count],
        ]
    );
    // A run is pinned after the plan was made.
    store.pin("late", &format!("main@{}", all[2].digest)).unwrap();
    assert_eq!(store.prune(&plan).unwrap(), all[..1]);
    assert_eq!(store.runs("main").unwrap(), all[1..]);
    assert_eq!(store.verify(None).unwrap(), Integrity { runs: 6, pins: 2, ..Integrity::default() });
}

#[test]
fn what_is_not_as_it_was_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let kept =
        |minute| folder.path().join(&store.save("main", &run(minute)).unwrap().entry().place);
    let (whole, cut, edited, newer) = (kept(1), kept(2), kept(3), kept(4));
    fs::write(&cut, &fs::read(&cut).unwrap()[..100]).unwrap();
    let text = fs::read_to_string(&edited).unwrap();
    fs::write(&edited, text.replace("AMD EPYC", "AMD EPIC")).unwrap();
    let text = fs::read_to_string(&newer).unwrap().replace("\"schema\":3", "\"schema\":4");
    let digest = record::digest(text.as_bytes());
    fs::remove_file(newer).unwrap();
    fs::write(whole.with_file_name(format!("2026-11-23T100400Z-{digest}.json")), text).unwrap();
    fs::write(whole.with_file_name(".2026-11-23T100500Z-0.json.77"), "{").unwrap();
    fs::write(whole.with_file_name("notes.txt"), "?").unwrap();
    store.pin("release", "main@").unwrap_err();
    fs::create_dir(folder.path().join("baselines/release")).unwrap();
    let pin = "{\"schema\":1,\"run\":\"main/2026-11-23T100000Z-0123456789ab.json\"}";
    fs::write(folder.path().join("baselines/release/.pin"), pin).unwrap();

    let found = store.verify(None).unwrap();
    assert_eq!((found.runs, found.pins), (1, 0));
    let faults = found.damaged.iter().chain(&found.unknown);
    let lines = faults.map(|fault| format!("{}: {}\n", fault.place, fault.reason));
    let lines = lines.collect::<String>().replace(&digest, "<newer>");
    let hexadecimal = |word: &str| word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words = lines.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let shown: String = words
        .map(|word| match word.split_at_checked(12) {
            Some((digest, rest)) if hexadecimal(digest) && rest.len() <= 1 => {
                format!("<digest>{rest}")
            }
            Some(_) | None => word.to_owned(),
        })
        .collect();
    insta::assert_snapshot!(shown, @"
    baselines/release/.pin: `release` is pinned to `baselines/main/2026-11-23T100000Z-<digest>.json`, which is not there
    baselines/main/2026-11-23T100200Z-<digest>.json: `baselines/main/2026-11-23T100200Z-<digest>.json` was changed after it was written: its digest is <digest>, its name says <digest>
    baselines/main/2026-11-23T100300Z-<digest>.json: `baselines/main/2026-11-23T100300Z-<digest>.json` was changed after it was written: its digest is <digest>, its name says <digest>
    baselines/main/2026-11-23T100400Z-<newer>.json: run `baselines/main/2026-11-23T100400Z-<newer>.json` has schema 4, this version reads up to 3
    baselines/main/.2026-11-23T100500Z-0.json.77: left by a save that was cut short
    baselines/main/notes.txt: not a run
    ");
    assert_eq!(store.verify(Some("release")).unwrap().damaged.len(), 1);
    assert!(matches!(store.verify(Some("other")), Err(BaselineError::NotFound { .. })));
}

proptest! {
    #[test]
    fn only_runs_that_every_rule_lets_go_are_removed(
        minutes in prop::collection::btree_set(0..60_u32, 1..12),
        keep in 0..12_usize,
        since in 0..60_u32,
        pinned: prop::sample::Index,
    ) {
        let entry = |minute: &u32| StoreEntry {
            history: "main".to_owned(),
            started: format!("2026-11-23T10{minute:02}00Z"),
            digest: String::new(),
            place: String::new(),
        };
        let runs: Vec<StoreEntry> = minutes.iter().map(entry).collect();
        let pin = BaselinePin { name: "main".to_owned(), run: pinned.get(&runs).clone() };
        let stamp = format!("2026-11-23T10{since:02}00Z");
        for (count, since) in [(Some(keep), Some(&*stamp)), (Some(keep), None), (None, Some(&*stamp))] {
            let fates = retention::fates(runs.clone(), std::slice::from_ref(&pin), count, since);
            for (i, fate) in fates.iter().enumerate() {
                let younger = runs.len() - i;
                let beyond = count.is_none_or(|count| younger > count);
                let old = since.is_none_or(|since| fate.entry.started.as_str() < since);
                let free = younger > 1 && fate.entry != pin.run;
                prop_assert_eq!(fate.reasons.is_empty(), beyond && old && free);
            }
        }
    }

    #[test]
    fn a_name_never_leads_out_of_the_store(name in "[a-z./~@ -]{1,12}") {
        if name::check(&name).is_ok() {
            prop_assert!(name.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
        }
    }

    #[test]
    fn a_files_name_tells_what_it_was_made_of(minute in 0..60_u32, digest in "[0-9a-f]{12}") {
        let stamp = name::stamp(&format!("2026-11-23T10:{minute:02}:00Z")).unwrap();
        let file = name::file("a/b", &stamp, &digest);
        prop_assert_eq!(name::parts(&file), Some(("a/b", stamp.as_str(), digest.as_str())));
    }
}
