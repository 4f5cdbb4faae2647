"""Judges the rounds of loadtests.chaos: what callers heard, what /health said and what was left
behind while one fault was there.

Pure: knows nothing about servers, processes or clocks. Times are seconds of one monotonic clock.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from loadtests.records import Kind, Outcome, Record

OK, LATE, NO_ANSWER = "ok", "late", "no answer"
TOLD_WITHIN_S = 5.0  # the time in which /health must tell the truth


class Harm(IntEnum):
    """The worst that a fault may do to callers."""

    NONE = 0  # every session ends well, or is refused with a code before it began
    REFUSES = 1  # sessions that run end well; new ones and cancels may fail with an error
    ENDS = 2  # sessions may end with an error, or their bodies break off


_MAY_END: dict[Harm, frozenset[Outcome]] = {
    Harm.NONE: frozenset(
        {Outcome.HEARD, Outcome.DONE, Outcome.CANCELLED, Outcome.LEFT, Outcome.REFUSED}
    ),
    Harm.REFUSES: frozenset({Outcome.FAILED, Outcome.UNACKNOWLEDGED, Outcome.UNANSWERED}),
    Harm.ENDS: frozenset({Outcome.BROKEN}),
}
_SILENT = ("ReadTimeout", "WriteTimeout", "PoolTimeout", "keepalive")  # details of no end at all


@dataclass(frozen=True, slots=True)
class Heard:
    """One session, and by how much its sound differs from the reference, in steps of a sample:
    not at all where the vocoder's calls have one row (`loadtests.chaos.config`)."""

    record: Record
    difference: int | None = None  # None: no sound to compare

    @property
    def is_silent_end(self) -> bool:
        """The caller was left without an answer, or was told a good end that is none."""
        if self.record.outcome in (Outcome.TRUNCATED, Outcome.UNSTOPPED):
            return True
        gave_up = self.record.outcome in (Outcome.UNANSWERED, Outcome.UNACKNOWLEDGED)
        return gave_up and any(word in self.record.detail for word in _SILENT)

    def may_end_so(self, harm: Harm) -> bool:
        allowed = frozenset[Outcome]().union(*(_MAY_END[h] for h in Harm if h <= harm))
        if self.record.kind is Kind.ENROL:  # the round's fault may be about uploads alone
            allowed |= {Outcome.FAILED, Outcome.BROKEN, Outcome.UNANSWERED}
        return self.record.outcome in allowed


@dataclass(frozen=True, slots=True)
class Look:
    """One answer of /health."""

    asked_s: float
    answered_s: float  # or given up
    status: str  # OK, LATE, another word of the server, or NO_ANSWER


@dataclass(frozen=True, slots=True)
class Round:
    """What was seen from before one fault until everything had ended."""

    fault: str
    harm: Harm
    silences: bool  # nothing can be spoken while the fault is there
    bound_s: float  # from the undoing until service is back
    inflicted_s: float
    undone_s: float  # of a SIGKILL the same moment
    back_s: float | None  # a request was spoken, and /health says so; None: not in time
    heard: Sequence[Heard]
    looks: Sequence[Look]
    left: Sequence[str] = ()  # what was still held after every caller had left
    wrong: Sequence[str] = ()  # what the fault itself saw go wrong
    counted: str = ""  # what the fault counted, for the reader

    @property
    def back_after_s(self) -> float | None:
        return None if self.back_s is None else max(0.0, self.back_s - self.undone_s)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    fault: str
    sessions: int
    ended_well: int
    refused: int  # with an HTTP status, or because nothing listened
    ended_with_error: int  # an error event, or a body that broke off
    longest_silence_s: float  # after a first sound
    longest_first_s: float  # from when a request was due to its first sound
    back_after_s: float | None
    left_behind: int
    differs_by: int  # the sound of any caller, in steps of a 16-bit sample
    broken_rules: Sequence[str] = field(default_factory=tuple)
    counted: str = ""


def row_of(round_: Round) -> Row:
    records = [heard.record for heard in round_.heard]
    outcomes = Counter(record.outcome for record in records)
    well = (Outcome.HEARD, Outcome.DONE, Outcome.CANCELLED, Outcome.LEFT)
    refused = (Outcome.REFUSED, Outcome.FAILED, Outcome.UNANSWERED, Outcome.UNACKNOWLEDGED)
    back_s = round_.back_after_s
    return Row(
        round_.fault,
        len(records),
        sum(outcomes[outcome] for outcome in well),
        sum(outcomes[outcome] for outcome in refused),
        outcomes[Outcome.BROKEN],
        round(max((r.longest_stall_ms for r in records), default=0.0) / 1000, 1),
        round(max((r.ttfa_s or 0.0 for r in records), default=0.0), 1),
        None if back_s is None else round(back_s, 1),
        len(round_.left),
        max((heard.difference or 0 for heard in round_.heard), default=0),
        tuple(broken_rules(round_)),
        round_.counted,
    )


def broken_rules(round_: Round) -> Iterator[str]:
    for heard in round_.heard:
        yield from _faults_of(heard, round_.harm)
    yield from (f"left behind: {what}" for what in round_.left)
    yield from round_.wrong
    yield from _lies(round_)
    back_s = round_.back_after_s
    if back_s is None or back_s > round_.bound_s:
        after = "never" if back_s is None else f"after {back_s:.1f} s"
        yield f"service came back {after}; the bound is {round_.bound_s:g} s"


def _faults_of(heard: Heard, harm: Harm) -> Iterator[str]:
    record = heard.record
    name = f"{record.kind} {record.session_id} ({record.user})"
    if heard.is_silent_end:
        yield f"silent end: {name}: {record.outcome} {record.detail}".rstrip()
    elif not heard.may_end_so(harm):
        yield f"hit a bystander: {name}: {record.outcome} {record.status} {record.detail}".rstrip()
    if heard.difference:
        yield f"other sound: {name}: differs by {heard.difference}"


def _lies(round_: Round) -> Iterator[str]:
    """Where /health did not tell the truth in time."""
    if not round_.looks:
        yield "/health was never asked"
        return
    due_s = round_.inflicted_s + TOLD_WITHIN_S
    early = [look for look in round_.looks if round_.inflicted_s <= look.asked_s <= due_s]
    if round_.silences and all(look.status == OK for look in early):
        yield f"/health said ok for {TOLD_WITHIN_S:g} s while nothing could be spoken"
    silence_s = max((h.record.longest_stall_ms for h in round_.heard), default=0.0) / 1000
    if silence_s > TOLD_WITHIN_S and all(look.status == OK for look in round_.looks):
        yield f"/health said ok all the time, and a listener heard nothing for {silence_s:.1f} s"
    if round_.harm is Harm.NONE and (gap_s := _longest_gap_s(round_.looks)) > TOLD_WITHIN_S:
        yield f"/health had no answer for {gap_s:.1f} s"


def _longest_gap_s(looks: Iterable[Look]) -> float:
    """The longest time between two answers."""
    longest_s, since_s = 0.0, None
    for look in looks:
        since_s = look.asked_s if since_s is None else since_s
        longest_s = max(longest_s, look.answered_s - since_s)
        if look.status != NO_ANSWER:
            since_s = look.answered_s
    return longest_s
