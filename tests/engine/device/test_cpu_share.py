"""A thread's share of a core, as Linux keeps it."""

import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from app.engine.device.cpu_share import ENGINE, LOADING, CpuShare, take
from tests.support.cpu_shares import share_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shares are Linux'")
T = TypeVar("T")


def on_a_thread(work: Callable[[], T]) -> T:
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    (value,) = found
    return value


@pytest.mark.parametrize("share", [ENGINE, LOADING])
def test_a_share_is_the_calling_threads_alone(share: CpuShare) -> None:
    before = share_of(0)

    def work() -> tuple[str, int]:
        take(share)
        return share_of(0)

    assert on_a_thread(work) == tuple(share)
    assert share_of(0) == before


def test_threads_inherit_the_share_of_the_thread_that_starts_them() -> None:
    def work() -> tuple[str, int]:
        take(LOADING)
        return on_a_thread(lambda: share_of(0))

    assert on_a_thread(work) == tuple(LOADING)


def test_a_caller_goes_before_an_engine_and_an_engine_before_loading() -> None:
    assert os.getpriority(os.PRIO_PROCESS, 0) < ENGINE.nice < LOADING.nice


def test_a_refused_share_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(os, "setpriority", refuse)
    take(ENGINE)
