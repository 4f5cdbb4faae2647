"""Work that ends when its client leaves."""

import asyncio
import logging
from collections.abc import Coroutine

from starlette.types import Receive

from app.sessions.tasks import cancel_and_wait

log = logging.getLogger(__name__)


async def while_connected(work: Coroutine[object, object, None], receive: Receive) -> None:
    """Runs `work` to its end, or cancels it as soon as the client leaves or the caller is
    cancelled. `work` has cleaned up when this returns. A client that left is no error.

    `work` runs as a task, not in a cancel scope: code that cleans up in `work` may await, and is
    not cancelled a second time. A connection whose `receive` fails counts as left: Ray Serve's
    `receive` sometimes raises its own TaskCancelledError on a disconnect (2.60, 1 in 20).
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait(working, leaving)
        if not leaving.cancelled() and leaving.exception() is not None:
            log.info("the connection was lost: %r", leaving.exception())
    error = None if working.cancelled() else working.exception()
    if error is not None:
        raise error


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
