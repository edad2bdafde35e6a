"""Compares what doctor predicts with what is then measured, as doctor.sh says."""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

XMLPERF = os.path.abspath(os.environ["XMLPERF"])
MINUTE_NS = 60_000_000_000
FACTOR_MAX = 1.25

# A tolerance that no evidence reaches, so that the comparison takes its whole minute.
CONFIG = """
[target]
reference = true
[work]
lane = "off"
[gate]
floor = 0.00001
tolerance = { cpu = 0.00002, latency = 0.00002, tail = 0.00002 }
[[scenario]]
name = "doctor"
pairs = 1
"""


def xmlperf(folder, *words):
    done = subprocess.run([XMLPERF, *words], cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def predicted(folder):
    """The smallest change, ln(head / base), that doctor says a minute finds, by metric."""
    noise = xmlperf(folder, "doctor", "--format", "json")["noise"]
    forecast = next(it for it in noise["forecasts"] if it["budget_ns"] == MINUTE_NS)
    return {it["metric"]: it["change_ln"] for it in forecast["smallest"]}


def measured(folder):
    """The same by a comparison of a minute."""
    words = ("compare", "--base-bin", XMLPERF, "--budget", "60s", "--format", "json")
    rows = xmlperf(folder, *words)["metrics"]
    return {it["metric"]: math.log1p(it["detectable"]) for it in rows if it["detectable"]}


@contextmanager
def busy(processes):
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def geometric_mean(ratios):
    return math.exp(statistics.fmean(map(math.log, ratios)))


def compare(times, processes):
    """Prints a line a metric; returns the factors by which the mean predictions are off."""
    pairs = {}
    with tempfile.TemporaryDirectory() as folder, busy(processes):
        (Path(folder) / "xmlperf.toml").write_text(CONFIG)
        for _ in range(times):
            said, seen = predicted(folder), measured(folder)
            for metric in said.keys() & seen.keys():
                pairs.setdefault(metric, []).append((said[metric], seen[metric]))
    off = []
    for metric, both in sorted(pairs.items()):
        ratios = [said / seen for said, seen in both]
        mean = geometric_mean(ratios)
        said, seen = (geometric_mean(values) for values in zip(*both))
        print(
            f"{processes} busy  {metric:14} {100 * math.expm1(said):8.2f} % {100 * math.expm1(seen):8.2f} %"
            f"   {mean:5.2f}   {min(ratios):.2f} to {max(ratios):.2f}, {len(both)} times",
            flush=True,
        )
        off.append(max(mean, 1 / mean))
    return off


def main():
    times = int(sys.argv[1])
    print(f"load    metric        predicted   measured   ratio   range, of {times}", flush=True)
    off = [factor for processes in (0, 1, os.cpu_count()) for factor in compare(times, processes)]
    sys.exit(0 if off and max(off) <= FACTOR_MAX else 1)


if __name__ == "__main__":
    main()
