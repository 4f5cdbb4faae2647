"""A stop at every point of a session's way, fifty times each: one end, every slot free, once.

The same check must fail on engines that are broken on purpose, or it proves nothing.
"""

import asyncio

import pytest

from app.core import CancelState, FinishReason
from app.engine.pipeline import _Segment
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from app.engine.t3.scheduler import Scheduler
from app.sessions.live import LiveSessions
from app.sessions.table import Confirmation
from tests.support.engine.racing import DECODE_AT, POINTS, Listener, Raced

NUM_RACES = 50
NUM_RACES_WHEN_LEAVING = 10
HEARD_TO_ITS_END = ("last send", "after done")


@pytest.fixture
def raced(monkeypatch):
    raced = Raced(monkeypatch)
    yield raced
    raced.close()


@pytest.mark.parametrize("point", POINTS)
async def test_a_cancel_ends_a_session_once_wherever_it_is(raced, point):
    for n in range(NUM_RACES):
        await race(raced, point, f"race-{n}", leave=False)


@pytest.mark.parametrize("point", [p for p in POINTS if p not in ("unknown", "after done")])
async def test_a_listener_that_leaves_ends_it_once_wherever_it_is(raced, point):
    for n in range(NUM_RACES_WHEN_LEAVING):
        await race(raced, point, f"race-{n}", leave=True)


async def race(raced: Raced, point: str, name: str, *, leave: bool) -> None:
    """Hold a session at `point`, stop it, let it go, and count."""
    raced.ends.clear()
    raced.released.clear()
    raced.admitted = 0
    if point == "unknown":
        await cancel_first(raced, name)
        return
    blocker = await blocked(raced, name) if point == "queued" else None
    if blocker is None and point != "after done":
        raced.gate.arm(point)
    listener = Listener(raced, name, hold_at=point)
    if point == "after done":
        await listener.ended()
    elif blocker is None:
        await asyncio.to_thread(raced.gate.reached.wait)
    else:
        await until_queued(raced)
    cancelling = None
    if leave:
        listener.leave()
    else:
        cancelling = asyncio.ensure_future(raced.synthesizer.cancel(listener.request.key))
    for _ in range(3):  # the stop is on its way
        await asyncio.sleep(0)
    raced.gate.open()
    await listener.ended()
    if blocker is not None:
        blocker.leave()
        await blocker.ended()
    while not raced.ends:  # an id that was granted to a listener who has left is given back
        await asyncio.sleep(0)
    await raced.until_idle()
    if cancelling is not None:
        expected = CancelState.ALREADY_DONE if point == "after done" else CancelState.STOPPED
        assert (await cancelling).state in (expected, CancelState.STOPPING)
    check(raced, listener, point, left=leave)


async def cancel_first(raced: Raced, name: str) -> None:
    ack = await raced.synthesizer.cancel(raced.request(name).key)
    assert ack.state is CancelState.UNKNOWN
    listener = Listener(raced, name)
    await listener.ended()
    await raced.until_idle()
    assert listener.finishes == [FinishReason.CANCELLED]
    assert (raced.admitted, listener.num_samples) == (0, 0)


async def blocked(raced: Raced, name: str) -> Listener:
    """Another session holds the only slot."""
    raced.gate.arm("prefill")
    blocker = Listener(raced, f"{name}-blocker")
    await asyncio.to_thread(raced.gate.reached.wait)
    return blocker


async def until_queued(raced: Raced) -> None:
    """The T3 loop has the second session's message: its thread is held, so it waits."""
    while not raced.synthesizer.t3._loop._inbox:
        await asyncio.sleep(0)


def check(raced: Raced, listener: Listener, point: str, *, left: bool) -> None:
    key = listener.request.key
    finish = FinishReason.STOP if point in HEARD_TO_ITS_END else FinishReason.CANCELLED
    if finish is FinishReason.STOP:
        finish = next(reason for ended, reason in raced.ends if ended == key)
        assert finish in (FinishReason.STOP, FinishReason.LENGTH)
    assert [reason for ended, reason in raced.ends if ended == key] == [finish]
    assert len(listener.finishes) == (0 if left and point != "last send" else 1)
    assert sum(raced.released.values()) == raced.admitted  # each slot that was taken, once
    steps = raced.synthesizer.t3.engine.step_log.summary(key)
    if point == "queued":
        assert steps.num_steps == 0
    if finish is FinishReason.CANCELLED and steps.num_after_abort is not None:
        assert steps.num_after_abort <= 1
    if point in ("prefill", "decode"):
        assert steps.num_steps <= DECODE_AT + 2


# -- the check can fail ---------------------------------------------------------------------------


async def test_an_engine_that_ignores_cancels_is_found_out(raced, monkeypatch):
    async def ignore(self, key):
        return Confirmation(0)

    monkeypatch.setattr(T3Stage, "cancel", ignore)
    monkeypatch.setattr(VocoderStage, "cancel", ignore)
    monkeypatch.setattr(LiveSessions, "stop", lambda self, key: None)
    with pytest.raises(AssertionError):
        await race(raced, "decode", "broken", leave=False)


async def test_a_generator_that_is_not_closed_is_found_out(raced, monkeypatch):
    async def let_run(self):
        await asyncio.wait({self.feeding})

    monkeypatch.setattr(_Segment, "stop", lambda self: None)
    monkeypatch.setattr(_Segment, "ended", let_run)
    with pytest.raises(AssertionError):
        await race(raced, "decode", "broken", leave=True)


async def test_a_leaked_slot_is_found_out(raced, monkeypatch):
    cancel = Scheduler.cancel

    def leaking(self, key, segment):
        ended = cancel(self, key, segment)
        if ended:
            self._free_slots.pop()
        return ended

    monkeypatch.setattr(Scheduler, "cancel", leaking)
    with pytest.raises((AssertionError, RuntimeError)):
        await race(raced, "decode", "broken", leave=False)


async def test_a_slot_that_is_freed_twice_is_found_out(raced, monkeypatch):
    cancel = Scheduler.cancel

    def twice(self, key, segment):
        ended = cancel(self, key, segment)
        if ended:
            self._memory.release(0)
        return ended

    monkeypatch.setattr(Scheduler, "cancel", twice)
    with pytest.raises(AssertionError):
        await race(raced, "decode", "broken", leave=False)
