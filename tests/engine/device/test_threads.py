"""An engine's thread on a CPU has the share of an engine, and no other thread has it."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch

from app.config import ServeArgs
from app.core import SamplingParams, SessionKey, TokenRequest, VoiceRef
from app.engine.device import cpu_share
from app.engine.device.cpu_share import ENGINE, CpuShare
from app.engine.device.threads import computing_with, run_engine_thread
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from app.engine.synthesizer import LocalSynthesizer
from tests.support.cpu_shares import hogs, share_of, shares
from tests.support.eventually import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shares are Linux'")
HOGS_CPU_S = 3.0  # that the hogs use up while an engine speaks beside them
LEAST_S = 0.5  # that the engine computes in the same time; its share is a quarter of the core
REQUEST = TokenRequest(
    SessionKey("default", "long"),
    0,
    "Beside two hogs.",
    VoiceRef("ada"),
    SamplingParams(ignore_eos=True),
)


def run_on_a_thread(work: Callable[[], None], num_threads: int) -> None:
    """As the thread of an engine runs."""
    args = (torch.device("cpu"), work, num_threads)
    thread = threading.Thread(target=run_engine_thread, args=args)
    thread.start()
    thread.join()


def test_an_engine_thread_on_a_cpu_takes_its_share_and_its_caller_does_not() -> None:
    before, found = share_of(0), []
    run_on_a_thread(lambda: found.append(share_of(0)), 1)
    assert found == [tuple(ENGINE)]
    assert share_of(0) == before


@pytest.mark.parametrize("num_threads", [1, 3])
def test_an_engine_thread_computes_with_its_number_of_threads(num_threads: int) -> None:
    before, found = torch.get_num_threads(), []
    run_on_a_thread(lambda: found.append(torch.get_num_threads()), num_threads)
    assert found == [num_threads]
    assert torch.get_num_threads() == before


def test_a_thread_that_begins_later_is_not_given_the_number_of_an_engine() -> None:
    found: list[int] = []
    run_on_a_thread(lambda: None, torch.get_num_threads() + 1)
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [torch.get_num_threads()]


def test_a_number_of_threads_is_the_callers_own_where_none_is_given() -> None:
    own = torch.get_num_threads()
    with computing_with(own + 2) as given:
        assert (given, torch.get_num_threads()) == (own + 2, own + 2)
        with computing_with(None) as inner:
            assert (inner, torch.get_num_threads()) == (own + 2, own + 2)
    assert torch.get_num_threads() == own


def test_the_callers_own_number_is_not_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch starts threads where a number is set, and they would keep the share of loading."""
    own, found = torch.get_num_threads(), []
    monkeypatch.setattr(torch, "set_num_threads", found.append)
    for num_threads in (None, own):
        with computing_with(num_threads):
            pass
    assert found == []


@pytest.mark.parametrize("stage", [T3Stage, VocoderStage])
def test_opening_a_stage_leaves_its_caller_the_number_of_threads(stage) -> None:
    own = torch.get_num_threads()
    args = ServeArgs.model_validate(
        {"model": "embedded-babble", "t3": {"threads": 3}, "vocoder": {"threads": 3}}
    )
    stage.open(args, "cpu")
    assert torch.get_num_threads() == own


async def test_only_the_two_engine_threads_of_a_synthesizer_have_it() -> None:
    before = shares()
    synthesizer = LocalSynthesizer.open(ServeArgs(model="embedded-babble", device="cpu"))
    try:

        def engines() -> list[int]:
            new = [thread for thread in shares() if thread not in before]
            return [thread for thread in new if share_of(thread) == tuple(ENGINE)]

        await eventually(lambda: len(engines()) == 2, 10, "both threads have taken their share")
        assert shares()[threading.main_thread().native_id or 0] != tuple(ENGINE)
    finally:
        synthesizer.close()


@pytest.fixture
def core() -> Iterator[int]:
    """One that the test's own threads, which listen, leave alone where there is another."""
    allowed = os.sched_getaffinity(0)
    taken = max(allowed)
    os.sched_setaffinity(0, allowed - {taken} or allowed)
    yield taken
    os.sched_setaffinity(0, allowed)


async def computed_s_beside_two_hogs(core: int) -> float:
    """CPU time of T3's thread while two programs that never pause use up HOGS_CPU_S on its core."""
    engine_s = 0.0

    def on_step(_: object) -> None:
        nonlocal engine_s
        if threading.current_thread() is not threading.main_thread():  # as the steps at load are
            os.sched_setaffinity(0, {core})
            engine_s = time.thread_time()

    stage = T3Stage.open(ServeArgs(model="embedded-babble"), "cpu", on_step=on_step)
    stage.start()

    async def listen() -> None:
        async for _ in stage.tokens(REQUEST):
            pass

    listening = asyncio.ensure_future(listen())
    try:
        await eventually(lambda: engine_s, 30, "the engine speaks")
        with hogs(2, core) as running:
            before_s = engine_s

            def used_s() -> float:
                times = [process.cpu_times() for process in running]
                return sum(each.user + each.system for each in times)

            await eventually(lambda: used_s() >= HOGS_CPU_S, 60, "the hogs have used their time")
            return engine_s - before_s
    finally:
        listening.cancel()
        await asyncio.wait({listening})
        stage.close()


@pytest.mark.full
async def test_an_engine_speaks_on_beside_two_hogs_on_its_core(core: int) -> None:
    assert await computed_s_beside_two_hogs(core) >= LEAST_S


@pytest.mark.full
async def test_an_idle_engine_would_be_silent_beside_them(
    core: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(cpu_share, "ENGINE", CpuShare("SCHED_IDLE", 0))
    assert await computed_s_beside_two_hogs(core) < LEAST_S
