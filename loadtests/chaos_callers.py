"""The callers of loadtests.chaos: streams, whole files, sockets and sessions that are stopped, each
compared with the sound that the same request had on a quiet server.

Knows nothing about faults.
"""

import random
import threading
import time
from typing import NamedTuple

import numpy as np

from loadtests.bench import Bench
from loadtests.chaos_verdict import Heard
from loadtests.records import Kind, Outcome, Record
from loadtests.session import PlannedRequest, Stop, speak
from loadtests.socket_session import speak_on_socket

MAX_TOKENS = 120  # of a segment: the models of random weights do not end by themselves
WAV_HEADER = 44  # bytes
OTHER_LENGTH = 65_536  # a difference that no two samples can have
SHARES = ((0.45, Kind.STREAM), (0.20, Kind.WHOLE), (0.20, Kind.SOCKET), (0.15, Kind.STORM))
STOPPED_WITHIN_S = 2.0
HUNG_UP_SHARE = 0.5


class Line(NamedTuple):
    text: str
    seed: int


LINES = (
    Line("Of course, one moment please.", 3),
    Line("Your parcel left our warehouse this morning and should reach you before noon.", 5),
    Line("The train to the coast leaves at a quarter past nine. You have twelve minutes.", 7),
    Line(
        "If the weather stays like this, the ferry will be on time as well, and you can sit on "
        "deck all the way. I can book two seats by the window, or four around a table. Please tell "
        "me which of them you prefer, and for how many people.",
        11,
    ),
)


class Callers:
    """Thread-safe: every call is one session in its caller's thread."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self._bench = bench
        self._seed = seed
        self._heard: list[Heard] = []
        self._references: dict[tuple[bool, Line], bytes] = {}
        self._lock = threading.Lock()

    def learn(self) -> None:
        """Speaks every line on the quiet server. Raises RuntimeError where one is not heard."""
        for line in LINES:
            for kind in (Kind.STREAM, Kind.SOCKET):
                record, sound = self._speak(kind, line, "reference", time.monotonic(), None)
                if record.outcome is not Outcome.HEARD:
                    raise RuntimeError(f"no reference: {record.outcome} {record.detail}")
                self._references[kind is Kind.SOCKET, line] = sound

    def call(self, place: str, intended_s: float) -> None:
        """One session of a kind that the seed and its place in the run determine."""
        rng = random.Random(f"{self._seed} {place}")
        line = rng.choice(LINES)
        kind = rng.choices([k for _, k in SHARES], [share for share, _ in SHARES])[0]
        stop = None
        if kind is Kind.STORM:
            via = "hang_up" if rng.random() < HUNG_UP_SHARE else "call"
            stop = Stop(via, rng.uniform(0.05, STOPPED_WITHIN_S))  # type: ignore[arg-type]
        with self._bench.run_log.calling():
            record, sound = self._speak(kind, line, place, intended_s, stop)
        reference = self._references[kind is Kind.SOCKET, line]
        heard = Heard(record, difference(sound, reference, record.outcome is Outcome.HEARD))
        with self._lock:
            self._heard.append(heard)

    def take(self) -> list[Heard]:
        """Those that have ended since the last call."""
        with self._lock:
            heard, self._heard = self._heard, []
        return heard

    def _speak(
        self, kind: Kind, line: Line, name: str, intended_s: float, stop: Stop | None
    ) -> tuple[Record, bytes]:
        kept = bytearray()
        fields = {"seed": line.seed, "max_tokens": MAX_TOKENS}
        request = PlannedRequest(
            kind, name, line.text, intended_s, stop, fields=fields, keep=kept.extend
        )
        if kind is Kind.SOCKET:
            record, _ = speak_on_socket(self._bench, request)
            return record, bytes(kept)
        record, _ = speak(self._bench, request)
        return record, bytes(kept[WAV_HEADER:] if kind is Kind.WHOLE else kept)


def difference(sound: bytes, reference: bytes, is_whole: bool) -> int | None:
    """The largest difference of two samples. A sound that is not whole is compared with the begin
    of the reference. None: there is no sound."""
    if is_whole and len(sound) != len(reference):
        return OTHER_LENGTH
    length = min(len(sound), len(reference)) & ~1
    if len(sound) > len(reference):
        return OTHER_LENGTH
    if not length:
        return None
    ours, theirs = (np.frombuffer(s[:length], "<i2").astype(np.int32) for s in (sound, reference))
    return int(np.abs(ours - theirs).max())
