"""How a segment ends, and what ends it: every path frees the same things once."""

import numpy as np
import pytest

from app.core import FinishReason, SpeechTokens
from app.engine.s3gen.engine import PushTokens, VocoderEngine
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW
from tests.support.engine.s3gen.voicing import (
    SETTINGS,
    drain,
    engine_of,
    joined,
    opening,
    pushes,
    say,
    session,
    speech,
    voice,
)


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
    for push in pushes("a", speech(1, num_pushed), finish=None):
        engine.receive(push)
    items = [item for _ in range(num_steps) for item in engine.step()]
    num_calls = len(engine.call_log)
    voiced = sum(call.cell.end - call.cell.start for call in engine.call_log)

    stopped = engine.cancel(session("a"), None)
    assert (stopped.live, stopped.num_tokens) == (True, voiced)
    for push in pushes("a", speech(1, 60)):  # still on their way
        engine.receive(push)
    last = drain(engine)
    assert [(item.finish, len(item.pcm)) for item in last] == [(FinishReason.CANCELLED, 0)]
    assert last[0].start == sum(len(item.pcm) for item in items)
    assert len(engine.call_log) == num_calls
    assert not engine.cancel(session("a"), None).live
    assert not engine.has_work()

    assert engine.cancel(session("b"), 0).live
    assert not engine.has_work()  # its listener has left: nobody is told
    engine.check_integrity()


def test_a_cancel_after_the_end_is_nothing(engine: VocoderEngine):
    say(engine, "a", 1, speech(1, 20))
    assert not engine.cancel(session("a"), None).live
    assert not engine.has_work()


def test_a_cancel_while_waiting_for_a_slot_frees_no_slot():
    engine = engine_of(TINY_MEANFLOW, SETTINGS.model_copy(update={"slots": 1}))
    for name in ("first", "second"):
        engine.receive(opening(name, 1))
        for push in pushes(name, speech(1, 20), finish=None):
            engine.receive(push)
    engine.step()
    assert engine.stats().waiting == 1
    engine.cancel(session("second"), None)
    assert (engine.stats().live, engine.stats().waiting) == (1, 0)
    engine.cancel(session("first"), None)
    drain(engine)
    engine.check_integrity()
    assert engine.stats().slots_free == 1


def test_a_neighbours_cancel_changes_nothing():
    alone = joined(say(engine_of(TINY_MEANFLOW), "a", 1, speech(1, 80)))
    engine = engine_of(TINY_MEANFLOW)
    for name, speaker in (("a", 1), ("b", 2)):
        engine.receive(opening(name, speaker))
        for push in pushes(name, speech(speaker, 80)):
            engine.receive(push)
    items = [item for _ in range(3) for item in engine.step()]
    engine.cancel(session("b"), None)
    items += drain(engine)
    np.testing.assert_array_equal(joined(item for item in items if item.key == session("a")), alone)


def test_a_cancel_of_one_segment_leaves_the_sessions_others(engine: VocoderEngine):
    for segment in (0, 1):
        engine.receive(opening("a", 1, segment))
        for push in pushes("a", speech(1, 20), segment=segment):
            engine.receive(push)
    engine.cancel(session("a"), 1)
    ends = {item.segment: item.finish for item in drain(engine) if item.finish}
    assert ends == {0: FinishReason.STOP}  # who listened to the other has left


@pytest.mark.parametrize("finish", [FinishReason.CANCELLED, FinishReason.ERROR])
def test_a_segment_that_t3_gave_up_ends_without_voicing_the_rest(
    engine: VocoderEngine, finish: FinishReason
):
    engine.receive(opening("a", 1))
    for push in pushes("a", speech(1, 60), [50], finish=finish):
        engine.receive(push)
    assert [(item.finish, len(item.pcm)) for item in drain(engine)] == [(finish, 0)]
    assert not engine.call_log
    engine.check_integrity()


def test_abort_frees_everything_in_any_state(engine: VocoderEngine):
    for n in range(4):
        engine.receive(opening(f"{n}", n))
        for push in pushes(f"{n}", speech(n, 20 * n), finish=None):
            engine.receive(push)
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
def test_tokens_that_cannot_be_voiced_end_their_segment_alone(
    engine: VocoderEngine, caplog: pytest.LogCaptureFixture, start: int, ids: tuple[int, ...]
):
    alone = joined(say(engine_of(TINY_MEANFLOW), "good", 2, speech(2, 20)))
    engine.receive(opening("bad", 1))
    engine.receive(opening("good", 2))
    engine.receive(PushTokens(SpeechTokens(session("bad"), 0, start, ids)))
    for push in pushes("good", speech(2, 20)):
        engine.receive(push)
    items = drain(engine)
    assert items[0].finish is FinishReason.ERROR
    assert "bad" in caplog.text
    np.testing.assert_array_equal(joined(items[1:]), alone)
    engine.check_integrity()


def test_a_voice_that_does_not_fit_ends_its_segment_alone(engine: VocoderEngine):
    message = opening("bad", 1)
    conditionals = voice(1)
    broken = type(conditionals)(
        conditionals.prompt_tokens[:-1], conditionals.prompt_mel, conditionals.speaker_emb
    )
    engine.receive(type(message)(message.key, 0, "v", broken, seed=1, fade_in=True))
    for push in pushes("bad", speech(1, 20)):
        engine.receive(push)
    assert [item.finish for item in drain(engine)] == [FinishReason.ERROR]
    engine.check_integrity()
