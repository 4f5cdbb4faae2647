"""The nouns that cross rooms.

Imports numpy and the leaves barge_in, spoken_words and word_marks only. Every message on a queue,
a handle or a thread is one of these types. Knows nothing about models, HTTP or Ray.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.barge_in import BargeInTimes
from app.spoken_words import Heard, Transcript
from app.word_marks import WordMark, WordSpan, WordTime

SAMPLE_RATE = 24_000  # Hz, of all sound that leaves the vocoder
TOKENS_PER_S = 25  # speech tokens per second of audio
NUM_MELS = 80  # bands of S3Gen's mel spectrograms
FRAMES_PER_TOKEN = 2  # mel frames per speech token
LOOK_AHEAD_TOKENS = 3  # S3Gen's encoder sees these behind the tokens of a call, and nothing later
SAMPLES_PER_FRAME = 480
SAMPLES_PER_TOKEN = SAMPLES_PER_FRAME * FRAMES_PER_TOKEN
NUM_SPEECH_IDS = 6561  # codec ids are 0..6560; a larger id must never reach the vocoder
DEFAULT_TENANT = "default"


class SessionKey(NamedTuple):
    """Names one request for its whole life. The client chooses the id, or the interface makes one.
    The same id of two tenants is two sessions."""

    tenant: str
    session_id: str


class FinishReason(StrEnum):
    """How a sequence, a segment or a session ended. Each has exactly one."""

    STOP = "stop"  # the model ended it
    LENGTH = "length"  # the token limit was reached
    BABBLE = "babble"  # a guard ended it: its tokens no longer followed the text
    CANCELLED = "cancelled"
    ERROR = "error"

    @property
    def is_complete(self) -> bool:
        """Whether all that was made is spoken."""
        return self not in (FinishReason.CANCELLED, FinishReason.ERROR)


class Fault(StrEnum):
    """The cause of an ERROR, where the caller is told the cause."""

    OUT_OF_MEMORY = "out_of_memory"


class Mark(StrEnum):
    """A moment of a session on the monotonic clock that all processes of a machine share. A session
    without a cancel passes the first block in this order. A cancel adds the second."""

    RECEIVED = "received"  # the interface has read and accepted the request
    CLAIMED = "claimed"  # the registry has granted the id
    CONDITIONED = "conditioned"  # the vocoder replica has the session and its voice
    QUEUED = "queued"  # the T3 engine has the session
    PREFILL = "prefill"  # the session has a slot, and its first step begins
    FIRST_TOKEN = "first_token"  # the first group of tokens leaves T3
    FIRST_CELL = "first_cell"  # the first sound leaves the vocoder's engine
    RELEASED = "released"  # the first sound need not be held any longer
    LAST_CELL = "last_cell"  # the last sound leaves it; in a short session before FIRST_BYTE
    FIRST_BYTE = "first_byte"  # the first sound has been handed to the proxy
    LAST_BYTE = "last_byte"  # the last sound has been handed to the proxy

    CANCEL_RECEIVED = "cancel_received"  # an ingress has read the cancel
    DISCONNECTED = "disconnected"  # an ingress has seen the client leave
    CANCEL_LOGGED = "cancel_logged"  # the registry has the cancel
    T3_TOLD = "t3_told"  # the abort is set in the T3 process
    LAST_STEP = "last_step"  # the session's last step in T3 began
    T3_STOPPED = "t3_stopped"  # no T3 step runs the session any more, and its slot is free
    VOCODER_DROPPED = "vocoder_dropped"  # no vocoder call has a cell of the session any more
    AUDIO_STOPPED = "audio_stopped"  # the ingress sends no more audio of the session
    ACKNOWLEDGED = "acknowledged"  # the registry has answered the cancel


Marks = Mapping[Mark, float]  # seconds
NO_MARKS: Marks = {}


@dataclass(frozen=True, slots=True)
class SamplingParams:
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


class VoiceKind(StrEnum):
    """Where the stages find a voice."""

    BUILT_IN = "built_in"  # in the model's own files
    RECORDED = "recorded"  # a recording in the operator's store
    UPLOADED = "uploaded"  # a recording in the library of callers' voices


@dataclass(frozen=True, slots=True)
class VoiceRef:
    name: str
    kind: VoiceKind = VoiceKind.BUILT_IN


@dataclass(frozen=True, slots=True)
class SynthesisRequest:
    """A text to speak: validated, normalised and cut into segments."""

    key: SessionKey
    segments: tuple[str, ...]
    voice: VoiceRef
    sampling: SamplingParams
    language: str | None = None
    is_paced: bool = False  # its listener plays it as it comes; False: there is no playback clock
    is_held: bool = False  # a paced one's first sound waits until the rest follows without a gap
    lead_s: float = 0.0  # the listener's seconds of earlier sound that play before the first one
    speed: float = 1.0  # a second of sound plays for 1 / speed seconds
    pauses_s: tuple[float, ...] = ()  # silence before each segment and after the last, at speed 1
    words: tuple[tuple[WordSpan, ...], ...] = ()  # of each segment; (): its words get no times
    received_s: float = field(default_factory=time.monotonic, compare=False)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One segment for T3. Times are the listener's."""

    key: SessionKey
    segment: int
    text: str
    voice: VoiceRef
    sampling: SamplingParams
    language: str | None = None
    lead_s: float = 0.0  # seconds of the session's sound that play before this segment is due
    is_paced: bool = False  # as in SynthesisRequest, like `speed`
    speed: float = 1.0
    words: tuple[WordSpan, ...] = ()  # of `text`, in order; (): they get no marks


@dataclass(frozen=True, slots=True)
class Cost:
    """A call of an engine takes `base_s + count * each_s` seconds on this machine. T3: a decode
    step of `count` sequences. Vocoder: a cell of `count` tokens, run alone."""

    base_s: float
    each_s: float

    def of(self, count: float) -> float:
        return self.base_s + count * self.each_s


Costs = Mapping[str, Cost]  # by stage name: t3, vocoder
NO_COSTS: Costs = {}


@dataclass(frozen=True, slots=True)
class SpeechTokens:
    """A group of consecutive codec ids of one segment, T3 -> vocoder. Only the last message of a
    segment has `finish`; that message may be empty. Only the first has `marks`."""

    key: SessionKey
    segment: int
    start: int  # index of ids[0] in the segment
    ids: tuple[int, ...]  # each in 0..6560
    finish: FinishReason | None = None
    marks: Marks = field(default_factory=dict, compare=False)
    fault: Fault | None = None  # set only with ERROR
    cost: Cost | None = field(default=None, compare=False)  # of a step now, where `marks` are
    words: tuple[WordMark, ...] = ()  # what is new about words of the segment


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Consecutive watermarked samples, vocoder -> client. Only a session's last chunk has `finish`,
    and may be empty. The first and the last have `marks`. A player waits `prebuffer_s`: no gap."""

    key: SessionKey
    segment: int
    start: int  # index of pcm[0] in the session, in samples
    pcm: NDArray[np.float32]  # in [-1, 1], mono, 24 kHz
    num_tokens: int = 0  # speech tokens that the session has used so far
    finish: FinishReason | None = None
    marks: Marks = field(default_factory=dict, compare=False)
    prebuffer_s: float | None = field(default=None, compare=False)  # of a paced session's first
    costs: Costs = field(default_factory=dict, compare=False)  # of the first chunk: the speed now
    words: tuple[WordTime, ...] = ()  # what is new; a word is named before or with its first sound


class CancelState(StrEnum):
    STOPPED = "stopped"  # T3 and the ingress have confirmed
    STOPPING = "stopping"  # T3 and the ingress are told, and at least one has not confirmed yet
    ALREADY_DONE = "already_done"
    UNKNOWN = "unknown"  # no session has this id; a later request with it will be cancelled


@dataclass(frozen=True, slots=True)
class CancelAck:
    """What a cancel stopped."""

    session_id: str
    state: CancelState
    audio_sent_ms: float = 0.0
    tokens_generated: int = 0
    tokens_discarded: int = 0  # generated but never sent as audio; 0 while STOPPING
    stop_ms: float = 0.0  # from the cancel's arrival to the last confirmation
    heard: Heard | None = None  # None: the session has not told what was sent, or does not exist


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What the registry remembers of a session."""

    session_id: str
    finish: FinishReason | None  # None: the session is live
    audio_sent_ms: float
    tokens_generated: int
    tokens_discarded: int
    steps_after_abort: int | None  # T3 steps that began after the abort was set; None: no abort
    cells_after_abort: int | None  # vocoder cells that began after the abort was set
    marks: Marks
    cause: str | None = None  # what ended the session, as app.sessions.table.SessionEnd names it
    legs_ms: Mapping[str, float] = field(default_factory=dict)  # between marks, see timeline.py
    costs: Costs = field(default_factory=dict)  # the engines' speed when its first sound was made
    heard: Heard | None = None  # of a session that was cancelled, or whose client told `played_ms`
    barge_in: BargeInTimes | None = None  # that cut its speech, in a realtime session


@dataclass(frozen=True, slots=True)
class StageStats:
    """What one replica of a stage, or the sum of its replicas, is doing now."""

    live: int = 0
    waiting: int = 0
    slots_free: int = 0
    slots_total: int = 0
    late_s: float = 0.0  # how late the most urgent work is, queued or running
    cost: Cost | None = None  # None: not measured yet
    cells: tuple[int, ...] = ()  # of the vocoder: the sizes of a segment's first cells
    bears: float | None = None  # streams without a gap; below 1: slower than real time

    def __add__(self, other: "StageStats") -> "StageStats":
        """The sum of the counts, the worse lateness and the higher cost. The cells are the same."""
        costs = [stats.cost for stats in (self, other) if stats.cost is not None]
        bears = [stats.bears for stats in (self, other) if stats.bears is not None]
        return StageStats(
            self.live + other.live,
            self.waiting + other.waiting,
            self.slots_free + other.slots_free,
            self.slots_total + other.slots_total,
            max(self.late_s, other.late_s),
            max(costs, key=lambda cost: cost.of(1), default=None),
            self.cells or other.cells,
            sum(bears) if bears else None,
        )


class HealthStatus(StrEnum):
    OK = "ok"
    LATE = "late"  # it works, and a stream is late
    STARTING = "starting"
    UNLOADED = "unloaded"  # the model is not in memory and can be loaded again
    FAILED = "failed"
    CLUSTER_AWAY = "cluster_away"  # the cluster under this process does not answer


@dataclass(frozen=True, slots=True)
class Health:
    status: HealthStatus
    stages: dict[str, StageStats] = field(default_factory=dict)  # by stage name: t3, vocoder
    late_s: float = 0.0  # of the latest stage
    capacity: int | None = None  # streams at the same time without a gap; None: not measured yet
    realtime: bool | None = None  # whether a lone stream's sound is made faster than it plays


@dataclass(slots=True)
class Group:
    """Sessions that one id names together: those of a socket, or of one of its contexts."""

    stopped: "asyncio.Future[None]"  # done: a cancel of the id has arrived
    finish: FinishReason = FinishReason.STOP
    cause: str = "finished"
    audio_sent_s: float = 0.0
    num_tokens: int = 0
    marks: Marks = field(default_factory=dict)
    transcript: Transcript | None = None  # None: the sessions have clocks of their own
    played_ms: float | None = None  # that its client has played, where the client told that
