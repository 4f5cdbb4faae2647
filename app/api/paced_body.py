"""The body of a request that must come in time: it has a time limit and a least rate.

The clock starts when the application begins to read. So a body that is not read is never late.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from app.config import Limits
from app.errors import SlowBody

GRACE_S = 10.0  # the least rate counts after this time


class BodyClock:
    """Pure."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._now = now
        self._start_s = now()

    def left_s(self, num_bytes: int) -> float:
        """The time in which more must come of a body that has `num_bytes` now."""
        by_rate_s = GRACE_S + num_bytes / self._limits.body_bytes_per_s
        return self._start_s + min(self._limits.body_s, by_rate_s) - self._now()


class PacedBody:
    """The `receive` of a request. It holds a place until the body has come, and counts its
    bytes."""

    def __init__(self, headers: Headers, receive: Receive, limits: Limits) -> None:
        self._receive = receive
        self._limits = limits
        self._clock: BodyClock | None = None
        self._num_bytes = 0
        self._place = ExitStack()
        self._take: Callable[[int], None] | None = None
        self.is_whole = not has_body(headers)

    def hold(self, place: AbstractContextManager[None], take: Callable[[int], None]) -> None:
        """`take` is called with the number of bytes of each part; its error refuses the body."""
        if not self.is_whole:
            self._place.enter_context(place)
            self._take = take

    def let_go(self) -> None:
        self._place.close()

    async def __call__(self) -> Message:
        """Raises SlowBody, and the errors of `take`."""
        if self.is_whole:
            return await self._receive()
        self._clock = self._clock or BodyClock(self._limits)
        try:
            async with asyncio.timeout(self._clock.left_s(self._num_bytes)):
                message = await self._receive()
        except TimeoutError:
            raise SlowBody(self._reason()) from None
        num_bytes = len(message.get("body", b""))
        self._num_bytes += num_bytes
        if num_bytes and self._take is not None:
            self._take(num_bytes)
        if not message.get("more_body", False):
            self.is_whole = True
            self.let_go()
        return message

    def _reason(self) -> str:
        return (
            "the body did not come in time: all of it must come within limits.body_s "
            f"({self._limits.body_s:g} s), and after {GRACE_S:g} s at least "
            f"limits.body_bytes_per_s ({self._limits.body_bytes_per_s:g} bytes in each second)"
        )


def has_body(headers: Headers) -> bool:
    """Whether a request with these headers has a body that is not empty."""
    length = headers.get("content-length", "").strip()
    return length not in ("", "0") or "transfer-encoding" in headers
