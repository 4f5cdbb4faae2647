"""When a drain believes that no session is left, with registries that answer as they are told."""

from types import SimpleNamespace

import pytest

from app.sessions.inventory import Drain
from deployments import drain as module
from deployments.drain import QUIET_S, RESTORED_WITHIN_S, drain
from tests.support.clock import Clock

RESTARTS = None


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock, sleep=sleep))
    return clock


def drained_after(monkeypatch, clock: Clock, answers: list[Drain | None], within_s=60.0) -> float:
    """The seconds until the drain ends. The last answer is repeated."""
    told = iter(answers)
    monkeypatch.setattr(module, "_drain", lambda _: next(told, answers[-1]))
    began_s = clock()
    assert drain([], within_s)
    return clock() - began_s


def test_a_drain_ends_soon_after_the_last_session(monkeypatch, clock):
    took_s = drained_after(monkeypatch, clock, [Drain(1, 2), Drain(0, 2)])
    assert QUIET_S < took_s < RESTORED_WITHIN_S


def test_a_registry_that_restarted_is_not_believed_before_it_heard_of_its_sessions(
    monkeypatch, clock
):
    unknowing = [Drain(0, 0)] * 10
    answers = [Drain(1, 2), RESTARTS, *unknowing, Drain(1, 1), Drain(1, 2), Drain(0, 2)]
    took_s = drained_after(monkeypatch, clock, answers)
    assert took_s > len(answers) * module.LOOK_AGAIN_S + QUIET_S / 2


def test_a_drain_does_not_wait_for_an_ingress_that_is_gone(monkeypatch, clock):
    took_s = drained_after(monkeypatch, clock, [Drain(1, 2), RESTARTS, Drain(0, 1)])
    assert RESTORED_WITHIN_S < took_s < 2 * RESTORED_WITHIN_S


def test_a_drain_gives_up_at_its_time(monkeypatch, clock):
    monkeypatch.setattr(module, "_drain", lambda _: Drain(1, 1))
    assert not drain([], 10.0)
    assert clock() >= 10.0
