"""The ends of a segment: every way frees the same things once."""

import math
from dataclasses import replace

import numpy as np
import pytest

from app.core import FinishReason, SpeechTokens
from app.engine.s3gen import decoder
from app.engine.s3gen.engine import VocoderEngine
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW
from tests.support.engine.s3gen.voicing import (
    FULL,
    SETTINGS,
    begin,
    drain,
    engine_of,
    joined,
    opening,
    push,
    say,
    session,
    speech,
    voice,
)

pytestmark = pytest.mark.full  # seconds in all


@pytest.fixture
def engine() -> VocoderEngine:
    return engine_of(TINY_MEANFLOW)


@pytest.mark.parametrize("num_pushed", [0, 5, 20, 60], ids=["none", "too few", "one cell", "all"])
@pytest.mark.parametrize("num_steps", [0, 1, 2])
def test_a_cancelled_segment_makes_no_further_call(
    engine: VocoderEngine, num_pushed: int, num_steps: int
):
    engine.receive(opening("a", 1))
    engine.receive(opening("b", 2))
    push(engine, "a", speech(1, num_pushed), finish=None)
    items = [item for _ in range(num_steps) for item in engine.step()]
    num_calls = len(engine.call_log)
    voiced = sum(call.cell.num_tokens for call in engine.call_log)

    stopped = engine.cancel(session("a"), None)
    assert (stopped.live, stopped.num_tokens) == (True, voiced)
    push(engine, "a", speech(1, 60))  # these were on their way
    last = drain(engine)
    assert [(item.finish, len(item.pcm)) for item in last] == [(FinishReason.CANCELLED, 0)]
    assert last[0].start == sum(len(item.pcm) for item in items)
    assert len(engine.call_log) == num_calls
    assert not engine.cancel(session("a"), None).live
    assert not engine.has_work()

    assert engine.cancel(session("b"), 0).live
    assert not engine.has_work()  # its listener has left, so there is no item
    engine.check_integrity()


def test_a_cancel_after_the_end_is_a_no_op(engine: VocoderEngine):
    say(engine, "a", 1, speech(1, 20))
    assert not engine.cancel(session("a"), None).live
    assert not engine.has_work()


def test_a_cancel_of_a_waiting_segment_frees_no_slot():
    engine = engine_of(TINY_MEANFLOW, SETTINGS.model_copy(update={"slots": 1}))
    for name in ("first", "second"):
        begin(engine, name, 1, 20, finish=None)
    engine.step()
    assert engine.stats().waiting == 1
    engine.cancel(session("second"), None)
    assert (engine.stats().live, engine.stats().waiting) == (1, 0)
    engine.cancel(session("first"), None)
    drain(engine)
    engine.check_integrity()
    assert engine.stats().slots_free == 1


def test_a_cancel_does_not_change_the_sound_of_another_session():
    alone = joined(say(engine_of(TINY_MEANFLOW), "a", 1, speech(1, 80)))
    engine = engine_of(TINY_MEANFLOW)
    for name, speaker in (("a", 1), ("b", 2)):
        begin(engine, name, speaker, 80)
    items = [item for _ in range(3) for item in engine.step()]
    engine.cancel(session("b"), None)
    items += drain(engine)
    np.testing.assert_array_equal(joined(items, "a"), alone)


def test_a_cancel_of_one_segment_leaves_the_sessions_other_segments(engine: VocoderEngine):
    for segment in (0, 1):
        engine.receive(opening("a", 1, segment))
        push(engine, "a", speech(1, 20), segment=segment)
    engine.cancel(session("a"), 1)
    ends = {item.segment: item.finish for item in drain(engine) if item.finish}
    assert ends == {0: FinishReason.STOP}  # the listener of segment 1 has left


@pytest.mark.parametrize("finish", [FinishReason.CANCELLED, FinishReason.ERROR])
def test_a_segment_that_fails_in_t3_ends_without_further_sound(
    engine: VocoderEngine, finish: FinishReason
):
    begin(engine, "a", 1, 60, groups=[50], finish=finish)
    assert [(item.finish, len(item.pcm)) for item in drain(engine)] == [(finish, 0)]
    assert not engine.call_log
    engine.check_integrity()


def test_abort_frees_everything_in_any_state(engine: VocoderEngine):
    for n in range(4):
        begin(engine, f"{n}", n, 20 * n, finish=None)
    engine.step()
    engine.cancel(session("3"), None)
    engine.abort()
    assert not engine.has_work()
    assert engine.stats().slots_free == SETTINGS.slots
    engine.check_integrity()


@pytest.mark.parametrize(
    ("start", "ids"),
    [(0, (1, 6561)), (0, (-1,)), (3, (1, 2)), (0, (1, 6562))],
    ids=["start token", "negative", "lost group", "stop token"],
)
def test_invalid_tokens_end_their_own_segment_alone(
    engine: VocoderEngine, caplog: pytest.LogCaptureFixture, start: int, ids: tuple[int, ...]
):
    alone = joined(say(engine_of(TINY_MEANFLOW), "good", 2, speech(2, 20)))
    engine.receive(opening("bad", 1))
    engine.receive(opening("good", 2))
    engine.receive(SpeechTokens(session("bad"), 0, start, ids))
    push(engine, "good", speech(2, 20))
    items = drain(engine)
    assert items[0].finish is FinishReason.ERROR
    assert "bad" in caplog.text
    np.testing.assert_array_equal(joined(items[1:]), alone)
    engine.check_integrity()


def test_an_invalid_voice_ends_its_own_segment_alone(engine: VocoderEngine):
    conditionals = voice(1)
    broken = replace(conditionals, prompt_tokens=conditionals.prompt_tokens[:-1])
    engine.receive(replace(opening("bad", 1), conditionals=broken))
    push(engine, "bad", speech(1, 20))
    assert [item.finish for item in drain(engine)] == [FinishReason.ERROR]
    engine.check_integrity()


def test_a_segment_that_is_longer_than_a_call_of_the_whole_prefix_can_be_ends_alone(monkeypatch):
    """With the policy `full`. The pipeline refuses a request that may become so long."""
    monkeypatch.setattr(decoder, "MAX_FRAMES", 2 * 100)  # of a prompt of 60 tokens and the segment
    engine = engine_of(TINY_MEANFLOW, settings=FULL)
    assert engine.max_tokens(voice(1)) == 40
    engine.receive(opening("long", 1))
    begin(engine, "short", 2, 20)
    push(engine, "long", speech(1, 41), finish=None)
    ends = {item.key: item.finish for item in drain(engine) if item.finish is not None}
    assert ends == {session("long"): FinishReason.ERROR, session("short"): FinishReason.STOP}


def test_a_segment_of_any_length_is_voiced_where_cells_see_a_part_of_it(engine: VocoderEngine):
    assert engine.max_tokens(voice(1)) == math.inf
