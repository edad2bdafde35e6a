"""Plants waiting and computing, and holds the part that xmlperf names against what the plant took; see benches/anatomy.sh."""

import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from truth import HERE, REQUEST, REQUEST_TABLE, XMLPERF, compile_to

# The part that a kind is in, what of server.c plants it, and the scenario that shows it.
ALONE = "pairs = 100"
# Little work, so that the lock and not the processor is what four connections wait for.
FOUR = 'pairs = 2\nload = { model = "closed", connections = 4 }'
KINDS = {
    "sleep": ("blocked", "SLEEP_1MS", ALONE),
    "spin": ("user", "SPIN_10", ALONE),
    "lock": ("blocked", "LOCK", FOUR),
    "quota": ("queued", None, ALONE),
    "sync": ("blocked", "SYNC", ALONE),
    "churn": ("system", "CHURN", ALONE),
    "same": (None, None, ALONE),
}
CONFIG = """
[target]
start = "./api"
port-env = "APP_PORT"
ready = "/"
env = {{ PLANT_TRUTH = "{truth}" }}

{request}
[work]
lane = "off"

[sampling]
load = "500 ms"
warm-up = "100 ms"
launch-pairs = {pairs}

[[scenario]]
name = "planted"
{scenario}
"""
# Of a control group: so much of each period, in microseconds.
QUOTA_US, PERIOD_US = 2_000, 10_000


class QuotaGroup:
    """A control group of version 1 or 2 with a share of one processor."""

    def __init__(self):
        roots = [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup")]
        root = next((root for root in roots if (root / "cpu.cfs_quota_us").exists() or (root / "cgroup.controllers").exists()), None)
        if root is None:
            raise OSError("no control group for processors is mounted")
        self.folder = root / f"anatomy-{os.getpid()}"
        self.folder.mkdir()
        if (self.folder / "cpu.max").exists():
            (self.folder / "cpu.max").write_text(f"{QUOTA_US} {PERIOD_US}")
        else:
            (self.folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self.folder / "cpu.cfs_quota_us").write_text(str(QUOTA_US))

    def throttled_ns(self):
        counts = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        return int(counts["throttled_time"]) if "throttled_time" in counts else 1000 * int(counts["throttled_usec"])

    def remove(self):
        # The last process may take a moment to go.
        for _ in range(50):
            try:
                return self.folder.rmdir()
            except OSError:
                time.sleep(0.1)


class Kind:
    """One kind of plant, both builds, and the configuration that shows it."""

    def __init__(self, work, name):
        self.name, self.folder = name, work / name
        self.part, plant, scenario = KINDS[name]
        self.folder.mkdir()
        self.truth = self.folder / "truth"
        pairs = 10 if name == "same" else 14
        (self.folder / "xmlperf.toml").write_text(CONFIG.format(request=REQUEST_TABLE, truth=self.truth, pairs=pairs, scenario=scenario))
        (self.folder / "request.j2").write_text(REQUEST)
        base, head = self.folder / "base", self.folder / "head"
        compile_to(base, HERE / "server.c")
        if name == "same":
            shutil.copy(base, head)
        else:
            compile_to(head, HERE / "server.c", flags=["-DPLANT_TRUTH", *([f"-DPLANT_{plant}"] if plant else [])])
        self.group = QuotaGroup() if name == "quota" else None
        self.commands = [str(base), str(head)] if self.group is None else [self.script(base), self.script(head, self.group)]

    def script(self, program, group=None):
        """Starts a program by a shell, on both sides alike, of which one enters the group."""
        path = self.folder / f"{program.name}.sh"
        enters = f"echo $$ >{group.folder}/cgroup.procs\n" if group else ""
        path.write_text(f"{enters}exec {program}\n")
        return f"sh {path}"

    def planted_ns(self, throttled_ns):
        """What the plant took a request, by its own clocks or the kernel's count."""
        wall_ns, cpu_ns, queued_ns, requests = struct.unpack("QQQQ", self.truth.read_bytes())
        if self.name == "same" or requests == 0:
            return 0
        whole = {"blocked": wall_ns - cpu_ns - queued_ns, "queued": throttled_ns}.get(self.part, cpu_ns)
        return whole / requests

    def compare(self, number):
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        self.truth.write_bytes(bytes(32))
        words = [XMLPERF, "compare", "--plain", "--out", out, "--seed", random.randrange(1 << 31), "--config", self.folder / "xmlperf.toml",
                 "--base-start", self.commands[0], "--head-start", self.commands[1]]
        throttled_ns = self.group.throttled_ns() if self.group else 0
        began = time.monotonic()
        done = subprocess.run([str(word) for word in words], cwd=self.folder, capture_output=True, text=True)
        seconds = time.monotonic() - began
        throttled_ns = self.group.throttled_ns() - throttled_ns if self.group else 0
        report = out / "report/report.json"
        report = json.loads(report.read_text()) if report.exists() else {}
        if not report.get("anatomy"):
            sys.exit(done.stdout[-2000:] + done.stderr[-4000:])
        return self.judge(number, report, self.planted_ns(throttled_ns), seconds)

    def judge(self, number, report, planted_ns, seconds):
        row = report["anatomy"][0]
        named = row.get("changed_part")
        found_ns = row["change"][f"{self.part or 'blocked'}_ns"]
        error = found_ns / planted_ns - 1 if planted_ns else None
        parts = ", ".join(f"{part} {row['change'][f'{part}_ns'] / 1000:+.0f}" for part in ("user", "system", "queued", "blocked"))
        said = "" if error is None else f"; {found_ns / 1000:.0f} of {planted_ns / 1000:.0f} µs ({100 * error:+.0f} %)"
        pairs = report.get("method", {}).get("launches")
        print(f"{self.name} {number}: {named or 'nothing'} named{said}; {parts} µs; {report['outcome']}, {pairs} pairs, {seconds:.0f} s", flush=True)
        return {"right": named == self.part, "near": error is not None and abs(error) <= 0.1, "planted_ns": planted_ns,
                "error": error, "seconds": seconds}


def table(results):
    print("\n| kind | part | named | size within 10 % | planted, µs | error, median | seconds, mean |\n|:--|:--|--:|--:|--:|--:|--:|")
    for name, found in results.items():
        count = len(found)
        median = lambda key: statistics.median([it[key] for it in found if it[key] is not None] or [0])
        seconds = sum(it["seconds"] for it in found) / count
        right = sum(it["right"] for it in found)
        if name == "same":
            print(f"| same program | none | {right} of {count} say nothing |  |  |  | {seconds:.0f} |")
            continue
        near = sum(it["right"] and it["near"] for it in found)
        print(f"| {name} | {KINDS[name][0]} | {right} of {count} | {near} | {median('planted_ns') / 1000:.0f} | {100 * median('error'):+.0f} % | {seconds:.0f} |")


def main():
    words = sys.argv[1:]
    unknown = [word for word in words if not word.isdigit() and word not in KINDS]
    if unknown:
        sys.exit(f"`{unknown[0]}` is none of {', '.join(KINDS)}")
    names = [word for word in words if word in KINDS] or list(KINDS)
    count = next((int(word) for word in words if word.isdigit()), None)
    results = {}
    with tempfile.TemporaryDirectory(prefix="anatomy-") as work:
        for name in names:
            try:
                kind = Kind(Path(work), name)
            except OSError as error:
                print(f"{name}: left out, {error}", flush=True)
                continue
            try:
                results[name] = [kind.compare(number) for number in range(count or (100 if name == "same" else 25))]
            finally:
                if kind.group:
                    kind.group.remove()
    table(results)


if __name__ == "__main__":
    main()
