//! Which configurations have one digest, and so can be compared.

use proptest::prelude::*;

use super::read;

#[test]
fn the_digest_follows_what_shapes_the_numbers_and_nothing_else() {
    let digest = |text: &str| read(text).unwrap().digest;
    let plain = digest("");
    assert_eq!(plain, digest("[gate]\nalpha = 0.05\n"));
    assert_eq!(plain, digest("[target]\nbuild = \"make\"\n"));
    assert_ne!(plain, digest("[payload]\nseed = 7\n"));
    assert_ne!(plain, digest("[sampling]\nwarm-up = \"2 s\"\n"));
    assert_ne!(plain, digest("[[scenario]]\nname = \"smoke\"\npairs = 50\n"));
    let kind = |kind| digest(&format!("[request]\nkind = \"{kind}\"\npath = \"/\"\n"));
    assert_ne!(kind("raw-xml"), kind("soap11"));
}

#[test]
fn two_suites_that_measure_the_same_have_one_digest_however_they_are_written() {
    let digest = |text: &str| read(text).unwrap().digest;
    let load = |load: &str| digest(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n"));
    let same = [
        ("connections = 1", "model = \"closed\", duration = \"1000 ms\""),
        ("model = \"constant\", rate = 50", "model = \"ramp\", rate = 50, to = 50.0"),
        (
            "model = \"constant\", rate = 50, duration = \"10 s\"",
            "model = \"stages\", stages = [{ rate = 50, lasts = \"4 s\" }, { rate = 50, lasts = \"6 s\" }]",
        ),
        ("model = \"ramp\", rate = 0, to = 9", "model = \"ramp\", rate = -0.0, to = 9"),
    ];
    for (one, other) in same {
        assert_eq!(load(one), load(other), "{one} and {other}");
    }
    // What is not sent, what decides afterwards, and how often something is repeated.
    let plain = digest("");
    for text in ["[sampling]\nlaunches = 9\n", "[sampling]\nlooks = [5, 9]\n"] {
        assert_eq!(plain, digest(text), "{text}");
    }
    let limit = "[[scenario]]\nname = \"smoke\"\nlimits = { p95 = \"<= 1 s\" }\n";
    assert_eq!(digest("[[scenario]]\nname = \"smoke\"\n"), digest(limit));
    let once = |sampling: &str| {
        digest(&format!(
            "[sampling]\n{sampling}\n[[scenario]]\nname = \"a\"\nload = {{ requests = 1 }}\n"
        ))
    };
    assert_eq!(once("warm-up = \"1 s\""), once("warm-up = \"2 s\""), "there is no warm-up");
    assert_eq!(once("bodies = 5"), once("bodies = 7"), "one request has one body");
}

#[test]
fn two_suites_that_measure_differently_have_two_digests() {
    let digest = |text: &str| read(text).unwrap().digest;
    let load = |load: &str| digest(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n"));
    let plain = digest("");
    for text in [
        "[sampling]\nload = \"2 s\"\n",
        "[sampling]\nslice-requests = 20\n",
        "[target]\ncpus = \"shared\"\n",
        "[target]\nmemory = \"1 GiB\"\n",
        "[request]\npath = \"/other\"\n",
    ] {
        assert_ne!(plain, digest(text), "{text}");
    }
    assert_ne!(load("duration = \"1.001 s\""), load("duration = \"1.004 s\""));
    assert_ne!(load("timeout = \"1 s\""), load("timeout = \"2 s\""));
    let capacity = |limit: &str| {
        let load = "load = { model = \"capacity\" }";
        digest(&format!("[[scenario]]\nname = \"a\"\n{load}\nlimits = {{ p95 = \"{limit}\" }}\n"))
    };
    assert_ne!(capacity("<= 1.001 s"), capacity("<= 1.004 s"));
    let started = |scheme: &str| {
        digest(&format!("[target]\nstart = \"api {{port}}\"\nscheme = \"{scheme}\"\n"))
    };
    assert_ne!(started("http"), started("https"));
}

proptest! {
    #[test]
    fn digests_of_loads_are_equal_exactly_if_the_loads_are(
        times in (1_u64..2_000, 1_u64..2_000),
        rates in (1_u32..300, 1_u32..300),
    ) {
        let digest = |ms: u64, tenths: u32| {
            let rate = f64::from(tenths) / 10.0;
            let load = format!("model = \"constant\", rate = {rate:?}, duration = \"{ms} ms\"");
            read(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n")).unwrap().digest
        };
        let equal = digest(times.0, rates.0) == digest(times.1, rates.1);
        prop_assert_eq!(equal, times.0 == times.1 && rates.0 == rates.1);
    }
}
