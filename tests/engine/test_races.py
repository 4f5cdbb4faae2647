"""A session is stopped at every point of its way: it ends once, and every slot is free, once.

The same check must fail on engines that are broken on purpose. `make test` runs each race three
times, `make test-long` fifty times.
"""

import asyncio

import pytest

from app.core import CancelState, FinishReason
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from app.engine.stream import EngineStream
from app.engine.t3.runner import Runner
from app.engine.t3.scheduler import Scheduler
from app.sessions.live import LiveSessions
from app.sessions.table import Confirmation
from tests.support.engine.racing import (
    DECODE_AT,
    LOOK_EVERY_S,
    POINTS,
    WAIT_S,
    Listener,
    Raced,
)
from tests.support.eventually import eventually

pytestmark = pytest.mark.full
HEARD_TO_ITS_END = ("last send", "after done")
NUM_RACES = pytest.mark.parametrize(
    "num_races", [3, pytest.param(50, marks=pytest.mark.long)], ids=["3", "50"]
)


@pytest.fixture
def raced(monkeypatch):
    raced = Raced(monkeypatch)
    yield raced
    raced.close()


@NUM_RACES
@pytest.mark.parametrize("point", POINTS)
async def test_a_cancel_ends_a_session_once_at_every_point(raced, point, num_races):
    for n in range(num_races):
        await race(raced, point, f"race-{n}", leave=False)


@NUM_RACES
@pytest.mark.parametrize("point", [p for p in POINTS if p not in ("unknown", "after done")])
async def test_a_leaving_listener_ends_a_session_once_at_every_point(raced, point, num_races):
    for n in range(num_races):
        await race(raced, point, f"race-{n}", leave=True)


async def race(raced: Raced, point: str, name: str, *, leave: bool) -> None:
    """Hold a session at `point`, stop it, let it go, and count."""
    raced.reset()
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
        await raced.gate.until_reached()
    else:  # T3's thread is held, so the session's sequence waits in its inbox
        await eventually(lambda: listener.request.key in raced.opened, WAIT_S, "it is queued")
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
    # An id that is granted after its listener has left is given back.
    await eventually(
        lambda: raced.ends, raced.wait_s, "the session is finished", every_s=LOOK_EVERY_S
    )
    await raced.until_idle()
    if cancelling is not None:
        is_heard = point in HEARD_TO_ITS_END
        expected = CancelState.ALREADY_DONE if is_heard else CancelState.STOPPED
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
    await raced.gate.until_reached()
    return blocker


def check(raced: Raced, listener: Listener, point: str, *, left: bool) -> None:
    key = listener.request.key
    ends = [reason for ended, reason in raced.ends if ended == key]
    if point in HEARD_TO_ITS_END:
        assert len(ends) == 1
        assert ends[0] in (FinishReason.STOP, FinishReason.LENGTH)
    else:
        assert ends == [FinishReason.CANCELLED]
    assert len(listener.finishes) == (0 if left and point != "last send" else 1)
    assert sum(raced.released.values()) == raced.admitted  # each slot that was taken, once
    steps = raced.synthesizer.t3.engine.step_log.summary(key)
    if point == "queued":
        assert steps.num_steps == 0
    if ends == [FinishReason.CANCELLED] and steps.num_after_abort is not None:
        assert steps.num_after_abort <= 1
    if point in ("prefill", "decode"):
        assert steps.num_steps <= DECODE_AT + 2


# -- the check can fail ---------------------------------------------------------------------------

BROKEN_WAIT_S = 3.0  # a broken engine may never be idle
FOUND = (AssertionError, RuntimeError, TimeoutError)


@pytest.fixture
def broken(raced):
    raced.wait_s = BROKEN_WAIT_S
    return raced


async def test_the_check_finds_an_engine_that_ignores_cancels(broken, monkeypatch):
    async def ignore(self, key):
        return Confirmation(0)

    monkeypatch.setattr(T3Stage, "cancel", ignore)
    monkeypatch.setattr(VocoderStage, "cancel", ignore)
    monkeypatch.setattr(LiveSessions, "stop", lambda self, key: None)
    with pytest.raises(FOUND):
        await race(broken, "decode", "name", leave=False)


async def test_the_check_finds_a_stream_that_is_not_closed(broken, monkeypatch):
    monkeypatch.setattr(EngineStream, "close", lambda self: None)
    with pytest.raises(FOUND):
        await race(broken, "decode", "name", leave=True)


async def test_the_check_finds_a_leaked_slot(broken, monkeypatch):
    cancel = Scheduler.cancel

    def leaking(self, key, segment):
        ended = cancel(self, key, segment)
        if ended:
            self._free_slots.pop()
        return ended

    monkeypatch.setattr(Scheduler, "cancel", leaking)
    with pytest.raises(FOUND):
        await race(broken, "decode", "name", leave=False)


async def test_the_check_finds_a_slot_that_is_freed_twice(broken, monkeypatch):
    release = Runner.release

    def twice(self, slot):
        release(self, slot)
        release(self, slot)

    monkeypatch.setattr(Runner, "release", twice)
    with pytest.raises(FOUND):
        await race(broken, "decode", "name", leave=False)
