"""A vocoder call that the device's memory does not suffice for: in parts, or one segment less."""

import numpy as np
import pytest

from app.core import Fault, FinishReason
from app.engine.s3gen.context import ChunkedContext, WholeContext
from app.engine.s3gen.decoder import Decoder
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.hift import Hift
from app.engine.watermark import Watermark
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
)
from tests.support.engine.short_memory import Shortage, Times

NAMES = ("1", "2", "3")
BATCHED = 1e-4  # of peak: other rows beside it change the last bits


def engine_for(policy: str, max_rows: int = 3) -> VocoderEngine:
    changes = {"policy": policy, "max_rows": max_rows}
    return engine_of(TINY_MEANFLOW, SETTINGS.model_copy(update=changes))


def begin(engine: VocoderEngine) -> None:
    for name in NAMES:
        engine.receive(opening(name, int(name)))
        for push in pushes(name, speech(int(name), 50)):
            engine.receive(push)


def assert_as_alone(policy: str, items: list, names=NAMES, tolerance: float = BATCHED) -> None:
    for name in names:
        own = [item for item in items if item.key == session(name)]
        alone = joined(say(engine_for(policy), name, int(name), speech(int(name), 50)))
        assert own[-1].finish is FinishReason.STOP
        np.testing.assert_allclose(joined(own), alone, atol=tolerance * np.abs(alone).max())


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("policy", ["window", "chunked"])
def test_a_call_with_too_many_rows_runs_in_parts(policy, monkeypatch, most):
    engine = engine_for(policy)
    begin(engine)
    with monkeypatch.context() as short:
        fits = lambda self, jobs, go_on: len(jobs) <= most  # noqa: E731
        shortage = Shortage(short, Decoder, "run", fits)
        items = drain(engine)
    assert shortage.num_refused > 0
    assert_as_alone(policy, items)


CONTEXTS = {"window": WholeContext, "chunked": ChunkedContext}


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("stage", ["mel", "filter", "mark", "whole"])
@pytest.mark.parametrize("policy", ["window", "chunked"])
def test_wherever_memory_runs_short_once_nothing_changes(policy, monkeypatch, stage, start):
    owner, name = {
        "mel": (CONTEXTS[policy], "mels"),
        "filter": (Hift, "run"),
        "mark": (Watermark, "mark"),
        "whole": (Decoder, "run"),
    }[stage]
    engine = engine_for(policy, max_rows=1)
    begin(engine)
    with monkeypatch.context() as short:
        shortage = Shortage(short, owner, name, Times(1, start), late=True)
        items = drain(engine)
    assert shortage.num_refused == 1
    assert_as_alone(policy, items, tolerance=0)  # one row: the same to the last bit


@pytest.mark.parametrize("max_rows", [1, 3])
def test_who_does_not_fit_alone_ends_by_name_and_nobody_else_notices(monkeypatch, max_rows):
    engine = engine_for("window", max_rows)
    begin(engine)
    items = [item for _ in range(2) for item in engine.step()]
    unwanted = speech(2, 50)
    with monkeypatch.context() as short:
        fits = lambda self, jobs, go_on: all(tuple(job.tokens) != unwanted for job in jobs)  # noqa: E731
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


def test_another_fault_is_not_a_shortage(monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: device-side assert triggered")

    engine = engine_for("window")
    begin(engine)
    monkeypatch.setattr(Decoder, "run", broken)
    with pytest.raises(RuntimeError, match="device-side"):
        engine.step()
