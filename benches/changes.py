#!/usr/bin/env python3
"""Sets `xmlperf trend` beside apache-otava on the same series: changes found, missed, false; seconds.

    benches/changes.py                     build, install otava into target/otava, compare
    benches/changes.py --series 50         series of each kind (default 20)
    benches/changes.py --correlation 0.4   each run like the one before, its noise by so much (default 0)
    XMLPERF=PATH benches/changes.py        this build of xmlperf
    OTAVA=PATH benches/changes.py          this otava

Series are drawn from a seed: 100 runs each, of known changes in known noise. Ten of one kind are analysed
at a time, as the metrics of one project. A change counts as found within three runs of its true place;
whatever else is found is false. A creeping rise has no place, so any change found in it is right, and it
is missed if nothing is found.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 100
NEAR = 3
METRICS = 10

NOISES = {
    "normal 1 %": lambda rng: rng.gauss(0, 0.01),
    "normal 3 %": lambda rng: rng.gauss(0, 0.03),
    "heavy tails 1.5 %": lambda rng: 0.015 * rng.gauss(0, 1) / math.sqrt(rng.gammavariate(1.5, 2) / 3),
    "1 %, outliers": lambda rng: rng.gauss(0, 0.01) + (0.15 if rng.random() < 0.05 else 0),
}
# Places and sizes of the steps; a slope in percent a run.
CHANGES = {
    "none": ([], 0),
    "+3 %": ([(50, 0.03)], 0),
    "+5 %": ([(50, 0.05)], 0),
    "+10 %": ([(50, 0.10)], 0),
    "+6 %, then -4 %": ([(33, 0.06), (66, -0.04)], 0),
    "+5 %, six runs ago": ([(94, 0.05)], 0),
    "creeping 0.1 % a run": ([], 0.001),
}


def series(noise, steps, slope, correlation, rng):
    def level(run):
        return sum(math.log1p(size) for at, size in steps if run >= at) + slope * run

    # Without a correlation nothing is carried, nor drawn.
    carried, fresh, values = noise(rng) if correlation else 0, math.sqrt(1 - correlation**2), []
    for run in range(RUNS):
        carried = correlation * carried + fresh * noise(rng)
        values.append(1000 * math.exp(level(run) + carried))
    return values


def write(path, columns):
    lines = ["time,commit," + ",".join(f"m{i}" for i in range(len(columns)))]
    for run in range(RUNS):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(1_750_000_000 + 86_400 * run))
        values = ",".join(f"{column[run]:.4f}" for column in columns)
        lines.append(f"{stamp},c{run},{values}")
    path.write_text("\n".join(lines) + "\n")


def xmlperf(program, path, metrics):
    began = time.monotonic()
    words = [program, "trend", "--csv", str(path), "--format", "json"]
    report = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    seconds = time.monotonic() - began
    found = [[change["at"] for change in one["changes"]] for one in report["series"]]
    creeps = [one["creep"] is not None for one in report["series"]]
    return found, creeps, seconds


def otava(program, path, metrics):
    columns = {f"m{i}": {"column": f"m{i}", "direction": -1} for i in range(metrics)}
    test = {"type": "csv", "file": str(path), "time_column": "time", "attributes": ["commit"], "metrics": columns}
    config = path.with_suffix(".yaml")
    config.write_text(json.dumps({"tests": {"t": test}}))
    began = time.monotonic()
    words = [program, "analyze", "t", "--since", "2025-01-01", "--output", "json"]
    environment = {**os.environ, "OTAVA_CONFIG": str(config)}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    seconds = time.monotonic() - began
    report = json.loads(done.stdout)
    found = [[] for _ in range(metrics)]
    for point in report["t"]:
        for change in point["changes"]:
            found[int(change["metric"][1:])].append(change["index"])
    return found, [False] * metrics, seconds


def score(found, creeps, steps, slope):
    hits = misses = false = 0
    for places, creep in zip(found, creeps):
        if slope:
            seen = bool(places) or creep
            hits, misses = hits + seen, misses + (not seen)
            continue
        left = list(places)
        for at, _ in steps:
            near = min((place for place in left if abs(place - at) <= NEAR), key=lambda place: abs(place - at), default=None)
            if near is None:
                misses += 1
            else:
                hits += 1
                left.remove(near)
        false += len(left) + creep
    return hits, misses, false


def tools(root):
    built = os.environ.get("XMLPERF")
    if not built:
        subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], check=True, cwd=root)
        built = str(root / "target/release/xmlperf")
    peer = os.environ.get("OTAVA")
    if not peer:
        venv = root / "target/otava"
        if not (venv / "bin/otava").exists():
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
            subprocess.run([str(venv / "bin/pip"), "install", "--quiet", "apache-otava==0.8.0"], check=True)
        peer = str(venv / "bin/otava")
    return [("xmlperf", lambda *words: xmlperf(built, *words)), ("otava", lambda *words: otava(peer, *words))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=20, help="series of each kind, a multiple of ten")
    parser.add_argument("--correlation", type=float, default=0, help="of the noise of a run with that of the one before")
    arguments = parser.parse_args()
    count, correlation = arguments.series, arguments.correlation
    root = Path(__file__).resolve().parent.parent
    both = tools(root)
    totals = {name: [0, 0, 0, 0.0] for name, _ in both}
    print(f"{'noise':18} {'changes':22} " + " ".join(f"{name + ': found missed false':28}" for name, _ in both))
    with tempfile.TemporaryDirectory() as folder:
        for noise_name, noise in NOISES.items():
            for change_name, (steps, slope) in CHANGES.items():
                rng = random.Random(f"{noise_name}/{change_name}")
                row = {name: [0, 0, 0] for name, _ in both}
                for batch in range(max(1, count // METRICS)):
                    path = Path(folder) / f"{batch}.csv"
                    write(path, [series(noise, steps, slope, correlation, rng) for _ in range(METRICS)])
                    for name, tool in both:
                        found, creeps, seconds = tool(path, METRICS)
                        for i, part in enumerate(score(found, creeps, steps, slope)):
                            row[name][i] += part
                            totals[name][i] += part
                        totals[name][3] += seconds
                cells = " ".join(f"{'':9}{row[name][0]:5} {row[name][1]:6} {row[name][2]:5} " for name, _ in both)
                print(f"{noise_name:18} {change_name:22} {cells}", flush=True)
    for name, (found, missed, false, seconds) in totals.items():
        print(f"{name}: {found} found, {missed} missed, {false} false, {seconds:.1f} s")


main()
