"""A vocoder call that does not fit in memory runs in parts, or without one segment."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core import Fault, FinishReason
from app.engine.s3gen.context import ChunkedContext, WholeContext
from app.engine.s3gen.decoder import Decoder
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.hift import Hift
from app.engine.watermark import Watermark
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW
from tests.support.engine.s3gen.voicing import (
    SETTINGS,
    begin,
    drain,
    engine_of,
    joined,
    say,
    session,
    speech,
)
from tests.support.engine.short_memory import Shortage, Times

pytestmark = pytest.mark.full  # seconds in all

NAMES = ("1", "2", "3")
BATCHED = 1e-4  # of the peak: the rows of a batch change each other's last bits


def engine_for(policy: str, max_rows: int = 3) -> VocoderEngine:
    changes = {"policy": policy, "max_rows": max_rows}
    return engine_of(TINY_MEANFLOW, SETTINGS.model_copy(update=changes))


def begin_all(engine: VocoderEngine) -> None:
    for name in NAMES:
        begin(engine, name, int(name), 50)


@cache
def sound_alone(policy: str, name: str) -> NDArray[np.float32]:
    return joined(say(engine_for(policy), name, int(name), speech(int(name), 50)))


def assert_as_alone(policy: str, items: list, names=NAMES, tolerance: float = BATCHED) -> None:
    for name in names:
        alone = sound_alone(policy, name)
        (finish,) = [item.finish for item in items if item.key == session(name) and item.finish]
        assert finish is FinishReason.STOP
        wave = joined(items, name)
        np.testing.assert_allclose(wave, alone, atol=tolerance * np.abs(alone).max())


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("policy", ["window", "chunked"])
def test_a_call_with_too_many_rows_runs_in_parts(policy, monkeypatch, most):
    engine = engine_for(policy)
    begin_all(engine)
    with monkeypatch.context() as short:
        fits = lambda self, jobs, on_stage: len(jobs) <= most  # noqa: E731
        shortage = Shortage(short, Decoder, "run", fits)
        items = drain(engine)
    assert shortage.num_refused > 0
    assert_as_alone(policy, items)


CONTEXTS = {"window": WholeContext, "chunked": ChunkedContext}


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("stage", ["mel", "hift", "mark", "whole"])
@pytest.mark.parametrize("policy", ["window", "chunked"])
def test_one_shortage_at_any_stage_changes_nothing(policy, monkeypatch, stage, start):
    owner, name = {
        "mel": (CONTEXTS[policy], "mels"),
        "hift": (Hift, "run"),
        "mark": (Watermark, "mark"),
        "whole": (Decoder, "run"),
    }[stage]
    engine = engine_for(policy, max_rows=1)
    begin_all(engine)
    with monkeypatch.context() as short:
        shortage = Shortage(short, owner, name, Times(1, start), late=True)
        items = drain(engine)
    assert shortage.num_refused == 1
    assert_as_alone(policy, items, tolerance=0)  # one row: the same to the last bit


@pytest.mark.parametrize("max_rows", [1, 3])
def test_a_segment_that_does_not_fit_alone_ends_with_out_of_memory(monkeypatch, max_rows):
    engine = engine_for("window", max_rows)
    begin_all(engine)
    items = [item for _ in range(2) for item in engine.step()]
    unwanted = speech(2, 50)
    with monkeypatch.context() as short:
        fits = lambda self, jobs, on_stage: all(tuple(job.tokens) != unwanted for job in jobs)  # noqa: E731
        Shortage(short, Decoder, "run", fits)
        items += drain(engine)
    engine.check_integrity()
    assert engine.stats().slots_free == SETTINGS.slots
    (last,) = [item for item in items if item.key == session("2") and item.finish]
    assert (last.finish, last.fault, len(last.pcm)) == (
        FinishReason.ERROR,
        Fault.OUT_OF_MEMORY,
        0,
    )
    assert_as_alone("window", items, names=("1", "3"))


@pytest.mark.parametrize(("num", "ends"), [(1, FinishReason.STOP), (2, FinishReason.ERROR)])
def test_a_voice_that_does_not_fit_is_tried_twice(monkeypatch, num, ends):
    engine = engine_for("chunked")
    with monkeypatch.context() as short:
        Shortage(short, Decoder, "start", Times(num))
        items = say(engine, "1", 1, speech(1, 20))
    assert items[-1].finish is ends
    assert items[-1].fault is (Fault.OUT_OF_MEMORY if num == 2 else None)
    engine.check_integrity()
    assert engine.stats().slots_free == SETTINGS.slots


def test_another_error_passes_through(monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: device-side assert triggered")

    engine = engine_for("window")
    begin_all(engine)
    monkeypatch.setattr(Decoder, "run", broken)
    with pytest.raises(RuntimeError, match="device-side"):
        engine.step()
