"""An engine's thread on a CPU has the share of an engine, and no other thread has it."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator

import pytest
import torch

from app.config import ServeArgs
from app.core import SamplingParams, SessionKey, TokenRequest, VoiceRef
from app.engine.device import cpu_share
from app.engine.device.cpu_share import ENGINE, CpuShare
from app.engine.device.threads import run_engine_thread
from app.engine.stages.t3 import T3Stage
from app.engine.synthesizer import LocalSynthesizer
from tests.support.cpu_shares import hogs, share_of, shares
from tests.support.eventually import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shares are Linux'")
HOGS_CPU_S = 3.0  # that the hogs use up while an engine speaks beside them
LEAST_TOKENS = 20  # in the same time; the engine's share is a quarter of the core
REQUEST = TokenRequest(
    SessionKey("default", "long"),
    0,
    "Beside two hogs.",
    VoiceRef("ada"),
    SamplingParams(ignore_eos=True),
)


def test_an_engine_thread_on_a_cpu_takes_its_share_and_its_caller_does_not() -> None:
    before, found = share_of(0), []
    thread = threading.Thread(
        target=run_engine_thread, args=(torch.device("cpu"), lambda: found.append(share_of(0)))
    )
    thread.start()
    thread.join()
    assert found == [tuple(ENGINE)]
    assert share_of(0) == before


@pytest.mark.parametrize("num_threads", [None, 1, 3])
def test_an_engine_thread_computes_with_the_threads_of_its_settings(num_threads) -> None:
    before, found = torch.get_num_threads(), []
    thread = threading.Thread(
        target=run_engine_thread,
        args=(torch.device("cpu"), lambda: found.append(torch.get_num_threads()), num_threads),
    )
    thread.start()
    thread.join()
    assert found == [num_threads or before]
    assert torch.get_num_threads() == before


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


async def tokens_beside_two_hogs(core: int) -> int:
    """What T3 says while two programs that never pause use up HOGS_CPU_S on its core."""
    num_tokens = 0
    stage = T3Stage.open(
        ServeArgs(model="embedded-babble"),
        "cpu",
        on_step=lambda _: os.sched_setaffinity(0, {core}),
    )
    stage.start()

    async def count() -> None:
        nonlocal num_tokens
        async for group in stage.tokens(REQUEST):
            num_tokens += len(group.ids)

    counting = asyncio.ensure_future(count())
    try:
        await eventually(lambda: num_tokens, 30, "the engine speaks")
        with hogs(2, core) as running:
            before = num_tokens

            def used_s() -> float:
                times = [process.cpu_times() for process in running]
                return sum(each.user + each.system for each in times)

            await eventually(lambda: used_s() >= HOGS_CPU_S, 60, "the hogs have used their time")
            return num_tokens - before
    finally:
        counting.cancel()
        await asyncio.wait({counting})
        stage.close()


@pytest.mark.full
async def test_an_engine_speaks_on_beside_two_hogs_on_its_core(core: int) -> None:
    assert await tokens_beside_two_hogs(core) >= LEAST_TOKENS


@pytest.mark.full
async def test_an_idle_engine_would_be_silent_beside_them(
    core: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(cpu_share, "ENGINE", CpuShare("SCHED_IDLE", 0))
    assert await tokens_beside_two_hogs(core) < LEAST_TOKENS
