"""What a load test knows of one request, and when that cannot be true.

Times are seconds of this machine's monotonic clock, which a server on it shares. Knows nothing
about HTTP, Locust or reports.
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
    WHOLE = "whole"  # one file, when all of it is made
    STREAM = "stream"  # played as it comes
    TURN = "turn"  # the same, of a conversation
    STORM = "storm"  # stopped at a random moment
    ENROL = "enrol"  # a voice is made or deleted
    HOSTILE = "hostile"


PLAYED = (Kind.STREAM, Kind.TURN)  # what first audio and stalls are counted of


class Outcome(StrEnum):
    HEARD = "heard"  # to its end
    DONE = "done"  # answered as asked, where nothing is to be heard
    CANCELLED = "cancelled"  # by a call
    LEFT = "left"  # the caller hung up
    CUT = "cut"  # the run was over
    REFUSED = "refused"  # 429, 503 overloaded, 501; of a hostile request a named 4xx

    BROKEN = "broken"  # the body broke off, or the server says that it ended in error
    TRUNCATED = "truncated"  # it ended well, but not all that was sent has come
    UNANSWERED = "unanswered"  # nothing came for too long, or there was no connection
    UNACKNOWLEDGED = "unacknowledged"  # of a cancel
    UNSTOPPED = "unstopped"  # sound went on after a cancel was acknowledged
    FAILED = "failed"  # any other answer that was not due

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
    num_callers: int  # when it was sent, this one included
    intended_s: float  # when it was due; what is late counts from here
    sent_s: float
    first_audio_s: float | None
    last_audio_s: float | None
    done_s: float
    status: int | None  # None: no answer came
    outcome: Outcome
    detail: str = ""  # the server's code, or what went wrong
    num_bytes: int = 0
    audio_s: float = 0.0
    num_stalls: int = 0
    longest_stall_ms: float = 0.0
    cancelled_s: float | None = None  # the call was sent
    acknowledged_s: float | None = None
    ack_state: str | None = None
    bytes_after_ack: int = 0
    finish: str | None = None  # the server's word; None: it was not asked or does not know
    marks: dict[str, float] = field(default_factory=dict)  # the server's
    legs_ms: dict[str, float] = field(default_factory=dict)

    @property
    def ttfa_s(self) -> float | None:
        """First audio, from the moment at which the request was due."""
        return None if self.first_audio_s is None else self.first_audio_s - self.intended_s

    @property
    def waited_s(self) -> float:
        """For first audio; where none came, so far: it is at least as late as that."""
        return self.done_s - self.intended_s if self.ttfa_s is None else self.ttfa_s

    @property
    def ack_ms(self) -> float | None:
        """Of a cancel that stopped something."""
        if self.cancelled_s is None or self.acknowledged_s is None:
            return None
        if self.ack_state not in ("stopped", "stopping"):
            return None
        return (self.acknowledged_s - self.cancelled_s) * 1000


def violations(record: Record) -> Iterator[str]:
    """Timings that cannot be: then the load test itself is at fault, and its figures are void."""
    order = {
        "intended": record.intended_s,
        "sent": record.sent_s,
        "first audio": record.first_audio_s,
        "last audio": record.last_audio_s,
        "done": record.done_s,
    }
    known = [(name, at_s) for name, at_s in order.items() if at_s is not None]
    for (earlier, from_s), (later, to_s) in itertools.pairwise(known):
        at_once = earlier != "sent"  # sound cannot come in the very moment of asking for it
        if not (from_s <= to_s if at_once else from_s < to_s):
            yield f"{record.session_id}: {later} {to_s:.6f} comes before {earlier} {from_s:.6f}"
    yield from _cancel_violations(record)
    if (record.first_audio_s is None) != (record.last_audio_s is None):
        yield f"{record.session_id}: a first audio without a last, or a last without a first"
    if (record.num_bytes > 0) != (record.first_audio_s is not None):
        yield f"{record.session_id}: {record.num_bytes} bytes do not go with its first audio"


def _cancel_violations(record: Record) -> Iterator[str]:
    if record.cancelled_s is not None and record.cancelled_s < record.sent_s:
        yield f"{record.session_id}: cancelled before it was sent"
    if record.acknowledged_s is not None and (
        record.cancelled_s is None or record.acknowledged_s <= record.cancelled_s
    ):
        yield f"{record.session_id}: acknowledged before it was cancelled"


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
