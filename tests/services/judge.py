"""Says whether a report finds a slow-down in the row of one operation, and in that of no other.

judge.py REPORT [OPERATION]: without an operation, nothing may be found at all.
"""

import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    if not text:
        sys.exit("no report")
    report = json.loads(text)
    planted = sys.argv[2] if len(sys.argv) > 2 else None
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
    print(f"{report['outcome']}: {', '.join(changes) or report.get('reason')}", *others, sep="; ")
    expected = "regressed" if planted else None
    right = not others and report["outcome"] != "error" and (found if planted else bool(rows))
    sys.exit(0 if right and (expected is None or report["outcome"] == expected) else 1)


main()
