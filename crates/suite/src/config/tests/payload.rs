//! What documents a configuration asks for, and what is wrong with its request.

use std::fs;

use super::{parse, read, refusal};
use crate::config::ConfigOverrides;

#[test]
fn a_payload_comes_from_a_preset_a_mix_a_corpus_or_a_template() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.xml"), "<a>one</a>").unwrap();
    fs::write(folder.path().join("request.j2"), "{{ pair.xml1 }}").unwrap();
    let payload = |text: &str| {
        let suite =
            parse(text, "xmlperf.toml", folder.path(), &ConfigOverrides::default()).unwrap();
        suite.scenarios[0].first().payload.clone()
    };
    let digests = [
        payload(""),
        payload("[payload]\npreset = \"rss\"\n"),
        payload("[payload]\npreset = \"rss\"\nmix = { classes = \"1:0:0\" }\n"),
        payload("[payload]\nmix = { depth = \"4\", text = \"p50=20, max=1kB\" }\n"),
        payload("[payload]\ncorpus = \".\"\n"),
        payload("[payload]\nhostile = true\n"),
        payload("[request]\ngzip = true\n"),
        payload("[request]\nchunked = true\n"),
        payload("[request]\nheaders = { X-Tenant = \"7\" }\n"),
        payload(
            "[request]\ntemplate = \"request.j2\"\n\
             expect = [{ status = 201 }, { xml = \"/ok\", equals = \"{{ pair.matched }}\" }]\n",
        ),
    ]
    .map(|payload| payload.digest());
    let mut different = digests.to_vec();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), digests.len());
    let own = payload("[payload]\ncorpus = \".\"\n[[scenario]]\nname = \"a\"\npreset = \"rss\"\n");
    assert_eq!(own.name(), "rss", "a scenario's own preset takes the place of the corpus");
    let claimed = payload("[target]\nsemantics = \"c14n\"\n");
    assert_eq!(claimed.semantics.name(), "c14n");
    assert_eq!(claimed.digest(), digests[0], "what is sent does not depend on what is expected");
}

#[test]
fn a_payload_that_cannot_be_made_is_refused_at_its_line() {
    let said = [
        refusal("[payload]\nmix = { width = \"3\" }\n"),
        refusal("[payload]\nmix = { depth = \"0\" }\n"),
        refusal("[payload]\nmix = { classes = \"1:0:0\" }\npreset = \"depth-mix\"\n"),
        refusal("[payload]\npreset = \"rss\"\ncorpus = \"documents\"\n"),
        refusal("[payload]\ncorpus = \"nowhere\"\n"),
        refusal("[target]\nsemantics = \"bytes\"\n"),
        refusal("[request]\nkind = \"template\"\n"),
        refusal("[request]\nkind = \"template\"\ntemplate = \"nowhere\"\n"),
        refusal("[request]\nkind = \"raw-xml\"\ntemplate = \"a.j2\"\n"),
        refusal("[request]\nexpect = [{ status = 201 }]\n"),
        refusal("[request]\nheaders = { SOAPAction = \"a\", soapaction = \"b\" }\n"),
        refusal("[request]\nheaders = { Content-Length = \"0\" }\n"),
    ];
    insta::assert_snapshot!(said.join("\n────\n"), @r#"
    xmlperf.toml:2:17: no setting here is called `width`

    hint: the settings are depth, fan-out, attributes, text, size, classes, differences

        mix = { width = "3" }
    ────
    xmlperf.toml:2:17: `0` is not a value for `depth`

    hint: write depths from 1 to 256 with weights up to 1000, such as `2:60, 3:30, 5:10`

        mix = { depth = "0" }
    ────
    xmlperf.toml:2:19: `depth-mix` cannot be mixed otherwise

    hint: take another preset, a mix or a corpus

        mix = { classes = "1:0:0" }
    ────
    xmlperf.toml:3:10: keep one of `preset`, `corpus`, `schema` and `hostile`

        corpus = "documents"
    ────
    xmlperf.toml:2:10: failed to read the corpus `/checkout/nowhere`: No such file or directory (os error 2)

        corpus = "nowhere"
    ────
    xmlperf.toml:2:13: unknown semantics `bytes`; there are xml-compare-api, c14n, xmlunit-similar

        semantics = "bytes"
    ────
    xmlperf.toml:2:8: the kind `template` needs `template`, a file, in `[request]`

        kind = "template"
    ────
    xmlperf.toml:3:12: failed to read `nowhere`: No such file or directory (os error 2)

        template = "nowhere"
    ────
    xmlperf.toml:3:12: `template` is for requests of the kind `template`; the other kinds need none

        template = "a.j2"
    ────
    xmlperf.toml:2:11: `expect` is for requests of the kind `template`; the other kinds need none

        expect = [{ status = 201 }]
    ────
    xmlperf.toml:2:11: the header `soapaction` is there already as `SOAPAction`; a header has one value

        headers = { SOAPAction = "a", soapaction = "b" }
    ────
    xmlperf.toml:2:13: the header `Content-Length` is written by xmlperf itself

        headers = { Content-Length = "0" }
    "#);
}

#[test]
fn a_media_type_and_a_soap_action_of_ones_own_take_the_place_of_the_kinds() {
    let sent = |kind: &str, rest: &str| {
        let suite = read(&format!("[request]\nkind = \"{kind}\"\n{rest}\n")).unwrap();
        let operation = suite.scenarios[0].first();
        let headers = operation.payload.headers(operation.kind);
        format!("{} {headers:?}", operation.payload.content_type(operation.kind))
    };
    let sent = [
        sent("raw-xml", "content-type = \"text/xml\""),
        sent("xml-compare", "content-type = \"application/vnd.acme+json\""),
        sent("soap11", "headers = { soapaction = \"urn:op\" }"),
        sent("soap12", "content-type = 'application/soap+xml; action=\"urn:op\"'"),
        sent("soap11", "headers = { X-Tenant = \"7\" }\ngzip = true"),
    ];
    insta::assert_snapshot!(sent.join("\n"), @r#"
    text/xml []
    application/vnd.acme+json []
    text/xml; charset=utf-8 [("soapaction", "urn:op")]
    application/soap+xml; action="urn:op" []
    text/xml; charset=utf-8 [("SOAPAction", "\"urn:xmlperf:request\""), ("Content-Encoding", "gzip"), ("X-Tenant", "7")]
    "#);
}

#[test]
fn a_template_that_uses_what_is_known_when_it_is_sent_is_rendered_then() {
    let is_live = |text: &str| {
        let suite = read(&format!("[request]\ntext = \"{text}\"\n[[scenario]]\nname = \"a\"\n"));
        suite.unwrap().scenarios[0].first().is_live
    };
    assert!(is_live("<a>{{ unique }}</a>") && is_live("{{ nonce | base64 }}"));
    assert!(!is_live("<a>{{ index }}</a>"));
}
