"""Watches xmlperf while it measures for a long time, as soak.sh says."""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

XMLPERF = os.environ["XMLPERF"]
BLOCKS = 20
# Two-sided 95 % of Student's t on BLOCKS - 2 degrees.
T_95 = 2.101
MIB = 1 << 20
# What the record keeps of a launch pair, with its histograms, and the working copies of that.
PAIR_KIB_MAX = 256

# One launch, as the results of those before it stay. It keeps some numbers of each of its slices, at most 2048: of
# these long ones there are few, so that what grows is no record.
LOAD = """
[target]
reference = true
[work]
lane = "off"
[sampling]
launches = 1
slice = "5 s"
[[scenario]]
name = "soak"
pairs = 1
load = {{ model = "closed", connections = 4, duration = "{seconds} s" }}
"""
# A tolerance that no evidence reaches: the comparison goes on.
PAIRS = """
[target]
reference = true
[work]
lane = "off"
[sampling]
launch-pairs = 2000
warm-up = "20 ms"
load = "100 ms"
[gate]
floor = 0.00001
tolerance = { cpu = 0.00002 }
[[scenario]]
name = "pairs"
pairs = 10
"""


def children(pid):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(stat[1]) == pid:
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def worker(front):
    """The process that measures: the child of the front's child."""
    for reaper in children(front):
        for pid in children(reaper):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"serve" not in command.split(b"\0"):
                return pid
    return None


def sample(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    field = lambda name: int(status.split(name + ":", 1)[1].split()[0])
    return {
        "rss": field("RssAnon") * 1024,
        "threads": field("Threads"),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
    }


def watch(config, words, seconds):
    """Runs xmlperf in a folder of its own; returns the samples of its worker, its events and its results."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "xmlperf.toml").write_text(config)
        events = Path(folder, "events")
        with events.open("wb") as stderr:
            front = subprocess.Popen(
                [XMLPERF, *words, "--progress", "json", "--format", "json"],
                cwd=folder, stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.DEVNULL)
            samples, began, pid = [], time.monotonic(), None
            while front.poll() is None and time.monotonic() < began + 2 * seconds + 60:
                pid = pid or worker(front.pid)
                try:
                    if pid:
                        samples.append({"at": time.monotonic() - began, **sample(pid)})
                except (OSError, IndexError):
                    pass  # It has just ended.
                time.sleep(max(0.05, seconds / 2000))
            front.terminate()
            report = json.loads(front.communicate()[0] or "{}")
        lines = [json.loads(line) for line in events.read_text().splitlines() if line.startswith("{")]
        run = json.loads(Path(folder, ".xmlperf/report/run.json").read_text())
        return samples, lines, report, run


def slope(points):
    """Growth a second of block means with its 95 % interval: blocks, as neighbours in time are alike."""
    blocks = [points[i * len(points) // BLOCKS:(i + 1) * len(points) // BLOCKS] for i in range(BLOCKS)]
    xs = [statistics.mean(x for x, _ in block) for block in blocks]
    ys = [statistics.mean(y for _, y in block) for block in blocks]
    mean_x, mean_y = statistics.mean(xs), statistics.mean(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    estimate = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / spread
    residuals = sum((y - mean_y - estimate * (x - mean_x)) ** 2 for x, y in zip(xs, ys))
    error = math.sqrt(residuals / (BLOCKS - 2) / spread)
    return estimate, estimate - T_95 * error, estimate + T_95 * error


def settled(samples):
    """Without the beginning, in which payloads are made and buffers find their size."""
    return samples[len(samples) // 5:]


def steady(samples, what):
    """Whether no more is open in the last third than was in the one before."""
    third = len(samples) // 3
    most = [max(it[what] for it in part) for part in (samples[third:2 * third], samples[2 * third:])]
    print(f"  {what}: at most {most[0]}, then {most[1]}")
    return most[1] <= most[0]


def requests(run):
    launches = run["scenarios"][0]["trials"]
    launches = launches.get("single") or [side for pair in launches["paired"] for side in pair.values()
                                          if isinstance(side, dict) and "requests" in side]
    return sum(launch["requests"] for launch in launches)


def main(seconds):
    half, sound = seconds / 2, True
    samples, _, _, run = watch(LOAD.format(seconds=max(1, round(half))), ["run"], half)
    points = [(it["at"], it["rss"]) for it in settled(samples)]
    lasted = points[-1][0] - points[0][0]
    growth = [lasted * each / MIB for each in slope(points)]
    print(f"one load: {requests(run)} requests, {len(points)} samples over {lasted:.0f} s")
    print("  memory grew by {:+.2f} MiB [{:+.2f}, {:+.2f}]".format(*growth))
    sound &= growth[1] <= 0 or growth[2] < 1
    sound &= all([steady(settled(samples), "descriptors"), steady(settled(samples), "threads")])

    words = ["compare", "--base-start", f"{XMLPERF} serve --workers 1", "--budget", f"{max(1, round(half))}s"]
    samples, events, _, run = watch(PAIRS, words, half)
    pairs = sum(event.get("event") == "launch_ended" for event in events)
    points = [(it["at"], it["rss"]) for it in settled(samples)]
    lasted = points[-1][0] - points[0][0]
    pace = lasted / max(1, pairs * lasted / samples[-1]["at"])
    growth = [pace * each / 1024 for each in slope(points)]
    print(f"launch pairs: {2 * pairs} launches, {requests(run)} requests, {len(points)} samples over {lasted:.0f} s")
    print("  memory grew by {:+.1f} KiB [{:+.1f}, {:+.1f}] a launch pair, which the record keeps".format(*growth))
    sound &= growth[0] < PAIR_KIB_MAX
    sound &= all([steady(settled(samples), "descriptors"), steady(settled(samples), "threads")])
    print("sound" if sound else "NOT sound")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
