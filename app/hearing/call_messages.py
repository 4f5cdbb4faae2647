"""What the two ends of a remote call tell each other: orders one way, answers and events back.

Each message is a JSON text; sound is binary. Knows nothing about sockets.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from app.errors import ServeError, Unavailable
from app.hearing.ears import (
    HearingEvent,
    Listening,
    SoundFormat,
    SpeechBegan,
    SpeechEnded,
    SpeechLasted,
    TurnDetection,
)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_EVENTS: dict[str, type[HearingEvent]] = {kind.__name__: kind for kind in get_args(HearingEvent)}


@dataclass(frozen=True, slots=True)
class CallAddress:
    """Where a replica expects one call. The token opens this call alone, and once."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """The first answer. `machine` and `now_s` say how the two ends' clocks differ."""

    machine: str
    now_s: float


@dataclass(frozen=True, slots=True)
class Order:
    """`number`: of the answer; 0: none is wanted."""

    do: str  # open, configure, commit, clear, abort
    number: int = 0
    sound: SoundFormat | None = None
    turns: TurnDetection | None = None
    up_to: int = 0

    def text(self) -> str:
        return json.dumps(asdict(self))


def read_order(text: str) -> Order:
    told: dict[str, Any] = json.loads(text)
    sound, turns = told.pop("sound"), told.pop("turns")
    return Order(
        **told,
        sound=None if sound is None else SoundFormat(**sound),
        turns=None if turns is None else TurnDetection(**turns),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """`value`: what the method of Ears returns."""

    number: int
    value: Any = None
    error: tuple[str, str] | None = None  # code and message

    def text(self) -> str:
        return json.dumps({"answer": asdict(self)})

    def result(self) -> Any:
        """Raises Unavailable where the order failed."""
        if self.error is not None:
            code, message = self.error
            raise Unavailable(message, code=code)
        return self.value


def failed(number: int, error: ServeError) -> Answer:
    return Answer(number, error=(error.code, error.message))


def machine_id() -> str:
    """Processes with the same one share a monotonic clock. "" where the system tells none."""
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return ""


def event_text(event: HearingEvent) -> str:
    return json.dumps({"event": type(event).__name__, **asdict(event)})


def read_told(text: str, shift_s: float) -> HearingEvent | Answer:
    """`shift_s`: this machine's monotonic clock less that of the other end."""
    told: dict[str, Any] = json.loads(text)
    if "answer" in told:
        return Answer(**told["answer"])
    event = _EVENTS[told.pop("event")](**told)
    if isinstance(event, SpeechBegan | SpeechLasted | SpeechEnded):
        return replace(event, noticed_at_s=event.noticed_at_s + shift_s)
    if isinstance(event, Listening):
        return replace(event, listening_at_s=event.listening_at_s + shift_s)
    return event
