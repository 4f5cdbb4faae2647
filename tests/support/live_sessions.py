"""A registry and a source of chunks for app.sessions.live, as its tests need them."""

import asyncio
import time

import numpy as np

from app.core import (
    AudioChunk,
    FinishReason,
    SamplingParams,
    SessionKey,
    SynthesisRequest,
    VoiceRef,
)
from app.errors import SynthesisFailed
from app.sessions.table import Claim

A = SessionKey("default", "a")
REQUEST = SynthesisRequest(A, ("Hello.",), VoiceRef("anna"), SamplingParams())


class Client:
    """A registry that grants what it is told to and notes every finish."""

    def __init__(self, claim=Claim.GRANTED):
        self.answer = claim
        self.works = []
        self.wait_s_told = 0.0
        self.finished = []
        self.ends = []
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def wait_s(self, key):
        return self.wait_s_told

    async def claim(self, key, work):
        self.works.append(work)
        self.asked.set()
        await self.may_answer.wait()
        return self.answer

    async def claim_group(self, key):
        return Claim.GRANTED

    def finish_group(self, key, end):
        self.ends.append(end)

    async def cancel(self, key, played_ms=None):
        raise AssertionError("the ingress never cancels through itself")

    def finish(self, key, end):
        self.ends.append(end)
        self.finished.append((key, end.reason, round(end.audio_sent_s * 25), end.num_tokens))


class Source:
    """`count` chunks of one token each; waits for ever before the one named `hold`."""

    def __init__(self, count=3, hold=None, fail=None):
        self.count, self.hold, self.fail = count, hold, fail
        self.holding = asyncio.Event()
        self.closed = 0
        self.closed_s = None  # time.monotonic

    async def __call__(self, request):
        try:
            for i in range(self.count):
                if i == self.hold:
                    self.holding.set()
                    await asyncio.Event().wait()
                if i == self.fail:
                    raise SynthesisFailed("broken")
                finish = FinishReason.STOP if i + 1 == self.count else None
                yield AudioChunk(A, 0, i * 960, np.ones(960, np.float32), i + 1, finish)
        finally:
            self.closed += 1
            self.closed_s = time.monotonic()
