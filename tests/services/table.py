"""Prints what the comparisons of a ledger came to.

table.py LEDGER
"""

import statistics
import sys


def spread(values, form):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{form.format(middle)} ({form.format(low)} to {form.format(high)})"


def main():
    groups = {}
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            service, kind, *values = line.rstrip("\n").split("\t")
            groups.setdefault((service, kind), []).append(values)
    print("| service | head | right | regressed | shown equal | seconds | launch pairs | planted |")
    print("|:--|:--|--:|--:|--:|--:|--:|--:|")
    for (service, kind), rows in groups.items():
        seconds, launches, outcomes, right, changes = zip(*rows)
        cells = [
            f"{right.count('1')} of {len(rows)}",
            outcomes.count("regressed"),
            outcomes.count("pass"),
            spread([int(it) for it in seconds], "{:.0f}"),
            spread([int(it) for it in launches], "{:.0f}"),
        ]
        seen = [100 * float(it) for it in changes if it != "None"]
        cells.append(spread(seen, "{:+.1f} %") if seen else "")
        print("|", " | ".join([service, kind, *map(str, cells)]), "|")


main()
