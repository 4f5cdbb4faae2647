"""What is counted and logged of sessions' ends and of acknowledged cancels."""

import asyncio
from typing import Any

import pytest

from app.core import CancelAck, CancelState, FinishReason, Mark, SessionKey, SessionReport
from app.sessions.table import SessionEnd
from deployments import session_observer
from deployments.session_observer import ObservedRegistry

KEY = SessionKey("acme", "turn-7")
STOPPED = {Mark.CANCEL_RECEIVED: 1.0, Mark.T3_STOPPED: 1.5}
REPORT = SessionReport("turn-7", FinishReason.CANCELLED, 400.0, 30, 20, 0, 0, STOPPED)


class Registry:
    """Answers each cancel with `state`, when it may."""

    def __init__(self) -> None:
        self.state = CancelState.STOPPED
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.finished: list[tuple[SessionKey, SessionEnd]] = []

    async def cancel(self, key: SessionKey, played_ms: float | None = None) -> CancelAck:
        await self.may_answer.wait()
        return CancelAck(key.session_id, self.state)

    def finish(self, key: SessionKey, end: SessionEnd) -> None:
        self.finished.append((key, end))

    async def session(self, key: SessionKey) -> SessionReport | None:
        return REPORT


class Metrics:
    """Notes every count."""

    def __init__(self) -> None:
        self.counted: list[tuple[Any, ...]] = []
        self.counted_stop = asyncio.Event()

    def ended(self, end: SessionEnd) -> None:
        self.counted.append(("ended", end.cause))

    def acknowledged(self, ack: CancelAck) -> None:
        self.counted.append(("acknowledged", ack.state))

    def stopped(self, num_discarded: int, marks: object) -> None:
        self.counted.append(("stopped", num_discarded, marks))
        self.counted_stop.set()


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def observed(registry, metrics, monkeypatch):
    monkeypatch.setattr(session_observer, "CONFIRMED_WITHIN_S", 0.0)
    return ObservedRegistry(registry, metrics)


@pytest.mark.parametrize("state", [CancelState.STOPPED, CancelState.STOPPING])
async def test_a_cancel_is_counted_and_its_stop_is_measured(observed, registry, metrics, state):
    registry.state = state
    assert (await observed.cancel(KEY)).state is state
    await asyncio.wait_for(metrics.counted_stop.wait(), 10)
    assert metrics.counted == [("acknowledged", state), ("stopped", 20, STOPPED)]


async def test_a_cancel_that_stopped_no_session_has_no_stop_to_measure(observed, registry, metrics):
    registry.state = CancelState.ALREADY_DONE
    await observed.cancel(KEY)
    await asyncio.sleep(0.01)
    assert metrics.counted == [("acknowledged", CancelState.ALREADY_DONE)]


async def test_a_cancel_is_counted_though_its_caller_hangs_up(observed, registry, metrics):
    registry.may_answer.clear()
    calling = asyncio.ensure_future(observed.cancel(KEY))
    await asyncio.sleep(0)
    calling.cancel()
    await asyncio.wait({calling})
    registry.may_answer.set()
    await asyncio.wait_for(metrics.counted_stop.wait(), 10)
    assert metrics.counted[0] == ("acknowledged", CancelState.STOPPED)


async def test_an_end_is_counted_and_recorded(observed, registry, metrics):
    end = SessionEnd(FinishReason.STOP, 0.4, 10)
    observed.finish(KEY, end)
    assert metrics.counted == [("ended", "finished")]
    assert registry.finished == [(KEY, end)]


async def test_the_stop_after_a_disconnect_is_measured(observed, registry, metrics):
    marks = {Mark.DISCONNECTED: 1.0}
    observed.finish(KEY, SessionEnd(FinishReason.CANCELLED, marks=marks, cause="disconnect"))
    await asyncio.wait_for(metrics.counted_stop.wait(), 10)
    assert metrics.counted == [("ended", "disconnect"), ("stopped", 20, STOPPED)]
