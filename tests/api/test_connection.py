"""Work ends with its client, and has cleaned up in every case."""

import asyncio

import pytest

from app.api.connection import while_connected


class Client:
    def __init__(self):
        self.left = asyncio.Event()

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}


class Work:
    def __init__(self, error=None):
        self.error = error
        self.started = asyncio.Event()
        self.go = asyncio.Event()
        self.log = []

    async def __call__(self):
        try:
            self.started.set()
            await self.go.wait()
            if self.error:
                raise self.error
            self.log.append("done")
        finally:
            await asyncio.sleep(0)  # cleaning up may await
            self.log.append("clean")


async def test_work_runs_to_its_end():
    work = Work()
    work.go.set()
    await while_connected(work(), Client().receive)
    assert work.log == ["done", "clean"]


async def test_an_error_of_the_work_is_raised():
    work = Work(ValueError("x"))
    work.go.set()
    with pytest.raises(ValueError, match="x"):
        await while_connected(work(), Client().receive)
    assert work.log == ["clean"]


async def test_a_client_that_leaves_ends_the_work_without_an_error():
    work, client = Work(), Client()
    running = asyncio.ensure_future(while_connected(work(), client.receive))
    await work.started.wait()
    client.left.set()
    await running
    assert work.log == ["clean"]


async def test_a_cancelled_caller_waits_for_the_cleaning_up():
    work = Work()
    running = asyncio.ensure_future(while_connected(work(), Client().receive))
    await work.started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.log == ["clean"]


async def test_a_connection_whose_receive_fails_counts_as_left(caplog):
    caplog.set_level("INFO")
    work = Work()

    async def receive():
        await work.started.wait()
        raise OSError("proxy lost")

    await while_connected(work(), receive)
    assert work.log == ["clean"]
    assert "proxy lost" in caplog.text
