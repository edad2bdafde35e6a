"""Measures what builds take; called by benches/builds.sh."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

XMLPERF = os.path.abspath(os.environ["XMLPERF"])

CONFIG = """
[target]
build = "{build}"
start = "{start}"
ready = "/"

[request]
path = "/"
kind = "raw-xml"

[work]
lane = "off"

[sampling]
warm-up = "100 ms"
load = "150 ms"

[[scenario]]
name = "smoke"
pairs = 1
"""

# An answer has a version, so that each commit is another program; dependencies stay the same.
CARGO = """[package]
name = "api"
version = "0.1.0"
edition = "2021"

[dependencies]
tiny_http = "0.12"
roxmltree = "0.20"
serde = { version = "1", features = ["derive"] }
serde_json = "1"
"""
RUST = """#[derive(serde::Serialize)]
struct Answer { version: &'static str, elements: usize }

fn main() {
    let port = std::env::args().nth(1).unwrap();
    let server = tiny_http::Server::http(format!("127.0.0.1:{port}")).unwrap();
    for mut request in server.incoming_requests() {
        let mut text = String::new();
        request.as_reader().read_to_string(&mut text).unwrap();
        let elements = roxmltree::Document::parse(&text).map_or(0, |it| it.descendants().count());
        let answer = serde_json::to_string(&Answer { version: "VERSION", elements }).unwrap();
        request.respond(tiny_http::Response::from_string(answer)).unwrap();
    }
}
"""
PACKAGE = '{"name": "api", "version": "0.1.0", "dependencies": {"express": "4.21.2", "fast-xml-parser": "4.5.1"}}'
NODE = """const express = require("express"), { XMLParser } = require("fast-xml-parser");
const api = express();
api.use(express.text({ type: "*/*", limit: "10mb" }));
api.all("/", (request, answer) => {
    const seen = typeof request.body === "string" ? Object.keys(new XMLParser().parse(request.body)).length : 0;
    answer.json({ version: "VERSION", elements: seen });
});
api.listen(Number(process.argv[2]), "127.0.0.1");
"""
GO = """package main

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		elements := 0
		for decoder := xml.NewDecoder(request.Body); ; elements++ {
			if _, err := decoder.Token(); err != nil {
				break
			}
		}
		fmt.Fprintln(answer, "VERSION", elements)
	})
	http.ListenAndServe("127.0.0.1:"+os.Args[1], nil)
}
"""

# Files, how they are built, how they are started, and the file with the version.
ECOSYSTEMS = {
    "cargo": ({"Cargo.toml": CARGO, "src/main.rs": RUST, ".gitignore": "/target\n"},
              "cargo build --release", "./target/release/api {port}", "src/main.rs"),
    "npm": ({"package.json": PACKAGE, "server.js": NODE, ".gitignore": "/node_modules\n"},
            "npm install --no-audit --no-fund", "node server.js {port}", "server.js"),
    "go": ({"go.mod": "module api\n\ngo 1.19\n", "main.go": GO, ".gitignore": "/api\n"},
           "go build -o api .", "./api {port}", "main.go"),
}
# What says where packages come from, and holds no package.
SETTINGS = (".cargo/config.toml", ".npmrc")


def run(*words, cwd, env):
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def checked(*words, cwd, env):
    code, said = run(*words, cwd=cwd, env=env)
    if code:
        sys.exit(f"{' '.join(map(str, words))}: exit {code}\n{said}")
    return said


def fresh_home(folder):
    """The environment of a machine on which nothing was built: toolchains are there, packages are not."""
    folder.mkdir(parents=True)
    home = Path.home()
    for name in SETTINGS:
        if (home / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(home / name, folder / name)
    kept = {name: value for name, value in os.environ.items() if name not in ("CARGO_HOME", "GOPATH", "XDG_CACHE_HOME")}
    return {**kept, "HOME": str(folder), "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(home / ".rustup")),
            "GOFLAGS": "-modcacherw"}


class Repository:
    """An API as a repository: `main`, and commits of a branch after it."""

    def __init__(self, folder, ecosystem, env):
        files, self.build, start, self.versioned = ECOSYSTEMS[ecosystem]
        self.folder, self.env, self.source = folder, env, files[self.versioned]
        config = CONFIG.format(build=self.build, start=start)
        for name, text in {**files, "xmlperf.toml": config}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / ".gitignore").write_text(files[".gitignore"] + "/.xmlperf\n/package-lock.json\n/Cargo.lock\n")
        self.git("init", "-q", "-b", "main")
        self.commit("One")
        self.git("checkout", "-q", "-b", "change")

    def git(self, *words):
        checked("git", "-c", "user.name=b", "-c", "user.email=b@example.org", *words, cwd=self.folder, env=self.env)

    def commit(self, version):
        (self.folder / self.versioned).write_text(self.source.replace("VERSION", version))
        self.git("add", ".")
        self.git("commit", "-q", "-m", version)

    def compared(self):
        """Seconds that the builds of a comparison took."""
        record = self.folder / ".xmlperf/report/run.json"
        record.unlink(missing_ok=True)
        code, said = run(XMLPERF, "compare", "--plain", "--timings", "--baseline", "main", "--budget", "1s",
                         cwd=self.folder, env=self.env)
        stages = json.loads(record.read_text()).get("stages") if record.exists() else None
        if stages is None:
            sys.exit(f"exit {code}\n{said}")
        return stages["build"] / 1e9

    def by_hand(self, work):
        """Seconds of the two builds in two fresh checkouts, one after the other."""
        began = time.monotonic()
        for branch in ("main", "change"):
            checkout = work / branch
            shutil.rmtree(checkout, ignore_errors=True)
            checked("git", "clone", "-q", "--branch", branch, self.folder, checkout, cwd=work, env=self.env)
            checked("sh", "-c", self.build, cwd=checkout, env=self.env)
        return time.monotonic() - began


def measured(ecosystem, work):
    repository = Repository(work / "api", ecosystem, fresh_home(work / "home"))
    repository.commit("Two")
    cold = repository.compared()
    repository.commit("Three")
    warm = repository.compared()
    again = repository.compared()
    warm_by_hand = repository.by_hand(work)
    # Nothing that the comparison fetched is there.
    repository.env = fresh_home(work / "other-home")
    return cold, repository.by_hand(work), warm, warm_by_hand, again


def main():
    names = sys.argv[1:] or list(ECOSYSTEMS)
    for name in names:
        if name not in ECOSYSTEMS:
            sys.exit(f"`{name}` is none of {', '.join(ECOSYSTEMS)}")
    print("seconds     first, by hand   next, by hand   again")
    for name in names:
        with tempfile.TemporaryDirectory(prefix="builds-") as folder:
            cold, cold_by_hand, warm, warm_by_hand, again = measured(name, Path(folder))
        print(f"{name:8} {cold:8.1f} {cold_by_hand:8.1f} {warm:7.1f} {warm_by_hand:8.1f} {again:7.1f}", flush=True)


main()
