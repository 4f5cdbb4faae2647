"""What a call of an engine costs on this machine: measured once, then followed.

The cost is a line (app.core.Cost): seconds that every call takes, and seconds for each sequence or
token. The warm-up measures the line. After that a factor scales the line: each live call moves the
factor towards what the call took, other work on the same cores included, because a stream waits for
that too. One call moves the factor by a few per cent at most, whatever it took; the first live
calls by more, because the warm-up did not see the other engine. So neither a machine that stood
still nor a client's odd request spoils the estimate, and a lasting change is followed within
seconds. Knows nothing about engines or devices.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median

from app.core import Cost

FARTHEST = 0.5  # log of took / expected; a call that is farther off counts as this
FULL = 1.4  # times the warm-up's cost: 1.3 to 1.65 seen with five streams on two cores, 2026-11-30
_MEASURED_COUNTS = 4  # the warm-up's measurement weighs as this number of live calls


class CallSpeed:
    """Of one engine. Its thread measures and follows; any thread reads `cost`."""

    def __init__(self, weight: float) -> None:
        """`weight`: the share of its distance by which one live call moves the estimate."""
        self._weight = weight
        self._log_factor = 0.0
        self._num_followed = 0
        self.measured: Cost | None = None  # in the warm-up; None: not measured
        self.cost: Cost | None = None  # now

    @property
    def full_cost(self) -> Cost | None:
        """On a machine that has all the streams that it bears. In the warm-up a call had a core
        to itself: the other engine and the callers' processes take a part of it later."""
        measured = self.measured
        if measured is None:
            return None
        return scaled(measured, max(FULL, math.exp(self._log_factor)))

    def begin(self, measured: Cost) -> None:
        """Follow live calls from this cost on."""
        self.measured = self.cost = measured
        self._log_factor, self._num_followed = 0.0, 0

    def follow(self, count: float, took_s: float) -> None:
        """A live call of `count` sequences or tokens. Ignored before the cost is measured."""
        measured, cost = self.measured, self.cost
        if measured is None or cost is None or took_s <= 0:
            return
        distance = math.log(took_s / cost.of(count))
        weight = max(self._weight, 1 / (_MEASURED_COUNTS + self._num_followed))
        self._num_followed += 1
        self._log_factor += weight * min(max(distance, -FARTHEST), FARTHEST)
        self.cost = scaled(measured, math.exp(self._log_factor))


def scaled(cost: Cost, factor: float) -> Cost:
    return Cost(factor * cost.base_s, factor * cost.each_s)


def fit(took_s: Mapping[float, Sequence[float]]) -> Cost | None:
    """The line through the fastest call of each count: the other calls shared the machine.

    The slope is the median of the slopes between all pairs of counts, so one bad count does not
    turn the line. Neither part is negative. One count alone gives calls that cost the same
    whatever their count. None without a call.
    """
    fastest = {count: min(times) for count, times in took_s.items() if times and min(times) > 0}
    if not fastest:
        return None
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(fastest.items(), 2)]
    each_s = max(0.0, median(slopes)) if slopes else 0.0
    base_s = median(time_s - each_s * count for count, time_s in fastest.items())
    if base_s < 0:
        return Cost(0.0, median(time_s / count for count, time_s in fastest.items()))
    return Cost(base_s, each_s)
