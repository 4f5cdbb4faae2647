"""The token engine as its loop and its listeners use it."""

from dataclasses import replace

import pytest
from torch import Tensor

from app.core import FinishReason, SamplingParams, StageStats
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import (
    SILENCE,
    ForcedTokens,
    Recorded,
    our_t3,
    request,
    run_all,
    send,
    settings,
)

UNFILTERED = SamplingParams(min_p=0.0)  # so any id can be forced
STOP_TOKEN, BOS = 6562, 6561


@pytest.fixture(scope="module")
def english() -> T3Model:
    return our_t3(models.upstream_t3(models.ENGLISH), models.ENGLISH)


@pytest.fixture(scope="module")
def turbo() -> T3Model:
    return our_t3(models.upstream_t3(models.TURBO), models.TURBO)


def forced(model: T3Model, script: list[int], tail: tuple[int, ...] = ()) -> TokenEngine:
    return TokenEngine(model, settings(), tail, noise=ForcedTokens(script))


def speak(engine: TokenEngine, sampling: SamplingParams) -> tuple[list[int], FinishReason]:
    one = request("a", sampling)
    recorded = run_all(engine, [one])
    return recorded.ids[one.key, 0], recorded.finish[one.key, 0]


# -- groups and their ids --------------------------------------------------------------------------


def test_the_first_group_is_small_and_later_groups_are_larger(english):
    engine = TokenEngine(english, settings(first_group=3, group=7))
    send(engine, request("a", SamplingParams(max_tokens=20, ignore_eos=True)))
    groups = []
    while engine.has_work():
        groups += engine.step()
    assert [(g.start, len(g.ids)) for g in groups] == [(0, 3), (3, 7), (10, 7), (17, 3)]
    assert [g.finish for g in groups] == [None, None, None, FinishReason.LENGTH]


def test_the_stop_token_ends_the_segment_and_does_not_leave(english):
    ids, finish = speak(forced(english, [5, 6, 7, STOP_TOKEN]), UNFILTERED)
    assert (ids, finish) == ([5, 6, 7], FinishReason.STOP)


def test_a_stop_token_at_once_makes_an_empty_segment(english):
    assert speak(forced(english, [STOP_TOKEN]), UNFILTERED) == ([], FinishReason.STOP)


def test_ids_above_the_codecs_do_not_leave():
    spec = models.ENGLISH.model_copy(update={"speech_vocab": 8194})
    engine = forced(our_t3(models.upstream_t3(spec), spec), [5, BOS, 6, 7000, 8193, 7, STOP_TOKEN])
    assert speak(engine, UNFILTERED) == ([5, 6, 7], FinishReason.STOP)


def test_turbo_ends_with_silence_and_ignores_a_stop_in_its_first_token(turbo):
    engine = forced(turbo, [STOP_TOKEN, 5, 6, STOP_TOKEN], SILENCE)
    assert speak(engine, UNFILTERED) == ([5, 6, *SILENCE], FinishReason.STOP)


def test_turbo_ends_with_silence_at_max_tokens(turbo):
    engine = forced(turbo, [5, 6, 7, 8, 9, 10], SILENCE)
    sampling = replace(UNFILTERED, max_tokens=6)
    assert speak(engine, sampling) == ([5, 6, 7, 8, 9, 10, *SILENCE], FinishReason.LENGTH)


def test_a_cancelled_turbo_sequence_ends_without_silence(turbo):
    one = request("b", replace(UNFILTERED, max_tokens=60))
    engine = TokenEngine(turbo, settings(), SILENCE)
    send(engine, one)
    for _ in range(5):
        engine.step()
    engine.cancel(one.key, None)
    (last,) = engine.step()
    assert (last.ids, last.finish) == ((), FinishReason.CANCELLED)


def test_ignore_eos_forces_the_length(english):
    ids, finish = speak(
        forced(english, [STOP_TOKEN] * 9), replace(UNFILTERED, max_tokens=9, ignore_eos=True)
    )
    assert (ids, finish) == ([], FinishReason.LENGTH)


# -- rows and calls --------------------------------------------------------------------------------


def count_rows(model: T3Model, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Records the number of sampled rows of each call of the model."""
    calls: list[int] = []
    forward = T3Model.forward

    def counting(self: T3Model, hidden: Tensor, positions: Tensor, last: Tensor, attend) -> Tensor:
        calls.append(len(last))
        return forward(self, hidden, positions, last, attend)

    monkeypatch.setattr(T3Model, "forward", counting)
    return calls


@pytest.mark.parametrize(("cfg_weight", "num_rows"), [(0.5, 2), (0.0, 1)])
def test_a_sequence_takes_two_rows_with_guidance_and_one_without(
    english, monkeypatch, cfg_weight, num_rows
):
    calls = count_rows(english, monkeypatch)
    run_all(
        TokenEngine(english, settings()),
        [request("a", SamplingParams(cfg_weight=cfg_weight, max_tokens=6, ignore_eos=True))],
    )
    assert calls == [num_rows] * 6


def test_turbo_ignores_cfg_weight(turbo, monkeypatch):
    calls = count_rows(turbo, monkeypatch)
    sampling = SamplingParams(cfg_weight=0.5, max_tokens=3, ignore_eos=True)
    run_all(TokenEngine(turbo, settings()), [request("a", sampling)])
    assert calls == [1, 1, 1]


@pytest.mark.usefixtures("all_prompts_at_once")
def test_every_step_is_one_call_of_the_model_for_all_rows(english, monkeypatch):
    calls = count_rows(english, monkeypatch)
    engine = TokenEngine(english, settings())
    sampling = SamplingParams(max_tokens=12, ignore_eos=True)
    run_all(engine, [request(n, replace(sampling, seed=n), voice=n) for n in range(1, 5)])
    assert len(calls) == engine.step_log.num_steps
    assert calls == [8] * 12


@pytest.mark.parametrize("family", ["english", "turbo"])
@pytest.mark.parametrize("prefill_tokens", [2, 14, 60])
def test_a_prompt_in_chunks_gives_the_tokens_of_a_whole_prompt(
    english, turbo, family, prefill_tokens
):
    model = english if family == "english" else turbo
    sampling = SamplingParams(max_tokens=20, ignore_eos=True)
    requests = [request(n, sampling, voice=n) for n in (1, 2)]
    whole = run_all(TokenEngine(model, settings()), requests)
    chunked = run_all(TokenEngine(model, settings(prefill_tokens=prefill_tokens)), requests)
    assert chunked.ids == whole.ids


# -- sequences are independent ---------------------------------------------------------------------


def test_ten_voices_and_exaggerations_at_once_equal_their_results_alone(english):
    requests = [
        request(
            n,
            SamplingParams(max_tokens=40, exaggeration=0.2 * n, seed=n, ignore_eos=True),
            voice=n,
            num_text=5 + n,
        )
        for n in range(1, 11)
    ]
    together = run_all(TokenEngine(english, settings(slots=10)), requests)
    for one in requests:
        alone = run_all(TokenEngine(english, settings(slots=1)), [one])
        assert together.ids[one.key, 0] == alone.ids[one.key, 0]
    assert len({tuple(ids) for ids in together.ids.values()}) == 10


@pytest.mark.parametrize(
    "change", [{"exaggeration": 1.5}, {"seed": 9}, {"cfg_weight": 1.5}, {"temperature": 0.4}]
)
def test_every_setting_changes_the_tokens(english, change):
    sampling = SamplingParams(max_tokens=30, ignore_eos=True)
    unchanged = speak(TokenEngine(english, settings()), sampling)
    assert speak(TokenEngine(english, settings()), sampling) == unchanged
    assert speak(TokenEngine(english, settings()), replace(sampling, **change)) != unchanged


@pytest.mark.parametrize("family", ["english", "turbo"])
def test_at_temperature_zero_every_seed_gives_the_same_tokens(family, request):
    model = request.getfixturevalue(family)
    sampling = SamplingParams(temperature=0.0, max_tokens=30, ignore_eos=True, cfg_weight=0.0)
    drawn = [speak(TokenEngine(model, settings()), replace(sampling, seed=n)) for n in range(3)]
    assert drawn[0] == drawn[1] == drawn[2]


def test_segments_of_one_session_draw_their_own_noise(english):
    sampling = SamplingParams(max_tokens=30, ignore_eos=True)
    both = [request("a", sampling, segment=0), request("a", sampling, segment=1)]
    recorded = run_all(TokenEngine(english, settings()), both)
    assert recorded.ids[both[0].key, 0] != recorded.ids[both[0].key, 1]


# -- ends ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_steps", range(5))
def test_a_cancelled_sequence_is_out_of_the_next_step_and_ends_once(english, num_steps):
    engine = TokenEngine(english, settings(slots=1))
    other, one = request("other", SamplingParams(max_tokens=3)), request("a", SamplingParams())
    send(engine, other, one)  # `one` waits for the slot in its first steps
    recorded = Recorded()
    for _ in range(num_steps):
        recorded.add(engine.step())
    num_before = engine.step_log.summary(one.key).num_steps
    stopped = engine.cancel(one.key, None)
    assert stopped.live
    assert stopped.num_tokens == num_before
    assert not engine.cancel(one.key, None).live
    while engine.has_work():
        recorded.add(engine.step())
    assert recorded.finish[one.key, 0] is FinishReason.CANCELLED
    assert engine.step_log.summary(one.key).num_steps == num_before
    assert engine.cancel(one.key, None).num_tokens == num_before
    engine.check_integrity()


def test_a_cancelled_segment_sends_no_last_group(english):
    engine = TokenEngine(english, settings())
    one = request("a", SamplingParams())
    send(engine, one)
    assert engine.cancel(one.key, 0).live
    assert not engine.has_work()


def test_a_cancel_after_the_end_stops_nothing_and_knows_the_token_count(english):
    engine = TokenEngine(english, settings())
    one = request("a", SamplingParams(max_tokens=7, ignore_eos=True))
    recorded = run_all(engine, [one])
    stopped = engine.cancel(one.key, None)
    assert not stopped.live
    assert stopped.num_tokens == len(recorded.ids[one.key, 0])
    assert not engine.has_work()


def test_an_error_in_the_model_ends_every_live_sequence_with_error(monkeypatch):
    model = our_t3(models.upstream_t3(models.ENGLISH), models.ENGLISH)
    ran = []
    engine = TokenEngine(model, settings(slots=1), on_step=ran.extend)
    send(engine, *(request(name, SamplingParams()) for name in ("running", "waiting")))
    engine.step()
    waiting = list(engine._scheduler.live())[1]

    def gone(*_: object) -> Tensor:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(model, "forward", gone)
    with pytest.raises(RuntimeError, match="device is gone"):
        engine.step()
    engine.abort()
    assert ran[0].finish is FinishReason.ERROR
    assert waiting.finish is FinishReason.ERROR
    assert engine.stats() == StageStats(live=0, waiting=0, slots_free=1, slots_total=1)
    assert not engine.has_work()
    engine.check_integrity()


@pytest.mark.usefixtures("all_prompts_at_once")
def test_logits_that_are_not_finite_end_their_sequence_only(english, monkeypatch):
    engine = TokenEngine(english, settings())
    good, bad = (
        request("good", SamplingParams(max_tokens=9, ignore_eos=True)),
        request("bad", SamplingParams(max_tokens=9, ignore_eos=True)),
    )
    forward = T3Model.forward

    def broken(self: T3Model, *args: object) -> Tensor:
        logits = forward(self, *args)
        if engine.step_log.num_steps == 4:
            logits[-2:] = float("nan")  # of the pair that was admitted last
        return logits

    monkeypatch.setattr(T3Model, "forward", broken)
    recorded = run_all(engine, [good, bad])
    assert recorded.finish[bad.key, 0] is FinishReason.ERROR
    assert recorded.finish[good.key, 0] is FinishReason.LENGTH
    assert len(recorded.ids[good.key, 0]) == 9
