import hashlib
import itertools
import random

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.config import VocoderSettings
from app.core import SAMPLES_PER_TOKEN, FinishReason, SpeechTokens
from app.engine.checkpoint.build import Vocoder
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.s3gen.decoder import Decoder
from app.engine.s3gen.engine import PushTokens, VocoderEngine, build_vocoder_engine
from app.engine.s3gen.grid import Grid
from app.errors import ConfigError
from tests.engine.checkpoint.tiny import TINY_MEANFLOW, TINY_S3GEN
from tests.engine.s3gen.voicing import (
    SETTINGS,
    drain,
    engine_of,
    joined,
    opening,
    pushes,
    random_vocoder,
    say,
    session,
    speech,
    voice,
)

FULL = SETTINGS.model_copy(update={"policy": "full"})
SHAPES = pytest.mark.parametrize("spec", [TINY_S3GEN, TINY_MEANFLOW], ids=["standard", "meanflow"])
POLICIES = pytest.mark.parametrize("settings", [SETTINGS, FULL], ids=["window", "full"])


@pytest.fixture
def engine() -> VocoderEngine:
    return engine_of(TINY_MEANFLOW)


def far(wave: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Of the expected peak."""
    return float(np.abs(wave - expected).max() / np.abs(expected).max())


# -- what is heard -------------------------------------------------------------------------------


@SHAPES
@POLICIES
def test_the_sound_does_not_depend_on_how_tokens_were_grouped(
    spec: S3GenSpec, settings: VocoderSettings
):
    engine, ids = engine_of(spec, settings), speech(1, 60)
    whole = joined(say(engine, "whole", 1, ids))
    rng = random.Random(0)
    for groups in ([1] * 59, [rng.randint(1, 9) for _ in range(6)]):
        np.testing.assert_array_equal(joined(say(engine, "again", 1, ids, groups)), whole)
    other_seed = joined(say(engine, "other", 2, ids))
    assert far(other_seed, whole) > 0.01


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


def test_sound_begins_before_the_tokens_end(engine: VocoderEngine):
    engine.receive(opening("a", 1))
    for push in pushes("a", speech(1, 15), finish=None):
        engine.receive(push)
    first = drain(engine)
    assert [(item.start, len(item.pcm), item.finish) for item in first] == [(0, 8 * 480, None)]


def test_no_tokens_are_an_empty_segment(engine: VocoderEngine):
    items = say(engine, "a", 1, ())
    assert [(len(item.pcm), item.finish) for item in items] == [(0, FinishReason.STOP)]
    assert not engine.ledger
    engine.check_integrity()


def test_a_limit_reached_by_t3_is_voiced_to_its_end(engine: VocoderEngine):
    engine.receive(opening("a", 1))
    for push in pushes("a", speech(1, 20), finish=FinishReason.LENGTH):
        engine.receive(push)
    items = drain(engine)
    assert len(joined(items)) == 20 * SAMPLES_PER_TOKEN
    assert items[-1].finish is FinishReason.LENGTH


def test_only_a_requests_first_segment_fades_in(engine: VocoderEngine):
    heard = {}
    for segment, fade_in in ((0, True), (1, False)):
        engine.receive(opening("a", 1, segment, fade_in=fade_in))
        for push in pushes("a", speech(1, 30), segment=segment):
            engine.receive(push)
        heard[segment] = np.abs(joined(drain(engine)))
    silence, ramp = slice(0, 480), slice(0, 24)
    assert heard[0][silence].max() < 0.1 * heard[0].max()
    assert heard[1][silence].max() > 0.3 * heard[1].max()
    assert heard[1][ramp].max() < 0.1 * heard[1].max()  # 5 ms: no step where segments meet


# -- many at once --------------------------------------------------------------------------------


@SHAPES
def test_ten_segments_at_once_with_ten_voices_are_each_as_if_alone(spec: S3GenSpec):
    engine = engine_of(spec)
    alone = [joined(say(engine, "a", n, speech(n, 20 + n))) for n in range(10)]
    interleaved = together(engine, 10)
    for n in range(10):
        np.testing.assert_array_equal(interleaved[n], alone[n])
    batched = together(batching_engine(spec), 10)
    assert max(far(batched[n], alone[n]) for n in range(10)) <= 1e-4


def test_two_voices_speak_the_same_tokens_differently():
    engine = engine_of(TINY_MEANFLOW)
    waves = [joined(say(engine, "a", n, speech(1, 30))) for n in (1, 2)]
    assert far(*waves) > 0.01


def batching_engine(spec: S3GenSpec) -> VocoderEngine:
    """Four cells in a call."""
    decoder = Decoder(
        random_vocoder(spec), Grid.from_settings(SETTINGS), SETTINGS, spec.euler_steps
    )
    return VocoderEngine(decoder, slots=16, clock=lambda: 0.0, max_rows=4)


def together(engine: VocoderEngine, count: int) -> dict[int, NDArray[np.float32]]:
    """Segments of `count` voices, their tokens interleaved in groups of five."""
    queues = {}
    for n in range(count):
        engine.receive(opening(f"{n}", n))
        queues[n] = pushes(f"{n}", speech(n, 20 + n), [5] * 4)
    items = []
    for turn in itertools.zip_longest(*queues.values()):
        for push in turn:
            if push is not None:
                engine.receive(push)
        items += engine.step() if engine.has_work() else []
    items += drain(engine)
    engine.check_integrity()
    return {n: joined(item for item in items if item.key == session(f"{n}")) for n in range(count)}


def test_a_segment_waits_for_a_slot_and_takes_none_before_it_can_run():
    settings = SETTINGS.model_copy(update={"slots": 1})
    engine = engine_of(TINY_MEANFLOW, settings)
    for name in ("silent", "first", "second"):
        engine.receive(opening(name, 1))
    for push in pushes("first", speech(1, 20), finish=None):
        engine.receive(push)
    drain(engine)
    for push in pushes("second", speech(2, 20)):
        engine.receive(push)
    assert not engine.has_work()
    assert (engine.stats().live, engine.stats().waiting, engine.stats().slots_free) == (1, 1, 0)
    engine.receive(PushTokens(SpeechTokens(session("first"), 0, 20, (), FinishReason.STOP)))
    items = drain(engine)
    assert [item.key.session_id for item in items if item.finish] == ["first", "second"]
    assert engine.stats().slots_free == 1


# -- ends ----------------------------------------------------------------------------------------


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
    num_calls = len(engine.ledger)
    voiced = sum(call.cell.end - call.cell.start for call in engine.ledger)

    stopped = engine.cancel(session("a"), None)
    assert (stopped.live, stopped.num_tokens) == (True, voiced)
    for push in pushes("a", speech(1, 60)):  # still on their way
        engine.receive(push)
    last = drain(engine)
    assert [(item.finish, len(item.pcm)) for item in last] == [(FinishReason.CANCELLED, 0)]
    assert last[0].start == sum(len(item.pcm) for item in items)
    assert len(engine.ledger) == num_calls
    assert not engine.cancel(session("a"), None).live
    assert not engine.has_work()

    assert engine.cancel(session("b"), 0).live
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
    assert ends == {0: FinishReason.STOP, 1: FinishReason.CANCELLED}


@pytest.mark.parametrize("finish", [FinishReason.CANCELLED, FinishReason.ERROR])
def test_a_segment_that_t3_gave_up_ends_without_voicing_the_rest(
    engine: VocoderEngine, finish: FinishReason
):
    engine.receive(opening("a", 1))
    for push in pushes("a", speech(1, 60), [50], finish=finish):
        engine.receive(push)
    assert [(item.finish, len(item.pcm)) for item in drain(engine)] == [(finish, 0)]
    assert not engine.ledger
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


# -- what is refused -----------------------------------------------------------------------------


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


def test_half_precision_is_not_offered():
    settings = SETTINGS.model_copy(update={"dtype": "bfloat16"})
    with pytest.raises(ConfigError, match="dtype"):
        engine_of(TINY_MEANFLOW, settings)


# -- the modules ---------------------------------------------------------------------------------


def digest(module: nn.Module) -> str:
    """Of every parameter, buffer and plain attribute of every part."""
    found = hashlib.sha256()
    for name, part in module.named_modules():
        for attribute, value in sorted(vars(part).items()):
            if attribute in ("_parameters", "_buffers"):
                tensors = sorted(value.items())
            elif attribute == "_modules":
                continue
            else:
                tensors = [(attribute, value)]
            for key, entry in tensors:
                content = (
                    entry.detach().numpy().tobytes()
                    if isinstance(entry, Tensor)
                    else repr(entry).encode()
                )
                found.update(f"{name}.{attribute}.{key}".encode() + content)
    return found.hexdigest()


@SHAPES
def test_nothing_on_a_module_changes_after_load(spec: S3GenSpec):
    vocoder = random_vocoder(spec)
    engine = build_vocoder_engine(vocoder, SETTINGS, spec.euler_steps)
    before = digest(vocoder.flow), digest(vocoder.mel2wav)
    for n in range(3):
        say(engine, f"{n}", n, speech(n, 50))
    assert (digest(vocoder.flow), digest(vocoder.mel2wav)) == before
    vocoder.flow.encoder.embed.pos_enc.pe = torch.zeros(1)
    assert digest(vocoder.flow) != before[0]


def frames_per_call(settings: VocoderSettings, num_tokens: int) -> list[int]:
    vocoder: Vocoder = random_vocoder(TINY_MEANFLOW)
    engine = build_vocoder_engine(vocoder, settings, 2)
    frames: list[int] = []
    vocoder.flow.decoder.estimator.final_proj.register_forward_hook(
        lambda _, inputs, __: frames.append(inputs[0].shape[2])
    )
    say(engine, "a", 1, speech(1, num_tokens))
    return frames


def test_a_windows_cost_is_bounded_and_full_context_grows():
    prompt, left, longest = 25, 10, 24
    window = frames_per_call(SETTINGS, 200)
    assert max(window) <= 2 * (prompt + left + longest + 2)
    assert len(set(window[2 * 3 : -2])) == 1  # once cells have grown, each costs the same
    assert max(frames_per_call(FULL, 200)) == 2 * (60 + 200)
