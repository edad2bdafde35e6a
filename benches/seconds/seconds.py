"""Measures how long verdicts take; called by benches/seconds.sh."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

XMLPERF = os.path.abspath(os.environ["XMLPERF"])

# Base and head are files of their own, as builds are, so that each launch executes a copy.
CONFIG = """
[target]
build = "cp -f {program} api"
start = "./api serve --workers 1{flags}"
port-env = "APP_PORT"
"""

# Stages that are no overhead of a launch pair.
LOADED = ("warm-up", "load")
LAUNCHED = ("launch", "stop", "decide", "observe")


def run(*words, cwd=None, env=None):
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


class Repository:
    """The reference API as a repository of its own: `main`, and a commit after it."""

    def __init__(self, folder):
        self.folder = folder
        self.program = folder.parent / "xmlperf-api"
        shutil.copy(XMLPERF, self.program)
        # What a debugger reads is no part of what a service ships.
        if shutil.which("strip"):
            run("strip", self.program)
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        (folder / ".gitignore").write_text("/api\n/.xmlperf\n")
        self.write("", "one\n")
        self.commit("One")
        self.git("checkout", "-q", "-b", "change")

    def git(self, *words):
        code, printed, said = run("git", "-c", "user.name=b", "-c", "user.email=b@example.org", *words, cwd=self.folder)
        if code:
            sys.exit(said)
        return printed.strip()

    def write(self, flags, readme):
        (self.folder / "xmlperf.toml").write_text(CONFIG.format(program=self.program, flags=flags))
        (self.folder / "README.md").write_text(readme)

    def commit(self, message):
        self.git("add", ".")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def change(self, flags=""):
        self.write(flags, f"{time.monotonic_ns()}\n")
        self.commit("Change")

    def compare(self, *words):
        """Returns seconds, exit code and the run's record."""
        record = self.folder / ".xmlperf/report/run.json"
        record.unlink(missing_ok=True)
        began = time.monotonic()
        code, _, said = run(XMLPERF, "compare", "--plain", "--timings", "--baseline", "main", *words, cwd=self.folder)
        seconds = time.monotonic() - began
        if code not in (0, 1) or not record.exists():
            sys.exit(f"exit {code}\n{said}")
        record = json.loads(record.read_text())
        # Of the ledger only: a record is written before its writing has ended.
        record["stages"]["write"] = float(re.search(r"write reports +([0-9.]+)", said)[1]) * 1e9
        return seconds, code, record


def row(name, goal, seconds, note=""):
    mark = "" if seconds <= goal else "  over"
    print(f"{name:44} {goal:7.1f} s {seconds:9.2f} s{mark}  {note}", flush=True)


def launches(record):
    return max((len(it["trials"].get("paired", [])) for it in record["scenarios"]), default=0)


def stage(record, *names):
    return sum(record.get("stages", {}).get(name, 0) for name in names) / 1e9


def overhead(record):
    """What a launch pair costs beside warm-up and load, in seconds."""
    pairs = launches(record)
    return stage(record, *LAUNCHED) / pairs if pairs else 0.0


def ledger(record):
    whole = sum(record["stages"].values()) / 1e9
    parts = ", ".join(f"{name} {ns / 1e9:.2f}" for name, ns in record["stages"].items())
    return f"{launches(record)} pairs; of {whole:.1f} s: {parts}"


def three(repository):
    repository.change()
    seconds, code, record = repository.compare("--lane", "time", "--always-measure")
    row("A/A, three default scenarios, time lane", 30, seconds, f"exit {code}")
    row("  beside load and warm-up, of a pair", 0.4, overhead(record))
    row("  all reports are written", 0.5, stage(record, "write"))
    print("  " + ledger(record))


def one(repository):
    repository.change()
    seconds, code, record = repository.compare("--lane", "time", "--always-measure", "--scenario", "smoke")
    row("A/A, one scenario, time lane", 15, seconds, f"exit {code}")
    print("  " + ledger(record))


def slower(repository):
    repository.change(" --extra-work 10%")
    seconds, code, record = repository.compare("--lane", "time")
    row("+ 10 % is red", 15, seconds, f"exit {code}")
    print("  " + ledger(record))


def work(repository):
    repository.change()
    seconds, _, record = repository.compare("--always-measure")
    row("the work lane adds", 12, stage(record, "count"), f"of {seconds:.1f} s")
    print("  " + ledger(record))


def identical(repository):
    repository.change()
    # Once for the builds.
    repository.compare()
    seconds, code, record = repository.compare()
    row("identical program, after the builds", 5, seconds, f"exit {code}, {launches(record)} pairs")


def github(repository):
    record = repository.folder / ".xmlperf/report/run.json"
    if not record.exists():
        repository.change()
        repository.compare("--lane", "time")
    event = repository.folder.parent / "event.json"
    base, head = repository.git("rev-parse", "main"), repository.git("rev-parse", "change")
    pull = {"number": 7, "base": {"sha": base, "ref": "main"}, "head": {"sha": head, "ref": "change"}}
    event.write_text(json.dumps({"pull_request": pull}))
    github = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event),
              "GITHUB_REPOSITORY": "o/r", "GITHUB_SHA": head, "GITHUB_API_URL": "http://127.0.0.1:9",
              "GITHUB_SERVER_URL": "http://127.0.0.1:9", "GITHUB_RUN_ID": "1", "GITHUB_RUN_ATTEMPT": "1"}
    began = time.monotonic()
    code, _, said = run(XMLPERF, "report", "github", "--dry-run", cwd=repository.folder, env={**os.environ, **github})
    seconds = time.monotonic() - began
    row("`report github`, beside the network", 1, seconds, f"exit {code}")
    if code not in (0, 1):
        print("  " + said.strip())


ROWS = {"three": three, "one": one, "slower": slower, "work": work, "identical": identical, "github": github}


def main():
    names = sys.argv[1:] or list(ROWS)
    for name in names:
        if name not in ROWS:
            sys.exit(f"`{name}` is none of {', '.join(ROWS)}")
    with tempfile.TemporaryDirectory(prefix="seconds-") as folder:
        # The cache of builds as well.
        os.environ["XDG_CACHE_HOME"] = str(Path(folder) / "cache")
        repository = Repository(Path(folder) / "api")
        print(f"{'':44} {'goal':>9} {'measured':>11}")
        for name in names:
            ROWS[name](repository)


main()
