"""Searches for the most callers that a server can carry: doubles the level until it is too high,
then halves the gap.

Assumes that a server that cannot carry n callers cannot carry more. Knows nothing about servers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from loadtests.records import PLAYED, Outcome, Record, of_kinds

LATE_SHARE = 0.05  # p95 is within its bound if no more turns than this are late


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one level."""

    num_callers: int
    num_turns: int
    num_late: int  # first audio later than the bound, or none until the end
    num_stalled: int
    num_refused: int
    num_faults: int
    num_asked: int = 0  # turns

    @property
    def is_met(self) -> bool:
        """A level without turns is not met."""
        return not self.lacks_turns and self.keeps_bounds

    @property
    def keeps_bounds(self) -> bool:
        return (
            self.num_late <= LATE_SHARE * self.num_turns
            and self.num_stalled == self.num_refused == self.num_faults == 0
        )

    @property
    def lacks_turns(self) -> bool:
        return self.num_turns < max(1, self.num_asked)


def judge(
    records: Iterable[Record], num_callers: int, ttfa_ms: float, num_asked: int = 0
) -> Verdict:
    turns = of_kinds(records, PLAYED)
    known = [
        turn
        for turn in turns
        if turn.first_audio_s is not None
        or turn.waited_s * 1000 > ttfa_ms
        or turn.outcome is Outcome.REFUSED
        or turn.outcome.is_fault
    ]  # a turn that was stopped before the bound, without audio, proves nothing
    return Verdict(
        num_callers,
        len(known),
        sum(turn.waited_s * 1000 > ttfa_ms for turn in known),
        sum(turn.num_stalls > 0 for turn in known),
        sum(turn.outcome is Outcome.REFUSED for turn in known),
        sum(turn.outcome.is_fault for turn in known),
        num_asked,
    )


def shortfalls(capacity: int, claimed: int | None, verdicts: Sequence[Verdict]) -> list[str]:
    """What fails a search. `claimed`: by the server's /health; None: it claims nothing."""
    found = ["capacity 0: the bounds were not kept with one caller"] if capacity == 0 else []
    for each in verdicts:
        level = f"level {each.num_callers}"
        if each.lacks_turns and each.keeps_bounds:
            asked = max(1, each.num_asked)
            found.append(f"{level}: {each.num_turns} turns were played, {asked} were asked for")
        is_claimed = claimed is not None and each.num_callers <= claimed
        if is_claimed and each.num_stalled + each.num_refused > 0:
            found.append(
                f"{level}: {each.num_stalled} of {each.num_turns} turns stalled, "
                f"{each.num_refused} refused, and /health claims {claimed} smooth streams"
            )
    return found


def most_callers(is_met: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` for which `is_met` holds; 0 if there is none."""
    met, level = 0, 1
    while level <= most and is_met(level):
        met = level
        level = min(level * 2, most) if level < most else most + 1
    too_many = level
    while too_many - met > 1:
        middle = (met + too_many) // 2
        if is_met(middle):
            met = middle
        else:
            too_many = middle
    return met
