"""The record of one request, and the check that its timings are possible.

Times are seconds on this machine's monotonic clock. A server on this machine shares the clock.
Knows nothing about HTTP, Locust or reports.
"""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

BYTES_PER_S = 48_000  # s16le, mono, 24 kHz


class Kind(StrEnum):
    WHOLE = "whole"  # one complete file
    STREAM = "stream"  # played while it arrives
    SOCKET = "socket"  # the same over a WebSocket
    TURN = "turn"  # a stream of a conversation
    STORM = "storm"  # a stream that is stopped at a random moment
    ENROL = "enrol"  # a voice is made or deleted
    HOSTILE = "hostile"


PLAYED = (Kind.STREAM, Kind.TURN)  # these count for time to first audio and stalls


class Outcome(StrEnum):
    HEARD = "heard"  # received to its end
    DONE = "done"  # a correct answer without audio
    CANCELLED = "cancelled"  # by a cancel call
    LEFT = "left"  # the caller closed the connection
    CUT = "cut"  # cancelled because the run was over
    REFUSED = "refused"  # 429, 503 overloaded, 501; for a hostile request a 4xx with a code

    BROKEN = "broken"  # the body broke off, or the server reports an error
    TRUNCATED = "truncated"  # the body ended normally, but audio is missing
    UNANSWERED = "unanswered"  # no byte arrived in time, or no connection was made
    UNACKNOWLEDGED = "unacknowledged"  # no acknowledgement of a cancel
    UNSTOPPED = "unstopped"  # audio continued after the acknowledgement of a cancel
    FAILED = "failed"  # any other wrong answer

    @property
    def is_fault(self) -> bool:
        return self in _FAULTS


_FAULTS = {
    Outcome.BROKEN,
    Outcome.TRUNCATED,
    Outcome.UNANSWERED,
    Outcome.UNACKNOWLEDGED,
    Outcome.UNSTOPPED,
    Outcome.FAILED,
}


@dataclass(frozen=True, slots=True)
class Record:
    kind: Kind
    user: str
    session_id: str
    num_chars: int
    num_callers: int  # at the time of sending, with this one
    intended_s: float  # when the request was due; delays count from here
    sent_s: float
    first_audio_s: float | None
    last_audio_s: float | None
    done_s: float
    status: int | None  # None: no answer
    outcome: Outcome
    detail: str = ""  # the server's error code, or a description of the error
    num_bytes: int = 0
    audio_s: float = 0.0
    num_stalls: int = 0
    longest_stall_ms: float = 0.0
    needed_prebuffer_ms: float | None = None  # None: nothing was played
    told_prebuffer_ms: float | None = None  # by the server; None: it said nothing
    cancelled_s: float | None = None  # when the cancel was sent
    acknowledged_s: float | None = None
    ack_state: str | None = None
    bytes_after_ack: int = 0
    finish: str | None = None  # by the server's report; None: no report
    marks: dict[str, float] = field(default_factory=dict)  # the server's
    legs_ms: dict[str, float] = field(default_factory=dict)

    @property
    def was_played(self) -> bool:
        """Its sound began, and it did not end in a fault."""
        return self.first_audio_s is not None and not self.outcome.is_fault

    @property
    def ttfa_s(self) -> float | None:
        """Time to first audio, from the moment at which the request was due."""
        return None if self.first_audio_s is None else self.first_audio_s - self.intended_s

    @property
    def waited_s(self) -> float:
        """Time to first audio; without audio the time until the end, a lower bound."""
        return self.done_s - self.intended_s if self.ttfa_s is None else self.ttfa_s

    @property
    def ack_ms(self) -> float | None:
        """The time to acknowledge a cancel; None if the cancel stopped nothing."""
        if self.cancelled_s is None or self.acknowledged_s is None:
            return None
        if self.ack_state not in ("stopped", "stopping"):
            return None
        return (self.acknowledged_s - self.cancelled_s) * 1000


def violations(record: Record) -> Iterator[str]:
    """Impossible timings. They are faults of the load test itself and make its figures void."""
    order = {
        "intended": record.intended_s,
        "sent": record.sent_s,
        "first audio": record.first_audio_s,
        "last audio": record.last_audio_s,
        "done": record.done_s,
    }
    known = [(name, at_s) for name, at_s in order.items() if at_s is not None]
    for (earlier, from_s), (later, to_s) in itertools.pairwise(known):
        may_be_equal = earlier != "sent"  # audio cannot arrive at the moment of sending
        if not (from_s <= to_s if may_be_equal else from_s < to_s):
            yield f"{record.session_id}: {later} {to_s:.6f} comes before {earlier} {from_s:.6f}"
    yield from _cancel_violations(record)
    if (record.first_audio_s is None) != (record.last_audio_s is None):
        yield f"{record.session_id}: only one of first audio and last audio is known"
    if (record.num_bytes > 0) != (record.first_audio_s is not None):
        yield f"{record.session_id}: {record.num_bytes} bytes contradict the first audio"


def _cancel_violations(record: Record) -> Iterator[str]:
    if record.cancelled_s is not None and record.cancelled_s < record.sent_s:
        yield f"{record.session_id}: cancelled before it was sent"
    if record.acknowledged_s is not None and (
        record.cancelled_s is None or record.acknowledged_s <= record.cancelled_s
    ):
        yield f"{record.session_id}: acknowledged before it was cancelled"


def ms(value_s: float | None) -> float | None:
    return None if value_s is None else value_s * 1000


def as_line(record: Record) -> str:
    return json.dumps(asdict(record), allow_nan=False)


def read_records(path: Path) -> list[Record]:
    return [_of_line(json.loads(line)) for line in path.read_text().splitlines()]


def _of_line(fields: dict[str, Any]) -> Record:
    kind, outcome = Kind(fields.pop("kind")), Outcome(fields.pop("outcome"))
    return Record(kind=kind, outcome=outcome, **fields)


def of_kinds(records: Iterable[Record], kinds: Iterable[Kind]) -> list[Record]:
    wanted = frozenset(kinds)
    return [record for record in records if record.kind in wanted]
