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

# The part that a kind is in, what of server.c plants it, the scenario that shows it, and what its store takes in
# microseconds: so much that the plant is 10 to 30 % of a request.
LITTLE, MUCH = "pairs = 2", "pairs = 400"
FOUR = 'pairs = 2\nload = { model = "closed", connections = 4 }'
KINDS = {
    "sleep": ("blocked", "SLEEP_1MS", LITTLE, 4_000),
    "spin": ("user", "SPIN_10", MUCH, 300),
    # Four times what the lock is held for is more than a request takes without it, so that there is a convoy; and so long
    # that it matters little how much less those who wait for the lock wait for the processor.
    "lock": ("blocked", "LOCK", FOUR, 3_000),
    "quota": ("queued", "QUOTA", MUCH, 300),
    "sync": ("blocked", "SYNC", LITTLE, 4_000),
    "churn": ("system", "CHURN", LITTLE, 600),
    "same": (None, "NOTHING", MUCH, 300),
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
# Of a control group: a period in microseconds, and how much of what base uses of a processor head may use.
PERIOD_US, QUOTA_SHARE = 5_000, 0.7
# A folder where records and what was planted are kept.
KEPT = os.environ.get("KEPT")
# Of a launch: wall time, CPU time, time on the run queue, requests.
TRUTH = struct.Struct("4Q")


class QuotaGroup:
    """A control group of version 1 or 2 with a share of one processor."""

    def __init__(self):
        roots = [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup")]
        root = next((root for root in roots if (root / "cpu.cfs_quota_us").exists() or (root / "cgroup.controllers").exists()), None)
        if root is None:
            raise OSError("no control group for processors is mounted")
        self.folder = root / f"anatomy-{os.getpid()}"
        self.folder.mkdir()
        # Without a limit until it is known what base uses on this machine, as busy as it is.
        self.limit(1)

    def limit(self, processors):
        quota_us = int(processors * PERIOD_US)
        if (self.folder / "cpu.max").exists():
            (self.folder / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        else:
            (self.folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self.folder / "cpu.cfs_quota_us").write_text(str(quota_us))

    def remove(self):
        # The last process may take a moment to go.
        for _ in range(50):
            try:
                return self.folder.rmdir()
            except OSError:
                time.sleep(0.1)


class Kind:
    """One kind of plant: a program that plants on one side only, and the configuration that shows it."""

    def __init__(self, work, name):
        self.name, self.folder = name, work / name
        self.part, plant, scenario, store_us = KINDS[name]
        self.computing = "user" if self.part == "user" else "system"
        self.folder.mkdir()
        self.truth = self.folder / "truth"
        pairs = 10 if name == "same" else 14
        (self.folder / "xmlperf.toml").write_text(CONFIG.format(request=REQUEST_TABLE, truth=self.truth, pairs=pairs, scenario=scenario))
        (self.folder / "request.j2").write_text(REQUEST)
        # Two files of one content: code lies alike, and measuring costs both sides the same.
        for side in ("base", "head"):
            compile_to(self.folder / side, HERE / "server.c", flags=["-DPLANT_TRUTH", f"-DPLANT_{plant}"])
        self.group = QuotaGroup() if name == "quota" else None
        self.commands = [self.command("base", f"0 {store_us}"), self.command("head", f"1 {store_us}")]

    def command(self, side, words):
        command = f"{self.folder / side} {words}"
        if self.group is None:
            return command
        # By a shell on both sides alike, of which one enters the group.
        path = self.folder / f"{side}.sh"
        enters = f"echo $$ >{self.group.folder}/cgroup.procs\n" if side == "head" else ""
        path.write_text(f"{enters}exec {command}\n")
        return f"sh {path}"

    def planted(self):
        """What the plant took a request by parts: medians over launch pairs, by the server's own clocks, without what
        reading them takes. By launches, as xmlperf's: on a busy machine one with slow requests has fewer."""
        def launches(side):
            return [self.parts(*TRUTH.unpack(path.read_bytes())) for path in sorted(self.truth.glob(f"{side}-*"))]

        # From the end: the first launch is one that shows whether the target answers.
        pairs = list(zip(reversed(launches("base")), reversed(launches("head"))))
        return {part: statistics.median(head[part] - base[part] for base, head in pairs) for part in pairs[0][0]}

    def parts(self, wall_ns, cpu_ns, queued_ns, requests):
        blocked_ns = wall_ns - cpu_ns - queued_ns if wall_ns else 0
        return {part: ns / max(requests, 1) for part, ns in ((self.computing, cpu_ns), ("queued", queued_ns), ("blocked", blocked_ns))}

    def compare(self, number):
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(self.truth, ignore_errors=True)
        self.truth.mkdir()
        words = [XMLPERF, "compare", "--plain", "--out", out, "--seed", random.randrange(1 << 31), "--config", self.folder / "xmlperf.toml",
                 "--base-start", self.commands[0], "--head-start", self.commands[1]]
        began = time.monotonic()
        done = subprocess.run([str(word) for word in words], cwd=self.folder, capture_output=True, text=True)
        seconds = time.monotonic() - began
        report = out / "report/report.json"
        report = json.loads(report.read_text()) if report.exists() else {}
        if not report.get("anatomy"):
            sys.exit(done.stdout[-2000:] + done.stderr[-4000:])
        if self.group:
            used = report["anatomy"][0]["base"]
            self.group.limit(QUOTA_SHARE * (used["user_ns"] + used["system_ns"]) / sum(used.values()))
        if KEPT:
            Path(KEPT).mkdir(parents=True, exist_ok=True)
            shutil.copy(out / "report/run.json", Path(KEPT) / f"{self.name}-{number}.json")
            (Path(KEPT) / f"{self.name}-{number}.truth").write_text(json.dumps(self.planted()))
        return self.judge(number, report, seconds)

    def judge(self, number, report, seconds):
        row, planted = report["anatomy"][0], self.planted()
        named = row.get("changed_part")
        # On a busy machine most of a plant may be spent on the run queue: then either part is right.
        most = max(planted, key=planted.get) if self.part else None
        right = self.part if named == self.part else most
        planted_ns = planted[right] if right else 0
        found_ns = row["change"][f"{right}_ns"] if right else 0
        error = found_ns / planted_ns - 1 if planted_ns else None
        base_ns = sum(row["base"].values())
        parts = ", ".join(f"{part} {row['base'][f'{part}_ns'] / 1000:.0f} {row['change'][f'{part}_ns'] / 1000:+.0f}"
                          + (f" of {planted[part] / 1000:.0f}" if part in planted else "") for part in ("user", "system", "queued", "blocked"))
        said = "" if error is None else f" ({100 * error:+.0f} %), {100 * planted_ns / base_ns:.0f} % of a request"
        pairs, load = report.get("method", {}).get("launches"), os.getloadavg()[0]
        print(f"{self.name} {number}: {named or 'nothing'} named, {right or 'nothing'} planted{said}; {parts} µs; "
              f"{report['outcome']}, {pairs} pairs, {seconds:.0f} s, load {load:.1f}", flush=True)
        return {"right": named == right, "meant": most == self.part, "near": error is not None and abs(error) <= 0.1,
                "planted_ns": planted_ns, "share": planted_ns / base_ns, "error": error, "seconds": seconds, "load": load}


def table(results):
    print("\n| kind | part | planted, µs | of a request | named | size within 10 % | error, median | seconds, mean |\n|:--|:--|--:|--:|--:|--:|--:|--:|")
    for name, found in results.items():
        count = len(found)
        median = lambda key: statistics.median([it[key] for it in found if it[key] is not None] or [0])
        seconds = sum(it["seconds"] for it in found) / count
        right = sum(it["right"] for it in found)
        if name == "same":
            print(f"| same program | none |  |  | {right} of {count} say nothing |  |  | {seconds:.0f} |")
            continue
        near, other = sum(it["right"] and it["near"] for it in found), sum(not it["meant"] for it in found)
        part = KINDS[name][0] + (f", {other} times another" if other else "")
        print(f"| {name} | {part} | {median('planted_ns') / 1000:.0f} | {100 * median('share'):.0f} % | {right} of {count} | {near} | "
              f"{100 * median('error'):+.0f} % | {seconds:.0f} |")
    loads = [it["load"] for found in results.values() for it in found]
    print(f"\nA load of {min(loads):.1f} to {max(loads):.1f}.")


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
                if kind.group:
                    kind.compare("for the quota")
                results[name] = [kind.compare(number) for number in range(count or (100 if name == "same" else 25))]
            finally:
                if kind.group:
                    kind.group.remove()
    table(results)


if __name__ == "__main__":
    main()
