"""What each API key has used: sessions at once, requests in a minute, seconds of audio in a day.
Audio that was spoken and audio that was heard are counted apart.

One instance counts for all ingress replicas, so the counts are exact. Plain bookkeeping on one
event loop; knows nothing about HTTP or Ray.
"""

import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from app.key_settings import Quota

MINUTE_S = 60.0
DAY_S = 86_400.0


class Admission(NamedTuple):
    """`ticket` is None where the request is refused; then `refusal` names the limit."""

    ticket: str | None
    refusal: str = ""
    retry_after_s: float = 0.0


class Ledger(Protocol):
    async def admit(
        self, name: str, quota: Quota, predicted_s: float, live_s: float
    ) -> Admission: ...

    async def settle(self, name: str, ticket: str, audio_s: float) -> None: ...

    async def charge_heard(self, name: str, quota: Quota, heard_s: float) -> Admission: ...


class _Ticket(NamedTuple):
    until: float
    predicted_s: float


@dataclass(slots=True)
class _Account:
    open: dict[str, _Ticket] = field(default_factory=dict)
    requests: deque[float] = field(default_factory=deque)  # their times within the last minute
    day: int = -1
    audio_s: float = 0.0  # of the day
    heard_s: float = 0.0  # of the day


class UsageCounter:
    """Implements Ledger. `now` is the wall clock, and a day is a day of UTC."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._accounts: defaultdict[str, _Account] = defaultdict(_Account)

    async def admit(self, name: str, quota: Quota, predicted_s: float, live_s: float) -> Admission:
        """`predicted_s` seconds of audio are reserved until the ticket is settled. A refused
        request uses nothing. The ticket of an ingress that died expires after `live_s`."""
        now, account = self._now(), self._fresh(name)
        if quota.max_concurrent is not None and len(account.open) >= quota.max_concurrent:
            return Admission(None, "max_concurrent", 1.0)
        limit = quota.requests_per_minute
        if limit is not None and len(account.requests) >= limit:
            return Admission(None, "requests_per_minute", account.requests[0] + MINUTE_S - now)
        reserved_s = account.audio_s + sum(seconds for _, seconds in account.open.values())
        limit_s = quota.audio_s_per_day
        if limit_s is not None and reserved_s + predicted_s > limit_s:
            return Admission(None, "audio_s_per_day", (account.day + 1) * DAY_S - now)
        ticket = uuid.uuid4().hex
        account.open[ticket] = _Ticket(now + live_s, predicted_s)
        account.requests.append(now)
        return Admission(ticket)

    async def settle(self, name: str, ticket: str, audio_s: float) -> None:
        """The session has ended after `audio_s` seconds of audio. Only the first call for a ticket
        counts."""
        account = self._fresh(name)
        if account.open.pop(ticket, None) is not None:
            account.audio_s += audio_s

    async def charge_heard(self, name: str, quota: Quota, heard_s: float) -> Admission:
        """`heard_s` seconds of the caller's sound are about to be heard. A refused charge counts
        nothing. There is nothing to settle."""
        now, account = self._now(), self._fresh(name)
        limit_s = quota.heard_s_per_day
        if limit_s is not None and account.heard_s + heard_s > limit_s:
            return Admission(None, "heard_s_per_day", (account.day + 1) * DAY_S - now)
        account.heard_s += heard_s
        return Admission("")

    def _fresh(self, name: str) -> _Account:
        now, account = self._now(), self._accounts[name]
        if account.day != int(now // DAY_S):
            account.day, account.audio_s, account.heard_s = int(now // DAY_S), 0.0, 0.0
        while account.requests and now - account.requests[0] >= MINUTE_S:
            account.requests.popleft()
        for ticket, (until, _) in list(account.open.items()):
            if now > until:
                del account.open[ticket]
        return account
