"""What callers hold open at one ingress replica, and how often they ask: by key and in all.

Each room has places of its own, so that no kind of request can take the places of another kind.
Pure bookkeeping on one event loop, with an injected clock. Knows nothing about HTTP.
"""

import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from app.errors import Overloaded, RateLimited
from app.key_settings import AdmissionSettings

BURST_S = 4.0  # a key may ask at once for what its rate allows in this time
ROUNDING_S = 1e-9


class Room(StrEnum):
    REQUESTS = "requests"  # in flight, other than those below
    BODIES = "bodies"  # of requests, while they are being read
    BODY_BYTES = "body_bytes"  # of bodies that have come, while their requests are in flight
    SOCKETS = "sockets"
    CANCELS = "cancels"
    REPORTS = "reports"  # of sessions
    HEALTH = "health"  # asked for without a key
    PAGE = "page"  # files of the page, without a key


class Bound(NamedTuple):
    """The limits of one room. The texts are the names of the settings, without `admission.`."""

    in_all: str
    per_key: str
    rate: str | None  # tokens in a second for each key; None: as often as a caller likes
    code: str  # of the refusal where the key has no place left


_CONTROL = Bound("max_control", "max_control_per_key", "control_per_s", "too_many_open_requests")
BOUNDS = {
    Room.REQUESTS: Bound(
        "max_requests", "max_requests_per_key", "requests_per_s", "too_many_open_requests"
    ),
    Room.BODIES: Bound("max_bodies", "max_bodies_per_key", None, "too_many_bodies"),
    Room.BODY_BYTES: Bound("max_body_bytes", "max_body_bytes_per_key", None, "too_many_body_bytes"),
    Room.SOCKETS: Bound("max_sockets", "max_sockets_per_key", "requests_per_s", "too_many_sockets"),
    Room.CANCELS: _CONTROL,
    Room.REPORTS: _CONTROL,
    # A balancer that is refused would take the server away, so health has no rate.
    Room.HEALTH: Bound("max_control", "max_control", None, "too_many_open_requests"),
    Room.PAGE: Bound("max_control", "max_control", None, "too_many_open_requests"),
}


class RequestLimiter:
    """Counts by the name of the key. The bounds of the settings hold for one instance."""

    def __init__(
        self, settings: AdmissionSettings, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._now = now
        self._held: Counter[tuple[Room, str]] = Counter()
        self._in_all: Counter[Room] = Counter()
        self._full_at_s: dict[tuple[Room, str], float] = {}  # when all tokens of a key are back

    def num_held(self, room: Room) -> int:
        return self._in_all[room]

    def enter(self, room: Room, key: str, cost: int = 1, *, own_limit: int | None = None) -> None:
        """Takes `cost` places in the room; `leave` gives them back.

        `own_limit` is the key's quota of sockets, which replaces the bound of the settings. Raises
        RateLimited where the key has no place or no token left, and Overloaded where the room is
        full. A refused caller has taken nothing.
        """
        bound = BOUNDS[room]
        self._check_rate(room, key)
        limit: int = getattr(self._settings, bound.per_key) if own_limit is None else own_limit
        if self._held[room, key] + cost > limit:
            name = f"admission.{bound.per_key}" if own_limit is None else "max_sockets"
            raise RateLimited(name, 1.0, bound.code)
        if self._in_all[room] + cost > getattr(self._settings, bound.in_all):
            reason = f"the server has reached its limit admission.{bound.in_all}"
            raise Overloaded(reason, param=f"admission.{bound.in_all}", code="server_full")
        self._held[room, key] += cost
        self._in_all[room] += cost

    def leave(self, room: Room, key: str, cost: int = 1) -> None:
        self._in_all[room] -= cost
        self._held[room, key] -= cost
        if not self._held[room, key]:
            del self._held[room, key]

    def charge(self, room: Room, key: str) -> None:
        """A small request takes a token. The engines bound how often a key speaks, so a request for
        speech takes one only where it is refused."""
        if (rate := self._rate(room)) is not None:
            now_s = self._now()
            self._full_at_s[room, key] = now_s + self._until_full_s(room, key, now_s) + 1.0 / rate

    def _check_rate(self, room: Room, key: str) -> None:
        if (rate := self._rate(room)) is None:
            return
        token_s = 1.0 / rate
        wait_s = self._until_full_s(room, key, self._now()) + token_s - max(BURST_S, token_s)
        if wait_s > ROUNDING_S:
            raise RateLimited(f"admission.{BOUNDS[room].rate}", wait_s, "too_many_requests")

    def _until_full_s(self, room: Room, key: str, now_s: float) -> float:
        """How long until all tokens of the key are back."""
        return max(0.0, self._full_at_s.get((room, key), now_s) - now_s)

    def _rate(self, room: Room) -> float | None:
        name = BOUNDS[room].rate
        rate: float | None = None if name is None else getattr(self._settings, name)
        return rate
