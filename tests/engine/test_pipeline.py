"""The pipeline between a T3 and a vocoder that tests hold in the hand."""

import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from app.core import (
    SAMPLES_PER_TOKEN,
    FinishReason,
    SamplingParams,
    SessionKey,
    SpeechTokens,
    StageStats,
    SynthesisRequest,
)
from app.engine.loop import EngineLoop, Stopped
from app.engine.pipeline import SpeechPipeline
from app.engine.s3gen.engine import OpenSegment, SegmentAudio

KEY = SessionKey("default", "a")
REQUEST = SynthesisRequest(KEY, ("One.", "Two.", "Three."), "anna", SamplingParams())


class Tokens:
    """A T3 that makes one token a segment, or does what `instead` says of a segment."""

    def __init__(self, **instead) -> None:
        self.asked: list[int] = []
        self.instead = instead
        self.holding, self.may_leave = asyncio.Event(), asyncio.Event()

    async def tokens(self, request):
        self.asked.append(request.segment)
        await self.instead.get(f"segment_{request.segment}", nothing)(self)
        finish = self.instead.get(f"finish_{request.segment}", FinishReason.STOP)
        yield SpeechTokens(KEY, request.segment, 0, (7,), finish)


async def nothing(tokens: Tokens) -> None:
    pass


async def leave_slowly(tokens: Tokens) -> None:
    """Waits for ever, and, once cancelled, until it may leave."""
    try:
        tokens.holding.set()
        await asyncio.Event().wait()
    finally:
        await tokens.may_leave.wait()


class Vocoder:
    """Implements app.engine.loop.Engine: every token is silence."""

    def __init__(self) -> None:
        self.live: set[tuple[SessionKey, int]] = set()
        self.items: list[SegmentAudio] = []

    def receive(self, message) -> None:
        if isinstance(message, OpenSegment):
            self.live.add((message.key, message.segment))
            return
        tokens = message.tokens
        pcm = np.zeros(len(tokens.ids) * SAMPLES_PER_TOKEN, np.float32)
        self.items.append(SegmentAudio(KEY, tokens.segment, 0, pcm, 1, tokens.finish))
        if tokens.finish:
            self.live.discard((tokens.key, tokens.segment))

    def cancel(self, key, segment) -> Stopped:
        self.live = {a for a in self.live if a[0] != key or segment not in (None, a[1])}
        return Stopped(True, 0)

    def has_work(self) -> bool:
        return bool(self.items)

    def step(self):
        items, self.items = self.items, []
        return items

    def abort(self) -> None:
        self.live.clear()

    def stats(self) -> StageStats:
        return StageStats(live=len(self.live))


@pytest.fixture
def vocoder():
    engine = Vocoder()
    loop = EngineLoop(engine, "vocoder")
    loop.start()
    yield loop
    loop.close()


def pipeline(tokens: Tokens, vocoder) -> SpeechPipeline:
    async def conditionals(voice: str) -> None:
        return None

    return SpeechPipeline(tokens, vocoder, conditionals)


async def finishes(tokens: Tokens, vocoder) -> list[FinishReason | None]:
    async with aclosing(pipeline(tokens, vocoder).speak(REQUEST)) as chunks:
        return [chunk.finish async for chunk in chunks]


async def test_segments_are_spoken_in_order_and_only_the_last_chunk_finishes(vocoder):
    tokens = Tokens()
    assert await finishes(tokens, vocoder) == [None, None, FinishReason.STOP]
    assert tokens.asked == [0, 1, 2]


async def test_a_text_of_which_a_part_was_cut_off_does_not_say_that_it_ended_by_itself(vocoder):
    tokens = Tokens(finish_1=FinishReason.LENGTH)
    assert await finishes(tokens, vocoder) == [None, None, FinishReason.LENGTH]


async def test_after_a_cancelled_segment_t3_is_asked_for_no_other(vocoder):
    tokens = Tokens(finish_0=FinishReason.CANCELLED)
    async with aclosing(pipeline(tokens, vocoder).speak(REQUEST)) as chunks:
        assert (await anext(chunks)).finish is FinishReason.CANCELLED
        for _ in range(10):  # a listener in no hurry
            await asyncio.sleep(0)
    assert tokens.asked == [0]


async def test_a_listener_cancelled_while_it_leaves_still_leaves_every_segment(vocoder):
    tokens = Tokens(segment_0=leave_slowly)
    listening = asyncio.ensure_future(finishes(tokens, vocoder))
    await tokens.holding.wait()
    listening.cancel()  # segment 0 is being left, slowly
    await asyncio.sleep(0)
    listening.cancel()
    await asyncio.wait({listening})
    tokens.may_leave.set()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)
    assert tokens.asked == [0]
    assert (await vocoder.cancel(KEY)).live  # a round trip: the thread has seen what was left
    assert vocoder.stats().live == 0
