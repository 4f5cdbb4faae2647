"""The nouns that cross rooms.

Standard library and numpy only; imports nobody of ours. Every message on a queue, a handle or a
thread is one of these types. Knows nothing about models, HTTP or Ray.
"""

import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 24_000  # Hz, of every sound that leaves the vocoder
TOKENS_PER_S = 25  # speech tokens per second of audio
NUM_MELS = 80  # bands of S3Gen's mels
FRAMES_PER_TOKEN = 2  # mel frames per speech token
SAMPLES_PER_FRAME = 480
SAMPLES_PER_TOKEN = SAMPLES_PER_FRAME * FRAMES_PER_TOKEN
NUM_SPEECH_IDS = 6561  # codec ids are 0..6560; a larger one must never reach the vocoder
DEFAULT_TENANT = "default"


class SessionKey(NamedTuple):
    """One request, for its whole life. The id is the client's or made at the door; ids of
    different tenants never meet."""

    tenant: str
    session_id: str


class FinishReason(StrEnum):
    """How a sequence, a segment or a session ended. Each ends with exactly one."""

    STOP = "stop"  # the model said so
    LENGTH = "length"  # the token limit was reached
    CANCELLED = "cancelled"
    ERROR = "error"


class Fault(StrEnum):
    """Why something ended with ERROR, where its caller is told more than that it did."""

    OUT_OF_MEMORY = "out_of_memory"


class Mark(StrEnum):
    """A moment of a session, by the machine's monotonic clock, which its processes share.

    An undisturbed session passes the first block in this order; a cancel adds the second.
    """

    RECEIVED = "received"  # the interface has read and accepted the request
    CLAIMED = "claimed"  # the registry has granted the id
    CONDITIONED = "conditioned"  # the vocoder replica has it, and its voice
    QUEUED = "queued"  # the T3 engine has it
    PREFILL = "prefill"  # its first step begins: it has a slot
    FIRST_TOKEN = "first_token"  # its first group of tokens leaves T3
    FIRST_CELL = "first_cell"  # its first sound leaves the vocoder's engine
    LAST_CELL = "last_cell"  # its last does; of a short one before the next
    FIRST_BYTE = "first_byte"  # its first sound has been handed to the proxy
    LAST_BYTE = "last_byte"  # and its last

    CANCEL_RECEIVED = "cancel_received"  # an ingress has read the cancel
    DISCONNECTED = "disconnected"  # or has seen the client leave
    CANCEL_LOGGED = "cancel_logged"  # the registry has it
    T3_TOLD = "t3_told"  # the abort is set in the T3 process
    LAST_STEP = "last_step"  # its last step in T3 began
    T3_STOPPED = "t3_stopped"  # no step has it any more and its slot is free
    VOCODER_DROPPED = "vocoder_dropped"  # the same of the vocoder's cells
    AUDIO_STOPPED = "audio_stopped"  # the ingress hands no more of it on
    ACKNOWLEDGED = "acknowledged"  # the registry has answered the cancel


Marks = Mapping[Mark, float]  # seconds
NO_MARKS: Marks = {}
_LATEST_COUNTS = {Mark.LAST_STEP, Mark.T3_STOPPED, Mark.VOCODER_DROPPED}


def merged(one: Marks, other: Marks) -> dict[Mark, float]:
    """Where both have a mark, the earlier counts; of what comes last, the later."""
    marks = dict(one)
    for mark, at_s in other.items():
        known_s = marks.get(mark, at_s)
        marks[mark] = max(known_s, at_s) if mark in _LATEST_COUNTS else min(known_s, at_s)
    return marks


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How T3 draws. None means the model's own default; a resolved value never is None."""

    temperature: float = 0.8
    cfg_weight: float = 0.5  # 0 runs one row instead of a pair
    exaggeration: float = 0.5
    min_p: float = 0.05
    top_p: float = 1.0
    top_k: int = 0  # 0 is off
    repetition_penalty: float = 1.2
    max_tokens: int = 1000  # per segment; 1000 tokens are 40 s
    seed: int = 0
    ignore_eos: bool = False  # forces the length, for speed measurements


@dataclass(frozen=True, slots=True)
class SynthesisRequest:
    """A text to speak, already validated, normalised and cut into segments."""

    key: SessionKey
    segments: tuple[str, ...]
    voice: str
    sampling: SamplingParams
    language: str | None = None
    is_paced: bool = False  # handed on no faster than it plays, but for a few seconds
    received_s: float = field(default_factory=time.monotonic, compare=False)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One segment for T3."""

    key: SessionKey
    segment: int
    text: str
    voice: str
    sampling: SamplingParams
    language: str | None = None
    lead_s: float = 0.0  # seconds of the session's sound that still play before this is wanted


@dataclass(frozen=True, slots=True)
class SpeechTokens:
    """A group of consecutive codec ids of one segment, T3 -> vocoder.

    `finish` is set on the last message of a segment and only there; that message may be empty.
    `marks` are on its first.
    """

    key: SessionKey
    segment: int
    start: int  # index of ids[0] in the segment
    ids: tuple[int, ...]  # each in 0..6560
    finish: FinishReason | None = None
    marks: Marks = field(default_factory=dict, compare=False)
    fault: Fault | None = None  # with ERROR alone


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Consecutive watermarked samples, vocoder -> client. `pcm` is float32 in [-1, 1], mono,
    24 kHz. `finish` is set on the last chunk of a session and only there; it may be empty. `marks`
    are on its first and its last."""

    key: SessionKey
    segment: int
    start: int  # index of pcm[0] in the session, in samples
    pcm: NDArray[np.float32]
    num_tokens: int = 0  # speech tokens this session has used so far
    finish: FinishReason | None = None
    marks: Marks = field(default_factory=dict, compare=False)


class CancelState(StrEnum):
    STOPPED = "stopped"  # T3 and the ingress have both confirmed
    STOPPING = "stopping"  # told, not yet confirmed
    ALREADY_DONE = "already_done"
    UNKNOWN = "unknown"  # never seen here; remembered, so that a late request of that id dies


@dataclass(frozen=True, slots=True)
class CancelAck:
    """What a cancel stopped."""

    session_id: str
    state: CancelState
    audio_sent_ms: float = 0.0
    tokens_generated: int = 0
    tokens_discarded: int = 0  # generated, but never heard
    stop_ms: float = 0.0  # from the cancel's arrival to the last confirmation


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What is remembered of a session."""

    session_id: str
    finish: FinishReason | None  # None: it lives
    audio_sent_ms: float
    tokens_generated: int
    tokens_discarded: int
    steps_after_abort: int | None  # of T3, begun after the abort was set there; None: no abort
    cells_after_abort: int | None  # of the vocoder, the same
    marks: Marks


@dataclass(frozen=True, slots=True)
class StageStats:
    """What one replica of a stage (or the sum over replicas) is doing now."""

    live: int = 0
    waiting: int = 0
    slots_free: int = 0
    slots_total: int = 0
    late_s: float = 0.0  # of its most urgent work, queued or running, against when that was due

    def __add__(self, other: "StageStats") -> "StageStats":
        """Of lateness, the worst."""
        return StageStats(
            self.live + other.live,
            self.waiting + other.waiting,
            self.slots_free + other.slots_free,
            self.slots_total + other.slots_total,
            max(self.late_s, other.late_s),
        )


class HealthStatus(StrEnum):
    OK = "ok"
    STARTING = "starting"
    UNLOADED = "unloaded"  # the model has been taken out of memory, and can be loaded again
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Health:
    status: HealthStatus
    stages: dict[str, StageStats] = field(default_factory=dict)  # by stage name: t3, vocoder


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a served model is and which request fields it has."""

    name: str
    family: str  # english | multilingual | turbo
    defaults: SamplingParams
    voices: tuple[str, ...]
    languages: tuple[str, ...]  # empty: the field is refused
    has_cfg: bool  # exaggeration, cfg_weight and min_p act
    has_top_k: bool
    max_segment_chars: int = 280
    recorded_voices: tuple[str, ...] = ()  # those of `voices` that the operator's store holds


class Synthesizer(Protocol):
    """The one seam between the interface and what makes sound: in-process, over Ray handles, and
    the fake of the tests."""

    def card(self) -> ModelCard: ...

    def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        """Chunks in order, the last with a finish reason. Closing the generator cancels.

        Raises DuplicateSession before the first chunk if the id is live or remembered,
        Overloaded if there is no room; a cancel that came first yields one empty chunk with
        CANCELLED.
        """
        ...

    async def cancel(self, key: SessionKey) -> CancelAck: ...

    async def session(self, key: SessionKey) -> SessionReport | None:
        """What is remembered of a session that has begun or was cancelled."""
        ...

    async def health(self) -> Health: ...

    async def enrol(self, voice: str) -> None:
        """Prepare a voice whose recording is in a store; returns when it can be spoken with.

        Raises BadRequest where the recording gives no voice, NotFound, Unavailable.
        """
        ...


class ModelLoader(Protocol):
    """Takes the served model out of memory, and back. Both answer when it is done, and do nothing
    where it is done already. While it is out no session begins."""

    async def load(self) -> None:
        """Raises Unavailable where it does not come back in time."""
        ...

    async def unload(self) -> None:
        """Sessions that live go on to their ends first. Raises NotServed where it must
        stay."""
        ...


class TokenSource(Protocol):
    """T3 as the vocoder sees it: in this process or behind a handle."""

    def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        """Groups in order, the last with a finish reason. Closing the generator cancels."""
        ...
