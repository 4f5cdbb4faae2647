"""An engine's thread on a CPU runs behind everybody else; nobody else's thread does."""

import os
import sys
import threading
from pathlib import Path

import pytest
import torch

from app.config import ServeArgs
from app.engine.device.threads import give_way, on_own_terms
from app.engine.synthesizer import LocalSynthesizer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SCHED_IDLE is Linux'")


def idle_threads() -> list[int]:
    own = Path("/proc/self/task")
    return [
        int(task.name)
        for task in own.iterdir()
        if os.sched_getscheduler(int(task.name)) == os.SCHED_IDLE
    ]


def test_a_thread_that_computes_on_the_cpu_gives_way_and_its_caller_does_not() -> None:
    found: list[int] = []

    def run() -> None:
        found.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=on_own_terms, args=(torch.device("cpu"), run))
    thread.start()
    thread.join()
    assert found == [os.SCHED_IDLE]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_what_such_a_thread_starts_gives_way_too() -> None:
    found: list[int] = []

    def run() -> None:
        give_way()
        inner = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
        inner.start()
        inner.join()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [os.SCHED_IDLE]


async def test_both_engines_of_a_synthesizer_give_way_and_nobody_else() -> None:
    before = set(idle_threads())
    synthesizer = LocalSynthesizer.open(ServeArgs(model="embedded-babble", device="cpu"))
    try:
        engines = set(idle_threads()) - before
        assert len(engines) == 2
        assert threading.main_thread().native_id not in engines
    finally:
        synthesizer.close()
