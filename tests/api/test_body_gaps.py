"""Two tasks send the parts of one body: the answer and what fills its gaps."""

import asyncio

import pytest

from app.api import gaps
from app.api.body_gaps import BodyGaps
from app.errors import ReaderStalled

WAIT_S = 30


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    for name in ("LATE_S", "LATEST_S", "LOOK_EVERY_S"):
        monkeypatch.setattr(gaps, name, 0.001)


async def test_a_part_waits_until_a_filler_that_has_begun_is_sent():
    begun, go_on, told = asyncio.Event(), asyncio.Event(), []

    async def send():
        begun.set()
        await go_on.wait()
        told.append("filler")

    body = BodyGaps(send)
    async with asyncio.timeout(WAIT_S), body.filled():
        body.begin()
        await begun.wait()
        part = asyncio.ensure_future(body.end())
        part.add_done_callback(lambda _: told.append("part"))
        await asyncio.sleep(0)
        assert not part.done()
        go_on.set()
        await part
        await asyncio.sleep(0)
    assert told == ["filler", "part"]


async def test_nothing_is_filled_while_a_part_is_there():
    sent = []

    async def send():
        sent.append(True)

    body = BodyGaps(send)
    body.begin()
    await body.end()
    await body._fill()
    assert (sent, body.owes_sound) == ([], False)


async def test_the_error_of_a_filler_is_that_of_the_next_part():
    failed = asyncio.Event()

    async def send():
        failed.set()
        raise ReaderStalled("the client takes nothing")

    body = BodyGaps(send)
    async with asyncio.timeout(WAIT_S), body.filled():
        body.begin()
        await failed.wait()
        await asyncio.sleep(0)
        with pytest.raises(ReaderStalled):
            await body.end()
