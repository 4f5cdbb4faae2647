"""The pipeline between a T3 and a vocoder that a test controls."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from math import inf

import numpy as np
import pytest

from app.core import (
    SAMPLES_PER_TOKEN,
    Cost,
    FinishReason,
    Mark,
    SamplingParams,
    SessionKey,
    SpeechTokens,
    StageStats,
    SynthesisRequest,
    VoiceRef,
)
from app.engine import playback
from app.engine.loop import EngineLoop, Stopped
from app.engine.pipeline import SpeechPipeline
from app.engine.s3gen.messages import OpenSegment, PlaybackBegins, SegmentAudio
from app.engine.start import StartRule
from app.engine.stream import SegmentKey
from app.errors import BadRequest
from app.sessions.smoothness import Company, Shape
from app.word_marks import WordMark, WordSpan, WordTime
from tests.support.eventually import eventually

WAIT_S = 30.0
KEY = SessionKey("default", "a")
REQUEST = SynthesisRequest(KEY, ("One.", "Two.", "Three."), VoiceRef("anna"), SamplingParams())


class Tokens:
    """A T3 that gives one token per segment. `segment_N` is awaited before the token of segment N;
    `finish_N` is its finish. `word_end` is where its words end, in tokens."""

    def __init__(self, **script) -> None:
        self.asked: list[int] = []
        self.words: list[tuple[WordSpan, ...]] = []
        self.script = script
        self.holding, self.may_leave = asyncio.Event(), asyncio.Event()

    async def tokens(self, request):
        self.asked.append(request.segment)
        self.words.append(request.words)
        await self.script.get(f"segment_{request.segment}", nothing)(self)
        finish = self.script.get(f"finish_{request.segment}", FinishReason.STOP)
        end = self.script.get("word_end", 1.0)
        marks = tuple(WordMark(n, 0.5, end) for n in range(len(request.words)))
        yield SpeechTokens(KEY, request.segment, 0, (7,), finish, words=marks)


async def nothing(tokens: Tokens) -> None:
    pass


async def leave_slowly(tokens: Tokens) -> None:
    """Waits until it is cancelled, and then until it may leave."""
    try:
        tokens.holding.set()
        await asyncio.Event().wait()
    finally:
        await tokens.may_leave.wait()


class Vocoder:
    """Implements app.engine.loop.Engine. Every token becomes silence."""

    def __init__(self) -> None:
        self.live: set[SegmentKey] = set()
        self.items: list[SegmentAudio] = []
        self.begun: list[PlaybackBegins] = []

    def receive(self, message) -> None:
        if isinstance(message, OpenSegment):
            self.live.add(SegmentKey(message.key, message.segment))
            return
        if isinstance(message, PlaybackBegins):
            self.begun.append(message)
            return
        pcm = np.zeros(len(message.ids) * SAMPLES_PER_TOKEN, np.float32)
        audio = SegmentAudio(KEY, message.segment, 0, pcm, 1, message.finish, words=message.words)
        self.items.append(audio)
        if message.finish:
            self.live.discard(SegmentKey(message.key, message.segment))

    def cancel(self, key, segment) -> Stopped:
        found = {s for s in self.live if s.key == key and segment in (None, s.segment)}
        self.live -= found
        return Stopped(bool(found), 0)

    def has_work(self) -> bool:
        return bool(self.items)

    def pause_s(self) -> float:
        return 0.0

    def step(self):
        items, self.items = self.items, []
        return items

    def abort(self) -> None:
        self.live.clear()

    def stats(self) -> StageStats:
        return StageStats(live=len(self.live))

    def due_s(self) -> float:
        return inf


@pytest.fixture
def engine():
    return Vocoder()


@pytest.fixture
def vocoder(engine):
    loop = EngineLoop(engine, "vocoder")
    loop.start()
    yield loop
    loop.close()


def pipeline(tokens: Tokens, vocoder, **options) -> SpeechPipeline:
    async def conditionals(voice: str) -> None:
        return None

    return SpeechPipeline(tokens, vocoder, conditionals, **options)


async def finishes(tokens: Tokens, vocoder) -> list[FinishReason | None]:
    async with aclosing(pipeline(tokens, vocoder).speak(REQUEST)) as chunks:
        return [chunk.finish async for chunk in chunks]


async def test_segments_are_spoken_in_order_and_only_the_last_chunk_has_a_finish(vocoder):
    tokens = Tokens()
    assert await finishes(tokens, vocoder) == [None, None, FinishReason.STOP]
    assert tokens.asked == [0, 1, 2]


async def test_a_session_with_a_cut_segment_ends_with_length(vocoder):
    tokens = Tokens(finish_1=FinishReason.LENGTH)
    assert await finishes(tokens, vocoder) == [None, None, FinishReason.LENGTH]


async def test_a_session_with_a_segment_that_babbled_ends_with_babble(vocoder):
    tokens = Tokens(finish_0=FinishReason.BABBLE)
    assert await finishes(tokens, vocoder) == [None, None, FinishReason.BABBLE]


@pytest.mark.parametrize("word_end", [1.0, 2.0])
async def test_words_are_placed_in_the_sound_of_the_session(vocoder, word_end):
    """Each segment is one token of sound. A word of T3 may reach over a last token without one."""
    spans = tuple((WordSpan(0, len(text)),) for text in REQUEST.segments)
    tokens = Tokens(word_end=word_end)
    speaking = pipeline(tokens, vocoder).speak(replace(REQUEST, words=spans))
    words = [chunk.words async for chunk in speaking]
    assert tokens.words == [(WordSpan(0, 4),), (WordSpan(0, 4),), (WordSpan(0, 6),)]
    assert words == [
        (WordTime(n, 0, n * SAMPLES_PER_TOKEN + 480, (n + 1) * SAMPLES_PER_TOKEN),)
        for n in range(3)
    ]


async def test_t3_is_asked_for_no_segment_after_a_cancelled_one(vocoder):
    tokens = Tokens(finish_0=FinishReason.CANCELLED)
    async with aclosing(pipeline(tokens, vocoder).speak(REQUEST)) as chunks:
        assert (await anext(chunks)).finish is FinishReason.CANCELLED
        for _ in range(10):  # the listener stays
            await asyncio.sleep(0)
    assert tokens.asked == [0]


async def test_a_listener_that_is_cancelled_twice_still_stops_every_segment(vocoder):
    tokens = Tokens(segment_0=leave_slowly)
    listening = asyncio.ensure_future(finishes(tokens, vocoder))
    await eventually(tokens.holding.is_set, WAIT_S, "T3 is asked for segment 0")
    listening.cancel()  # segment 0 is being stopped, slowly
    await asyncio.sleep(0)
    listening.cancel()
    await eventually(listening.done, WAIT_S, "the listener has left")
    tokens.may_leave.set()
    me = asyncio.current_task()
    await eventually(lambda: asyncio.all_tasks() == {me}, WAIT_S, "no task is left")
    assert tokens.asked == [0]
    for _ in range(2):  # the stats are as of the loop's turn before the second
        await vocoder.cancel(SessionKey("default", "nobody"))
    assert vocoder.stats().live == 0


async def test_a_segment_that_the_vocoder_cannot_voice_is_refused_before_any_work(vocoder):
    tokens = Tokens()
    speaking = pipeline(tokens, vocoder, max_tokens=lambda _: 999).speak(REQUEST)
    with pytest.raises(BadRequest, match=r"max_tokens: .* at most 999 tokens .* full") as refusal:
        await anext(speaking)
    assert refusal.value.param == "max_tokens"
    assert tokens.asked == []


SLOW = StartRule(  # a call of the vocoder takes a minute, or so its stats say
    lambda: Shape((13,), held_back_s=0.0, first_group=3, group=13),
    lambda: StageStats(cost=Cost(60.0, 0.0)),
    first_audio_s=120.0,
)
HELD = replace(REQUEST, is_paced=True, is_held=True)


async def hold(tokens: Tokens) -> None:
    tokens.holding.set()
    await tokens.may_leave.wait()


async def test_a_held_stream_gives_nothing_before_the_hold_is_over(vocoder, engine):
    tokens = Tokens(segment_2=hold)
    async with aclosing(pipeline(tokens, vocoder, start=SLOW).speak(HELD)) as chunks:
        first = asyncio.ensure_future(anext(chunks))
        await eventually(tokens.holding.is_set, WAIT_S, "T3 is asked for the last segment")
        assert not first.done()  # though two segments are spoken
        assert engine.begun == []
        tokens.may_leave.set()  # the text is spoken to its end, so nothing is left to wait for
        chunk = await first
        assert chunk.prebuffer_s is not None
        assert chunk.marks[Mark.FIRST_CELL] < chunk.marks[Mark.RELEASED]
        rest = [one async for one in chunks]
    assert [one.finish for one in rest] == [None, FinishReason.STOP]
    await vocoder.cancel(SessionKey("default", "nobody"))  # the engine has read its inbox
    assert [begun.key for begun in engine.begun] == [KEY]


async def test_a_listener_that_leaves_during_a_hold_frees_both_engines(vocoder, engine):
    tokens = Tokens(segment_2=hold)
    listening = asyncio.ensure_future(anext(pipeline(tokens, vocoder, start=SLOW).speak(HELD)))
    await eventually(tokens.holding.is_set, WAIT_S, "T3 is asked for the last segment")
    listening.cancel()
    await asyncio.wait({listening})
    await vocoder.cancel(SessionKey("default", "nobody"))  # the engine has read its inbox
    assert engine.live == set()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    ("changes", "is_told"), [({"is_held": False}, True), ({"is_paced": False}, False)]
)
async def test_what_is_not_held_is_given_at_once(vocoder, changes, is_told):
    tokens = Tokens(segment_1=hold)
    request = replace(HELD, **changes)
    async with aclosing(pipeline(tokens, vocoder, start=SLOW).speak(request)) as chunks:
        chunk = await anext(chunks)
        assert not tokens.may_leave.is_set()
        tokens.may_leave.set()
    assert ((chunk.prebuffer_s or 0.0) > 30.0) is is_told


async def test_a_stream_is_told_of_those_without_sound_of_those_that_begin_and_of_those_ahead(
    vocoder, monkeypatch
):
    """A session that waits for its first sound, or has just begun, wants the next cells too."""
    tokens = Tokens(segment_0=hold, segment_1=hold)
    rule = replace(SLOW, stats=lambda: StageStats(cost=Cost(0.1, 0.0)))
    speaking = pipeline(tokens, vocoder, start=rule)
    told = []
    for name in "ab":
        key = SessionKey("default", name)
        chunks = speaking.speak(replace(HELD, key=key, is_held=False))
        told.append((chunks, asyncio.ensure_future(anext(chunks))))
        await eventually(lambda key=key: key in speaking._spoken, WAIT_S, "it is spoken")
    assert speaking._company(key) == Company(num_silent=1)
    tokens.may_leave.set()
    await told[0][1]
    assert speaking._company(key) == Company(num_starting=1)
    monkeypatch.setattr(playback, "START_MARGIN_S", -10.0)
    assert speaking._company(key) == Company(num_ahead=1)
    for chunks, first in told:
        first.cancel()
        await asyncio.wait({first})
        await chunks.aclose()
    assert speaking._spoken == {}
