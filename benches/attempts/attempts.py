"""Runs the comparisons of attempts.sh."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import linear_regression, mean

import old_rule

XMLPERF = os.environ["XMLPERF"]
RERUNS = 5
SERVE = f"{XMLPERF} serve --workers 1"
KINDS = {"+ 3 %": f"{SERVE} --extra-work 3%", "no change": SERVE}

# CPU time alone decides: of one metric the rule of before is an exact test, and needs no simulated flips.
CONFIG = """
[sampling]
launch-pairs = PAIRS
load = "250 ms"
warm-up = "100 ms"

[work]
lane = "off"

[gate]
policy = { latency = "report", tail = "report", memory = "report", ready = "report", first-answers = "report", answer-bytes = "report" }

[[scenario]]
name = "smoke"
"""


def attempt(folder, head):
    """Makes one attempt at the comparison whose record is in `folder`."""
    words = [XMLPERF, "compare", "--plain", "--config", folder.parent / "xmlperf.toml", "--out", folder / "out"]
    words += ["--attempts", folder / "record", "--base-start", SERVE, "--head-start", head]
    # A workflow that runs this counts attempts of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_RUN_")}
    began = time.monotonic()
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, env=environment)
    seconds = time.monotonic() - began
    if done.returncode not in (0, 1):
        sys.exit(f"exit {done.returncode} in {folder}:\n{done.stdout}{done.stderr}")
    report = json.loads((folder / "out/report/report.json").read_text())
    (row,) = [row for row in report["metrics"] if row["metric"] == "cpu"]
    return {"verdict": row["verdict"], "red": done.returncode == 1, "launch_pairs": report["method"]["launches"],
            "seconds": seconds}


def differences(folder):
    """ln(head / base) of CPU time in each launch pair of all attempts, in order."""
    (record,) = (folder / "record").glob("*.jsonl")
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    pairs = [line["launch_pair"] for line in lines if "launch_pair" in line]
    return [pair["differences"]["smoke"]["cpu"] for pair in pairs]


def comparison(folder, head):
    """Makes a comparison and re-runs it, unless it is there already."""
    result = folder / "result.json"
    if not result.exists():
        # One that was ended in its midst is made anew: a killed attempt is none that a user pressed.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        attempts = [attempt(folder, head) for _ in range(1 + RERUNS)]
        shutil.rmtree(folder / "out")
        result.write_text(json.dumps({"attempts": attempts, "differences": differences(folder)}, indent=1))
    return json.loads(result.read_text())


def turns_green(reds):
    return any(before and not after for before, after in zip(reds, reds[1:]))


def row(name, series):
    """One line of the table: `series` has (red, launch pairs, seconds) of the attempts of each comparison."""
    reds = [[red for red, _, _ in attempts] for attempts in series]
    every = [attempt for attempts in series for attempt in attempts]
    first = [attempts[0] for attempts in series if attempts]
    average = lambda values: f"{mean(values):.1f}" if values else "-"
    cells = [
        name, len(series), len(every), sum(any(red) for red in reds), sum(turns_green(red) for red in reds),
        average([pairs for _, pairs, _ in first]), average([seconds for _, _, seconds in first]),
        average([pairs for _, pairs, _ in every]), average([seconds for _, _, seconds in every]),
    ]
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def show(results):
    print("\n| | comparisons | runs | ever red | red, then green | launch pairs of a first run | its seconds "
          "| of any run | its seconds |\n|:--|--:|--:|--:|--:|--:|--:|--:|--:|")
    every = [attempt for found in results.values() for one in found for attempt in one["attempts"]]
    line = linear_regression([it["launch_pairs"] for it in every], [it["seconds"] for it in every])
    for kind, found in results.items():
        attempts = [[(it["red"], it["launch_pairs"], it["seconds"]) for it in one["attempts"]] for one in found]
        before = [[(verdict == "regressed", pairs, line.intercept + pairs * line.slope)
                   for verdict, pairs in old_rule.runs(one["differences"])] for one in found]
        row(f"{kind}, evidence that adds up", attempts)
        row(f"{kind}, looks of before", before)
    print("\nThe looks of before are laid over the recorded launch pairs, one run after the other, as many as they "
          "suffice for;\ntheir seconds are what a run of so many launch pairs takes here, by a line through all runs.")


def main():
    count, work = int(sys.argv[1]), Path(sys.argv[2]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    (work / "xmlperf.toml").write_text(CONFIG.replace("PAIRS", os.environ["PAIRS"]))
    results = {kind: [] for kind in KINDS}
    for i in range(count):
        # In turn, so that no kind has a quieter hour.
        for kind, head in KINDS.items():
            found = comparison(work / f"{'same' if head == SERVE else 'slower'}-{i}", head)
            results[kind].append(found)
            said = ", ".join(f"{it['verdict']} ({it['launch_pairs']} pairs, {it['seconds']:.0f} s)" for it in found["attempts"])
            print(f"{kind} {i}: {said}", flush=True)
    show(results)


main()
