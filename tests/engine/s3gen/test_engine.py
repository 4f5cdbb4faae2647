"""The sound of the vocoder engine: one segment, many at once, and a call that is left."""

import itertools
import random
from dataclasses import replace

import numpy as np
import perth
import pytest
from numpy.typing import NDArray

from app.config import VocoderSettings
from app.core import (
    SAMPLE_RATE,
    SAMPLES_PER_TOKEN,
    Cost,
    FinishReason,
    SessionKey,
    SpeechTokens,
)
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.loop import EngineLoop, Stopped
from app.engine.s3gen.call_stage import CallStage
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.ladders import LADDERS, Ladder
from app.engine.s3gen.messages import SegmentAudio, UseCells, VocoderMessage
from app.engine.watermark import OVERLAP
from app.word_marks import WordMark
from tests.support.clock import Clock
from tests.support.engine.border_steps import worst_step
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW, TINY_S3GEN
from tests.support.engine.s3gen.voicing import (
    CHUNKED,
    EVERY_POLICY,
    SETTINGS,
    begin,
    drain,
    engine_of,
    far,
    joined,
    opening,
    push,
    pushes,
    say,
    session,
    speech,
    voice,
)

pytestmark = pytest.mark.full  # seconds in all


@pytest.fixture
def engine() -> VocoderEngine:
    return engine_of(TINY_MEANFLOW)


# -- one segment ---------------------------------------------------------------------------------


@EVERY_POLICY
def test_the_sound_does_not_depend_on_the_grouping_of_tokens(
    spec: S3GenSpec, settings: VocoderSettings
):
    engine, ids = engine_of(spec, settings), speech(1, 60)
    whole = joined(say(engine, "whole", 1, ids))
    rng = random.Random(0)
    for groups in ([1] * 59, [rng.randint(1, 9) for _ in range(6)]):
        np.testing.assert_array_equal(joined(say(engine, "again", 1, ids, groups)), whole)
    other_seed = joined(say(engine, "other", 2, ids))
    assert far(other_seed, whole) > 0.01


@pytest.mark.parametrize("ladder", LADDERS)
def test_a_ladder_that_is_chosen_late_sounds_like_one_of_the_configuration(ladder: Ladder):
    """And a stream in T3's messages equals the whole file, which comes at once."""
    settings, ids = CHUNKED.model_copy(update={"cells": ladder}), speech(1, 100)
    whole = joined(say(engine_of(TINY_MEANFLOW, settings), "whole", 1, ids))
    chosen = engine_of(TINY_MEANFLOW, CHUNKED.model_copy(update={"cells": None}))
    chosen.receive(UseCells(ladder))
    np.testing.assert_array_equal(joined(say(chosen, "a", 1, ids, [3, *[13] * 7])), whole)
    assert chosen.call_log[0].cell.num_tokens == ladder[0]
    assert chosen.stats().cells == ladder


def test_cells_cannot_change_while_a_segment_is_open(engine: VocoderEngine):
    engine.receive(opening("a", 1))
    with pytest.raises(RuntimeError, match="1 segments are open"):
        engine.receive(UseCells((13, 26)))
    engine.cancel(session("a"), None)
    drain(engine)
    engine.check_integrity()


@pytest.mark.parametrize("num_tokens", [1, 2, 3, 4, 11, 12, 13, 14, 15, 16, 40, 100])
def test_a_token_is_960_samples(engine: VocoderEngine, num_tokens: int):
    items = say(engine, "a", 1, speech(1, num_tokens), [3] * (num_tokens // 3))
    assert len(joined(items)) == num_tokens * SAMPLES_PER_TOKEN
    assert [item.finish for item in items[:-1]] == [None] * (len(items) - 1)
    assert items[-1].finish is FinishReason.STOP
    assert items[-1].num_tokens == num_tokens
    ends = itertools.accumulate(len(item.pcm) for item in items)
    assert [item.start for item in items] == [0, *list(ends)[:-1]]
    engine.check_integrity()


def test_sound_begins_before_the_last_token_arrives(engine: VocoderEngine):
    begin(engine, "a", 1, 15, finish=None)
    first = drain(engine)
    assert [(item.start, len(item.pcm), item.finish) for item in first] == [(0, 13 * 480, None)]


def test_what_t3_tells_of_words_leaves_with_the_next_sound(engine: VocoderEngine):
    engine.receive(opening("a", 1))
    first, second = pushes("a", speech(1, 40), groups=[20])
    begun, ended = WordMark(0, 2.0), WordMark(0, 2.0, 9.0)
    engine.receive(replace(first, words=(begun,)))
    engine.receive(SpeechTokens(session("a"), 0, 20, (), words=(ended, WordMark(1, 12.0))))
    assert [audio.words for audio in drain(engine)] == [(ended, WordMark(1, 12.0))]
    engine.receive(replace(second, words=(WordMark(1, 12.0, 40.0),)))
    told = [audio.words for audio in drain(engine)]
    assert told[0] == (WordMark(1, 12.0, 40.0),)
    assert not any(told[1:])


def test_a_segment_without_tokens_is_empty(engine: VocoderEngine):
    items = say(engine, "a", 1, ())
    assert [(len(item.pcm), item.finish) for item in items] == [(0, FinishReason.STOP)]
    assert not engine.call_log
    engine.check_integrity()


def test_a_segment_cut_at_t3s_limit_is_voiced_to_its_end(engine: VocoderEngine):
    begin(engine, "a", 1, 20, finish=FinishReason.LENGTH)
    items = drain(engine)
    assert len(joined(items)) == 20 * SAMPLES_PER_TOKEN
    assert items[-1].finish is FinishReason.LENGTH


def test_a_segment_is_watermarked_and_no_border_clicks(engine: VocoderEngine):
    """Random weights make noise; test_watermark.py controls the measure on speech."""
    items = say(engine, "a", 1, speech(1, 200))
    wave, starts = joined(items), [item.start for item in items[1:]]
    borders = [*starts, *(start + OVERLAP for start in starts)]
    assert len(starts) == 8
    assert worst_step(wave, borders) <= 1.0
    detector = perth.PerthImplicitWatermarker()
    assert float(detector.get_watermark(wave, SAMPLE_RATE, round=False)) >= 0.99
    wave[starts[3] :] += 4 * np.abs(wave).max()
    assert worst_step(wave, borders) > 1.0


def test_only_the_first_segment_of_a_request_fades_in_slowly(engine: VocoderEngine):
    heard = {}
    for segment, fade_in in ((0, True), (1, False)):
        engine.receive(opening("a", 1, segment, fade_in=fade_in))
        push(engine, "a", speech(1, 30), segment=segment)
        heard[segment] = np.abs(joined(drain(engine)))
    silence, ramp = slice(0, 480), slice(0, 24)
    assert heard[0][silence].max() < 0.1 * heard[0].max()
    assert heard[1][silence].max() > 0.3 * heard[1].max()
    assert heard[1][ramp].max() < 0.1 * heard[1].max()  # 5 ms: no step where segments meet


@pytest.mark.parametrize("settings", [SETTINGS, CHUNKED], ids=["window", "chunked"])
@pytest.mark.parametrize("num_prompt", [75, 250])
def test_forty_seconds_with_a_long_prompt_are_voiced_to_the_end(settings, num_prompt):
    engine = engine_of(TINY_MEANFLOW, settings)
    engine.receive(replace(opening("a", 1), conditionals=voice(1, num_prompt)))
    push(engine, "a", speech(1, 1000))
    wave = joined(drain(engine))
    assert len(wave) == 1000 * SAMPLES_PER_TOKEN
    seconds = wave.reshape(40, SAMPLE_RATE)
    assert np.isfinite(wave).all()
    assert np.abs(seconds).max(axis=1).min() > 0.1 * np.abs(wave).max()  # no second is silent


def test_two_voices_give_the_same_tokens_different_sound():
    engine = engine_of(TINY_MEANFLOW)
    waves = [joined(say(engine, "a", n, speech(1, 30))) for n in (1, 2)]
    assert far(*waves) > 0.01


# -- many at once --------------------------------------------------------------------------------


def batching_engine(spec: S3GenSpec, settings: VocoderSettings) -> VocoderEngine:
    """Four cells in a call."""
    return engine_of(spec, settings.model_copy(update={"max_rows": 4}))


def together(engine: VocoderEngine, count: int) -> dict[int, NDArray[np.float32]]:
    """Segments of `count` voices, their tokens interleaved in groups of five."""
    queues = {}
    for n in range(count):
        engine.receive(opening(f"{n}", n))
        queues[n] = pushes(f"{n}", speech(n, 20 + n), [5] * 4)
    items = []
    for turn in itertools.zip_longest(*queues.values()):
        for group in turn:
            if group is not None:
                engine.receive(group)
        items += engine.step() if engine.has_work() else []
    items += drain(engine)
    engine.check_integrity()
    return {n: joined(items, f"{n}") for n in range(count)}


def test_first_cells_whose_tokens_come_one_after_the_other_share_a_call():
    """As over Ray, where T3's step gives each caller a message of its own."""
    clock = Clock()
    settings = SETTINGS.model_copy(update={"max_rows": 4})
    engine = engine_of(TINY_MEANFLOW, settings, clock=clock)
    engine.speed.begin(Cost(0.1, 0.0))
    for n in range(2):
        engine.receive(opening(f"{n}", n))
        push(engine, f"{n}", speech(n, 3), finish=None)
    clock.now += 0.1
    engine.receive(SpeechTokens(session("0"), 0, 3, speech(0, 20)[3:], None))
    engine.step()  # takes a slot
    assert engine.pause_s() == pytest.approx(0.1)
    assert engine.step() == []
    clock.now += 0.01
    engine.receive(SpeechTokens(session("1"), 0, 3, speech(1, 20)[3:], None))
    assert {item.key.session_id for item in engine.step()} == {"0", "1"}
    first, second = engine.call_log
    assert first.started_s == second.started_s


@pytest.mark.parametrize("count", [3, pytest.param(16, marks=pytest.mark.long)])
@EVERY_POLICY
def test_many_segments_at_once_each_sound_as_alone(
    spec: S3GenSpec, settings: VocoderSettings, count: int
):
    engine = engine_of(spec, settings)
    alone = [joined(say(engine, "a", n, speech(n, 20 + n))) for n in range(count)]
    interleaved = together(engine, count)
    for n in range(count):
        np.testing.assert_array_equal(interleaved[n], alone[n])
    batched = together(batching_engine(spec, settings), count)
    assert max(far(batched[n], alone[n]) for n in range(count)) <= 1e-4


@EVERY_POLICY
def test_a_cancelled_row_does_not_change_the_other_rows(spec: S3GenSpec, settings: VocoderSettings):
    alone = joined(say(engine_of(spec, settings), "a", 1, speech(1, 80)))
    engine = batching_engine(spec, settings)
    for name, speaker in (("a", 1), ("b", 2), ("c", 3)):
        begin(engine, name, speaker, 80)
    items = [item for _ in range(2) for item in engine.step()]
    engine.cancel(session("b"), None)
    items += drain(engine)
    engine.check_integrity()
    assert far(joined(items, "a"), alone) <= 1e-4


def test_a_segment_takes_a_slot_only_when_a_cell_can_run():
    settings = SETTINGS.model_copy(update={"slots": 1})
    engine = engine_of(TINY_MEANFLOW, settings)
    for name in ("silent", "first", "second"):
        engine.receive(opening(name, 1))
    first = pushes("first", speech(1, 20), [20])  # the last group is empty and ends the segment
    engine.receive(first[0])
    drain(engine)
    push(engine, "second", speech(2, 20))
    assert not engine.has_work()
    assert (engine.stats().live, engine.stats().waiting, engine.stats().slots_free) == (1, 1, 0)
    engine.receive(first[1])
    items = drain(engine)
    assert [item.key.session_id for item in items if item.finish] == ["first", "second"]
    assert engine.stats().slots_free == 1


# -- a call that is left -------------------------------------------------------------------------


@EVERY_POLICY
def test_a_call_is_left_between_stages_once_all_its_cancels_are_due(
    spec: S3GenSpec, settings: VocoderSettings
):
    reached: list[CallStage] = []
    engine = engine_of(spec, settings, on_stage=reached.append)
    alone = joined(say(engine, "b", 2, speech(2, 30)))
    num_euler = 10 if spec is TINY_S3GEN else 2
    stages = [CallStage.FLOW] * num_euler + [CallStage.HIFT, CallStage.WATERMARK]
    for cancel_at in range(1, len(stages) + 1):
        asked: list[str] = []

        def is_due(
            key: SessionKey, segment: int, asked: list[str] = asked, at: int = cancel_at
        ) -> bool:
            asked.append(key.session_id)
            return len(asked) >= at

        reached.clear()
        begin(engine, "a", 1, 30)
        engine.abandon_if(is_due)
        assert engine.step() == []
        assert asked == ["a"] * cancel_at
        assert reached == stages[:cancel_at]
        engine.abandon_if(lambda key, segment: False)
        assert engine.cancel(session("a"), None) == Stopped(live=True, num_tokens=0)
        assert [item.finish for item in drain(engine)] == [FinishReason.CANCELLED]
        engine.check_integrity()
        np.testing.assert_array_equal(joined(say(engine, "b", 2, speech(2, 30))), alone)


@EVERY_POLICY
def test_a_call_goes_on_while_one_of_its_rows_is_wanted(spec: S3GenSpec, settings: VocoderSettings):
    alone = joined(say(engine_of(spec, settings), "b", 2, speech(2, 30)))
    engine = batching_engine(spec, settings)
    engine.abandon_if(lambda key, segment: key == session("a"))
    for name, speaker in (("a", 1), ("b", 2)):
        begin(engine, name, speaker, 30)
    items = engine.step()
    engine.cancel(session("a"), None)
    items += drain(engine)
    assert far(joined(items, "b"), alone) <= 1e-4


async def test_the_engine_runs_in_its_loop(engine: VocoderEngine):
    loop: EngineLoop[VocoderMessage, SegmentAudio] = EngineLoop(engine, "vocoder")
    loop.start()
    try:
        streams = {name: loop.open(session(name), 0, opening(name, 1)) for name in ("a", "b")}
        for group in pushes("a", speech(1, 40), [10, 10]) + pushes("b", speech(1, 15), finish=None):
            loop.send(group)
        heard = [item async for item in streams["a"]]
        first = await anext(streams["b"])
        stopped = await loop.cancel(session("b"))
        rest = [item async for item in streams["b"]]
    finally:
        loop.close()
    assert len(joined(heard)) == 40 * SAMPLES_PER_TOKEN
    assert len(first.pcm) == 13 * 480
    assert (stopped.live, stopped.num_tokens) == (True, 12)
    assert [(item.finish, len(item.pcm)) for item in rest] == [(FinishReason.CANCELLED, 0)]
    assert engine.stats().slots_free == SETTINGS.slots
