//! Which load a configuration describes, and what is wrong with it.

use record::canonical;

use super::{read, refusal};

#[test]
fn every_model_of_load_is_read() {
    let values = |load: &str| {
        let suite = read(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n"));
        canonical::json(&suite.unwrap().scenarios[0].load.summary())
    };
    let all = [
        values("model = \"closed\", connections = 4, duration = \"30 s\", think = \"5 ms\""),
        values("connections = 2, requests = 10, reuse = \"request\""),
        values("model = \"steps\", connections = [1, 3, 5], requests = 15"),
        values("model = \"constant\", rate = 5000, duration = \"10 s\""),
        values("model = \"poisson\", rate = 100, connections = 8, reuse = \"kept\""),
        values("model = \"ramp\", rate = 0, to = 200, duration = \"20 s\""),
        values(
            "model = \"stages\", stages = [{ rate = 10, lasts = \"5 s\" }, { rate = 10, to = 50, lasts = \"5 s\" }]",
        ),
        values("model = \"spikes\", rate = 10, spike-rate = 100, spike = \"1 s\", every = \"5 s\""),
        values("model = \"capacity\", rate = 50, ceiling = 1000, duration = \"2 s\""),
        values("connections = 2, http = \"2\", streams = 8"),
        values("model = \"constant\", rate = 50, http = \"2\""),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    {"connections":4,"model":{"closed":{"amount":{"for_ns":30000000000},"think_ns":5000000}},"reuse":"slice"}
    {"connections":2,"model":{"closed":{"amount":{"requests":10},"think_ns":0}},"reuse":"request"}
    {"connections":5,"model":{"steps":{"connections":[1,3,5],"requests":15}},"reuse":"slice"}
    {"connections":64,"model":{"open":{"lasts_ns":10000000000,"per_s":5000.0,"shape":"constant"}},"reuse":"slice"}
    {"connections":8,"model":{"open":{"lasts_ns":10000000000,"per_s":100.0,"shape":"poisson"}},"reuse":"kept"}
    {"connections":64,"model":{"open":{"lasts_ns":20000000000,"per_s":100.0,"shape":"ramp"}},"reuse":"slice"}
    {"connections":64,"model":{"open":{"lasts_ns":10000000000,"per_s":20.0,"shape":"stages"}},"reuse":"slice"}
    {"connections":64,"model":{"open":{"lasts_ns":10000000000,"per_s":28.0,"shape":"spikes"}},"reuse":"slice"}
    {"connections":64,"model":{"capacity":{"ceiling_per_s":1000.0,"start_per_s":50.0,"trial_ns":2000000000}},"reuse":"slice"}
    {"connections":2,"model":{"closed":{"amount":null,"think_ns":0}},"reuse":"slice","streams":8}
    {"connections":1,"model":{"open":{"lasts_ns":10000000000,"per_s":50.0,"shape":"constant"}},"reuse":"slice","streams":64}
    "#);
}

#[test]
fn a_load_that_makes_no_sense_is_refused_with_its_line() {
    let said = |load: &str| refusal(&format!("[[scenario]]\nname = \"a\"\nload = {{ {load} }}\n"));
    let all = [
        said("model = \"steady\""),
        said("model = \"closed\", rate = 5"),
        said("model = \"constant\""),
        said("model = \"constant\", rate = -1"),
        said("model = \"steps\", connections = 3"),
        said("connections = [1, 2]"),
        said("requests = 1, duration = \"1 s\""),
        said("model = \"spikes\", rate = 1, spike-rate = 2, spike = \"9 s\""),
        said("model = \"capacity\", rate = 0"),
        said("reuse = \"never\""),
        said("timeout = \"0 s\""),
        said("answer-memory = \"5 B\""),
        said("http = \"3\""),
        said("streams = 4"),
    ];
    let first: Vec<_> = all.iter().map(|text| text.lines().next().unwrap()).collect();
    insta::assert_snapshot!(first.join("\n"), @r#"
    xmlperf.toml:3:18: unknown load model `steady`; there are closed, steps, constant, poisson, ramp, stages, spikes, capacity
    xmlperf.toml:3:8: `rate` means nothing with model = "closed", which has requests, duration, think
    xmlperf.toml:3:8: model = "constant" needs `rate`, in requests per second
    xmlperf.toml:3:8: `-1` is not a rate
    xmlperf.toml:3:8: steps need a list, such as connections = [1, 3, 5]
    xmlperf.toml:3:8: a list of connections needs model = "steps"
    xmlperf.toml:3:8: `requests` and `duration` both say when it ends: keep one
    xmlperf.toml:3:8: a spike of 9.00 s does not fit into 5.00 s
    xmlperf.toml:3:8: cannot search from `0` to `50000` requests per second
    xmlperf.toml:3:18: unknown life of a connection `never`; there are kept, slice, request
    xmlperf.toml:3:8: a time-out of no time fails every request
    xmlperf.toml:3:26: answers may take from 1 MiB to 64 GiB, not 5 B
    xmlperf.toml:3:17: unknown version of HTTP `3`; there are "1.1" and "2"
    xmlperf.toml:3:8: `streams` share a connection only with http = "2"
    "#);
}
