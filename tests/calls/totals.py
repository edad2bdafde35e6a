"""Compares what a run has counted with what PostgreSQL has: `totals.py RUN STATISTICS`.

The statistics are lines of calls and statement, from pg_stat_statements; both are of all requests but those that were
sent before the load began, which the run names.
"""

import json
import sys

scenario = json.load(open(sys.argv[1]))["scenarios"][0]
service = scenario["dependencies"][0]
counted = {it["statement"]: it["count"] for it in service["head"]["statements"]}
requests = service["head"]["requests"]
warm_up = sum(launch["warm_up"]["requests"] for launch in scenario["trials"]["single"] if launch.get("warm_up"))
expected = {}
for line in open(sys.argv[2]):
    calls, statement = line.rstrip("\n").split("|", 1)
    if "FROM item" in statement:
        expected[statement.replace("$1", "?")] = int(calls)
print(f"{requests} requests, {warm_up} before; counted {counted}, PostgreSQL {expected}")
per_request = {statement: calls / (requests + warm_up) for statement, calls in expected.items()}
right = bool(expected) and all(
    counted.get(statement) == calls - round(per_request[statement] * warm_up) for statement, calls in expected.items()
)
sys.exit(not (right and set(counted) == set(expected)))
