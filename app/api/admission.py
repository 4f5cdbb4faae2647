"""Keeps the limits of an API key: asks before a session's work begins, and settles after its
end."""

import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

from app.auth.api_keys import Caller
from app.auth.quota import Admission, Ledger
from app.errors import RateLimited
from app.key_settings import Quota
from app.sessions.table import LONGEST_PER_PREDICTED
from app.sessions.tasks import TaskSet

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Ticket:
    audio_s: float = 0.0  # made in this session so far


class AdmissionControl:
    def __init__(self, ledger: Ledger, live_s: float) -> None:
        """`live_s`: no session lasts longer."""
        self._ledger = ledger
        self._live_s = live_s
        self._tasks = TaskSet()
        self._uploads: Counter[str] = Counter()  # being processed, by key

    @contextmanager
    def upload_place(self, caller: Caller) -> Iterator[None]:
        """Holds one of the `max_uploads` that a key has in this process. Raises RateLimited."""
        num_places = caller.quota.max_uploads
        if num_places is not None and self._uploads[caller.name] >= num_places:
            raise RateLimited("max_uploads", 1.0)
        self._uploads[caller.name] += 1
        try:
            yield
        finally:
            self._uploads[caller.name] -= 1

    @asynccontextmanager
    async def admitted(self, caller: Caller, predicted_s: float) -> AsyncGenerator[Ticket, None]:
        """Raises RateLimited, and Unavailable where the ledger does not answer. A key without
        limits is not counted."""
        ticket = Ticket()
        if not caller.quota.is_limited:
            yield ticket
            return
        number = await self._number(caller.name, caller.quota, predicted_s)
        try:
            yield ticket
        finally:
            self._settle(caller.name, number, ticket.audio_s)

    async def charge_heard(self, caller: Caller, heard_s: float) -> None:
        """Before `heard_s` seconds of the caller's sound are heard. Raises RateLimited, and
        Unavailable where the ledger does not answer."""
        if caller.quota.heard_s_per_day is None:
            return
        charge = await self._ledger.charge_heard(caller.name, caller.quota, heard_s)
        _ticket_of(caller.name, charge)

    async def _number(self, name: str, quota: Quota, predicted_s: float) -> str:
        live_s = self._live_s + LONGEST_PER_PREDICTED * predicted_s
        asking = self._ledger.admit(name, quota, predicted_s, live_s)
        admission = await self._tasks.ask(asking, partial(self._give_back, name))
        return _ticket_of(name, admission)

    def _give_back(self, name: str, admission: Admission) -> None:
        if admission.ticket is not None:
            self._settle(name, admission.ticket, 0.0)

    def _settle(self, name: str, number: str, audio_s: float) -> None:
        """Does not wait for the ledger."""
        self._tasks.start(self._ledger.settle(name, number, audio_s))


def _ticket_of(name: str, admission: Admission) -> str:
    """Raises RateLimited."""
    if admission.ticket is None:
        log.info("key %s is refused: %s", name, admission.refusal)
        raise RateLimited(admission.refusal, admission.retry_after_s)
    return admission.ticket
