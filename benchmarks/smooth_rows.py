"""The rows of benchmarks/smooth.py, and the aims that they are held against.

Knows nothing about servers.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.measure import say
from benchmarks.players import figures, p50_p95, told_right_share
from loadtests.playback import Player

LEAST_CAPACITY = 2
RIGHT_SHARE = 0.9
HELD_BACK_MS = 1000.0  # a turn that waits to be admitted has a later first sound
BURST_RATIO = {2: 1.4, 4: 2.0}  # of the first sound to that of one caller, p50


class Case(NamedTuple):
    side: str
    what: str  # lone, burst or steady
    start: str | None
    num_callers: int


@dataclass(slots=True)
class Heard:
    players: list[Player] = field(default_factory=list)
    num_refused: int = 0

    def row(self, case: Case, capacity: int | None) -> dict[str, Any]:
        starts_s = ((one.first_s or 0.0) + one.needed_prebuffer_s for one in self.players)
        return {
            **case._asdict(),
            "capacity": capacity,
            **figures(self.players),
            "smooth_start_ms": p50_p95(starts_s),
            "told_right_share": told_right_share(self.players),
            "num_refused": self.num_refused,
        }


@dataclass(slots=True)
class Found:
    """`capacity`: as this checkout's server says it in the first round."""

    heard: dict[Case, Heard] = field(default_factory=dict)
    capacity: int | None = None

    def add(self, case: Case, heard: Heard) -> None:
        known = self.heard.setdefault(case, Heard())
        known.players += heard.players
        known.num_refused += heard.num_refused
        say(json.dumps(heard.row(case, self.capacity)))

    def rows(self) -> list[dict[str, Any]]:
        return [heard.row(case, self.capacity) for case, heard in self.heard.items()]


def missed(rows: Sequence[dict[str, Any]], capacity: int | None) -> Iterator[str]:
    """A line for each aim that this checkout misses."""
    by_case = {Case(*(row[name] for name in Case._fields)): row for row in rows}
    smooth = by_case[Case("now", "lone", "smooth", 1)]
    yield from _stalled(smooth, "a lone caller")
    if (before := by_case.get(Case("before", "lone", None, 1))) is not None:
        for q, before_ms in before["smooth_start_ms"].items():
            if (now_ms := smooth["smooth_start_ms"][q]) >= before_ms:
                yield f"smooth playback begins after {now_ms} ms ({q}), before: {before_ms} ms"
    right = by_case[Case("now", "lone", "soonest", 1)]["told_right_share"]
    if right is None or right < RIGHT_SHARE:
        yield f"the told prebuffer is right in {right} of turns, the aim is {RIGHT_SHARE}"
    yield from _late_bursts(by_case)
    if capacity is None or capacity < LEAST_CAPACITY:
        yield f"/health says a capacity of {capacity}, the aim is {LEAST_CAPACITY}"
        return
    yield from _stalled(by_case[Case("now", "steady", "smooth", capacity)], "at capacity")
    twice = by_case[Case("now", "steady", "smooth", 2 * capacity)]
    yield from _stalled(twice, "at twice the capacity")
    if not twice["num_refused"] and (twice["ttfa_ms"]["p95"] or 0) < HELD_BACK_MS:
        yield "at twice the capacity: no turn was refused, and none waited"


def _stalled(row: dict[str, Any], when: str) -> Iterator[str]:
    if not row["num_heard"]:
        yield f"{when}: no turn was played"
    elif row["num_stalled"]:
        yield f"{when}: {row['num_stalled']} of {row['num_heard']} turns stalled"


def _late_bursts(by_case: dict[Case, dict[str, Any]]) -> Iterator[str]:
    first_ms = {
        case.num_callers: row["ttfa_ms"]["p50"]
        for case, row in by_case.items()
        if (case.side, case.what) == ("now", "burst")
    }
    for num, most in BURST_RATIO.items():
        ratio = first_ms[num] / first_ms[1] if {num, 1} <= first_ms.keys() else 0.0
        if ratio > most:
            yield f"the first sound of {num} callers takes {ratio:.2f} of one's, the aim is {most}"
