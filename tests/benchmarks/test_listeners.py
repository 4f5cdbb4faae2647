"""What a listener is told to have missed, and what a talker who cancels waited for."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx
import pytest

from benchmarks import listeners
from benchmarks.listeners import hear, interrupt


class Pauses:
    """A speaker of parts of 0.05 s, each after a pause in seconds."""

    def __init__(self, *pauses_s: float) -> None:
        self._pauses_s = pauses_s

    async def listen(self, text: str, name: str) -> AsyncGenerator[float, None]:
        for seconds in self._pauses_s:
            await asyncio.sleep(seconds)
            yield 0.05

    async def cancel(self, name: str) -> None: ...


async def test_silence_is_the_time_with_nothing_to_play():
    now_s = asyncio.get_running_loop().time()
    heard = await hear(Pauses(0.0, 0.3, 0.0), "turn", now_s + 60)
    assert 0.2 <= heard.silence_s < 60
    assert heard.audio_s == pytest.approx(0.15)


async def test_a_silence_that_lasts_to_the_end_counts():
    now_s = asyncio.get_running_loop().time()
    heard = await hear(Pauses(0.0, 600.0), "turn", now_s + 0.5)
    assert 0.3 <= heard.silence_s < 60


class Cancelled(Pauses):
    """Its cancels are answered by `answer`."""

    def __init__(self, answer: Callable[[], Awaitable[None]]) -> None:
        super().__init__(0.0, 600.0)
        self._answer = answer

    async def cancel(self, name: str) -> None:
        await self._answer()


async def never() -> None:
    await asyncio.Event().wait()


async def broken() -> None:
    raise httpx.ReadError("reset")


@pytest.mark.parametrize(("answer", "at_least_ms"), [(never, 50), (broken, 0)])
async def test_a_cancel_without_an_answer_counts_with_its_wait(monkeypatch, answer, at_least_ms):
    monkeypatch.setattr(listeners, "ANSWER_WITHIN_S", 0.05)
    monkeypatch.setattr(random.Random, "uniform", lambda *_: 0.01)
    (ack_ms,) = await interrupt(Cancelled(answer), time.monotonic() + 0.01, random.Random(1))
    assert at_least_ms <= ack_ms < 10_000
