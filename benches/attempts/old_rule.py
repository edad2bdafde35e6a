"""The rule before evidence added up, for one metric: looks at fixed numbers of launch pairs.

At each look the limits of the Hodges-Lehmann estimate are set against floor and tolerance; with one metric
that is the exact signed-rank test. Each run stood alone.
"""

import math

LOOKS = (10, 14, 20, 28, 40)
# All five looks together spend 1 % at this one-sided level, by 400 000 simulated walks.
LEVEL = 0.003048222723409999
FLOOR, TOLERANCE = math.log(1.01), math.log(1.03)


def critical(count):
    """The largest k with P(W+ <= k) <= LEVEL, W+ the sum of those ranks whose coin falls so."""
    ways = [1]
    for rank in range(1, count + 1):
        longer = ways + [0] * rank
        for total, number in enumerate(ways):
            longer[total + rank] += number
        ways = longer
    below, k = 0, -1
    while (below + ways[k + 1]) / 2**count <= LEVEL:
        k += 1
        below += ways[k]
    return k


def limits(differences):
    means = sorted(
        (a + b) / 2 for i, a in enumerate(differences) for b in differences[i:]
    )
    k = critical(len(differences))
    return means[k], means[-1 - k]


def run(differences):
    """The verdict of a run and the launch pairs that it takes; none where the differences end before it does."""
    for look in LOOKS:
        if len(differences) < look:
            return None
        low, high = limits(differences[:look])
        if -TOLERANCE < low and high < TOLERANCE:
            return "unchanged", look
        if low > FLOOR:
            return "regressed", look
        if high < -FLOOR:
            return "improved", look
    return "inconclusive", LOOKS[-1]


def runs(differences):
    """As many runs, one after the other, as the differences suffice for."""
    found = []
    while (ended := run(differences)) is not None:
        found.append(ended)
        differences = differences[ended[1]:]
    return found
