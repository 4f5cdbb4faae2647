"""The token engine on its own thread: held at a token, cancelled by another thread, failing."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from app.core import FinishReason, SamplingParams, SpeechTokens
from app.engine.loop import EngineLoop
from app.engine.t3.engine import TokenEngine
from app.engine.t3.sequence import Sequence as T3Sequence
from app.errors import SynthesisFailed
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import our_t3, request, settings

HELD_AT = 40
ENDLESS = SamplingParams(max_tokens=1000, ignore_eos=True)


class Gate:
    """Holds the engine before the step that samples token number 40 of any sequence."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, sequences: Sequence[T3Sequence]) -> None:
        if any(len(sequence.tokens) == HELD_AT - 1 for sequence in sequences):
            self.reached.set()
            assert self.opened.wait(timeout=60), "the test never opened the gate"

    async def is_reached(self) -> None:
        is_reached = await asyncio.to_thread(self.reached.wait, 60)
        assert is_reached, f"no sequence came to its token number {HELD_AT} within 60 s"


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def engine(gate: Gate) -> TokenEngine:
    model = our_t3(models.upstream_t3(models.ENGLISH), models.ENGLISH)
    return TokenEngine(model, settings(first_group=4, group=12), on_step=gate)


@pytest.fixture
def loop(engine: TokenEngine):
    loop: EngineLoop[T3Sequence, SpeechTokens] = EngineLoop(engine, "T3")
    loop.start()
    yield loop
    loop.close()


async def test_groups_arrive_before_the_fortieth_token_is_sampled(loop, gate, engine):
    sequence = engine.prepare(request("a", ENDLESS))
    with loop.open(sequence.key, 0, sequence) as stream:
        groups = [await anext(stream) for _ in range(3)]
        assert sum(len(group.ids) for group in groups) == 4 + 12 + 12
        await gate.is_reached()
        gate.opened.set()


async def test_at_most_one_step_runs_after_a_cancel(loop, gate, engine):
    sequence = engine.prepare(request("a", ENDLESS))
    stream = loop.open(sequence.key, 0, sequence)
    await gate.is_reached()
    cancelling = asyncio.ensure_future(loop.cancel(sequence.key))
    await asyncio.sleep(0)  # the cancel is in the inbox
    step_in_flight = engine.step_log.num_steps + 1  # the gate holds it just before it begins
    gate.opened.set()
    stopped = await cancelling
    assert stopped.live
    assert stopped.num_tokens == HELD_AT
    groups = [group async for group in stream]
    assert groups[-1].finish is FinishReason.CANCELLED
    assert engine.step_log.num_steps == step_in_flight  # no other sequence runs


async def test_an_error_in_the_model_fails_every_stream(loop, gate, engine, monkeypatch):
    def gone(*_: object) -> None:
        raise RuntimeError("the device is gone")

    sequences = [engine.prepare(request(name, ENDLESS)) for name in "abc"]
    streams = [loop.open(sequence.key, 0, sequence) for sequence in sequences]
    await gate.is_reached()
    monkeypatch.setattr(engine._model, "forward", gone)
    gate.opened.set()
    for stream in streams:
        with pytest.raises(SynthesisFailed):
            async for _ in stream:
                pass
    assert str(loop.failure) == "the device is gone"
    await asyncio.to_thread(loop.close)
    engine.check_integrity()
    assert engine.stats().slots_free == engine.stats().slots_total
