//! The commented configuration that `xmlperf init` writes.

/// A configuration for the XML-Compare-API, with every key and its default.
pub const TEMPLATE: &str = r#"# xmlperf measures the API below on every pull request: `xmlperf compare --baseline main`.
# Keys that are commented out are examples; of those in `[sampling]` and `[work]`, the defaults.

[target]
build = "cargo build --release"               # how a base is built from a git ref, in a shell
start = "./target/release/xml-compare-api"    # run from this folder; {port} stands for a free port
port-env = "APP_PORT"                         # or a variable that carries the port
# shell = false                               # true: `start` is for `sh -c`, with `&&`, pipes, VAR=x
ready = "/xml-compare-api/health"             # polled until it answers 2xx
#                                             # or { tcp = true }, { log = "Started" }: docs/target.md
# base = { start = "./old-server {port}" }    # where base is built or started in another way than its own file says
# ready-timeout = "30 s"
# stop-timeout = "5 s"                        # from SIGTERM to SIGKILL
# env = { RUST_LOG = "warn" }
# inputs = ["data/**/*.json"]                 # files that count as program, whatever they are called
# cpus = "auto"                               # target and load on different cores; or "shared"
# memory = "2 GiB"                            # by a control group where one can be had: docs/target.md
# cpu-quota = 1.5                             # processors' worth of time
# semantics = "xml-compare-api"               # what it calls equal; or "c14n", "xmlunit-similar"
# scheme = "http"                             # or "https", with a certificate for `localhost`
# url = "http://127.0.0.1:3000"               # instead of `start`: attach to what runs already; or
#                                             # "https://HOST:PORT", "unix:/PATH"
# ca = "ca.pem"                               # certificates to trust, where the system's do not do
# client-cert = "client.pem"                  # what shows the target who connects; and `client-key`
# image = "registry/api:1.2"                  # or a container; without `build`
# port = 3000                                 # on which the program inside listens
# engine = "docker"                           # or "podman"; found without

# [[service]]                                 # what the API needs beside it: docs/services.md
# name = "db"                                 # `{service:db}` in `start` and `env` is its address
# setup = "cp -r tests/data {dir}"            # by a shell; {dir} is empty and new
# start = "redis-server --port {port} --dir {dir}"
# ready = { tcp = true }
# scope = "side"                              # or "launch", "run"

# [hooks]                                     # by a shell, around each launch
# before-launch = "./migrate.sh"
# after-launch = "./clean.sh"

[request]
kind = "xml-compare-batch"
path = "/xml-compare-api/api/compare/xml/batch"
# gzip = false                                # compressed bodies
# chunked = false                             # bodies in chunks, without their size ahead
# template = "request.j2"                     # with kind = "template": see docs/payloads.md
# content-type = "application/xml"            # instead of the one of the kind
# headers = { X-Tenant = "7" }
# expect = [{ json = "/results/*/same", equals = "{{ pair.matched }}" }]

[payload]
seed = 42
preset = "depth-mix"                          # 60 % depth 2, 30 % depth 3, 10 % depth 5; 70 % identical
# corpus = "tests/documents"                  # instead of `preset`: your own XML files
# mix = { classes = "70:10:20" }              # shares of a preset or corpus, or all of a mix

[sampling]
load = "150 ms"                               # measured load of each scenario on each side of a launch pair
warm-up = "100 ms"                            # a JVM needs more, or "steady"
soft-budget = "75 s"                          # then a comparison ends with the launch pairs that a verdict needs
slice-requests = 8                            # at least, before the other side is driven
bodies = 8                                    # different requests that are sent in turn
# launch-pairs = 50                           # after which a comparison ends, decided or not
# launches = 5                                # of `xmlperf run`
# slice = "10 ms"                             # before the other side is driven, at least

# [network]                                   # between load and target, for all scenarios or in one
# latency = "20 ms"                           # each way
# jitter = "2 ms"
# bandwidth = "10 Mbit/s"                     # each way, for all connections together
# resets = "0.1 %"                            # of the exchanges: a connection is reset

# [work]
# lane = "auto"                               # count instructions under callgrind where it can be; or "on", "off"
# env = { APP_WORKERS = "1" }                 # what makes the target serve in one order: counts repeat then
# launches = 5                                # of each side, each of which gives a value
# pairs = 2000                                # XML pairs in a launch
# prove = true                                # where the work grew, revert the hunks that explain it and count again

[[scenario]]
name = "smoke"
pairs = 100                                   # XML pairs in one request
load = { model = "closed", connections = 1 }
limits = { throughput = ">= 333 pairs/s", errors = "0 %" }

[[scenario]]
name = "concurrent"                           # do requests wait for each other?
pairs = 100
load = { model = "closed", connections = 4 }  # or twice the cores
limits = { errors = "0 %" }

[[scenario]]
name = "large"                                # what grows with a document
pairs = 20
preset = "ubl-invoice"                        # documents of 9 KiB
load = { model = "closed", connections = 1 }
limits = { errors = "0 %" }
# gate = { floor = { cpu = 0.02 }, minimum = { tail = "1 ms" } }  # of this scenario, before those of all

# [[scenario]]
# name = "nominal"
# pairs = 100_000
# load = { model = "closed", connections = 1, requests = 1 }
# limits = { throughput = ">= 333 pairs/s", p95 = "<= 300 s", rss = "<= 8 GiB", errors = "0 %" }

[gate]
alpha = 0.01                                  # chance of a false alarm, over all metrics and scenarios
# floor = { cpu = 0.01, latency = 0.01, memory = 0.02, tail = 0.05 }     # smaller changes are never called a regression
# tolerance = { cpu = 0.03, latency = 0.03, memory = 0.05, tail = 0.20 } # shown equal within it is unchanged
# minimum = { latency = "5 us", memory = "1 MiB", ready = "50 ms", first-answers = "20 ms" }  # never called one, whatever share it is
# policy = { p95 = "gate", ready = "report", p99 = "off" }   # also `leak`: growth of memory, as in `soak`

# [baseline]
# store = "baselines"                         # a folder, or the URL of a store: see docs/baselines.md
"#;
