"""Runs the comparisons of truth.sh."""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
XMLPERF = os.environ["XMLPERF"]
PLANTS = {
    "cpu-3": "regressed", "one-in-ten-twice": "regressed", "large-twice": "regressed", "quadratic": "regressed",
    "memory": "regressed", "leak-16k": "regressed", "lock": "regressed", "start": "regressed",
    "first-answer": "regressed", "stall": "regressed", "sleep-1ms": "regressed", "close": "regressed",
    "bytes": "regressed", "wrong": "regressed", "fails": "regressed", "improvement": "improved",
}
# Of the reference API, those that a flag plants.
FLAGS = {"cpu-3": "--extra-work 3%", "one-in-ten-twice": "--extra-work 10%", "leak-16k": "--leak 16KiB",
         "sleep-1ms": "--delay 1ms"}

# How each server of these scripts is asked.
REQUEST_TABLE = """[request]
path = "/"
template = "request.j2"
content-type = "text/plain"
expect = [{ json = "/items", equals = "{{ pairs | length }}" }]
"""
CONFIG = f"""
[target]
start = "./api"
build = "cc -O2 -pthread -o api *.c"
port-env = "APP_PORT"
ready = "/"

{REQUEST_TABLE}
[work]
lane = "off"

[sampling]
load = "150 ms"
warm-up = "100 ms"
soft-budget = "75 s"

[[scenario]]
name = "smoke"
pairs = 20

[[scenario]]
name = "concurrent"
pairs = 20
load = {{ model = "closed", connections = 4 }}

[[scenario]]
name = "large"
pairs = 20
"""
REQUEST = "items={{ pairs | length }}\n{% for pair in pairs %}{{ pair.xml1 }}\n{{ pair.xml2 }}\n{% endfor %}"


def run(*words, cwd=None):
    return subprocess.run([str(word) for word in words], cwd=cwd, check=True, capture_output=True, text=True)


def compile_to(program, *sources, flags=()):
    run("cc", "-O2", "-pthread", *flags, "-o", program, *sources)


def service(folder, plant=None, flags=()):
    flags = [*flags, f"-DPLANT_{plant.upper().replace('-', '_')}"] if plant else flags
    program = folder / "api"
    folder.mkdir(parents=True, exist_ok=True)
    compile_to(program, HERE / "server.c", flags=flags)
    return program


def cpu_seconds(words):
    """CPU time of a program that ends."""
    child = subprocess.Popen(words)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{words[0]} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def cold_functions(seed):
    """A source file of functions that are never called, before all others in the program."""
    rng = random.Random(seed)
    lines = ["#include <stdint.h>"]
    for i in range(rng.randrange(1, 4)):
        lines.append(f"__attribute__((used, noinline)) uint64_t cold_{i}(uint64_t x) {{")
        for _ in range(rng.randrange(3, 200)):
            lines.append(f"    x = (x ^ {rng.randrange(1, 1 << 30)}u) * {rng.randrange(3, 1 << 16)}u; if (x % {rng.randrange(3, 99)} == 1) x ^= x >> 7;")
        lines.append("    return x;\n}")
    return "\n".join(lines) + "\n"


class Bench:
    def __init__(self, work):
        self.work, self.results = work, []
        (work / "request.j2").write_text(REQUEST)
        (work / "xmlperf.toml").write_text(CONFIG)

    def compare(self, label, base=None, head=None, config=None, extra=(), cwd=None):
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        words = [XMLPERF, "compare", "--plain", "--out", out, "--seed", str(random.randrange(1 << 31)), *extra]
        if base:
            words += ["--config", config or self.work / "xmlperf.toml", "--base-start", base, "--head-start", head]
        began = time.monotonic()
        done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True)
        seconds = time.monotonic() - began
        report = out / "report/report.json"
        self.report = report = json.loads(report.read_text()) if report.exists() else {}
        said = report.get("outcome", "nothing")
        decided = [row for row in report.get("metrics", []) if row.get("verdict") in ("regressed", "improved")]
        decided.sort(key=lambda row: -abs(row.get("change") or 0))
        rows = [f"{row['scenario']}/{row['metric']} {100 * row.get('change', 0):+.1f} %" for row in decided[:3]]
        pairs = report.get("method", {}).get("launches")
        self.results.append((label, said, pairs, seconds, [row.split(" ")[0] for row in rows]))
        print(f"{label:34} {said:13} exit {done.returncode}  {pairs} pairs {seconds:6.1f} s  {', '.join(rows)}", flush=True)
        if done.returncode not in (0, 1):
            print("    " + (done.stderr.strip().splitlines() or [""])[-1], flush=True)

    def copies(self, count):
        original = service(self.work / "original")
        for i in range(count):
            pair = [self.work / side for side in "bh"]
            for folder in pair:
                folder.mkdir(exist_ok=True)
                (folder / "api").unlink(missing_ok=True)
                shutil.copy(original, folder / "api")
            self.compare(f"copies {i}", pair[0] / "api", pair[1] / "api")

    def placement(self, count):
        original = service(self.work / "table", flags=["-DTABLE"])
        config = self.work / "placement.toml"
        config.write_text(CONFIG.split("[[scenario]]")[0].replace("soft-budget", "launch-pairs = 14\nsoft-budget") +
                          '[[scenario]]\nname = "smoke"\npairs = 20\n')
        found = {"as they lie": [], "redrawn": []}
        for i in range(count):
            files = [self.work / f"files-{i}" / str(number) for number in range(12)]
            for folder in files:
                folder.mkdir(parents=True)
                shutil.copy(original, folder / "api")
                # Behind a script a launch executes the file itself.
                (folder / "start.sh").write_text(f'#!/bin/sh\nexec "{folder}/api" "$@"\n')
                (folder / "start.sh").chmod(0o755)
            seconds = {folder: [] for folder in files}
            for folder in files * 9:
                seconds[folder].append(cpu_seconds([folder / "api", "walk"]))
            files.sort(key=lambda folder: statistics.median(seconds[folder]))
            pair = [files[0], files[-1]]
            best, worst = (statistics.median(seconds[folder]) for folder in pair)
            print(f"of {len(files)} files the slowest takes {100 * worst / best - 100:.1f} % longer than the fastest", flush=True)
            for way, program in [("as they lie", "start.sh"), ("redrawn", "api")]:
                base, head = (folder / program for folder in pair)
                self.compare(f"two files, {way} {i}", base, head, config, ["--lane", "time"])
                cpu = next(row for row in self.report["metrics"] if row["metric"] == "cpu")
                mapping = self.report["placement"]["mappings"]["api"]
                print(f"    CPU {100 * cpu['change']:+.2f} %, the program's file is {mapping}", flush=True)
                found[way].append(100 * cpu["change"])
        for way, changes in found.items():
            rms = statistics.mean(change * change for change in changes) ** 0.5
            print(f"{way}: CPU differs by {rms:.2f} % rms, {max(map(abs, changes)):.2f} % at most")

    def builds(self, count):
        for i in range(count):
            folders = [self.work / f"build-{i}-{side}" for side in ("one", "another-path")]
            base, head = (service(folder) for folder in folders)
            self.compare(f"builds {i}", base, head)

    def documents(self, count):
        repository = self.work / "repository"
        repository.mkdir()
        for name, text in [("server.c", (HERE / "server.c").read_text()), ("request.j2", REQUEST),
                           ("xmlperf.toml", CONFIG), ("README.md", "0\n"), (".gitignore", "api\n")]:
            (repository / name).write_text(text)
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
        run(*git, "init", "-q", "-b", "main", cwd=repository)
        for i in range(count + 1):
            (repository / "README.md").write_text(f"{i}\n")
            run(*git, "add", ".", cwd=repository)
            run(*git, "commit", "-q", "-m", f"Say {i}", cwd=repository)
            if i:
                self.compare(f"documents {i}", extra=["--baseline", "HEAD~1"], cwd=repository)

    def innocent(self, count):
        base = service(self.work / "base")
        for i in range(count):
            folder = self.work / f"innocent-{i}"
            folder.mkdir()
            (folder / "cold.c").write_text(cold_functions(i))
            compile_to(folder / "api", folder / "cold.c", HERE / "server.c")
            self.compare(f"innocent {i}", base, folder / "api")

    def slower(self, count):
        base, head = service(self.work / "base"), service(self.work / "head", "cpu-3")
        for i in range(count):
            self.compare(f"3 % more CPU {i}", base, head)

    def planted(self, count, names):
        base = service(self.work / "base")
        python = f"{sys.executable} {HERE / 'server.py'}"
        own = self.work / "own.toml"
        own.write_text("")
        for name in names or PLANTS:
            head = service(self.work / f"head-{name}", name)
            for i in range(count):
                self.compare(f"{name} in C {i}", base, head)
                self.compare(f"{name} in Python {i}", python, f"{python} --plant {name}")
                if name in FLAGS:
                    serve = f"{XMLPERF} serve --workers 1"
                    self.compare(f"{name} in the reference API {i}", serve, f"{serve} {FLAGS[name]}", config=own)

    def summary(self):
        kinds = {}
        for label, *found in self.results:
            kinds.setdefault(label.rsplit(" ", 1)[0], []).append(found)
        print()
        for kind, found in kinds.items():
            outcomes, pairs, seconds, rows = zip(*found)
            said = ", ".join(f"{count} {said}" for said, count in Counter(outcomes).most_common())
            pairs = [count for count in pairs if count is not None]
            taken = f"{statistics.mean(pairs):.1f} pairs, " if pairs else ""
            largest = Counter(row for of_one in rows for row in of_one[:1]).most_common(3)
            first = ", ".join(f"{row} {count}" for row, count in largest)
            expected = PLANTS.get(kind.split(" ")[0])
            note = f"   expected: {expected}" if expected else ""
            print(f"{kind:34} {said:28} {taken}{statistics.mean(seconds):.1f} s (at most {max(seconds):.1f})   {first}{note}")


SIZES = {"copies": 40, "placement": 10, "builds": 20, "documents": 20, "innocent": 20, "slower": 20, "planted": 5}


def main():
    what, *rest = sys.argv[1:] or ["all"]
    random.seed(1)
    if what != "all" and what not in SIZES:
        sys.exit(f"`{what}` is none of all, {', '.join(SIZES)}")
    with tempfile.TemporaryDirectory(prefix="truth-") as folder:
        bench = Bench(Path(folder))
        for part, size in SIZES.items():
            if what in ("all", part):
                size = int(rest[0]) if rest else size
                arguments = [size, rest[1:]] if part == "planted" else [size]
                getattr(bench, part)(*arguments)
        bench.summary()


if __name__ == "__main__":
    main()
