"""Reads the JUnit report of every record in a folder by junitparser, and holds what it finds to report.json.

    junit_consumer.py PROGRAM FOLDER
"""

import json
import subprocess
import sys
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped

PROGRAM, FOLDER = sys.argv[1], Path(sys.argv[2])


def report(record: Path, form: str) -> bytes:
    command = [PROGRAM, "report", record, "--format", form, "--fail-on", "never"]
    done = subprocess.run(command, capture_output=True, check=False)
    # 3: nothing was measured, which is a report as well.
    assert done.returncode in (0, 3), (record, done.stderr.decode())
    return done.stdout


def outcomes(suite) -> dict[str, list[str]]:
    kinds = {Failure: "failure", Skipped: "skipped", Error: "error"}
    names = {name: [] for name in [*kinds.values(), "passed"]}
    for case in suite:
        kind = kinds[type(case.result[0])] if case.result else "passed"
        names[kind].append(case.name)
    return names


def check(record: Path) -> int:
    document = JUnitXml.fromstring(report(record, "junit"))
    shown = json.loads(report(record, "json"))
    suites = {suite.name: suite for suite in document}
    assert len(suites) == len(list(document)), f"{record}: a suite is there twice"
    for scenario in shown["method"]["scenarios"]:
        found = outcomes(next(suite for name, suite in suites.items() if same(name, scenario)))
        rows = [it for it in shown["metrics"] if it["scenario"] == scenario and it["policy"] == "gate"]
        limits = [it for it in shown["limits"] if it["scenario"] == scenario]
        count = lambda *verdicts: sum(it["verdict"] in verdicts for it in rows)  # noqa: E731
        broken = sum(not it["holds"] for it in limits)
        assert len(found["failure"]) == count("regressed") + broken, (record, scenario, found)
        assert len(found["skipped"]) == count("inconclusive", "suspected"), (record, scenario, found)
        assert sum(map(len, found.values())) == len(rows) + len(limits), (record, scenario, found)
    if shown["outcome"] == "error":
        assert document.errors >= 1, record
    totals = [outcomes(suite) for suite in document]
    assert document.tests == sum(len(names) for it in totals for names in it.values()), record
    assert document.failures == sum(len(it["failure"]) for it in totals), record
    assert document.errors == sum(len(it["error"]) for it in totals), record
    return document.tests


def same(name: str, scenario: str) -> bool:
    return name == scenario or "\ufffd" in name and len(name) == len(scenario)


counts = {record.stem: check(record) for record in sorted(FOLDER.glob("*.json"))}
assert len(counts) >= 5, counts
for name, tests in counts.items():
    print(f"{name}: {tests} test cases, read by junitparser as report.json has them")
