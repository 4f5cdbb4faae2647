"""An engine's thread on a CPU yields to every other thread, and no other thread does."""

import os
import sys
import threading
from pathlib import Path

import pytest
import torch

from app.config import ServeArgs
from app.engine.device.threads import run_engine_thread, yield_to_others
from app.engine.synthesizer import LocalSynthesizer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SCHED_IDLE is Linux'")


def idle_threads() -> set[int]:
    own = Path("/proc/self/task")
    return {
        int(task.name)
        for task in own.iterdir()
        if os.sched_getscheduler(int(task.name)) == os.SCHED_IDLE
    }


def test_an_engine_thread_on_a_cpu_yields_and_its_caller_does_not() -> None:
    found: list[int] = []

    def work() -> None:
        found.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=run_engine_thread, args=(torch.device("cpu"), work))
    thread.start()
    thread.join()
    assert found == [os.SCHED_IDLE]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_threads_that_a_yielding_thread_starts_yield_too() -> None:
    found: list[int] = []

    def work() -> None:
        yield_to_others()
        inner = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
        inner.start()
        inner.join()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [os.SCHED_IDLE]


async def test_only_the_two_engine_threads_of_a_synthesizer_yield() -> None:
    before = idle_threads()
    synthesizer = LocalSynthesizer.open(ServeArgs(model="embedded-babble", device="cpu"))
    try:
        engines = idle_threads() - before
        assert len(engines) == 2
        assert threading.main_thread().native_id not in engines
    finally:
        synthesizer.close()
