"""A Synthesizer that plays a tone and can be told to hold or fail.

It runs on the event loop of its server. The waits and `release` may be used from any thread.
"""

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from app.core import (
    NO_MARKS,
    SAMPLE_RATE,
    SAMPLES_PER_TOKEN,
    AudioChunk,
    CancelAck,
    CancelState,
    FinishReason,
    Group,
    Health,
    HealthStatus,
    Mark,
    SamplingParams,
    SessionReport,
    StageStats,
)
from app.model_card import ModelCard
from app.sessions.timeline import all_legs
from tests.support.eventually import eventually_sync

WAIT_S = 30

ENGLISH = ModelCard(
    name="english",
    family="english",
    defaults=SamplingParams(),
    voices=("default", "anna", "søren"),
    languages=(),
    has_cfg=True,
    has_top_k=False,
)
MULTILINGUAL = replace(
    ENGLISH, name="multilingual", family="multilingual", languages=("de", "en", "fr")
)
TURBO = replace(ENGLISH, name="turbo", family="turbo", has_cfg=False, has_top_k=True)
BREAKING = replace(TURBO, max_segment_s=20.0)  # in segments that are longer


def tone(num_samples, start=0):
    at = np.arange(start, start + num_samples) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)


class FakeSynthesizer:
    """Every session has `num_chunks` chunks of `tokens_per_chunk` tokens. Before chunk `hold_at` a
    session sets `holding` and waits for `release`; before chunk `fail_at` it raises `error`."""

    def __init__(
        self,
        card=ENGLISH,
        *,
        num_chunks=3,
        tokens_per_chunk=5,
        hold_at=None,
        fail_at=None,
        error=None,
        finish=FinishReason.STOP,
        segment_per_chunk=False,
    ):
        self._card = card
        self.num_chunks = num_chunks
        self.chunk_tokens = tokens_per_chunk
        self.hold_at = hold_at
        self.fail_at = fail_at
        self.error = error
        self.finish = finish
        self.segment_per_chunk = segment_per_chunk
        self.health_now = Health(HealthStatus.OK, {"t3": StageStats(1, 0, 7, 8)})
        self.requests = []
        self.cancels = []  # keys
        self.played_ms = []  # of the cancels
        self.barge_ins = {}  # times, by session id
        self.transcripts = {}  # by id
        self.stalled = []  # keys
        self.groups = {}  # by id
        self.enrolled = []
        self.enrol_error = None
        self.ended = []  # (session id, how): "finished", "cancelled", "closed" or "failed"
        self.holding = threading.Event()
        self.closed = threading.Event()
        self._kept = []
        self._live = {}  # session id: (loop, event that wakes a held stream)
        self._cancelled = set()

    @property
    def num_samples(self):
        return self.num_chunks * self.chunk_tokens * SAMPLES_PER_TOKEN

    def card(self):
        return self._card

    def speak(self, request, words=None):
        chunks = self._chunks(request)
        self._kept.append(chunks)  # so that only a close ends it, never the garbage collector
        return chunks

    async def _chunks(self, request):
        self.requests.append(request)
        session_id = request.key.session_id
        wake = asyncio.Event()
        self._live[session_id] = (asyncio.get_running_loop(), wake)
        marks = {Mark.RECEIVED: request.received_s}
        num_sent = 0
        how = "closed"
        try:
            for index in range(self.num_chunks):
                if index == self.hold_at:
                    self.holding.set()
                    await wake.wait()
                if index == self.fail_at:
                    how = "failed"
                    raise self.error
                if session_id in self._cancelled:
                    how = "cancelled"
                    yield self._chunk(request.key, num_sent, 0, FinishReason.CANCELLED, marks)
                    return
                yield self._chunk(request.key, index, self.chunk_tokens)
                num_sent += 1
                marks.setdefault(Mark.FIRST_BYTE, time.monotonic())
                marks[Mark.LAST_BYTE] = time.monotonic()
            how = "finished"
            if self.finish is not None:
                yield self._chunk(request.key, num_sent, 0, self.finish, marks)
        finally:
            del self._live[session_id]
            self.ended.append((session_id, how))
            self.closed.set()

    def _chunk(self, key, index, num_tokens, finish=None, marks=NO_MARKS):
        start = index * self.chunk_tokens * SAMPLES_PER_TOKEN
        pcm = tone(num_tokens * SAMPLES_PER_TOKEN, start)
        segment = index if self.segment_per_chunk else 0
        tokens_so_far = index * self.chunk_tokens + num_tokens
        return AudioChunk(key, segment, start, pcm, tokens_so_far, finish, marks)

    def wait_until_holding(self):
        eventually_sync(self.holding.is_set, WAIT_S, "the synthesizer holds a chunk")

    def wait_until_closed(self):
        eventually_sync(self.closed.is_set, WAIT_S, "a session of the synthesizer has ended")

    def release(self):
        """Let every held stream go on."""
        for loop, wake in list(self._live.values()):
            loop.call_soon_threadsafe(wake.set)

    async def hand_over(self, key, sending):
        await sending

    @contextmanager
    def group(self, key):
        group = self.groups[key.session_id] = Group(asyncio.get_running_loop().create_future())
        yield group

    def reader_stalled(self, key):
        self.stalled.append(key)

    async def cancel(self, key, played_ms=None):
        self.cancels.append(key)
        self.played_ms.append(played_ms)
        if key.session_id in self._live:
            self._cancelled.add(key.session_id)
            self._live[key.session_id][1].set()
            return CancelAck(key.session_id, CancelState.STOPPED, 400.0, 12, 2, 1.5)
        if any(session_id == key.session_id for session_id, _ in self.ended):
            return CancelAck(key.session_id, CancelState.ALREADY_DONE, 600.0, 15)
        return CancelAck(key.session_id, CancelState.UNKNOWN)

    async def interrupted(self, key, times):
        self.barge_ins[key.session_id] = times

    async def session(self, key):
        how = dict(self.ended).get(key.session_id)
        if how is None and key.session_id not in self._live:
            return None
        marks = {Mark.RECEIVED: 100.0, Mark.CLAIMED: 100.002, Mark.FIRST_BYTE: 100.25}
        finish = {"finished": self.finish, None: None}.get(how, FinishReason.CANCELLED)
        legs_ms = all_legs(marks)
        return SessionReport(
            key.session_id,
            finish,
            600.0,
            15,
            0,
            None,
            None,
            marks,
            legs_ms=legs_ms,
            barge_in=self.barge_ins.get(key.session_id),
        )

    async def transcript(self, key):
        return self.transcripts.get(key.session_id)

    async def live(self, tenant):
        keys = [request.key for request in self.requests if tenant in (None, request.key.tenant)]
        live = self._live.keys() - self._cancelled  # as the real one: a stopped session is over
        return tuple(key for key in keys if key.session_id in live)

    async def health(self):
        return self.health_now

    async def enrol(self, voice):
        self.enrolled.append(voice)
        if self.enrol_error is not None:
            raise self.enrol_error
