"""Says whether a report finds a slow-down in the row of one operation, and in that of no other.

judge.py REPORT LEDGER SERVICE KIND SECONDS [OPERATION]: without an operation, nothing may be found at all. A line
about it is added to the ledger.
"""

import json
import sys


def main():
    path, ledger, service, kind, seconds, *planted = sys.argv[1:]
    planted = planted[0] if planted else None
    with open(path, encoding="utf-8") as file:
        text = file.read()
    report = json.loads(text) if text else {"outcome": "error", "reason": "no report", "metrics": [], "method": {}}
    found, others = False, []
    for row in report["metrics"]:
        operation, verdict = row.get("operation"), row.get("verdict")
        changed = verdict in ("regressed", "improved") and row["policy"] == "gate"
        if not changed:
            continue
        if planted and operation == planted and verdict == "regressed":
            found = True
        elif operation or not planted:
            others.append(f"{operation or 'the whole'} {row['metric']} {verdict}")
    rows = [row for row in report["metrics"] if row.get("operation") and row["metric"] == "latency"]
    changes = (f"{row['operation']} {100 * (row['change'] or 0):+.1f} % {row['verdict']}" for row in rows)
    launches = report["method"].get("launches", 0)
    print(f"{launches} launch pairs, {report['outcome']}: {', '.join(changes) or report.get('reason')}", *others, sep="; ")
    expected = "regressed" if planted else None
    right = not others and report["outcome"] != "error" and (found if planted else bool(rows))
    right = right and (expected is None or report["outcome"] == expected)
    change = next((row["change"] for row in rows if row["operation"] == planted), None)
    with open(ledger, "a", encoding="utf-8") as file:
        print(service, kind, seconds, launches, report["outcome"], int(right), change, sep="\t", file=file)
    sys.exit(0 if right else 1)


main()
