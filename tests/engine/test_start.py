"""How a stream begins: its first sound is held, or its player is told how long to wait."""

import asyncio
import math
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest

from app.core import (
    AudioChunk,
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
from app.engine.start import (
    HELD_RESERVE,
    HELD_SHARE,
    StartRule,
    StreamStart,
    started,
)
from app.sessions.smoothness import Company
from tests.support.clock import Clock
from tests.support.simulated_streams import SHAPE, Event, Machine, machines, play, sounds, text_of

KEY = SessionKey("default", "a")
REQUEST = SynthesisRequest(
    KEY, ("a" * 144,), VoiceRef("anna"), SamplingParams(), is_paced=True, is_held=True
)
FAST, SLOW = Cost(0.01, 0.0), Cost(0.5, 0.0)
FIRST_AUDIO_S = 25.0
ALONE = Company()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def start_of(
    clock: Clock, cost: Cost | None = SLOW, company: Company = ALONE, **changes
) -> StreamStart:
    """A stream that has its first sound now, from a T3 of 100 tokens a second."""
    rule = StartRule(lambda: SHAPE, lambda: StageStats(cost=cost), FIRST_AUDIO_S)
    start = StreamStart(rule, replace(REQUEST, **changes), lambda: company, clock)
    start.asked(0)
    for num_tokens in (3, 16):
        clock.now += 0.03 if num_tokens == 3 else 0.13
        start.tokens(SpeechTokens(KEY, 0, 0, (1,) * num_tokens))
    clock.now += 0.2
    start.sound(0, 13)
    return start


def test_a_held_stream_waits_until_the_rest_follows_without_a_gap(clock):
    start = start_of(clock)
    second_s = 0.26 - 0.2 + HELD_RESERVE * 0.5  # its second cell comes then
    assert start.hold_s() == pytest.approx(second_s - 0.3)


def test_a_fast_machine_holds_nothing(clock):
    assert start_of(clock, FAST).hold_s() <= 0.0


def test_a_machine_whose_speed_is_not_known_holds_nothing(clock):
    start = start_of(clock, None)
    assert start.hold_s() <= 0.0
    assert start.plays_s() == clock.now


def test_beside_others_the_hold_is_longer(clock):
    for company in (Company(num_ahead=1), Company(num_starting=1), Company(num_silent=1)):
        assert start_of(clock, company=company).hold_s() > start_of(clock).hold_s() + 0.4


def test_a_hold_ends_earlier_where_the_next_cell_comes_earlier(clock):
    start = start_of(clock)
    clock.now += 0.05
    start.tokens(SpeechTokens(KEY, 0, 16, (1,) * 26))
    start.sound(0, 39)
    assert start.hold_s() <= 0.0


def test_a_stream_that_is_sent_at_once_is_told_what_it_needs_without_a_reserve(clock):
    hold_s = start_of(Clock()).hold_s()
    told = start_of(clock, is_held=False)
    assert told.hold_s() == 0.0
    assert told.plays_s() - clock.now == pytest.approx(hold_s - (HELD_RESERVE - 1) * 0.5)


def test_a_hold_never_takes_the_time_in_which_there_must_be_sound(clock):
    began_s = clock.now
    start = start_of(clock, Cost(60.0, 0.0))
    assert began_s + HELD_SHARE * FIRST_AUDIO_S == pytest.approx(clock.now + start.hold_s())


def test_earlier_sound_that_still_plays_takes_the_place_of_a_hold(clock):
    began_s = clock.now
    start = start_of(clock, lead_s=9.0)
    assert start.hold_s() == 0.0
    assert start.plays_s() == began_s + 9.0
    assert start_of(clock, lead_s=0.4).hold_s() > 0.0  # the earlier sound ends too early


# -- whole streams, simulated ----------------------------------------------------------------------


def released_s(machine: Machine, texts: tuple[str, ...], events: list[Event]) -> float:
    """When the hold of the stream is over, looked at whenever something happens."""
    clock = Clock()
    clock.now = 0.0
    rule = StartRule(lambda: SHAPE, lambda: StageStats(cost=machine.cost), 10_000.0)
    request = replace(REQUEST, segments=texts, speed=machine.speed, pauses_s=machine.pauses_s)
    start = StreamStart(rule, request, lambda: ALONE, clock)
    coming = list(events)
    while True:
        next_s = coming[0].at_s if coming else math.inf
        while coming and coming[0].at_s <= next_s:
            event = coming.pop(0)
            clock.now = event.at_s
            if event.kind == "asked":
                start.asked(event.segment)
            elif event.kind == "tokens":
                finish = FinishReason.STOP if event.is_last else None
                ids = (1,) * event.num_tokens
                start.tokens(SpeechTokens(KEY, event.segment, 0, ids, finish))
            else:
                start.sound(event.segment, event.num_tokens)
        if clock.now < sounds(events)[0]:
            continue
        until_s = coming[0].at_s if coming else clock.now
        while 0 < (hold_s := start.hold_s()) < until_s - clock.now:
            clock.now += hold_s
        if hold_s <= 0 or not coming:
            return clock.now


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 4.0])
def test_a_held_stream_does_not_stall_on_any_machine_though_its_cells_vary(factor):
    """Each cell takes 0.9 to 1.1 times its cost; `factor`: all engines are this much slower."""
    dice, texts, num_held = random.Random(3), (text_of(120), text_of(60)), 0
    for each in machines(60):
        cost = Cost(factor * each.cost.base_s, factor * each.cost.each_s)
        machine = replace(each, tokens_per_s=each.tokens_per_s / factor, cost=cost)
        events, needed_s = play(machine, texts, lambda: dice.uniform(0.9, 1.1))
        wait_s = released_s(machine, texts, events) - sounds(events)[0]
        assert needed_s - wait_s < 0.1, machine
        num_held += wait_s > 0.05
    assert num_held > 10


def test_without_the_hold_the_same_streams_stall():
    """The positive control."""
    texts = (text_of(120), text_of(60))
    assert sum(play(machine, texts)[1] > 0.1 for machine in machines(100)) > 10


# -- the chunks ----------------------------------------------------------------------------------


class Hold:
    """A StreamStart that holds until it is let go."""

    def __init__(self, hold_s: float = 60.0) -> None:
        self.left_s = hold_s

    def now(self) -> float:
        return 100.0

    def hold_s(self) -> float:
        return self.left_s

    def plays_s(self) -> float:
        return 100.25


def chunk(index: int, finish: FinishReason | None = None) -> AudioChunk:
    marks = {Mark.FIRST_CELL: 99.0} if index == 0 else {}
    return AudioChunk(KEY, 0, index, np.ones(1, np.float32), index, finish, marks)


class Source:
    """Two chunks at once, and the third when it may come."""

    def __init__(self, second: FinishReason | None = None) -> None:
        self.second = second
        self.may_go_on = asyncio.Event()
        self.num_given = 0
        self.is_closed = False

    async def chunks(self) -> AsyncGenerator[AudioChunk, None]:
        try:
            for index, finish in enumerate((None, self.second, FinishReason.STOP)):
                if index == 2:
                    await self.may_go_on.wait()
                self.num_given += 1
                yield chunk(index, finish)
                if finish is not None:
                    return
        finally:
            self.is_closed = True


async def in_turn() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_chunks_of_a_hold_follow_it_in_order_and_the_first_says_what_is_left():
    source, hold, begun = Source(), Hold(), []
    async with (
        aclosing(source.chunks()) as given,
        aclosing(started(given, hold, begun.append)) as chunks,
    ):
        first = asyncio.ensure_future(anext(chunks))
        await in_turn()
        assert not first.done()
        assert source.num_given == 2  # the second is read meanwhile
        hold.left_s = 0.0
        told = await first
        source.may_go_on.set()
        rest = [one async for one in chunks]
    assert [one.start for one in (told, *rest)] == [0, 1, 2]
    assert told.prebuffer_s == 0.25
    assert told.marks == {Mark.FIRST_CELL: 99.0, Mark.RELEASED: 100.0}
    assert [one.prebuffer_s for one in rest] == [None, None]
    assert begun == [100.25]


@pytest.mark.parametrize("finish", [FinishReason.STOP, FinishReason.CANCELLED])
async def test_the_end_of_a_session_ends_its_hold(finish):
    source = Source(second=finish)
    async with aclosing(source.chunks()) as given:
        told = [one async for one in started(given, Hold(), lambda _: None)]
    assert [one.finish for one in told] == [None, finish]


async def test_a_listener_that_leaves_during_a_hold_frees_its_source_at_once():
    source, begun = Source(), []
    async with aclosing(source.chunks()) as given:
        listening = asyncio.ensure_future(anext(started(given, Hold(), begun.append)))
        await in_turn()
        assert source.num_given == 2
        assert not source.is_closed  # it waits for the third
        listening.cancel()
        await asyncio.wait({listening})
        assert source.is_closed
    assert begun == []


async def test_a_stream_that_is_closed_after_its_hold_frees_its_source():
    source, hold = Source(), Hold()
    async with (
        aclosing(source.chunks()) as given,
        aclosing(started(given, hold, lambda _: None)) as chunks,
    ):
        first = asyncio.ensure_future(anext(chunks))
        await in_turn()
        hold.left_s = 0.0
        await first
        await chunks.aclose()
        assert source.is_closed
