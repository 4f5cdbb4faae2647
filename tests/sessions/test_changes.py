"""A wait ends with the change, or with its time."""

import asyncio

from app.sessions.changes import Changes


async def test_a_wait_ends_as_soon_as_it_is_so():
    changes, done = Changes(), asyncio.Event()
    waiting = asyncio.ensure_future(changes.until(done.is_set, 60))
    await asyncio.sleep(0)
    await changes.notify()
    await asyncio.sleep(0)
    assert not waiting.done()
    done.set()
    await changes.notify()
    assert await waiting


async def test_what_is_so_already_needs_no_change():
    assert await Changes().until(lambda: True, 0)


async def test_a_wait_ends_with_its_time():
    assert not await Changes().until(lambda: False, 0.001)
