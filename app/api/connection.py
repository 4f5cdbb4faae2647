"""Work that ends when its client leaves."""

import asyncio
import logging
from collections.abc import Coroutine

from starlette.types import Receive

log = logging.getLogger(__name__)


async def while_connected(work: Coroutine[object, object, None], receive: Receive) -> None:
    """Run `work` to its end. It is cancelled, and has cleaned up when this returns, as soon as the
    client leaves or the caller is cancelled. A client that left is no error.

    Tasks, not a cancel scope: what cleans up inside `work` may await, once, without being
    cancelled again. A connection that cannot be listened to counts as left: Ray Serve's `receive`
    now and then raises its own TaskCancelledError on a disconnect (2.60, 1 in 20).
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(receive))
    tasks = {working, leaving}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        fault = None if working.cancelled() else working.exception()
        if not leaving.cancelled() and leaving.exception() is not None:
            log.info("the connection was lost: %r", leaving.exception())
    if fault is not None:
        raise fault


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
