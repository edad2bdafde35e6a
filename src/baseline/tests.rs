use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;
use crate::record::sample::{LEVEL, paired};

/// A run that began at minute `minute`.
fn run(minute: u32) -> Run {
    let mut run = paired(2, LEVEL, LEVEL);
    run.started = format!("2026-11-23T10:{minute:02}:00Z");
    run
}

fn store(folder: &tempfile::TempDir) -> Store {
    Store::open("baselines", folder.path()).unwrap()
}

/// What a person reads, without the digest of the made-up run.
fn refusal<T: std::fmt::Debug>(result: Result<T, BaselineError>) -> String {
    result.unwrap_err().to_string().replace(&alone(&run(1)).unwrap().digest(), "<digest>")
}

#[test]
fn what_was_kept_is_read_again_in_the_order_of_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    for minute in [7, 3, 5] {
        assert!(matches!(store.save("main", &run(minute)).unwrap(), Saved::New(_)));
    }
    assert!(matches!(store.save("main", &run(3)).unwrap(), Saved::AlreadyThere(_)));
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
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
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
    insta::assert_snapshot!(refusal(Store::open("ftp://host/x", path)), @"
    `ftp://host/x` is not a place for baselines: its scheme is unknown

    hint: use a folder, such as `baselines`, or `git+branch://origin/xmlperf-baselines`
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

proptest! {
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
