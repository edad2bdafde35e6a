"""Says whether a report of a comparison is right about its calls: `judge.py REPORT same|more`.

Planted are nine executions of one statement more; they have to be found by the first launch pair.
"""

import json
import sys

report = json.load(open(sys.argv[1]))
rows = {row["metric"]: row for row in report["metrics"]}
queries, trips = rows["queries"], rows["round-trips"]
fates = [it["change"] for service in report["calls"] for it in service["statements"]]
changed = [fate for fate in fates if fate != "same"]
if sys.argv[2] == "same":
    right = queries["verdict"] == trips["verdict"] == "unchanged" and not changed
else:
    found = (queries["base"], queries["head"], queries["verdict"], trips["verdict"])
    right = found == (2, 11, "regressed", "regressed") and changed == ["more-often"]
    right = right and report["method"]["launches"] == 1
print(f"queries {queries['base']} to {queries['head']} {queries['verdict']}, round trips {trips['verdict']}, {changed}")
if "secret" in open(sys.argv[1]).read():
    print("a value is in the report")
    right = False
sys.exit(not right)
