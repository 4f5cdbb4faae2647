"""Where a key's limits are kept: before a session's work, and settled after it."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from app.auth.api_keys import Caller
from app.auth.quota import Admission, Ledger
from app.config import Quota
from app.errors import RateLimited

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Ticket:
    audio_s: float = 0.0  # made in this session, so far


class AdmissionControl:
    def __init__(self, ledger: Ledger, live_s: float) -> None:
        """`live_s`: no session lasts longer."""
        self._ledger = ledger
        self._live_s = live_s
        self._settling: set[asyncio.Task[None]] = set()
        self._held: Counter[tuple[str, str]] = Counter()  # places, by key and limit

    @contextmanager
    def place(self, caller: Caller, limit: Literal["max_sockets", "max_uploads"]) -> Iterator[None]:
        """One of what a key may hold at once in this process. Raises RateLimited."""
        most: int | None = getattr(caller.quota, limit)
        if most is not None and self._held[caller.name, limit] >= most:
            log.info("key %s is refused: %s", caller.name, limit)
            raise RateLimited(limit, 1.0)
        self._held[caller.name, limit] += 1
        try:
            yield
        finally:
            self._held[caller.name, limit] -= 1

    @asynccontextmanager
    async def admitted(self, caller: Caller, num_chars: int) -> AsyncGenerator[Ticket, None]:
        """Raises RateLimited, and Unavailable where nobody counts. A key without limits is not
        counted."""
        ticket = Ticket()
        if not caller.quota.is_limited:
            yield ticket
            return
        number = await self._number(caller.name, caller.quota, num_chars)
        try:
            yield ticket
        finally:
            self._settle(caller.name, number, ticket.audio_s)

    async def _number(self, name: str, quota: Quota, num_chars: int) -> str:
        asking = asyncio.ensure_future(self._ledger.admit(name, quota, num_chars, self._live_s))
        try:
            admission = await asyncio.shield(asking)
        except asyncio.CancelledError:  # the client has left; what is granted is given back
            asking.add_done_callback(partial(self._give_back, name))
            raise
        if admission.ticket is None:
            log.info("key %s is refused: %s", name, admission.refusal)
            raise RateLimited(admission.refusal, admission.retry_after_s)
        return admission.ticket

    def _give_back(self, name: str, asked: "asyncio.Task[Admission]") -> None:
        if asked.cancelled() or asked.exception() is not None:
            return
        if (number := asked.result().ticket) is not None:
            self._settle(name, number, 0.0)

    def _settle(self, name: str, number: str, audio_s: float) -> None:
        """The end of a session never waits."""
        task = asyncio.ensure_future(self._ledger.settle(name, number, audio_s))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
