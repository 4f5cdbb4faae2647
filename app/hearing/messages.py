"""What a call and the worker of its recogniser tell each other, and how it is written as bytes.
The numbers of a message come before its text or sound.

A generation names an utterance of a call and grows. Knows nothing about the transport.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import cast

_NUM_NUMBERS = 3
_HEAD = struct.Struct(f"<B{_NUM_NUMBERS}d")  # kind and numbers; then the text or the sound


@dataclass(frozen=True, slots=True)
class Sound:
    """16 kHz s16le. The first one of a generation begins the utterance."""

    generation: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class End:
    generation: int


@dataclass(frozen=True, slots=True)
class Abort:
    """Of all utterances up to this generation. The abort mark has said so already; this message
    wakes a worker that waits."""

    up_to: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Another call uses the recogniser from now on."""

    up_to: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The recogniser is loaded. Times are of the monotonic clock."""

    imported_at_s: float  # the worker's first line has run
    ready_at_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """`num_samples` of the utterance are decoded."""

    generation: int
    num_samples: int


@dataclass(frozen=True, slots=True)
class Partial:
    generation: int
    text: str


@dataclass(frozen=True, slots=True)
class Final:
    generation: int
    num_samples: int
    text: str


@dataclass(frozen=True, slots=True)
class Freed:
    """No utterance up to this generation is in the recogniser any more."""

    up_to: int
    aborted_at_s: float
    freed_at_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The recogniser raised an error."""

    generation: int
    text: str


ToWorker = Sound | End | Abort | Forget
FromWorker = Ready | Progress | Partial | Final | Freed | Failed
Message = ToWorker | FromWorker

_KINDS: tuple[type[Message], ...] = (
    *(Sound, End, Abort, Forget),
    *(Ready, Progress, Partial, Final, Freed, Failed),
)


def encode(message: Message) -> bytes:
    values = [getattr(message, field.name) for field in fields(message)]
    tail = values.pop() if isinstance(values[-1], str | bytes) else b""
    numbers = [*values, 0, 0][:_NUM_NUMBERS]
    head = _HEAD.pack(_KINDS.index(type(message)), *numbers)
    return head + (tail.encode() if isinstance(tail, str) else tail)


def decode(content: bytes) -> Message:
    """Raises ValueError."""
    try:
        kind, *numbers = _HEAD.unpack_from(content)
        message_type = _KINDS[kind]
    except (struct.error, IndexError) as error:
        raise ValueError(f"no message of a recogniser: {content[:32]!r}") from error
    tail = content[_HEAD.size :]
    readers: dict[object, Callable[[float], object]] = {
        int: int,
        float: float,
        str: lambda _: tail.decode(),
        bytes: lambda _: tail,
    }
    typed = zip(fields(message_type), [*numbers, 0], strict=False)
    return cast(Message, message_type(*(readers[field.type](number) for field, number in typed)))


def decode_to_worker(content: bytes) -> ToWorker:
    """Raises ValueError."""
    message = decode(content)
    if isinstance(message, Sound | End | Abort | Forget):
        return message
    raise ValueError(f"a worker takes no {type(message).__name__}")


def decode_from_worker(content: bytes) -> FromWorker:
    """Raises ValueError."""
    message = decode(content)
    if isinstance(message, Sound | End | Abort | Forget):
        raise ValueError(f"a worker says no {type(message).__name__}")
    return message
